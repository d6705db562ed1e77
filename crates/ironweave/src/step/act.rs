//! The declared arcs of an event, executed from the schema.
//!
//! What most events are made of goes the short way of `straight.rs`; this is for all of them.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::db::Reader;
use crate::graph::Graph;
use crate::graph::Journal;
use crate::graph::storage::Storage;
use crate::schema::{Assign, ColumnIx, EntityIx, Hop, MetaField, Quantifier, Source};
use crate::step::bind::Names;
use crate::step::event::Gives;
use crate::step::plan::{
    Act, EventPlan, LinkKind, LinkPlan, MovePlan, PlacePlan, Reach, SetPlan, WhenPlan,
};
use crate::step::targets::{Slots, Targets, reach};

/// A firing event with what it acts on.
pub(super) struct Acting<'c, S: Storage, G> {
    pub graph: &'c mut Graph<S>,
    pub journal: &'c mut Journal,
    pub names: &'c mut Names,
    pub targets: &'c mut Targets,
    /// The time of the transaction, where the event writes it.
    pub now: Timestamp,
    pub meta: &'c Meta,
    pub def: &'c EventPlan,
    pub given: G,
}

impl<S: Storage, G: Gives> Acting<'_, S, G> {
    /// Executes the declared arcs.
    #[inline(never)]
    pub(super) fn act(mut self) -> Result<(), StepError> {
        let def = self.def;
        self.targets.clear();
        self.create()?;
        self.evaluate()?;
        for place in &def.places {
            self.check_place(place)?;
        }
        if def.may_meet {
            self.check_meetings()?;
        }
        if def.may_crowd {
            self.check_crowds()?;
        }
        if !def.guards.is_empty() {
            self.ask_guards()?;
        }
        for act in &def.acts {
            match act {
                Act::Link(arc) => self.change_links(arc)?,
                Act::Set(set) => self.set_each(set)?,
                Act::Move(arc) => self.move_each(arc)?,
                Act::Delete => self.delete()?,
            }
        }
        Ok(())
    }

    /// Rejects where one of the entities is in none of the states.
    fn check_place(&self, place: &PlacePlan) -> Result<(), StepError> {
        let stray = |slot: &u32| {
            !place
                .from
                .contains(self.graph.state_of(place.entity, *slot))
        };
        match self.slots(place.at).find(stray) {
            None => Ok(()),
            Some(slot) => Err(not_in_place(self.graph, self.def, place, slot)),
        }
    }

    pub(super) fn create(&mut self) -> Result<(), StepError> {
        for create in &self.def.creates {
            let slot = self
                .graph
                .create(self.journal, create.entity, create.state)?;
            for value in &create.values {
                self.write(value, slot)?;
            }
            for column in &create.defaults {
                self.graph.set_default(self.journal, *column, slot)?;
            }
            self.names.push_one(self.graph.id(create.entity, slot));
        }
        Ok(())
    }

    /// Checks conditions and walks the paths.
    fn evaluate(&mut self) -> Result<(), StepError> {
        let (graph, names, targets) = (&*self.graph, &*self.names, &mut *self.targets);
        for when in &self.def.whens {
            check_when(graph, self.def, when, names, &mut targets.slots)?;
        }
        for (name, column) in &self.def.copied {
            let value = copied(graph, names, *name, *column)?;
            targets.copied.push(value);
        }
        for walk in &self.def.walks {
            let start = targets.slots.len();
            reach(graph, names, &walk.path, &mut targets.slots);
            if let Some((entity, states)) = &walk.those {
                let mut kept = start;
                for i in start..targets.slots.len() {
                    let slot = targets.slots[i];
                    if states.contains(graph.state_of(*entity, slot)) {
                        targets.slots[kept] = slot;
                        kept += 1;
                    }
                }
                targets.slots.truncate(kept);
            }
            let end = targets.slots.len();
            targets.spans.push((start as u32, end as u32));
        }
        Ok(())
    }

    /// Rejects two moves of one entity, a move and a delete of it, and two sets of one field of it.
    fn check_meetings(&self) -> Result<(), StepError> {
        // A move is told from a set by having no column.
        let mut met = HashSet::new();
        for act in &self.def.acts {
            let (entity, twice) = match act {
                Act::Link(..) | Act::Delete => continue,
                Act::Set(set) => (
                    set.entity,
                    self.slots(set.at)
                        .find(|s| !met.insert((Some(set.value.column), set.entity, *s))),
                ),
                Act::Move(arc) => (
                    arc.entity,
                    self.slots(arc.at)
                        .find(|s| !met.insert((None, arc.entity, *s))),
                ),
            };
            if let Some(slot) = twice {
                return Err(self.two_arcs(entity, slot));
            }
        }
        for arc in &self.def.deletes {
            let moved = |slot: &u32| met.contains(&(None, arc.entity, *slot));
            if let Some(slot) = self.slots(arc.at).find(moved) {
                return Err(self.two_arcs(arc.entity, slot));
            }
        }
        Ok(())
    }

    fn two_arcs(&self, entity: EntityIx, slot: u32) -> StepError {
        StepError::TwoArcs {
            event: Arc::clone(&self.def.name),
            entity: self.graph.named(entity, slot),
            chain: Chain::default(),
        }
    }

    fn ask_guards(&self) -> Result<(), StepError> {
        let reader = Reader {
            graph: S::graph(self.graph),
            of: None,
        };
        for (ix, guard) in self.def.guards.iter().enumerate() {
            self.given.guard(ix as u16, &reader).map_err(|e| {
                let (event, guard) = (Arc::clone(&self.def.name), Arc::clone(guard));
                e.into_step(|reason| StepError::Guard {
                    event,
                    guard,
                    reason,
                    chain: Chain::default(),
                })
            })?;
        }
        Ok(())
    }

    /// The entities that an arc acts on.
    pub(super) fn slots(&self, reach: Reach) -> Slots<'_> {
        Slots::of(reach, self.names, self.targets)
    }

    /// One of the entities that an arc acts on; they stay the same while it acts.
    fn slot(&self, reach: Reach, i: usize) -> Option<u32> {
        self.slots(reach).get(i)
    }

    fn set_each(&mut self, set: &SetPlan) -> Result<(), StepError> {
        let mut i = 0;
        while let Some(slot) = self.slot(set.at, i) {
            self.write(&set.value, slot)?;
            i += 1;
        }
        Ok(())
    }

    fn move_each(&mut self, arc: &MovePlan) -> Result<(), StepError> {
        let mut i = 0;
        while let Some(slot) = self.slot(arc.at, i) {
            self.change_place(arc, slot)?;
            i += 1;
        }
        Ok(())
    }

    fn change_links(&mut self, arc: &LinkPlan) -> Result<(), StepError> {
        let mut a = 0;
        while let Some(near) = self.slot(arc.at, a) {
            a += 1;
            if arc.kind == LinkKind::Unlink {
                self.unlink_among(arc, near)?;
                continue;
            }
            let mut b = 0;
            while let Some(far) = self.slot(arc.with, b) {
                self.change_link(arc, near, far)?;
                b += 1;
            }
        }
        Ok(())
    }

    /// Deletes all at once, so that what stands in the way of one may go with another.
    fn delete(&mut self) -> Result<(), StepError> {
        let mut deleted = Vec::new();
        for arc in &self.def.deletes {
            deleted.extend(self.slots(arc.at).map(|slot| (arc.entity, slot)));
        }
        if deleted.is_empty() {
            return Ok(());
        }
        self.graph.delete(self.journal, &deleted)
    }

    #[inline(always)]
    pub(super) fn change_place(&mut self, arc: &MovePlan, slot: u32) -> Result<(), StepError> {
        self.graph.move_to(self.journal, arc.entity, slot, arc.to);
        for value in &arc.data {
            self.write(value, slot)?;
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn change_link(
        &mut self,
        arc: &LinkPlan,
        near: u32,
        far: u32,
    ) -> Result<(), StepError> {
        let (from, to) = ends(arc.hop, near, far);
        match arc.kind {
            LinkKind::Relink => self.graph.relink(self.journal, arc.hop.edge, from, to),
            LinkKind::Link => self.graph.link(self.journal, arc.hop.edge, from, to)?,
            LinkKind::Unlink | LinkKind::Keep => {}
        }
        match &arc.data {
            Some(data) => self.write_link(arc.hop, (from, to), data),
            None => Ok(()),
        }
    }

    fn unlink_among(&mut self, arc: &LinkPlan, near: u32) -> Result<(), StepError> {
        let gone: Vec<u32> = if arc.all {
            self.graph.links(arc.hop, near).to_vec()
        } else {
            (self.slots(arc.with))
                .filter(|b| self.graph.linked(arc.hop, near, *b))
                .collect()
        };
        for b in gone {
            let (from, to) = ends(arc.hop, near, b);
            self.graph.unlink(self.journal, arc.hop.edge, from, to)?;
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn write(&mut self, assign: &Assign, slot: u32) -> Result<(), StepError> {
        match value(&assign.source, &self.now, self.meta, &self.given) {
            Ok(value) => self.graph.set(self.journal, assign.column, slot, value),
            Err((name, column)) => self.write_copy(assign.column, slot, name, column),
        }
    }

    #[inline(never)]
    fn write_copy(
        &mut self,
        column: ColumnIx,
        slot: u32,
        name: u16,
        copied: ColumnIx,
    ) -> Result<(), StepError> {
        let bytes = self.copied(name, copied)?;
        self.graph.set_encoded(self.journal, column, slot, &bytes)
    }

    fn write_link(&mut self, hop: Hop, ends: (u32, u32), source: &Source) -> Result<(), StepError> {
        match value(source, &self.now, self.meta, &self.given) {
            Ok(value) => self.graph.set_link(self.journal, hop.edge, ends, value),
            Err((name, column)) => {
                let bytes = self.copied(name, column)?;
                self.graph
                    .set_link_encoded(self.journal, hop.edge, ends, &bytes)
            }
        }
    }

    /// A field of a bound entity as it was before the arcs acted, in CBOR.
    fn copied(&self, name: u16, column: ColumnIx) -> Result<Vec<u8>, StepError> {
        let known = self.def.copied.iter().position(|c| *c == (name, column));
        match known.and_then(|at| self.targets.copied.get(at)) {
            Some(bytes) => Ok(bytes.clone()),
            // A create, which comes before the others are evaluated.
            None => copied(self.graph, self.names, name, column),
        }
    }
}

/// Slots at the declaring and the inverse end.
#[inline(always)]
pub(super) fn ends(hop: Hop, near: u32, far: u32) -> (u32, u32) {
    if hop.forward {
        (near, far)
    } else {
        (far, near)
    }
}

/// A value that the event or the step gives; else the field of a bound entity that is meant.
#[inline(always)]
fn value<'v>(
    source: &Source,
    now: &'v Timestamp,
    meta: &'v Meta,
    given: &'v impl Gives,
) -> Result<&'v dyn Any, (u16, ColumnIx)> {
    match source {
        Source::Time => Ok(now),
        Source::Meta(MetaField::Actor) => Ok(&meta.actor),
        Source::Meta(MetaField::Correlation) => Ok(&meta.correlation),
        Source::Meta(MetaField::Causation) => Ok(&meta.causation),
        Source::Field(index) | Source::Literal { index, .. } => Ok(given.value(*index)),
        Source::Entity { name, column } => Err((*name, *column)),
    }
}

/// The value of a field of the entity that a name stands for, in CBOR.
fn copied<S: Storage>(
    graph: &Graph<S>,
    names: &Names,
    name: u16,
    column: ColumnIx,
) -> Result<Vec<u8>, StepError> {
    let slot = names.ids(name)[0].slot;
    let copied = graph.column(column).copied(slot);
    copied
        .map_err(Some)
        .and_then(|bytes| bytes.ok_or(None))
        .map_err(|reason| {
            let layout = &graph.layout.columns[usize::from(column)];
            let nothing = || format!("{} does not have it", graph.named(layout.entity, slot));
            StepError::Unwritable {
                what: Arc::clone(&layout.path),
                reason: reason.unwrap_or_else(nothing),
                chain: Chain::default(),
            }
        })
}

/// Rejects where a condition does not hold.
fn check_when<S: Storage>(
    graph: &Graph<S>,
    def: &EventPlan,
    when: &WhenPlan,
    names: &Names,
    slots: &mut Vec<u32>,
) -> Result<(), StepError> {
    let start = slots.len();
    reach(graph, names, &when.path, slots);
    let mut states = slots[start..]
        .iter()
        .map(|s| graph.state_of(when.entity, *s));
    let holds = match when.quantifier {
        Quantifier::All => states.all(|s| when.states.contains(s)),
        Quantifier::Any => states.any(|s| when.states.contains(s)),
        Quantifier::None => !states.any(|s| when.states.contains(s)),
    };
    slots.truncate(start);
    if holds {
        return Ok(());
    }
    Err(StepError::When {
        event: Arc::clone(&def.name),
        condition: Arc::clone(&when.text),
        chain: Chain::default(),
    })
}

#[cold]
pub(super) fn not_in_place<S: Storage>(
    graph: &Graph<S>,
    def: &EventPlan,
    place: &PlacePlan,
    slot: u32,
) -> StepError {
    let layout = &graph.layout.entities[usize::from(place.entity)];
    let found = graph.state_of(place.entity, slot);
    StepError::NotInPlace {
        event: Arc::clone(&def.name),
        entity: graph.named(place.entity, slot),
        expected: Arc::clone(&place.from_text),
        found: Arc::clone(&layout.states[usize::from(found)].name),
        chain: Chain::default(),
    }
}
