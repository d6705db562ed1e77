//! Idempotency keys: what is kept of a transaction with one, and how its repetition is answered.
//!
//! A transaction may ignore that an event was rejected, and may undo events by a savepoint. Its repetition tries the
//! same events. So the outcome of each event is recorded ([`Attempt`]) and written to the frame. If all events stayed, the
//! frame has only what their names are bound to; otherwise it has all attempts.

use xxhash_rust::xxh3::Xxh3;

use crate::base::cbor::NULL;
use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::schema::{EventFieldDef, EventIx};
use crate::step::Core;
use crate::step::bindings::Bindings;
use crate::step::event::DynEvent;
use crate::step::field_codec::{BindingForm, FieldReader, FieldWriter};
use crate::step::fire::By;
use crate::step::plan::Plan;

/// One event that a transaction has tried.
pub(crate) struct Attempt {
    /// The hash of the event, see [`print`].
    pub print: u128,
    pub outcome: Outcome,
}

/// The outcome of an event.
pub(crate) enum Outcome {
    /// It fired and is in the transaction. What it bound and created, encoded.
    Fired(Vec<u8>),
    /// It fired, and a rollback to a savepoint undid it. What it bound and created, encoded.
    TakenBack(Vec<u8>),
    /// It was rejected, with this message.
    Rejected(String),
}

/// What is kept of a transaction with a key.
pub(crate) struct Keyed {
    /// The events that it tried.
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

    /// Whether all events that were tried are in the transaction.
    pub(crate) fn all_fired(&self) -> bool {
        (self.attempts.iter()).all(|a| matches!(a.outcome, Outcome::Fired(_)))
    }

    /// Records that all events from index `from` on were undone.
    pub(super) fn take_back(&mut self, from: usize) {
        for attempt in &mut self.attempts[from..] {
            if let Outcome::Fired(names) = &mut attempt.outcome {
                attempt.outcome = Outcome::TakenBack(std::mem::take(names));
            }
        }
    }
}

/// A transaction that was committed before under the same key.
pub(crate) struct Repeat {
    pub key: String,
    pub seq: Seq,
    pub attempts: Vec<Attempt>,
    pub next: usize,
    /// Whether the repetition has tried an event, whatever came of it.
    pub tried: bool,
}

impl Repeat {
    /// The outcome of an event when the transaction was committed, as a result. An error too if it was another event.
    pub(crate) fn answer(
        &mut self,
        plan: &Plan,
        event: &dyn DynEvent,
    ) -> Result<Bindings, StepError> {
        let print = print_of(plan, event);
        self.tried = true;
        // Events that did not stay need not be tried again.
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
                // The log may be damaged, or its events may have had other names under earlier rules.
                let def = &plan.layout.schema[event.index()];
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

    /// An error if some events of the transaction were repeated, but not all. A program that asks whether the transaction
    /// repeats another one may try no event.
    pub(crate) fn finish(&self) -> Result<(), StepError> {
        if !self.tried {
            return Ok(());
        }
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
    /// Fires an event of a transaction with a key, as [`Core::fire`] does, and records the outcome. In a repetition nothing
    /// fires: the event has the outcome that it had, and the sequence of the first transaction is returned.
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
        let result = self.fire(plan, event, By::Compiled);
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

/// The hash of an event of the program: XXH3-128 of its name, then of the name and the encoded value of each field in the
/// order of their names, with the length before each. So it does not depend on the order of declaration.
pub(crate) fn print(plan: &Plan, event: EventIx, reader: &FieldReader<'_>) -> u128 {
    let def = &plan.layout.schema[event];
    let mut fields: Vec<usize> = (0..def.fields.len()).collect();
    // A field that was added to the event later has its default in the log.
    let lacks_default =
        |(ix, field): (usize, &EventFieldDef)| field.default.is_some() && reader.raw(ix).is_none();
    if def.fields.iter().enumerate().any(lacks_default)
        && let Some(decode) = plan.types[usize::from(event)].decode
        && let Ok(event) = decode(reader)
    {
        return print_of(plan, &*event);
    }
    fields.sort_by_key(|ix| &def.fields[*ix].name);
    let mut hash = Xxh3::new();
    let mut add = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    add(def.name.as_bytes());
    for ix in fields {
        add(def.fields[ix].name.as_bytes());
        // A field that was added to the event later is `None` in the log.
        add(reader.raw(ix).unwrap_or(&[NULL]));
    }
    hash.digest128()
}

/// The hash of an event that is tried now. An event that cannot be written has one too: it is rejected each time.
pub(super) fn print_of(plan: &Plan, event: &dyn DynEvent) -> u128 {
    let fields = plan.layout.schema[event.index()].fields.len();
    let mut bytes = Vec::new();
    let mut writer = FieldWriter::new(&mut bytes, BindingForm::Items, fields);
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
