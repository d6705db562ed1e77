//! Resolves `#[due(..)]`: the time at which an event is due.

use ironweave_schema::{
    BindBy, Cardinality, ColumnIx, DueDef, EntityIx, EventDef, FieldIx, NameIx,
};
use proc_macro2::Ident;

use super::model::{EventField, FieldKind, Resolved};
use super::names::plain;
use super::table::Table;
use super::{state, values};
use crate::errors::{Errors, did_you_mean};
use crate::parse::ast;

/// Resolves the due time of an event, whose arcs and fields are resolved.
pub fn resolve(
    written: &ast::Due,
    def: &EventDef,
    fields: &Table<FieldIx, EventField>,
    resolved: &Resolved,
    errors: &mut Errors,
) -> Option<DueDef> {
    if def.immediate {
        errors.at(
            &written.name,
            format!("an immediate event fires as soon as it is enabled: write `#[event]` on `{}`, which waits for a time", def.name),
        );
        return None;
    }
    let name = only_entity(written, def, fields, errors)?;
    let entity = def[name].entity;
    let column = match &written.state {
        Some(in_state) => {
            let in_state = state(resolved, entity, in_state, errors)?;
            values::state_data(resolved, entity, in_state, &written.field, errors)?
        }
        None => field(written, entity, resolved, errors)?,
    };
    Some(DueDef {
        name,
        column,
        ..DueDef::default()
    })
}

/// Checks that an event can be due for an entity, and that it is not due again as soon as it has fired.
pub fn check(written: &ast::Due, def: &EventDef, resolved: &Resolved, errors: &mut Errors) {
    let (Some(due), Some(states)) = (&def.due, resolved.schema.due_states(def)) else {
        return;
    };
    let (name, field) = (&written.name, &written.field);
    if states.is_empty() {
        let of = &resolved.entities[def[due.name].entity];
        let text = match resolved.schema[due.column].state {
            Some(state) => format!(
                "`{}` is never due: only a `{}` in `{}` has `{field}`, and the event requires another state",
                def.name, of.name, of.states[state].name
            ),
            None => format!(
                "`{}` is never due: its arcs require `{name}` in two states at once",
                def.name
            ),
        };
        errors.at(field, text);
    } else if def.mays.is_empty() && resolved.schema.stays_due(def) {
        errors.at(
            field,
            format!(
                "`{}` would still be due after it has fired: move `{name}` to a state in which it is not, set `{name}.{}` to a \
                 later time, or delete `{name}`",
                def.name,
                written.time()
            ),
        );
    }
}

/// The only field of the event, which names the entity that has the time.
fn only_entity(
    written: &ast::Due,
    def: &EventDef,
    fields: &Table<FieldIx, EventField>,
    errors: &mut Errors,
) -> Option<NameIx> {
    let event = &def.name;
    let only = match fields.len() {
        1 => fields.iter().next(),
        _ => None,
    };
    let binds = only.and_then(|field| {
        let binds = field.binds?;
        let name = &def[binds];
        let by = matches!(name.by, BindBy::Handle | BindBy::Token(_) | BindBy::Key);
        (name.count == Cardinality::One && by).then_some((field, binds))
    });
    let Some((field, binds)) = binds else {
        let name = &written.name;
        errors.at(
            name,
            format!(
                "an event that is due has exactly one field, the entity that has the time: write `pub struct {event} {{ pub {name}: Entity }}`, \
                 with an `Entity`, `Entity<State>` or `Key<Entity>`; arcs take other values from it"
            ),
        );
        return None;
    };
    if field.name != written.name {
        let (right, wrong) = (&field.name, &written.name);
        let time = written.time();
        errors.at(
            wrong,
            format!("`{event}` binds `{right}`, not `{wrong}`: write `#[due({right}.{time})]`"),
        );
        return None;
    }
    Some(binds)
}

/// The column of a field of the entity.
fn field(
    written: &ast::Due,
    entity: EntityIx,
    resolved: &Resolved,
    errors: &mut Errors,
) -> Option<ColumnIx> {
    let def = &resolved.entities[entity];
    let (of, name, field) = (&def.name, &written.name, &written.field);
    let found = def.fields.iter().find(|known| known.name == *field);
    match found.map(|found| found.kind) {
        Some(FieldKind::Column(column)) if resolved.schema[column].key => {
            errors.at(
                field,
                format!("`{field}` is a part of the key of `{of}`, which never changes: declare the time as another field"),
            );
            None
        }
        Some(FieldKind::Column(column)) => Some(column),
        Some(FieldKind::End(_)) => {
            errors.at(
                field,
                format!("`{field}` is an edge of `{of}`: write a field of type `Timestamp` or `Option<Timestamp>`"),
            );
            None
        }
        Some(FieldKind::Broken) => None,
        None => {
            let is_data = |column: &ColumnIx| resolved.columns[*column].name == *field;
            let elsewhere = def
                .states
                .iter()
                .find(|state| state.data.iter().any(is_data));
            let hint = match elsewhere {
                Some(state) => {
                    let state = &state.name;
                    format!(", but its state `{state}` has: write `#[due({name}.{state}.{field})]`")
                }
                None => suggestion(field, entity, resolved),
            };
            errors.at(field, format!("`{of}` has no field `{field}`{hint}"));
            None
        }
    }
}

/// The field that was probably meant.
fn suggestion(field: &Ident, entity: EntityIx, resolved: &Resolved) -> String {
    let fields = resolved.entities[entity].fields.iter();
    let columns = fields.filter(
        |known| matches!(known.kind, FieldKind::Column(column) if !resolved.schema[column].key),
    );
    let known: Vec<String> = columns.map(|known| plain(&known.name)).collect();
    did_you_mean(&plain(field), known.iter().map(String::as_str))
}
