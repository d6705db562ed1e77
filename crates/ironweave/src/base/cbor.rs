//! Writing the heads of CBOR items (RFC 8949, 3) without a call per byte: what frames consist of, but for values.

use crate::base::hash::hash_bytes;

/// Major types.
pub(crate) const UINT: u8 = 0;
pub(crate) const NEGATIVE: u8 = 1 << 5;
pub(crate) const ARRAY: u8 = 4 << 5;
pub(crate) const MAP: u8 = 5 << 5;
pub(crate) const BYTES: u8 = 2 << 5;
pub(crate) const TEXT: u8 = 3 << 5;
/// Whole items.
pub(crate) const FALSE: u8 = 0xf4;
pub(crate) const TRUE: u8 = 0xf5;
pub(crate) const NULL: u8 = 0xf6;

/// A few bytes, 16 at most: one head or plain value in its shortest form, or several in a row. Made with few branches,
/// since how long a number is cannot be foreseen.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    /// The first byte is the lowest.
    bits: u128,
    len: u32,
}

impl Word {
    /// A head, of at most 9 bytes.
    #[inline(always)]
    pub(crate) fn head(major: u8, n: u64) -> Self {
        match u32::try_from(n) {
            Ok(n) => Self::head32(major, n),
            // Ids and times, nearly always.
            Err(_) => Self {
                bits: u128::from(major | 27) | u128::from(n.swap_bytes()) << 8,
                len: 9,
            },
        }
    }

    /// A head of at most 5 bytes.
    #[inline(always)]
    pub(crate) fn head32(major: u8, n: u32) -> Self {
        let class = u32::from(n >= 24)
            + u32::from(n > u32::from(u8::MAX))
            + u32::from(n > u32::from(u16::MAX));
        let more = (1u32 << class) >> 1;
        let low = if class == 0 {
            n as u8
        } else {
            23 + class as u8
        };
        let number = u64::from(n.swap_bytes()) >> (32 - 8 * more);
        Self {
            bits: u128::from(u64::from(major | low) | number << 8),
            len: more + 1,
        }
    }

    /// A signed number.
    #[inline(always)]
    pub(crate) fn int(n: i64) -> Self {
        if n < 0 {
            Self::head(NEGATIVE, !n as u64)
        } else {
            Self::head(UINT, n as u64)
        }
    }

    /// A few bytes as they are.
    #[inline(always)]
    pub(crate) fn bytes<const N: usize>(few: [u8; N]) -> Self {
        let mut bytes = [0; 16];
        bytes[..N].copy_from_slice(&few);
        Self {
            bits: u128::from_le_bytes(bytes),
            len: N as u32,
        }
    }

    /// This and then another; 16 bytes at most.
    #[inline(always)]
    pub(crate) fn then(self, next: Self) -> Self {
        Self {
            bits: self.bits | next.bits << (8 * self.len),
            len: self.len + next.len,
        }
    }

    /// Appends it.
    #[inline(always)]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let end = out.len() + self.len as usize;
        // More than counts, and then back: to copy what is of a known length is no call.
        out.extend_from_slice(&self.bits.to_le_bytes());
        out.truncate(end);
    }

    /// The hash of its bytes.
    #[inline(always)]
    pub(crate) fn hash(self) -> u64 {
        hash_bytes(&self.bits.to_le_bytes()[..self.len as usize])
    }
}

/// Writes CBOR into a buffer that has room for it and is used again and again.
#[derive(Default)]
pub(crate) struct Pen {
    bytes: Vec<u8>,
    at: usize,
}

impl Pen {
    /// Begins anew; there must be room for all that will be written.
    pub(crate) fn begin(&mut self, room: usize) {
        self.at = 0;
        if self.bytes.len() < room + size_of::<Word>() {
            self.bytes
                .resize((room + size_of::<Word>()).next_power_of_two(), 0);
        }
    }

    /// What was written.
    pub(crate) fn written(&self) -> &[u8] {
        &self.bytes[..self.at]
    }

    #[inline(always)]
    pub(crate) fn word(&mut self, word: Word) {
        // All sixteen bytes, of which the next overwrites those that do not count: to copy what is of a known length
        // is no call.
        let room = self.bytes[self.at..].first_chunk_mut();
        *room.expect("there is room for all that is written") = word.bits.to_le_bytes();
        self.at += word.len as usize;
    }

    #[inline(always)]
    pub(crate) fn head(&mut self, major: u8, n: u64) {
        self.word(Word::head(major, n));
    }

    /// A head of a number that is nearly always below 24.
    #[inline(always)]
    pub(crate) fn small(&mut self, major: u8, n: u64) {
        if n < 24 {
            self.word(Word::bytes([major | n as u8]));
        } else {
            self.head(major, n);
        }
    }

    /// An array of `items` that begins with two numbers, the first below 24, and more that fit into a word with them.
    #[inline(always)]
    pub(crate) fn array(&mut self, items: u8, first: u8, second: u16, more: Word) {
        if second < 24 {
            self.word(Word::bytes([ARRAY | items, first, second as u8]).then(more));
        } else {
            self.word(Word::bytes([ARRAY | items, first]));
            self.head(UINT, second.into());
            self.word(more);
        }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

/// Appends one head, in its shortest form.
#[inline]
pub(crate) fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    Word::head(major, n).write(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_those_of_minicbor() {
        for n in [
            0,
            1,
            23,
            24,
            255,
            256,
            65_535,
            65_536,
            u64::from(u32::MAX),
            1 << 32,
            u64::MAX,
        ] {
            let mut ours = Vec::new();
            head(&mut ours, UINT, n);
            head(&mut ours, ARRAY, n);
            head(&mut ours, MAP, n);
            let mut theirs = minicbor::Encoder::new(Vec::new());
            theirs.u64(n).unwrap().array(n).unwrap().map(n).unwrap();
            assert_eq!(ours, theirs.into_writer());
        }
        for n in [0, -1, -24, -25, -257, i64::MIN, i64::MAX] {
            let mut ours = Vec::new();
            Word::int(n).write(&mut ours);
            let mut theirs = minicbor::Encoder::new(Vec::new());
            theirs.i64(n).unwrap();
            assert_eq!(ours, theirs.into_writer());
        }
    }
}
