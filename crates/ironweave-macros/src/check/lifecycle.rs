//! Resolves lifecycles: states and the moves between them. Reports states that are unreachable or have no moves.

use std::collections::BTreeSet;

use ironweave_schema::{Arc, STATES_MAX, StateDef, StateIx, TransitionDef};
use proc_macro2::Ident;
use quote::format_ident;

use super::entities::take_derives;
use super::model::{Resolved, State, Verb};
use super::names::{default_verb, plain};
use super::renamed::former_names;
use super::table::{Ix as _, Table};
use super::types;
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;

/// The marker of a handle, which may be in any state.
const ANY: &str = "Any";

/// The lifecycle of one entity. Columns for its data are assigned later.
pub struct States {
    /// Attributes of the enum.
    pub attrs: Vec<syn::Attribute>,
    /// Its name.
    pub name: Ident,
    /// Its states in the schema; never empty.
    pub defs: Vec<StateDef>,
    /// What else is known of them, with `data` empty.
    pub states: Table<StateIx, State>,
    /// The data of each state.
    pub data: Vec<Vec<ast::Data>>,
    /// The state that entities begin in.
    pub initial: StateIx,
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
    let (def, state) = exists(entity);
    States {
        attrs: Vec::new(),
        name: format_ident!("{}State", entity),
        defs: vec![def],
        states: Table::from(vec![state]),
        data: vec![Vec::new()],
        initial: StateIx::default(),
    }
}

fn exists(at: &Ident) -> (StateDef, State) {
    let def = StateDef {
        name: "Exists".to_owned(),
        terminal: true,
        ..StateDef::default()
    };
    let state = State {
        attrs: Vec::new(),
        name: Ident::new("Exists", at.span()),
        allow_unreached: false,
        unsure: false,
        verbs: Vec::new(),
        data: Vec::new(),
    };
    (def, state)
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
    let (mut defs, mut states, mut data) = (Vec::new(), Table::default(), Vec::new());
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
        let (to, verbs) = transitions(&state, &names, errors);
        defs.push(StateDef {
            name: plain(&state.name),
            terminal: state.terminal.is_some(),
            to,
            renamed: former_names(&state.renamed),
            ..StateDef::default()
        });
        states.push(State {
            unsure: errors.len() > before || state.unread,
            verbs,
            attrs: state.attrs,
            name: state.name,
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
        let (def, state) = exists(name);
        defs.push(def);
        states.push(state);
        data.push(Vec::new());
    }
    States {
        attrs: lifecycle.attrs,
        name: lifecycle.name,
        defs,
        states,
        data,
        initial: initial.map_or(StateIx::default(), StateIx::at),
    }
}

/// Resolves `#[to(..)]` of one state.
fn transitions(
    state: &ast::State,
    names: &[Ident],
    errors: &mut Errors,
) -> (Vec<TransitionDef>, Vec<Verb>) {
    let mut targets: Vec<usize> = Vec::new();
    let mut verbs: Vec<Verb> = Vec::new();
    for to in &state.to {
        let target = &to.target;
        let Some(number) = names.iter().position(|name| name == target) else {
            let known: Vec<String> = names.iter().map(plain).collect();
            let hint = did_you_mean(&plain(target), known.iter().map(String::as_str));
            errors.at(target, format!("there is no state `{target}`{hint}"));
            continue;
        };
        let verb = to.verb.clone().unwrap_or_else(|| default_verb(target));
        if targets.contains(&number) {
            errors.at(
                target,
                format!("`{} -> {target}` is declared already", state.name),
            );
        } else if verbs.iter().any(|known| known.name == verb) {
            errors.at(
                &verb,
                format!(
                    "`{}` has the verb `{verb}` already: give this move another",
                    state.name
                ),
            );
        } else {
            targets.push(number);
            verbs.push(Verb {
                name: verb,
                hidden: false,
            });
        }
    }
    let def = |(to, verb): (usize, &Verb)| TransitionDef {
        to: StateIx::at(to),
        verb: plain(&verb.name),
        ..TransitionDef::default()
    };
    let defs = targets.into_iter().zip(&verbs).map(def).collect();
    (defs, verbs)
}

/// Reports states that are unreachable, and states that have no moves and are not terminal. Call it only if
/// lifecycles and events have no other errors, which would cause false reports.
pub fn reachable(resolved: &Resolved, errors: &mut Errors) {
    for (number, entity) in resolved.entities.entries() {
        let entity_def = &resolved.schema[number];
        let mut open = vec![entity_def.initial];
        open.extend((entity.states.indexes()).filter(|s| entity.states[*s].allow_unreached));
        for event in &resolved.schema.events {
            for arc in &event.arcs {
                if let Arc::Create { name, state, .. } = arc
                    && event[*name].entity == number
                {
                    open.push(*state);
                }
            }
        }
        let mut reached: BTreeSet<StateIx> = open.iter().copied().collect();
        while let Some(state) = open.pop() {
            for transition in &entity_def[state].to {
                if reached.insert(transition.to) {
                    open.push(transition.to);
                }
            }
        }
        for (state, known) in entity.states.entries() {
            let (name, entity) = (&known.name, &entity.name);
            let def = &entity_def[state];
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
