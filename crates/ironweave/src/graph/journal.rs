//! The journal: what the open transaction did, entry by entry.
//!
//! [`Entry::each_fact`] is the only place in which entries become the facts that programs and followers see. The encoder of
//! frames writes records of the same facts:
//!
//! | entry | facts |
//! |---|---|
//! | relink: the link of an end that holds one is replaced | unlink and link |
//! | clear: a value disappears with its entity, its state or its link | none, since the fact of the deletion, move or unlink implies it |
//! | any other | one |

use std::sync::OnceLock;

use crate::base::id::Id;
use crate::base::push::push;
use crate::graph::entry::{Entry, FactSink, NewValue};
use crate::graph::fact::{Fact, Facts};
use crate::schema::{EntityIx, StateIx};

/// The changes of the open transaction.
#[derive(Clone, Default)]
pub struct Journal {
    pub(super) entries: Vec<Entry>,
    /// The encodings of values that are not plain.
    pub(super) bytes: Vec<u8>,
    /// How many more facts than entries there are, modulo 2^64.
    surplus: usize,
    /// How many entries the fingerprint of the graph includes.
    pub(super) fingerprinted: usize,
    /// Whether an entity was deleted.
    has_deleted: bool,
    /// Whether the slot of an entity that the transaction deleted may have been used again by it.
    pub(super) may_reuse_slots: bool,
    /// Whether `prepared` has the facts of all entries. Its memory is kept in any case.
    is_prepared: bool,
    prepared: Facts,
    /// The facts of all entries, if they were read without being prepared.
    converted: OnceLock<Box<Facts>>,
}

/// A point in the journal to go back to.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JournalMark {
    pub entries: usize,
    bytes: usize,
    surplus: usize,
    fingerprinted: usize,
}

impl Journal {
    /// An empty journal, with room for so many entries and for so many bytes of values.
    pub(crate) fn with_capacity(entries: usize, bytes: usize) -> Self {
        Self {
            entries: Vec::with_capacity(entries),
            bytes: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Returns whether the memory of an empty journal is too much to keep many of them for reuse.
    pub(crate) fn is_large(&self) -> bool {
        self.entries.capacity() > 64 || self.bytes.capacity() > 4_096
    }

    /// Returns whether nothing was done.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of facts.
    #[inline]
    pub(crate) fn facts_len(&self) -> usize {
        self.entries.len().wrapping_add(self.surplus)
    }

    /// Returns an upper bound of the length of the values of all facts.
    #[inline]
    pub(crate) fn value_bytes_max(&self) -> usize {
        self.bytes.len() + self.entries.len() * PLAIN_BYTES_MAX
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the number of entries, for [`Journal::try_each_fact_after`].
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.entries.len()
    }

    /// Appends an entry that is one fact.
    #[inline(always)]
    pub(super) fn push(&mut self, entry: Entry) {
        push(&mut self.entries, entry);
    }

    /// Appends a relink, which is two facts.
    #[inline(always)]
    pub(super) fn push_relink(&mut self, entry: Entry) {
        self.surplus = self.surplus.wrapping_add(1);
        push(&mut self.entries, entry);
    }

    /// Appends the removal of a value, which is no fact.
    pub(super) fn push_clear(&mut self, entry: Entry) {
        self.surplus = self.surplus.wrapping_sub(1);
        push(&mut self.entries, entry);
    }

    pub(super) fn push_delete(&mut self, entity: EntityIx, state: StateIx, id: Id) {
        self.has_deleted = true;
        self.push(Entry::Delete { entity, state, id });
    }

    pub(super) fn push_create(&mut self, entity: EntityIx, state: StateIx, id: Id) {
        // A slot that is used for the first time has the generation 1.
        self.may_reuse_slots |= self.has_deleted && id.generation > 1;
        self.push(Entry::Create { entity, state, id });
    }

    /// Returns a point to go back to. Discards the converted facts.
    #[inline]
    pub(super) fn mark(&mut self) -> JournalMark {
        self.discard_facts();
        JournalMark {
            entries: self.entries.len(),
            bytes: self.bytes.len(),
            surplus: self.surplus,
            fingerprinted: self.fingerprinted,
        }
    }

    /// Goes back to a point, after the entries since then were undone.
    pub(super) fn go_back(&mut self, mark: JournalMark) {
        self.entries.truncate(mark.entries);
        self.bytes.truncate(mark.bytes);
        self.surplus = mark.surplus;
        self.fingerprinted = mark.fingerprinted;
        self.discard_facts();
    }

    /// Forgets the facts, which are converted again when they are read.
    #[inline(always)]
    pub(crate) fn discard_facts(&mut self) {
        self.is_prepared = false;
        if self.converted.get().is_some() {
            self.discard_converted();
        }
    }

    #[cold]
    #[inline(never)]
    fn discard_converted(&mut self) {
        self.converted = OnceLock::new();
    }

    /// Removes all entries and keeps the allocated memory.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes.clear();
        self.surplus = 0;
        self.fingerprinted = 0;
        self.has_deleted = false;
        self.may_reuse_slots = false;
        self.discard_facts();
    }

    /// Returns the facts so far. O(entries) for the first call after a change, unless they are prepared.
    pub(crate) fn facts(&self) -> &Facts {
        let facts = if self.is_prepared {
            &self.prepared
        } else {
            self.converted.get_or_init(|| {
                let mut facts = Box::<Facts>::default();
                self.append_facts(&mut facts);
                facts
            })
        };
        debug_assert_eq!(
            facts.list.len(),
            self.facts_len(),
            "a mark is made before each event, and discards the facts"
        );
        facts
    }

    /// Converts the entries to facts, in memory that is used again, for [`Journal::facts`].
    #[inline]
    pub(crate) fn prepare_facts(&mut self) {
        let mut facts = std::mem::take(&mut self.prepared);
        facts.clear();
        self.append_facts(&mut facts);
        self.prepared = facts;
        self.is_prepared = true;
    }

    /// Returns a copy of the facts so far.
    pub(crate) fn to_facts(&self) -> Facts {
        self.facts().clone()
    }

    /// Removes all entries and returns their facts.
    pub(crate) fn take_facts(&mut self) -> Facts {
        let (mut list, mut bytes) = (
            Vec::with_capacity(self.facts_len()),
            std::mem::take(&mut self.bytes),
        );
        let values = Values {
            bytes: &mut bytes,
            start: 0,
        };
        self.each_fact(&mut Converted {
            values,
            list: &mut list,
        });
        self.clear();
        Facts {
            list,
            bytes,
            generations: Vec::new(),
        }
    }

    /// Appends the facts so far to other ones, without the generations of their entities.
    #[inline(never)]
    pub(super) fn append_facts(&self, others: &mut Facts) {
        let Facts { list, bytes, .. } = others;
        list.reserve(self.facts_len());
        let values = self.append_values(bytes);
        self.each_fact(&mut Converted { values, list });
    }

    /// Appends the values that are not plain to the bytes of other facts.
    #[inline(always)]
    pub(super) fn append_values<'f>(&self, bytes: &'f mut Vec<u8>) -> Values<'f> {
        let start = bytes.len() as u32;
        if !self.bytes.is_empty() {
            bytes.extend_from_slice(&self.bytes);
        }
        Values { bytes, start }
    }

    /// Passes the facts of all entries to a sink, in order.
    #[inline(always)]
    pub(super) fn each_fact(&self, sink: &mut impl FactSink) {
        for entry in &self.entries {
            entry.each_fact(sink);
        }
    }

    /// Calls `see` with the facts of the entries after the first ones, in order, until one is an error. The positions of
    /// their values are unspecified.
    pub(crate) fn try_each_fact_after<E>(
        &self,
        entries: usize,
        see: impl FnMut(Fact) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = Ok(());
        let mut tried = Tried { see, result };
        for entry in self.entries.get(entries..).unwrap_or_default() {
            entry.each_fact(&mut tried);
            if tried.result.is_err() {
                break;
            }
        }
        tried.result
    }

    /// Returns the encoding of a value that is not plain.
    pub(crate) fn value(&self, at: u32, len: u32) -> &[u8] {
        let range = at as usize..at as usize + len as usize;
        self.bytes.get(range).unwrap_or_default()
    }
}

/// The bytes of the values of facts, to which plain values are appended.
pub(super) struct Values<'f> {
    bytes: &'f mut Vec<u8>,
    /// The position of the bytes of the journal.
    start: u32,
}

impl Values<'_> {
    /// Returns the position and length of a value of the journal.
    #[inline(always)]
    pub(super) fn store(&mut self, value: NewValue) -> (u32, u32) {
        match value {
            NewValue::Plain(form, word) => {
                let at = self.bytes.len();
                form.cbor(word).write(self.bytes);
                (at as u32, (self.bytes.len() - at) as u32)
            }
            NewValue::Encoded { at, len } => (self.start + at, len),
        }
    }
}

/// Appends facts to a list.
struct Converted<'f> {
    values: Values<'f>,
    list: &'f mut Vec<Fact>,
}

impl FactSink for Converted<'_> {
    #[inline(always)]
    fn store(&mut self, value: NewValue) -> (u32, u32) {
        self.values.store(value)
    }

    #[inline(always)]
    fn see(&mut self, fact: Fact) {
        push(self.list, fact);
    }
}

/// Calls a function with facts until it returns an error.
struct Tried<F, E> {
    see: F,
    result: Result<(), E>,
}

impl<E, F: FnMut(Fact) -> Result<(), E>> FactSink for Tried<F, E> {
    #[inline(always)]
    fn store(&mut self, _: NewValue) -> (u32, u32) {
        (0, 0)
    }

    #[inline(always)]
    fn see(&mut self, fact: Fact) {
        if self.result.is_ok() {
            self.result = (self.see)(fact);
        }
    }
}

/// The greatest length of the encoding of a plain value.
const PLAIN_BYTES_MAX: usize = 9;

#[cfg(test)]
pub(in crate::graph) mod tests;
