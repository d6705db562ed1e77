//! What must be true after the code of a migration has run: of all entities, not only of those that it changed, since the rules
//! of the model may have changed for each of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use crate::base::error::{EntityRef, Incomplete, MigrationError, Name, Problem, StepError};
use crate::base::hash::FastMap;
use crate::graph::GraphRef;
use crate::graph::carry::CarryMap;
use crate::graph::fact::Fact;
use crate::graph::storage::Storage;
use crate::schema::{ColumnIx, EdgeIx, EntityDef, EntityIx, Hop, InvariantIx, StateIx};
use crate::step::Core;
use crate::step::migrate::Unplaced;
use crate::step::plan::Plan;

/// What is left undone so far.
#[derive(Default)]
struct Findings {
    list: Vec<Incomplete>,
    /// For each item, its position in the list.
    known: FastMap<(Kind, u32), usize>,
}

/// What kind of item is concerned, which has a number among those of its kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Column,
    Data,
    From,
    To,
    Invariant,
}

impl Findings {
    /// Counts something that is wrong with an item.
    fn add(&mut self, item: (Kind, usize), first: impl FnOnce() -> (Name, Problem, EntityRef)) {
        let key = (item.0, item.1 as u32);
        if let Some(at) = self.known.get(&key) {
            self.list[*at].count += 1;
            return;
        }
        self.known.insert(key, self.list.len());
        let (item, problem, first) = first();
        self.list.push(Incomplete {
            item,
            problem,
            count: 1,
            first,
        });
    }

    fn result(self) -> Result<(), MigrationError> {
        if self.list.is_empty() {
            Ok(())
        } else {
            Err(MigrationError::Incomplete(self.list))
        }
    }
}

/// The values in columns in which each entity has one, the default of the type until another is written: for a column whose
/// values were not carried over, the slots in which one was written.
type WrittenSlots = BTreeMap<ColumnIx, Vec<bool>>;

impl<S: Storage> Core<S> {
    /// Checks that each entity has been placed in a state of the new schema, has its fields, the data of its state and the
    /// links that it must have, and that links have their data; O(size of the graph and of the journal).
    pub(super) fn check_complete(
        &self,
        (old, map): (GraphRef<'_>, &CarryMap),
        unplaced: &Unplaced,
    ) -> Result<(), MigrationError> {
        let mut findings = Findings {
            list: self.removed_states(old, unplaced),
            ..Findings::default()
        };
        let written = self.written_slots(map);
        let layout = Arc::clone(&self.graph.layout);
        for entity in EntityIx::all(layout.entities.len()) {
            let of = &layout.entities[usize::from(entity)];
            for slot in self.graph.living(entity) {
                let state = self.graph.state_of(entity, slot);
                let data = of.states.get(usize::from(state)).map(|state| &state.data);
                for column in of.fields.iter().chain(data.into_iter().flatten()) {
                    self.check_value(*column, (entity, slot), &written, &mut findings);
                }
                for bound in &of.bounded {
                    let Some(found) = self.graph.bound_broken(bound, slot) else {
                        continue;
                    };
                    let kind = if bound.hop.forward {
                        Kind::From
                    } else {
                        Kind::To
                    };
                    findings.add((kind, bound.hop.edge.index()), || {
                        let edge = &layout.edges[usize::from(bound.hop.edge)];
                        let allowed = self.graph.bound_text(bound);
                        (
                            edge.near(bound.hop.forward).path.clone(),
                            Problem::Links { allowed, found },
                            self.graph.named(entity, slot),
                        )
                    });
                }
            }
        }
        for edge in EdgeIx::all(layout.edges.len()) {
            self.check_data(edge, &mut findings);
        }
        findings.result()
    }

    /// The states without a counterpart in which entities still are.
    fn removed_states(&self, old: GraphRef<'_>, unplaced: &Unplaced) -> Vec<Incomplete> {
        let mut left: BTreeMap<(EntityIx, StateIx), (u64, u32, EntityIx)> = BTreeMap::new();
        for ((now, slot), (was, state)) in unplaced {
            let id = old.id(*was, *slot);
            if self.graph.state(*now, id).is_none() {
                continue;
            }
            let (count, first, _) = left.entry((*was, *state)).or_insert((0, *slot, *now));
            *count += 1;
            *first = (*first).min(*slot);
        }
        let incomplete = |((was, state), (count, first, now)): (_, (u64, u32, EntityIx))| {
            let of: &EntityDef = &old.layout().schema[was];
            Incomplete {
                item: format!("{}::{}", of.name, of[state].name).into(),
                problem: Problem::StateRemoved,
                count,
                first: self.graph.named(now, first),
            }
        };
        left.into_iter().map(incomplete).collect()
    }

    /// In which slots a value was written, for each column that needs it.
    fn written_slots(&self, map: &CarryMap) -> WrittenSlots {
        let layout = &self.graph.layout;
        let all = ColumnIx::all(layout.columns.len());
        let filled: HashSet<ColumnIx> = map.columns().collect();
        let mut written: WrittenSlots = all
            .filter(|column| self.graph.column(*column).is_mandatory())
            .map(|column| {
                let slots = self.graph.slots(layout.columns[usize::from(column)].entity);
                (column, vec![filled.contains(&column); slots as usize])
            })
            .collect();
        let mut mark = |column: &ColumnIx, slot: u32, is_written: bool| {
            let slots = written.get_mut(column);
            if let Some(cell) = slots.and_then(|slots| slots.get_mut(slot as usize)) {
                *cell = is_written;
            }
        };
        let seen = self.open.journal.try_each_fact_after(0, |fact| {
            match fact {
                Fact::Set { column, slot, .. } => mark(&column, slot, true),
                Fact::Create { entity, slot, .. } => {
                    for column in &layout.entities[usize::from(entity)].fields {
                        mark(column, slot, false);
                    }
                }
                _ => {}
            }
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(()) = seen;
        written
    }

    fn check_value(
        &self,
        column: ColumnIx,
        (entity, slot): (EntityIx, u32),
        written: &WrittenSlots,
        findings: &mut Findings,
    ) {
        let has = match written.get(&column) {
            Some(slots) => slots.get(slot as usize) == Some(&true),
            None => self.graph.column(column).has(slot),
        };
        if !has {
            findings.add((Kind::Column, column.index()), || {
                let path = &self.graph.layout.columns[usize::from(column)].path;
                (
                    path.clone(),
                    Problem::NoValue,
                    self.graph.named(entity, slot),
                )
            });
        }
    }

    /// Checks that the links of an edge have data, if the edge has.
    fn check_data(&self, edge: EdgeIx, findings: &mut Findings) {
        if self.graph.link_column(edge).is_none() {
            return;
        }
        let from = &self.graph.layout.edges[usize::from(edge)].from;
        let hop = Hop {
            edge,
            forward: true,
        };
        for slot in self.graph.living(from.entity) {
            for other in self.graph.links(hop, slot) {
                let row = self.graph.link_row(edge, slot, *other);
                if row.is_some_and(|(column, row)| !column.has(row)) {
                    findings.add((Kind::Data, edge.index()), || {
                        let first = self.graph.named(from.entity, slot);
                        (from.path.clone(), Problem::NoLinkData, first)
                    });
                }
            }
        }
    }

    /// Checks all invariants of all entities.
    pub(crate) fn check_all_invariants(&self, plan: &Plan) -> Result<(), MigrationError> {
        let mut findings = Findings::default();
        let layout = &self.graph.layout;
        for ix in InvariantIx::all(layout.invariants.len()) {
            let entity = layout.schema[ix].entity;
            for slot in self.graph.living(entity) {
                if let Err(e) = self.holds(plan, ix, slot) {
                    findings.add((Kind::Invariant, ix.index()), || {
                        let reason = match e {
                            StepError::Invariant { reason, .. } => reason.to_string(),
                            e => e.to_string(),
                        };
                        (
                            layout.invariants[usize::from(ix)].clone(),
                            Problem::Invariant { reason },
                            self.graph.named(entity, slot),
                        )
                    });
                }
            }
        }
        findings.result()
    }
}
