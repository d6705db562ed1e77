//! The declared arcs of an event, executed from the schema.

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

use crate::db::Reader;
use crate::error::StepError;
use crate::graph::Graph;
use crate::graph::layout::StateSet;
use crate::graph::storage::Storage;
use crate::schema::{Assign, ColumnIx, EntityIx, Hop, MetaField, Path, Quantifier, Scope, Source};
use crate::step::Core;
use crate::step::bind::Names;
use crate::step::event::Given;
use crate::step::plan::{Act, EventPlan, LinkKind, LinkPlan, MovePlan, WhenPlan};

/// What the arcs of the firing event reach, evaluated before any of them acts.
#[derive(Default)]
pub(super) struct Targets {
    slots: Vec<u32>,
    spans: Vec<Span>,
    next: usize,
    /// The values of [`EventPlan::copied`], in CBOR.
    copied: Vec<Vec<u8>>,
}

/// The entities of one path.
#[derive(Clone, Copy)]
enum Span {
    /// Those that a name stands for, which no arc changes.
    Named(u16),
    /// Those between two places in [`Targets::slots`].
    Listed(u32, u32),
}

impl Targets {
    fn clear(&mut self) {
        self.slots.clear();
        self.spans.clear();
        self.next = 0;
        self.copied.clear();
    }

    /// Notes what a path reaches; a path without hops costs nothing.
    fn add<S: Storage>(&mut self, graph: &Graph<S>, names: &Names, path: &Path) -> Span {
        let span = if path.hops.is_empty() {
            Span::Named(path.root)
        } else {
            let start = self.slots.len();
            reach(graph, names, path, &mut self.slots);
            Span::Listed(start as u32, self.slots.len() as u32)
        };
        self.spans.push(span);
        span
    }

    /// Notes those that a path reaches which are in a source state.
    fn add_those<S: Storage>(&mut self, graph: &Graph<S>, names: &Names, arc: &MovePlan) {
        let start = self.slots.len();
        reach(graph, names, &arc.path, &mut self.slots);
        let mut kept = start;
        for i in start..self.slots.len() {
            let slot = self.slots[i];
            if arc.from.contains(graph.state_of(arc.entity, slot)) {
                self.slots[kept] = slot;
                kept += 1;
            }
        }
        self.slots.truncate(kept);
        self.spans.push(Span::Listed(start as u32, kept as u32));
    }

    /// The next span, in the order in which they were noted.
    fn take(&mut self) -> Span {
        self.next += 1;
        self.spans[self.next - 1]
    }

    #[inline]
    fn len(&self, names: &Names, span: Span) -> usize {
        match span {
            Span::Named(name) => names.ids(name).len(),
            Span::Listed(start, end) => (end - start) as usize,
        }
    }

    #[inline]
    fn at(&self, names: &Names, span: Span, i: usize) -> u32 {
        match span {
            Span::Named(name) => names.ids(name)[i].slot,
            Span::Listed(start, _) => self.slots[start as usize + i],
        }
    }

    fn iter<'t>(&'t self, names: &'t Names, span: Span) -> impl Iterator<Item = u32> + 't {
        (0..self.len(names, span)).map(move |i| self.at(names, span, i))
    }
}

/// A firing event, for those that write its values.
#[derive(Clone, Copy)]
struct Firing<'e> {
    def: &'e EventPlan,
    given: Given<'e>,
}

impl<S: Storage> Core<S> {
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
        for act in &def.acts {
            match act {
                Act::Link(_, arc) => {
                    targets.add(graph, names, &arc.path);
                    targets.add(graph, names, &arc.with);
                }
                Act::Set(set) => {
                    let span = targets.add(graph, names, &set.path);
                    if let Some(state) = set.state {
                        let from = StateSet::of(&[state]);
                        let states = &graph.layout.entities[usize::from(set.entity)].states;
                        let place = (&from, &states[usize::from(state)].name);
                        let slots = targets.iter(names, span);
                        check_places(def, graph, set.entity, place, slots)?;
                    }
                }
                Act::Move(arc) if arc.scope == Scope::Each => {
                    let span = targets.add(graph, names, &arc.path);
                    let place = (&arc.from, &arc.from_text);
                    let slots = targets.iter(names, span);
                    check_places(def, graph, arc.entity, place, slots)?;
                }
                Act::Move(arc) => targets.add_those(graph, names, arc),
                Act::Delete(arc) => {
                    targets.add(graph, names, &arc.path);
                }
            }
        }
        if def.may_meet {
            self.check_meetings(def, names, targets)
        } else {
            Ok(())
        }
    }

    /// Rejects two moves of one entity, a move and a delete of it, and two sets of one field of it.
    fn check_meetings(
        &self,
        def: &EventPlan,
        names: &Names,
        targets: &Targets,
    ) -> Result<(), StepError> {
        let mut spans = targets.spans.iter();
        // A move is told from a set by having no column.
        let mut met = HashSet::new();
        for act in &def.acts {
            let mut slots = targets.iter(names, *spans.next().unwrap_or(&Span::Listed(0, 0)));
            let (entity, twice) = match act {
                Act::Link(..) => {
                    spans.next();
                    continue;
                }
                Act::Set(set) => (
                    set.entity,
                    slots.find(|s| !met.insert((Some(set.value.column), set.entity, *s))),
                ),
                Act::Move(arc) => (
                    arc.entity,
                    slots.find(|s| !met.insert((None, arc.entity, *s))),
                ),
                Act::Delete(arc) => (
                    arc.entity,
                    slots.find(|s| met.contains(&(None, arc.entity, *s))),
                ),
            };
            if let Some(slot) = twice {
                return Err(StepError::TwoArcs {
                    event: Arc::clone(&def.name),
                    entity: self.graph.entity_ref(entity, slot),
                });
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
                .guard(
                    ix as u16,
                    &Reader {
                        graph: S::graph(&self.graph),
                        of: None,
                    },
                )
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
        let mut deleted = Vec::new();
        for act in &firing.def.acts {
            let span = targets.take();
            match act {
                Act::Link(kind, arc) => {
                    self.change_links(*kind, arc, span, firing, names, targets)?;
                }
                Act::Set(set) => {
                    for i in 0..targets.len(names, span) {
                        let slot = targets.at(names, span, i);
                        self.write(&set.value, slot, firing, names, targets)?;
                    }
                }
                Act::Move(arc) => {
                    for i in 0..targets.len(names, span) {
                        let slot = targets.at(names, span, i);
                        self.graph.move_to(arc.entity, slot, arc.to);
                        for value in &arc.data {
                            self.write(value, slot, firing, names, targets)?;
                        }
                    }
                }
                Act::Delete(arc) => {
                    deleted.extend(targets.iter(names, span).map(|slot| (arc.entity, slot)));
                }
            }
        }
        // All at once, so that what stands in the way of one may go with another.
        if deleted.is_empty() {
            return Ok(());
        }
        self.graph.delete(&deleted)
    }

    fn change_links(
        &mut self,
        kind: LinkKind,
        arc: &LinkPlan,
        near: Span,
        firing: Firing<'_>,
        names: &Names,
        targets: &mut Targets,
    ) -> Result<(), StepError> {
        let far = targets.take();
        for a in 0..targets.len(names, near) {
            let near = targets.at(names, near, a);
            if kind == LinkKind::Unlink {
                self.unlink_among(arc, near, targets.iter(names, far))?;
                continue;
            }
            for b in 0..targets.len(names, far) {
                let ends = ends(arc.hop, near, targets.at(names, far, b));
                match kind {
                    LinkKind::Relink => self.graph.relink(arc.hop.edge, ends.0, ends.1)?,
                    LinkKind::Link => self.graph.link(arc.hop.edge, ends.0, ends.1)?,
                    LinkKind::Unlink | LinkKind::Keep => {}
                }
                if let Some(data) = &arc.data {
                    self.write_link(arc.hop, ends, data, firing, names, targets)?;
                }
            }
        }
        Ok(())
    }

    fn unlink_among(
        &mut self,
        arc: &LinkPlan,
        near: u32,
        far: impl Iterator<Item = u32>,
    ) -> Result<(), StepError> {
        let gone: Vec<u32> = if arc.all {
            self.graph.links(arc.hop, near).to_vec()
        } else {
            far.filter(|b| self.graph.linked(arc.hop, near, *b))
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
        match value(&assign.source, &self.now, &self.meta, firing.given) {
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
        match value(source, &self.now, &self.meta, firing.given) {
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
    meta: &'v crate::Meta,
    given: Given<'v>,
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
    graph.column(column).encoded(slot).ok_or_else(|| {
        let layout = &graph.layout.columns[usize::from(column)];
        StepError::Unwritable {
            what: Arc::clone(&layout.path),
            reason: format!("{} does not have it", graph.entity_ref(layout.entity, slot)),
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
    })
}

/// Rejects where one of the entities is in none of the states.
fn check_places<S: Storage>(
    def: &EventPlan,
    graph: &Graph<S>,
    entity: EntityIx,
    (from, expected): (&StateSet, &Arc<str>),
    slots: impl Iterator<Item = u32>,
) -> Result<(), StepError> {
    for slot in slots {
        let found = graph.state_of(entity, slot);
        if !from.contains(found) {
            let layout = &graph.layout.entities[usize::from(entity)];
            return Err(StepError::NotInPlace {
                event: Arc::clone(&def.name),
                entity: graph.entity_ref(entity, slot),
                expected: Arc::clone(expected),
                found: Arc::clone(&layout.states[usize::from(found)].name),
            });
        }
    }
    Ok(())
}

/// Appends the slots that a path reaches, each once, in the order in which they are first reached.
fn reach<S: Storage>(graph: &Graph<S>, names: &Names, path: &Path, out: &mut Vec<u32>) {
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
