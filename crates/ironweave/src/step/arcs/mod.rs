//! The interpreter of arcs: what an event declares is checked and executed from its plan.
//!
//! [`Arcs::run`] executes any event, and is compiled once for each storage. On a store, the arcs of nearly every event are
//! compiled for its type instead (`compiled.rs`), and come here only if one of their checks fails.

mod choose;
pub(crate) mod compiled;
mod conditions;
mod conflicts;
mod targets;
mod values;

use std::sync::Arc;

pub(super) use conflicts::may_compete;
pub(super) use targets::Targets;
pub(super) use values::overflows;

use crate::base::error::{Chain, Reject, StepError};
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::db::Reader;
use crate::graph::any::either;
use crate::graph::choice::waiting::Chosen;
use crate::graph::layout::ends;
use crate::graph::storage::Storage;
use crate::graph::{Graph, GraphMut, Journal};
use crate::schema::{Assign, ColumnIx, FunctionIx, Hop, NameIx, Source};
use crate::step::Core;
use crate::step::arcs::targets::{Slots, reach};
use crate::step::arcs::values::{Elsewhere, Given, copied, direct};
use crate::step::bindings::Bindings;
use crate::step::clock::TransactionTime;
use crate::step::event::{DynEvent, EventValues};
use crate::step::guarded::GuardContext;
use crate::step::open::OpenTransaction;
use crate::step::plan::{
    Effect, EventPlan, LinkKind, LinkPlan, MovePlan, Reach, SetPlan, SourceStates,
};
use crate::value::calculate::CalculatedValue;

/// The declared arcs of a firing event, with the graph that they change and the values `V` that they write.
pub(super) struct Arcs<'c, S: Storage, V> {
    graph: &'c mut Graph<S>,
    journal: &'c mut Journal,
    bindings: &'c mut Bindings,
    targets: &'c mut Targets,
    /// The time of the transaction, if the event writes it.
    now: Timestamp,
    clock: &'c TransactionTime,
    meta: &'c Meta,
    def: &'c EventPlan,
    values: V,
}

impl<S: Storage> Core<S> {
    /// The declared arcs of an event that has been bound.
    pub(super) fn arcs<'c, V: EventValues>(
        &'c mut self,
        def: &'c EventPlan,
        values: V,
    ) -> Arcs<'c, S, V> {
        let bound = (&mut self.bindings, &mut self.targets);
        Arcs::new(&mut self.graph, &mut self.open, bound, def, values)
    }

    /// Checks and executes the declared arcs of any event of the program.
    #[inline(never)]
    pub(super) fn run_arcs(
        &mut self,
        def: &EventPlan,
        event: &dyn DynEvent,
    ) -> Result<(), StepError> {
        let graph = S::graph_mut(&mut self.graph);
        let bound = (&mut self.bindings, &mut self.targets);
        run_in_either(graph, &mut self.open, bound, def, event)
    }
}

/// Runs the interpreter without the types of the storage and the event, so that it is compiled in this crate and not in each
/// crate that fires events.
fn run_in_either(
    graph: GraphMut<'_>,
    open: &mut OpenTransaction,
    bound: (&mut Bindings, &mut Targets),
    def: &EventPlan,
    event: &dyn DynEvent,
) -> Result<(), StepError> {
    either!(graph, graph => Arcs::new(graph, open, bound, def, event).run())
}

impl<'c, S: Storage, V: EventValues> Arcs<'c, S, V> {
    fn new(
        graph: &'c mut Graph<S>,
        open: &'c mut OpenTransaction,
        (bindings, targets): (&'c mut Bindings, &'c mut Targets),
        def: &'c EventPlan,
        values: V,
    ) -> Self {
        Self {
            graph,
            journal: &mut open.journal,
            bindings,
            targets,
            now: if def.timed {
                open.clock.now()
            } else {
                Timestamp::default()
            },
            clock: &open.clock,
            meta: &open.meta,
            def,
            values,
        }
    }

    /// Checks and executes the declared arcs of any event.
    #[inline(never)]
    pub(super) fn run(self) -> Result<(), StepError> {
        self.run_with(|arcs| match arcs.def.chooses.is_empty() {
            true => Ok(()),
            false => arcs.choose(),
        })
    }

    /// As [`Arcs::run`], of an immediate event that was found to be enabled, with what it chooses then.
    #[inline(never)]
    pub(super) fn run_chosen(self, chosen: &Chosen) -> Result<(), StepError> {
        self.run_with(|arcs| arcs.bind_chosen(chosen))
    }

    #[inline(always)]
    fn run_with(
        mut self,
        choose: impl FnOnce(&mut Self) -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let def = self.def;
        self.targets.clear();
        self.create()?;
        choose(&mut self)?;
        self.evaluate()?;
        for required in &def.source_states {
            self.check_source_states(required)?;
        }
        if def.may_meet {
            self.check_meetings()?;
        }
        if def.may_compete {
            self.check_competing()?;
        }
        if !def.guards.is_empty() {
            self.ask_guards()?;
        }
        for effect in &def.effects {
            match effect {
                Effect::Link(arc) => self.change_links(arc)?,
                Effect::Set(set) => self.set_each(set)?,
                Effect::Move(arc) => self.move_each(arc)?,
                Effect::Delete => self.delete()?,
            }
        }
        Ok(())
    }

    /// The error for an entity that is in none of the states that the event requires, of an event without paths.
    pub(super) fn misplaced(self) -> Option<StepError> {
        let mut required = self.def.source_states.iter();
        required.find_map(|required| self.check_source_states(required).err())
    }

    /// An error if one of the entities is in none of the states.
    fn check_source_states(&self, required: &SourceStates) -> Result<(), StepError> {
        let elsewhere = |slot: &u32| {
            let state = self.graph.state_of(required.entity, *slot);
            !required.states.contains(state)
        };
        match self.slots(required.at).find(elsewhere) {
            None => Ok(()),
            Some(slot) => Err(not_in_place(self.graph, self.def, required, slot)),
        }
    }

    /// Creates what the event creates, before anything is evaluated.
    fn create(&mut self) -> Result<(), StepError> {
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
            self.bindings.push_one(self.graph.id(create.entity, slot));
        }
        Ok(())
    }

    /// Checks conditions and walks the paths.
    fn evaluate(&mut self) -> Result<(), StepError> {
        let (graph, bindings, targets) = (&*self.graph, &*self.bindings, &mut *self.targets);
        let given = Given {
            graph,
            bindings,
            now: &self.now,
            meta: self.meta,
            values: &self.values,
        };
        for condition in &self.def.conditions {
            given.check(self.def, condition, &mut targets.slots)?;
        }
        for (name, column) in &self.def.copied {
            let value = copied(graph, bindings, *name, *column)?;
            targets.copied.push(value);
        }
        for calculated in self.def.calculated.iter().filter(|c| c.is_before) {
            let value = given.calculated(self.def, calculated)?;
            targets.calculated.push((calculated.function, value));
        }
        for walk in &self.def.walks {
            let start = targets.slots.len();
            reach(graph, bindings, &walk.path, &mut targets.slots);
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

    fn ask_guards(&self) -> Result<(), StepError> {
        let context = GuardContext {
            reader: Reader {
                graph: S::graph(self.graph),
                of: None,
            },
            names: self.bindings.names(),
            clock: self.clock,
            meta: self.meta,
        };
        ask_guards(self.def, |guard| self.values.guard(guard, &context))
    }

    /// The entities that an arc acts on.
    fn slots(&self, reach: Reach) -> Slots<'_> {
        Slots::of(reach, self.bindings, self.targets)
    }

    /// One of the entities that an arc acts on. They stay the same while it acts.
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
            self.change_state(arc, slot)?;
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

    /// Deletes all at once: an entity whose `restrict` refuses one deletion may be deleted with it.
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

    fn change_state(&mut self, arc: &MovePlan, slot: u32) -> Result<(), StepError> {
        self.graph.move_to(self.journal, arc.entity, slot, arc.to);
        for value in &arc.data {
            self.write(value, slot)?;
        }
        Ok(())
    }

    fn change_link(&mut self, arc: &LinkPlan, near: u32, far: u32) -> Result<(), StepError> {
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

    fn write(&mut self, assign: &Assign, slot: u32) -> Result<(), StepError> {
        let column = assign.column;
        if matches!(assign.source, Source::Time) {
            return (self.graph).set_typed(self.journal, column, slot, &self.now);
        }
        match direct(&assign.source, &self.now, self.meta, &self.values) {
            Ok(value) => self.graph.set(self.journal, column, slot, value),
            Err(Elsewhere::Copied(name, copied)) => self.write_copy(column, slot, name, copied),
            Err(Elsewhere::Calculated(function)) => {
                let value = self.calculated(function)?;
                let written = self.graph.set(self.journal, column, slot, &*value);
                self.targets.calculated.push((function, value));
                written
            }
        }
    }

    fn write_copy(
        &mut self,
        column: ColumnIx,
        slot: u32,
        name: NameIx,
        copied: ColumnIx,
    ) -> Result<(), StepError> {
        let bytes = self.copied(name, copied)?;
        self.graph.set_encoded(self.journal, column, slot, &bytes)
    }

    fn write_link(&mut self, hop: Hop, ends: (u32, u32), source: &Source) -> Result<(), StepError> {
        match direct(source, &self.now, self.meta, &self.values) {
            Ok(value) => self.graph.set_link(self.journal, hop.edge, ends, value),
            Err(Elsewhere::Copied(name, column)) => {
                let bytes = self.copied(name, column)?;
                self.graph
                    .set_link_encoded(self.journal, hop.edge, ends, &bytes)
            }
            Err(Elsewhere::Calculated(function)) => {
                let value = self.calculated(function)?;
                let written = self.graph.set_link(self.journal, hop.edge, ends, &*value);
                self.targets.calculated.push((function, value));
                written
            }
        }
    }

    /// Takes out the value that a function calculated before the arcs acted, or calculates it, for a `create`.
    fn calculated(&mut self, function: FunctionIx) -> Result<CalculatedValue, StepError> {
        let mut known = self.targets.calculated.iter();
        if let Some(at) = known.position(|(by, _)| *by == function) {
            return Ok(self.targets.calculated.swap_remove(at).1);
        }
        let mut planned = self.def.calculated.iter();
        match planned.find(|planned| planned.function == function) {
            Some(planned) => self.given().calculated(self.def, planned),
            None => unreachable!("the plan has each value that an arc calculates"),
        }
    }

    fn given(&self) -> Given<'_, S, V> {
        Given {
            graph: self.graph,
            bindings: self.bindings,
            now: &self.now,
            meta: self.meta,
            values: &self.values,
        }
    }

    /// A field of a bound entity as it was before the arcs acted, in CBOR.
    fn copied(&self, name: NameIx, column: ColumnIx) -> Result<Vec<u8>, StepError> {
        let known = self.def.copied.iter().position(|c| *c == (name, column));
        match known.and_then(|at| self.targets.copied.get(at)) {
            Some(bytes) => Ok(bytes.clone()),
            // In a create, which runs before the others are evaluated.
            None => copied(self.graph, self.bindings, name, column),
        }
    }
}

/// Calls the guards of an event, in order, by their numbers.
fn ask_guards(def: &EventPlan, ask: impl Fn(u16) -> Result<(), Reject>) -> Result<(), StepError> {
    for (ix, guard) in def.guards.iter().enumerate() {
        ask(ix as u16).map_err(|e| {
            let (event, guard) = (Arc::clone(&def.name), Arc::clone(guard));
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

/// The error for an entity that is in none of the states that an arc requires.
#[cold]
fn not_in_place<S: Storage>(
    graph: &Graph<S>,
    def: &EventPlan,
    required: &SourceStates,
    slot: u32,
) -> StepError {
    let layout = &graph.layout.entities[usize::from(required.entity)];
    let found = graph.state_of(required.entity, slot);
    StepError::NotInPlace {
        event: Arc::clone(&def.name),
        entity: graph.named(required.entity, slot),
        expected: Arc::clone(&required.text),
        found: Arc::clone(&layout.states[usize::from(found)].name),
        chain: Chain::default(),
    }
}
