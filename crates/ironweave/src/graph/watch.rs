//! Watches: the counters that immediate events read, which every change updates, and the events that a change enabled.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::layout::reverse;
use crate::graph::storage::{Storage, Table};
use crate::schema::{EdgeIx, EntityIx, Quantifier, StateIx};

impl<S: Storage> Graph<S> {
    /// Whether an immediate event is enabled on an entity; O(number of its conditions).
    pub(crate) fn enabled(&self, immediate: u16, slot: u32) -> bool {
        let immediate = &self.layout.immediates[usize::from(immediate)];
        immediate
            .from
            .contains(self.state_of(immediate.entity, slot))
            && immediate.conditions.iter().all(|(quantifier, watch)| {
                let counted = self.counted(*watch, slot);
                match quantifier {
                    Quantifier::All => {
                        counted == self.degree(self.layout.watches[usize::from(*watch)].hop, slot)
                    }
                    Quantifier::Any => counted > 0,
                    Quantifier::None => counted == 0,
                }
            })
    }

    /// Adds the immediate events that are enabled on an entity, which has entered a state, to the pending ones.
    pub(super) fn wake(&mut self, entity: EntityIx, slot: u32, state: StateIx) {
        let layout = &self.layout.entities[usize::from(entity)].states[usize::from(state)];
        for i in 0..layout.immediates.len() {
            self.wake_if_enabled(
                self.layout.entities[usize::from(entity)].states[usize::from(state)].immediates[i],
                slot,
            );
        }
    }

    /// Makes all immediate events pending that are enabled, on whichever entity, and no others; O(entities on which any can
    /// fire).
    pub(crate) fn wake_all(&mut self) {
        self.pending.clear();
        let layout = Arc::clone(&self.layout);
        for (ix, immediate) in (0..).zip(&layout.immediates) {
            for slot in 0..self.slots(immediate.entity) {
                if self.is_alive(immediate.entity, slot) {
                    self.wake_if_enabled(ix, slot);
                }
            }
        }
    }

    /// Returns whether an immediate event is enabled on any entity. O(entities).
    pub(crate) fn any_is_enabled(&mut self) -> bool {
        if self.layout.immediates.is_empty() {
            return false;
        }
        self.pending.clear();
        self.wake_all();
        let any = !self.pending.is_empty();
        self.pending.clear();
        any
    }

    fn wake_if_enabled(&mut self, immediate: u16, slot: u32) {
        if self.enabled(immediate, slot) {
            self.pending
                .push(Reverse((immediate, slot, Reverse(self.firing))));
        }
    }

    /// Updates the counters of the entities that watch one that was moved; O(links on watched edges).
    pub(super) fn recount(
        &mut self,
        entity: EntityIx,
        slot: u32,
        from: StateIx,
        to: StateIx,
        wake: bool,
    ) {
        if self.layout.entities[usize::from(entity)]
            .counted_by
            .is_empty()
        {
            return;
        }
        let layout = Arc::clone(&self.layout);
        for &ix in &layout.entities[usize::from(entity)].counted_by {
            let watch = &layout.watches[usize::from(ix)];
            let (was, is) = (watch.member.contains(from), watch.member.contains(to));
            if was == is {
                continue;
            }
            let back = reverse(watch.hop);
            for i in 0..self.degree(back, slot) {
                let watcher = self.edges[usize::from(back.edge)].member(back.forward, slot, i);
                let counter = self.counters[usize::from(ix)].at_mut(watcher as usize);
                *counter = if is { *counter + 1 } else { *counter - 1 };
                if wake {
                    for immediate in &watch.immediates {
                        self.wake_if_enabled(*immediate, watcher);
                    }
                }
            }
        }
    }

    /// Updates the counters over an edge after a link was added or removed.
    pub(super) fn rewatch(&mut self, edge: EdgeIx, from: u32, to: u32, linked: bool, wake: bool) {
        if self.layout.edges[usize::from(edge)].watches.is_empty() {
            return;
        }
        let layout = Arc::clone(&self.layout);
        let edge = &layout.edges[usize::from(edge)];
        for &ix in &edge.watches {
            let watch = &layout.watches[usize::from(ix)];
            let (watcher, seen) = if watch.hop.forward {
                (from, to)
            } else {
                (to, from)
            };
            if watch
                .member
                .contains(self.state_of(edge.far(watch.hop.forward).entity, seen))
            {
                let counter = self.counters[usize::from(ix)].at_mut(watcher as usize);
                *counter = if linked { *counter + 1 } else { *counter - 1 };
            }
            if wake {
                for immediate in &watch.immediates {
                    self.wake_if_enabled(*immediate, watcher);
                }
            }
        }
    }
}
