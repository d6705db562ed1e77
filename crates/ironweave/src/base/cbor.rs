//! Heads of CBOR items (RFC 8949, section 3) and values of few bytes, each written with one store of fixed size.

use crate::base::hash::{hash_4_to_8, hash_9_to_16, hash_bytes, hash_up_to_3};

// Major types, in the upper three bits of the first byte of an item.
pub(crate) const UINT: u8 = 0;
pub(crate) const NEGATIVE: u8 = 1 << 5;
pub(crate) const BYTES: u8 = 2 << 5;
pub(crate) const TEXT: u8 = 3 << 5;
pub(crate) const ARRAY: u8 = 4 << 5;
pub(crate) const MAP: u8 = 5 << 5;
pub(crate) const TAG: u8 = 6 << 5;
pub(crate) const SIMPLE: u8 = 7 << 5;
// Items of one byte.
pub(crate) const FALSE: u8 = 0xf4;
pub(crate) const TRUE: u8 = 0xf5;
pub(crate) const NULL: u8 = 0xf6;
/// The byte that ends an item of indefinite length.
pub(crate) const BREAK: u8 = 0xff;

/// A CBOR sequence of at most 16 bytes in one integer: one or several heads or plain values, each in its shortest form. It
/// is computed with few branches, because the lengths of numbers are hard to predict.
#[derive(Clone, Copy)]
pub(crate) struct CborWord {
    /// The first byte is the lowest.
    bits: u128,
    len: u32,
}

impl CborWord {
    /// Returns a head, of at most 9 bytes.
    #[inline(always)]
    pub(crate) fn head(major: u8, n: u64) -> Self {
        match u32::try_from(n) {
            Ok(n) => Self::head32(major, n),
            // Nearly all of these are ids and times.
            Err(_) => Self {
                bits: u128::from(major | 27) | u128::from(n.swap_bytes()) << 8,
                len: 9,
            },
        }
    }

    /// Returns a head of at most 5 bytes.
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

    /// Returns a signed number.
    #[inline(always)]
    pub(crate) fn int(n: i64) -> Self {
        if n < 0 {
            Self::head(NEGATIVE, !n as u64)
        } else {
            Self::head(UINT, n as u64)
        }
    }

    /// Returns bytes that are encoded already.
    #[inline(always)]
    pub(crate) fn bytes<const N: usize>(few: [u8; N]) -> Self {
        let mut bytes = [0; 16];
        bytes[..N].copy_from_slice(&few);
        Self {
            bits: u128::from_le_bytes(bytes),
            len: N as u32,
        }
    }

    /// Appends the bytes to a buffer.
    #[inline(always)]
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        let end = out.len() + self.len as usize;
        // All 16 bytes are copied and the excess is truncated, because a copy of constant length compiles to a store and
        // not to a call of `memcpy`.
        out.extend_from_slice(&self.bits.to_le_bytes());
        out.truncate(end);
    }

    /// Returns the hash of the bytes.
    #[inline(always)]
    pub(crate) fn hash(self) -> u64 {
        hash_bytes(&self.bits.to_le_bytes()[..self.len as usize])
    }
}

/// Appends one head in its shortest form.
#[inline]
pub(crate) fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    CborWord::head(major, n).write(out);
}

/// Returns the hash of the shortest form of a head, without writing that to memory.
#[inline(always)]
pub(crate) fn hash_head(major: u8, n: u64) -> u64 {
    if n > u64::from(u32::MAX) {
        let bytes = n.swap_bytes();
        hash_9_to_16(u64::from(major | 27) | bytes << 8, bytes, 9)
    } else if n > u64::from(u16::MAX) {
        let bytes = (n as u32).swap_bytes();
        hash_4_to_8(u32::from(major | 26) | bytes << 8, bytes, 5)
    } else {
        // Without branches, because it is hard to predict which of these lengths a small number has.
        let class = u8::from(n >= 24) + u8::from(n > u64::from(u8::MAX));
        let low = if class == 0 { n as u8 } else { 23 + class };
        let first = major | low;
        let last = if class == 0 { first } else { n as u8 };
        let middle = if class == 2 { (n >> 8) as u8 } else { last };
        hash_up_to_3(first, middle, last, u32::from(class) + 1)
    }
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
            for major in [UINT, NEGATIVE] {
                assert_eq!(hash_head(major, n), CborWord::head(major, n).hash());
            }
        }
        for n in [0, -1, -24, -25, -257, i64::MIN, i64::MAX] {
            let mut ours = Vec::new();
            CborWord::int(n).write(&mut ours);
            let mut theirs = minicbor::Encoder::new(Vec::new());
            theirs.i64(n).unwrap();
            assert_eq!(ours, theirs.into_writer());
        }
    }
}
