//! The step: how an event becomes facts.
//!
//! The order is that of the arcs' grammar: bindings with `Ensure`, then `create`; then the source states,
//! the paths and the conditions are evaluated on the graph as it then is; then the guards; then unlink,
//! relink, link, set, moves; then the handler; then cardinalities; then immediate events until none is
//! enabled. Anything wrong undoes all of it. Invariants are checked at commit.

pub(crate) mod bind;
pub(crate) mod event;
pub(crate) mod plan;
mod settle;
mod tx;

use std::any::Any;
use std::collections::HashSet;
use std::sync::Arc;

pub use tx::{Tx, link, relink, set, transition, unlink};

use crate::Timestamp;
use crate::cbor::{MAP, head};
use crate::db::Reader;
use crate::error::{EntityRef, Reject, StepError};
use crate::graph::storage::Flat;
use crate::graph::{Graph, Mark};
use crate::schema::{Assign, EntityIx, Path, Quantifier, Scope, Source};
use crate::step::bind::{Binder, Names};
use crate::step::event::{DynEvent, FieldWriter};
use crate::step::plan::{EventPlan, LinkPlan, Plan};

/// The graph and the open transaction on it.
pub(crate) struct Core {
    pub graph: Graph<Flat>,
    /// What fired in the open transaction.
    pub firings: Vec<Firing>,
    /// The encoded events of those.
    pub event_bytes: Vec<u8>,
    /// The time of the open transaction.
    pub now: Timestamp,
    names: Names,
    targets: Targets,
}

/// One firing of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Firing {
    pub event: u16,
    /// Where its binding ends in `event_bytes`.
    pub binding_end: u32,
    /// Where its facts end.
    pub facts_end: u32,
}

/// A point in the open transaction to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CoreMark {
    graph: Mark,
    firings: usize,
    event_bytes: usize,
}

/// What the arcs of the firing event reach, evaluated before any of them acts: one span of slots each.
#[derive(Default)]
struct Targets {
    slots: Vec<u32>,
    ends: Vec<u32>,
    next: usize,
}

impl Targets {
    fn clear(&mut self) {
        self.slots.clear();
        self.ends.clear();
        self.next = 0;
    }

    fn end_span(&mut self) {
        self.ends.push(self.slots.len() as u32);
    }

    /// The next span, in the order in which they were written.
    fn take(&mut self) -> std::ops::Range<usize> {
        let start = if self.next == 0 {
            0
        } else {
            self.ends[self.next - 1]
        };
        let end = self.ends[self.next];
        self.next += 1;
        start as usize..end as usize
    }
}

impl Core {
    pub(crate) fn new(graph: Graph<Flat>) -> Self {
        Self {
            graph,
            firings: Vec::new(),
            event_bytes: Vec::new(),
            now: Timestamp::default(),
            names: Names::default(),
            targets: Targets::default(),
        }
    }

    pub(crate) fn mark(&self) -> CoreMark {
        CoreMark {
            graph: self.graph.mark(),
            firings: self.firings.len(),
            event_bytes: self.event_bytes.len(),
        }
    }

    pub(crate) fn rollback(&mut self, mark: CoreMark) {
        self.graph.rollback(mark.graph);
        self.firings.truncate(mark.firings);
        self.event_bytes.truncate(mark.event_bytes);
    }

    pub(crate) fn settle(&mut self) {
        self.graph.settle();
        self.firings.clear();
        self.event_bytes.clear();
    }

    /// Fires an event and what follows from it by itself. On an error the caller rolls back.
    pub(crate) fn fire(&mut self, plan: &Plan, event: &dyn DynEvent) -> Result<Names, StepError> {
        let mut names = std::mem::take(&mut self.names);
        names.clear();
        let start = self.graph.journal.facts.list.len();
        let def = &plan.events[usize::from(event.index())];
        event
            .bind(&mut Binder {
                graph: &mut self.graph,
                names: &mut names,
                event: def,
            })
            .map_err(|e| rejected(def, e))?;
        self.act(def, Some(event), &mut names)?;
        event
            .handle(&names, self, plan)
            .map_err(|e| rejected(def, e))?;
        self.note_event(plan, event)?;
        self.check_bounds(start)?;
        self.fire_immediates(plan)?;
        Ok(names)
    }

    /// Whether the open transaction has done nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.firings.is_empty()
    }

    /// Applies the facts of a logged transaction.
    pub(crate) fn replay(&mut self, decoded: &crate::store::frame::Decoded) -> Result<(), String> {
        for fact in &decoded.facts.list {
            if let Err(e) = self.graph.apply(*fact, &decoded.facts) {
                return Err(format!(
                    "{}: {e}",
                    decoded.facts.render(*fact, &self.graph.layout)
                ));
            }
        }
        self.settle();
        Ok(())
    }

    /// Keeps the names for the next firing, so that their memory is used again.
    pub(crate) fn give_back(&mut self, names: Names) {
        self.names = names;
    }

    /// Records that an event of the program fired.
    fn note_event(&mut self, plan: &Plan, event: &dyn DynEvent) -> Result<(), StepError> {
        let fields = plan.layout.schema.events[usize::from(event.index())]
            .fields
            .len();
        head(&mut self.event_bytes, MAP, fields as u64);
        let mut writer = FieldWriter {
            bytes: &mut self.event_bytes,
            failed: None,
        };
        event.encode(&mut writer);
        if let Some((field, e)) = writer.failed {
            let def = &plan.layout.schema.events[usize::from(event.index())];
            let what = format!("{}.{}", def.name, def.fields[usize::from(field)].name);
            return Err(StepError::Unwritable {
                what: what.into(),
                reason: e.to_string(),
            });
        }
        self.note_firing(event.index())
    }

    fn note_firing(&mut self, event: u16) -> Result<(), StepError> {
        let full = || StepError::Full {
            what: "the events of one transaction".into(),
        };
        self.firings.push(Firing {
            event,
            binding_end: u32::try_from(self.event_bytes.len()).map_err(|_| full())?,
            facts_end: u32::try_from(self.graph.journal.facts.list.len()).map_err(|_| full())?,
        });
        Ok(())
    }

    /// Executes the declared arcs.
    fn act(
        &mut self,
        def: &EventPlan,
        event: Option<&dyn DynEvent>,
        names: &mut Names,
    ) -> Result<(), StepError> {
        for create in &def.creates {
            let slot = self.graph.create(create.entity, create.state)?;
            for value in &create.values {
                self.write(value, slot, event)?;
            }
            names.push(self.graph.id(create.entity, slot));
            names.end_name();
        }
        let mut targets = std::mem::take(&mut self.targets);
        targets.clear();
        let acted = self
            .evaluate(def, names, &mut targets)
            .and_then(|()| self.ask_guards(def, event))
            .and_then(|()| self.effect(def, event, &mut targets));
        self.targets = targets;
        acted
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
            let start = targets.slots.len();
            reach(graph, names, &when.path, &mut targets.slots);
            let mut states = targets.slots[start..]
                .iter()
                .map(|s| graph.state_of(when.entity, *s));
            let holds = match when.quantifier {
                Quantifier::All => states.all(|s| when.states.contains(s)),
                Quantifier::Any => states.any(|s| when.states.contains(s)),
                Quantifier::None => !states.any(|s| when.states.contains(s)),
            };
            targets.slots.truncate(start);
            if !holds {
                return Err(StepError::When {
                    event: Arc::clone(&def.name),
                    condition: Arc::clone(&when.text),
                });
            }
        }
        for link in def.unlinks.iter().chain(&def.relinks).chain(&def.links) {
            reach(graph, names, &link.path, &mut targets.slots);
            targets.end_span();
            reach(graph, names, &link.with, &mut targets.slots);
            targets.end_span();
        }
        for set in &def.sets {
            reach(graph, names, &set.path, &mut targets.slots);
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
                    for slot in &targets.slots[start..] {
                        let found = graph.state_of(arc.entity, *slot);
                        if !arc.from.contains(found) {
                            let layout = &graph.layout.entities[usize::from(arc.entity)];
                            return Err(StepError::NotInPlace {
                                event: Arc::clone(&def.name),
                                entity: graph.entity_ref(arc.entity, *slot),
                                expected: Arc::clone(&arc.from_text),
                                found: Arc::clone(&layout.states[usize::from(found)].name),
                            });
                        }
                    }
                }
            }
            targets.end_span();
        }
        if def.may_meet {
            self.check_meetings(def, targets)
        } else {
            Ok(())
        }
    }

    /// Rejects two moves of one entity, and two sets of one field of it.
    fn check_meetings(&self, def: &EventPlan, targets: &Targets) -> Result<(), StepError> {
        let links = 2 * (def.unlinks.len() + def.relinks.len() + def.links.len());
        // A move is told from a set by having no column.
        let arcs = (def.sets.iter().map(|s| (Some(s.value.column), s.entity)))
            .chain(def.moves.iter().map(|m| (None, m.entity)));
        let mut met = HashSet::new();
        for (i, (column, entity)) in arcs.enumerate() {
            let span = links + i;
            let start = if span == 0 { 0 } else { targets.ends[span - 1] };
            for slot in &targets.slots[start as usize..targets.ends[span] as usize] {
                if !met.insert((column, entity, *slot)) {
                    return Err(StepError::TwoArcs {
                        event: Arc::clone(&def.name),
                        entity: self.graph.entity_ref(entity, *slot),
                    });
                }
            }
        }
        Ok(())
    }

    fn ask_guards(&self, def: &EventPlan, event: Option<&dyn DynEvent>) -> Result<(), StepError> {
        let Some(event) = event else { return Ok(()) };
        for (ix, guard) in def.guards.iter().enumerate() {
            event
                .guard(ix as u16, &Reader { graph: &self.graph })
                .map_err(|e| {
                    let (event, guard) = (Arc::clone(&def.name), Arc::clone(guard));
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
        def: &EventPlan,
        event: Option<&dyn DynEvent>,
        targets: &mut Targets,
    ) -> Result<(), StepError> {
        for arc in &def.unlinks {
            let (near, far) = (targets.take(), targets.take());
            for &slot in &targets.slots[near] {
                self.unlink_among(arc, slot, &targets.slots[far.clone()])?;
            }
        }
        for (arcs, relink) in [(&def.relinks, true), (&def.links, false)] {
            for arc in arcs {
                let (near, far) = (targets.take(), targets.take());
                for &a in &targets.slots[near] {
                    for &b in &targets.slots[far.clone()] {
                        let (from, to) = if arc.hop.forward { (a, b) } else { (b, a) };
                        if relink {
                            self.graph.relink(arc.hop.edge, from, to)?;
                        } else {
                            self.graph.link(arc.hop.edge, from, to)?;
                        }
                    }
                }
            }
        }
        for arc in &def.sets {
            let span = targets.take();
            for &slot in &targets.slots[span] {
                self.write(&arc.value, slot, event)?;
            }
        }
        for arc in &def.moves {
            let span = targets.take();
            for &slot in &targets.slots[span] {
                self.graph.move_to(arc.entity, slot, arc.to);
                for value in &arc.data {
                    self.write(value, slot, event)?;
                }
            }
        }
        Ok(())
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
            let (from, to) = if arc.hop.forward {
                (near, b)
            } else {
                (b, near)
            };
            self.graph.unlink(arc.hop.edge, from, to)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        assign: &Assign,
        slot: u32,
        event: Option<&dyn DynEvent>,
    ) -> Result<(), StepError> {
        let now = self.now;
        let value: &dyn Any = match (&assign.source, event) {
            (Source::Time, _) => &now,
            (Source::Field(index) | Source::Literal { index, .. }, Some(event)) => {
                event.value(*index)
            }
            // The macro refuses values other than the time on an immediate event.
            (source, None) => unreachable!("an immediate event has no value {source:?}"),
        };
        self.graph.set(assign.column, slot, value)
    }
}

/// What a handler or a binding rejected for.
fn rejected(def: &EventPlan, e: Reject) -> StepError {
    e.into_step(|reason| StepError::Rejected {
        event: Arc::clone(&def.name),
        reason,
    })
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

/// An entity for an error, by index.
fn who(graph: &Graph<Flat>, entity: EntityIx, id: crate::Id) -> EntityRef {
    EntityRef {
        entity: Arc::clone(&graph.layout.entities[usize::from(entity)].name),
        id,
    }
}
