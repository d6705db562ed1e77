//! Arcs of one event that are in conflict: two that meet in one entity, and links that compete for an end that holds at
//! most one.
//!
//! `relink` replaces the link that such an end had before the event. If the event's own arcs link several entities there,
//! each would replace the one before, and only the last would stay. No arc says that, so the event is rejected. Conflicts
//! are found before any arc acts, and only events whose arcs can be in conflict are checked.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use crate::base::error::{Chain, StepError};
use crate::graph::layout::{Layout, reverse};
use crate::graph::storage::Storage;
use crate::schema::{Arc as ArcDef, Cardinality, EdgeIx, EntityIx, EventDef, Hop, Path};
use crate::step::arcs::Arcs;
use crate::step::event::EventValues;
use crate::step::plan::{Effect, LinkKind};

/// Whether links of an event can compete: one arc leads to several entities from or at an end that holds one, or two
/// arcs are of one edge with such an end.
pub(in crate::step) fn may_compete(layout: &Layout, def: &EventDef) -> bool {
    let links = || {
        def.arcs.iter().filter_map(|arc| match arc {
            ArcDef::Link {
                path, hop, with, ..
            }
            | ArcDef::Relink {
                path, hop, with, ..
            } => Some((path, *hop, with)),
            _ => None,
        })
    };
    let one = |hop: Hop| holds_one(layout, hop);
    let alone = links().any(|(path, hop, with)| {
        one(hop) && !leads_to_one(layout, def, with)
            || one(reverse(hop)) && !leads_to_one(layout, def, path)
    });
    let of_one_edge = |edge| links().filter(|(_, hop, _)| hop.edge == edge).count() > 1;
    alone || links().any(|(_, hop, _)| (one(hop) || one(reverse(hop))) && of_one_edge(hop.edge))
}

/// Whether the end that a hop starts from holds at most one link.
fn holds_one(layout: &Layout, hop: Hop) -> bool {
    let edge = &layout.edges[usize::from(hop.edge)];
    edge.near(hop.forward).cardinality != Cardinality::Many
}

fn leads_to_one(layout: &Layout, def: &EventDef, path: &Path) -> bool {
    def.names[usize::from(path.root)].count != Cardinality::Many
        && path.hops.iter().all(|hop| holds_one(layout, *hop))
}

impl<S: Storage, V: EventValues> Arcs<'_, S, V> {
    /// Rejects two moves of one entity, a move and a delete of it, and two sets of one field of it.
    pub(super) fn check_meetings(&self) -> Result<(), StepError> {
        // For each entity that is moved an entry without a column, and one with a column for each field that is set.
        let mut met = HashSet::new();
        for effect in &self.def.effects {
            let (entity, twice) = match effect {
                Effect::Link(..) | Effect::Delete => continue,
                Effect::Set(set) => (
                    set.entity,
                    self.slots(set.at)
                        .find(|s| !met.insert((Some(set.value.column), set.entity, *s))),
                ),
                Effect::Move(arc) => (
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

    /// Rejects an event that links several entities at an end that holds at most one.
    pub(super) fn check_competing(&self) -> Result<(), StepError> {
        // What the event links with each end that holds one, by the hop from it and its slot.
        let mut linked: BTreeMap<(EdgeIx, bool, u32), BTreeSet<u32>> = BTreeMap::new();
        for effect in &self.def.effects {
            let Effect::Link(arc) = effect else {
                continue;
            };
            if !matches!(arc.kind, LinkKind::Link | LinkKind::Relink) {
                continue;
            }
            let (hop, far_hop) = (arc.hop, reverse(arc.hop));
            for near in self.slots(arc.at) {
                for far in self.slots(arc.with) {
                    for (hop, slot, other) in [(hop, near, far), (far_hop, far, near)] {
                        if holds_one(&self.graph.layout, hop) {
                            let end = (hop.edge, hop.forward, slot);
                            linked.entry(end).or_default().insert(other);
                        }
                    }
                }
            }
        }
        match linked.into_iter().find(|(_, others)| others.len() > 1) {
            None => Ok(()),
            Some(((edge, forward, slot), others)) => {
                let end = self.graph.layout.edges[usize::from(edge)].near(forward);
                Err(StepError::Cardinality {
                    entity: self.graph.named(end.entity, slot),
                    edge: Arc::clone(&end.path),
                    found: others.len(),
                    allowed: format!(
                        "at most one is allowed: {} links several there",
                        self.def.name
                    ),
                    chain: Chain::default(),
                })
            }
        }
    }
}
