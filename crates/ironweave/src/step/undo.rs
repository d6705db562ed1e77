//! Undo: the changes of a rejected event, or of a transaction that is not committed, are rolled back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::graph::storage::Storage;
use crate::graph::{Graph, Mark};
use crate::step::Core;
use crate::step::open::OpenTransaction;

/// A point in the open transaction to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreMark {
    graph: Mark,
    firings: usize,
    event_bytes: usize,
    events: u32,
    attempts: usize,
}

impl<S: Storage> Core<S> {
    /// A point in the open transaction to go back to.
    pub(crate) fn mark(&mut self) -> CoreMark {
        let open = &mut self.open;
        CoreMark {
            graph: self.graph.mark(&mut open.journal),
            firings: open.firings.len(),
            event_bytes: open.event_bytes.len(),
            events: open.events,
            attempts: open.keyed.as_ref().map_or(0, |keyed| keyed.attempts.len()),
        }
    }

    /// Undoes everything that was done since a mark.
    pub(crate) fn rollback(&mut self, mark: CoreMark) {
        rollback(&mut self.graph, &mut self.open, mark);
    }

    /// Undoes what was done since a mark, or without one everything that the transaction did. If user code panics
    /// meanwhile, the graph is broken.
    pub(super) fn take_back(&mut self, mark: Option<CoreMark>) {
        if mark.is_none() && self.is_untouched() && !std::thread::panicking() {
            return;
        }
        let Self { graph, open, .. } = self;
        if open.is_broken() || std::thread::panicking() {
            return undo(graph, open, |graph, open| undo_to(graph, open, mark));
        }
        // The same without the closure, so that it is inlined.
        open.set_broken(true);
        undo_to(graph, open, mark);
        open.set_broken(false);
    }
}

#[inline]
fn undo_to<S: Storage>(graph: &mut Graph<S>, open: &mut OpenTransaction, mark: Option<CoreMark>) {
    match mark {
        Some(mark) => rollback(graph, open, mark),
        None => {
            graph.rollback_all(&mut open.journal);
            open.firings.clear();
            open.event_bytes.clear();
        }
    }
}

fn rollback<S: Storage>(graph: &mut Graph<S>, open: &mut OpenTransaction, mark: CoreMark) {
    graph.rollback(&mut open.journal, mark.graph);
    graph.forget_woken();
    open.firings.truncate(mark.firings);
    open.event_bytes.truncate(mark.event_bytes);
    open.events = mark.events;
    if let Some(keyed) = &mut open.keyed {
        keyed.take_back(mark.attempts);
    }
}

/// Undoes something. If the graph is broken, or if user code panics again while something is undone because of a panic,
/// what is left stays as it is and the graph is broken: the panic of an undo must not abort the process.
pub(super) fn undo<S: Storage>(
    graph: &mut Graph<S>,
    open: &mut OpenTransaction,
    undo: impl FnOnce(&mut Graph<S>, &mut OpenTransaction),
) {
    let broken = open.is_broken();
    open.set_broken(true);
    if !broken && !std::thread::panicking() {
        undo(graph, open);
        open.set_broken(false);
        return;
    }
    let undone = catch_unwind(AssertUnwindSafe(|| undo(graph, open)));
    // Only a panic leaves an index behind that is not whole.
    let whole = !broken && undone.is_ok() && !graph.is_broken();
    open.set_broken(!whole);
}

/// An event that is being fired. Dropped before it is kept, it undoes what was done.
pub(super) struct Attempt<'c, S: Storage> {
    pub core: &'c mut Core<S>,
    mark: Option<CoreMark>,
}

impl<'c, S: Storage> Attempt<'c, S> {
    #[inline(always)]
    pub(super) fn begin(core: &'c mut Core<S>) -> Self {
        Self {
            // Nothing was done before the first event.
            mark: (core.open.events > 0).then(|| core.mark()),
            core,
        }
    }

    /// Keeps what was done.
    #[inline(always)]
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl<S: Storage> Drop for Attempt<'_, S> {
    #[cold]
    fn drop(&mut self) {
        self.core.take_back(self.mark);
    }
}
