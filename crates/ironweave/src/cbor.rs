//! Writing the heads of CBOR items (RFC 8949, 3) without a call per byte: what frames consist of, but for values.

/// Major types.
pub(crate) const UINT: u8 = 0;
pub(crate) const NEGATIVE: u8 = 1 << 5;
pub(crate) const ARRAY: u8 = 4 << 5;
pub(crate) const MAP: u8 = 5 << 5;

/// A few heads, put together before they go to the output at once.
#[derive(Default)]
pub(crate) struct Heads {
    bytes: [u8; 32],
    len: usize,
}

impl Heads {
    /// Adds a head of at most 9 bytes, in its shortest form. There is room for three long ones, and more
    /// than any fact needs.
    pub(crate) fn put(mut self, major: u8, n: u64) -> Self {
        let at = self.len;
        let bytes = n.to_be_bytes();
        self.len += if n < 24 {
            self.bytes[at] = major | bytes[7];
            1
        } else if n < 1 << 8 {
            self.bytes[at..at + 2].copy_from_slice(&[major | 24, bytes[7]]);
            2
        } else if n < 1 << 16 {
            self.bytes[at..at + 3].copy_from_slice(&[major | 25, bytes[6], bytes[7]]);
            3
        } else if n < 1 << 32 {
            self.bytes[at] = major | 26;
            self.bytes[at + 1..at + 5].copy_from_slice(&bytes[4..]);
            5
        } else {
            self.bytes[at] = major | 27;
            self.bytes[at + 1..at + 9].copy_from_slice(&bytes);
            9
        };
        self
    }

    /// Adds a signed number.
    pub(crate) fn int(self, n: i64) -> Self {
        if n < 0 {
            self.put(NEGATIVE, !n as u64)
        } else {
            self.put(UINT, n as u64)
        }
    }

    /// Appends all of it.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.len]);
    }
}

/// Appends one head.
pub(crate) fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    if n < 24 {
        out.push(major | n as u8)
    } else {
        Heads::default().put(major, n).write(out)
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
            Heads::default().int(n).write(&mut ours);
            let mut theirs = minicbor::Encoder::new(Vec::new());
            theirs.i64(n).unwrap();
            assert_eq!(ours, theirs.into_writer());
        }
    }
}
