//! Watches: the counters that immediate events read, which every change updates, and the events that a change enabled.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::graph::Graph;
use crate::graph::layout::{LinkWake, Wake, reverse};
use crate::graph::storage::{Storage, Table};
use crate::schema::{EdgeIx, EntityIx, StateIx};

impl<S: Storage> Graph<S> {
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

    /// Forgets which immediate events are pending, since what enabled them was rolled back.
    pub(crate) fn forget_woken(&mut self) {
        self.firing = 0;
        self.pending.clear();
        self.entered.clear();
    }

    /// Makes all immediate events pending that are enabled, on whichever entity, and no others; O(entities on which any can
    /// fire).
    pub(crate) fn wake_all(&mut self) {
        self.pending.clear();
        self.entered.clear();
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
    pub(crate) fn any_is_enabled(&self) -> bool {
        let immediates = (0..).zip(&self.layout.immediates);
        immediates.into_iter().any(|(ix, immediate)| {
            let mut living = self.living(immediate.entity);
            living.any(|slot| !matches!(self.enabled(ix, slot), Ok(false)))
        })
    }

    /// Makes an immediate event pending if it may be enabled on an entity, or notes a change for those that wait: comparisons of values are left to
    /// [`Graph::enabled`], since the graph calls no function of the program while it changes.
    pub(super) fn wake_if_enabled(&mut self, immediate: u16, slot: u32) {
        let Some(of) = self.layout.immediates.get(usize::from(immediate)) else {
            let wait = usize::from(immediate) - self.layout.immediates.len();
            return self.enter(wait, slot);
        };
        if self.may_be_enabled(of, slot) {
            self.pending
                .push(Reverse((immediate, slot, Reverse(self.firing))));
        }
    }

    /// Wakes an immediate event after a change at an entity; O(entities on which it may be enabled).
    fn wake_by(&mut self, wake: Wake, at: u32) {
        let Some(back) = wake.back else {
            return self.wake_if_enabled(wake.immediate, at);
        };
        for i in 0..self.degree(back, at) {
            let slot = self.edges[usize::from(back.edge)].member(back.forward, at, i);
            self.wake_if_enabled(wake.immediate, slot);
        }
    }

    /// Updates the counters of the entities that watch one that was moved; O(links on watched edges), and the entities on
    /// which events that look over two edges may be enabled.
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
                    for wake in &watch.wakes {
                        self.wake_by(*wake, watcher);
                    }
                }
            }
        }
    }

    /// Updates the counters over a watched edge after a link was added or removed. O(watches of the edge), and the entities on
    /// which events that look over it from the other end of another edge may be enabled.
    pub(super) fn rewatch(&mut self, edge: EdgeIx, from: u32, to: u32, linked: bool, wake: bool) {
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
                for wake in &watch.wakes {
                    self.wake_by(*wake, watcher);
                }
            }
        }
        if wake {
            for LinkWake { forward, wake } in &edge.wakes {
                self.wake_by(*wake, if *forward { from } else { to });
            }
        }
    }
}
