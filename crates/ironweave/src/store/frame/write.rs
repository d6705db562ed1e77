//! Encoding the open transaction in format version 3.

use super::meta;
use super::records::{
    FACT_BYTES, FIRING_BYTES, FactRecord, FiringRecord, HEADER_BYTES, Header, form,
};
use crate::graph::Journal;
use crate::graph::entry::NewValue;
use crate::graph::logged::{LoggedFact, kind};
use crate::step::Core;
use crate::store::tags::Tags;

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
    let mut values = Values {
        bytes: values,
        at: 0,
    };
    // There is a record for each fact.
    let mut fact_records = fact_records.as_chunks_mut().0.iter_mut();
    core.graph.each_logged_fact(journal, |fact| {
        let (form, value_bytes, operand) = match fact.value {
            None => (form::NONE, 0, fact.operand),
            Some(NewValue::Plain(_, word))
                if fact.kind == kind::SET && tags.has_word(fact.index) =>
            {
                (form::WORD, 0, word)
            }
            Some(value) => values.push(&fact, value, journal, tags),
        };
        if let Some(record) = fact_records.next() {
            *record = FactRecord {
                kind: fact.kind,
                form,
                index: fact.index,
                value_bytes,
                entity: fact.entity.to_bits(),
                operand,
            }
            .encode();
        }
    });
    debug_assert!(fact_records.next().is_none(), "a record without a fact");
    bindings.copy_from_slice(&open.event_bytes);
    meta.copy_from_slice(&metadata);
    let value_bytes = values.at;
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

/// The values that are not in the records of their facts.
struct Values<'p> {
    bytes: &'p mut [u8],
    /// The length of those that were written.
    at: usize,
}

impl Values<'_> {
    /// Writes a value, unless its column has words for it. Returns the form of the value, its length, and the operand of the
    /// fact.
    #[inline(never)]
    fn push(
        &mut self,
        fact: &LoggedFact,
        value: NewValue,
        journal: &Journal,
        tags: &Tags,
    ) -> (u8, u32, u64) {
        let mut plain = Vec::new();
        let value = match value {
            NewValue::Encoded { at, len } => journal.value(at, len),
            NewValue::Plain(form, word) => {
                form.cbor(word).write(&mut plain);
                &plain
            }
        };
        if fact.kind == kind::SET
            && let Some(word) = tags.word_of(fact.index, value)
        {
            return (form::WORD, 0, word);
        }
        self.bytes[self.at..self.at + value.len()].copy_from_slice(value);
        self.at += value.len();
        (form::CBOR, value.len() as u32, fact.operand)
    }
}
