//! Resolves the permissions of handlers, and names the traits that represent them.

use std::collections::BTreeMap;

use proc_macro2::Ident;
use quote::format_ident;

use super::arcs::{edge_of, transition};
use super::entities::{Resolved, expect};
use super::events::{can_be_ensured, keyed};
use super::model::{By, Column, Edge, Entity, Event, FieldKind, LinkKind, May, Whole};
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
                    add(May::Link(*kind, number), edge, errors);
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
                    keyed(resolved, number, By::Ensure, entity, errors);
                }
                add(May::Whole(*what, number), entity, errors);
            }
        }
    }
    mays
}

/// Every possible permission. An event with a broken `may` gets all of them, so that its handler causes no
/// further errors.
pub fn every(resolved: &Resolved) -> Vec<May> {
    let mut mays = Vec::new();
    for (number, entity) in resolved.entities.iter().enumerate() {
        for (from, state) in entity.states.iter().enumerate() {
            let to = state.to.iter().map(|transition| transition.to);
            mays.extend(to.map(|to| May::Move {
                entity: number,
                from,
                to,
            }));
        }
    }
    for edge in 0..resolved.edges.len() {
        let kinds = [LinkKind::Link, LinkKind::Unlink, LinkKind::Relink];
        mays.extend(kinds.map(|kind| May::Link(kind, edge)));
    }
    mays.extend(
        (0..resolved.edges.len())
            .filter(|edge| resolved.edges[*edge].data.is_some())
            .map(May::SetLink),
    );
    for entity in 0..resolved.entities.len() {
        for what in [Whole::Create, Whole::Delete] {
            mays.push(May::Whole(what, entity));
        }
        if can_be_ensured(resolved, entity) {
            mays.push(May::Whole(Whole::Ensure, entity));
        }
    }
    let settable = |column: &usize| {
        !resolved.columns[*column].key && resolved.columns[*column].state.is_none()
    };
    mays.extend((0..resolved.columns.len()).filter(settable).map(May::Set));
    mays
}

/// The trait of a move: `PartitionBuildingToFailed`.
pub fn move_trait(entity: &Entity, from: usize, to: usize) -> Ident {
    let (from, to) = (&entity.states[from].name, &entity.states[to].name);
    format_ident!("{}{}To{}", entity.name, from, to, span = to.span())
}

/// The trait of a change of links: `LinkJobRunBuilds`.
pub fn link_trait(kind: LinkKind, entities: &[Entity], edge: &Edge) -> Ident {
    let entity = &entities[edge.from.entity].name;
    let field = pascal(&plain(&edge.from.name));
    let kind = pascal(kind.word());
    format_ident!("{}{}{}", kind, entity, field, span = edge.from.name.span())
}

/// The trait of a change of a field: `SetJobRunLabel`; of state data: `SetJobRunRunningPid`.
pub fn set_trait(entities: &[Entity], column: &Column) -> Ident {
    let entity = &entities[column.entity];
    let field = pascal(&plain(&column.name));
    let state = column
        .state
        .map_or_else(String::new, |state| plain(&entity.states[state].name));
    format_ident!(
        "Set{}{}{}",
        entity.name,
        state,
        field,
        span = column.name.span()
    )
}

/// The change of a field as written in a `may`: `set JobRun.label`.
pub fn set_text(entities: &[Entity], column: &Column) -> String {
    let (entity, field) = (&entities[column.entity], plain(&column.name));
    match column.state {
        None => format!("set {}.{field}", entity.name),
        Some(state) => format!("set {}.{}.{field}", entity.name, entity.states[state].name),
    }
}

/// The trait of a change of the data of links: `SetOrderLines`.
pub fn set_link_trait(entities: &[Entity], edge: &Edge) -> Ident {
    let entity = &entities[edge.from.entity].name;
    let field = pascal(&plain(&edge.from.name));
    format_ident!("Set{}{}", entity, field, span = edge.from.name.span())
}

/// The trait of a change of whole entities: `CreateJobRun`.
pub fn whole_trait(what: Whole, entity: &Entity) -> Ident {
    let what = pascal(what.word());
    format_ident!("{}{}", what, entity.name, span = entity.name.span())
}

/// The edge with that name at this entity, if its links have data.
fn data_edge(resolved: &Resolved, entity: usize, name: &Ident) -> Option<usize> {
    let fields = &resolved.entities[entity].fields;
    match fields.iter().find(|field| field.name == *name)?.kind {
        FieldKind::End(end) => end.edge.filter(|e| resolved.edges[*e].data.is_some()),
        _ => None,
    }
}

/// The change of links as written in a `may`: `link JobRun.builds`.
pub fn link_text(kind: LinkKind, entities: &[Entity], edge: &Edge) -> String {
    let (entity, field) = (&entities[edge.from.entity].name, &edge.from.name);
    format!("{} {entity}.{field}", kind.word())
}

/// Reports two permissions whose traits would have the same name. State data has a trait only if an event may set it.
pub fn distinct(resolved: &Resolved, events: &[Event], errors: &mut Errors) {
    let may_be_set = |column: &usize| {
        let declared = |event: &Event| event.mays.contains(&May::Set(*column));
        events.iter().any(declared)
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
    for entity in &resolved.entities {
        for (from, state) in entity.states.iter().enumerate() {
            for transition in &state.to {
                let target = &entity.states[transition.to].name;
                let what = format!("{}: {} -> {target}", entity.name, state.name);
                check(move_trait(entity, from, transition.to), &state.name, what);
            }
        }
        for field in &entity.fields {
            if let FieldKind::Column(column) = field.kind {
                let what = format!("set {}.{}", entity.name, field.name);
                check(
                    set_trait(&resolved.entities, &resolved.columns[column]),
                    &field.name,
                    what,
                );
            }
        }
        let data = entity.states.iter().flat_map(|state| &state.data);
        for column in data.filter(|column| may_be_set(column)) {
            let column = &resolved.columns[*column];
            let what = set_text(&resolved.entities, column);
            check(set_trait(&resolved.entities, column), &column.name, what);
        }
        for what in [Whole::Create, Whole::Ensure, Whole::Delete] {
            let text = format!("{} {}", what.word(), entity.name);
            check(whole_trait(what, entity), &entity.name, text);
        }
    }
    for edge in &resolved.edges {
        if edge.data.is_some() {
            let owner = &resolved.entities[edge.from.entity].name;
            let what = format!("set {owner}.{}", plain(&edge.from.name));
            check(
                set_link_trait(&resolved.entities, edge),
                &edge.from.name,
                what,
            );
        }
        for kind in [LinkKind::Link, LinkKind::Unlink, LinkKind::Relink] {
            let what = link_text(kind, &resolved.entities, edge);
            check(
                link_trait(kind, &resolved.entities, edge),
                &edge.from.name,
                what,
            );
        }
    }
}
