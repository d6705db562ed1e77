//! Idempotency keys: a transaction whose key was committed earlier gets its receipts from the log.
//!
//! 1. The frame of a transaction with a key contains the key, the entities that each of its events bound and created, and
//!    the events that were rejected or rolled back.
//! 2. The sequence number of the frame of each key is in memory ([`Keys`](crate::store::keys::Keys)).
//! 3. In a transaction that begins with a known key, no event fires. Each event is compared with the logged attempt of the same
//!    index, and gets the same receipt or rejection. A different event is rejected as `KeyReused`.

use minicbor::Decoder;
use minicbor::data::Type;

use crate::base::error::StepError;
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::log::Frame;
use crate::schema::{EntityIx, EventIx};
use crate::step::bindings::Bindings;
use crate::step::repeat::{Attempt, Outcome, Repeat, print};
use crate::store::frame::{self, Decoded};
use crate::store::view::LogView;
use crate::store::{bad_frame, lost_frame};
use crate::value::DecodeError;
use crate::value::item::{self, raw_item};

/// Returns the events that a transaction attempted and their outcomes, from its frame.
fn attempts(view: &LogView<'_>, seq: Seq, decoded: &Decoded) -> Result<Vec<Attempt>, StepError> {
    let bad = |e: DecodeError| StepError::Storage(view.place(bad_frame(seq, e)));
    // The events of an earlier epoch, with the names that they have now.
    let own = view.epochs.renamed_plan(seq, &view.plan);
    let plan = own.as_ref().unwrap_or(&view.plan);
    let logged = &view.epochs.plan(seq, &view.plan).layout.schema;
    let typed = (view.epochs.foreign(seq)).map(|foreign| foreign.firings(logged, decoded));
    let typed = typed.transpose().map_err(bad)?.unwrap_or_default();
    let events = &plan.layout.schema.events;
    // The events that stayed have names: one entry for each event of the program, which replay has checked.
    let mut fired = (decoded.firings.iter().enumerate())
        .filter(|(_, f)| !events[usize::from(f.event)].immediate);
    let fired_count = fired.clone().count();
    let mut names = Decoder::new(&decoded.names);
    item::array(&mut names).map_err(bad)?;
    let mut next = || -> Result<(usize, EventIx, Outcome), StepError> {
        let (i, firing) = fired
            .next()
            .ok_or_else(|| bad(DecodeError::new("too many names")))?;
        let ids = frame::decode_names(&mut names).map_err(bad)?;
        let names = names_of_today(view, seq, firing.event, ids)?;
        Ok((i, firing.event, Outcome::Fired(names)))
    };
    let mut all = Vec::new();
    let Some(bytes) = &decoded.attempts else {
        for _ in 0..fired_count {
            let (firing, event, outcome) = next()?;
            // As the program reads it, or with the names that it has now.
            let typed = typed.event(firing).zip(typed.reader(decoded, firing));
            let print = match typed {
                Some((event, reader)) => print(&view.plan, event, &reader.map_err(bad)?),
                None => print(plan, event, &decoded.reader(firing).map_err(bad)?),
            };
            all.push(Attempt { print, outcome });
        }
        return Ok(all);
    };
    let mut d = Decoder::new(bytes);
    for _ in 0..item::array(&mut d).map_err(bad)? {
        let mut other = || -> Result<(u128, Option<Outcome>), DecodeError> {
            item::array(&mut d)?;
            let print = u128::from(d.u64()?) << 64 | u128::from(d.u64()?);
            let outcome = match d.datatype()? {
                Type::Null => {
                    d.null()?;
                    None
                }
                Type::String => Some(Outcome::Rejected(d.str()?.to_owned())),
                _ => Some(Outcome::TakenBack(raw_item(&mut d)?.to_vec())),
            };
            Ok((print, outcome))
        };
        let (print, outcome) = other().map_err(bad)?;
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => next()?.2,
        };
        all.push(Attempt { print, outcome });
    }
    Ok(all)
}

/// Returns the repetition of the transaction `seq`, which has the key, and its time.
pub(super) fn repeat(
    view: &LogView<'_>,
    key: &str,
    seq: Seq,
) -> Result<(Repeat, Timestamp), StepError> {
    let decoded = logged(view, seq).map_err(StepError::Storage)?;
    let repeat = Repeat {
        key: key.to_owned(),
        seq,
        attempts: attempts(view, seq, &decoded)?,
        next: 0,
        tried: false,
    };
    Ok((repeat, decoded.time))
}

/// Returns the entities that an event bound and created, encoded in the order of the names that the event has in the current
/// schema.
fn names_of_today(
    view: &LogView<'_>,
    seq: Seq,
    of: EventIx,
    mut then: Vec<Vec<Id>>,
) -> Result<Vec<u8>, StepError> {
    let lost = |event: &str, name: &str| StepError::ReceiptLost {
        seq,
        event: event.into(),
        name: name.into(),
    };
    let (of, named) = match view.epochs.foreign(seq) {
        None => {
            let mut events = view.epochs.tags(seq)?.events.iter();
            let logged = events.find(|event| event.event == of);
            let named = logged.map_or(&[][..], |event| &event.named);
            (of, named.to_vec())
        }
        Some(foreign) => {
            let def = &view.epochs.plan(seq, &view.plan).layout.schema[of];
            let now = foreign.event(of).ok_or_else(|| lost(&def.name, ""))?;
            (now, foreign.names(of, now))
        }
    };
    let def = &view.plan.layout.schema[of];
    let mut today = Bindings::default();
    for (i, name) in def.names.iter().enumerate() {
        let at = named.get(i).copied().flatten();
        let Some(ids) = at.and_then(|at| then.get_mut(at)) else {
            return Err(lost(&def.name, &name.name));
        };
        today.push_many(std::mem::take(ids).into_iter());
    }
    let mut bytes = Vec::new();
    today.encode(&mut bytes);
    Ok(bytes)
}

/// Reads a transaction from the log.
fn logged(view: &LogView<'_>, seq: Seq) -> Result<Decoded, StorageError> {
    let frame = view.frames(seq)?.next();
    let frame = frame.ok_or_else(|| lost_frame(seq))??;
    let decoded = (view.epochs).decode((seq, frame.header.kind), &frame.payload);
    decoded.map_err(|e| view.place(e))
}

/// Returns the entities that transactions after a frame have changed, each with the last transaction that changed it. O(size of
/// the frames).
pub(super) fn changed_since(
    view: &LogView<'_>,
    seq: Seq,
) -> Result<FastMap<(EntityIx, u32), Seq>, StorageError> {
    let mut changed = FastMap::default();
    for frame in view.frames(seq.saturating_add(1))? {
        let Frame {
            header, payload, ..
        } = frame?;
        if !header.kind.has_facts() {
            continue;
        }
        let place = (header.seq, header.kind);
        let decoded = view.epochs.decode(place, &payload)?;
        let plan = view.epochs.plan(header.seq, &view.plan);
        for fact in &decoded.facts.list {
            for (own, slot) in fact.touches(&plan.layout).into_iter().flatten() {
                if let Some(entity) = view.epochs.entity_of_program(header.seq, own) {
                    changed.insert((entity, slot), header.seq);
                }
            }
        }
    }
    Ok(changed)
}
