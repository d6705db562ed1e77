//! Encoding the open transaction in format version 3.

use std::ops::Range;

use super::meta;
use super::records::{
    CHOSE, FACT_BYTES, FIRING_BYTES, FactRecord, FiringRecord, HEADER_BYTES, Header, form, kind,
};
use crate::base::id::Id;
use crate::base::time::Timestamp;
use crate::graph::fact::{Fact, Facts};
use crate::graph::fingerprint::FactVisitor;
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};
use crate::step::Core;
use crate::step::arcs::compiled::expected_facts;
use crate::step::event::Event;
use crate::step::field_codec::WORD_BYTES;
use crate::step::fields::Fields;
use crate::store::tags::Tags;
use crate::value::PlainForm;

/// The payload of a frame, in a buffer that is reused and whose length is checked once per frame.
#[derive(Default)]
pub(crate) struct PayloadBuffer {
    bytes: Vec<u8>,
    len: usize,
}

impl PayloadBuffer {
    /// Returns the encoded payload.
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Returns `len` bytes with any content, all of which must be written.
    pub(crate) fn begin(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() < len {
            self.bytes.resize(len.next_power_of_two(), 0);
        }
        self.len = len;
        &mut self.bytes[..len]
    }
}

/// Encodes the open transaction and includes it in the fingerprint of the graph. `tags` are those of the epoch of its frame,
/// whose schema is that of this program.
pub(crate) fn encode(core: &mut Core, tags: &Tags, out: &mut PayloadBuffer) {
    let Core { graph, open, .. } = core;
    let metadata = meta::encode(open);
    let journal = &mut open.journal;
    let facts = journal.facts_len();
    // The values of some facts are in their records, so fewer bytes may follow.
    let value_bytes_max = journal.value_bytes_max();
    let all = out.begin(
        HEADER_BYTES
            + FIRING_BYTES * open.firings.len()
            + FACT_BYTES * facts
            + open.event_bytes.len()
            + metadata.len()
            + value_bytes_max,
    );
    let (header, rest) = all.split_at_mut(HEADER_BYTES);
    let (firing_records, rest) = rest.split_at_mut(FIRING_BYTES * open.firings.len());
    let (fact_records, rest) = rest.split_at_mut(FACT_BYTES * facts);
    let (bindings, rest) = rest.split_at_mut(open.event_bytes.len());
    let (meta, values) = rest.split_at_mut(metadata.len());
    let firing_records = firing_records.as_chunks_mut().0;
    for (firing, record) in open.firings.iter().zip(firing_records) {
        *record = FiringRecord {
            event: firing.event.get(),
            flags: if firing.chose { CHOSE } else { 0 },
            facts_end: firing.facts_end,
            binding_end: firing.binding_end,
            reserved: 0,
        }
        .encode();
    }
    let writer = FactWriter::new(tags, fact_records, values);
    let writer = graph.update_fingerprint_and_visit(journal, writer);
    let value_bytes = writer.values.len;
    bindings.copy_from_slice(&open.event_bytes);
    if !metadata.is_empty() {
        meta.copy_from_slice(&metadata);
    }
    // The log refuses a payload whose lengths do not fit.
    header.copy_from_slice(
        &Header {
            time: open.clock.decide().as_micros(),
            flags: 0,
            firings: open.firings.len() as u32,
            facts: facts as u32,
            binding_bytes: open.event_bytes.len() as u32,
            metadata_bytes: metadata.len() as u32,
            value_bytes: value_bytes as u32,
        }
        .encode(),
    );
    out.len -= value_bytes_max - value_bytes;
}

/// Returns the number of bytes that a fact has in a payload, at most.
pub(crate) fn record_bytes(facts: &Facts, fact: &Fact) -> usize {
    FACT_BYTES + facts.value_of(fact).map_or(0, <[u8]>::len)
}

/// Encodes facts that belong to no firing as the payload of a migration. They have generations. `tags` are those of the epoch of
/// the frame, whose schema is that of this program.
pub(crate) fn encode_facts(
    time: Timestamp,
    (facts, range): (&Facts, Range<usize>),
    tags: &Tags,
) -> Vec<u8> {
    let all = facts.list.iter().zip(&facts.generations);
    let all = all.skip(range.start).take(range.len());
    let mut out = vec![0; HEADER_BYTES];
    let mut values = Vec::new();
    let id = |slot: u32, generation: u32| Id { slot, generation };
    for (fact, &[near, far]) in all {
        let value = facts.value_of(fact).unwrap_or_default();
        let with_value = |record: FactRecord, word: Option<u64>, values: &mut Vec<u8>| match word {
            Some(operand) => FactRecord {
                form: form::WORD,
                operand,
                ..record
            },
            None => {
                values.extend_from_slice(value);
                FactRecord {
                    form: form::CBOR,
                    value_bytes: value.len() as u32,
                    ..record
                }
            }
        };
        let record = match *fact {
            Fact::Create {
                entity,
                state,
                slot,
                generation,
            } => {
                let id = id(slot, generation);
                FactRecord::new(kind::CREATE, entity.get(), id, state.get().into())
            }
            Fact::Delete {
                entity,
                state,
                slot,
                generation,
            } => {
                let id = id(slot, generation);
                FactRecord::new(kind::DELETE, entity.get(), id, state.get().into())
            }
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let states = u16::from_le_bytes([from.get(), to.get()]).into();
                FactRecord::new(kind::MOVE, entity.get(), id(slot, near), states)
            }
            Fact::Set { column, slot, .. } => {
                let record = FactRecord::new(kind::SET, column.get(), id(slot, near), 0);
                with_value(record, tags.word_of(column, value), &mut values)
            }
            Fact::Link { edge, from, to } => {
                let to = id(to, far).to_bits();
                FactRecord::new(kind::LINK, edge.get(), id(from, near), to)
            }
            Fact::Unlink { edge, from, to } => {
                let to = id(to, far).to_bits();
                FactRecord::new(kind::UNLINK, edge.get(), id(from, near), to)
            }
            Fact::SetLink { edge, from, to, .. } => {
                let to = id(to, far).to_bits();
                let record = FactRecord::new(kind::SET_LINK, edge.get(), id(from, near), to);
                with_value(record, None, &mut values)
            }
        };
        out.extend_from_slice(&record.encode());
    }
    let header = Header {
        time: time.as_micros(),
        flags: 0,
        firings: 0,
        facts: ((out.len() - HEADER_BYTES) / FACT_BYTES) as u32,
        binding_bytes: 0,
        metadata_bytes: 0,
        value_bytes: values.len() as u32,
    };
    if let Some(first) = out.first_chunk_mut() {
        *first = header.encode();
    }
    out.extend_from_slice(&values);
    out
}

/// The length of the header and of one firing.
const ONE_FIRING_BYTES: usize = HEADER_BYTES + FIRING_BYTES;

/// The length of the binding of an event whose fields are words.
const fn binding_bytes<E: Event>() -> usize {
    WORD_BYTES * <E::Fields as Fields>::COUNT
}

/// The number of facts that the arcs of an event nearly always make.
const fn facts<E: Event>() -> usize {
    match expected_facts::<E>() {
        Some(facts) => facts,
        None => 0,
    }
}

/// Returns the length of the payload that [`encode_expected`] writes.
pub(crate) const fn expected_bytes<E: Event>() -> usize {
    ONE_FIRING_BYTES + binding_bytes::<E>() + FACT_BYTES * facts::<E>()
}

/// As [`encode`], for an open transaction that has nothing but one event, which was not recorded and whose fields are words. All
/// lengths are constants. `out` has [`expected_bytes`]. Returns `false` if the facts are not those that the arcs of the event
/// nearly always make, or if one of them has a value behind the records. Nothing but `out` has changed then.
#[inline(always)]
pub(crate) fn encode_expected<E: Event>(
    core: &mut Core,
    tags: &Tags,
    event: &E,
    out: &mut [u8],
) -> bool {
    let Some(out) = out.get_mut(..const { expected_bytes::<E>() }) else {
        return false;
    };
    let (first, rest) = out.split_at_mut(ONE_FIRING_BYTES);
    let (records, binding) = rest.split_at_mut(const { FACT_BYTES * facts::<E>() });
    let mut writer = FactWriter::new(tags, records, &mut []);
    let fits = |writer: &FactWriter<'_>| writer.values.len == 0;
    if !core.visit_expected(event, &mut writer, fits) {
        return false;
    }
    E::Fields::write_words(event.fields(), binding.as_chunks_mut().0);
    let header = Header {
        time: core.open.clock.decide().as_micros(),
        flags: 0,
        firings: 1,
        facts: const { facts::<E>() as u32 },
        binding_bytes: const { binding_bytes::<E>() as u32 },
        metadata_bytes: 0,
        value_bytes: 0,
    };
    let firing = FiringRecord {
        event: E::INDEX.get(),
        flags: 0,
        facts_end: header.facts,
        binding_end: header.binding_bytes,
        reserved: 0,
    };
    let (header_record, firing_record) = first.split_at_mut(HEADER_BYTES);
    header_record.copy_from_slice(&header.encode());
    firing_record.copy_from_slice(&firing.encode());
    true
}

/// Writes the record of each fact, and the values that are not in their records.
struct FactWriter<'a> {
    tags: &'a Tags,
    /// The records that are not written yet.
    records: &'a mut [u8],
    values: ValueWriter<'a>,
}

/// It is passed by value to functions that are not inlined, since otherwise the whole [`FactWriter`] would be in memory.
#[derive(Default)]
struct ValueWriter<'a> {
    bytes: &'a mut [u8],
    /// The length of the values so far, also of those for which there is no space.
    len: usize,
}

impl ValueWriter<'_> {
    /// Writes a value of the form [`form::CBOR`], and completes the record of its fact.
    #[inline(never)]
    fn put(mut self, value: &[u8], record: FactRecord) -> (Self, FactRecord) {
        let end = self.len + value.len();
        if let Some(out) = self.bytes.get_mut(self.len..end) {
            out.copy_from_slice(value);
        }
        self.len = end;
        let record = FactRecord {
            form: form::CBOR,
            value_bytes: value.len() as u32,
            ..record
        };
        (self, record)
    }

    /// As [`ValueWriter::put`], for the columns of a log that has no words in its records, and the data of links.
    #[inline(never)]
    fn put_plain(self, (form, word): (PlainForm, u64), record: FactRecord) -> (Self, FactRecord) {
        let mut value = Vec::new();
        form.cbor(word).write(&mut value);
        self.put(&value, record)
    }
}

impl<'a> FactWriter<'a> {
    #[inline(always)]
    fn new(tags: &'a Tags, records: &'a mut [u8], values: &'a mut [u8]) -> Self {
        let values = ValueWriter {
            bytes: values,
            len: 0,
        };
        Self {
            tags,
            records,
            values,
        }
    }

    #[inline(always)]
    fn put(&mut self, record: FactRecord) {
        // There is a record for each fact.
        if let Some((out, rest)) = std::mem::take(&mut self.records).split_first_chunk_mut() {
            *out = record.encode();
            self.records = rest;
        }
    }

    #[inline(always)]
    fn put_with_word(&mut self, record: FactRecord, word: u64) {
        self.put(FactRecord {
            form: form::WORD,
            operand: word,
            ..record
        });
    }

    #[inline(always)]
    fn put_with_plain_value(&mut self, record: FactRecord, value: (PlainForm, u64)) {
        // The writer of values is moved, so that this writer need not be in memory.
        let (values, record) = std::mem::take(&mut self.values).put_plain(value, record);
        self.values = values;
        self.put(record);
    }

    #[inline(always)]
    fn put_with_value(&mut self, record: FactRecord, value: &[u8]) {
        let (values, record) = std::mem::take(&mut self.values).put(value, record);
        self.values = values;
        self.put(record);
    }
}

impl FactVisitor for FactWriter<'_> {
    #[inline(always)]
    fn create(&mut self, entity: EntityIx, state: StateIx, id: Id) {
        let state = state.get().into();
        self.put(FactRecord::new(kind::CREATE, entity.get(), id, state));
    }

    #[inline(always)]
    fn delete(&mut self, entity: EntityIx, state: StateIx, id: Id) {
        let state = state.get().into();
        self.put(FactRecord::new(kind::DELETE, entity.get(), id, state));
    }

    #[inline(always)]
    fn move_to(&mut self, entity: EntityIx, id: Id, from: StateIx, to: StateIx) {
        let states = u16::from_le_bytes([from.get(), to.get()]).into();
        self.put(FactRecord::new(kind::MOVE, entity.get(), id, states));
    }

    #[inline(always)]
    fn set_plain(&mut self, column: ColumnIx, id: Id, (form, word): (PlainForm, u64)) {
        let record = || FactRecord::new(kind::SET, column.get(), id, 0);
        if self.tags.has_words(column) {
            self.put_with_word(record(), word);
        } else {
            self.put_with_plain_value(record(), (form, word));
        }
    }

    #[inline(always)]
    fn set_encoded(&mut self, column: ColumnIx, id: Id, value: &[u8]) {
        let record = FactRecord::new(kind::SET, column.get(), id, 0);
        match self.tags.word_of(column, value) {
            Some(word) => self.put_with_word(record, word),
            None => self.put_with_value(record, value),
        }
    }

    #[inline(always)]
    fn link(&mut self, edge: EdgeIx, from: Id, to: Id) {
        self.put(FactRecord::new(kind::LINK, edge.get(), from, to.to_bits()));
    }

    #[inline(always)]
    fn unlink(&mut self, edge: EdgeIx, from: Id, to: Id) {
        self.put(FactRecord::new(
            kind::UNLINK,
            edge.get(),
            from,
            to.to_bits(),
        ));
    }

    #[inline(always)]
    fn relink(&mut self, edge: EdgeIx, forward: bool, held: Id, holders: [Id; 2]) {
        let held = held.to_bits();
        for (kind, holder) in [kind::UNLINK, kind::LINK].into_iter().zip(holders) {
            let holder = holder.to_bits();
            let (entity, operand) = if forward {
                (holder, held)
            } else {
                (held, holder)
            };
            self.put(FactRecord {
                kind,
                index: edge.get(),
                entity,
                operand,
                ..FactRecord::default()
            });
        }
    }

    #[inline(always)]
    fn set_link_plain(&mut self, edge: EdgeIx, from: Id, to: Id, value: (PlainForm, u64)) {
        let record = FactRecord::new(kind::SET_LINK, edge.get(), from, to.to_bits());
        self.put_with_plain_value(record, value);
    }

    #[inline(always)]
    fn set_link_encoded(&mut self, edge: EdgeIx, from: Id, to: Id, value: &[u8]) {
        let record = FactRecord::new(kind::SET_LINK, edge.get(), from, to.to_bits());
        self.put_with_value(record, value);
    }
}
