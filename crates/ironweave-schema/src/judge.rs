//! The verdicts on differences: what each means for a log that was written before it, and what to write if it is refused.

use crate::compatibility::{Check, Verdict};
use crate::diff::Item;
use crate::reading::{Reading, Typed, may_be_missing};
use crate::unknown::UnknownItem;
use crate::{Cardinality, ColumnDef, EdgeDef, EndDef, EntityDef, EventFieldDef, Schema, StateDef};

/// A verdict, and whether the difference affects stored data. See [`crate::Difference::is_of_shape`].
pub(crate) type Judged = (Verdict, bool);

/// The verdict on a change of the rules.
pub(crate) fn free() -> Judged {
    (Verdict::Free, false)
}

/// A change of stored data that depends on this data.
fn depends(check: Check, hint: impl Into<String>) -> Judged {
    let hint = hint.into();
    (Verdict::Data { check, hint }, true)
}

/// A change of the rules that the stored data must comply with.
fn must_comply(check: Check, hint: impl Into<String>) -> Judged {
    let hint = hint.into();
    (Verdict::Data { check, hint }, false)
}

/// A change of the rules that is not taken.
fn refused(hint: impl Into<String>) -> Judged {
    (Verdict::Refused { hint: hint.into() }, false)
}

pub(crate) fn unknown(item: &UnknownItem) -> Judged {
    if item.key != "cardinality" {
        return free();
    }
    let hint = "use the version of ironweave that wrote it".to_owned();
    (Verdict::Refused { hint }, true)
}

/// What to write about a removed item.
fn removed(name: &str, otherwise: &str) -> String {
    format!(
        "if it has another name now, write `#[renamed(from = \"{name}\")]` on it; otherwise {otherwise}"
    )
}

pub(crate) fn removed_entity(def: &EntityDef) -> Judged {
    let check = Check::NoEntity(def.name.clone());
    let hint = removed(&def.name, "delete them before, or write a migration");
    depends(check, hint)
}

pub(crate) fn removed_state(entity: &str, def: &StateDef) -> Judged {
    let check = Check::NoneIn {
        entity: entity.to_owned(),
        state: def.name.clone(),
    };
    let hint = removed(
        &def.name,
        "move them to other states before, or write a migration",
    );
    depends(check, hint)
}

/// The entity type or state of the column may be removed with it, which is judged by itself.
pub(crate) fn removed_column(item: Item, name: &str, owner_is_kept: bool) -> Judged {
    if !owner_is_kept {
        return (Verdict::Free, true);
    }
    depends(Check::NoValue(item), removed(name, "write a migration"))
}

pub(crate) fn removed_edge(item: Item, name: &str, ends_are_kept: bool) -> Judged {
    if !ends_are_kept {
        return (Verdict::Free, true);
    }
    let hint = removed(name, "unlink them before, or write a migration");
    depends(Check::NoLink(item), hint)
}

/// A column of a new entity type or state has no values yet.
pub(crate) fn added_column(now: &Schema, def: &ColumnDef, owner_is_kept: bool) -> Judged {
    if !owner_is_kept {
        return free();
    }
    let may_be_missing = def.is_optional() || def.default.is_some();
    if !def.key && may_be_missing {
        return (Verdict::Free, true);
    }
    let entity = now.entity_name(def.entity).to_owned();
    let Some(state) = def.state else {
        let hint = match def.key {
            true => "write a migration that gives each a key".to_owned(),
            false => "give `#[default(..)]` or a migration".to_owned(),
        };
        return depends(Check::NoEntity(entity), hint);
    };
    let check = Check::NoneIn {
        state: now.state_name(def.entity, state).to_owned(),
        entity,
    };
    depends(check, "give `#[default(..)]` or a migration")
}

/// Entities of the earlier schema lack the link that each needs at an end of a new edge.
pub(crate) fn needed_end(now: &Schema, end: &EndDef) -> Judged {
    let path = now.end_path(end);
    let entity = now.entity_name(end.entity).to_owned();
    let looser = match end.cardinality {
        Cardinality::One => "make it `Option<..>` or `Many<..>`",
        _ => "leave out its `min`",
    };
    let hint = format!("each `{entity}` needs a link at `{path}`: {looser}, or write a migration");
    depends(Check::NoEntity(entity), hint)
}

/// `otherwise` is the check that succeeds if there are no values.
pub(crate) fn other_type(
    item: Item,
    otherwise: fn(Item) -> Check,
    (was, now): (&str, &str),
    reading: Reading,
) -> Judged {
    match reading {
        Reading::AsStored => free(),
        Reading::Converted => (Verdict::Free, true),
        Reading::Tried => {
            let ty = now.to_owned();
            let hint = "keep the type, or write a migration";
            depends(Check::Readable { item, ty }, hint)
        }
        Reading::Impossible => {
            let unreadable = unreadable(was, now);
            let hint = format!("{unreadable}: keep the type, or write a migration");
            depends(otherwise(item), hint)
        }
    }
}

/// Says that values of a type as written cannot be read as those of another one, or of the same one whose encoding is another.
fn unreadable(was: &str, now: &str) -> String {
    if was == now {
        return format!("earlier values of `{was}` cannot be read");
    }
    format!("`{was}` cannot be read as `{now}`")
}

pub(crate) fn other_key(entity: &str, is_keyed: bool) -> Judged {
    match is_keyed {
        true => depends(
            Check::UniqueKeys(entity.to_owned()),
            "give them different keys before, or write a migration",
        ),
        false => (Verdict::Free, true),
    }
}

/// The inverse end of an edge is another one.
pub(crate) fn other_inverse(item: Item, leads_elsewhere: bool) -> Judged {
    match leads_elsewhere {
        true => depends(
            Check::NoLink(item),
            "unlink them before, or write a migration",
        ),
        false => free(),
    }
}

pub(crate) fn other_data(item: Item, was: &EdgeDef, now: &EdgeDef, reading: Reading) -> Judged {
    match (&was.data, &now.data) {
        (Some(before), Some(after)) => other_type(item, Check::NoLink, (before, after), reading),
        (None, Some(_)) => {
            if now.default.is_some() || now.has_optional_data() {
                return (Verdict::Free, true);
            }
            depends(Check::NoLink(item), "give `#[default(..)]` or a migration")
        }
        _ => depends(
            Check::NoLink(item),
            "write a migration that drops the data of the links",
        ),
    }
}

/// The type as written and the encoding of the data of links.
pub(crate) fn data_of(def: &EdgeDef) -> Typed<'_> {
    (
        def.data.as_deref().unwrap_or_default(),
        def.encoding.as_ref(),
    )
}

pub(crate) fn acyclic(item: Item, is_now: bool) -> Judged {
    match is_now {
        true => must_comply(
            Check::NoCycle(item),
            "unlink one of each cycle before, or write a migration",
        ),
        false => free(),
    }
}

/// The numbers of links that an end permits have changed.
pub(crate) fn links(end: &str, now: &EndDef, is_tighter: bool, of_shape: bool) -> Judged {
    if !is_tighter {
        return free();
    }
    let check = Check::Links {
        end: end.to_owned(),
        min: now.min,
        max: now.max,
    };
    let hint = "change the links before, or write a migration";
    match of_shape {
        true => depends(check, hint),
        false => must_comply(check, hint),
    }
}

pub(crate) fn invariant(name: &str) -> Judged {
    must_comply(
        Check::Invariant(name.to_owned()),
        "change them before, or write a migration",
    )
}

/// How an event can be read that has other fields than logged ones of its name.
fn upcast(event: &str, logged: &str) -> String {
    format!("write `#[upcast(from = \"{logged}\", with = ..)]` on `{event}`")
}

/// The log may have events without the field. They were logged with this name of the event.
pub(crate) fn added_event_field(event: &str, logged: &str, def: &EventFieldDef) -> Judged {
    if may_be_missing(def) {
        return free();
    }
    refused(format!(
        "the events in the log do not have it: give `#[default(..)]`, make it `Option<{}>`, or {}",
        def.ty,
        upcast(event, logged)
    ))
}

pub(crate) fn other_event_type(
    event: &str,
    logged: &str,
    (was, now): (&str, &str),
    reading: Reading,
) -> Judged {
    match reading {
        Reading::AsStored | Reading::Converted => free(),
        Reading::Tried => refused(format!(
            "the schema does not know whether `{was}` in the events of the log can be read as `{now}`: keep the type, or {}",
            upcast(event, logged)
        )),
        Reading::Impossible => refused(format!(
            "{} in the events of the log: keep the type, or {}",
            unreadable(was, now),
            upcast(event, logged)
        )),
    }
}
