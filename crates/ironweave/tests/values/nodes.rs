//! Random values of nested types, of all the kinds that serde derives; many do not come back as they were.
//!
//! Whether one does is asked of [`comes_back`], which uses another implementation of CBOR and no code of ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Node {
    Unit,
    Bool(bool),
    Numbers(i8, u16, i32, u64),
    Wide(u128),
    Long(i128),
    Single(f32),
    Double(f64),
    Letter(char),
    Text(String),
    Nothing(()),
    Bytes(Bytes),
    Option(Option<Box<Node>>),
    Twice(Option<Option<Box<Node>>>),
    Maybe(Option<()>),
    List(Vec<Node>),
    Pair(Box<(Node, Node)>),
    Map(BTreeMap<String, Node>),
    Keys(BTreeMap<(u8, bool), Node>),
    Struct {
        a: Box<Node>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        b: Option<Box<Node>>,
    },
    Sparse {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        list: Vec<Node>,
    },
    Hidden {
        #[serde(skip)]
        hidden: u8,
        shown: u8,
    },
    Renamed(#[serde(serialize_with = "as_single")] f64),
    Internal(Box<Internal>),
    Adjacent(Box<Adjacent>),
    Untagged(Box<Untagged>),
    Flat(Box<Flat>),
    Json(serde_json::Value),
}

fn as_single<S: Serializer>(n: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f32(*n as f32)
}

#[derive(Clone, Debug, PartialEq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl serde::de::Visitor<'_> for Read {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Read)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Newtype(pub Option<u32>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Internal {
    Empty,
    Named { x: Node, y: Option<Newtype> },
    Other(BTreeMap<String, Node>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "with")]
pub enum Adjacent {
    Empty,
    Pair(Node, u8),
    Named { x: Node },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Small(u8),
    Large(u64),
    Signed(i32),
    Maybe(Option<Newtype>),
    Node(Node),
    Nodes(Vec<Node>),
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flat {
    pub first: u8,
    #[serde(flatten)]
    pub rest: BTreeMap<String, Node>,
}

/// Random numbers from a seed: SplitMix64 (Steele, Lea, Flood 2014).
pub struct Draw(pub u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// A number of any length.
    fn wide(&mut self) -> u128 {
        let n = u128::from(self.next()) << 64 | u128::from(self.next());
        n >> self.below(128)
    }

    fn text(&mut self) -> String {
        "a-ä\"\n".repeat(self.below(3))
    }

    fn several<T>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| one(self)).collect()
    }

    fn named(&mut self, depth: u32) -> BTreeMap<String, Node> {
        let entries = self.several(|d| (format!("k{}", d.below(9)), d.node(depth)));
        entries.into_iter().collect()
    }

    fn json(&mut self, depth: u32) -> serde_json::Value {
        use serde_json::Value;
        match self.below(if depth == 0 { 6 } else { 8 }) {
            0 => Value::Null,
            1 => Value::Bool(true),
            2 => (self.wide() as i64).into(),
            3 => (self.wide() as u64).into(),
            4 => 1.5.into(),
            5 => self.text().into(),
            6 => Value::Array(self.several(|d| d.json(depth - 1))),
            _ => {
                let entries = self.several(|d| (d.text(), d.json(depth - 1)));
                Value::Object(entries.into_iter().collect())
            }
        }
    }

    /// A random value, nested at most so deep.
    pub fn node(&mut self, depth: u32) -> Node {
        if depth == 0 || self.below(3) == 0 {
            return self.leaf();
        }
        let depth = depth - 1;
        let boxed = |d: &mut Self| Box::new(d.node(depth));
        match self.below(17) {
            0 => Node::Option(Some(boxed(self))),
            1 => Node::Twice(Some(Some(boxed(self)))),
            2 => Node::List(self.several(|d| d.node(depth))),
            3 => Node::Pair(Box::new((self.node(depth), self.node(depth)))),
            4 => Node::Map(self.named(depth)),
            5 => {
                let entries = self.several(|d| ((d.below(3) as u8, true), d.node(depth)));
                Node::Keys(entries.into_iter().collect())
            }
            6 => Node::Struct {
                a: boxed(self),
                b: None,
            },
            7 => Node::Struct {
                a: boxed(self),
                b: Some(boxed(self)),
            },
            8 => Node::Sparse {
                list: self.several(|d| d.node(depth)),
            },
            9 => Node::Internal(Box::new(Internal::Named {
                x: self.node(depth),
                y: (self.below(2) == 0).then(|| Newtype(Some(self.below(99) as u32))),
            })),
            10 => Node::Internal(Box::new(Internal::Other(self.named(depth)))),
            11 => Node::Adjacent(Box::new(Adjacent::Pair(self.node(depth), 7))),
            12 => Node::Adjacent(Box::new(Adjacent::Named {
                x: self.node(depth),
            })),
            13 => Node::Untagged(Box::new(Untagged::Node(self.node(depth)))),
            14 => Node::Untagged(Box::new(Untagged::Nodes(self.several(|d| d.node(depth))))),
            15 => Node::Flat(Box::new(Flat {
                first: 1,
                rest: self.named(depth),
            })),
            _ => Node::Json(self.json(depth)),
        }
    }

    fn leaf(&mut self) -> Node {
        match self.below(24) {
            0 => Node::Unit,
            1 => Node::Bool(self.below(2) == 0),
            2 => {
                let n = self.wide() as u64;
                Node::Numbers(n as i8, n as u16, n as i32, n)
            }
            3 => Node::Wide(self.wide()),
            4 => Node::Long(!self.wide() as i128),
            5 => Node::Single(self.wide() as f32),
            6 => Node::Double([0.1, -0.0, 1.5, f64::INFINITY, 1e300][self.below(5)]),
            7 => Node::Letter(['a', 'ä', '\0', '\u{10ffff}'][self.below(4)]),
            8 => Node::Text(self.text()),
            9 => Node::Nothing(()),
            10 => Node::Bytes(Bytes(self.text().into_bytes())),
            11 => Node::Option(None),
            12 => Node::Twice(None),
            13 => Node::Twice(Some(None)),
            14 => Node::Maybe(Some(())),
            15 => Node::Hidden {
                hidden: self.below(2) as u8,
                shown: 1,
            },
            16 => Node::Renamed([0.1, 0.5][self.below(2)]),
            17 => Node::Internal(Box::new(Internal::Empty)),
            18 => Node::Adjacent(Box::new(Adjacent::Empty)),
            19 => Node::Untagged(Box::new(Untagged::Small(self.below(256) as u8))),
            20 => Node::Untagged(Box::new(Untagged::Large(self.wide() as u64))),
            21 => Node::Untagged(Box::new(Untagged::Signed(self.wide() as i32))),
            22 => Node::Untagged(Box::new(Untagged::Maybe(Some(Newtype(None))))),
            _ => Node::Untagged(Box::new(Untagged::Nothing)),
        }
    }
}

/// Whether a value is read back as it was, by another implementation of CBOR.
pub fn comes_back(node: &Node) -> bool {
    let bytes = minicbor_serde::to_vec(node).expect("it can be written");
    let read: Result<Node, _> = minicbor_serde::from_slice(&bytes);
    read.is_ok_and(|read| format!("{read:?}") == format!("{node:?}"))
}
