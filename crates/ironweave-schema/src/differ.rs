//! The comparison of two schemas, by kind of item.
//!
//! A logged schema may be large and need not be valid, so each comparison takes linear time.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::diff::{Change, Flag, Item, Property};
use crate::unknown::UnknownItem;
use crate::{EdgeDef, EndDef, EntityDef, EntityIx, EventDef, InvariantDef, Schema};

/// A comparison of two schemas, with the changes found so far.
pub(crate) struct Diff<'s> {
    was: &'s Schema,
    now: &'s Schema,
    changes: Vec<Change>,
}

/// The items of two lists, paired by a key.
struct Paired<'s, T> {
    both: Vec<(&'s T, &'s T)>,
    removed: Vec<&'s T>,
    added: Vec<&'s T>,
    /// Whether the items of `both` are in a different order in the two lists.
    reordered: bool,
}

fn paired<'s, T, K: Hash + Eq>(
    was: &'s [T],
    now: &'s [T],
    key_was: impl Fn(&'s T) -> K,
    key_now: impl Fn(&'s T) -> K,
) -> Paired<'s, T> {
    // In an invalid schema, several items may have the same key. They are paired in order.
    let mut positions: HashMap<K, Vec<usize>> = HashMap::with_capacity(now.len());
    for (at, item) in now.iter().enumerate().rev() {
        positions.entry(key_now(item)).or_default().push(at);
    }
    let mut taken = vec![false; now.len()];
    let mut paired = Paired {
        both: Vec::new(),
        removed: Vec::new(),
        added: Vec::new(),
        reordered: false,
    };
    let mut last = None;
    for item in was {
        match positions.get_mut(&key_was(item)).and_then(Vec::pop) {
            Some(at) => {
                taken[at] = true;
                paired.both.push((item, &now[at]));
                paired.reordered |= last > Some(at);
                last = Some(at);
            }
            None => paired.removed.push(item),
        }
    }
    let left = now.iter().zip(&taken).filter(|(_, taken)| !**taken);
    paired.added = left.map(|(item, _)| item).collect();
    paired
}

impl<'s> Diff<'s> {
    /// Returns all changes, in order.
    pub(crate) fn of(was: &'s Schema, now: &'s Schema) -> Vec<Change> {
        let mut diff = Self {
            was,
            now,
            changes: Vec::new(),
        };
        diff.all();
        diff.changes
    }

    fn all(&mut self) {
        let (was, now) = (self.was, self.now);
        let model = || Item::Model(now.name.clone());
        self.value(model, None, Property::Name, &was.name, &now.name);
        self.entities();
        self.columns();
        self.edges();
        self.events();
        self.invariants();
        let (known, here) = (was.unknown_items(), now.unknown_items());
        let only = |these: Vec<UnknownItem>, those: &[UnknownItem]| {
            let those: HashSet<String> = those.iter().map(ToString::to_string).collect();
            let new = these.into_iter();
            new.filter(move |item| !those.contains(&item.to_string()))
        };
        let gone =
            only(known.clone(), &here).map(|item| Change::Removed(Item::Unknown(Box::new(item))));
        self.changes.extend(gone);
        self.changes.extend(only(here, &known).map(Change::from));
    }

    /// Compares a property and records a change if it differs.
    fn value<T: PartialEq + ToString + ?Sized>(
        &mut self,
        item: impl FnOnce() -> Item,
        end: Option<&str>,
        property: Property,
        was: &T,
        now: &T,
    ) {
        if was != now {
            self.changes.push(Change::Changed {
                item: item(),
                end: end.map(str::to_owned),
                property,
                was: was.to_string(),
                now: now.to_string(),
                readable: true,
            });
        }
    }

    /// Compares a flag and records a change if it differs.
    fn flag(
        &mut self,
        item: impl FnOnce() -> Item,
        end: Option<&str>,
        flag: Flag,
        was: bool,
        now: bool,
    ) {
        let end = end.map(str::to_owned);
        match (was, now) {
            (false, true) => {
                let item = item();
                self.changes.push(Change::Became { item, end, flag });
            }
            (true, false) => {
                let item = item();
                self.changes.push(Change::Ceased { item, end, flag });
            }
            _ => {}
        }
    }

    fn encoding(
        &mut self,
        item: impl FnOnce() -> Item,
        was: Option<&crate::Encoding>,
        now: Option<&crate::Encoding>,
    ) {
        let (before, after) = (self.was, self.now);
        let (Some(was), Some(now)) = (was, now) else {
            return;
        };
        let (old, new) = (was.render(before), now.render(after));
        // An entity may have another index in each schema. The rendered encodings contain its name, so they are compared.
        if old == new {
            return;
        }
        let readable = now.reads(was) || was.entity().is_some() && now.entity().is_some();
        self.changes.push(Change::Changed {
            item: item(),
            end: None,
            property: Property::Encoding,
            was: old,
            now: new,
            readable,
        });
    }

    fn reordered(&mut self, is: bool, item: impl FnOnce() -> Item, what: &'static str) {
        if is {
            let item = item();
            self.changes.push(Change::Reordered { item, what });
        }
    }

    fn entities(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |entity: &'s EntityDef| entity.name.as_str();
        let pairs = paired(&was.entities, &now.entities, name, name);
        let item = |entity: &EntityDef| Item::Entity(entity.name.clone());
        self.changes
            .extend(pairs.removed.iter().map(|e| Change::Removed(item(e))));
        for (a, b) in pairs.both {
            self.entity(a, b);
        }
        self.changes
            .extend(pairs.added.iter().map(|e| Change::Added(item(e))));
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "entities");
    }

    fn entity(&mut self, was: &'s EntityDef, now: &'s EntityDef) {
        let initial = |def: &'s EntityDef| {
            let state = def.states.get(def.initial.index());
            state.map_or("?", |state| state.name.as_str())
        };
        let entity = || Item::Entity(now.name.clone());
        self.value(entity, None, Property::Initial, initial(was), initial(now));
        let state = |name: &str| Item::State {
            entity: now.name.clone(),
            name: name.to_owned(),
        };
        let pairs = paired(&was.states, &now.states, |s| &s.name, |s| &s.name);
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|s| Change::Removed(state(&s.name))));
        for (a, b) in pairs.both {
            let item = || state(&b.name);
            self.flag(item, None, Flag::Terminal, a.terminal, b.terminal);
            let name = |def: &'s EntityDef, to: &'s crate::TransitionDef| {
                let state = def.states.get(to.to.index());
                state.map_or("?", |state| state.name.as_str())
            };
            let moves = paired(&a.to, &b.to, |to| name(was, to), |to| name(now, to));
            let transition = |def: &'s EntityDef, to: &'s crate::TransitionDef| Item::Transition {
                entity: now.name.clone(),
                from: b.name.clone(),
                to: name(def, to).to_owned(),
                verb: to.verb.clone(),
            };
            for to in moves.removed {
                self.changes.push(Change::Removed(transition(was, to)));
            }
            for (before, after) in moves.both {
                let item = || transition(now, after);
                self.value(item, None, Property::Verb, &before.verb, &after.verb);
            }
            for to in moves.added {
                self.changes.push(Change::Added(transition(now, to)));
            }
            self.reordered(moves.reordered, item, "moves");
        }
        let added = pairs.added.iter();
        self.changes
            .extend(added.map(|s| Change::Added(state(&s.name))));
        self.reordered(pairs.reordered, entity, "states");
    }

    fn columns(&mut self) {
        let (was, now) = (self.was, self.now);
        let path = |schema: &'s Schema, def: &'s crate::ColumnDef| schema.column_path(def);
        let pairs = paired(
            &was.columns,
            &now.columns,
            |c| path(was, c),
            |c| path(now, c),
        );
        for column in pairs.removed {
            self.changes.push(Change::Removed(was.column_item(column)));
        }
        for (a, b) in pairs.both {
            let item = || now.column_item(b);
            self.value(item, None, Property::Type, &a.ty, &b.ty);
            self.encoding(item, a.encoding.as_ref(), b.encoding.as_ref());
            self.flag(item, None, Flag::Key, a.key, b.key);
            let index = |def: &crate::ColumnDef| match def.index {
                None => "none",
                Some(crate::IndexKind::Equal) => "equal",
                Some(crate::IndexKind::Ordered) => "ordered",
            };
            self.value(item, None, Property::Index, index(a), index(b));
            let default = |def: &'s crate::ColumnDef| def.default.as_deref().unwrap_or("none");
            self.value(item, None, Property::Default, default(a), default(b));
        }
        for column in pairs.added {
            self.changes.push(Change::Added(now.column_item(column)));
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "columns");
    }

    fn edges(&mut self) {
        let (was, now) = (self.was, self.now);
        let path = |schema: &'s Schema, def: &'s EdgeDef| schema.end_path(&def.from);
        let pairs = paired(&was.edges, &now.edges, |e| path(was, e), |e| path(now, e));
        for edge in pairs.removed {
            self.changes.push(Change::Removed(was.edge_item(edge)));
        }
        for (a, b) in pairs.both {
            let item = || now.edge_item(b);
            let (old, new) = (was.end_path(&a.to), now.end_path(&b.to));
            self.value(item, None, Property::Inverse, &old, &new);
            let data = |def: &'s EdgeDef| def.data.as_deref().unwrap_or("none");
            self.value(item, None, Property::Data, data(a), data(b));
            self.encoding(item, a.encoding.as_ref(), b.encoding.as_ref());
            self.flag(item, None, Flag::Acyclic, a.acyclic, b.acyclic);
            self.end(b, &a.from, &b.from);
            self.end(b, &a.to, &b.to);
        }
        for edge in pairs.added {
            self.changes.push(Change::Added(now.edge_item(edge)));
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "edges");
    }

    fn end(&mut self, edge: &EdgeDef, was: &EndDef, now: &EndDef) {
        let schema = self.now;
        let item = || schema.edge_item(edge);
        let path = schema.end_path(now);
        let end = Some(path.as_str());
        let text = |end: &EndDef| format!("{:?}", end.cardinality);
        self.value(item, end, Property::Cardinality, &text(was), &text(now));
        self.value(item, end, Property::Min, &was.min, &now.min);
        let max = |end: &EndDef| end.max.map_or("none".to_owned(), |max| max.to_string());
        self.value(item, end, Property::Max, &max(was), &max(now));
        let policy = |end: &EndDef| format!("{:?}", end.on_delete).to_lowercase();
        self.value(item, end, Property::OnDelete, &policy(was), &policy(now));
        self.flag(item, end, Flag::Counted, was.counted, now.counted);
    }

    fn events(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |event: &'s EventDef| event.name.as_str();
        let pairs = paired(&was.events, &now.events, name, name);
        let item = |event: &EventDef| Item::Event(event.name.clone());
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|e| Change::Removed(item(e))));
        for (a, b) in pairs.both {
            self.event(a, b);
        }
        let added = pairs.added.iter();
        self.changes.extend(added.map(|e| Change::Added(item(e))));
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "events");
    }

    fn event(&mut self, a: &'s EventDef, b: &'s EventDef) {
        let (was, now) = (self.was, self.now);
        let item = || Item::Event(b.name.clone());
        self.flag(item, None, Flag::Immediate, a.immediate, b.immediate);
        let field = |def: &crate::EventFieldDef| Item::EventField {
            event: b.name.clone(),
            name: def.name.clone(),
            ty: def.ty.clone(),
        };
        let pairs = paired(&a.fields, &b.fields, |f| &f.name, |f| &f.name);
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|f| Change::Removed(field(f))));
        for (before, after) in pairs.both {
            let item = || field(after);
            self.value(item, None, Property::Type, &before.ty, &after.ty);
            self.encoding(item, before.encoding.as_ref(), after.encoding.as_ref());
        }
        let added = pairs.added.iter();
        self.changes.extend(added.map(|f| Change::Added(field(f))));
        self.reordered(pairs.reordered, item, "fields");
        // The names come from fields and arcs, which are compared elsewhere. Only their bindings are compared here.
        let names = paired(&a.names, &b.names, |n| &n.name, |n| &n.name);
        for (before, after) in names.both {
            let (old, new) = (was.binding_text(before), now.binding_text(after));
            self.value(item, Some(&after.name), Property::Binding, &old, &new);
        }
        let of = || b.name.clone();
        let arcs = |schema: &Schema, def: &EventDef| -> Vec<String> {
            let arcs = def.arcs.iter();
            arcs.filter(|arc| !matches!(arc, crate::Arc::Unknown(_)))
                .map(|arc| schema.arc_text(def, arc))
                .collect()
        };
        let arc = |arc: String| Item::Arc { event: of(), arc };
        self.texts(item(), "arcs", [arcs(was, a), arcs(now, b)], arc);
        let mays = |schema: &Schema, def: &EventDef| -> Vec<String> {
            let mays = def.mays.iter();
            mays.filter(|may| !matches!(may, crate::May::Unknown(_)))
                .map(|may| schema.may_text(may))
                .collect()
        };
        let may = |may: String| Item::May { event: of(), may };
        self.texts(item(), "permissions", [mays(was, a), mays(now, b)], may);
        let guard = |guard: String| Item::Guard { event: of(), guard };
        let guards = [a.guards.clone(), b.guards.clone()];
        self.texts(item(), "guards", guards, guard);
    }

    /// Compares two lists of rendered items.
    fn texts(
        &mut self,
        of: Item,
        what: &'static str,
        [was, now]: [Vec<String>; 2],
        item: impl Fn(String) -> Item,
    ) {
        let pairs = paired(&was, &now, |text| text, |text| text);
        let (removed, added) = (pairs.removed.into_iter(), pairs.added.into_iter());
        self.changes
            .extend(removed.map(|text| Change::Removed(item(text.clone()))));
        self.changes
            .extend(added.map(|text| Change::Added(item(text.clone()))));
        self.reordered(pairs.reordered, || of, what);
    }

    fn invariants(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |invariant: &'s InvariantDef| invariant.name.as_str();
        let pairs = paired(&was.invariants, &now.invariants, name, name);
        let item = |invariant: &InvariantDef| Item::Invariant(invariant.name.clone());
        let removed = pairs.removed.iter();
        self.changes
            .extend(removed.map(|i| Change::Removed(item(i))));
        for (a, b) in pairs.both {
            let of = |schema: &'s Schema, entity: EntityIx| schema.entity_name(entity);
            let (old, new) = (of(was, a.entity), of(now, b.entity));
            self.value(|| item(b), None, Property::Of, old, new);
            let (old, new) = (was.hops_text(&a.via), now.hops_text(&b.via));
            self.value(|| item(b), None, Property::Via, &old, &new);
            self.value(|| item(b), None, Property::Check, &a.check, &b.check);
        }
        let added = pairs.added.iter();
        self.changes.extend(added.map(|i| Change::Added(item(i))));
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "invariants");
    }
}
