//! What the deletion of an entity implies by the policies of its edges.

use std::collections::{BTreeSet, VecDeque};

use ironweave_schema::{EdgeIx, EndDef, EntityIx, Hop, OnDelete, Path};

use super::derive::Derive;
use super::{Action, Arc, Inscription, Read, Tokens};

impl<'a> Derive<'a> {
    pub(super) fn delete(&self, entity: EntityIx) -> Action {
        let from = self.net[entity].states.clone();
        Action::Delete { from }
    }

    /// Adds what the deletion of the entities that a path reaches implies: their links are removed, and the entities are deleted
    /// that a cascade reaches. A type of entities is followed once, on the shortest way.
    pub(super) fn implied(&mut self, entity: EntityIx, path: &Path) {
        let mut seen = BTreeSet::from([entity]);
        let mut queue = VecDeque::from([(entity, path.clone())]);
        while let Some((entity, path)) = queue.pop_front() {
            for (hop, end) in self.ends(entity) {
                let edge = self.net[hop.edge].place;
                let tokens = Tokens::Links {
                    near: path.clone(),
                    hop,
                    far: None,
                };
                if end.on_delete == OnDelete::Restrict {
                    self.reads.push(Read {
                        places: vec![edge],
                        inscription: Inscription::None,
                        tokens,
                        amount: None,
                    });
                    continue;
                }
                let implied = |action, inscription, tokens| Arc {
                    action,
                    inscription,
                    tokens,
                    implied: true,
                };
                self.arcs
                    .push(implied(Action::Unlink { edge }, Inscription::Those, tokens));
                let far = self.schema[hop.edge].far(hop.forward).entity;
                if end.on_delete == OnDelete::Cascade && seen.insert(far) {
                    let mut path = path.clone();
                    path.hops.push(hop);
                    let tokens = Tokens::Entities(path.clone());
                    self.arcs
                        .push(implied(self.delete(far), self.scope(&path), tokens));
                    queue.push_back((far, path));
                }
            }
        }
    }

    /// Returns the hops that start at an entity type, with their near ends.
    pub(super) fn ends(&self, entity: EntityIx) -> Vec<(Hop, &'a EndDef)> {
        let schema = self.schema;
        let edges = EdgeIx::all(schema.edges.len());
        let hops = edges.flat_map(|edge| [true, false].map(|forward| Hop { edge, forward }));
        hops.map(|hop| (hop, schema[hop.edge].near(hop.forward)))
            .filter(|(_, end)| end.entity == entity)
            .collect()
    }

    /// Returns the deletion of an entity by a handler, with what it implies.
    pub(super) fn deletes(&self, entity: EntityIx) -> Vec<Action> {
        let mut actions = Vec::new();
        let mut seen = BTreeSet::from([entity]);
        let mut queue = vec![entity];
        while let Some(entity) = queue.pop() {
            actions.push(self.delete(entity));
            for (hop, end) in self.ends(entity) {
                if end.on_delete == OnDelete::Restrict {
                    continue;
                }
                let edge = self.net[hop.edge].place;
                actions.push(Action::Unlink { edge });
                let far = self.schema[hop.edge].far(hop.forward).entity;
                if end.on_delete == OnDelete::Cascade && seen.insert(far) {
                    queue.push(far);
                }
            }
        }
        actions
    }
}
