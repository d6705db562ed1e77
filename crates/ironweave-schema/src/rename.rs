//! Renamed items: an earlier schema with the names that a later one gives to its items by `#[renamed(from = "..")]`.
//!
//! A logged schema may be large and need not be valid, so each list is searched by a map and indexes are not trusted.

use std::collections::HashMap;

use crate::diff::{Change, Item};
use crate::{EndDef, EntityIx, EventDef, EventFieldDef, Schema};

/// The positions of items, by their keys.
type Positions<K> = HashMap<K, usize>;

/// Returns the position of the item that a later item was renamed from: its key is not in the earlier list, and one of its
/// former keys is.
fn former<'n, K: std::hash::Hash + Eq>(
    positions: &Positions<K>,
    renamed: &'n [String],
    now: &'n str,
    key: impl Fn(&'n str) -> K,
) -> Option<usize> {
    if renamed.is_empty() || positions.contains_key(&key(now)) {
        return None;
    }
    (renamed.iter()).find_map(|name| positions.get(&key(name)).copied())
}

/// Replaces an identifier in a type as written.
fn replace_word(text: &mut String, was: &str, now: &str) {
    if was.is_empty() {
        return;
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(was) {
        let after = &rest[at + was.len()..];
        let is_whole = !rest[..at].ends_with(is_word) && !after.starts_with(is_word);
        out += &rest[..at];
        out += if is_whole { now } else { was };
        rest = after;
    }
    out += rest;
    *text = out;
}

impl Schema {
    /// Returns this schema with the names that a later schema gives to its items. An item is renamed if the later schema has
    /// it with `#[renamed(from = "..")]`, and this one has an item of a former name and none of the new name.
    #[must_use]
    pub fn with_names_of(&self, now: &Self) -> Self {
        self.renamed_by(now).0
    }

    /// As [`Schema::with_names_of`], with a change for each renamed item, and whether the name is one of stored data.
    pub(crate) fn renamed_by(&self, now: &Self) -> (Self, Vec<(Change, bool)>) {
        let mut renaming = Renaming {
            was: self.clone(),
            changes: Vec::new(),
            words: Vec::new(),
        };
        renaming.entities(now);
        renaming.columns(now);
        renaming.ends(now);
        renaming.events(now);
        renaming.invariants(now);
        (renaming.was, renaming.changes)
    }
}

/// A renaming of the items of an earlier schema.
struct Renaming {
    was: Schema,
    changes: Vec<(Change, bool)>,
    /// The former and the new names of entity types and states, each with the index of the entity type. They occur in the types of
    /// the fields of events that bind entities of that type.
    words: Vec<(usize, String, String)>,
}

impl Renaming {
    fn renamed(&mut self, item: Item, was: String, of_shape: bool) {
        self.changes.push((Change::Renamed { item, was }, of_shape));
    }

    fn entities(&mut self, now: &Schema) {
        let names = self.was.entities.iter().map(|e| e.name.clone());
        let positions: Positions<String> = names.zip(0..).collect();
        for entity in &now.entities {
            let found = former(&positions, &entity.renamed, &entity.name, str::to_owned);
            let Some((at, def)) = found.and_then(|at| Some((at, self.was.entities.get_mut(at)?)))
            else {
                continue;
            };
            let was = std::mem::replace(&mut def.name, entity.name.clone());
            def.renamed.clone_from(&entity.renamed);
            self.words.push((at, was.clone(), entity.name.clone()));
            self.renamed(Item::Entity(entity.name.clone()), was, true);
        }
        let names = self.was.entities.iter().map(|e| e.name.clone());
        let positions: Positions<String> = names.zip(0..).collect();
        for entity in &now.entities {
            let Some(at) = positions.get(&entity.name) else {
                continue;
            };
            let states = &self.was.entities[*at].states;
            let known: Positions<String> = states.iter().map(|s| s.name.clone()).zip(0..).collect();
            for state in &entity.states {
                let found = former(&known, &state.renamed, &state.name, str::to_owned);
                let Some(def) = found.and_then(|i| self.was.entities[*at].states.get_mut(i)) else {
                    continue;
                };
                let was = std::mem::replace(&mut def.name, state.name.clone());
                def.renamed.clone_from(&state.renamed);
                self.words.push((*at, was.clone(), state.name.clone()));
                let item = Item::State {
                    entity: entity.name.clone(),
                    name: state.name.clone(),
                };
                self.renamed(item, was, true);
            }
        }
    }

    fn columns(&mut self, now: &Schema) {
        if now.columns.iter().all(|column| column.renamed.is_empty()) {
            return;
        }
        let keys = self.was.columns.iter().map(|column| {
            let (entity, state) = self.was.column_owner(column);
            (
                entity.to_owned(),
                state.map(str::to_owned),
                column.name.clone(),
            )
        });
        let positions: Positions<_> = keys.zip(0..).collect();
        for column in &now.columns {
            let (entity, state) = now.column_owner(column);
            let (entity, state) = (entity.to_owned(), state.map(str::to_owned));
            let key = |name: &str| (entity.clone(), state.clone(), name.to_owned());
            let found = former(&positions, &column.renamed, &column.name, key);
            if let Some(def) = found.and_then(|at| self.was.columns.get_mut(at)) {
                let was = std::mem::replace(&mut def.name, column.name.clone());
                def.renamed.clone_from(&column.renamed);
                self.renamed(now.column_item(column), was, true);
            }
        }
    }

    fn ends(&mut self, now: &Schema) {
        let ends = || now.edges.iter().flat_map(|edge| [&edge.from, &edge.to]);
        if ends().all(|end| end.renamed.is_empty()) {
            return;
        }
        let key = |schema: &Schema, end: &EndDef| {
            let entity = schema.entity_name(end.entity).to_owned();
            (entity, end.name.clone())
        };
        let of_edges = self
            .was
            .edges
            .iter()
            .flat_map(|edge| [&edge.from, &edge.to]);
        let keys = of_edges.map(|end| key(&self.was, end));
        let positions: Positions<_> = keys.zip(0..).collect();
        for edge in &now.edges {
            for end in [&edge.from, &edge.to] {
                let entity = now.entity_name(end.entity);
                let key = |name: &str| (entity.to_owned(), name.to_owned());
                let Some(at) = former(&positions, &end.renamed, &end.name, key) else {
                    continue;
                };
                let def = self.was.edges.get_mut(at / 2);
                let Some(def) = def.map(|e| if at % 2 == 0 { &mut e.from } else { &mut e.to })
                else {
                    continue;
                };
                let was = std::mem::replace(&mut def.name, end.name.clone());
                def.renamed.clone_from(&end.renamed);
                let end = now.end_path(end);
                // The graph and its fingerprint have the name of the declaring end.
                self.renamed(Item::End(end), was, at % 2 == 0);
            }
        }
    }

    fn events(&mut self, now: &Schema) {
        let names = self.was.events.iter().map(|e| e.name.clone());
        let positions: Positions<String> = names.zip(0..).collect();
        for event in &now.events {
            let found = former(&positions, &event.renamed, &event.name, str::to_owned);
            if let Some(def) = found.and_then(|at| self.was.events.get_mut(at)) {
                let was = std::mem::replace(&mut def.name, event.name.clone());
                def.renamed.clone_from(&event.renamed);
                self.renamed(Item::Event(event.name.clone()), was, false);
            }
        }
        let names = self.was.events.iter().map(|e| e.name.clone());
        let positions: Positions<String> = names.zip(0..).collect();
        for event in &now.events {
            if let Some(at) = positions.get(&event.name) {
                self.event(*at, event);
            }
        }
    }

    fn invariants(&mut self, now: &Schema) {
        let names = self.was.invariants.iter().map(|i| i.name.clone());
        let positions: Positions<String> = names.zip(0..).collect();
        for invariant in &now.invariants {
            let renamed = &invariant.renamed;
            let found = former(&positions, renamed, &invariant.name, str::to_owned);
            if let Some(def) = found.and_then(|at| self.was.invariants.get_mut(at)) {
                let was = std::mem::replace(&mut def.name, invariant.name.clone());
                def.renamed.clone_from(&invariant.renamed);
                self.renamed(Item::Invariant(invariant.name.clone()), was, false);
            }
        }
    }

    fn event(&mut self, at: usize, now: &EventDef) {
        let def = &mut self.was.events[at];
        for (entity, was, name) in &self.words {
            let binds = |field: &EventFieldDef| {
                let mut bound = def.names.iter().filter(|bound| bound.name == field.name);
                bound.any(|bound| bound.entity.index() == *entity)
            };
            for field in &mut def.fields {
                if binds(field) {
                    replace_word(&mut field.ty, was, name);
                }
            }
        }
        if now.fields.iter().all(|field| field.renamed.is_empty()) {
            return;
        }
        let names = def.fields.iter().map(|f| f.name.clone());
        let positions: Positions<String> = names.zip(0..).collect();
        for field in &now.fields {
            let found = former(&positions, &field.renamed, &field.name, str::to_owned);
            let Some(old) = found.and_then(|i| def.fields.get_mut(i)) else {
                continue;
            };
            let was = std::mem::replace(&mut old.name, field.name.clone());
            old.renamed.clone_from(&field.renamed);
            // A field that names an entity is also a name of the event.
            if let Some(name) = def.names.iter_mut().find(|name| name.name == was) {
                name.name.clone_from(&field.name);
            }
            let item = Item::EventField {
                event: now.name.clone(),
                name: field.name.clone(),
                ty: field.ty.clone(),
            };
            self.changes.push((Change::Renamed { item, was }, false));
        }
    }
}

impl Schema {
    /// Returns the names of the entity type and of the state that have a column.
    fn column_owner(&self, column: &crate::ColumnDef) -> (&str, Option<&str>) {
        let entity: EntityIx = column.entity;
        let state = column.state.map(|state| self.state_name(entity, state));
        (self.entity_name(entity), state)
    }
}
