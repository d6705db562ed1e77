//! Invariants: what must be true of each entity when a transaction commits.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::error::{Chain, EntityRef, Inconsistency, Name, StepError};
use crate::base::hash::FastMap;
use crate::db::Reader;
use crate::graph::fact::Fact;
use crate::graph::storage::Storage;
use crate::schema::{EntityIx, InvariantIx};
use crate::step::Core;
use crate::step::plan::Plan;

/// The invariants that were checked, each of an entity by its slot.
type Seen = FastMap<(InvariantIx, u32), ()>;

impl<S: Storage> Core<S> {
    /// Checks the invariants of all entities that the open transaction touched, and of those that read them through `via`.
    #[inline]
    pub(crate) fn check_invariants(&self, plan: &Plan) -> Result<(), StepError> {
        if plan.checks.is_empty() {
            return Ok(());
        }
        self.check_all_touched(plan)
    }

    pub(super) fn check_all_touched(&self, plan: &Plan) -> Result<(), StepError> {
        self.check_touched_after(plan, 0)
    }

    /// As [`Core::check_invariants`], of what was touched since a [position](crate::graph::Journal::position) in the journal.
    #[cfg(feature = "check")]
    pub(crate) fn check_after(&self, plan: &Plan, position: usize) -> Result<(), StepError> {
        if plan.checks.is_empty() {
            return Ok(());
        }
        self.check_touched_after(plan, position)
    }

    fn check_touched_after(&self, plan: &Plan, position: usize) -> Result<(), StepError> {
        let mut seen = Seen::default();
        self.open.journal.try_each_fact_after(position, |fact| {
            // The entities that could read a deleted one were unlinked from it, which are facts of their own.
            if matches!(fact, Fact::Delete { .. }) {
                return Ok(());
            }
            let mut touched = fact.touches(&self.graph.layout).into_iter().flatten();
            touched.try_for_each(|(entity, slot)| self.check_touched(plan, entity, slot, &mut seen))
        })
    }

    fn check_touched(
        &self,
        plan: &Plan,
        entity: EntityIx,
        slot: u32,
        seen: &mut Seen,
    ) -> Result<(), StepError> {
        if !self.graph.is_alive(entity, slot) {
            return Ok(());
        }
        let layout = &self.graph.layout.entities[usize::from(entity)];
        for &ix in &layout.invariants {
            self.check_invariant(plan, ix, slot, seen)?;
        }
        for &(ix, back) in &layout.seen_by {
            for &watcher in self.graph.links(back, slot) {
                self.check_invariant(plan, ix, watcher, seen)?;
            }
        }
        Ok(())
    }

    fn check_invariant(
        &self,
        plan: &Plan,
        ix: InvariantIx,
        slot: u32,
        seen: &mut Seen,
    ) -> Result<(), StepError> {
        if seen.insert((ix, slot), ()).is_none() {
            self.holds(plan, ix, slot)
                .map_err(|e| e.with_chain(|| Chain::new(self.led_to(plan, ix, slot))))
        } else {
            Ok(())
        }
    }

    /// The events that led to the broken invariant: the last that changed an entity that it reads, and the ones that led to
    /// that event.
    #[cold]
    fn led_to(&self, plan: &Plan, ix: InvariantIx, slot: u32) -> Vec<Name> {
        let layout = &self.graph.layout;
        let def = &layout.schema[ix];
        let mut seen = HashSet::from([(def.entity, slot)]);
        for hop in &def.via {
            let far = layout.edges[usize::from(hop.edge)].far(hop.forward).entity;
            seen.extend(
                self.graph
                    .links(*hop, slot)
                    .iter()
                    .map(|far_slot| (far, *far_slot)),
            );
        }
        let touches = |fact: &Fact| {
            let touched = fact.touches(layout).into_iter().flatten();
            touched.into_iter().any(|entity| seen.contains(&entity))
        };
        let facts = &self.open.journal.facts().list;
        let Some(fact) = facts.iter().rposition(touches) else {
            return Vec::new();
        };
        let firing =
            (self.open.firings).partition_point(|firing| firing.facts_end as usize <= fact);
        self.chain(plan, firing as u32, None)
    }

    pub(super) fn holds(&self, plan: &Plan, ix: InvariantIx, slot: u32) -> Result<(), StepError> {
        let layout = &self.graph.layout;
        let entity = layout.schema[ix].entity;
        let id = self.graph.id(entity, slot);
        let reader = Reader {
            graph: S::graph(&self.graph),
            of: self.paranoid.then_some((ix, slot)),
        };
        plan.checks[usize::from(ix)](id, &reader).map_err(|e| {
            e.into_step(|reason| StepError::Invariant {
                invariant: Arc::clone(&layout.invariants[usize::from(ix)]),
                entity: self.graph.named(entity, slot),
                reason,
                chain: Chain::default(),
            })
        })
    }

    /// Returns the entities that violate an invariant, by its index in the schema, each with the reason.
    pub(crate) fn violations(
        &self,
        plan: &Plan,
        invariant: usize,
    ) -> impl Iterator<Item = (EntityRef, String)> {
        let schema = &self.graph.layout.schema;
        let of = (InvariantIx::all(schema.invariants.len()).zip(&schema.invariants)).nth(invariant);
        of.into_iter().flat_map(move |(ix, def)| {
            self.graph.living(def.entity).filter_map(move |slot| {
                let failed = self.holds(plan, ix, slot).err()?;
                Some((self.graph.named(def.entity, slot), failed.to_string()))
            })
        })
    }

    /// Every inconsistency of derived state, and every invariant that does not hold; empty if the graph is consistent.
    pub(crate) fn differences(&self, plan: &Plan) -> Vec<Inconsistency> {
        let mut wrong = self.graph.differences(&self.open.journal);
        let layout = &self.graph.layout;
        let invariants = InvariantIx::all(layout.invariants.len());
        for (ix, def) in invariants.zip(&layout.schema.invariants) {
            for slot in self.graph.living(def.entity) {
                if let Err(e) = self.holds(plan, ix, slot) {
                    let (what, found) = (format!("the invariant {}", def.name), e.to_string());
                    let entity = Some(self.graph.named(def.entity, slot));
                    wrong.push(Inconsistency::new(entity, what, "that it holds", found));
                }
            }
        }
        wrong
    }
}
