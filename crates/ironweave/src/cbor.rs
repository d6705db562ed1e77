//! Writing the heads of CBOR items (RFC 8949, 3) without a call per byte: what frames consist of, but for values.

/// Major types.
pub(crate) const UINT: u8 = 0;
pub(crate) const NEGATIVE: u8 = 1 << 5;
pub(crate) const ARRAY: u8 = 4 << 5;
pub(crate) const MAP: u8 = 5 << 5;
pub(crate) const TEXT: u8 = 3 << 5;
/// Whole items.
pub(crate) const FALSE: u8 = 0xf4;
pub(crate) const TRUE: u8 = 0xf5;
pub(crate) const NULL: u8 = 0xf6;

/// One head, or one plain value, in its shortest form: at most 9 bytes.
#[derive(Clone, Copy)]
pub(crate) struct Word {
    /// The first `len` count.
    bytes: [u8; 16],
    len: usize,
}

impl Word {
    /// A head. Without a branch, since how long a number is cannot be foreseen.
    #[inline(always)]
    pub(crate) fn head(major: u8, n: u64) -> Self {
        let class = u32::from(n >= 24)
            + u32::from(n > u64::from(u8::MAX))
            + u32::from(n > u64::from(u16::MAX))
            + u32::from(n > u64::from(u32::MAX));
        // 0, 1, 2, 4 or 8 bytes follow the first.
        let more = (1u32 << class) >> 1;
        let low = if class == 0 {
            n as u8
        } else {
            23 + class as u8
        };
        let number = n.swap_bytes() >> (64u32.wrapping_sub(8 * more) & 63);
        let mut bytes = [0; 16];
        bytes[0] = major | low;
        bytes[1..9].copy_from_slice(&number.to_le_bytes());
        Self {
            bytes,
            len: more as usize + 1,
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
        Self { bytes, len: N }
    }

    /// The same behind a byte.
    #[inline(always)]
    pub(crate) fn after(mut self, byte: u8) -> Self {
        // At most 9 bytes count.
        self.bytes = (u128::from_le_bytes(self.bytes) << 8 | u128::from(byte)).to_le_bytes();
        self.len += 1;
        self
    }

    /// Appends it.
    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        // More than counts, and then back: to copy what is of a known length is no call.
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

impl std::ops::Deref for Word {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
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
        self.bytes[self.at..self.at + 16].copy_from_slice(&word.bytes);
        self.at += word.len;
    }

    #[inline(always)]
    pub(crate) fn head(&mut self, major: u8, n: u64) {
        self.word(Word::head(major, n));
    }

    /// An array of `items` that begins with two numbers, the first below 24; and nearly always the second.
    #[inline(always)]
    pub(crate) fn begin_array(&mut self, items: u8, first: u8, second: u16) {
        if second < 24 {
            self.word(Word::bytes([ARRAY | items, first, second as u8]));
        } else {
            self.word(Word::bytes([ARRAY | items, first]));
            self.head(UINT, second.into());
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
