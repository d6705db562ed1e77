//! Resolves the permissions of handlers, and names the traits that represent them.

use std::collections::BTreeMap;

use ironweave_schema::{BindBy, ColumnIx, EdgeIx, EntityIx, May, StateIx};
use proc_macro2::Ident;
use quote::format_ident;

use super::arcs::{edge_of, transition};
use super::bindings::{can_be_ensured, keyed};
use super::entities::expect;
use super::model::{Entity, FieldKind, LinkKind, Resolved, Whole};
use super::names::{pascal, plain};
use super::state;
use super::values::{settable, state_data};
use crate::errors::Errors;
use crate::parse::ast;

/// Resolves the `may` arcs of an event.
pub fn resolve(written: &[ast::May], resolved: &Resolved, errors: &mut Errors) -> Vec<May> {
    let mut mays: Vec<May> = Vec::new();
    let mut add = |may: May, at: &Ident, errors: &mut Errors| {
        if mays.contains(&may) {
            errors.at(at, "this event declares that `may` already");
        } else {
            mays.push(may);
        }
    };
    for may in written {
        match may {
            ast::May::Move { entity, from, to } => {
                let Some(number) = expect(&resolved.entities, entity, errors) else {
                    continue;
                };
                let target = state(resolved, number, to, errors);
                for name in from {
                    let source = state(resolved, number, name, errors);
                    let (Some(source), Some(target)) = (source, target) else {
                        continue;
                    };
                    let before = errors.len();
                    transition(resolved, number, (source, name), (target, to), errors);
                    if errors.len() == before {
                        add(
                            May::Move {
                                entity: number,
                                from: source,
                                to: target,
                            },
                            name,
                            errors,
                        );
                    }
                }
            }
            ast::May::Link(kind, entity, edge) => {
                if let Some(number) = edge_of(resolved, entity, edge, errors) {
                    add(of_links(*kind, number), edge, errors);
                }
            }
            ast::May::Set(entity, state_name, field) => {
                let Some(number) = expect(&resolved.entities, entity, errors) else {
                    continue;
                };
                let may = match state_name {
                    Some(name) => state(resolved, number, name, errors)
                        .and_then(|state| state_data(resolved, number, state, field, errors))
                        .map(May::Set),
                    None => match data_edge(resolved, number, field) {
                        Some(edge) => Some(May::SetLink(edge)),
                        None => settable(resolved, number, field, errors).map(May::Set),
                    },
                };
                if let Some(may) = may {
                    add(may, field, errors);
                }
            }
            ast::May::Whole(what, entity) => {
                let Some(number) = expect(&resolved.entities, entity, errors) else {
                    continue;
                };
                if *what == Whole::Ensure {
                    keyed(resolved, number, BindBy::Ensure, entity, errors);
                }
                add(of_whole(*what, number), entity, errors);
            }
        }
    }
    mays
}

/// A change of links.
fn of_links(kind: LinkKind, edge: EdgeIx) -> May {
    match kind {
        LinkKind::Link => May::Link(edge),
        LinkKind::Unlink => May::Unlink(edge),
        LinkKind::Relink => May::Relink(edge),
    }
}

/// What happens to a whole entity.
fn of_whole(what: Whole, entity: EntityIx) -> May {
    match what {
        Whole::Create => May::Create(entity),
        Whole::Ensure => May::Ensure(entity),
        Whole::Delete => May::Delete(entity),
    }
}

/// Every possible permission. An event with a broken `may` gets all of them, so that its handler causes no
/// further errors.
pub fn every(resolved: &Resolved) -> Vec<May> {
    let mut mays = Vec::new();
    for (entity, known) in resolved.entities.entries() {
        for from in known.states.indexes() {
            let to = resolved.schema[entity][from].to.iter().map(|t| t.to);
            mays.extend(to.map(|to| May::Move { entity, from, to }));
        }
    }
    for edge in resolved.edges.indexes() {
        mays.extend([May::Link(edge), May::Unlink(edge), May::Relink(edge)]);
    }
    let has_data = |edge: &EdgeIx| resolved.edges[*edge].data.is_some();
    mays.extend((resolved.edges.indexes().filter(has_data)).map(May::SetLink));
    for entity in resolved.entities.indexes() {
        mays.extend([May::Create(entity), May::Delete(entity)]);
        if can_be_ensured(resolved, entity) {
            mays.push(May::Ensure(entity));
        }
    }
    let settable = |column: &ColumnIx| {
        let def = &resolved.schema[*column];
        !def.key && def.state.is_none()
    };
    mays.extend(resolved.columns.indexes().filter(settable).map(May::Set));
    mays
}

/// The trait of a move: `PartitionBuildingToFailed`.
pub fn move_trait(entity: &Entity, from: StateIx, to: StateIx) -> Ident {
    let (from, to) = (&entity.states[from].name, &entity.states[to].name);
    format_ident!("{}{}To{}", entity.name, from, to, span = to.span())
}

/// The trait of a change of links: `LinkJobRunBuilds`.
pub fn link_trait(kind: LinkKind, resolved: &Resolved, edge: EdgeIx) -> Ident {
    let (entity, name) = declaring_end(resolved, edge);
    let (kind, field) = (pascal(kind.word()), pascal(&plain(name)));
    format_ident!("{}{}{}", kind, entity, field, span = name.span())
}

/// The declaring end of an edge: the names of the entity and of the field.
pub fn declaring_end(resolved: &Resolved, edge: EdgeIx) -> (&Ident, &Ident) {
    let entity = resolved.schema[edge].from.entity;
    (&resolved.entities[entity].name, &resolved.edges[edge].from)
}

/// The trait of a change of a field: `SetJobRunLabel`; of state data: `SetJobRunRunningPid`.
pub fn set_trait(resolved: &Resolved, column: ColumnIx) -> Ident {
    let (def, name) = (&resolved.schema[column], &resolved.columns[column].name);
    let entity = &resolved.entities[def.entity];
    let state = (def.state).map_or_else(String::new, |state| plain(&entity.states[state].name));
    let field = pascal(&def.name);
    format_ident!("Set{}{}{}", entity.name, state, field, span = name.span())
}

/// The change of a field as written in a `may`: `set JobRun.label`.
pub fn set_text(resolved: &Resolved, column: ColumnIx) -> String {
    let def = &resolved.schema[column];
    let (entity, field) = (&resolved.entities[def.entity], &def.name);
    match def.state {
        None => format!("set {}.{field}", entity.name),
        Some(state) => format!("set {}.{}.{field}", entity.name, entity.states[state].name),
    }
}

/// The trait of a change of the data of links: `SetOrderLines`.
pub fn set_link_trait(resolved: &Resolved, edge: EdgeIx) -> Ident {
    let (entity, name) = declaring_end(resolved, edge);
    let field = pascal(&plain(name));
    format_ident!("Set{}{}", entity, field, span = name.span())
}

/// The trait of a change of whole entities: `CreateJobRun`.
pub fn whole_trait(what: Whole, entity: &Entity) -> Ident {
    let what = pascal(what.word());
    format_ident!("{}{}", what, entity.name, span = entity.name.span())
}

/// The edge with that name at this entity, if its links have data.
fn data_edge(resolved: &Resolved, entity: EntityIx, name: &Ident) -> Option<EdgeIx> {
    let fields = &resolved.entities[entity].fields;
    match fields.iter().find(|field| field.name == *name)?.kind {
        FieldKind::End(end) => end.edge.filter(|e| resolved.edges[*e].data.is_some()),
        _ => None,
    }
}

/// The change of links as written in a `may`: `link JobRun.builds`.
pub fn link_text(kind: LinkKind, resolved: &Resolved, edge: EdgeIx) -> String {
    let (entity, field) = declaring_end(resolved, edge);
    format!("{} {entity}.{field}", kind.word())
}

/// Reports two permissions whose traits would have the same name. State data has a trait only if an event may set it.
pub fn distinct(resolved: &Resolved, errors: &mut Errors) {
    let may_be_set = |column: &ColumnIx| {
        let mut events = resolved.schema.events.iter();
        events.any(|event| event.mays.contains(&May::Set(*column)))
    };
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let mut check = |name: Ident, at: &Ident, what: String| {
        if let Some(first) = seen.insert(name.to_string(), what.clone())
            && first != what
        {
            errors.at(
                at,
                format!(
                    "`{first}` and `{what}` would both generate the trait `may::{name}`: rename one of them"
                ),
            );
        }
    };
    for (number, entity) in resolved.entities.entries() {
        for (from, state) in entity.states.entries() {
            for transition in &resolved.schema[number][from].to {
                let target = &entity.states[transition.to].name;
                let what = format!("{}: {} -> {target}", entity.name, state.name);
                check(move_trait(entity, from, transition.to), &state.name, what);
            }
        }
        for field in &entity.fields {
            if let FieldKind::Column(column) = field.kind {
                let what = format!("set {}.{}", entity.name, field.name);
                check(set_trait(resolved, column), &field.name, what);
            }
        }
        let data = entity.states.iter().flat_map(|state| &state.data);
        for column in data.filter(|column| may_be_set(column)) {
            let at = &resolved.columns[*column].name;
            check(
                set_trait(resolved, *column),
                at,
                set_text(resolved, *column),
            );
        }
        for what in [Whole::Create, Whole::Ensure, Whole::Delete] {
            let text = format!("{} {}", what.word(), entity.name);
            check(whole_trait(what, entity), &entity.name, text);
        }
    }
    for (edge, known) in resolved.edges.entries() {
        let (owner, name) = declaring_end(resolved, edge);
        if known.data.is_some() {
            let what = format!("set {owner}.{}", plain(name));
            check(set_link_trait(resolved, edge), name, what);
        }
        for kind in [LinkKind::Link, LinkKind::Unlink, LinkKind::Relink] {
            let what = link_text(kind, resolved, edge);
            check(link_trait(kind, resolved, edge), name, what);
        }
    }
}
