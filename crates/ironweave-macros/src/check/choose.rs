//! Resolves `choose` arcs, and the order in which an immediate event fires on entities.

use ironweave_schema::{
    Arc, BindBy, Cardinality, ChooseFrom, ChooseWhere, ColumnIx, Comparison, EntityIx, SortBy,
    StateIx, Take,
};
use proc_macro2::{Ident, Span};
use syn::Type;

use super::entities;
use super::events::Scope;
use super::model::{FieldKind, Name, Resolved};
use super::names::plain;
use super::operands::{function, operand};
use super::values::state_data;
use super::{paths, state};
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast::{self, CandidateColumn};

/// Resolves a `choose` and introduces its name, which later arcs know even if something else of the arc is wrong.
pub fn choose(scope: &mut Scope<'_>, written: &ast::Choose, errors: &mut Errors) -> Option<Arc> {
    let name = &written.name;
    let is_taken =
        scope.fields.iter().any(|field| field.name == *name) || scope.named(name).is_some();
    if is_taken {
        let message = format!(
            "`{name}` is taken in `{}`: choose another name for the chosen entity",
            scope.event
        );
        errors.at(name, message);
        return None;
    }
    let before = errors.len();
    let Some((from, entity)) = candidates(scope, &written.from, errors) else {
        scope.broken.insert(plain(name));
        return None;
    };
    let states: Vec<StateIx> = (written.states.iter())
        .filter_map(|name| state(scope.resolved, entity, name, errors))
        .collect();
    let conditions = (written.conditions.iter())
        .filter_map(|condition| condition_of(scope, (entity, &states), condition, errors))
        .collect();
    let mut order: Vec<SortBy> = Vec::with_capacity(written.order.len());
    for written in &written.order {
        let Some(by) = sort_by(scope, (entity, &states), written, errors) else {
            continue;
        };
        if order.iter().any(|earlier| earlier.column == by.column) {
            let field = &written.column.name;
            let message = format!(
                "candidates with equal `{field}` are equal here too: remove the second `{field}` from `by`"
            );
            errors.at(field, message);
        }
        order.push(by);
    }
    let take = take(scope, &written.take, errors);
    let after = match states.as_slice() {
        [state] => Some(*state),
        _ => None,
    };
    let count = match written.take {
        ast::Take::One => Cardinality::One,
        _ => Cardinality::Many,
    };
    let new = Name {
        name: name.clone(),
        after,
    };
    let number = scope.add(new, (entity, count, BindBy::Chosen));
    (errors.len() == before).then_some(Arc::Choose {
        name: number,
        from,
        states,
        conditions,
        order,
        take: take?,
    })
}

/// The candidates: all entities of a type, or those of a path.
fn candidates(
    scope: &Scope<'_>,
    written: &ast::Path,
    errors: &mut Errors,
) -> Option<(ChooseFrom, EntityIx)> {
    let root = &written.root;
    let is_known = scope.named(root).is_some() || scope.later.contains(&plain(root));
    let of_type = scope
        .resolved
        .entities
        .position(|entity| entity.name == *root);
    match (of_type, written.hops.as_slice(), is_known) {
        (Some(entity), [], false) => Some((ChooseFrom::Place, entity)),
        (Some(_), [hop, ..], false) => {
            let message = format!(
                "`{root}` is an entity type, but a path begins at a name of the event: write `{root} in State` for all of them, \
                 or `name.{hop}` for the ones of a `{root}`"
            );
            errors.at(root, message);
            None
        }
        (None, [], false) if plain(root).starts_with(char::is_uppercase) => {
            entities::expect(&scope.resolved.entities, root, errors);
            None
        }
        _ => {
            let reached = paths::path(scope, written, errors)?;
            Some((ChooseFrom::Path(reached.path), reached.entity))
        }
    }
}

/// A condition on a candidate.
fn condition_of(
    scope: &mut Scope<'_>,
    candidate: (EntityIx, &[StateIx]),
    written: &ast::CandidateWhere,
    errors: &mut Errors,
) -> Option<ChooseWhere> {
    let column = column(scope.resolved, candidate, &written.column, "where", errors)?;
    let ast::Compared {
        comparison,
        at,
        with,
    } = &written.compared;
    let left: Type = scope.resolved.columns[column].ty.clone();
    let (with, right) = operand(scope, with, Some(&left), errors)?;
    let make = match comparison {
        Comparison::Equal | Comparison::NotEqual => "equal",
        _ => "compare",
    };
    Some(ChooseWhere {
        column,
        comparison: *comparison,
        with,
        function: function(scope, make, [&left, &right], *at),
    })
}

/// The order of candidates.
fn sort_by(
    scope: &mut Scope<'_>,
    candidate: (EntityIx, &[StateIx]),
    written: &ast::ChosenOrder,
    errors: &mut Errors,
) -> Option<SortBy> {
    let column = column(scope.resolved, candidate, &written.column, "by", errors)?;
    let ty = scope.resolved.columns[column].ty.clone();
    Some(SortBy {
        column,
        descending: written.descending,
        function: function(scope, "sorted", [&ty], written.column.name.span()),
    })
}

/// The number of chosen entities.
fn take(scope: &mut Scope<'_>, written: &ast::Take, errors: &mut Errors) -> Option<Take> {
    let mut number = |at: Span, value: &ast::Value| {
        let integer: Type = syn::parse_quote!(u64);
        let (number, ty) = operand(scope, value, Some(&integer), errors)?;
        Some((number, function(scope, "number", [&ty], at)))
    };
    Some(match written {
        ast::Take::One => Take::One,
        ast::Take::Exactly(at, value) => {
            let (number, function) = number(*at, value)?;
            Take::Exactly { number, function }
        }
        ast::Take::UpTo(at, value) => {
            let (number, function) = number(*at, value)?;
            Take::UpTo { number, function }
        }
    })
}

/// The column of a candidate: a field, data of a state that is named, or data of the only state that a candidate may have.
fn column(
    resolved: &Resolved,
    (entity, states): (EntityIx, &[StateIx]),
    written: &CandidateColumn,
    word: &str,
    errors: &mut Errors,
) -> Option<ColumnIx> {
    let name = &written.name;
    let def = &resolved.entities[entity];
    if let Some(of) = &written.state {
        let at = state(resolved, entity, of, errors)?;
        let column = state_data(resolved, entity, at, name, errors)?;
        if !states.is_empty() && !states.contains(&at) {
            let message = format!(
                "no candidate has `{of}.{name}`, because none is in `{of}`: add the state to `in`, or remove `{of}.{name}`"
            );
            errors.at(of, message);
            return None;
        }
        return Some(column);
    }
    let field = def.fields.iter().find(|field| field.name == *name);
    match field.map(|field| field.kind) {
        Some(FieldKind::Column(column)) => return Some(column),
        Some(FieldKind::Broken) => return None,
        Some(FieldKind::End(_)) => {
            let message = format!(
                "`{name}` is an edge of `{}`, and `{word}` compares values: write a field of the candidate, or choose from a path, \
                 as in `choose(x: name.edge in State)`",
                def.name
            );
            errors.at(name, message);
            return None;
        }
        None => {}
    }
    let data = |state: &StateIx| {
        let data = &def.states[*state].data;
        let found = data.iter().find(|c| resolved.columns[**c].name == *name);
        found.copied()
    };
    if let [state] = states
        && let Some(column) = data(state)
    {
        return Some(column);
    }
    let of = &def.name;
    let hint = match states.iter().find(|state| data(state).is_some()) {
        Some(state) => format!(
            ", but its state `{0}` has: write `{0}.{name}`",
            def.states[*state].name
        ),
        None => {
            let known: Vec<String> = (def.fields.iter())
                .filter(|field| matches!(field.kind, FieldKind::Column(_)))
                .map(|field| plain(&field.name))
                .collect();
            did_you_mean(&plain(name), known.iter().map(String::as_str))
        }
    };
    errors.at(name, format!("`{of}` has no field `{name}`{hint}"));
    None
}

/// Resolves the order in which an immediate event fires on entities.
pub fn firing_order(
    scope: &mut Scope<'_>,
    written: &ast::FiringOrder,
    errors: &mut Errors,
) -> Option<SortBy> {
    let root = &written.root;
    let own = scope.names.iter().next()?;
    if own.name != *root {
        let (own, field) = (&own.name, &written.order.column.name);
        let message =
            format!("an immediate event is ordered by its own entity: write `by = {own}.{field}`");
        errors.at(root, message);
        return None;
    }
    let entity = scope.def.names.first()?.entity;
    sort_by(scope, (entity, &[]), &written.order, errors)
}

/// Reports a move of a chosen entity from a state in which it may not be although it can be chosen in it.
pub fn moves_are_possible(
    scope: &Scope<'_>,
    written: &[&ast::Arc],
    arcs: &[Arc],
    errors: &mut Errors,
) {
    for (written, arc) in written.iter().zip(arcs) {
        let (ast::Arc::Move { path: at, .. }, Arc::Move { path, from, .. }) = (*written, arc)
        else {
            continue;
        };
        let of_name = |arc: &&Arc| matches!(arc, Arc::Choose { name, .. } if *name == path.root);
        let Some(Arc::Choose { states, .. }) = arcs.iter().find(of_name) else {
            continue;
        };
        let left_out = states.iter().find(|state| !from.contains(state));
        if let (Some(state), []) = (left_out, path.hops.as_slice())
            && !matches!(
                arc,
                Arc::Move {
                    scope: ironweave_schema::Scope::Those,
                    ..
                }
            )
        {
            let entity = scope.def[path.root].entity;
            let state = &scope.resolved.entities[entity].states[*state].name;
            errors.at(
                &at.root,
                format!(
                    "`{at}` may be chosen in `{state}`, which is not a source of this move: add `{state}` to the move, or remove it \
                     from `choose`"
                ),
            );
        }
    }
}

/// Checks what an immediate event may not do with what it chooses.
pub fn of_immediate(scope: &Scope<'_>, written: &[ast::Arc], errors: &mut Errors) {
    let is_chosen = |name: &Ident| {
        let found = scope.named(name);
        found.is_some_and(|name| scope.def[name].by == BindBy::Chosen)
    };
    for arc in written {
        if let ast::Arc::Choose(choose) = arc {
            choose_of_immediate(scope, choose, errors);
        }
        let root = match arc {
            ast::Arc::When { path, .. } | ast::Arc::Count { path, .. } => Some(&path.root),
            ast::Arc::Compare(left, compared) => {
                let mut names = Vec::new();
                entities_in(left, &mut names);
                entities_in(&compared.with, &mut names);
                names.into_iter().find(|name| is_chosen(name))
            }
            _ => None,
        };
        if let Some(root) = root.filter(|root| is_chosen(root)) {
            let message = format!(
                "`{root}` is chosen, and the choice of an immediate event does not depend on a `when`: write the condition as \
                 `where` of its `choose`"
            );
            errors.at(root, message);
        }
        if let ast::Arc::Move {
            scope: ast::Scope::Each | ast::Scope::Bare,
            path,
            ..
        } = arc
            && !path.hops.is_empty()
            && is_chosen(&path.root)
        {
            let message = format!(
                "a move of an immediate event over an edge from what it chooses could reject the step: write `those {path}`"
            );
            errors.at(&path.root, message);
        }
    }
}

/// Checks that what a `choose` of an immediate event depends on exists before the event fires, and that its changes wake the event.
fn choose_of_immediate(scope: &Scope<'_>, choose: &ast::Choose, errors: &mut Errors) {
    let is_created = |name: &Ident| {
        let found = scope.named(name);
        found.is_some_and(|name| scope.def[name].by == BindBy::Created)
    };
    let mut names = Vec::new();
    let mut values: Vec<&ast::Value> = choose.conditions.iter().map(|c| &c.compared.with).collect();
    if let ast::Take::Exactly(_, number) | ast::Take::UpTo(_, number) = &choose.take {
        values.push(number);
    }
    for value in values {
        entities_in(value, &mut names);
        if depends_on_transaction(value) {
            let message = "an immediate event chooses by values of entities, since nothing wakes it when the time passes: compare with a \
                           field of an entity";
            errors.at(&choose.name, message);
        }
    }
    if scope.named(&choose.from.root).is_some() {
        names.push(&choose.from.root);
    }
    if let Some(root) = names.into_iter().find(|name| is_created(name)) {
        let message = format!(
            "`{root}` does not exist before the event fires, and an immediate event fires only if there is something to choose: choose \
             by another entity"
        );
        errors.at(root, message);
    }
    let hops = choose.from.hops.len();
    let Some(root) = scope.named(&choose.from.root).filter(|_| hops != 1) else {
        return;
    };
    // The first of two edges leads to at most one entity, so that few entities are woken by what is behind it.
    let entity = scope.def[root].entity;
    let mut quiet = Errors::default();
    let first = choose.from.hops.first();
    let first = first.and_then(|first| paths::hop(scope.resolved, entity, first, &mut quiet));
    let leads_to_one = first.is_some_and(|(_, _, count)| count != Cardinality::Many);
    if hops != 2 || !leads_to_one {
        let message = format!(
            "an immediate event chooses over one edge, or over two of which the first leads to at most one entity, but `{}` is another \
             path: choose from a place with a `where`, or choose an entity in between first",
            choose.from
        );
        errors.at(choose.from.last(), message);
    }
}

/// Whether a value depends on the time or on other metadata of the transaction.
fn depends_on_transaction(value: &ast::Value) -> bool {
    match value {
        ast::Value::Time | ast::Value::Meta(_) => true,
        ast::Value::Calculated { operands, .. } => operands.iter().any(depends_on_transaction),
        _ => false,
    }
}

/// Collects the names of the entities that a value is taken from.
fn entities_in<'v>(value: &'v ast::Value, names: &mut Vec<&'v Ident>) {
    match value {
        ast::Value::Of(root, ..) => names.push(root),
        ast::Value::Calculated { operands, .. } => {
            operands
                .iter()
                .for_each(|operand| entities_in(operand, names));
        }
        _ => {}
    }
}
