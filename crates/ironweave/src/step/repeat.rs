//! What is kept of a transaction with an idempotency key, and how one that is asked for again is answered.
//!
//! A transaction may try events that are rejected and ignore that, and it may take back events by a savepoint. Asked
//! for again, it tries the same. So each event that it tries is noted with what came of it ([`Attempt`]), and the frame
//! keeps that: where all events stayed their names are enough; where not, all attempts are written.

use xxhash_rust::xxh3::Xxh3;

use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::step::Core;
use crate::step::bindings::Bindings;
use crate::step::event::{DynEvent, FieldReader, FieldWriter};
use crate::step::plan::Plan;

/// One event that a transaction has tried.
pub(crate) struct Attempt {
    /// The hash of the event; see [`print`].
    pub print: u128,
    pub outcome: Outcome,
}

/// What came of an event.
pub(crate) enum Outcome {
    /// It fired, and is in the transaction; what it bound and created, encoded.
    Fired(Vec<u8>),
    /// It fired and was taken back by a savepoint.
    TakenBack(Vec<u8>),
    /// It was rejected, with this message.
    Rejected(String),
}

/// What is kept of a transaction with a key.
pub(crate) struct Keyed {
    /// What it has tried.
    pub attempts: Vec<Attempt>,
    /// The transaction that it repeats, if it does.
    pub repeat: Option<Repeat>,
}

impl Keyed {
    pub(crate) fn new(repeat: Option<Repeat>) -> Self {
        Self {
            attempts: Vec::new(),
            repeat,
        }
    }

    /// Whether all that was tried is in the transaction.
    pub(crate) fn all_fired(&self) -> bool {
        (self.attempts.iter()).all(|a| matches!(a.outcome, Outcome::Fired(_)))
    }

    /// Notes that all events from the one at a place on were taken back.
    pub(super) fn take_back(&mut self, from: usize) {
        for attempt in &mut self.attempts[from..] {
            if let Outcome::Fired(names) = &mut attempt.outcome {
                attempt.outcome = Outcome::TakenBack(std::mem::take(names));
            }
        }
    }
}

/// A transaction that happened before.
pub(crate) struct Repeat {
    pub key: String,
    pub seq: Seq,
    pub attempts: Vec<Attempt>,
    pub next: usize,
}

impl Repeat {
    /// What came of an event when the transaction happened; `Err` too where that is another one.
    pub(crate) fn answer(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
    ) -> Result<Bindings, StepError> {
        let print = print_of(plan, event);
        // What came to nothing then need not be tried again.
        let mut at = self.next;
        while let Some(attempt) = self.attempts.get(at) {
            let stayed = matches!(attempt.outcome, Outcome::Fired(_));
            if attempt.print == print {
                break;
            }
            if stayed {
                return Err(self.reused());
            }
            at += 1;
        }
        let attempt = self.attempts.get(at).ok_or_else(|| self.reused())?;
        self.next = at + 1;
        match &attempt.outcome {
            Outcome::Fired(names) | Outcome::TakenBack(names) => {
                let names = Bindings::decode(names).map_err(|_| self.reused())?;
                // The log may say what no store has written, or be of other rules, by which the event had other names.
                let def = &plan.layout.schema.events[usize::from(event.index())];
                if !names.fit(&def.names) {
                    return Err(self.reused());
                }
                Ok(names)
            }
            Outcome::Rejected(reason) => Err(StepError::RejectedBefore {
                seq: self.seq,
                reason: reason.clone(),
            }),
        }
    }

    /// Rejects where not all events came.
    pub(crate) fn finish(&self) -> Result<(), StepError> {
        let left = &self.attempts[self.next.min(self.attempts.len())..];
        if left.iter().any(|a| matches!(a.outcome, Outcome::Fired(_))) {
            Err(self.reused())
        } else {
            Ok(())
        }
    }

    fn reused(&self) -> StepError {
        StepError::KeyReused {
            key: self.key.clone(),
            seq: self.seq,
        }
    }
}

impl Core {
    /// Fires an event of a transaction with a key, as [`Core::fire`] does, and notes what came of it; or gives the
    /// answer that it got when the transaction happened, and the sequence of that.
    #[cold]
    pub(crate) fn fire_keyed(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
    ) -> Result<Option<Seq>, StepError> {
        if let Some(repeat) = self.open.keyed().and_then(|keyed| keyed.repeat.as_mut()) {
            let seq = repeat.seq;
            self.bindings = repeat.answer(plan, event)?;
            return Ok(Some(seq));
        }
        let print = print_of(plan, event);
        let result = self.fire(plan, event);
        let outcome = match &result {
            Ok(()) => {
                let mut names = Vec::new();
                self.bindings.encode(&mut names);
                Outcome::Fired(names)
            }
            Err(e) => Outcome::Rejected(e.to_string()),
        };
        if let Some(keyed) = self.open.keyed() {
            keyed.attempts.push(Attempt { print, outcome });
        }
        result.map(|()| None)
    }
}

/// The hash of an event of the program: XXH3-128 of its name and, in the order of their names, of its fields, each with
/// the length of its encoded value before it. So it does not depend on the order of declaration.
pub(crate) fn print(plan: &Plan, event: u16, reader: &FieldReader<'_>) -> u128 {
    let def = &plan.layout.schema.events[usize::from(event)];
    let mut fields: Vec<usize> = (0..def.fields.len()).collect();
    fields.sort_by_key(|ix| &def.fields[*ix].name);
    let mut hash = Xxh3::new();
    let mut add = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(def.name.as_bytes());
    for ix in fields {
        if let Some(value) = reader.raw(ix) {
            add(def.fields[ix].name.as_bytes());
            add(value);
        }
    }
    hash.digest128()
}

/// The hash of an event that is tried now. One that cannot be written has one too: it is rejected each time.
pub(super) fn print_of(plan: &Plan, event: &dyn DynEvent) -> u128 {
    let fields = plan.layout.schema.events[usize::from(event.index())]
        .fields
        .len();
    let mut bytes = Vec::new();
    crate::base::cbor::head(&mut bytes, crate::base::cbor::MAP, fields as u64);
    let mut writer = FieldWriter::new(&mut bytes);
    event.encode(&mut writer);
    if let Some((field, _)) = writer.failed {
        let name = &plan.events[usize::from(event.index())].name;
        let mut hash = Xxh3::with_seed(1 + u64::from(field));
        hash.update(name.as_bytes());
        hash.update(&bytes);
        return hash.digest128();
    }
    let tags: Vec<u16> = (0..fields as u16).collect();
    // What has just been written can be read.
    FieldReader::new(&bytes, &tags).map_or(0, |reader| print(plan, event.index(), &reader))
}
