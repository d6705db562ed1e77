//! The check: all derived state is recomputed and compared with what is kept.

use std::collections::HashSet;

use crate::base::hash::{cell_term, link_data_term, link_term, state_term};
use crate::base::id::GENERATION_MAX;
use crate::graph::Graph;
use crate::graph::edge::NONE;
use crate::graph::layout::Bounded;
use crate::graph::storage::{Storage, Table};
use crate::schema::{Cardinality, EntityIx, Hop, StateIx};

impl<S: Storage> Graph<S> {
    /// Recomputes the sets of states, columns, keys, both directions of every edge, counters, bounds and the fingerprint,
    /// and returns every difference; empty if the graph is consistent. O(size of the graph).
    pub(crate) fn differences(&self) -> Vec<String> {
        let (fingerprint, mut wrong) = self.recomputed();
        if self.fingerprinting && fingerprint != self.fingerprint {
            wrong.push(format!(
                "the fingerprint is {:032x}, not {fingerprint:032x}",
                self.fingerprint
            ));
        }
        wrong
    }

    /// Keeps the fingerprint from now on; O(size of the graph) if it was not kept.
    pub(crate) fn keep_fingerprint(&mut self) {
        if !self.fingerprinting {
            self.fingerprint = self.recomputed_fingerprint();
            self.committed_fingerprint = self.fingerprint;
            self.fingerprinting = true;
        }
    }

    /// Computes the fingerprint; O(size of the graph).
    pub(crate) fn recomputed_fingerprint(&self) -> u128 {
        self.recomputed().0
    }

    fn recomputed(&self) -> (u128, Vec<String>) {
        let mut wrong = Vec::new();
        let mut fingerprint = 0u128;
        for entity in 0..self.entities.len() as EntityIx {
            self.check_states(entity, &mut fingerprint, &mut wrong);
            self.check_columns(entity, &mut fingerprint, &mut wrong);
            for slot in self.living(entity) {
                wrong.extend(self.bounds_broken(entity, slot));
            }
        }
        for edge in 0..self.edges.len() as u16 {
            self.check_edge(edge, &mut fingerprint, &mut wrong);
        }
        self.check_counters(&mut wrong);
        (fingerprint, wrong)
    }

    fn check_states(&self, entity: EntityIx, fingerprint: &mut u128, wrong: &mut Vec<String>) {
        let layout = &self.layout.entities[usize::from(entity)];
        let mut counts = vec![0; layout.states.len()];
        for slot in 0..self.slots(entity) {
            let state = self.state_of(entity, slot);
            if let Some(layout) = layout.states.get(usize::from(state)) {
                counts[usize::from(state)] += 1;
                *fingerprint =
                    fingerprint.wrapping_add(state_term(layout.salt, self.id(entity, slot)));
            }
            for (ix, set) in self.entities[usize::from(entity)]
                .in_state
                .iter()
                .enumerate()
            {
                if set.contains(slot) != (ix as StateIx == state) {
                    let name = &layout.states[ix].name;
                    wrong.push(format!(
                        "{} is wrong in the set of state {name}",
                        self.entity_ref(entity, slot)
                    ));
                }
            }
        }
        self.check_slots(entity, wrong);
        for (ix, count) in counts.into_iter().enumerate() {
            let kept = self.count(entity, ix as StateIx);
            if kept != count {
                wrong.push(format!(
                    "{} {} are counted in {}, not {count}",
                    kept, layout.name, layout.states[ix].name
                ));
            }
        }
    }

    /// Checks the list of free slots, the number of entities, and the index of a key of several fields.
    fn check_slots(&self, entity: EntityIx, wrong: &mut Vec<String>) {
        let table = &self.entities[usize::from(entity)];
        let name = &self.layout.entities[usize::from(entity)].name;
        let living = self.living(entity).count();
        if living != self.alive(entity) {
            wrong.push(format!(
                "{} {name} are counted, not {living}",
                self.alive(entity)
            ));
        }
        let free: HashSet<u32> = (0..table.free.len()).map(|i| *table.free.at(i)).collect();
        for slot in 0..self.slots(entity) {
            let id = self.id(entity, slot);
            let expected = !self.is_alive(entity, slot) && id.generation < GENERATION_MAX;
            if free.contains(&slot) != expected {
                wrong.push(format!("slot {slot} of {name} is wrong in the free list"));
            }
        }
        if self.layout.entities[usize::from(entity)].key.len() > 1 {
            for slot in self.living(entity) {
                let hash = self.key_hash(entity, slot);
                if !hash.is_some_and(|hash| table.key.has(hash, slot)) {
                    let who = self.entity_ref(entity, slot);
                    wrong.push(format!("the key of {who} is not in its index"));
                }
            }
            if table.key.len() != living {
                wrong.push(format!(
                    "{} keys of {name} are indexed, not {living}",
                    table.key.len()
                ));
            }
        }
    }

    fn check_columns(&self, entity: EntityIx, fingerprint: &mut u128, wrong: &mut Vec<String>) {
        for &column in &self.layout.entities[usize::from(entity)].columns {
            let layout = &self.layout.columns[usize::from(column)];
            let state = self.layout.schema.columns[usize::from(column)].state;
            let mut filled = 0;
            for slot in 0..self.slots(entity) {
                let expected = match state {
                    Some(state) => state == self.state_of(entity, slot),
                    None => self.is_alive(entity, slot),
                };
                let who = || format!("{} of {}", layout.path, self.entity_ref(entity, slot));
                match self.column(column).recheck(slot) {
                    Err(e) => wrong.push(format!("{}: {e}", who())),
                    Ok(hash) if hash.is_some() != expected => {
                        wrong.push(format!(
                            "{} is {}",
                            who(),
                            if expected { "missing" } else { "left behind" }
                        ));
                    }
                    Ok(Some(hash)) => {
                        filled += 1;
                        *fingerprint = fingerprint.wrapping_add(cell_term(
                            layout.salt,
                            self.id(entity, slot),
                            hash,
                        ));
                    }
                    Ok(None) => {}
                }
            }
            if let Some(indexed) = self.column(column).indexed().filter(|n| *n != filled) {
                wrong.push(format!(
                    "{} keys of {} are indexed, not {filled}",
                    indexed, layout.path
                ));
            }
        }
    }

    fn check_edge(&self, edge: u16, fingerprint: &mut u128, wrong: &mut Vec<String>) {
        let layout = &self.layout.edges[usize::from(edge)];
        let (forward, backward) = (
            Hop {
                edge,
                forward: true,
            },
            Hop {
                edge,
                forward: false,
            },
        );
        let mut there = HashSet::new();
        for from in 0..self.slots(layout.from.entity) {
            for (position, &to) in self.links(forward, from).iter().enumerate() {
                let exists = to != NONE
                    && to < self.slots(layout.to.entity)
                    && self.is_alive(layout.to.entity, to)
                    && self.is_alive(layout.from.entity, from);
                if !exists || !there.insert((from, to)) {
                    wrong.push(format!(
                        "{}: {from} -> {to} is no link or stands twice",
                        layout.from.path
                    ));
                    continue;
                }
                let term = link_term(
                    layout.salt,
                    self.id(layout.from.entity, from),
                    self.id(layout.to.entity, to),
                );
                *fingerprint = fingerprint.wrapping_add(term);
                self.check_link_data(edge, (from, to), fingerprint, wrong);
                let noted = self.edges[usize::from(edge)].noted(from, to);
                let at = noted.is_some_and(|n| {
                    n.from as usize == position
                        && self.links(backward, to).get(n.to as usize) == Some(&from)
                });
                if !at || !self.linked(forward, from, to) {
                    wrong.push(format!(
                        "{}: the positions of {from} -> {to} are wrong",
                        layout.from.path
                    ));
                }
            }
        }
        let mut back = 0;
        for to in 0..self.slots(layout.to.entity) {
            for &from in self.links(backward, to) {
                back += 1;
                if !there.contains(&(from, to)) {
                    wrong.push(format!(
                        "{}: {to} -> {from} has no link at the other end",
                        layout.to.path
                    ));
                }
            }
        }
        if back != there.len()
            || self.edges[usize::from(edge)]
                .pairs()
                .is_some_and(|n| n != back)
        {
            wrong.push(format!(
                "{} has {} links one way and {back} the other",
                layout.from.path,
                there.len()
            ));
        }
        let rows = self.edges[usize::from(edge)]
            .data
            .as_ref()
            .and_then(|d| d.pairs());
        if let Some(rows) = rows.filter(|rows| *rows != back) {
            wrong.push(format!(
                "{} has {rows} rows of data for {back} links",
                layout.from.path
            ));
        }
        if layout.acyclic
            && let Some(slot) = self.any_cycle(edge, self.slots(layout.from.entity))
        {
            let who = self.entity_ref(layout.from.entity, slot);
            wrong.push(format!("{} leads from {who} back to it", layout.from.path));
        }
    }

    fn check_link_data(
        &self,
        edge: u16,
        (from, to): (u32, u32),
        fingerprint: &mut u128,
        wrong: &mut Vec<String>,
    ) {
        let Some((column, row)) = self.link_row(edge, from, to) else {
            return;
        };
        let layout = &self.layout.edges[usize::from(edge)];
        let (a, b) = (
            self.id(layout.from.entity, from),
            self.id(layout.to.entity, to),
        );
        let what = match column.recheck(row) {
            Ok(Some(hash)) => {
                *fingerprint = fingerprint.wrapping_add(link_data_term(layout.salt, a, b, hash));
                return;
            }
            Ok(None) => "missing".to_owned(),
            Err(e) => e,
        };
        wrong.push(format!(
            "the data of {} {a} -> {b}: {what}",
            layout.from.path
        ));
    }

    fn check_counters(&self, wrong: &mut Vec<String>) {
        for (ix, watch) in self.layout.watches.iter().enumerate() {
            let edge = &self.layout.edges[usize::from(watch.hop.edge)];
            let (near, far) = (edge.near(watch.hop.forward), edge.far(watch.hop.forward));
            for slot in self.living(near.entity) {
                let links = self.links(watch.hop, slot).iter();
                let count = links
                    .filter(|s| watch.member.contains(self.state_of(far.entity, **s)))
                    .count();
                let kept = *self.counters[ix].at(slot as usize);
                if kept as usize != count {
                    let who = self.entity_ref(near.entity, slot);
                    wrong.push(format!(
                        "the counter on {} of {who} is {kept}, not {count}",
                        near.path
                    ));
                }
            }
        }
        for (ix, immediate) in self.layout.immediates.iter().enumerate() {
            for slot in self.living(immediate.entity) {
                if self.enabled(ix as u16, slot) {
                    let name = &self.layout.schema.events[usize::from(immediate.event)].name;
                    wrong.push(format!(
                        "{name} is enabled on {} and did not fire",
                        self.entity_ref(immediate.entity, slot)
                    ));
                }
            }
        }
    }

    /// The bounds on numbers of links that an entity breaks, as text.
    fn bounds_broken(&self, entity: EntityIx, slot: u32) -> Vec<String> {
        let broken = self.layout.entities[usize::from(entity)].bounded.iter();
        broken
            .filter_map(|b| {
                self.bound_broken(b, slot).map(|n| {
                    let end = self.layout.edges[usize::from(b.hop.edge)].near(b.hop.forward);
                    format!(
                        "{} has {n} links at {}",
                        self.entity_ref(entity, slot),
                        end.path
                    )
                })
            })
            .collect()
    }

    /// How many links an entity has at a bounded end, if they are too few or too many.
    pub(crate) fn bound_broken(&self, bound: &Bounded, slot: u32) -> Option<usize> {
        let n = self.degree(bound.hop, slot);
        (n < bound.min as usize || bound.max.is_some_and(|max| n > max as usize)).then_some(n)
    }

    /// What is allowed at a bounded end, as text.
    pub(crate) fn bound_text(&self, bound: &Bounded) -> String {
        let end = self.layout.edges[usize::from(bound.hop.edge)].near(bound.hop.forward);
        match (end.cardinality, bound.max) {
            (Cardinality::One, _) => "exactly one is required".to_owned(),
            (_, None) => format!("at least {} is required", bound.min),
            (_, Some(max)) => format!("{} to {max} are allowed", bound.min),
        }
    }
}
