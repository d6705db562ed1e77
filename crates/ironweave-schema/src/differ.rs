//! The comparison of two schemas, by kind of item, with a verdict on each difference. `judge` has the verdicts.
//!
//! A logged schema may be large and need not be valid, so each comparison takes linear time.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::compatibility::{Difference, Verdict};
use crate::diff::{Change, Flag, Item, Property};
use crate::judge::{self, Judged};
use crate::unknown::UnknownItem;
use crate::{EdgeDef, EndDef, EntityDef, EntityIx, EventDef, InvariantDef, Schema};

/// A comparison of two schemas, with the differences found so far.
pub(crate) struct Diff<'s> {
    was: &'s Schema,
    now: &'s Schema,
    differences: Vec<Difference>,
    /// The entity types and states of both schemas.
    kept: Places<'s>,
}

/// Entity types, and states of them.
type Places<'s> = HashSet<(&'s str, Option<&'s str>)>;

/// Returns the entity types and states of a schema.
fn places(schema: &Schema) -> Places<'_> {
    let entities = (schema.entities.iter()).map(|entity| (entity.name.as_str(), None));
    let states = (schema.entities.iter()).flat_map(|entity| {
        let states = entity.states.iter();
        states.map(move |state| (entity.name.as_str(), Some(state.name.as_str())))
    });
    entities.chain(states).collect()
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
    /// Returns all differences, in order, after those of renamed items.
    pub(crate) fn of(
        was: &'s Schema,
        now: &'s Schema,
        renamed: Vec<(Change, bool)>,
    ) -> Vec<Difference> {
        let mut diff = Self {
            was,
            now,
            differences: Vec::new(),
            kept: &places(was) & &places(now),
        };
        for (change, of_shape) in renamed {
            diff.push(change, (Verdict::Free, of_shape));
        }
        diff.all();
        diff.differences
    }

    fn push(&mut self, change: Change, (verdict, of_shape): Judged) {
        self.differences.push(Difference {
            change,
            verdict,
            of_shape,
        });
    }

    /// Records a change of the rules.
    fn rule(&mut self, change: Change) {
        self.push(change, judge::free());
    }

    /// Gives a verdict to the differences that were recorded after the first `from` ones.
    fn judge(&mut self, from: usize, judged: impl Fn() -> Judged) {
        for difference in self.differences.iter_mut().skip(from) {
            (difference.verdict, difference.of_shape) = judged();
        }
    }

    /// Returns whether both schemas have an entity type, and a state of it.
    fn has_kept(
        &self,
        schema: &'s Schema,
        entity: EntityIx,
        state: Option<crate::StateIx>,
    ) -> bool {
        let name = schema.entity_name(entity);
        let state = state.map(|state| schema.state_name(entity, state));
        self.kept.contains(&(name, state))
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
        for item in only(known.clone(), &here) {
            let judged = judge::unknown(&item);
            self.push(Change::Removed(Item::Unknown(Box::new(item))), judged);
        }
        for item in only(here, &known) {
            let judged = judge::unknown(&item);
            self.push(Change::from(item), judged);
        }
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
            self.rule(Change::Changed {
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
                self.rule(Change::Became { item, end, flag });
            }
            (true, false) => {
                let item = item();
                self.rule(Change::Ceased { item, end, flag });
            }
            _ => {}
        }
    }

    /// Compares the former names of an item.
    fn former_names(&mut self, item: impl FnOnce() -> Item, was: &[String], now: &[String]) {
        let text = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        if was != now {
            self.rule(Change::Changed {
                item: item(),
                end: None,
                property: Property::FormerNames,
                was: text(was),
                now: text(now),
                readable: true,
            });
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
        self.rule(Change::Changed {
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
            self.rule(Change::Reordered { item, what });
        }
    }

    fn entities(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |entity: &'s EntityDef| entity.name.as_str();
        let pairs = paired(&was.entities, &now.entities, name, name);
        let item = |entity: &EntityDef| Item::Entity(entity.name.clone());
        for e in pairs.removed {
            self.push(Change::Removed(item(e)), judge::removed_entity(e));
        }
        for (a, b) in pairs.both {
            self.entity(a, b);
        }
        for e in pairs.added {
            self.rule(Change::Added(item(e)));
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "entities");
    }

    fn entity(&mut self, was: &'s EntityDef, now: &'s EntityDef) {
        let initial = |def: &'s EntityDef| {
            let state = def.states.get(def.initial.index());
            state.map_or("?", |state| state.name.as_str())
        };
        let entity = || Item::Entity(now.name.clone());
        self.former_names(entity, &was.renamed, &now.renamed);
        self.value(entity, None, Property::Initial, initial(was), initial(now));
        let state = |name: &str| Item::State {
            entity: now.name.clone(),
            name: name.to_owned(),
        };
        let pairs = paired(&was.states, &now.states, |s| &s.name, |s| &s.name);
        for s in pairs.removed {
            let judged = judge::removed_state(&now.name, s);
            self.push(Change::Removed(state(&s.name)), judged);
        }
        for (a, b) in pairs.both {
            let item = || state(&b.name);
            self.former_names(item, &a.renamed, &b.renamed);
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
                self.rule(Change::Removed(transition(was, to)));
            }
            for (before, after) in moves.both {
                let item = || transition(now, after);
                self.value(item, None, Property::Verb, &before.verb, &after.verb);
            }
            for to in moves.added {
                self.rule(Change::Added(transition(now, to)));
            }
            self.reordered(moves.reordered, item, "moves");
        }
        for s in pairs.added {
            self.rule(Change::Added(state(&s.name)));
        }
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
            let kept = self.has_kept(was, column.entity, column.state);
            let judged = judge::removed_column(was.column_item(column), &column.name, kept);
            self.push(Change::Removed(was.column_item(column)), judged);
        }
        // The entity types that keep a key, or a part of it.
        let keys = |schema: &'s Schema| {
            let keys = schema.columns.iter().filter(|column| column.key);
            keys.map(|column| schema.entity_name(column.entity))
        };
        let keyed: HashSet<&str> = keys(now).collect();
        for (a, b) in pairs.both {
            let item = || now.column_item(b);
            self.former_names(item, &a.renamed, &b.renamed);
            let from = self.differences.len();
            self.value(item, None, Property::Type, &a.ty, &b.ty);
            self.encoding(item, a.encoding.as_ref(), b.encoding.as_ref());
            let typed = (
                (was, (a.ty.as_str(), a.encoding.as_ref())),
                (now, (b.ty.as_str(), b.encoding.as_ref())),
            );
            self.judge(from, || judge::other_type(item(), typed));
            let from = self.differences.len();
            self.flag(item, None, Flag::Key, a.key, b.key);
            let entity = now.entity_name(b.entity);
            self.judge(from, || judge::other_key(entity, keyed.contains(entity)));
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
            let kept = self.has_kept(now, column.entity, column.state);
            let judged = judge::added_column(now, column, kept);
            self.push(Change::Added(now.column_item(column)), judged);
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "columns");
    }

    fn edges(&mut self) {
        let (was, now) = (self.was, self.now);
        let path = |schema: &'s Schema, def: &'s EdgeDef| schema.end_path(&def.from);
        let pairs = paired(&was.edges, &now.edges, |e| path(was, e), |e| path(now, e));
        for edge in pairs.removed {
            let kept = [&edge.from, &edge.to]
                .into_iter()
                .all(|end| self.has_kept(was, end.entity, None));
            let judged = judge::removed_edge(was.edge_item(edge), &edge.from.name, kept);
            self.push(Change::Removed(was.edge_item(edge)), judged);
        }
        for (a, b) in pairs.both {
            let item = || now.edge_item(b);
            let from = self.differences.len();
            let (old, new) = (was.end_path(&a.to), now.end_path(&b.to));
            self.value(item, None, Property::Inverse, &old, &new);
            let leads_elsewhere = was.entity_name(a.to.entity) != now.entity_name(b.to.entity);
            self.judge(from, || judge::other_inverse(item(), leads_elsewhere));
            let from = self.differences.len();
            let data = |def: &'s EdgeDef| def.data.as_deref().unwrap_or("none");
            self.value(item, None, Property::Data, data(a), data(b));
            self.encoding(item, a.encoding.as_ref(), b.encoding.as_ref());
            let typed = |schema, def: &'s EdgeDef| {
                let ty = def.data.as_deref();
                ty.map(|ty| (schema, (ty, def.encoding.as_ref())))
            };
            self.judge(from, || {
                judge::other_data(item(), typed(was, a), typed(now, b))
            });
            let from = self.differences.len();
            self.flag(item, None, Flag::Acyclic, a.acyclic, b.acyclic);
            self.judge(from, || judge::acyclic(item(), b.acyclic));
            self.end(b, &a.from, &b.from);
            self.end(b, &a.to, &b.to);
        }
        for edge in pairs.added {
            let ends = [&edge.from, &edge.to];
            let needed = ends.into_iter().find(|end| {
                let is_needed = end.min > 0 || end.cardinality == crate::Cardinality::One;
                is_needed && self.has_kept(now, end.entity, None)
            });
            let judged = judge::added_edge(now, needed);
            self.push(Change::Added(now.edge_item(edge)), judged);
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "edges");
    }

    fn end(&mut self, edge: &EdgeDef, was: &EndDef, now: &EndDef) {
        let schema = self.now;
        let item = || schema.edge_item(edge);
        let path = schema.end_path(now);
        let end = Some(path.as_str());
        let former = || Item::End(path.clone());
        self.former_names(former, &was.renamed, &now.renamed);
        let from = self.differences.len();
        let text = |end: &EndDef| format!("{:?}", end.cardinality);
        self.value(item, end, Property::Cardinality, &text(was), &text(now));
        let tighter = was.cardinality > now.cardinality;
        self.judge(from, || judge::links(&path, now, tighter, tighter));
        let from = self.differences.len();
        self.value(item, end, Property::Min, &was.min, &now.min);
        self.judge(from, || judge::links(&path, now, was.min < now.min, false));
        let from = self.differences.len();
        let max = |end: &EndDef| end.max.map_or("none".to_owned(), |max| max.to_string());
        self.value(item, end, Property::Max, &max(was), &max(now));
        let lower = now
            .max
            .is_some_and(|now| was.max.is_none_or(|was| was > now));
        self.judge(from, || judge::links(&path, now, lower, false));
        let policy = |end: &EndDef| format!("{:?}", end.on_delete).to_lowercase();
        self.value(item, end, Property::OnDelete, &policy(was), &policy(now));
        self.flag(item, end, Flag::Counted, was.counted, now.counted);
    }

    fn events(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |event: &'s EventDef| event.name.as_str();
        let pairs = paired(&was.events, &now.events, name, name);
        let item = |event: &EventDef| Item::Event(event.name.clone());
        for e in pairs.removed {
            self.push(Change::Removed(item(e)), judge::removed_event(e));
        }
        for (a, b) in pairs.both {
            self.event(a, b);
        }
        for e in pairs.added {
            let on = e.names.first();
            let kept = on.is_some_and(|on| self.has_kept(now, on.entity, None));
            self.push(Change::Added(item(e)), judge::added_event(e, kept));
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "events");
    }

    fn event(&mut self, a: &'s EventDef, b: &'s EventDef) {
        let (was, now) = (self.was, self.now);
        let item = || Item::Event(b.name.clone());
        self.former_names(item, &a.renamed, &b.renamed);
        let from = self.differences.len();
        self.flag(item, None, Flag::Immediate, a.immediate, b.immediate);
        self.judge(from, judge::other_trigger);
        let field = |def: &crate::EventFieldDef| Item::EventField {
            event: b.name.clone(),
            name: def.name.clone(),
            ty: def.ty.clone(),
        };
        let pairs = paired(&a.fields, &b.fields, |f| &f.name, |f| &f.name);
        for f in pairs.removed {
            self.push(Change::Removed(field(f)), judge::removed_event_field(f));
        }
        for (before, after) in pairs.both {
            let item = || field(after);
            self.former_names(item, &before.renamed, &after.renamed);
            let from = self.differences.len();
            self.value(item, None, Property::Type, &before.ty, &after.ty);
            self.encoding(item, before.encoding.as_ref(), after.encoding.as_ref());
            let typed = (
                (was, (before.ty.as_str(), before.encoding.as_ref())),
                (now, (after.ty.as_str(), after.encoding.as_ref())),
            );
            self.judge(from, || judge::other_event_type(typed));
        }
        for f in pairs.added {
            self.push(Change::Added(field(f)), judge::added_event_field(f));
        }
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
        for text in pairs.removed {
            self.rule(Change::Removed(item(text.clone())));
        }
        for text in pairs.added {
            self.rule(Change::Added(item(text.clone())));
        }
        self.reordered(pairs.reordered, || of, what);
    }

    fn invariants(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |invariant: &'s InvariantDef| invariant.name.as_str();
        let pairs = paired(&was.invariants, &now.invariants, name, name);
        let item = |invariant: &InvariantDef| Item::Invariant(invariant.name.clone());
        for i in pairs.removed {
            self.rule(Change::Removed(item(i)));
        }
        for (a, b) in pairs.both {
            let from = self.differences.len();
            let of = |schema: &'s Schema, entity: EntityIx| schema.entity_name(entity);
            let (old, new) = (of(was, a.entity), of(now, b.entity));
            self.value(|| item(b), None, Property::Of, old, new);
            let (old, new) = (was.hops_text(&a.via), now.hops_text(&b.via));
            self.value(|| item(b), None, Property::Via, &old, &new);
            self.value(|| item(b), None, Property::Check, &a.check, &b.check);
            self.judge(from, || judge::invariant(&b.name));
        }
        for i in pairs.added {
            self.push(Change::Added(item(i)), judge::invariant(&i.name));
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "invariants");
    }
}
