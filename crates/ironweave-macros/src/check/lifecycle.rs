//! Resolves lifecycles: states and the moves between them. Reports states that are unreachable or have no moves.

use std::collections::BTreeSet;

use proc_macro2::Ident;
use quote::format_ident;

use super::entities::{Resolved, take_derives};
use super::model::{Arc, Event, State, Transition};
use super::names::{default_verb, plain};
use super::types;
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;

/// The marker of a handle, which may be in any state.
const ANY: &str = "Any";
/// The maximum number of states, which share a word with the generation of an entity.
const STATES_MAX: usize = 250;

/// The lifecycle of one entity. Columns for its data are assigned later.
pub struct States {
    /// Attributes of the enum.
    pub attrs: Vec<syn::Attribute>,
    /// Its name.
    pub name: Ident,
    /// States, with `data` empty; never empty.
    pub states: Vec<State>,
    /// The data of each state.
    pub data: Vec<Vec<ast::Data>>,
    /// The state that entities begin in.
    pub initial: usize,
}

/// Resolves the lifecycle of each entity, in the order of `entities`.
pub fn resolve(
    entities: &[Ident],
    lifecycles: Vec<ast::Lifecycle>,
    errors: &mut Errors,
) -> Vec<States> {
    let mut found: Vec<Option<States>> = entities.iter().map(|_| None).collect();
    let mut orphans = Vec::new();
    for lifecycle in lifecycles {
        let Some(entity) = entities.iter().position(|name| *name == lifecycle.entity) else {
            let known: Vec<String> = entities.iter().map(plain).collect();
            let name = &lifecycle.entity;
            let hint = did_you_mean(&plain(name), known.iter().map(String::as_str));
            errors.at(
                name,
                format!("`{name}` is not an entity of this model{hint}"),
            );
            orphans.push(lifecycle);
            continue;
        };
        if let Some(first) = &found[entity] {
            let (first, name) = (&first.name, &lifecycle.entity);
            errors.at(
                name,
                format!("`{name}` has its states already, in `{first}`"),
            );
            continue;
        }
        found[entity] = Some(one(lifecycle, errors));
    }
    // A misspelt entity has been reported: its states go to the first entity that has none.
    for orphan in orphans {
        if let Some(slot) = found.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(one(orphan, errors));
        }
    }
    let pairs = entities.iter().zip(found);
    pairs
        .map(|(name, found)| found.unwrap_or_else(|| without(name)))
        .collect()
}

/// The lifecycle of an entity without a states enum: one state, `Exists`.
fn without(entity: &Ident) -> States {
    States {
        attrs: Vec::new(),
        name: format_ident!("{}State", entity),
        states: vec![exists(entity)],
        data: vec![Vec::new()],
        initial: 0,
    }
}

fn exists(at: &Ident) -> State {
    State {
        attrs: Vec::new(),
        name: Ident::new("Exists", at.span()),
        terminal: true,
        allow_unreached: false,
        unsure: false,
        to: Vec::new(),
        data: Vec::new(),
    }
}

/// Resolves one states enum.
fn one(mut lifecycle: ast::Lifecycle, errors: &mut Errors) -> States {
    let name = &lifecycle.name;
    for path in take_derives(&mut lifecycle.attrs, &["Clone", "Copy", "Default"]) {
        let instead = match path.is_ident("Default") {
            true => "mark the initial state with `#[initial]`",
            false => "a plain handle, `token.any()`, can be copied",
        };
        let derive = types::text(&path);
        errors.at(
            &path,
            format!(
                "`{name}` becomes an enum of tokens, each of which can be used only once: remove `{derive}` ({instead})"
            ),
        );
    }
    let mut names: Vec<Ident> = Vec::new();
    for state in &lifecycle.states {
        let state = &state.name;
        if plain(state) == ANY {
            errors.at(
                state,
                "`Any` means any state: choose another name for this one",
            );
        }
        if names.contains(state) {
            errors.at(state, format!("`{name}` has two states `{state}`"));
        }
        names.push(state.clone());
    }
    if names.len() > STATES_MAX {
        let count = names.len();
        errors.at(
            name,
            format!("`{name}` has {count} states, but at most {STATES_MAX} are allowed"),
        );
    }
    let mut initial = None;
    let (mut states, mut data) = (Vec::new(), Vec::new());
    for (number, state) in lifecycle.states.into_iter().enumerate() {
        if let Some(word) = &state.initial {
            if let Some(first) = initial {
                let first: &Ident = &names[first];
                errors.at(
                    word,
                    format!(
                        "`{name}` has an initial state already, `{first}`: remove one `#[initial]`"
                    ),
                );
            } else {
                initial = Some(number);
            }
        }
        if let (Some(word), false) = (&state.terminal, state.to.is_empty()) {
            errors.at(
                word,
                format!(
                    "`{}` is terminal but has `#[to(..)]`: remove one of them",
                    state.name
                ),
            );
        }
        let before = errors.len();
        let to = transitions(&state, &names, errors);
        states.push(State {
            unsure: errors.len() > before || state.unread,
            to,
            attrs: state.attrs,
            name: state.name,
            terminal: state.terminal.is_some(),
            allow_unreached: state.allow_unreached,
            data: Vec::new(),
        });
        data.push(state.data);
    }
    if initial.is_none() {
        errors.at(
            name,
            format!("`{name}` has no initial state: put `#[initial]` on the state that a new `{}` is in", lifecycle.entity),
        );
    }
    if states.is_empty() {
        states.push(exists(name));
        data.push(Vec::new());
    }
    States {
        attrs: lifecycle.attrs,
        name: lifecycle.name,
        states,
        data,
        initial: initial.unwrap_or(0),
    }
}

/// Resolves `#[to(..)]` of one state.
fn transitions(state: &ast::State, names: &[Ident], errors: &mut Errors) -> Vec<Transition> {
    let mut transitions: Vec<Transition> = Vec::new();
    for to in &state.to {
        let target = &to.target;
        let Some(number) = names.iter().position(|name| name == target) else {
            let known: Vec<String> = names.iter().map(plain).collect();
            let hint = did_you_mean(&plain(target), known.iter().map(String::as_str));
            errors.at(target, format!("there is no state `{target}`{hint}"));
            continue;
        };
        let verb = to.verb.clone().unwrap_or_else(|| default_verb(target));
        if transitions.iter().any(|t| t.to == number) {
            errors.at(
                target,
                format!("`{} -> {target}` is declared already", state.name),
            );
        } else if transitions.iter().any(|t| t.verb == verb) {
            errors.at(
                &verb,
                format!(
                    "`{}` has the verb `{verb}` already: give this move another",
                    state.name
                ),
            );
        } else {
            transitions.push(Transition {
                to: number,
                verb,
                hidden: false,
            });
        }
    }
    transitions
}

/// Reports states that are unreachable, and states that have no moves and are not terminal. Call it only if
/// lifecycles and events have no other errors, which would cause false reports.
pub fn reachable(resolved: &Resolved, events: &[Event], errors: &mut Errors) {
    for (number, entity) in resolved.entities.iter().enumerate() {
        let mut open = vec![entity.initial];
        open.extend((0..entity.states.len()).filter(|s| entity.states[*s].allow_unreached));
        for event in events {
            for arc in &event.arcs {
                if let Arc::Create { name, state, .. } = arc
                    && event.names[*name].entity == number
                {
                    open.push(*state);
                }
            }
        }
        let mut reached: BTreeSet<usize> = open.iter().copied().collect();
        while let Some(state) = open.pop() {
            for transition in &entity.states[state].to {
                if reached.insert(transition.to) {
                    open.push(transition.to);
                }
            }
        }
        for (state, def) in entity.states.iter().enumerate() {
            let (name, entity) = (&def.name, &entity.name);
            if !reached.contains(&state) {
                errors.at(
                    name,
                    format!(
                        "no `{entity}` can reach `{name}`: add `#[to({name})]` to another state, \
                         create it `in {name}`, or permit this with `#[allow(unreached)]`"
                    ),
                );
            }
            if def.to.is_empty() && !def.terminal {
                errors.at(
                    name,
                    format!("`{name}` has no moves: mark it `#[terminal]`, or add `#[to(..)]`"),
                );
            }
        }
    }
}
