//! The difference of two snapshots, as facts. Pages that both snapshots share are skipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::id::Id;
use crate::graph::Graph;
use crate::graph::carry::have_same_tables;
use crate::graph::fact::{Fact, Facts};
use crate::graph::paged::Paged;
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};
use crate::snapshot::Snapshot;
use crate::step::model::Model;
use crate::store::record::Changes;

impl<M: Model> Snapshot<M> {
    /// Returns the facts that lead from this snapshot to another one: changes of entities, states, values and links. The order
    /// of links is not compared.
    ///
    /// The facts are in this order: unlinks, deletes, creates, moves, values, links, data of links. A new entity has all its
    /// values. O(difference) if one snapshot was made from the other, or both from a third: a change at a list of any length costs at
    /// most a few pages of it.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, Lit};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let before = store.snapshot();
    /// let hall = store.try_step(Lit { lamp: "hall".into() })?.bound.lamp.any();
    /// let changes = before.diff(&store.snapshot())?;
    /// assert_eq!(changes.facts().created::<Lamp>(), [hall]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `is_other_history` if the snapshots are of different stores and neither store began at a snapshot of the other, since
    /// the entities of two such stores are unrelated. It is also returned if the snapshots are of two copies of a log that
    /// have different frames with the same sequence. Snapshots of two copies of a log after different sequences are not
    /// detected.
    pub fn diff(&self, to: &Self) -> Result<Changes<M>, ReadError> {
        let (from, other) = (self.state.lineage, to.state.lineage);
        if from != other {
            return Err(ReadError::OtherStore { this: from, other });
        }
        if let (Some(ours), Some(theirs)) = (self.position(), to.position())
            && ours.store() == theirs.store()
            && ours.seq() == theirs.seq()
        {
            ours.check(theirs)?;
        }
        let (a, b) = (&self.state.plan.layout, &to.state.plan.layout);
        if !Arc::ptr_eq(a, b) && !have_same_tables(&a.schema, &b.schema) {
            return Err(ReadError::OtherSchema);
        }
        let diff = Diff {
            a: &self.state.graph,
            b: &to.state.graph,
            facts: Facts::default(),
        };
        let layout = Arc::clone(&self.state.plan.layout);
        Ok(Changes::before(&*to.state, diff.all(), layout))
    }
}

struct Diff<'g> {
    a: &'g Graph<Paged>,
    b: &'g Graph<Paged>,
    facts: Facts,
}

/// The id and the state of the entity at a slot.
type EntityAt = Option<(Id, StateIx)>;

/// Returns the entity at a slot.
fn entity_at(graph: &Graph<Paged>, entity: EntityIx, slot: u32) -> EntityAt {
    let found = slot < graph.slots(entity) && graph.is_alive(entity, slot);
    found.then(|| (graph.id(entity, slot), graph.state_of(entity, slot)))
}

/// Returns the links of each of two graphs, as the ids at the declaring and the inverse end, without most of those that both have.
fn links(a: &Graph<Paged>, b: &Graph<Paged>, edge: EdgeIx) -> [BTreeSet<(Id, Id)>; 2] {
    let layout = &a.layout.edges[usize::from(edge)];
    let (near, far) = (layout.from.entity, layout.to.entity);
    let [mut was, mut is] = [BTreeSet::new(), BTreeSet::new()];
    for slot in a.differing_links(b, edge) {
        let [ours, theirs] = a.differing_members(b, edge, slot);
        let pairs = |graph: &Graph<Paged>, members: Vec<u32>, into: &mut BTreeSet<_>| {
            let id = |other| (graph.id(near, slot), graph.id(far, other));
            into.extend(members.into_iter().map(id));
        };
        pairs(a, ours, &mut was);
        pairs(b, theirs, &mut is);
    }
    [was, is]
}

impl Diff<'_> {
    fn all(mut self) -> Facts {
        let layout = Arc::clone(&self.a.layout);
        let (a, b) = (self.a, self.b);
        let edges = EdgeIx::all(layout.edges.len());
        let mut linked = Vec::new();
        for edge in edges.clone() {
            let [was, is] = links(a, b, edge);
            for (from, to) in was.difference(&is) {
                self.push(Fact::Unlink {
                    edge,
                    from: from.slot,
                    to: to.slot,
                });
            }
            linked.push(is.difference(&was).copied().collect::<BTreeSet<_>>());
        }
        let mut created = Vec::new();
        let mut moved = Vec::new();
        for entity in EntityIx::all(layout.entities.len()) {
            for slot in a.differing_entities(b, entity) {
                let (was, is) = (entity_at(a, entity, slot), entity_at(b, entity, slot));
                let same = was.map(|w| w.0) == is.map(|i| i.0);
                match (was, is) {
                    (Some((_, from)), Some((_, to))) if same && from != to => {
                        moved.push(Fact::Move {
                            entity,
                            slot,
                            from,
                            to,
                        });
                    }
                    _ if same => {}
                    (was, is) => {
                        if let Some((Id { slot, generation }, state)) = was {
                            self.push(Fact::Delete {
                                entity,
                                state,
                                slot,
                                generation,
                            });
                        }
                        if let Some((Id { slot, generation }, state)) = is {
                            created.push(Fact::Create {
                                entity,
                                state,
                                slot,
                                generation,
                            });
                        }
                    }
                }
            }
        }
        self.facts.list.extend(created);
        self.facts.list.extend(moved);
        self.values();
        for (edge, pairs) in edges.clone().zip(&linked) {
            for (from, to) in pairs {
                self.push(Fact::Link {
                    edge,
                    from: from.slot,
                    to: to.slot,
                });
            }
        }
        for (edge, new) in edges.zip(&linked) {
            self.link_values(edge, new);
        }
        self.facts
    }

    fn push(&mut self, fact: Fact) {
        self.facts.list.push(fact);
    }

    /// Appends the bytes of a value. Returns its position and length.
    fn value(&mut self, bytes: &[u8]) -> (u32, u32) {
        let at = self.facts.bytes.len() as u32;
        self.facts.bytes.extend_from_slice(bytes);
        (at, bytes.len() as u32)
    }

    fn values(&mut self) {
        let (a, b) = (self.a, self.b);
        for (column, layout) in ColumnIx::all(b.layout.columns.len()).zip(&b.layout.columns) {
            let entity = layout.entity;
            let state = b.layout.schema[column].state;
            for slot in a.differing_cells(b, column) {
                let (was, is) = (entity_at(a, entity, slot), entity_at(b, entity, slot));
                let hash = |graph: &Graph<Paged>, found: EntityAt| {
                    found.and_then(|_| graph.column(column).hash(slot))
                };
                // An entity that moved to another state has its data set again, even if the data is equal.
                let kept = was.map(|w| w.0) == is.map(|i| i.0)
                    && hash(a, was) == hash(b, is)
                    && (state.is_none() || was == is);
                if kept || is.is_none() {
                    continue;
                }
                if let Some(bytes) = b.column(column).encoded(slot) {
                    let value = self.value(&bytes);
                    self.push(Fact::set(column, slot, value));
                }
            }
        }
    }

    /// Appends the data of links that are `new`, or whose data differs.
    fn link_values(&mut self, edge: EdgeIx, new: &BTreeSet<(Id, Id)>) {
        let (a, b) = (self.a, self.b);
        let mut pairs: BTreeSet<(u32, u32)> = new.iter().map(|(x, y)| (x.slot, y.slot)).collect();
        pairs.extend(a.differing_link_data(b, edge));
        for (from, to) in pairs {
            let hash = |graph: &Graph<Paged>| {
                let (column, row) = graph.link_row_if_there(edge, from, to)?;
                column.hash(row)
            };
            let ids = |graph: &Graph<Paged>| {
                let layout = &graph.layout.edges[usize::from(edge)];
                (
                    entity_at(graph, layout.from.entity, from).map(|h| h.0),
                    entity_at(graph, layout.to.entity, to).map(|h| h.0),
                )
            };
            if ids(a) == ids(b) && hash(a) == hash(b) {
                continue;
            }
            let found = b.link_row_if_there(edge, from, to);
            let Some(bytes) = found.and_then(|(column, row)| column.encoded(row)) else {
                continue;
            };
            let value = self.value(&bytes);
            self.push(Fact::set_link(edge, (from, to), value));
        }
    }
}
