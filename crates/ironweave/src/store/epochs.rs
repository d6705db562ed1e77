//! The checks of frames before their content is interpreted: their lengths, their epochs, and the schemas that begin epochs.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::OpenError;
use crate::base::position::Seq;
use crate::base::storage_error::{FORMAT_VERSION, StorageError, StorageFailure};
use crate::graph::carry::CarryMap;
#[cfg(feature = "sqlite")]
use crate::graph::carry::have_same_tables;
use crate::graph::fact::Facts;
use crate::log::{FrameHeader, FrameKind};
use crate::schema::{Change, Difference, EntityIx, Flag, Item, Schema, Verdict};
use crate::step::plan::Plan;
use crate::store::frame::{self, Decoded, FrameError};
use crate::store::tags::Tags;

/// The limits on the lengths of frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(super) schema_bytes: usize,
    pub(super) transaction_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            schema_bytes: 16 << 20,
            // More than a frame can contain.
            transaction_bytes: 1 << 30,
        }
    }
}

impl Bounds {
    /// Returns an error if a frame exceeds its limit.
    #[inline]
    pub(super) fn check(
        &self,
        kind: FrameKind,
        seq: Seq,
        bytes: usize,
    ) -> Result<(), StorageError> {
        let (option, most) = match kind {
            FrameKind::Schema => ("schema_bytes_max", self.schema_bytes),
            FrameKind::Transaction | FrameKind::Migration => {
                ("transaction_bytes_max", self.transaction_bytes)
            }
        };
        if bytes <= most {
            return Ok(());
        }
        Err(StorageError::at(
            StorageFailure::TooLarge,
            seq,
            format!(
                "frame {seq} has {bytes} bytes, which exceeds the limit of {most}; raise `Options::{option}`, or commit \
                 smaller transactions"
            ),
        ))
    }
}

/// The schemas of a log, each with the frame that contains it and the mapping of its indexes.
#[derive(Clone, Default)]
pub(crate) struct Epochs {
    pub(super) list: Vec<(Seq, Schema, Arc<Tags>)>,
    /// The plans of the schemas, if the model is read from the log. Otherwise the plan of the program is that of all epochs.
    plans: Vec<Arc<Plan>>,
    /// For each of these plans, a number of each entity type that it has in all epochs.
    types: Vec<Vec<u32>>,
    /// How many such numbers there are.
    types_seen: u32,
}

impl Epochs {
    /// Returns, for each epoch, its first frame and the entity types, in order of their indexes in facts that are decoded: a
    /// number that a type has in all epochs, and its logged name.
    pub(crate) fn names(
        &self,
        program: &Schema,
    ) -> impl ExactSizeIterator<Item = (Seq, Vec<(u32, Option<&str>)>)> {
        let program = program.entities.len();
        (self.list.iter().enumerate()).map(move |(at, (from, logged, tags))| {
            let names = match self.types.get(at) {
                Some(types) => (types.iter().zip(&logged.entities))
                    .map(|(number, def)| (*number, Some(&*def.name)))
                    .collect(),
                None => (0..program)
                    .map(|entity| {
                        let logged = || logged.entities.get(tags.logged_entity(entity)?);
                        (entity as u32, logged().map(|def| &*def.name))
                    })
                    .collect(),
            };
            (*from, names)
        })
    }

    /// Returns, for each epoch, its first frame and the entity types of the store's schema, as [`Epochs::names`].
    pub(crate) fn names_of_program(
        &self,
        program: &Schema,
    ) -> impl ExactSizeIterator<Item = (Seq, Vec<(u32, Option<&str>)>)> {
        let last = self.types.last();
        self.names(program).map(move |(from, names)| {
            let Some(last) = last else {
                return (from, names);
            };
            let named: HashMap<u32, Option<&str>> = names.into_iter().collect();
            let name = |number: &u32| (*number, named.get(number).copied().flatten());
            (from, last.iter().map(name).collect())
        })
    }

    /// Returns the index that an entity type of the store's schema has in the decoded facts of a frame, or `None` if the schema
    /// of that time does not have the type.
    pub(crate) fn entity(&self, seq: Seq, entity: EntityIx) -> Option<EntityIx> {
        let Some(last) = self.types.last() else {
            return Some(entity);
        };
        let number = last.get(usize::from(entity))?;
        let types = self.types.get(self.position(seq)?)?;
        let own = types.iter().position(|other| other == number)?;
        EntityIx::try_from(own).ok()
    }

    /// Returns whether the model is read from the log, so that each schema has a plan of its own.
    pub(crate) fn have_plans(&self) -> bool {
        !self.plans.is_empty()
    }

    /// Returns the position of the epoch of a frame.
    fn position(&self, seq: Seq) -> Option<usize> {
        let after = self.list.partition_point(|(from, ..)| *from <= seq);
        after.checked_sub(1)
    }

    /// Returns the plan whose indexes the decoded facts of a frame have. `program` is the plan of the store.
    pub(crate) fn plan<'a>(&'a self, seq: Seq, program: &'a Arc<Plan>) -> &'a Arc<Plan> {
        let own = self.position(seq).and_then(|at| self.plans.get(at));
        own.unwrap_or(program)
    }

    /// Returns the plan of the last epoch. `program` is the plan of the store when it was opened.
    pub(crate) fn last_plan<'a>(&'a self, program: &'a Arc<Plan>) -> &'a Arc<Plan> {
        self.plans.last().unwrap_or(program)
    }

    /// Returns the plans of the schemas in the frames after one, up to another, if the model is read from the log.
    pub(crate) fn begun(
        &self,
        after: Option<Seq>,
        until: Seq,
    ) -> impl Iterator<Item = (Seq, &Arc<Plan>)> {
        let all = self.list.iter().map(|(from, ..)| *from).zip(&self.plans);
        all.filter(move |(from, _)| Some(*from) > after && *from <= until)
    }

    /// Returns the first frame from which on all schemas have the tables of the last one, if the model is read from the log.
    #[cfg(feature = "sqlite")]
    pub(crate) fn same_tables_from(&self) -> Seq {
        let mut from = Seq::ZERO;
        for (at, plans) in self.plans.windows(2).enumerate() {
            let [a, b] = plans else { continue };
            if !have_same_tables(&a.layout.schema, &b.layout.schema)
                && let Some((begun, ..)) = self.list.get(at + 1)
            {
                from = *begun;
            }
        }
        from
    }

    /// Begins the epoch of a valid schema that was read from the log, as one with its own plan.
    pub(super) fn add_logged(
        &mut self,
        (seq, version): (Seq, u16),
        plan: &Arc<Plan>,
    ) -> Result<(), StorageError> {
        let schema = plan.layout.schema.clone();
        let tags = Tags::new(version, &schema, &schema);
        let tags = tags.ok_or_else(|| bad_frame(seq, "its schema has two items of one name"))?;
        let map = (self.plans.last()).map(|was| CarryMap::by_name(&was.layout.schema, &schema));
        let before = self.types.last().map_or(&[][..], Vec::as_slice);
        let mut known = vec![None; schema.entities.len()];
        for (was, number) in EntityIx::all(before.len()).zip(before) {
            if let Some(now) = map.as_ref().and_then(|map| map.entity(was)) {
                known[usize::from(now)] = Some(*number);
            }
        }
        let seen = &mut self.types_seen;
        let number = |known: Option<u32>| {
            known.unwrap_or_else(|| {
                *seen += 1;
                *seen - 1
            })
        };
        let types = known.into_iter().map(number).collect();
        self.types.push(types);
        self.list.push((seq, schema, Arc::new(tags)));
        self.plans.push(Arc::clone(plan));
        Ok(())
    }

    /// Returns the mapping of the indexes in a frame.
    ///
    /// # Errors
    /// `is_damage` if no schema precedes the frame.
    pub(crate) fn tags(&self, seq: Seq) -> Result<&Arc<Tags>, StorageError> {
        match self.position(seq).and_then(|at| self.list.get(at)) {
            Some((.., tags)) => Ok(tags),
            None => Err(no_schema(seq)),
        }
    }

    /// Decodes the transaction in a frame.
    ///
    /// # Errors
    /// `is_damage` if no schema precedes the frame, or if the frame is invalid.
    pub(crate) fn decode(&self, seq: Seq, payload: &[u8]) -> Result<Decoded, StorageError> {
        frame::decode(payload, self.tags(seq)?).map_err(|e| undecodable(seq, e))
    }

    /// As [`Epochs::decode`], without the firings; see [`frame::decode_facts`].
    pub(crate) fn decode_facts(
        &self,
        seq: Seq,
        payload: &[u8],
        room: Facts,
    ) -> Result<Decoded, StorageError> {
        frame::decode_facts(payload, self.tags(seq)?, room).map_err(|e| undecodable(seq, e))
    }

    /// Returns the mapping of the indexes in a new frame.
    ///
    /// # Errors
    /// As [`Epochs::tags`].
    #[inline]
    pub(super) fn current_tags(&self, seq: Seq) -> Result<&Arc<Tags>, StorageError> {
        match self.list.last() {
            Some((.., tags)) => Ok(tags),
            None => Err(no_schema(seq)),
        }
    }

    /// Returns the epoch of new frames.
    pub(super) fn current(&self) -> u32 {
        self.list.len().saturating_sub(1) as u32
    }

    /// Returns the epochs of a log that has no schema frame and was written with the schema of this program.
    pub(super) fn from_the_beginning(schema: &Schema) -> Self {
        let tags = Tags::new(FORMAT_VERSION, schema, schema);
        Self {
            list: (tags.into_iter())
                .map(|tags| (Seq::ZERO, schema.clone(), Arc::new(tags)))
                .collect(),
            ..Self::default()
        }
    }

    /// Returns whether new frames of this program belong to the last epoch: its schema is that of the program, with the
    /// encodings that the records of frames depend on, and its format version is the one that is written.
    pub(super) fn continue_with(&self, ours: &Schema) -> bool {
        let last = self.list.last();
        last.is_some_and(|(_, logged, tags)| tags.version == FORMAT_VERSION && logged == ours)
    }

    /// Checks that a frame records the epoch that it is in, and has the format version of that epoch. Each schema begins an
    /// epoch.
    pub(super) fn check(&self, header: &FrameHeader) -> Result<(), StorageError> {
        if let Some((from, _, tags)) = self.list.last() {
            let (now, then) = (header.version, tags.version);
            if now < then || now > then && header.kind != FrameKind::Schema {
                let what = format_args!(
                    "it is of format version {now}, and the schema in frame {from}, which it follows, of version {then}"
                );
                return Err(bad_frame(header.seq, what));
            }
        }
        let due = match header.kind {
            FrameKind::Schema => self.list.len(),
            _ if self.list.is_empty() => {
                return Err(no_schema(header.seq));
            }
            _ => self.list.len() - 1,
        };
        if usize::try_from(header.epoch) == Ok(due) {
            return Ok(());
        }
        let found = header.epoch;
        let what = format_args!("it records epoch {found} and is in epoch {due}");
        Err(bad_frame(header.seq, what))
    }

    /// Returns an error if a schema of the log has items that this version of ironweave does not know, since the frames that it
    /// writes might contradict them.
    pub(super) fn check_all_known(&self) -> Result<(), StorageError> {
        for (seq, logged, _) in &self.list {
            if let Some(item) = logged.unknown_items().first() {
                return Err(StorageError::at(
                    StorageFailure::Version,
                    *seq,
                    format!(
                        "the schema in frame {seq} was written by a newer version of ironweave, and this one does not know \
                         {item}; open the store with that version, or open it for reading only"
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Validates a schema frame and begins its epoch.
    pub(super) fn add(
        &mut self,
        (seq, version): (Seq, u16),
        logged: Schema,
        ours: &Schema,
    ) -> Result<(), OpenError> {
        check_schema(seq, &logged)?;
        let mut differences = logged.compatibility(ours).differences;
        differences.retain(|difference| !is_replayed(difference));
        if !differences.is_empty() {
            return Err(OpenError::Schema {
                model: ours.name.as_str().into(),
                seq,
                location: None,
                is_newer: self.list.iter().any(|(_, before, _)| before.is_same(ours)),
                differences,
            });
        }
        let tags = Tags::new(version, &logged.with_names_of(ours), ours)
            .ok_or_else(|| bad_frame(seq, "its items cannot be mapped to those of the program"))?;
        self.list.push((seq, logged, Arc::new(tags)));
        Ok(())
    }
}

/// Returns an error if the schema in a frame is invalid.
pub(super) fn check_schema(seq: Seq, logged: &Schema) -> Result<(), StorageError> {
    let wrong = |wrong| bad_frame(seq, format_args!("its schema is invalid: {wrong}"));
    logged.validate().map_err(wrong)
}

/// Returns whether frames that were written before a change are replayed after it as they are: neither their facts nor what
/// they say about events depend on it.
fn is_replayed(difference: &Difference) -> bool {
    let of_events = match &difference.change {
        Change::Removed(Item::Event(_) | Item::EventField { .. })
        | Change::Became {
            flag: Flag::Immediate,
            ..
        }
        | Change::Ceased {
            flag: Flag::Immediate,
            ..
        } => true,
        _ => difference.may_fire(),
    };
    !difference.is_of_shape()
        && !of_events
        && !matches!(difference.verdict, Verdict::Refused { .. })
}

/// Returns the error of a frame that no schema precedes.
#[cold]
pub(crate) fn no_schema(seq: Seq) -> StorageError {
    bad_frame(seq, "no schema precedes it")
}

/// Returns the error of a frame that was written, and that the log does not have any more.
#[cold]
pub(crate) fn lost_frame(seq: Seq) -> StorageError {
    StorageError::at(
        StorageFailure::Damage,
        seq,
        format!(
            "the log does not have frame {seq}, although it was written; no file was changed; restore the log from a backup"
        ),
    )
}

/// Returns the error of a frame whose payload cannot be decoded.
#[cold]
fn undecodable(seq: Seq, e: FrameError) -> StorageError {
    match e {
        FrameError::Invalid(e) => bad_frame(seq, e),
        FrameError::Newer(what) => StorageError::at(
            StorageFailure::Version,
            seq,
            format!(
                "frame {seq} has {what}, and this version of ironweave cannot read it; no file was changed; open the store \
                 with a newer version"
            ),
        ),
    }
}

/// The number of characters of a description of an invalid frame.
const DESCRIPTION_CHARS_MAX: usize = 500;

/// Returns the error of a frame whose checksum is right and whose content is invalid. The cause is a defect of the program that
/// wrote the frame or of this one.
pub(crate) fn bad_frame(seq: Seq, what: impl std::fmt::Display) -> StorageError {
    // The description may contain a value that is as long as the frame.
    let mut what = what.to_string();
    if let Some((end, _)) = what.char_indices().nth(DESCRIPTION_CHARS_MAX) {
        what.truncate(end);
        what += " ..";
    }
    StorageError::at(
        StorageFailure::Damage,
        seq,
        format!(
            "frame {seq} of the log cannot be applied: {what}; no file was changed; open the store with the program that \
             wrote the frame, or restore the log from a backup"
        ),
    )
}
