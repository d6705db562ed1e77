//! The metadata of a transaction: a CBOR map, whose keys are in `docs/log-format.md`. Version 2 has the time in it too.

use minicbor::Decoder;
use minicbor::data::Type;

use crate::base::cbor::{ARRAY, MAP, NULL, TEXT, UINT, head};
use crate::base::id::Id;
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::schema::Cardinality;
use crate::step::open::OpenTransaction;
use crate::step::repeat::{Attempt, Keyed, Outcome};
use crate::value::DecodeError;
use crate::value::item::{self, raw_item};

/// Encodes the metadata of the open transaction, except for its time. Nothing is encoded if there is none.
pub(super) fn encode(open: &OpenTransaction) -> Vec<u8> {
    let mut out = Vec::new();
    if !open.has_metadata() {
        return out;
    }
    let (meta, keyed) = (&open.meta, open.keyed.as_deref());
    let texts = [(1, &meta.actor), (2, &meta.correlation), (4, &meta.key)];
    let given = texts.iter().filter(|(_, text)| text.is_some()).count();
    let all_fired = keyed.is_none_or(Keyed::all_fired);
    let entries = given
        + usize::from(meta.causation.is_some())
        + usize::from(keyed.is_some())
        + usize::from(!all_fired);
    if entries == 0 {
        return out;
    }
    head(&mut out, MAP, entries as u64);
    for (code, text) in texts {
        if let Some(text) = text {
            head(&mut out, UINT, code);
            encode_text(&mut out, text);
        }
    }
    if let Some(seq) = meta.causation {
        head(&mut out, UINT, 3);
        head(&mut out, UINT, seq);
    }
    if let Some(keyed) = keyed {
        encode_keyed(&mut out, keyed, all_fired);
    }
    out
}

fn encode_text(out: &mut Vec<u8>, text: &str) {
    head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn encode_keyed(out: &mut Vec<u8>, keyed: &Keyed, all_fired: bool) {
    let fired = keyed.attempts.iter().filter_map(|a| match &a.outcome {
        Outcome::Fired(names) => Some(names),
        Outcome::TakenBack(_) | Outcome::Rejected(_) => None,
    });
    head(out, UINT, 5);
    head(out, ARRAY, fired.clone().count() as u64);
    fired.for_each(|names| out.extend_from_slice(names));
    if all_fired {
        return;
    }
    head(out, UINT, 6);
    head(out, ARRAY, keyed.attempts.len() as u64);
    for Attempt { print, outcome } in &keyed.attempts {
        head(out, ARRAY, 3);
        head(out, UINT, (print >> 64) as u64);
        head(out, UINT, *print as u64);
        match outcome {
            Outcome::Fired(_) => out.push(NULL),
            Outcome::TakenBack(names) => out.extend_from_slice(names),
            Outcome::Rejected(reason) => encode_text(out, reason),
        }
    }
}

/// The decoded metadata of a transaction.
#[derive(Default)]
pub(super) struct DecodedMeta {
    /// The time, which the metadata of version 2 contains.
    pub time: Option<Timestamp>,
    pub meta: Meta,
    pub names: Vec<u8>,
    pub attempts: Option<Vec<u8>>,
}

/// Decodes the metadata of a transaction.
pub(super) fn decode(d: &mut Decoder<'_>) -> Result<DecodedMeta, DecodeError> {
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

pub(super) fn decode_id(d: &mut Decoder<'_>) -> Result<Id, DecodeError> {
    let bits = d.u64()?;
    Id::from_bits(bits).ok_or_else(|| DecodeError::new(format_args!("{bits} is not an id")))
}

/// Decodes the entities that an event bound and created.
pub(crate) fn decode_names(d: &mut Decoder<'_>) -> Result<Vec<Vec<Id>>, DecodeError> {
    let mut names = Vec::new();
    for _ in 0..item::array(d)? {
        let mut ids = Vec::new();
        for _ in 0..item::array(d)? {
            ids.push(decode_id(d)?);
        }
        names.push(ids);
    }
    Ok(names)
}

/// Checks that each name of each event of the program has a number of entities that the schema allows.
pub(super) fn check_names(bytes: &[u8], events: &[&[Cardinality]]) -> Result<(), DecodeError> {
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
pub(super) fn check_attempts(bytes: &[u8], fired: usize) -> Result<(), DecodeError> {
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
