//! Reading a transaction of format version 2: one CBOR item, in which each fact and each binding is an item of its own.
//! Nothing writes this version any more.

use minicbor::Decoder;

use super::meta::{self, decode_id};
use super::{Decoded, KeyedNames, event_of};
use crate::base::time::Timestamp;
use crate::graph::fact::{Fact, Facts};
use crate::store::tags::{EventTags, Tags};
use crate::value::DecodeError;
use crate::value::item::{self, raw_item};

/// Returns the time of a transaction.
pub(super) fn time(payload: &[u8]) -> Result<Timestamp, DecodeError> {
    let mut d = Decoder::new(payload);
    item::array(&mut d)?;
    let time = meta::decode(&mut d)?.time;
    time.ok_or_else(|| DecodeError::new("a transaction without a time"))
}

/// Decodes a transaction with or without its firings.
pub(super) fn read(
    payload: &[u8],
    tags: &Tags,
    facts: Facts,
    firings: bool,
) -> Result<Decoded, DecodeError> {
    let mut d = Decoder::new(payload);
    if item::array(&mut d)? != 2 {
        return Err(DecodeError::new(
            "it is not an array of metadata and firings",
        ));
    }
    let meta = meta::decode(&mut d)?;
    let time = (meta.time).ok_or_else(|| DecodeError::new("a transaction without a time"))?;
    let mut decoded = Decoded::new(time, meta, facts);
    let mut named = KeyedNames::of(&decoded);
    for _ in 0..item::array(&mut d)? {
        if item::array(&mut d)? != 3 {
            return Err(DecodeError::new("a firing is not an array of three items"));
        }
        let event = event_of(tags, d.u16()?.into())?;
        let binding = read_binding(&mut d, event)?;
        for _ in 0..item::array(&mut d)? {
            read_fact(&mut d, &mut decoded.facts)?;
        }
        named.push(event);
        if firings {
            decoded.bindings.extend_from_slice(binding);
            decoded.push_firing(event, decoded.facts.list.len());
        }
    }
    item::end(&d)?;
    named.check(&decoded)?;
    for fact in &mut decoded.facts.list {
        *fact = tags.fact(*fact)?;
    }
    Ok(decoded)
}

/// Decodes one fact and appends it.
pub(super) fn read_fact(d: &mut Decoder<'_>, facts: &mut Facts) -> Result<(), DecodeError> {
    let items = item::array(d)?;
    let code = d.u8()?;
    let fact = match (code, items) {
        (0 | 1, 5) => {
            let (entity, slot, generation) = (d.u16()?.into(), d.u32()?, d.u32()?);
            let state = d.u8()?.into();
            if code == 0 {
                Fact::Create {
                    entity,
                    state,
                    slot,
                    generation,
                }
            } else {
                Fact::Delete {
                    entity,
                    state,
                    slot,
                    generation,
                }
            }
        }
        (2, 5) => Fact::Move {
            entity: d.u16()?.into(),
            slot: d.u32()?,
            from: d.u8()?.into(),
            to: d.u8()?.into(),
        },
        (3, 4) => {
            let (column, slot) = (d.u16()?.into(), d.u32()?);
            let (at, len) = facts.push_value(raw_item(d)?);
            Fact::Set {
                column,
                slot,
                at,
                len,
            }
        }
        (4, 4) => Fact::Link {
            edge: d.u16()?.into(),
            from: d.u32()?,
            to: d.u32()?,
        },
        (5, 4) => Fact::Unlink {
            edge: d.u16()?.into(),
            from: d.u32()?,
            to: d.u32()?,
        },
        (6, 5) => {
            let (edge, from, to) = (d.u16()?.into(), d.u32()?, d.u32()?);
            let (at, len) = facts.push_value(raw_item(d)?);
            Fact::SetLink {
                edge,
                from,
                to,
                at,
                len,
            }
        }
        _ => {
            return Err(DecodeError::new(format_args!(
                "fact with unknown code {code} and {items} items"
            )));
        }
    };
    facts.list.push(fact);
    Ok(())
}

/// Decodes the binding of an event: each of its fields once, or the entity of an immediate event.
fn read_binding<'b>(d: &mut Decoder<'b>, event: &EventTags) -> Result<&'b [u8], DecodeError> {
    let start = d.position();
    if event.immediate {
        decode_id(d)?;
        return Ok(&d.input()[start..d.position()]);
    }
    let fields = event.fields.len();
    let n = item::map(d)?;
    if n != fields as u64 {
        return Err(DecodeError::new(format_args!(
            "an event has {n} fields, and its schema has {fields}"
        )));
    }
    // This program writes the fields in order of declaration. Duplicates are checked only for another order.
    let (mut ordered, mut given) = (true, Vec::new());
    for i in 0..fields {
        let tag = d.u16()?;
        if usize::from(tag) >= fields {
            return Err(DecodeError::new(format_args!(
                "field {tag} of an event that has {fields} is not in the schema"
            )));
        }
        if usize::from(tag) != i && ordered {
            ordered = false;
            given = vec![false; fields];
            given[..i].fill(true);
        }
        if !ordered && std::mem::replace(&mut given[usize::from(tag)], true) {
            return Err(DecodeError::new(format_args!(
                "an event has its field {tag} twice"
            )));
        }
        raw_item(d)?;
    }
    Ok(&d.input()[start..d.position()])
}
