//! Decoding a transaction of format version 3. Nothing is allocated for a record before the payload is known to have it.

use minicbor::Decoder;

use super::meta::{self, DecodedMeta};
use super::records::{
    CHOSE, FACT_BYTES, FIRING_BYTES, FactRecord, FiringRecord, Header, form, kind,
};
use super::{Decoded, FrameError, KeyedNames, event_of};
use crate::base::cbor::{ARRAY, MAP, NULL, UINT, head};
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::graph::fact::{Fact, Facts};
use crate::schema::{Cardinality, StateIx};
use crate::step::field_codec::WORD_BYTES;
use crate::store::tags::{EventTags, Tags};
use crate::value::DecodeError;
use crate::value::fixed::FixedEncoding;
use crate::value::item::{self, raw_item};

/// The parts of a payload, which have the lengths in its header.
struct Parts<'b> {
    header: Header,
    firings: &'b [[u8; FIRING_BYTES]],
    facts: &'b [[u8; FACT_BYTES]],
    bindings: &'b [u8],
    metadata: &'b [u8],
    values: &'b [u8],
}

impl<'b> Parts<'b> {
    fn of(payload: &'b [u8]) -> Result<Self, FrameError> {
        let short = || DecodeError::new(format_args!("it has {} bytes", payload.len()));
        let (header, rest) = payload.split_first_chunk().ok_or_else(short)?;
        let header = Header::decode(header);
        if header.flags != 0 {
            return Err(FrameError::Newer(format!(
                "the flags {:#x}, which are for later versions",
                header.flags
            )));
        }
        let wrong = || {
            DecodeError::new(format_args!(
                "it has {} bytes, which is not the sum of the lengths in it",
                payload.len()
            ))
        };
        let mut rest = rest;
        // A length that does not fit the address space does not fit the payload.
        let mut take = |n: u32, bytes: usize| -> Result<&'b [u8], DecodeError> {
            let n = (n as usize).checked_mul(bytes).ok_or_else(wrong)?;
            let (taken, after) = rest.split_at_checked(n).ok_or_else(wrong)?;
            rest = after;
            Ok(taken)
        };
        let parts = Self {
            firings: take(header.firings, FIRING_BYTES)?.as_chunks().0,
            facts: take(header.facts, FACT_BYTES)?.as_chunks().0,
            bindings: take(header.binding_bytes, 1)?,
            metadata: take(header.metadata_bytes, 1)?,
            values: take(header.value_bytes, 1)?,
            header,
        };
        if rest.is_empty() {
            Ok(parts)
        } else {
            Err(wrong().into())
        }
    }
}

/// Returns the time of a transaction.
pub(super) fn time(payload: &[u8]) -> Result<Timestamp, FrameError> {
    Ok(Timestamp::from_micros(Parts::of(payload)?.header.time))
}

/// Decodes a migration: facts that belong to no firing.
pub(super) fn read_migration(
    payload: &[u8],
    tags: &Tags,
    facts: Facts,
) -> Result<Decoded, FrameError> {
    let parts = Parts::of(payload)?;
    if !(parts.firings.is_empty() && parts.bindings.is_empty() && parts.metadata.is_empty()) {
        return Err(DecodeError::new("a migration has events or metadata").into());
    }
    let time = Timestamp::from_micros(parts.header.time);
    let mut decoded = Decoded::new(time, DecodedMeta::default(), facts);
    read_facts(&parts, tags, &mut decoded.facts)?;
    Ok(decoded)
}

/// Decodes the facts of a transaction or of a migration.
pub(super) fn read_facts_alone(
    payload: &[u8],
    tags: &Tags,
    mut facts: Facts,
) -> Result<Facts, FrameError> {
    read_facts(&Parts::of(payload)?, tags, &mut facts)?;
    Ok(facts)
}

/// Decodes a transaction with or without its firings.
pub(super) fn read(
    payload: &[u8],
    tags: &Tags,
    facts: Facts,
    firings: bool,
) -> Result<Decoded, FrameError> {
    let parts = Parts::of(payload)?;
    let time = Timestamp::from_micros(parts.header.time);
    let meta = read_meta(parts.metadata)?;
    let mut decoded = Decoded::new(time, meta, facts);
    read_facts(&parts, tags, &mut decoded.facts)?;
    if firings {
        decoded.reserve(parts.firings.len(), parts.bindings.len());
    }
    let mut named = KeyedNames::of(&decoded);
    let (mut binding_at, mut facts_at) = (0, 0);
    for record in parts.firings {
        let firing = FiringRecord::decode(record);
        let event = event_of(tags, firing.event.into());
        let chose = event.as_ref().is_ok_and(|event| !event.chosen.is_empty());
        let known = if chose { CHOSE } else { 0 };
        if firing.flags & !known != 0 || firing.reserved != 0 {
            return Err(FrameError::Newer(format!(
                "a firing with the flags {:#x} and {:#x}, which are for later versions",
                firing.flags, firing.reserved
            )));
        }
        let event = event?;
        if firing.flags != known {
            let why = "an event without the entities that it chose";
            return Err(DecodeError::new(why).into());
        }
        let (binding_end, facts_end) = (firing.binding_end as usize, firing.facts_end as usize);
        // The last end, which the others do not exceed, is checked below.
        if facts_end < facts_at {
            return Err(unordered().into());
        }
        let binding = parts.bindings.get(binding_at..binding_end);
        let binding = binding.ok_or_else(unordered)?;
        let out = firings.then_some(&mut decoded.bindings);
        read_binding(binding, event, out)?;
        named.push(event);
        if firings {
            decoded.push_firing(event, facts_end);
        }
        (binding_at, facts_at) = (binding_end, facts_end);
    }
    if (binding_at, facts_at) != (parts.bindings.len(), parts.facts.len()) {
        return Err(unordered().into());
    }
    named.check(&decoded)?;
    Ok(decoded)
}

#[cold]
fn unordered() -> DecodeError {
    DecodeError::new(
        "the ends of its firings are not in order, or not those of its facts and bindings",
    )
}

fn read_meta(bytes: &[u8]) -> Result<DecodedMeta, DecodeError> {
    if bytes.is_empty() {
        return Ok(DecodedMeta::default());
    }
    let mut d = Decoder::new(bytes);
    let meta = meta::decode(&mut d)?;
    item::end(&d)?;
    if meta.time.is_some() {
        return Err(DecodeError::new("the metadata has a second time"));
    }
    Ok(meta)
}

/// Decodes all facts, with their values.
fn read_facts(parts: &Parts<'_>, tags: &Tags, facts: &mut Facts) -> Result<(), DecodeError> {
    facts.list.reserve(parts.facts.len());
    facts.generations.reserve(parts.facts.len());
    // Words are rarely longer in CBOR, and most facts have a word or none.
    (facts.bytes).reserve(parts.values.len() + WORD_BYTES * parts.facts.len().min(4));
    let mut values = parts.values;
    for record in parts.facts {
        read_fact(&FactRecord::decode(record), tags, &mut values, facts)?;
    }
    if values.is_empty() {
        return Ok(());
    }
    Err(DecodeError::new(format_args!(
        "it has {} bytes of values that are of no fact",
        values.len()
    )))
}

/// Decodes one fact and appends it.
fn read_fact(
    record: &FactRecord,
    tags: &Tags,
    values: &mut &[u8],
    facts: &mut Facts,
) -> Result<(), DecodeError> {
    let id = read_id(record.entity)?;
    let other = match record.kind {
        kind::LINK | kind::UNLINK | kind::SET_LINK => read_id(record.operand)?,
        _ => Id {
            slot: 0,
            generation: 0,
        },
    };
    let (at, len) = match (record.kind, record.form) {
        (kind::SET, form::WORD) if record.value_bytes == 0 => {
            facts.push_word(tags.word_to_cbor(record.index, record.operand)?)
        }
        (kind::SET, form::CBOR) if record.operand == 0 => {
            facts.push_value(take_item(values, record.value_bytes.into())?)
        }
        (kind::SET_LINK, form::CBOR) => {
            facts.push_value(take_item(values, record.value_bytes.into())?)
        }
        (kind::SET | kind::SET_LINK, _) => return Err(wrong_record(record)),
        (_, form::NONE) if record.value_bytes == 0 => (0, 0),
        _ => return Err(wrong_record(record)),
    };
    let state = || u8::try_from(record.operand).map(StateIx::new);
    let (index, slot, generation) = (record.index, id.slot, id.generation);
    let fact = match record.kind {
        kind::CREATE => Fact::Create {
            entity: index.into(),
            state: state().map_err(|_| wrong_record(record))?,
            slot,
            generation,
        },
        kind::DELETE => Fact::Delete {
            entity: index.into(),
            state: state().map_err(|_| wrong_record(record))?,
            slot,
            generation,
        },
        kind::MOVE => {
            let states = u16::try_from(record.operand).map_err(|_| wrong_record(record))?;
            let [from, to] = states.to_le_bytes().map(StateIx::new);
            Fact::Move {
                entity: index.into(),
                slot,
                from,
                to,
            }
        }
        kind::SET => Fact::Set {
            column: index.into(),
            slot,
            at,
            len,
        },
        kind::LINK => Fact::Link {
            edge: index.into(),
            from: slot,
            to: other.slot,
        },
        kind::UNLINK => Fact::Unlink {
            edge: index.into(),
            from: slot,
            to: other.slot,
        },
        kind::SET_LINK => Fact::SetLink {
            edge: index.into(),
            from: slot,
            to: other.slot,
            at,
            len,
        },
        _ => return Err(wrong_record(record)),
    };
    facts.list.push(tags.fact(fact)?);
    facts.generations.push([generation, other.generation]);
    Ok(())
}

#[cold]
fn wrong_record(record: &FactRecord) -> DecodeError {
    let FactRecord {
        kind,
        form,
        value_bytes,
        operand,
        ..
    } = record;
    DecodeError::new(format_args!(
        "a fact of kind {kind} has the form {form}, a value of {value_bytes} bytes and the operand {operand}, which do not \
         fit"
    ))
}

fn read_id(bits: u64) -> Result<Id, DecodeError> {
    Id::from_bits(bits).ok_or_else(|| DecodeError::new(format_args!("{bits} is not an id")))
}

/// Takes one item of a given length from the beginning of `bytes`.
fn take_item<'b>(bytes: &mut &'b [u8], len: u64) -> Result<&'b [u8], DecodeError> {
    let split = usize::try_from(len).ok();
    let (item, rest) = split
        .and_then(|len| bytes.split_at_checked(len))
        .ok_or_else(|| {
            DecodeError::new(format_args!(
                "a value has {len} bytes, and {} are left",
                bytes.len()
            ))
        })?;
    let mut d = Decoder::new(item);
    raw_item(&mut d)?;
    item::end(&d)?;
    *bytes = rest;
    Ok(item)
}

/// Validates the binding of a firing, and appends it to `out` in CBOR: the word of each field, or of the entity of an
/// immediate event. A value that has no word follows the word of its length.
fn read_binding(
    mut binding: &[u8],
    event: &EventTags,
    mut out: Option<&mut Vec<u8>>,
) -> Result<(), DecodeError> {
    if event.immediate {
        let id = read_id(take_word(&mut binding)?)?;
        if let Some(out) = &mut out {
            head(out, UINT, id.to_bits());
        }
    } else {
        if let Some(out) = &mut out {
            head(out, MAP, event.words.len() as u64);
        }
        for (tag, fixed) in event.words.iter().enumerate() {
            if let Some(out) = &mut out {
                head(out, UINT, tag as u64);
            }
            let word = take_word(&mut binding)?;
            let Some(fixed) = fixed else {
                let item = take_item(&mut binding, word)?;
                take_padding(&mut binding, item.len())?;
                if let Some(out) = &mut out {
                    out.extend_from_slice(item);
                }
                continue;
            };
            let cbor = fixed.to_cbor(word);
            let cbor = cbor.ok_or_else(|| not_a_word(word, *fixed))?;
            if let Some(out) = &mut out {
                cbor.write(out);
            }
        }
    }
    if !event.chosen.is_empty() {
        read_chosen(&mut binding, event, out)?;
    }
    if binding.is_empty() {
        return Ok(());
    }
    Err(DecodeError::new(format_args!(
        "an event has {} bytes behind its fields",
        binding.len()
    )))
}

/// Validates the entities that an event chose, and appends those of each name of the program to `out`.
fn read_chosen(
    binding: &mut &[u8],
    event: &EventTags,
    out: Option<&mut Vec<u8>>,
) -> Result<(), DecodeError> {
    let mut names = Vec::with_capacity(event.chosen.len());
    for count in &event.chosen {
        let n = take_word(binding)?;
        let fits = n == 1 || *count == Cardinality::Many;
        let len = usize::try_from(n)
            .ok()
            .and_then(|n| n.checked_mul(WORD_BYTES));
        let ids = len
            .filter(|_| fits)
            .and_then(|len| binding.split_at_checked(len));
        let (ids, rest) = ids.ok_or_else(|| {
            DecodeError::new(format_args!(
                "an event chose {n} entities for a name, which it cannot have chosen"
            ))
        })?;
        *binding = rest;
        let ids: Vec<Id> = (ids.as_chunks().0.iter())
            .map(|word| read_id(u64::from_le_bytes(*word)))
            .collect::<Result<_, _>>()?;
        names.push(ids);
    }
    let Some(out) = out else { return Ok(()) };
    head(out, ARRAY, event.chosen_now.len() as u64);
    for then in &event.chosen_now {
        match then.and_then(|then| names.get(then)) {
            Some(ids) => {
                head(out, ARRAY, ids.len() as u64);
                ids.iter().for_each(|id| head(out, UINT, id.to_bits()));
            }
            None => out.push(NULL),
        }
    }
    Ok(())
}

fn take_word(binding: &mut &[u8]) -> Result<u64, DecodeError> {
    let (word, rest) = (binding.split_first_chunk())
        .ok_or_else(|| DecodeError::new("an event ends before its last field"))?;
    *binding = rest;
    Ok(u64::from_le_bytes(*word))
}

/// Takes the zeros behind a value of so many bytes.
fn take_padding(binding: &mut &[u8], len: usize) -> Result<(), DecodeError> {
    let padding = len.next_multiple_of(WORD_BYTES) - len;
    let split = binding.split_at_checked(padding);
    let (_, rest) = split
        .filter(|(zeros, _)| zeros.iter().all(|byte| *byte == 0))
        .ok_or_else(|| DecodeError::new("a value of an event is not followed by zeros"))?;
    *binding = rest;
    Ok(())
}

/// Returns the error for a word that no value of an encoding has.
#[cold]
fn not_a_word(word: u64, fixed: FixedEncoding) -> DecodeError {
    DecodeError::new(format_args!(
        "no value of the form {fixed:?} has the word {word:#x}"
    ))
}
