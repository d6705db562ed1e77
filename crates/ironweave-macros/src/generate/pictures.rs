//! Which pictures the documentation of a model has: the lifecycle of each entity type, and the edges.

use ironweave_schema::{Arc, BindBy, Cardinality, EntityIx, EventDef, May, Path, Schema, StateIx};
use proc_macro2::TokenStream;
use quote::quote;

use crate::check::model::Model;
use crate::draw::{Arrow, Box, Kind, Line, Picture};

#[cfg(test)]
mod tests;

/// The lifecycle of an entity type, if it has several states, as an attribute of its documentation.
pub fn lifecycle(model: &Model, entity: EntityIx) -> TokenStream {
    if model.broken || model.schema[entity].states.len() < 2 {
        return TokenStream::new();
    }
    attribute(&lifecycle_of(&model.schema, entity))
}

/// The edges, if there are some, as an attribute of the documentation of the module.
pub fn edges(model: &Model) -> TokenStream {
    if model.broken || model.schema.edges.is_empty() {
        return TokenStream::new();
    }
    attribute(&edges_of(&model.schema))
}

/// The attribute is removed unless documentation is built, and with it the call of the drawer.
fn attribute(picture: &Picture) -> TokenStream {
    let description = picture.describe();
    quote!(#[cfg_attr(doc, doc = ::ironweave::plumbing::draw!(#description))])
}

/// A change of the state of an entity of a type.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Create(StateIx),
    Ensure(StateIx),
    Move(StateIx, StateIx),
}

/// Returns the changes that an event declares, and those that its handler may make.
fn changes(schema: &Schema, event: &EventDef, entity: EntityIx) -> [Vec<Change>; 2] {
    let initial = schema[entity].initial;
    let reached = |path: &Path| schema.reached(event, path);
    let (mut declared, mut permitted) = (Vec::new(), Vec::new());
    for name in &event.names {
        if name.by == BindBy::Ensure && name.entity == entity {
            declared.push(Change::Ensure(initial));
        }
    }
    for arc in &event.arcs {
        match arc {
            Arc::Create { name, state, .. } if event[*name].entity == entity => {
                declared.push(Change::Create(*state));
            }
            Arc::Move { path, from, to, .. } if reached(path) == entity => {
                let bound = event.bound_states(path);
                let from = from.iter();
                let from = from.filter(|from| bound.is_none_or(|all| all.contains(from)));
                declared.extend(from.map(|from| Change::Move(*from, *to)));
            }
            _ => {}
        }
    }
    for may in &event.mays {
        match may {
            May::Create(of) if *of == entity => permitted.push(Change::Create(initial)),
            May::Ensure(of) if *of == entity => permitted.push(Change::Ensure(initial)),
            May::Move {
                entity: of,
                from,
                to,
            } if *of == entity => {
                permitted.push(Change::Move(*from, *to));
            }
            _ => {}
        }
    }
    [declared, permitted]
}

fn lifecycle_of(schema: &Schema, entity: EntityIx) -> Picture {
    let def = &schema[entity];
    let mut picture = Picture {
        title: format!("Lifecycle of {}", def.name),
        ..Picture::default()
    };
    picture.boxes.push(Box {
        kind: Kind::Start,
        lines: Vec::new(),
    });
    picture.boxes.extend(def.states.iter().map(|state| Box {
        kind: if state.terminal {
            Kind::Terminal
        } else {
            Kind::Plain
        },
        lines: vec![state.name.clone()],
    }));
    let events: Vec<(&EventDef, [Vec<Change>; 2])> = schema
        .events
        .iter()
        .map(|event| (event, changes(schema, event, entity)))
        .collect();
    let mut add = |from: usize, to: usize, wanted: &dyn Fn(Change) -> Option<&'static str>| {
        let mut any = false;
        for (which, line) in [Line::Solid, Line::Dashed].into_iter().enumerate() {
            let mut label: Vec<String> = Vec::new();
            for (event, changes) in &events {
                for how in changes[which].iter().filter_map(|change| wanted(*change)) {
                    let mark = match (event.immediate, &event.due) {
                        (true, _) => " (immediate)",
                        (false, Some(_)) => " (due)",
                        (false, None) => "",
                    };
                    let by = if which == 1 { " (handler)" } else { "" };
                    let text = format!("{}{mark}{how}{by}", event.name);
                    if !label.contains(&text) {
                        label.push(text);
                    }
                }
            }
            if !label.is_empty() {
                any = true;
                picture.arrows.push(Arrow {
                    from,
                    to,
                    line,
                    label,
                });
            }
        }
        if !any {
            picture.arrows.push(Arrow {
                from,
                to,
                line: Line::Dotted,
                label: vec!["no event".to_owned()],
            });
        }
    };
    let created = |state: StateIx| {
        move |change: Change| match change {
            Change::Create(to) if to == state => Some(""),
            Change::Ensure(to) if to == state => Some(" (if absent)"),
            _ => None,
        }
    };
    for state in StateIx::all(def.states.len()) {
        let all = events
            .iter()
            .flat_map(|(_, changes)| changes.iter().flatten());
        let is_created = { all }.any(|change| created(state)(*change).is_some());
        if is_created || state == def.initial {
            add(0, state.index() + 1, &created(state));
        }
    }
    for (from, state) in StateIx::all(def.states.len()).zip(&def.states) {
        for (at, step) in state.to.iter().enumerate() {
            let to = step.to;
            if state.to[..at].iter().any(|other| other.to == to) {
                continue;
            }
            add(from.index() + 1, to.index() + 1, &|change| {
                (change == Change::Move(from, to)).then_some("")
            });
        }
    }
    picture
}

fn edges_of(schema: &Schema) -> Picture {
    let boxes = schema.entities.iter().map(|entity| Box {
        kind: Kind::Plain,
        lines: vec![entity.name.clone()],
    });
    let mut picture = Picture {
        title: format!("Edges of {}", schema.name),
        boxes: boxes.collect(),
        arrows: Vec::new(),
    };
    for edge in &schema.edges {
        let ends = [&edge.from, &edge.to].into_iter();
        let named = ends.filter(|end| !end.name.is_empty());
        let label = named.map(|end| {
            let how = match end.cardinality {
                Cardinality::One => "one",
                Cardinality::Option => "at most one",
                Cardinality::Many => "many",
            };
            format!("{}: {how}", end.name)
        });
        picture.arrows.push(Arrow {
            from: edge.from.entity.index(),
            to: edge.to.entity.index(),
            line: Line::Solid,
            label: label.collect(),
        });
    }
    picture
}
