//! The payload of a transaction of format version 3 as records, to change one and write it again. They are read and written
//! here as `docs/log-format.md` has them, without the crate.

use crate::cbor::Raw;
use crate::forge::Forged;

/// A payload. The numbers and lengths in its header are those of its parts.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub time: i64,
    pub flags: u32,
    pub firings: Vec<FiringRecord>,
    pub facts: Vec<FactRecord>,
    pub bindings: Vec<u8>,
    pub metadata: Vec<u8>,
    pub values: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct FiringRecord {
    pub event: u16,
    pub flags: u16,
    pub facts_end: u32,
    pub binding_end: u32,
    pub reserved: u32,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct FactRecord {
    pub kind: u8,
    pub form: u8,
    pub index: u16,
    pub value_bytes: u32,
    pub entity: u64,
    pub operand: u64,
}

/// Takes a number of so many bytes.
fn number(bytes: &mut &[u8], len: usize) -> u64 {
    let (number, rest) = bytes.split_at(len);
    *bytes = rest;
    (number.iter().rev()).fold(0, |n, byte| n << 8 | u64::from(*byte))
}

/// Returns an id as its slot and generation.
pub fn id(slot: u64, generation: u64) -> u64 {
    slot << 24 | generation
}

impl Records {
    pub fn parse(mut bytes: &[u8]) -> Self {
        let bytes = &mut bytes;
        let time = number(bytes, 8) as i64;
        let mut numbers = [0; 6];
        numbers.fill_with(|| number(bytes, 4));
        let [flags, firings, facts, bindings, metadata, values] = numbers;
        let firings = (0..firings).map(|_| FiringRecord {
            event: number(bytes, 2) as u16,
            flags: number(bytes, 2) as u16,
            facts_end: number(bytes, 4) as u32,
            binding_end: number(bytes, 4) as u32,
            reserved: number(bytes, 4) as u32,
        });
        let firings = firings.collect();
        let facts = (0..facts).map(|_| FactRecord {
            kind: number(bytes, 1) as u8,
            form: number(bytes, 1) as u8,
            index: number(bytes, 2) as u16,
            value_bytes: number(bytes, 4) as u32,
            entity: number(bytes, 8),
            operand: number(bytes, 8),
        });
        let facts = facts.collect();
        let mut take = |len: u64| {
            let (taken, rest) = bytes.split_at(len as usize);
            *bytes = rest;
            taken.to_vec()
        };
        let records = Self {
            time,
            flags: flags as u32,
            firings,
            facts,
            bindings: take(bindings),
            metadata: take(metadata),
            values: take(values),
        };
        assert!(bytes.is_empty(), "the lengths are those of the payload");
        records
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.time.to_le_bytes().to_vec();
        let lengths = [
            self.firings.len(),
            self.facts.len(),
            self.bindings.len(),
            self.metadata.len(),
            self.values.len(),
        ];
        out.extend(self.flags.to_le_bytes());
        for len in lengths {
            out.extend((len as u32).to_le_bytes());
        }
        for firing in &self.firings {
            out.extend(firing.event.to_le_bytes());
            out.extend(firing.flags.to_le_bytes());
            for number in [firing.facts_end, firing.binding_end, firing.reserved] {
                out.extend(number.to_le_bytes());
            }
        }
        for fact in &self.facts {
            out.extend([fact.kind, fact.form]);
            out.extend(fact.index.to_le_bytes());
            out.extend(fact.value_bytes.to_le_bytes());
            out.extend(fact.entity.to_le_bytes());
            out.extend(fact.operand.to_le_bytes());
        }
        for part in [&self.bindings, &self.metadata, &self.values] {
            out.extend_from_slice(part);
        }
        out
    }

    /// Appends a fact to the last firing.
    pub fn push(&mut self, fact: FactRecord) {
        self.facts.push(fact);
        let last = self.firings.last_mut().expect("something fired");
        last.facts_end += 1;
    }

    /// Removes a fact, whose value must be in its record. There must be one firing.
    pub fn remove(&mut self, fact: usize) {
        self.facts.remove(fact);
        self.firings[0].facts_end -= 1;
    }
}

/// Changes the records of a frame.
pub fn change(frame: &mut Forged, change: impl FnOnce(&mut Records)) {
    let Raw(bytes) = &mut frame.payload else {
        panic!("it is of version 2");
    };
    let mut records = Records::parse(bytes);
    change(&mut records);
    *bytes = records.bytes();
}
