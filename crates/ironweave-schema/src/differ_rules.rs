//! The comparison of the rules of two schemas: events, with their fields, arcs, permissions and guards, and invariants.

use crate::diff::{Change, Flag, Item, Property};
use crate::differ::{Diff, list, paired};
use crate::{EntityIx, EventDef, IndexDef, InvariantDef, Schema, judge};

impl<'s> Diff<'s> {
    pub(crate) fn events(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |event: &'s EventDef| event.name.as_str();
        let pairs = paired(&was.events, &now.events, name, name);
        let item = |event: &EventDef| Item::Event(event.name.clone());
        for e in pairs.removed {
            self.rule(Change::Removed(item(e)));
        }
        for (a, b) in pairs.both {
            self.event(a, b);
        }
        for e in pairs.added {
            let from = self.differences.len();
            self.rule(Change::Added(item(e)));
            self.fires(from, e);
        }
        let model = || Item::Model(now.name.clone());
        self.reordered(pairs.reordered, model, "events");
    }

    /// Says of the differences after the first `from` ones that they make an event immediate, if it is and if entities of the type that it
    /// fires on may exist.
    fn fires(&mut self, from: usize, event: &'s EventDef) {
        let on = event.names.first().filter(|_| event.immediate);
        let may_fire = on.is_some_and(|on| self.has_kept(self.now, on.entity, None));
        for difference in self.differences.iter_mut().skip(from) {
            difference.may_fire = may_fire;
        }
    }

    fn event(&mut self, a: &'s EventDef, b: &'s EventDef) {
        let (was, now) = (self.was, self.now);
        let item = || Item::Event(b.name.clone());
        self.former_names(item, &a.renamed, &b.renamed);
        let from = self.differences.len();
        self.flag(item, None, Flag::Immediate, a.immediate, b.immediate);
        self.fires(from, b);
        let logged = self.logged.get(b.name.as_str()).copied();
        let logged = logged.unwrap_or(&a.name);
        // An event whose trigger has changed is another event. An immediate one has only the entity that it fired on.
        let is_another = a.immediate || b.immediate;
        let is_read = is_another || b.upcasts.iter().any(|from| from == logged);
        let field = |def: &crate::EventFieldDef| Item::EventField {
            event: b.name.clone(),
            name: def.name.clone(),
            ty: def.ty.clone(),
        };
        let pairs = paired(&a.fields, &b.fields, |f| &f.name, |f| &f.name);
        for f in pairs.removed {
            self.rule(Change::Removed(field(f)));
        }
        for (before, after) in pairs.both {
            let item = || field(after);
            self.former_names(item, &before.renamed, &after.renamed);
            let from = self.differences.len();
            self.value(item, None, Property::Type, &before.ty, &after.ty);
            self.encoding(item, before.encoding.as_ref(), after.encoding.as_ref());
            let reading = self.readings.event_field(before, after);
            if !is_read {
                let types = (&*before.ty, &*after.ty);
                self.judge(from, || {
                    judge::other_event_type(&b.name, logged, types, reading)
                });
            }
            let default = |def: &'s crate::EventFieldDef| def.default.as_deref().unwrap_or("none");
            let (old, new) = (default(before), default(after));
            self.value(item, None, Property::Default, old, new);
        }
        for f in pairs.added {
            let judged = match is_read {
                true => judge::free(),
                false => judge::added_event_field(&b.name, logged, f),
            };
            self.push(Change::Added(field(f)), judged);
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
        let order = |schema: &Schema, def: &EventDef| {
            (def.order).map_or_else(|| "slot".to_owned(), |order| schema.order_text(order))
        };
        let (old, new) = (order(was, a), order(now, b));
        self.value(item, None, Property::SortBy, &old, &new);
        let due = |schema: &Schema, def: &EventDef| match &def.due {
            Some(due) => schema.due_text(def, due),
            None => "none".to_owned(),
        };
        let (old, new) = (due(was, a), due(now, b));
        self.value(item, None, Property::Due, &old, &new);
        let (old, new) = (list(&a.upcasts), list(&b.upcasts));
        self.value(item, None, Property::Upcasts, &old, &new);
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

    /// Compares the indexes, which are made when a log is opened.
    pub(crate) fn indexes(&mut self) {
        let (was, now) = (self.was, self.now);
        let item = |schema: &Schema, def: &IndexDef| Item::Index {
            entity: schema.entity_name(def.entity).to_owned(),
            index: schema.index_text(def),
        };
        let items = |schema: &Schema| -> Vec<(String, Item)> {
            let items = schema.indexes.iter().map(|def| item(schema, def));
            items.map(|item| (item.to_string(), item)).collect()
        };
        let (was, now) = (items(was), items(now));
        let pairs = paired(&was, &now, |(text, _)| text, |(text, _)| text);
        for (_, item) in pairs.removed {
            self.rule(Change::Removed(item.clone()));
        }
        for (_, item) in pairs.added {
            self.rule(Change::Added(item.clone()));
        }
        let model = || Item::Model(self.now.name.clone());
        self.reordered(pairs.reordered, model, "indexes");
    }

    pub(crate) fn invariants(&mut self) {
        let (was, now) = (self.was, self.now);
        let name = |invariant: &'s InvariantDef| invariant.name.as_str();
        let pairs = paired(&was.invariants, &now.invariants, name, name);
        let item = |invariant: &InvariantDef| Item::Invariant(invariant.name.clone());
        for i in pairs.removed {
            self.rule(Change::Removed(item(i)));
        }
        for (a, b) in pairs.both {
            self.former_names(|| item(b), &a.renamed, &b.renamed);
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
