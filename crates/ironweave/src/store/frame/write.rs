//! Encoding the open transaction in format version 3.

use super::meta;
use super::records::{
    FACT_BYTES, FIRING_BYTES, FactRecord, FiringRecord, HEADER_BYTES, Header, form, kind,
};
use crate::base::hash::FastMap;
use crate::base::id::Id;
use crate::graph::Journal;
use crate::graph::entry::Entry;
use crate::graph::layout::Layout;
use crate::schema::{ColumnIx, EdgeIx, EntityIx};
use crate::step::Core;
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
    fn begin(&mut self, len: usize) -> &mut [u8] {
        if self.bytes.len() < len {
            self.bytes.resize(len.next_power_of_two(), 0);
        }
        self.len = len;
        &mut self.bytes[..len]
    }
}

/// Encodes the open transaction. `tags` are those of the epoch of its frame, whose schema is that of this program.
pub(crate) fn encode(core: &Core, tags: &Tags, out: &mut PayloadBuffer) {
    let open = &core.open;
    let journal = &open.journal;
    let facts = journal.facts_len();
    let metadata = meta::encode(open);
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
            flags: 0,
            facts_end: firing.facts_end,
            binding_end: firing.binding_end,
            reserved: 0,
        }
        .encode();
    }
    let graph = &core.graph;
    let out_facts = (fact_records.as_chunks_mut().0, values);
    let value_bytes = if journal.has_deleted() {
        let deleted = Deleted::of(journal);
        encode_facts(
            &graph.layout,
            journal,
            tags,
            out_facts,
            |i, entity, slot| {
                let generation = deleted.generation(i, (entity, slot));
                generation.map_or_else(
                    || graph.id(entity, slot),
                    |generation| Id { slot, generation },
                )
            },
        )
    } else {
        encode_facts(
            &graph.layout,
            journal,
            tags,
            out_facts,
            |_, entity, slot| graph.id(entity, slot),
        )
    };
    bindings.copy_from_slice(&open.event_bytes);
    meta.copy_from_slice(&metadata);
    // The log refuses a payload whose lengths do not fit.
    header.copy_from_slice(
        &Header {
            time: open.clock.now().as_micros(),
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

/// Writes the records of the facts of each entry of the journal, in the order of [`Journal::facts`], and the values that are
/// not in their records. Returns the length of these values. `id` returns the entity at a slot when an entry was made.
#[inline(always)]
fn encode_facts(
    layout: &Layout,
    journal: &Journal,
    tags: &Tags,
    (records, values): (&mut [[u8; FACT_BYTES]], &mut [u8]),
    id: impl Fn(usize, EntityIx, u32) -> Id,
) -> usize {
    let mut at = 0;
    // Copies a value that is not in its record.
    let mut with_value = |record: FactRecord, value: &[u8]| {
        values[at..at + value.len()].copy_from_slice(value);
        at += value.len();
        FactRecord {
            form: form::CBOR,
            value_bytes: value.len() as u32,
            ..record
        }
    };
    let with_word = |record: FactRecord, word: u64| FactRecord {
        form: form::WORD,
        operand: word,
        ..record
    };
    let mut records = records.iter_mut();
    let mut put = |record: FactRecord| {
        // There is a record for each fact.
        if let Some(out) = records.next() {
            *out = record.encode();
        }
    };
    for (i, entry) in journal.entries().iter().enumerate() {
        let link = |kind, edge: EdgeIx, (from, to)| {
            let ends = &layout.edges[usize::from(edge)];
            let to = id(i, ends.to.entity, to).to_bits();
            FactRecord::new(kind, edge.get(), id(i, ends.from.entity, from), to)
        };
        let set = |column: ColumnIx, slot| {
            let id = id(i, layout.columns[usize::from(column)].entity, slot);
            FactRecord::new(kind::SET, column.get(), id, 0)
        };
        match *entry {
            Entry::Create { entity, state, id } => {
                put(FactRecord::new(
                    kind::CREATE,
                    entity.get(),
                    id,
                    state.get().into(),
                ));
            }
            Entry::Delete { entity, state, id } => {
                put(FactRecord::new(
                    kind::DELETE,
                    entity.get(),
                    id,
                    state.get().into(),
                ));
            }
            Entry::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let states = u16::from_le_bytes([from.get(), to.get()]);
                put(FactRecord::new(
                    kind::MOVE,
                    entity.get(),
                    id(i, entity, slot),
                    states.into(),
                ));
            }
            Entry::FillPlain {
                column,
                slot,
                form,
                new,
            }
            | Entry::ReplacePlain {
                column,
                slot,
                form,
                new,
                ..
            } => {
                let record = set(column, slot);
                put(if tags.has_words(column) {
                    with_word(record, new)
                } else {
                    with_value(record, &cbor(form, new))
                });
            }
            Entry::FillEncoded {
                column,
                slot,
                at,
                len,
            }
            | Entry::ReplaceEncoded {
                column,
                slot,
                at,
                len,
                ..
            } => {
                let (record, value) = (set(column, slot), journal.value(at, len));
                put(match tags.word_of(column, value) {
                    Some(word) => with_word(record, word),
                    None => with_value(record, value),
                });
            }
            Entry::Link { edge, from, to } => put(link(kind::LINK, edge, (from, to))),
            Entry::Unlink { edge, from, to, .. } => put(link(kind::UNLINK, edge, (from, to))),
            Entry::Relink { edge, links } => {
                put(link(kind::UNLINK, edge, links.removed()));
                put(link(kind::LINK, edge, links.made()));
            }
            Entry::SetLinkPlain {
                edge,
                from,
                to,
                form,
                new,
            } => {
                let record = link(kind::SET_LINK, edge, (from, to));
                put(with_value(record, &cbor(form, new)));
            }
            Entry::SetLinkEncoded {
                edge,
                from,
                to,
                at,
                len,
            } => {
                let record = link(kind::SET_LINK, edge, (from, to));
                put(with_value(record, journal.value(at, len)));
            }
            // The fact of the deletion, move or unlink implies it.
            Entry::ClearPlain { .. }
            | Entry::ClearEncoded { .. }
            | Entry::ClearLinkPlain { .. }
            | Entry::ClearLinkEncoded { .. } => {}
        }
    }
    at
}

/// Returns the encoding of a plain value.
fn cbor(form: PlainForm, word: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    form.cbor(word).write(&mut bytes);
    bytes
}

/// The entries that delete entities, by slot. The graph at the end of a transaction has the generation of the last entity at
/// a slot only.
struct Deleted(FastMap<(EntityIx, u32), Vec<(usize, u32)>>);

impl Deleted {
    fn of(journal: &Journal) -> Self {
        let mut deleted = FastMap::<_, Vec<_>>::default();
        for (i, entry) in journal.entries().iter().enumerate() {
            if let Entry::Delete { entity, id, .. } = *entry {
                let of_slot = deleted.entry((entity, id.slot)).or_default();
                of_slot.push((i, id.generation));
            }
        }
        Self(deleted)
    }

    /// Returns the generation of the entity at a slot when entry `i` was made, if that entry or a later one deletes the
    /// entity.
    #[inline(always)]
    fn generation(&self, i: usize, at: (EntityIx, u32)) -> Option<u32> {
        if self.0.is_empty() {
            return None;
        }
        let of_slot = self.0.get(&at)?;
        let next = of_slot.partition_point(|(delete, _)| *delete < i);
        of_slot.get(next).map(|(_, generation)| *generation)
    }
}
