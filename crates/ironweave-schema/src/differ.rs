//! The comparison of two schemas, by kind of item, with a verdict on each difference. `judge` has the verdicts, and `differ_rules` compares
//! events and invariants.
//!
//! A logged schema may be large and need not be valid, so each comparison takes linear time.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::compatibility::{Check, Difference, Verdict};
use crate::diff::{Change, Flag, Item, Property};
use crate::judge::{self, Judged};
use crate::reading::{Reading, Readings};
use crate::unknown::UnknownItem;
use crate::{EdgeDef, EndDef, EntityDef, EntityIx, Schema};

/// A comparison of two schemas, with the differences found so far.
pub(crate) struct Diff<'s> {
    pub(crate) was: &'s Schema,
    pub(crate) now: &'s Schema,
    pub(crate) differences: Vec<Difference>,
    pub(crate) readings: Readings<'s>,
    /// The entity types and states of both schemas.
    kept: Places<'s>,
    /// The names in the log of events that have another one now, by the new names.
    pub(crate) logged: HashMap<&'s str, &'s str>,
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
pub(crate) struct Paired<'s, T> {
    pub(crate) both: Vec<(&'s T, &'s T)>,
    pub(crate) removed: Vec<&'s T>,
    pub(crate) added: Vec<&'s T>,
    /// Whether the items of `both` are in a different order in the two lists.
    pub(crate) reordered: bool,
}

pub(crate) fn paired<'s, T, K: Hash + Eq>(
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

/// Renders a list of names.
pub(crate) fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

impl<'s> Diff<'s> {
    /// Returns all differences, in order, after those of renamed items. `logged` is the earlier schema before its items were renamed.
    pub(crate) fn of(
        logged: &'s Schema,
        was: &'s Schema,
        now: &'s Schema,
        renamed: Vec<(Change, bool)>,
    ) -> Vec<Difference> {
        let names = was.events.iter().map(|event| &*event.name);
        let logged = logged.events.iter().map(|event| &*event.name);
        let mut diff = Self {
            was,
            now,
            differences: Vec::new(),
            readings: Readings::between(was, now),
            kept: &places(was) & &places(now),
            logged: names.zip(logged).collect(),
        };
        for (change, of_shape) in renamed {
            diff.push(change, (Verdict::Free, of_shape));
        }
        diff.all();
        diff.differences
    }

    pub(crate) fn push(&mut self, change: Change, (verdict, of_shape): Judged) {
        self.differences.push(Difference {
            change,
            verdict,
            of_shape,
            may_fire: false,
        });
    }

    /// Records a change of the rules.
    pub(crate) fn rule(&mut self, change: Change) {
        self.push(change, judge::free());
    }

    /// Gives a verdict to the differences that were recorded after the first `from` ones.
    pub(crate) fn judge(&mut self, from: usize, judged: impl Fn() -> Judged) {
        for difference in self.differences.iter_mut().skip(from) {
            (difference.verdict, difference.of_shape) = judged();
        }
    }

    /// Returns whether both schemas have an entity type, and a state of it.
    pub(crate) fn has_kept(
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
        self.indexes();
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
    pub(crate) fn value<T: PartialEq + ToString + ?Sized>(
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
    pub(crate) fn flag(
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
    pub(crate) fn former_names(
        &mut self,
        item: impl FnOnce() -> Item,
        was: &[String],
        now: &[String],
    ) {
        let (was, now) = (list(was), list(now));
        self.value(item, None, Property::FormerNames, &was, &now);
    }

    pub(crate) fn encoding(
        &mut self,
        item: impl FnOnce() -> Item,
        was: Option<&crate::Encoding>,
        now: Option<&crate::Encoding>,
    ) {
        let (before, after) = (self.was, self.now);
        let (Some(was), Some(now)) = (was, now) else {
            return;
        };
        let (mut old, mut new) = (was.render(before), now.render(after));
        let reading = self.readings.encoded(was, now);
        // An entity may have another index in each schema. The rendered encodings contain its name, so they are compared.
        if old == new {
            let Some((key_was, key_now)) = self.readings.other_key(was, now) else {
                return;
            };
            old = format!("{old} by {key_was}");
            new = format!("{new} by {key_now}");
        }
        let readable = reading != Reading::Impossible;
        self.rule(Change::Changed {
            item: item(),
            end: None,
            property: Property::Encoding,
            was: old,
            now: new,
            readable,
        });
    }

    pub(crate) fn reordered(&mut self, is: bool, item: impl FnOnce() -> Item, what: &'static str) {
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
            let reading = self.readings.column(a, b);
            self.judge(from, || {
                judge::other_type(item(), Check::NoValue, (&a.ty, &b.ty), reading)
            });
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
            let reading = (self.readings).typed(judge::data_of(a), judge::data_of(b));
            self.judge(from, || judge::other_data(item(), a, b, reading));
            let default = |def: &'s EdgeDef| def.default.as_deref().unwrap_or("none");
            self.value(item, None, Property::Default, default(a), default(b));
            let from = self.differences.len();
            self.flag(item, None, Flag::Acyclic, a.acyclic, b.acyclic);
            self.judge(from, || judge::acyclic(item(), b.acyclic));
            self.end(b, &a.from, &b.from);
            self.end(b, &a.to, &b.to);
        }
        for edge in pairs.added {
            let ends = [&edge.from, &edge.to].into_iter();
            let mut needed = ends.filter(|end| {
                let is_needed = end.min > 0 || end.cardinality == crate::Cardinality::One;
                is_needed && self.has_kept(now, end.entity, None)
            });
            let first = needed.next();
            let other = needed.next();
            let judged = first.map_or_else(judge::free, |end| judge::needed_end(now, end));
            self.push(Change::Added(now.edge_item(edge)), judged);
            if let Some(end) = other {
                let added = Change::Added(Item::End(now.end_path(end)));
                self.push(added, judge::needed_end(now, end));
            }
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
}
