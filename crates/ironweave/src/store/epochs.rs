//! The checks of frames before their content is interpreted: their lengths, their epochs, and the schemas that begin epochs.

mod bounds;
mod errors;
mod written;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use bounds::Bounds;
use errors::undecodable;
pub(crate) use errors::{bad_frame, lost_frame, no_schema};

use crate::base::position::Seq;
use crate::base::storage_error::{FORMAT_VERSION, StorageError, StorageFailure};
use crate::graph::carry::CarryMap;
#[cfg(feature = "sqlite")]
use crate::graph::carry::have_same_tables;
use crate::graph::fact::Facts;
use crate::log::{FrameHeader, FrameKind};
use crate::schema::{Difference, EntityIx, EventDef, EventReading, Readings, Schema};
use crate::step::plan::Plan;
use crate::store::frame::{self, Decoded};
use crate::store::record::ToProgram;
use crate::store::tags::Tags;

/// The schema of a log that begins with a frame, and how the frames under it are read.
#[derive(Clone)]
pub(crate) struct Epoch {
    /// The frame that contains the schema.
    pub(super) from: Seq,
    pub(super) schema: Schema,
    /// The mapping of the indexes in its frames to those that decoded transactions have.
    pub(super) tags: Arc<Tags>,
    /// The plan of the schema, if decoded transactions have its indexes. Otherwise they have those of the program.
    plan: Option<Arc<Plan>>,
    /// The mapping to the indexes of the program, by which facts are replayed, if that is another one than `tags`: the facts
    /// are those of the program, and the events are not.
    replayed: Option<Arc<Tags>>,
    /// Whether its facts are replayed in a graph of its own schema.
    has_own_graph: bool,
    /// Whether its events can be fired again: its facts are replayed in the graph of the program, and none of the events that are
    /// immediate in the program would have fired then for the first time.
    can_fire: bool,
    /// The items of the program, if there is one and `plan` is another one.
    foreign: Option<Arc<ToProgram>>,
    /// A number of each entity type that it has in all epochs.
    types: Vec<u32>,
}

/// The epochs of a log.
///
/// | the schema of an epoch | its facts are replayed | its transactions are decoded |
/// |---|---|---|
/// | is that of the program, or the program has more | in the graph of the program | with the indexes of the program |
/// | has other events | in the graph of the program | with its own indexes |
/// | has another shape, or the model is read from the log | in a graph of its own | with its own indexes |
#[derive(Clone, Default)]
pub(crate) struct Epochs {
    pub(super) list: Vec<Epoch>,
    /// The plans that the graph of a replay enters, each with the schema frame at which it does: first that of the schema, and
    /// then that of the program if the facts are replayed in its graph.
    entered: Vec<(Seq, Arc<Plan>)>,
    /// The schema frames that migrations follow, each with the last frame of the migration.
    migrations: Vec<(Seq, Seq)>,
    /// Whether the model is read from the log.
    is_read: bool,
    /// The numbers of the entity types of the program.
    program_types: Vec<u32>,
    /// How many such numbers there are.
    types_seen: u32,
}

impl Epochs {
    /// Returns, for each epoch, its first frame and the entity types, in order of their indexes in transactions that are
    /// decoded: a number that a type has in all epochs, and its logged name.
    pub(crate) fn names(&self) -> impl ExactSizeIterator<Item = (Seq, Vec<(u32, Option<&str>)>)> {
        self.list.iter().map(move |epoch| {
            let names = match epoch.plan {
                Some(_) => (epoch.numbered())
                    .map(|(number, name)| (number, Some(name)))
                    .collect(),
                None => self.names_in(epoch),
            };
            (epoch.from, names)
        })
    }

    /// Returns, for each epoch, its first frame and the entity types of the store's schema, as [`Epochs::names`].
    pub(crate) fn names_of_program(
        &self,
    ) -> impl ExactSizeIterator<Item = (Seq, Vec<(u32, Option<&str>)>)> {
        (self.list.iter()).map(move |epoch| (epoch.from, self.names_in(epoch)))
    }

    /// Returns the names that the entity types of the store's schema have in an epoch.
    fn names_in<'a>(&self, epoch: &'a Epoch) -> Vec<(u32, Option<&'a str>)> {
        let named: HashMap<u32, &str> = epoch.numbered().collect();
        let name = |number: &u32| (*number, named.get(number).copied());
        self.program_types.iter().map(name).collect()
    }

    /// Returns the index that an entity type of the store's schema has in the decoded facts of a frame, or `None` if the schema
    /// of that time does not have the type.
    pub(crate) fn entity(&self, seq: Seq, entity: EntityIx) -> Option<EntityIx> {
        let epoch = self.at(seq)?;
        if epoch.plan.is_none() {
            return Some(entity);
        }
        let number = self.program_types.get(usize::from(entity))?;
        let own = epoch.types.iter().position(|other| other == number)?;
        EntityIx::try_from(own).ok()
    }

    /// Returns the index in the store's schema of an entity type that the decoded facts of a frame have.
    pub(crate) fn entity_of_program(&self, seq: Seq, own: EntityIx) -> Option<EntityIx> {
        match self.foreign(seq) {
            Some(foreign) => foreign.entity(own),
            None => Some(own),
        }
    }

    /// Returns the items of the program, if the decoded transaction in a frame has the indexes of a logged schema, which are not
    /// those of the program.
    pub(crate) fn foreign(&self, seq: Seq) -> Option<&Arc<ToProgram>> {
        self.at(seq)?.foreign.as_ref()
    }

    /// Returns whether the events of a frame that the program reads can be fired again.
    pub(crate) fn can_fire(&self, seq: Seq) -> bool {
        self.at(seq).is_some_and(|epoch| epoch.can_fire)
    }

    /// Returns whether a schema of the log is that of a program.
    pub(super) fn have_schema(&self, ours: &Schema) -> bool {
        self.list.iter().any(|epoch| epoch.schema.is_same(ours))
    }

    /// Returns the plan of the schema under which a frame was written, with the names that its items have in the program, if
    /// decoded transactions have its indexes and not those of the program.
    pub(crate) fn renamed_plan(&self, seq: Seq, program: &Plan) -> Option<Arc<Plan>> {
        let epoch = self.at(seq).filter(|epoch| epoch.foreign.is_some())?;
        let renamed = epoch.schema.with_names_of(&program.layout.schema);
        Some(own_plan(renamed, program))
    }

    /// Returns whether the model is read from the log.
    pub(crate) fn are_of_the_log(&self) -> bool {
        self.is_read
    }

    /// Returns whether the facts of the last epoch are replayed in a graph of the store's schema.
    pub(crate) fn end_in_program(&self) -> bool {
        self.is_read || self.list.last().is_none_or(|last| !last.has_own_graph)
    }

    /// Returns the epoch of a frame.
    fn at(&self, seq: Seq) -> Option<&Epoch> {
        let after = self.list.partition_point(|epoch| epoch.from <= seq);
        self.list.get(after.checked_sub(1)?)
    }

    /// Returns the plan whose indexes the decoded transaction in a frame has. `program` is the plan of the store.
    pub(crate) fn plan<'a>(&'a self, seq: Seq, program: &'a Arc<Plan>) -> &'a Arc<Plan> {
        let own = self.at(seq).and_then(|epoch| epoch.plan.as_ref());
        own.unwrap_or(program)
    }

    /// Returns the plan of the last epoch if the model is read from the log, and otherwise that of the store.
    pub(crate) fn last_plan<'a>(&'a self, program: &'a Arc<Plan>) -> &'a Arc<Plan> {
        let last = self.list.last().filter(|_| self.is_read);
        last.and_then(|last| last.plan.as_ref()).unwrap_or(program)
    }

    /// Returns the plan of the last epoch if it is not that of the store.
    pub(crate) fn last_own_plan(&self) -> Option<&Arc<Plan>> {
        self.list.last()?.plan.as_ref()
    }

    /// Returns the plans that the graph of a replay enters at the frames after one, up to another.
    pub(crate) fn begun(
        &self,
        after: Option<Seq>,
        until: Seq,
    ) -> impl Iterator<Item = (Seq, &Arc<Plan>)> {
        let all = self.entered.iter().map(|(from, plan)| (*from, plan));
        all.filter(move |(from, _)| Some(*from) > after && *from <= until)
    }

    /// Returns the last frame after which transactions say all that changes, and have the tables of the last schema. It is 0 if all
    /// transactions do.
    #[cfg(feature = "sqlite")]
    pub(crate) fn same_tables_after(&self) -> Seq {
        let migrated = self.migrations.last();
        let mut from = migrated.map_or(Seq::ZERO, |(_, last)| *last);
        let read = self.list.windows(2).filter(|_| self.is_read);
        for pair in read {
            let [a, b] = pair else { continue };
            if !have_same_tables(&a.schema, &b.schema) {
                from = from.max(b.from);
            }
        }
        let entered = self.entered.last().filter(|_| !self.is_read);
        from.max(entered.map_or(Seq::ZERO, |(from, _)| *from))
    }

    /// Records that a frame is a part of the migration of the last schema.
    pub(super) fn migrated(&mut self, seq: Seq) {
        let Some(schema) = self.list.last().map(|last| last.from) else {
            return;
        };
        match self.migrations.last_mut() {
            Some((from, last)) if *from == schema => *last = seq,
            _ => self.migrations.push((schema, seq)),
        }
    }

    /// Returns the frame before a migration and its schema, if a frame is in it and is not its last one. The graph after such a frame
    /// may lack what later frames of the migration set.
    pub(crate) fn before_migration_of(&self, seq: Seq) -> Option<Seq> {
        let at = self.migrations.partition_point(|(from, _)| *from <= seq);
        let (from, last) = *self.migrations.get(at.checked_sub(1)?)?;
        (seq < last).then_some(from.checked_sub(1)?)
    }

    /// Returns the numbers of the entity types of a schema that follows the last one.
    fn numbers(&self, now: &Schema, seen: &mut u32) -> Vec<u32> {
        let mut known = vec![None; now.entities.len()];
        if let Some(last) = self.list.last() {
            let map = CarryMap::by_name(&last.schema.with_names_of(now), now);
            for (was, number) in EntityIx::all(last.types.len()).zip(&last.types) {
                if let Some(now) = map.entity(was) {
                    known[usize::from(now)] = Some(*number);
                }
            }
        }
        let number = |known: Option<u32>| {
            known.unwrap_or_else(|| {
                *seen += 1;
                *seen - 1
            })
        };
        known.into_iter().map(number).collect()
    }

    fn push(&mut self, mut epoch: Epoch, program: &Schema) {
        let mut seen = self.types_seen;
        epoch.types = self.numbers(&epoch.schema, &mut seen);
        self.list.push(epoch);
        self.types_seen = seen;
        // The numbers of types that no schema of the log has yet may be given to others later.
        self.program_types = self.numbers(program, &mut seen);
    }

    /// Begins the epoch of a valid schema that was read from the log, as one with its own plan.
    pub(super) fn add_logged(
        &mut self,
        (seq, version): (Seq, u16),
        plan: &Arc<Plan>,
    ) -> Result<(), StorageError> {
        let schema = plan.layout.schema.clone();
        let tags = own_tags((seq, version), &schema)?;
        self.is_read = true;
        self.entered.push((seq, Arc::clone(plan)));
        let epoch = Epoch {
            from: seq,
            tags,
            plan: Some(Arc::clone(plan)),
            replayed: None,
            foreign: None,
            has_own_graph: true,
            can_fire: false,
            types: Vec::new(),
            schema: schema.clone(),
        };
        self.push(epoch, &schema);
        Ok(())
    }

    /// Returns the mapping of the indexes in a frame to those that its decoded transaction has.
    ///
    /// # Errors
    /// `is_damage` if no schema precedes the frame.
    pub(crate) fn tags(&self, seq: Seq) -> Result<&Arc<Tags>, StorageError> {
        match self.at(seq) {
            Some(epoch) => Ok(&epoch.tags),
            None => Err(no_schema(seq)),
        }
    }

    /// Decodes the transaction or the migration in a frame.
    ///
    /// # Errors
    /// `is_damage` if no schema precedes the frame, or if the frame is invalid.
    pub(crate) fn decode(
        &self,
        (seq, kind): (Seq, FrameKind),
        payload: &[u8],
    ) -> Result<Decoded, StorageError> {
        frame::decode(kind, payload, self.tags(seq)?).map_err(|e| undecodable(seq, e))
    }

    /// As [`Epochs::decode`], without the firings; see [`frame::decode_facts`].
    pub(crate) fn decode_facts(
        &self,
        (seq, kind): (Seq, FrameKind),
        payload: &[u8],
        room: Facts,
    ) -> Result<Decoded, StorageError> {
        let tags = self.tags(seq)?;
        frame::decode_facts(kind, payload, tags, room).map_err(|e| undecodable(seq, e))
    }

    /// Returns the facts of the transaction or the migration in a frame. Nothing else in it is validated.
    pub(crate) fn decode_facts_alone(
        &self,
        (seq, kind): (Seq, FrameKind),
        payload: &[u8],
        room: Facts,
    ) -> Result<Facts, StorageError> {
        let tags = self.tags(seq)?;
        frame::decode_facts_alone(kind, payload, tags, room).map_err(|e| undecodable(seq, e))
    }

    /// As [`Epochs::decode_facts`], with the indexes of the graph of a replay.
    pub(crate) fn decode_replayed(
        &self,
        (seq, kind): (Seq, FrameKind),
        payload: &[u8],
        room: Facts,
    ) -> Result<Decoded, StorageError> {
        let epoch = self.at(seq).ok_or_else(|| no_schema(seq))?;
        let tags = epoch.replayed.as_ref().unwrap_or(&epoch.tags);
        frame::decode_facts(kind, payload, tags, room).map_err(|e| undecodable(seq, e))
    }

    /// Returns the mapping of the indexes in a new frame.
    ///
    /// # Errors
    /// As [`Epochs::tags`].
    #[inline]
    pub(super) fn current_tags(&self, seq: Seq) -> Result<&Arc<Tags>, StorageError> {
        match self.list.last() {
            Some(last) => Ok(&last.tags),
            None => Err(no_schema(seq)),
        }
    }

    /// Returns the epoch of new frames.
    pub(super) fn current(&self) -> u32 {
        self.list.len().saturating_sub(1) as u32
    }

    /// Returns the epochs of a log that has no schema frame and was written with the schema of this program.
    pub(super) fn from_the_beginning(schema: &Schema) -> Self {
        let mut epochs = Self::default();
        if let Some(tags) = Tags::new(FORMAT_VERSION, schema, schema) {
            let epoch = Epoch {
                from: Seq::ZERO,
                schema: schema.clone(),
                tags: Arc::new(tags),
                plan: None,
                replayed: None,
                has_own_graph: false,
                can_fire: true,
                foreign: None,
                types: Vec::new(),
            };
            epochs.push(epoch, schema);
        }
        epochs
    }

    /// Returns whether new frames of this program belong to the last epoch: its schema is that of the program, with the
    /// encodings that the records of frames depend on, and its format version is the one that is written.
    pub(super) fn continue_with(&self, ours: &Schema) -> bool {
        let last = self.list.last();
        last.is_some_and(|last| last.tags.version == FORMAT_VERSION && last.schema == *ours)
    }

    /// Checks that a frame records the epoch that it is in, and has the format version of that epoch. Each schema begins an
    /// epoch.
    pub(super) fn check(&self, header: &FrameHeader) -> Result<(), StorageError> {
        if let Some(Epoch { from, tags, .. }) = self.list.last() {
            let (now, then) = (header.version, tags.version);
            if now < then || now > then && header.kind != FrameKind::Schema {
                let what = format_args!(
                    "it is of format version {now}, and the schema in frame {from}, which it follows, of version {then}"
                );
                return Err(bad_frame(header.seq, what));
            }
        }
        if header.kind == FrameKind::Migration {
            let schema = self.list.last().map(|last| last.from);
            let part = self
                .migrations
                .last()
                .filter(|(from, _)| Some(*from) == schema);
            let before = part.map(|(_, last)| *last).or(schema);
            if before.map(|before| before + 1) != Some(header.seq) {
                let what =
                    "it is a part of a migration, and does not follow a schema or another part";
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
        for Epoch { from, schema, .. } in &self.list {
            let seq = from;
            if let Some(item) = schema.unknown_items().first() {
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

    /// Begins the epoch of a schema that was read from the log, for a program that has a model.
    ///
    /// # Errors
    /// `is_damage` if the schema is invalid.
    pub(super) fn add(
        &mut self,
        (seq, version): (Seq, u16),
        schema: Schema,
        program: &Arc<Plan>,
    ) -> Result<(), StorageError> {
        check_schema(seq, &schema)?;
        let ours = &program.layout.schema;
        let compatibility = schema.compatibility(ours);
        let differences = || compatibility.differences.iter();
        let has_own_graph = differences().any(Difference::is_of_shape);
        // What the program has in addition does not matter, unless the schema before this one has it too.
        let before = self.list.last();
        let is_carried = before.is_some_and(|before| {
            let changes = before.schema.compatibility(&schema).differences;
            before.has_own_graph || changes.iter().any(Difference::is_of_shape)
        });
        let renamed = schema.with_names_of(ours);
        let readings = Readings::between(&renamed, ours);
        let mut events = schema.events.iter().zip(&renamed.events);
        let is_by_name = |(logged, def): (&EventDef, &EventDef)| {
            matches!(readings.event(&logged.name, def), EventReading::ByName(_))
        };
        let ours_alone = !has_own_graph && events.all(is_by_name);
        let of_program = ours_alone.then(|| Tags::new(version, &renamed, ours));
        let (tags, own, replayed) = match of_program.flatten() {
            Some(tags) => (Arc::new(tags), None, None),
            None => {
                let replayed = (!has_own_graph).then(|| Tags::of_facts(version, &renamed, ours));
                let replayed = replayed.map(|tags| {
                    let unmapped = "its items cannot be mapped to those of the program";
                    tags.map(Arc::new).ok_or_else(|| bad_frame(seq, unmapped))
                });
                let own = own_plan(schema.clone(), program);
                (
                    own_tags((seq, version), &schema)?,
                    Some(own),
                    replayed.transpose()?,
                )
            }
        };
        let foreign = (own.is_some()).then(|| Arc::new(ToProgram::new(&schema, &renamed, program)));
        if has_own_graph || is_carried {
            let own = own.clone();
            let own = own.unwrap_or_else(|| own_plan(schema.clone(), program));
            self.entered.push((seq, own));
            if !has_own_graph {
                self.entered.push((seq, Arc::clone(program)));
            }
        }
        let epoch = Epoch {
            from: seq,
            schema,
            tags,
            plan: own,
            replayed,
            has_own_graph,
            can_fire: !has_own_graph && !differences().any(Difference::may_fire),
            foreign,
            types: Vec::new(),
        };
        self.push(epoch, ours);
        Ok(())
    }
}

impl Epoch {
    /// Returns whether its transactions have the indexes of the program.
    pub(super) fn has_tags_of_program(&self) -> bool {
        self.plan.is_none()
    }

    /// Returns the number of each entity type, and its name.
    fn numbered(&self) -> impl Iterator<Item = (u32, &str)> {
        let names = self.schema.entities.iter().map(|def| &*def.name);
        self.types.iter().copied().zip(names)
    }
}

/// Returns the plan of a schema of the log, with the settings of the program.
pub(super) fn own_plan(schema: Schema, program: &Plan) -> Arc<Plan> {
    Arc::new(Plan {
        limits: program.limits,
        clock: program.clock.clone(),
        ..Plan::of_log(schema)
    })
}

/// Returns the mapping of the indexes of a valid schema to themselves.
fn own_tags((seq, version): (Seq, u16), schema: &Schema) -> Result<Arc<Tags>, StorageError> {
    let tags = Tags::new(version, schema, schema);
    let tags = tags.ok_or_else(|| bad_frame(seq, "its schema has two items of one name"))?;
    Ok(Arc::new(tags))
}

/// Returns an error if the schema in a frame is invalid.
pub(super) fn check_schema(seq: Seq, logged: &Schema) -> Result<(), StorageError> {
    let wrong = |wrong| bad_frame(seq, format_args!("its schema is invalid: {wrong}"));
    logged.validate().map_err(wrong)
}
