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

/// A few heads, put together before they go to the output at once.
#[derive(Default)]
pub(crate) struct Heads {
    bytes: [u8; 32],
    len: usize,
}

impl Heads {
    /// Adds a head of at most 5 bytes, in its shortest form. There is room for five long ones, and more than
    /// any fact needs.
    #[inline(always)]
    pub(crate) fn put(mut self, major: u8, n: u32) -> Self {
        let (word, len) = if n < 24 {
            (u64::from(major) | u64::from(n), 1)
        } else if n < 1 << 8 {
            (u64::from(major | 24) | u64::from(n) << 8, 2)
        } else if n < 1 << 16 {
            (
                u64::from(major | 25) | u64::from((n as u16).swap_bytes()) << 8,
                3,
            )
        } else {
            (u64::from(major | 26) | u64::from(n.swap_bytes()) << 8, 5)
        };
        // Eight bytes at once, of which the next head overwrites those that are too many.
        self.bytes[self.len..self.len + 8].copy_from_slice(&word.to_le_bytes());
        self.len += len;
        self
    }

    /// Appends all of it.
    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.len]);
    }
}

/// Appends one head, in its shortest form.
#[inline]
pub(crate) fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    match u32::try_from(n) {
        Ok(n) if n < 24 => out.push(major | n as u8),
        Ok(n) => Heads::default().put(major, n).write(out),
        Err(_) => {
            let [a, b, c, d, e, f, g, h] = n.to_be_bytes();
            out.extend_from_slice(&[major | 27, a, b, c, d, e, f, g, h]);
        }
    }
}

/// Appends a signed number.
#[inline]
pub(crate) fn int(out: &mut Vec<u8>, n: i64) {
    if n < 0 {
        head(out, NEGATIVE, !n as u64);
    } else {
        head(out, UINT, n as u64);
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
        }
        for n in [0, -1, -24, -25, -257, i64::MIN, i64::MAX] {
            let mut ours = Vec::new();
            int(&mut ours, n);
            let mut theirs = minicbor::Encoder::new(Vec::new());
            theirs.i64(n).unwrap();
            assert_eq!(ours, theirs.into_writer());
        }
    }
}
