//! Idempotency keys: a transaction that is asked for a second time is answered from the log.
//!
//! 1. A transaction with a key writes it into its frame, with the entities that each of its events bound and created.
//! 2. Memory holds for each key the sequence of its frame.
//! 3. A transaction that begins with a known key fires nothing: each event is compared with the one logged in its
//!    place, and gets the receipt that that one got. Any difference rejects as `KeyReused`.

use minicbor::Decoder;
use xxhash_rust::xxh3::xxh3_128;

use crate::entity::Model;
use crate::error::StepError;
use crate::hash::FastMap;
use crate::id::Id;
use crate::log::{Frame, FrameKind, Seq};
use crate::step::bind::Names;
use crate::step::event::{DynEvent, FieldReader, FieldWriter};
use crate::step::plan::Plan;
use crate::store::Store;
use crate::store::frame::{self, Decoded, DecodedFiring};
use crate::value::DecodeError;

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

/// A transaction that happened before.
pub(crate) struct Repeat {
    key: String,
    pub seq: Seq,
    /// The events of the program, in order, with what each bound and created.
    events: Vec<(DecodedFiring, Vec<Vec<Id>>)>,
    next: usize,
}

impl Repeat {
    /// The names of the event that comes next, if it is the one that was logged.
    pub(crate) fn next(&mut self, plan: &Plan, event: &dyn DynEvent) -> Result<Names, StepError> {
        let logged = self.events.get(self.next).ok_or_else(|| self.reused())?;
        if !same(plan, &logged.0, event).unwrap_or(false) {
            return Err(self.reused());
        }
        let mut names = Names::default();
        for ids in &logged.1 {
            names.push_many(ids.iter().copied());
        }
        self.next += 1;
        Ok(names)
    }

    /// Rejects where not all events came.
    pub(crate) fn finish(&self) -> Result<(), StepError> {
        if self.next == self.events.len() {
            Ok(())
        } else {
            Err(self.reused())
        }
    }

    fn reused(&self) -> StepError {
        StepError::KeyReused {
            key: self.key.clone(),
            seq: self.seq,
        }
    }
}

/// Whether an event is the logged one.
fn same(plan: &Plan, logged: &DecodedFiring, event: &dyn DynEvent) -> Result<bool, DecodeError> {
    if logged.event != event.index() {
        return Ok(false);
    }
    let fields = plan.layout.schema.events[usize::from(logged.event)]
        .fields
        .len();
    let mut bytes = Vec::new();
    crate::cbor::head(&mut bytes, crate::cbor::MAP, fields as u64);
    event.encode(&mut FieldWriter {
        bytes: &mut bytes,
        failed: None,
    });
    let tags: Vec<u16> = (0..fields as u16).collect();
    let (now, then) = (
        FieldReader::new(&bytes, &tags)?,
        FieldReader::new(&logged.binding, &logged.fields)?,
    );
    Ok((0..fields).all(|i| now.raw(i) == then.raw(i)))
}

/// Reads the entities that each event bound and created.
fn names(bytes: &[u8]) -> Result<Vec<Vec<Vec<Id>>>, DecodeError> {
    let unsized_array = || DecodeError::new("an array of unknown length");
    let mut d = Decoder::new(bytes);
    let mut events = Vec::new();
    for _ in 0..d.array()?.ok_or_else(unsized_array)? {
        let mut names = Vec::new();
        for _ in 0..d.array()?.ok_or_else(unsized_array)? {
            let mut ids = Vec::new();
            for _ in 0..d.array()?.ok_or_else(unsized_array)? {
                let bits = d.u64()?;
                ids.push(Id::from_bits(bits).ok_or_else(|| DecodeError::new("no id"))?);
            }
            names.push(ids);
        }
        events.push(names);
    }
    Ok(events)
}

impl<M: Model> Store<M> {
    /// The transaction that had a key, if there was one.
    pub(super) fn repeat(&self, key: &str) -> Result<Option<Repeat>, StepError> {
        let Some(seq) = self.keys.get(key) else {
            return Ok(None);
        };
        let decoded = self.logged(seq).map_err(StepError::Storage)?;
        let bad = |e: DecodeError| StepError::Storage(super::open::bad_frame(seq, e));
        let names = names(&decoded.names).map_err(bad)?;
        let immediate = |firing: &DecodedFiring| {
            self.plan.layout.schema.events[usize::from(firing.event)].immediate
        };
        let firings = decoded.firings.into_iter().filter(|f| !immediate(f));
        Ok(Some(Repeat {
            key: key.to_owned(),
            seq,
            events: firings.zip(names).collect(),
            next: 0,
        }))
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
