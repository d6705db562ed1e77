//! CBOR items as a tree, to change one and write it again.

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Uint(u64),
    /// -1 less this.
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Map(Vec<(Item, Item)>),
    /// Whatever else: floats, truth values, null, and what is not well-formed.
    Raw(Vec<u8>),
}

pub use Item::{Array, Map, Negative, Raw, Text, Uint};

/// A text.
pub fn text(text: &str) -> Item {
    Text(text.to_owned())
}

/// Reads one item, as ironweave writes them.
pub fn parse(bytes: &mut &[u8]) -> Item {
    let first = bytes[0];
    let (major, info) = (first >> 5, first & 0x1f);
    let more = match info {
        24..=27 => 1 << (info - 24),
        _ => 0,
    };
    let n = match info {
        0..24 => u64::from(info),
        _ => (bytes[1..=more].iter()).fold(0, |n, byte| n << 8 | u64::from(*byte)),
    };
    let (head, rest) = bytes.split_at(1 + more);
    *bytes = rest;
    let mut take = |n: u64| {
        let (taken, rest) = bytes.split_at(n as usize);
        *bytes = rest;
        taken.to_vec()
    };
    match major {
        0 => Uint(n),
        1 => Negative(n),
        2 => Item::Bytes(take(n)),
        3 => Text(String::from_utf8(take(n)).expect("a text")),
        4 => Array((0..n).map(|_| parse(bytes)).collect()),
        5 => Map((0..n).map(|_| (parse(bytes), parse(bytes))).collect()),
        _ => Raw(head.to_vec()),
    }
}

impl Item {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Uint(n) => head(out, 0, *n),
            Negative(n) => head(out, 1, *n),
            Self::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Text(text) => {
                head(out, 3, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            Array(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(out));
            }
            Map(entries) => {
                head(out, 5, entries.len() as u64);
                for (key, value) in entries {
                    key.write(out);
                    value.write(out);
                }
            }
            Raw(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// The items of an array.
    #[track_caller]
    pub fn items(&mut self) -> &mut Vec<Item> {
        match self {
            Array(items) => items,
            other => panic!("{other:?} is no array"),
        }
    }

    /// The value of a key of a map.
    #[track_caller]
    pub fn get(&mut self, key: &Item) -> &mut Item {
        let Map(entries) = self else {
            panic!("it is no map");
        };
        let found = entries.iter_mut().find(|(k, _)| k == key);
        &mut found.expect("the key is there").1
    }

    /// How many items there are in it, itself among them.
    pub fn count(&self) -> usize {
        1 + match self {
            Array(items) => items.iter().map(Item::count).sum(),
            Map(entries) => entries.iter().map(|(k, v)| k.count() + v.count()).sum(),
            _ => 0,
        }
    }

    /// The nth item in it, in the order in which they are written.
    pub fn nth(&mut self, n: &mut usize) -> Option<&mut Item> {
        if *n == 0 {
            return Some(self);
        }
        *n -= 1;
        match self {
            Array(items) => items.iter_mut().find_map(|item| item.nth(n)),
            Map(entries) => (entries.iter_mut()).find_map(|(key, value)| {
                // The borrow of the key ends before that of the value begins.
                if *n < key.count() {
                    return key.nth(n);
                }
                *n -= key.count();
                value.nth(n)
            }),
            _ => None,
        }
    }
}

fn head(out: &mut Vec<u8>, major: u8, n: u64) {
    let major = major << 5;
    match n {
        0..24 => out.push(major | n as u8),
        24..0x100 => out.extend_from_slice(&[major | 24, n as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend_from_slice(&(n as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend_from_slice(&(n as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&n.to_be_bytes());
        }
    }
}
