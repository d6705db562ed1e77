//! Resolves events: first the bindings of their fields, then their arcs, then checks on each name.

use std::collections::BTreeSet;

use ironweave_schema::{
    Arc, BindBy, Cardinality, EdgeIx, EventDef, EventFieldDef, EventIx, FieldIx, May, NameDef,
    NameIx, Scope as Among,
};
use proc_macro2::Ident;

use super::bindings::{Binding, binding, mended};
use super::entities;
use super::model::{
    Event, EventField, FieldDefault, FieldKind, Literal, Name, Resolved, Typed, ValueFunction,
};
use super::names::plain;
use super::renamed::former_names;
use super::table::Table;
use super::types;
use super::{arcs, choose, due, immediates, json, mays};
use crate::errors::Errors;
use crate::parse::ast;

/// The scope of the arcs of an event.
pub struct Scope<'e> {
    /// Entities, columns and edges.
    pub resolved: &'e Resolved,
    /// The name of the event.
    pub event: &'e Ident,
    /// What is resolved of it.
    pub def: EventDef,
    /// Its fields.
    pub fields: Table<FieldIx, EventField>,
    /// Its names.
    pub names: Table<NameIx, Name>,
    /// The number of names that exist when the current arc acts.
    pub known: usize,
    /// The names of `choose` arcs that have not been resolved yet.
    pub later: Vec<String>,
    /// The keywords of arcs that could not be parsed.
    pub unread: Vec<String>,
    /// Names that were reported already, and must not be reported again.
    pub broken: BTreeSet<String>,
    /// Literals so far.
    pub literals: Vec<Literal>,
    /// Values to compare with their columns.
    pub typed: Vec<Typed>,
    /// Functions so far.
    pub functions: Vec<ValueFunction>,
}

impl Scope<'_> {
    /// The name that is called so.
    pub fn named(&self, name: &Ident) -> Option<NameIx> {
        self.names.position(|known| known.name == *name)
    }

    /// The name of a `create` arc.
    pub fn created(&self, name: &Ident) -> Option<NameIx> {
        let found = self
            .names
            .entries()
            .find(|(ix, known)| self.def[*ix].by == BindBy::Created && known.name == *name);
        found.map(|(ix, _)| ix)
    }

    /// Adds a name.
    pub fn add(&mut self, name: Name, (entity, count, by): Binding) -> NameIx {
        self.def.names.push(NameDef {
            name: plain(&name.name),
            entity,
            count,
            by,
            ..NameDef::default()
        });
        self.names.push(name)
    }
}

/// Resolves all events.
pub fn resolve(
    events: Vec<ast::Event>,
    resolved: &mut Resolved,
    errors: &mut Errors,
) -> Table<EventIx, Event> {
    let mut seen = BTreeSet::new();
    let mut all = Table::default();
    for event in events {
        if seen.insert(plain(&event.name)) {
            let (def, event) = one(event, resolved, errors);
            resolved.schema.events.push(def);
            all.push(event);
        }
    }
    all
}

fn one(mut event: ast::Event, resolved: &Resolved, errors: &mut Errors) -> (EventDef, Event) {
    let before = errors.len();
    let mut scope = Scope {
        resolved,
        event: &event.name.clone(),
        def: EventDef {
            name: plain(&event.name),
            immediate: event.immediate,
            guards: event.guards.iter().map(types::text).collect(),
            renamed: former_names(&event.renamed),
            upcasts: (event.upcasts.iter())
                .map(|upcast| upcast.from.value())
                .collect(),
            ..EventDef::default()
        },
        fields: Table::default(),
        names: Table::default(),
        known: 0,
        later: (event.arcs.iter())
            .filter_map(|arc| match arc {
                ast::Arc::Choose(choose) => Some(plain(&choose.name)),
                _ => None,
            })
            .collect(),
        unread: event.unread,
        broken: BTreeSet::new(),
        literals: Vec::new(),
        typed: Vec::new(),
        functions: Vec::new(),
    };
    for written in event.fields {
        field(&mut scope, written, errors);
    }
    json::names(&scope.fields, errors);
    let is_token = |(name, _): &(NameIx, &Name)| matches!(scope.def[*name].by, BindBy::Token(_));
    let token = scope.names.entries().find(is_token);
    if let Some((_, token)) = token {
        for path in entities::take_derives(&mut event.attrs, &["Clone", "Copy"]) {
            let (derive, token, name) = (types::text(&path), &token.name, &event.name);
            errors.at(
                &path,
                format!(
                    "`{token}` of `{name}` is a token, which can be used only once: remove `{derive}`, or bind a plain handle \
                     (an `AnyEvent` can be cloned)"
                ),
            );
        }
    }
    for arc in &event.arcs {
        if let ast::Arc::Create {
            name,
            entity,
            state,
            ..
        } = arc
        {
            created(
                &mut scope,
                name,
                entity,
                state.as_ref().map(|(state, _)| state),
                errors,
            );
        }
    }
    let mut resolved_arcs = Vec::new();
    // Creates come first, then chooses, each in written order.
    let mut written: Vec<&ast::Arc> = event.arcs.iter().collect();
    written.sort_by_key(|arc| match arc {
        ast::Arc::Create { .. } => 0,
        ast::Arc::Choose(_) => 1,
        _ => 2,
    });
    for arc in written.iter().copied() {
        scope.known = match arc {
            ast::Arc::Create { name, .. } => scope.created(name).map_or(0, NameIx::index),
            _ => scope.names.len(),
        };
        resolved_arcs.extend(arcs::one(&mut scope, arc, errors));
        if let ast::Arc::Choose(choose) = arc {
            let name = plain(&choose.name);
            let at = scope.later.iter().position(|later| *later == name);
            at.map(|at| scope.later.remove(at));
        }
    }
    let before_mays = errors.len();
    let mut mays = mays::resolve(&event.mays, resolved, errors);
    if errors.len() > before_mays || scope.unread.iter().any(|word| word == "may") {
        mays = mays::every(resolved);
    }
    if errors.len() == before && scope.broken.is_empty() {
        arcs::together(&scope, &written, &resolved_arcs, errors);
        choose::moves_are_possible(&scope, &written, &resolved_arcs, errors);
        if scope.unread.is_empty() {
            ends_are_filled(&scope, &resolved_arcs, &mays, errors);
        }
    }
    if event.immediate {
        immediates::check(&scope, &event.arcs, &event.guards, errors);
        choose::of_immediate(&scope, &event.arcs, errors);
        let order = event.order.as_ref();
        scope.def.order = order.and_then(|by| choose::firing_order(&mut scope, by, errors));
    }
    for arc in &resolved_arcs {
        if let Arc::Move {
            scope: Among::Each,
            path,
            to,
            ..
        } = arc
            && path.hops.is_empty()
        {
            scope.names[path.root].after = Some(*to);
        }
    }
    let fields_are_known = scope.broken.is_empty();
    let Scope {
        mut def,
        fields,
        names,
        literals,
        typed,
        functions,
        ..
    } = scope;
    (def.arcs, def.mays) = (resolved_arcs, mays);
    if let Some(due) = event.due.as_ref().filter(|_| fields_are_known) {
        def.due = due::resolve(due, &def, &fields, resolved, errors);
        if errors.len() == before {
            due::check(due, &def, resolved, errors);
        }
    }
    let event = Event {
        attrs: event.attrs,
        vis: event.vis,
        name: event.name,
        written: event.written,
        has_may: event.has_may,
        fields,
        names,
        guards: event.guards,
        upcasts: event.upcasts,
        literals,
        typed,
        functions,
        due: event.due.map(|due| due.field),
    };
    (def, event)
}

/// Resolves a field of an event.
fn field(scope: &mut Scope<'_>, mut written: ast::EventField, errors: &mut Errors) {
    let before = errors.len();
    let bound = binding(scope.resolved, &written.ty, errors);
    // Errors in the type were reported; the type is replaced, so that rustc reports no more.
    let mut ty = match (bound, errors.len() > before) {
        (Some(bound), true) => mended(scope.resolved, bound),
        (None, true) => syn::parse_quote!(()),
        (_, false) => {
            types::value(&mut written.ty, errors);
            written.ty.clone()
        }
    };
    let binds = bound.map(|(entity, count, by)| {
        let after = match by {
            BindBy::Token(state) => Some(state),
            _ => None,
        };
        if let Some(state) = after {
            types::qualify_state(&mut ty, &scope.resolved.entities[entity].states[state].name);
        }
        let name = Name {
            name: written.name.clone(),
            after,
        };
        scope.add(name, (entity, count, by))
    });
    if binds.is_none() {
        let names: Vec<Ident> = scope
            .resolved
            .entities
            .iter()
            .map(|e| e.name.clone())
            .collect();
        if errors.len() == before
            && let Some(entity) = types::mentions(&written.ty, |name| names.contains(name))
        {
            errors.at(
                entity,
                format!(
                    "an entity in an event is `{entity}`, `{entity}<State>`, `Key<{entity}>` or \
                     `Ensure<{entity}>`, or a `Vec` or `Option` of one of these"
                ),
            );
        }
        if errors.len() > before {
            scope.broken.insert(plain(&written.name));
        }
    }
    scope.def.fields.push(EventFieldDef {
        name: plain(&written.name),
        ty: types::text(&written.ty),
        default: written.json.default.as_ref().map(|default| match default {
            FieldDefault::OfType => "default".to_owned(),
            FieldDefault::Call(path) => format!("{}()", types::text(path)),
            FieldDefault::Value(value) => types::text(value),
        }),
        renamed: former_names(&written.renamed),
        ..EventFieldDef::default()
    });
    scope.fields.push(EventField {
        attrs: written.attrs,
        vis: written.vis,
        name: written.name,
        ty,
        binds,
        json: written.json,
    });
}

/// Introduces the name of a `create` arc.
fn created(
    scope: &mut Scope<'_>,
    name: &Ident,
    entity: &Ident,
    state_name: Option<&Ident>,
    errors: &mut Errors,
) {
    let taken = scope.fields.iter().any(|field| field.name == *name) || scope.named(name).is_some();
    if taken {
        errors.at(
            name,
            format!(
                "`{name}` is taken in `{}`: choose another name for the created entity",
                scope.event
            ),
        );
        return;
    }
    let Some(entity) = entities::expect(&scope.resolved.entities, entity, errors) else {
        scope.broken.insert(plain(name));
        return;
    };
    let def = &scope.resolved.entities[entity];
    let after = match state_name {
        Some(name) => def.state(name),
        None => Some(scope.resolved.schema[entity].initial),
    };
    let name = Name {
        name: name.clone(),
        after,
    };
    scope.add(name, (entity, Cardinality::One, BindBy::Created));
}

/// Reports ends of a created entity that must hold a link, if no arc or handler of the event can link them.
fn ends_are_filled(scope: &Scope<'_>, arcs: &[Arc], mays: &[May], errors: &mut Errors) {
    let linked = |edge: EdgeIx| {
        let declared = arcs.iter().any(|arc| {
            matches!(arc, Arc::Link { hop, .. } | Arc::Relink { hop, .. } if hop.edge == edge)
        });
        let permitted = |may: &May| matches!(may, May::Link(e) | May::Relink(e) if *e == edge);
        declared || mays.iter().any(permitted)
    };
    for (number, name) in scope.names.entries() {
        let def = &scope.def[number];
        if !matches!(def.by, BindBy::Created | BindBy::Ensure) {
            continue;
        }
        for field in &scope.resolved.entities[def.entity].fields {
            let FieldKind::End(end) = field.kind else {
                continue;
            };
            let Some(edge) = end.edge else { continue };
            let min = scope.resolved.schema[edge].near(end.forward).min;
            if min > 0 && !linked(edge) {
                let (name, field) = (&name.name, &field.name);
                let other = &scope.resolved.entities[end.other].name;
                let needs = match end.cardinality {
                    Cardinality::Many => format!("at least {min}"),
                    _ => "exactly one".to_string(),
                };
                errors.at(
                    name,
                    format!(
                        "`{name}` needs {needs} `{other}` in `{field}`, and no arc links one: \
                         add `#[link({name}.{field} += ..)]`"
                    ),
                );
            }
        }
    }
}
