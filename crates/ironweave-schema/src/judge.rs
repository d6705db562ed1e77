//! The verdicts on differences: what each means for a log that was written before it, and what to write if it is refused.

use crate::compatibility::{Check, Verdict};
use crate::diff::Item;
use crate::reading::{Reading, Typed};
use crate::unknown::UnknownItem;
use crate::{ColumnDef, Encoding, EndDef, EntityDef, EventDef, EventFieldDef, Schema, StateDef};

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

/// Returns whether values of a type may be missing. The type as written decides if the encoding is not known.
fn is_optional(ty: &str, encoding: Option<&Encoding>) -> bool {
    match encoding {
        Some(encoding) => matches!(encoding, Encoding::Option(_)),
        None => matches!(ty.split_once('<'), Some((outer, _)) if outer.trim_end() == "Option"),
    }
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
    let may_be_missing = is_optional(&def.ty, def.encoding.as_ref()) || def.default.is_some();
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
    let hint = format!("make it `Option<{}>`, or write a migration", def.ty);
    depends(check, hint)
}

/// `needed` is an end at which entities of the earlier schema lack a link.
pub(crate) fn added_edge(now: &Schema, needed: Option<&EndDef>) -> Judged {
    let Some(end) = needed else {
        return free();
    };
    let path = now.end_path(end);
    let entity = now.entity_name(end.entity).to_owned();
    let hint = format!(
        "each `{entity}` needs a link at `{path}`: make it `Option<..>` or `Many<..>`, or write a migration"
    );
    depends(Check::NoEntity(entity), hint)
}

pub(crate) fn other_type(
    item: Item,
    (was, now): ((&Schema, Typed<'_>), (&Schema, Typed<'_>)),
) -> Judged {
    let ty = now.1.0.to_owned();
    match Reading::of(was, now) {
        Reading::AsStored => free(),
        Reading::Converted => (Verdict::Free, true),
        Reading::Tried if was.1.0 == now.1.0 => free(),
        Reading::Tried => {
            let hint = "keep the type, or write a migration";
            depends(Check::Readable { item, ty }, hint)
        }
        Reading::Impossible => {
            let hint = format!(
                "`{}` cannot be read as `{ty}`: keep the type, or write a migration",
                was.1.0
            );
            (Verdict::Refused { hint }, true)
        }
    }
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

pub(crate) fn other_data(
    item: Item,
    was: Option<(&Schema, Typed<'_>)>,
    now: Option<(&Schema, Typed<'_>)>,
) -> Judged {
    match (was, now) {
        (Some(was), Some(now)) => other_type(item, (was, now)),
        (None, Some((_, (ty, encoding)))) => {
            if is_optional(ty, encoding) {
                return (Verdict::Free, true);
            }
            let hint = format!("make it `Option<{ty}>`, or write a migration");
            depends(Check::NoLink(item), hint)
        }
        _ => depends(
            Check::NoLink(item),
            "write a migration that drops the data of the links",
        ),
    }
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

/// The log has events that were fired before, which the later model must be able to read.
pub(crate) fn removed_event(def: &EventDef) -> Judged {
    refused(removed(
        &def.name,
        "keep it, because the log may have events of it",
    ))
}

/// Nothing fires an immediate event on entities that enable it already. `is_on_kept` says whether the earlier schema has the
/// entity type that it fires on.
pub(crate) fn added_event(def: &EventDef, is_on_kept: bool) -> Judged {
    match def.immediate && is_on_kept {
        true => refused("entities in the store may enable it already: write a migration"),
        false => free(),
    }
}

pub(crate) fn other_trigger() -> Judged {
    refused("leave it as it was, and add an event of another name")
}

pub(crate) fn removed_event_field(def: &EventFieldDef) -> Judged {
    refused(removed(
        &def.name,
        "keep it, because the log may have events with it",
    ))
}

pub(crate) fn added_event_field(def: &EventFieldDef) -> Judged {
    if is_optional(&def.ty, def.encoding.as_ref()) {
        return free();
    }
    refused(format!(
        "make it `Option<{}>`, because the events in the log do not have it",
        def.ty
    ))
}

pub(crate) fn other_event_type((was, now): ((&Schema, Typed<'_>), (&Schema, Typed<'_>))) -> Judged {
    match Reading::of(was, now) {
        Reading::AsStored => free(),
        Reading::Tried if was.1.0 == now.1.0 => free(),
        _ => refused("keep the type, because the log may have events with it"),
    }
}
