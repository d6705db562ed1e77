//! The payload of the frame of a transaction: its metadata, and each firing with its event, binding and facts.
//!
//! Items of the model are encoded as indexes of the schema frame before the transaction. [`Tags`] maps them by name to the
//! indexes of this program's schema.

use std::ops::Range;
use std::sync::Arc;

use minicbor::Decoder;
use minicbor::data::Type;

use crate::base::cbor::{ARRAY, CborWord, CborWriter, MAP, NULL, TEXT, UINT};
use crate::base::id::Id;
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::schema::Cardinality;
use crate::step::Core;
use crate::step::event::FieldReader;
use crate::step::open::{Firing, OpenTransaction};
use crate::step::repeat::{Attempt, Keyed, Outcome};
use crate::store::tags::EventTags;
pub(crate) use crate::store::tags::Tags;
use crate::value::DecodeError;
use crate::value::item::{self, raw_item};

/// A decoded transaction.
pub(crate) struct Decoded {
    pub time: Timestamp,
    pub meta: Meta,
    /// The entities that each event bound and created. Empty in a frame without an idempotency key.
    pub names: Vec<u8>,
    /// The events that the transaction attempted, if some were rejected or rolled back.
    pub attempts: Option<Vec<u8>>,
    pub facts: Facts,
    pub firings: Vec<Firing>,
    /// The bindings of the firings, one after the other: a map of fields, or the id of the entity of an immediate event.
    pub bindings: Vec<u8>,
    /// For each firing, this program's field for each logged field. Empty if the fields are those of this program.
    fields: Vec<Arc<[u16]>>,
}

impl Decoded {
    /// Takes the content of an open transaction that no log has.
    pub(crate) fn take(open: &mut OpenTransaction) -> Self {
        Self {
            time: open.clock.now(),
            firings: std::mem::take(&mut open.firings),
            meta: std::mem::take(&mut open.meta),
            names: Vec::new(),
            attempts: None,
            facts: open.journal.take_facts(),
            bindings: std::mem::take(&mut open.event_bytes),
            fields: Vec::new(),
        }
    }

    /// Returns the logged binding of a firing.
    pub(crate) fn binding(&self, firing: usize) -> &[u8] {
        let range = self.range(firing, |firing| firing.binding_end);
        self.bindings.get(range).unwrap_or_default()
    }

    /// Returns the indexes of the facts of a firing.
    pub(crate) fn facts_of(&self, firing: usize) -> Range<usize> {
        self.range(firing, |firing| firing.facts_end)
    }

    /// Returns the range from the end of the previous firing to the end of this one.
    fn range(&self, firing: usize, end: impl Fn(&Firing) -> u32) -> Range<usize> {
        let end = |firing: Option<&Firing>| firing.map_or(0, |firing| end(firing) as usize);
        let before = firing.checked_sub(1).and_then(|i| self.firings.get(i));
        end(before)..end(self.firings.get(firing))
    }

    /// Returns a reader of the fields of an event of the program.
    pub(crate) fn reader(&self, firing: usize) -> Result<FieldReader<'_>, DecodeError> {
        let binding = self.binding(firing);
        if let Some(fields) = self.fields.get(firing) {
            return FieldReader::new(binding, fields);
        }
        let n = item::map(&mut Decoder::new(binding))?;
        let own: Vec<u16> = (0..=u16::MAX).take(n as usize).collect();
        FieldReader::new(binding, &own)
    }
}

/// Encodes the open transaction.
pub(crate) fn encode(core: &Core, out: &mut CborWriter) {
    let facts = core.open.journal.facts();
    let open = &core.open;
    let meta = &open.meta;
    let text = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() + 16);
    out.begin(
        128 + text(&meta.actor)
            + text(&meta.correlation)
            + text(&meta.key)
            + open
                .keyed
                .as_ref()
                .map_or(0, |keyed| keyed_bytes_max(keyed))
            + open.event_bytes.len()
            + open.firings.len() * 32
            + Facts::room(facts.list.len())
            + facts.bytes.len(),
    );
    encode_meta(core, out);
    out.small(ARRAY, open.firings.len() as u64);
    let (mut binding_at, mut facts_at) = (0, 0);
    for firing in &open.firings {
        let (binding_end, facts_end) = (firing.binding_end as usize, firing.facts_end as usize);
        out.word(CborWord::bytes([ARRAY | 3]));
        out.small(UINT, firing.event.into());
        out.raw(&open.event_bytes[binding_at..binding_end]);
        out.small(ARRAY, (facts_end - facts_at) as u64);
        for fact in &facts.list[facts_at..facts_end] {
            facts.encode(*fact, out);
        }
        (binding_at, facts_at) = (binding_end, facts_end);
    }
}

/// Encodes the metadata of the open transaction as a map, whose keys are in `docs/log-format.md`.
fn encode_meta(core: &Core, out: &mut CborWriter) {
    let time = CborWord::int(core.open.clock.now().as_micros());
    if !core.open.has_metadata() {
        // The head of the array of the transaction, and a map with the key 0, which is the time.
        out.word(CborWord::bytes([ARRAY | 2, MAP | 1, 0]).then(time));
        return;
    }
    let (meta, keyed) = (&core.open.meta, core.open.keyed.as_deref());
    let texts = [(1, &meta.actor), (2, &meta.correlation), (4, &meta.key)];
    let given = texts.iter().filter(|(_, text)| text.is_some()).count();
    let all_fired = keyed.is_none_or(Keyed::all_fired);
    let more = given
        + usize::from(meta.causation.is_some())
        + usize::from(keyed.is_some())
        + usize::from(!all_fired);
    out.word(CborWord::bytes([ARRAY | 2]));
    out.head(MAP, 1 + more as u64);
    out.head(UINT, 0);
    out.word(time);
    for (code, text) in texts {
        if let Some(text) = text {
            out.head(UINT, code);
            out.head(TEXT, text.len() as u64);
            out.raw(text.as_bytes());
        }
    }
    if let Some(seq) = meta.causation {
        out.head(UINT, 3);
        out.head(UINT, seq);
    }
    let Some(keyed) = keyed else {
        return;
    };
    let fired = keyed.attempts.iter().filter_map(|a| match &a.outcome {
        Outcome::Fired(names) => Some(names),
        Outcome::TakenBack(_) | Outcome::Rejected(_) => None,
    });
    out.head(UINT, 5);
    out.head(ARRAY, fired.clone().count() as u64);
    fired.for_each(|names| out.raw(names));
    if all_fired {
        return;
    }
    out.head(UINT, 6);
    out.head(ARRAY, keyed.attempts.len() as u64);
    for Attempt { print, outcome } in &keyed.attempts {
        out.word(CborWord::bytes([ARRAY | 3]));
        out.head(UINT, (print >> 64) as u64);
        out.head(UINT, *print as u64);
        match outcome {
            Outcome::Fired(_) => out.word(CborWord::bytes([NULL])),
            Outcome::TakenBack(names) => out.raw(names),
            Outcome::Rejected(reason) => {
                out.head(TEXT, reason.len() as u64);
                out.raw(reason.as_bytes());
            }
        }
    }
}

/// Returns an upper bound of the length of the names and attempts of a transaction with a key.
fn keyed_bytes_max(keyed: &Keyed) -> usize {
    let room = |attempt: &Attempt| match &attempt.outcome {
        Outcome::Fired(bytes) | Outcome::TakenBack(bytes) => bytes.len() + 48,
        Outcome::Rejected(reason) => reason.len() + 48,
    };
    32 + keyed.attempts.iter().map(room).sum::<usize>()
}

/// Decodes a transaction.
pub(crate) fn decode(payload: &[u8], tags: &Tags) -> Result<Decoded, DecodeError> {
    read(payload, tags, Facts::default(), true)
}

/// Decodes a transaction without its firings, which a replay does not need. The memory of `room` is reused for its facts.
pub(crate) fn decode_facts(
    payload: &[u8],
    tags: &Tags,
    mut room: Facts,
) -> Result<Decoded, DecodeError> {
    room.clear();
    read(payload, tags, room, false)
}

/// Decodes a transaction with or without its firings. The firings are validated in both cases, so that a transaction that was
/// replayed can be decoded in full later.
fn read(payload: &[u8], tags: &Tags, facts: Facts, firings: bool) -> Result<Decoded, DecodeError> {
    let mut d = Decoder::new(payload);
    if item::array(&mut d)? != 2 {
        return Err(DecodeError::new(
            "it is not an array of metadata and firings",
        ));
    }
    let DecodedMeta {
        time,
        meta,
        names,
        attempts,
    } = read_meta(&mut d)?;
    let mut decoded = Decoded {
        time,
        meta,
        names,
        attempts,
        facts,
        firings: Vec::new(),
        bindings: Vec::new(),
        fields: Vec::new(),
    };
    // The names of each event of the program, if the transaction has a key.
    let mut named = decoded.meta.key.is_some().then(Vec::new);
    for _ in 0..item::array(&mut d)? {
        if item::array(&mut d)? != 3 {
            return Err(DecodeError::new("a firing is not an array of three items"));
        }
        let tag = usize::from(d.u16()?);
        let event = tags.events.get(tag);
        let event = event
            .ok_or_else(|| DecodeError::new(format_args!("event {tag} is not in the schema")))?;
        let binding = read_binding(&mut d, event)?;
        for _ in 0..item::array(&mut d)? {
            decoded.facts.decode(&mut d)?;
        }
        if let Some(named) = named.as_mut().filter(|_| !event.immediate) {
            named.push(&*event.names);
        }
        if firings {
            decoded.bindings.extend_from_slice(binding);
            // A frame is too short for ends that do not fit.
            decoded.firings.push(Firing::read(
                event.event,
                decoded.bindings.len() as u32,
                decoded.facts.list.len() as u32,
            ));
            decoded.fields.push(Arc::clone(&event.fields));
        }
    }
    item::end(&d)?;
    if let Some(named) = named {
        check_names(&decoded.names, &named)?;
        if let Some(attempts) = &decoded.attempts {
            check_attempts(attempts, named.len())?;
        }
    }
    for fact in &mut decoded.facts.list {
        *fact = tags
            .fact(*fact)
            .ok_or_else(|| DecodeError::new(format_args!("{fact:?} is not in the schema")))?;
    }
    Ok(decoded)
}

/// The decoded metadata of a transaction.
struct DecodedMeta {
    time: Timestamp,
    meta: Meta,
    names: Vec<u8>,
    attempts: Option<Vec<u8>>,
}

/// Decodes the metadata of a transaction, whose keys are in `docs/log-format.md`.
fn read_meta(d: &mut Decoder<'_>) -> Result<DecodedMeta, DecodeError> {
    let (mut time, mut meta) = (None, Meta::default());
    let (mut names, mut attempts) = (None, None);
    let mut seen = 0u64;
    for _ in 0..item::map(d)? {
        let code = d.u64()?;
        if code < 64 && seen >> code & 1 == 1 {
            return Err(DecodeError::new(format_args!(
                "the metadata has the key {code} twice"
            )));
        }
        seen |= 1u64.checked_shl(code.min(64) as u32).unwrap_or(0);
        match code {
            0 => time = Some(Timestamp::from_micros(d.i64()?)),
            1 => meta.actor = Some(d.str()?.to_owned()),
            2 => meta.correlation = Some(d.str()?.to_owned()),
            3 => meta.causation = Some(d.u64()?),
            4 => meta.key = Some(d.str()?.to_owned()),
            5 => names = Some(raw_item(d)?.to_vec()),
            6 => attempts = Some(raw_item(d)?.to_vec()),
            _ => {
                raw_item(d)?;
            }
        }
    }
    let time = time.ok_or_else(|| DecodeError::new("a transaction without a time"))?;
    if meta.key.is_some() != names.is_some() || attempts.is_some() && names.is_none() {
        return Err(DecodeError::new(
            "an idempotency key without the names of its events, or names without a key",
        ));
    }
    Ok(DecodedMeta {
        time,
        meta,
        names: names.unwrap_or_default(),
        attempts,
    })
}

/// Decodes the binding of an event: each of its fields once, or the entity of an immediate event.
fn read_binding<'b>(d: &mut Decoder<'b>, event: &EventTags) -> Result<&'b [u8], DecodeError> {
    let start = d.position();
    if event.immediate {
        id(d)?;
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

fn id(d: &mut Decoder<'_>) -> Result<Id, DecodeError> {
    let bits = d.u64()?;
    Id::from_bits(bits).ok_or_else(|| DecodeError::new(format_args!("{bits} is not an id")))
}

/// Decodes the entities that an event bound and created.
pub(super) fn decode_names(d: &mut Decoder<'_>) -> Result<Vec<Vec<Id>>, DecodeError> {
    let mut names = Vec::new();
    for _ in 0..item::array(d)? {
        let mut ids = Vec::new();
        for _ in 0..item::array(d)? {
            ids.push(id(d)?);
        }
        names.push(ids);
    }
    Ok(names)
}

/// Checks that each name of each event of the program has a number of entities that the schema allows.
fn check_names(bytes: &[u8], events: &[&[Cardinality]]) -> Result<(), DecodeError> {
    let fits = |(count, ids): (&Cardinality, &Vec<Id>)| match count {
        Cardinality::One => ids.len() == 1,
        Cardinality::Option => ids.len() <= 1,
        Cardinality::Many => true,
    };
    let mut d = Decoder::new(bytes);
    let others =
        || DecodeError::new("the names beside an idempotency key are not those of its events");
    if item::array(&mut d)? != events.len() as u64 {
        return Err(others());
    }
    for names in events {
        let given = decode_names(&mut d)?;
        if names.len() != given.len() || !names.iter().zip(&given).all(fits) {
            return Err(others());
        }
    }
    item::end(&d)
}

/// Checks the attempts of a transaction with a key. `fired` of them must be firings of the transaction. The others were
/// rejected or rolled back.
fn check_attempts(bytes: &[u8], fired: usize) -> Result<(), DecodeError> {
    let mut d = Decoder::new(bytes);
    let mut left = fired;
    for _ in 0..item::array(&mut d)? {
        if item::array(&mut d)? != 3 {
            return Err(DecodeError::new(
                "an attempt is not an array of three items",
            ));
        }
        d.u64()?;
        d.u64()?;
        match d.datatype()? {
            Type::Null => {
                d.null()?;
                left = left.checked_sub(1).ok_or_else(too_many)?;
            }
            Type::String => {
                d.str()?;
            }
            _ => {
                decode_names(&mut d)?;
            }
        }
    }
    if left > 0 {
        return Err(too_many());
    }
    item::end(&d)
}

#[cold]
fn too_many() -> DecodeError {
    DecodeError::new("the attempts of a transaction do not match its firings")
}
