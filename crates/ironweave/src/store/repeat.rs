//! Idempotency keys: a transaction that is asked for a second time is answered from the log.
//!
//! 1. A transaction with a key writes it into its frame, with the entities that each of its events bound and created,
//!    and with what else it tried.
//! 2. Memory holds for each key the sequence of its frame.
//! 3. A transaction that begins with a known key fires nothing: each event is compared with the one that was tried in its
//!    place, and gets the receipt or the rejection that that one got. Any difference rejects as `KeyReused`.

use minicbor::Decoder;
use xxhash_rust::xxh3::xxh3_128;

use crate::Timestamp;
use crate::entity::Model;
use crate::error::StepError;
use crate::hash::FastMap;
use crate::log::{Frame, FrameKind, Seq};
use crate::step::event::FieldReader;
use crate::step::plan::Plan;
use crate::step::repeat::{Attempt, Outcome, Repeat, print};
use crate::store::Store;
use crate::store::frame::{self, Decoded};
use crate::value::{DecodeError, raw_item};

/// The keys of a log: of each the hash and the sequence of its frame.
#[derive(Default)]
pub(crate) struct Keys(FastMap<u128, Seq>);

impl Keys {
    pub(crate) fn insert(&mut self, key: &str, seq: Seq) {
        self.0.insert(xxh3_128(key.as_bytes()), seq);
    }

    pub(crate) fn get(&self, key: &str) -> Option<Seq> {
        self.0.get(&xxh3_128(key.as_bytes())).copied()
    }
}

fn array(d: &mut Decoder<'_>) -> Result<u64, DecodeError> {
    (d.array()?).ok_or_else(|| DecodeError::new("an array of unknown length"))
}

/// What a transaction tried, as its frame has it.
fn attempts(plan: &Plan, decoded: &Decoded) -> Result<Vec<Attempt>, DecodeError> {
    let mut names = Decoder::new(&decoded.names);
    let mut left = array(&mut names)?;
    let mut next_names = || -> Result<Vec<u8>, DecodeError> {
        left = (left.checked_sub(1)).ok_or_else(|| DecodeError::new("too few names"))?;
        Ok(raw_item(&mut names)?.to_vec())
    };
    let mut all = Vec::new();
    let Some(bytes) = &decoded.attempts else {
        let events = &plan.layout.schema.events;
        let fired = (decoded.firings.iter()).filter(|f| !events[usize::from(f.event)].immediate);
        for firing in fired {
            let reader = FieldReader::new(&firing.binding, &firing.fields)?;
            all.push(Attempt {
                print: print(plan, firing.event, &reader),
                outcome: Outcome::Fired(next_names()?),
            });
        }
        return Ok(all);
    };
    let mut d = Decoder::new(bytes);
    for _ in 0..array(&mut d)? {
        if array(&mut d)? != 3 {
            return Err(DecodeError::new("no attempt"));
        }
        let print = u128::from(d.u64()?) << 64 | u128::from(d.u64()?);
        let outcome = match d.datatype()? {
            minicbor::data::Type::Null => {
                d.null()?;
                Outcome::Fired(next_names()?)
            }
            minicbor::data::Type::String => Outcome::Rejected(d.str()?.to_owned()),
            _ => Outcome::TakenBack(raw_item(&mut d)?.to_vec()),
        };
        all.push(Attempt { print, outcome });
    }
    Ok(all)
}

impl<M: Model> Store<M> {
    /// The transaction that had a key, if there was one, and its time.
    pub(super) fn repeat(&self, key: &str) -> Result<Option<(Repeat, Timestamp)>, StepError> {
        let Some(seq) = self.keys.get(key) else {
            return Ok(None);
        };
        let decoded = self.logged(seq).map_err(StepError::Storage)?;
        let attempts = attempts(&self.plan, &decoded)
            .map_err(|e| StepError::Storage(super::open::bad_frame(seq, e)))?;
        let repeat = Repeat {
            key: key.to_owned(),
            seq,
            attempts,
            next: 0,
        };
        Ok(Some((repeat, decoded.time)))
    }

    /// A transaction of the log.
    fn logged(&self, seq: Seq) -> Result<Decoded, crate::StorageError> {
        let missing = || super::open::bad_frame(seq, "it is not there");
        let Frame { payload, .. } = self.read(seq)?.next().ok_or_else(missing)??;
        let tags = self.epochs.at(seq).ok_or_else(missing)?;
        frame::decode(&payload, tags).map_err(|e| super::open::bad_frame(seq, e))
    }

    /// The entities that transactions after one have changed, each with the last that did.
    pub(super) fn changed_since(
        &self,
        seq: Seq,
    ) -> Result<FastMap<(u16, u32), Seq>, crate::StorageError> {
        let mut changed = FastMap::default();
        for frame in self.read(seq.saturating_add(1))? {
            let Frame {
                header, payload, ..
            } = frame?;
            if header.kind != FrameKind::Transaction {
                continue;
            }
            let missing = || super::open::bad_frame(header.seq, "no schema precedes it");
            let tags = self.epochs.at(header.seq).ok_or_else(missing)?;
            let decoded =
                frame::decode(&payload, tags).map_err(|e| super::open::bad_frame(header.seq, e))?;
            for fact in &decoded.facts.list {
                for entity in fact.touches(&self.plan.layout).into_iter().flatten() {
                    changed.insert(entity, header.seq);
                }
            }
        }
        Ok(changed)
    }
}
