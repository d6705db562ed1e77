//! The declared arcs of an event, executed from the schema.

use std::any::Any;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use crate::db::Reader;
use crate::error::StepError;
use crate::graph::Graph;
use crate::graph::layout::StateSet;
use crate::graph::storage::Flat;
use crate::schema::{Assign, ColumnIx, EntityIx, Hop, Path, Quantifier, Scope, Source};
use crate::step::Core;
use crate::step::bind::Names;
use crate::step::event::Given;
use crate::step::plan::{EventPlan, LinkPlan, WhenPlan};

/// What the arcs of the firing event reach, evaluated before any of them acts: one span of slots each.
#[derive(Default)]
pub(super) struct Targets {
    slots: Vec<u32>,
    ends: Vec<u32>,
    next: usize,
    /// The values of [`EventPlan::copied`], in CBOR.
    copied: Vec<Vec<u8>>,
}

impl Targets {
    fn clear(&mut self) {
        self.slots.clear();
        self.ends.clear();
        self.next = 0;
        self.copied.clear();
    }

    fn end_span(&mut self) {
        self.ends.push(self.slots.len() as u32);
    }

    fn span(&self, index: usize) -> Range<usize> {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        start as usize..self.ends[index] as usize
    }

    /// The next span, in the order in which they were written.
    fn take(&mut self) -> Range<usize> {
        self.next += 1;
        self.span(self.next - 1)
    }
}

/// A firing event, for those that write its values.
#[derive(Clone, Copy)]
struct Firing<'e> {
    def: &'e EventPlan,
    given: Given<'e>,
}

impl Core {
    /// Executes the declared arcs.
    pub(super) fn act(
        &mut self,
        def: &EventPlan,
        given: Given<'_>,
        names: &mut Names,
    ) -> Result<(), StepError> {
        let firing = Firing { def, given };
        let mut targets = std::mem::take(&mut self.targets);
        targets.clear();
        let acted = self
            .create(firing, names, &targets)
            .and_then(|()| self.evaluate(def, names, &mut targets))
            .and_then(|()| self.ask_guards(firing))
            .and_then(|()| self.effect(firing, names, &mut targets));
        self.targets = targets;
        acted
    }

    fn create(
        &mut self,
        firing: Firing<'_>,
        names: &mut Names,
        targets: &Targets,
    ) -> Result<(), StepError> {
        for create in &firing.def.creates {
            let slot = self.graph.create(create.entity, create.state)?;
            for value in &create.values {
                self.write(value, slot, firing, names, targets)?;
            }
            for column in &create.defaults {
                self.graph.set_default(*column, slot)?;
            }
            names.push(self.graph.id(create.entity, slot));
            names.end_name();
        }
        Ok(())
    }

    /// Checks source states and conditions, and lists what each arc will act on, in order of execution.
    fn evaluate(
        &mut self,
        def: &EventPlan,
        names: &Names,
        targets: &mut Targets,
    ) -> Result<(), StepError> {
        let graph = &self.graph;
        for when in &def.whens {
            check_when(graph, def, when, names, &mut targets.slots)?;
        }
        for (name, column) in &def.copied {
            let value = copied(graph, names, *name, *column)?;
            targets.copied.push(value);
        }
        for link in def.link_arcs() {
            reach(graph, names, &link.path, &mut targets.slots);
            targets.end_span();
            reach(graph, names, &link.with, &mut targets.slots);
            targets.end_span();
        }
        for set in &def.sets {
            let start = targets.slots.len();
            reach(graph, names, &set.path, &mut targets.slots);
            if let Some(state) = set.state {
                let from = StateSet::of(&[state]);
                let expected = &graph.layout.entities[usize::from(set.entity)].states;
                let expected = &expected[usize::from(state)].name;
                check_places(
                    def,
                    graph,
                    set.entity,
                    (&from, expected),
                    &targets.slots[start..],
                )?;
            }
            targets.end_span();
        }
        for arc in &def.moves {
            let start = targets.slots.len();
            reach(graph, names, &arc.path, &mut targets.slots);
            match arc.scope {
                Scope::Those => {
                    let mut kept = start;
                    for i in start..targets.slots.len() {
                        let slot = targets.slots[i];
                        if arc.from.contains(graph.state_of(arc.entity, slot)) {
                            targets.slots[kept] = slot;
                            kept += 1;
                        }
                    }
                    targets.slots.truncate(kept);
                }
                Scope::Each => {
                    let place = (&arc.from, &arc.from_text);
                    check_places(def, graph, arc.entity, place, &targets.slots[start..])?;
                }
            }
            targets.end_span();
        }
        for delete in &def.deletes {
            reach(graph, names, &delete.path, &mut targets.slots);
            targets.end_span();
        }
        if def.may_meet {
            self.check_meetings(def, targets)
        } else {
            Ok(())
        }
    }

    /// Rejects two moves of one entity, a move and a delete of it, and two sets of one field of it.
    fn check_meetings(&self, def: &EventPlan, targets: &Targets) -> Result<(), StepError> {
        let links = 2 * def.link_arcs().count();
        // A move is told from a set by having no column.
        let arcs = (def.sets.iter().map(|s| (Some(s.value.column), s.entity)))
            .chain(def.moves.iter().map(|m| (None, m.entity)));
        let rejected = |entity, slot| {
            Err(StepError::TwoArcs {
                event: Arc::clone(&def.name),
                entity: self.graph.entity_ref(entity, slot),
            })
        };
        let mut met = HashSet::new();
        for (i, (column, entity)) in arcs.enumerate() {
            for slot in &targets.slots[targets.span(links + i)] {
                if !met.insert((column, entity, *slot)) {
                    return rejected(entity, *slot);
                }
            }
        }
        let first = links + def.sets.len() + def.moves.len();
        for (i, delete) in def.deletes.iter().enumerate() {
            let entity = delete.entity;
            let slots = &targets.slots[targets.span(first + i)];
            if let Some(slot) = slots.iter().find(|s| met.contains(&(None, entity, **s))) {
                return rejected(entity, *slot);
            }
        }
        Ok(())
    }

    fn ask_guards(&self, firing: Firing<'_>) -> Result<(), StepError> {
        let Given::Event(event) = firing.given else {
            return Ok(());
        };
        for (ix, guard) in firing.def.guards.iter().enumerate() {
            event
                .guard(ix as u16, &Reader { graph: &self.graph })
                .map_err(|e| {
                    let (event, guard) = (Arc::clone(&firing.def.name), Arc::clone(guard));
                    e.into_step(|reason| StepError::Guard {
                        event,
                        guard,
                        reason,
                    })
                })?;
        }
        Ok(())
    }

    fn effect(
        &mut self,
        firing: Firing<'_>,
        names: &Names,
        targets: &mut Targets,
    ) -> Result<(), StepError> {
        let def = firing.def;
        for arc in &def.unlinks {
            let (near, far) = (targets.take(), targets.take());
            for &slot in &targets.slots[near] {
                self.unlink_among(arc, slot, &targets.slots[far.clone()])?;
            }
        }
        let linking = (def.relinks.iter().map(|arc| (arc, Linking::Relink)))
            .chain(def.links.iter().map(|arc| (arc, Linking::Link)))
            .chain(def.set_links.iter().map(|arc| (arc, Linking::Stay)));
        for (arc, linking) in linking {
            let (near, far) = (targets.take(), targets.take());
            for a in near {
                for b in far.clone() {
                    let ends = ends(arc.hop, targets.slots[a], targets.slots[b]);
                    match linking {
                        Linking::Relink => self.graph.relink(arc.hop.edge, ends.0, ends.1)?,
                        Linking::Link => self.graph.link(arc.hop.edge, ends.0, ends.1)?,
                        Linking::Stay => {}
                    }
                    if let Some(data) = &arc.data {
                        self.write_link(arc.hop, ends, data, firing, names, targets)?;
                    }
                }
            }
        }
        for arc in &def.sets {
            for i in targets.take() {
                self.write(&arc.value, targets.slots[i], firing, names, targets)?;
            }
        }
        for arc in &def.moves {
            for i in targets.take() {
                let slot = targets.slots[i];
                self.graph.move_to(arc.entity, slot, arc.to);
                for value in &arc.data {
                    self.write(value, slot, firing, names, targets)?;
                }
            }
        }
        if def.deletes.is_empty() {
            return Ok(());
        }
        // All at once, so that what stands in the way of one may go with another.
        let mut all = Vec::new();
        for arc in &def.deletes {
            let span = targets.take();
            all.extend(targets.slots[span].iter().map(|slot| (arc.entity, *slot)));
        }
        self.graph.delete(&all)
    }

    fn unlink_among(&mut self, arc: &LinkPlan, near: u32, far: &[u32]) -> Result<(), StepError> {
        let linked = |graph: &Graph<Flat>, b: u32| graph.linked(arc.hop, near, b);
        let gone: Vec<u32> = if arc.all {
            self.graph.links(arc.hop, near).to_vec()
        } else {
            far.iter()
                .copied()
                .filter(|b| linked(&self.graph, *b))
                .collect()
        };
        for b in gone {
            let (from, to) = ends(arc.hop, near, b);
            self.graph.unlink(arc.hop.edge, from, to)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        assign: &Assign,
        slot: u32,
        firing: Firing<'_>,
        names: &Names,
        targets: &Targets,
    ) -> Result<(), StepError> {
        let now = self.now;
        match value(&assign.source, &now, firing.given) {
            Ok(value) => self.graph.set(assign.column, slot, value),
            Err((name, column)) => {
                let bytes = self.copied(firing.def, name, column, names, targets)?;
                self.graph.set_encoded(assign.column, slot, &bytes)
            }
        }
    }

    fn write_link(
        &mut self,
        hop: Hop,
        ends: (u32, u32),
        source: &Source,
        firing: Firing<'_>,
        names: &Names,
        targets: &Targets,
    ) -> Result<(), StepError> {
        let now = self.now;
        match value(source, &now, firing.given) {
            Ok(value) => self.graph.set_link(hop.edge, ends, value),
            Err((name, column)) => {
                let bytes = self.copied(firing.def, name, column, names, targets)?;
                self.graph.set_link_encoded(hop.edge, ends, &bytes)
            }
        }
    }

    /// A field of a bound entity as it was before the arcs acted, in CBOR.
    fn copied(
        &self,
        def: &EventPlan,
        name: u16,
        column: ColumnIx,
        names: &Names,
        targets: &Targets,
    ) -> Result<Vec<u8>, StepError> {
        let known = def.copied.iter().position(|c| *c == (name, column));
        match known.and_then(|at| targets.copied.get(at)) {
            Some(bytes) => Ok(bytes.clone()),
            // A create, which comes before the others are evaluated.
            None => copied(&self.graph, names, name, column),
        }
    }
}

#[derive(Clone, Copy)]
enum Linking {
    Relink,
    Link,
    /// They are linked already.
    Stay,
}

/// Slots at the declaring and the inverse end.
fn ends(hop: Hop, near: u32, far: u32) -> (u32, u32) {
    if hop.forward {
        (near, far)
    } else {
        (far, near)
    }
}

/// A value that the event or the step gives; else the field of a bound entity that is meant.
fn value<'v>(
    source: &Source,
    now: &'v crate::Timestamp,
    given: Given<'v>,
) -> Result<&'v dyn Any, (u16, ColumnIx)> {
    match source {
        Source::Time => Ok(now),
        Source::Field(index) | Source::Literal { index, .. } => Ok(given.value(*index)),
        Source::Entity { name, column } => Err((*name, *column)),
    }
}

/// The value of a field of the entity that a name stands for, in CBOR.
fn copied(
    graph: &Graph<Flat>,
    names: &Names,
    name: u16,
    column: ColumnIx,
) -> Result<Vec<u8>, StepError> {
    let slot = names.one(name).slot;
    graph.column(column).encoded(slot).ok_or_else(|| {
        let layout = &graph.layout.columns[usize::from(column)];
        StepError::Unwritable {
            what: Arc::clone(&layout.path),
            reason: format!("{} does not have it", graph.entity_ref(layout.entity, slot)),
        }
    })
}

/// Rejects where a condition does not hold.
fn check_when(
    graph: &Graph<Flat>,
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
    })
}

/// Rejects where one of the entities is in none of the states.
fn check_places(
    def: &EventPlan,
    graph: &Graph<Flat>,
    entity: EntityIx,
    (from, expected): (&StateSet, &Arc<str>),
    slots: &[u32],
) -> Result<(), StepError> {
    for slot in slots {
        let found = graph.state_of(entity, *slot);
        if !from.contains(found) {
            let layout = &graph.layout.entities[usize::from(entity)];
            return Err(StepError::NotInPlace {
                event: Arc::clone(&def.name),
                entity: graph.entity_ref(entity, *slot),
                expected: Arc::clone(expected),
                found: Arc::clone(&layout.states[usize::from(found)].name),
            });
        }
    }
    Ok(())
}

/// Appends the slots that a path reaches, each once, in the order in which they are first reached.
fn reach(graph: &Graph<Flat>, names: &Names, path: &Path, out: &mut Vec<u32>) {
    let start = out.len();
    let roots = names.ids(path.root);
    match path.hops.as_slice() {
        [] => out.extend(roots.iter().map(|id| id.slot)),
        [hop] if roots.len() == 1 => out.extend_from_slice(graph.links(*hop, roots[0].slot)),
        hops => {
            let mut frontier: Vec<u32> = roots.iter().map(|id| id.slot).collect();
            for hop in hops {
                let mut seen = HashSet::new();
                let next = frontier.iter().flat_map(|slot| graph.links(*hop, *slot));
                out.extend(next.filter(|slot| seen.insert(**slot)));
                frontier.clear();
                frontier.extend(out.drain(start..));
            }
            out.extend(frontier);
        }
    }
}
