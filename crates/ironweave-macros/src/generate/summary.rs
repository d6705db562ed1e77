//! The generated part of a model's documentation: the fields and states of an entity, the arcs of an
//! event, the items of a model.

use ironweave_schema::{Cardinality, EntityIx, EventDef};

use crate::check::model::{Entity, Event, FieldKind, Model};
use crate::check::names::plain;

/// The fields, edges and states of an entity, as tables below the user's documentation.
pub fn entity(model: &Model, index: EntityIx, entity: &Entity) -> String {
    let entity_def = &model.schema[index];
    let mut out = String::new();
    if !entity.fields.is_empty() {
        out += "\n\n| field or edge | type |\n|---|---|";
    }
    for field in &entity.fields {
        let name = plain(&field.name);
        let what = match field.kind {
            FieldKind::Broken => continue,
            FieldKind::Column(column) => {
                let def = &model.schema[column];
                let key = if def.key { ", key" } else { "" };
                let index = if def.index.is_some() { ", indexed" } else { "" };
                format!("`{}`{key}{index}", def.ty)
            }
            FieldKind::End(end) => {
                let other = &model.entities[end.other].name;
                let how = match end.cardinality {
                    Cardinality::One => "one",
                    Cardinality::Option => "at most one",
                    Cardinality::Many => "many",
                };
                let inverse = end.edge.map_or_else(String::new, |edge| {
                    let far = model.edges[edge].near(!end.forward);
                    let far = plain(far);
                    let of = if end.forward { "" } else { "of " };
                    format!("; inverse {of}[`{far}`]({other}::{far})")
                });
                format!("{how} [`{other}`]{inverse}")
            }
        };
        out += &format!("\n| [`{name}`](#method.{name}) | {what} |");
    }
    let states = &entity.states_name;
    out += "\n\n| state | data | moves to |\n|---|---|---|";
    for (number, state) in entity.states.entries() {
        let def = &entity_def[number];
        let name = plain(&state.name);
        let initial = if number == entity_def.initial {
            ", initial"
        } else {
            ""
        };
        let data = state.data.iter().map(|column| {
            let def = &model.schema[*column];
            format!("`{}: {}`", def.name, def.ty)
        });
        let moves = def.to.iter().map(|transition| {
            let to = &entity.states[transition.to].name;
            format!("`{to}` by `{}`", transition.verb)
        });
        let moves: Vec<String> = match def.terminal {
            true => vec!["terminal".to_owned()],
            false => moves.collect(),
        };
        let data: Vec<String> = data.collect();
        out += &format!(
            "\n| [`{name}`]({states}::{name}){initial} | {} | {} |",
            data.join(", "),
            moves.join(", ")
        );
    }
    out
}

/// The arcs of an event, as written.
pub fn event(event: &Event, def: &EventDef) -> String {
    let when = match (def.immediate, event.written.is_empty()) {
        (true, _) => "An immediate event, which fires as soon as it is enabled. Its arcs:",
        (false, false) => "Arcs:",
        (false, true) => return String::new(),
    };
    format!("\n\n{when}\n\n```text\n{}\n```", event.written.join("\n"))
}

/// The items of a model by kind, in order of declaration.
pub fn model(model: &Model) -> String {
    let mut out = String::new();
    let module = &model.name;
    let mut list = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            let link = |name: &String| format!("[`{name}`]({module}::{name})");
            let links: Vec<String> = names.iter().map(link).collect();
            out += &format!("\n\n{what}: {}.", links.join(", "));
        }
    };
    let events = |immediate: bool| {
        let of_kind = (model.schema.events.iter()).filter(|event| event.immediate == immediate);
        of_kind.map(|event| event.name.clone()).collect()
    };
    let entities = model.entities.iter().map(|entity| plain(&entity.name));
    list("Entities", entities.collect());
    list("Events", events(false));
    list("Immediate events, in order of priority", events(true));
    let invariants = model
        .invariants
        .iter()
        .map(|invariant| plain(&invariant.name));
    list("Invariants", invariants.collect());
    out
}
