//! The check: all derived state is recomputed and compared with what is kept.

use std::collections::HashSet;

use crate::base::error::Inconsistency;
use crate::base::hash::{cell_term, link_data_term, state_term};
use crate::base::id::{FIRST_GENERATION, GENERATION_MAX};
use crate::graph::edge::NONE;
use crate::graph::layout::Bounded;
use crate::graph::storage::{Storage, Table};
use crate::graph::{Graph, Journal};
use crate::schema::{Cardinality, EdgeIx, EntityIx, Hop, StateIx};

const PRESENT: &str = "an entry";
const MISSING: &str = "no entry";
/// What a value is expected to be that was hashed, written or indexed.
const SOUND: &str = "a value as it was written";

fn presence(present: bool) -> &'static str {
    if present { PRESENT } else { MISSING }
}

impl<S: Storage> Graph<S> {
    /// Recomputes the sets of states, columns, keys, both directions of every edge, counters, bounds and the fingerprint,
    /// and returns every difference; empty if the graph is consistent. O(size of the graph).
    pub(crate) fn differences(&self, journal: &Journal) -> Vec<Inconsistency> {
        let (fingerprint, mut wrong) = self.recomputed();
        let kept = self.fingerprint_with(journal);
        if self.fingerprinting && fingerprint != kept {
            wrong.push(Inconsistency::new(
                None,
                "the fingerprint",
                format_args!("{fingerprint:032x}"),
                format_args!("{kept:032x}"),
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

    /// Computes the fingerprint; O(size of the graph). A value that is encoded differently than it was written, because its type has
    /// changed inside, counts as it was written.
    pub(crate) fn recomputed_fingerprint(&self) -> u128 {
        self.recomputed().0
    }

    fn recomputed(&self) -> (u128, Vec<Inconsistency>) {
        let mut wrong = Vec::new();
        let mut fingerprint = 0u128;
        for entity in EntityIx::all(self.entities.len()) {
            self.check_states(entity, &mut fingerprint, &mut wrong);
            self.check_columns(entity, &mut fingerprint, &mut wrong);
            for slot in self.living(entity) {
                wrong.extend(self.bounds_broken(entity, slot));
            }
        }
        for edge in EdgeIx::all(self.edges.len()) {
            self.check_edge(edge, &mut fingerprint, &mut wrong);
        }
        self.check_counters(&mut wrong);
        self.check_indexes(&mut wrong);
        (fingerprint, wrong)
    }

    fn check_states(
        &self,
        entity: EntityIx,
        fingerprint: &mut u128,
        wrong: &mut Vec<Inconsistency>,
    ) {
        let layout = &self.layout.entities[usize::from(entity)];
        let mut counts = vec![0; layout.states.len()];
        for slot in 0..self.slots(entity) {
            let state = self.state_of(entity, slot);
            if let Some(layout) = layout.states.get(usize::from(state)) {
                counts[usize::from(state)] += 1;
                *fingerprint =
                    fingerprint.wrapping_add(state_term(layout.salt, self.id(entity, slot)));
            }
            for ix in StateIx::all(layout.states.len()) {
                if self.in_state(entity, ix).contains(slot) != (ix == state) {
                    let name = &layout.states[usize::from(ix)].name;
                    wrong.push(Inconsistency::new(
                        Some(self.entity_ref(entity, slot)),
                        format!("the set of state {name}"),
                        presence(ix == state),
                        presence(ix != state),
                    ));
                }
            }
        }
        self.check_slots(entity, wrong);
        for (state, count) in StateIx::all(counts.len()).zip(counts) {
            let (ix, kept) = (state.index(), self.count(entity, state));
            if kept != count {
                let what = format!(
                    "the number of {} in {}",
                    layout.name, layout.states[ix].name
                );
                wrong.push(Inconsistency::new(None, what, count, kept));
            }
        }
    }

    /// Checks the list of free slots, the number of entities, and the index of a key of several fields.
    fn check_slots(&self, entity: EntityIx, wrong: &mut Vec<Inconsistency>) {
        let table = &self.entities[usize::from(entity)];
        let name = &self.layout.entities[usize::from(entity)].name;
        let living = self.living(entity).count();
        if living != self.alive(entity) {
            let what = format!("the number of {name}");
            wrong.push(Inconsistency::new(None, what, living, self.alive(entity)));
        }
        let is_first = |slot: u32| {
            let first = *table.words.at(slot as usize) >> 8 == FIRST_GENERATION;
            first && self.is_alive(entity, slot)
        };
        if !table.any_deleted
            && let Some(slot) = (0..self.slots(entity)).find(|slot| !is_first(*slot))
        {
            let what = format!("whether a {name} was deleted");
            wrong.push(Inconsistency::new(
                None,
                what,
                "yes",
                format!("no, beside slot {slot}"),
            ));
        }
        let free: HashSet<u32> = (0..table.free.len()).map(|i| *table.free.at(i)).collect();
        for slot in 0..self.slots(entity) {
            let id = self.id(entity, slot);
            let expected = !self.is_alive(entity, slot) && id.generation < GENERATION_MAX;
            if free.contains(&slot) != expected {
                let what = format!("slot {slot} of {name} in the list of free slots");
                wrong.push(Inconsistency::new(
                    None,
                    what,
                    presence(expected),
                    presence(!expected),
                ));
            }
        }
        if self.layout.entities[usize::from(entity)].key.len() > 1 {
            for slot in self.living(entity) {
                let hash = self.key_hash(entity, slot);
                if !hash.is_some_and(|hash| table.key.has(hash, slot)) {
                    wrong.push(Inconsistency::new(
                        Some(self.entity_ref(entity, slot)),
                        "its key in the index",
                        PRESENT,
                        MISSING,
                    ));
                }
            }
            if table.key.len() != living {
                let what = format!("the number of indexed keys of {name}");
                wrong.push(Inconsistency::new(None, what, living, table.key.len()));
            }
        }
    }

    fn check_columns(
        &self,
        entity: EntityIx,
        fingerprint: &mut u128,
        wrong: &mut Vec<Inconsistency>,
    ) {
        for &column in &self.layout.entities[usize::from(entity)].columns {
            let layout = &self.layout.columns[usize::from(column)];
            let state = self.layout.schema[column].state;
            let mut filled = 0;
            let mandatory = self.column(column).is_mandatory();
            let unset = self.mandatory[usize::from(entity)]
                .iter()
                .find(|m| m.0 == layout.salt);
            let unset = unset.map(|m| m.1).filter(|_| mandatory);
            for slot in 0..self.slots(entity) {
                let expected = match state {
                    Some(state) => state == self.state_of(entity, slot),
                    None => self.is_alive(entity, slot),
                };
                let who = || Some(self.entity_ref(entity, slot));
                let cell = self.column(column).recheck(slot);
                let cell = match cell {
                    // The slot has no entity, so its cell must have the default.
                    Ok(Some(hash)) if !expected && unset == Some(hash) => Ok(None),
                    cell => cell,
                };
                let cell = cell.unwrap_or_else(|e| {
                    wrong.push(Inconsistency::new(who(), &*layout.path, SOUND, e));
                    self.column(column).hash(slot)
                });
                match cell {
                    hash if hash.is_some() != expected => {
                        wrong.push(Inconsistency::new(
                            who(),
                            &*layout.path,
                            presence(expected),
                            presence(!expected),
                        ));
                    }
                    Some(hash) => {
                        filled += 1;
                        *fingerprint = fingerprint.wrapping_add(cell_term(
                            layout.salt,
                            self.id(entity, slot),
                            hash,
                        ));
                    }
                    None => {}
                }
            }
            if let Some(indexed) = self.column(column).indexed().filter(|n| *n != filled) {
                let what = format!("the number of indexed keys of {}", layout.path);
                wrong.push(Inconsistency::new(None, what, filled, indexed));
            }
        }
    }

    fn check_edge(&self, edge: EdgeIx, fingerprint: &mut u128, wrong: &mut Vec<Inconsistency>) {
        let layout = &self.layout.edges[usize::from(edge)];
        let [forward, backward] = [true, false].map(|forward| Hop { edge, forward });
        let mut there = HashSet::new();
        for from in 0..self.slots(layout.from.entity) {
            for (position, &to) in self.links(forward, from).iter().enumerate() {
                let exists = to != NONE
                    && to < self.slots(layout.to.entity)
                    && self.is_alive(layout.to.entity, to)
                    && self.is_alive(layout.from.entity, from);
                if !exists || !there.insert((from, to)) {
                    let what = format!("the link {from} -> {to} of {}", layout.from.path);
                    let found = "a second one, or an end that does not exist";
                    wrong.push(Inconsistency::new(None, what, "one link", found));
                    continue;
                }
                *fingerprint = fingerprint.wrapping_add(self.link_term(layout, from, to));
                self.check_link_data(edge, (from, to), fingerprint, wrong);
                let noted = self.edges[usize::from(edge)].noted(from, to);
                let at = noted.is_some_and(|n| {
                    n.from as usize == position
                        && self.links(backward, to).get(n.to as usize) == Some(&from)
                });
                if !at || !self.linked(forward, from, to) {
                    let what = format!("the link {from} -> {to} of {}", layout.from.path);
                    let (expected, found) = ("its positions in both lists", "others");
                    wrong.push(Inconsistency::new(None, what, expected, found));
                }
            }
        }
        let mut back = 0;
        for to in 0..self.slots(layout.to.entity) {
            for &from in self.links(backward, to) {
                back += 1;
                if !there.contains(&(from, to)) {
                    let what = format!("the link {to} -> {from} of {}", layout.to.path);
                    wrong.push(Inconsistency::new(
                        None,
                        what,
                        "the link at the other end",
                        MISSING,
                    ));
                }
            }
        }
        if back != there.len()
            || self.edges[usize::from(edge)]
                .pairs()
                .is_some_and(|n| n != back)
        {
            let what = format!("the number of links of {}", layout.from.path);
            let found = format_args!("{back} from the other end");
            wrong.push(Inconsistency::new(None, what, there.len(), found));
        }
        let rows = self.edges[usize::from(edge)]
            .data
            .as_ref()
            .and_then(|d| d.pairs());
        if let Some(rows) = rows.filter(|rows| *rows != back) {
            let what = format!("the number of rows of data of {}", layout.from.path);
            wrong.push(Inconsistency::new(None, what, back, rows));
        }
        if !self.is_sorted(edge) {
            let what = format!("the order of the entities of {}", layout.from.path);
            let (expected, found) = ("that each link leads forward", "one that does not");
            wrong.push(Inconsistency::new(None, what, expected, found));
        }
        if layout.acyclic
            && let Some(slot) = self.any_cycle(edge, self.slots(layout.from.entity))
        {
            let who = self.entity_ref(layout.from.entity, slot);
            let found = "a cycle through the entity";
            wrong.push(Inconsistency::new(
                Some(who),
                &*layout.from.path,
                "no cycle",
                found,
            ));
        }
    }

    fn check_link_data(
        &self,
        edge: EdgeIx,
        (from, to): (u32, u32),
        fingerprint: &mut u128,
        wrong: &mut Vec<Inconsistency>,
    ) {
        let Some((column, row)) = self.link_row(edge, from, to) else {
            return;
        };
        let layout = &self.layout.edges[usize::from(edge)];
        let (a, b) = self.end_ids(layout, from, to);
        let checked = column.recheck(row);
        if let Some(hash) = column.hash(row) {
            *fingerprint = fingerprint.wrapping_add(link_data_term(layout.salt, a, b, hash));
        }
        let found = match checked {
            Ok(Some(_)) => return,
            Ok(None) => MISSING.to_owned(),
            Err(e) => e,
        };
        let what = format!("the data of the link {a} -> {b} of {}", layout.from.path);
        wrong.push(Inconsistency::new(None, what, SOUND, found));
    }

    fn check_counters(&self, wrong: &mut Vec<Inconsistency>) {
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
                    let what = format!("the counter on {}", near.path);
                    wrong.push(Inconsistency::new(Some(who), what, count, kept));
                }
            }
        }
        for (ix, immediate) in self.layout.immediates.iter().enumerate() {
            for slot in self.living(immediate.entity) {
                let found = match self.enabled(ix as u16, slot) {
                    Ok(false) => continue,
                    Ok(true) => "that it is still enabled",
                    Err(_) => "that a calculation in a condition of it overflows",
                };
                let name = &self.layout.schema[immediate.event].name;
                wrong.push(Inconsistency::new(
                    Some(self.entity_ref(immediate.entity, slot)),
                    format!("the immediate event {name}"),
                    "that it has fired",
                    found,
                ));
            }
        }
    }

    /// The bounds on numbers of links that an entity breaks, as text.
    fn bounds_broken(&self, entity: EntityIx, slot: u32) -> Vec<Inconsistency> {
        let broken = self.layout.entities[usize::from(entity)].bounded.iter();
        broken
            .filter_map(|b| {
                self.bound_broken(b, slot).map(|n| {
                    let end = self.layout.edges[usize::from(b.hop.edge)].near(b.hop.forward);
                    Inconsistency::new(
                        Some(self.entity_ref(entity, slot)),
                        format!("the number of links at {}", end.path),
                        self.bound_text(b),
                        n,
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
