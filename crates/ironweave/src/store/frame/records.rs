//! The records of which the payload of a transaction consists in format version 3. All integers are little-endian.
//!
//! ```text
//! payload     0        32           ..         ..         ..        ..
//!             +--------+------------+----------+----------+---------+--------+
//!             | header | firings    | facts    | bindings | metadata| values |
//!             +--------+------------+----------+----------+---------+--------+
//!               32       16 each      24 each    words      CBOR      CBOR
//!
//! header      0      8       12        16      20         24         28       32
//!             +------+-------+---------+-------+----------+----------+--------+
//!             | time | flags | firings | facts | bindings | metadata | values |
//!             +------+-------+---------+-------+----------+----------+--------+
//!             flags: 0; then two numbers of records, and three lengths in bytes
//!
//! firing      0       2       4           8             12         16
//!             +-------+-------+-----------+-------------+----------+
//!             | event | flags | facts end | binding end | reserved |
//!             +-------+-------+-----------+-------------+----------+
//!
//! fact        0      1      2       4              8        16        24
//!             +------+------+-------+--------------+--------+---------+
//!             | kind | form | index | value length | entity | operand |
//!             +------+------+-------+--------------+--------+---------+
//! ```
//!
//! The fixed records come first, so each of them begins at a multiple of 8 in its segment. The values of facts lie behind
//! everything else, in the order of the facts.

use crate::base::id::Id;

/// The length of the header.
pub(super) const HEADER_BYTES: usize = 32;
/// The length of a firing.
pub(super) const FIRING_BYTES: usize = 16;
/// The length of a fact.
pub(super) const FACT_BYTES: usize = 24;

/// The flag of a firing whose binding has the entities that the event chose.
pub(super) const CHOSE: u16 = 1;

/// The kinds of facts.
pub(super) mod kind {
    pub(crate) const CREATE: u8 = 0;
    pub(crate) const DELETE: u8 = 1;
    pub(crate) const MOVE: u8 = 2;
    pub(crate) const SET: u8 = 3;
    pub(crate) const LINK: u8 = 4;
    pub(crate) const UNLINK: u8 = 5;
    pub(crate) const SET_LINK: u8 = 6;
}

/// Where the value of a fact is.
pub(super) mod form {
    /// The fact has no value.
    pub(crate) const NONE: u8 = 0;
    /// The value is the operand, in the form that the encoding in the schema has in 8 bytes.
    pub(crate) const WORD: u8 = 1;
    /// The value is CBOR and lies with the values.
    pub(crate) const CBOR: u8 = 2;
}

/// The beginning of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub time: i64,
    pub flags: u32,
    /// The number of firings.
    pub firings: u32,
    /// The number of facts.
    pub facts: u32,
    /// The lengths of the other parts in bytes.
    pub binding_bytes: u32,
    pub metadata_bytes: u32,
    pub value_bytes: u32,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        join([
            self.time as u64,
            pair(self.flags, self.firings),
            pair(self.facts, self.binding_bytes),
            pair(self.metadata_bytes, self.value_bytes),
        ])
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Self {
        let [time, a, b, c] = split(bytes);
        Self {
            time: time as i64,
            flags: a as u32,
            firings: (a >> 32) as u32,
            facts: b as u32,
            binding_bytes: (b >> 32) as u32,
            metadata_bytes: c as u32,
            value_bytes: (c >> 32) as u32,
        }
    }
}

/// One firing of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FiringRecord {
    pub event: u16,
    pub flags: u16,
    /// The number of facts of this firing and the ones before it.
    pub facts_end: u32,
    /// The length of the bindings of this firing and the ones before it.
    pub binding_end: u32,
    pub reserved: u32,
}

impl FiringRecord {
    pub(super) fn encode(&self) -> [u8; FIRING_BYTES] {
        let first = u32::from(self.flags) << 16 | u32::from(self.event);
        join([
            pair(first, self.facts_end),
            pair(self.binding_end, self.reserved),
        ])
    }

    pub(super) fn decode(bytes: &[u8; FIRING_BYTES]) -> Self {
        let [a, b] = split(bytes);
        Self {
            event: a as u16,
            flags: (a >> 16) as u16,
            facts_end: (a >> 32) as u32,
            binding_end: b as u32,
            reserved: (b >> 32) as u32,
        }
    }
}

/// One fact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FactRecord {
    pub kind: u8,
    pub form: u8,
    /// The index of an entity type, a column or an edge in the schema.
    pub index: u16,
    /// The length of a value of the form [`form::CBOR`].
    pub value_bytes: u32,
    /// The id of the entity; of a link, that at the declaring end.
    pub entity: u64,
    /// The id at the other end of a link, the states, or a value of the form [`form::WORD`].
    pub operand: u64,
}

impl FactRecord {
    /// Returns the record of a fact without a value.
    #[inline(always)]
    pub(super) fn new(kind: u8, index: u16, entity: Id, operand: u64) -> Self {
        Self {
            kind,
            form: form::NONE,
            index,
            value_bytes: 0,
            entity: entity.to_bits(),
            operand,
        }
    }

    #[inline(always)]
    pub(super) fn encode(&self) -> [u8; FACT_BYTES] {
        let first = u32::from(self.index) << 16 | u32::from(self.form) << 8 | u32::from(self.kind);
        join([pair(first, self.value_bytes), self.entity, self.operand])
    }

    #[inline(always)]
    pub(super) fn decode(bytes: &[u8; FACT_BYTES]) -> Self {
        let [first, entity, operand] = split(bytes);
        Self {
            kind: first as u8,
            form: (first >> 8) as u8,
            index: (first >> 16) as u16,
            value_bytes: (first >> 32) as u32,
            entity,
            operand,
        }
    }
}

/// Two integers of 4 bytes as one of 8, the first one in the lower half.
#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

#[inline(always)]
fn join<const WORDS: usize, const BYTES: usize>(words: [u64; WORDS]) -> [u8; BYTES] {
    const { assert!(BYTES == WORDS * 8) };
    let mut bytes = [0; BYTES];
    let (chunks, _) = bytes.as_chunks_mut::<8>();
    for (chunk, word) in chunks.iter_mut().zip(words) {
        *chunk = word.to_le_bytes();
    }
    bytes
}

#[inline(always)]
fn split<const WORDS: usize, const BYTES: usize>(bytes: &[u8; BYTES]) -> [u64; WORDS] {
    const { assert!(BYTES == WORDS * 8) };
    let (chunks, _) = bytes.as_chunks::<8>();
    std::array::from_fn(|i| u64::from_le_bytes(chunks[i]))
}
