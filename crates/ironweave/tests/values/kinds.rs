//! Types whose values serde does not bring back, in one way each, and some whose values it does.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Visitor;
use serde::ser::{SerializeMap, SerializeSeq, SerializeTuple};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value of any of these types.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    Json(serde_json::Value),
    Twice(Option<Option<u8>>),
    Internal(Internal),
    Untagged(Untagged),
    Alike(Alike),
    Units(Units),
    Hidden(Hidden),
    Blind(Blind),
    Sparse(Sparse),
    Tree(Tree),
    Narrow(Narrow),
    Flat(Flat),
    FlatHash(FlatHash),
    Hashed(Hashed),
    Sorted(Sorted),
    Iterated(Iterated),
    ByHand(ByHand),
    TooLong(TooLong),
    TooShort(TooShort),
    Refusing(Refusing),
    Greedy(Greedy),
    Good(Good),
    Node(crate::nodes::Node),
    Floats { single: f32, double: f64 },
}

/// Serde buffers what is in it, and the buffer has no 128-bit numbers, no characters, and no unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum Internal {
    Wide { n: u128 },
    Letter { c: char },
    Nothing { unit: () },
    Fine { text: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Untagged {
    Small(u8),
    Large(u64),
    Wide(u128),
    Letter(char),
    Text(String),
}

/// Two variants that are written alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Alike {
    Width(u32),
    Height(u32),
}

/// Two variants that are written alike, and of which serde itself knows the difference.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Units {
    Meters(Meters),
    Feet(Feet),
}

impl PartialEq for Units {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meters(pub u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feet(pub u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hidden {
    pub shown: u8,
    #[serde(skip)]
    pub hidden: u8,
}

/// As [`Hidden`], but its equality ignores the hidden field too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Blind {
    pub shown: u8,
    #[serde(skip)]
    #[expect(dead_code, reason = "only `Debug` reads it")]
    pub hidden: u8,
}

impl PartialEq for Blind {
    fn eq(&self, other: &Self) -> bool {
        self.shown == other.shown
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sparse {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Tree {
    Leaf,
    /// Written as it is: no bytes tell how deep.
    Some(Option<Box<Tree>>),
    Node(Box<Tree>),
    List(Vec<Tree>),
}

impl Tree {
    /// So many nodes one within the other.
    pub fn deep(levels: usize) -> Self {
        (0..levels).fold(Self::Leaf, |tree, _| Self::Node(Box::new(tree)))
    }
}

/// A double that is written as a single.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Narrow {
    #[serde(serialize_with = "narrow")]
    pub n: f64,
}

fn narrow<S: Serializer>(n: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f32(*n as f32)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flat {
    pub name: String,
    #[serde(flatten)]
    pub rest: BTreeMap<String, u128>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FlatHash {
    pub name: String,
    #[serde(flatten)]
    pub rest: HashMap<String, u8>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Hashed {
    Map(HashMap<String, u8>),
    Set { set: HashSet<u8> },
}

/// A hash table that is written in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sorted {
    #[serde(serialize_with = "sorted")]
    pub map: HashMap<String, u8>,
}

fn sorted<S: Serializer>(map: &HashMap<String, u8>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(map.iter().collect::<BTreeMap<_, _>>())
}

/// A hash table that is written by its iterator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Iterated {
    #[serde(serialize_with = "iterated")]
    pub set: HashSet<u8>,
}

fn iterated<S: Serializer>(set: &HashSet<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(set.iter())
}

/// Hash tables that are written entry by entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ByHand {
    Map(#[serde(serialize_with = "entries")] HashMap<u8, u8>),
    Set(#[serde(serialize_with = "items")] HashSet<u8>),
}

fn entries<S: Serializer>(map: &HashMap<u8, u8>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut entries = serializer.serialize_map(Some(map.len()))?;
    map.iter()
        .try_for_each(|(key, value)| entries.serialize_entry(key, value))?;
    entries.end()
}

fn items<S: Serializer>(set: &HashSet<u8>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut items = serializer.serialize_seq(Some(set.len()))?;
    set.iter()
        .try_for_each(|item| items.serialize_element(item))?;
    items.end()
}

/// Announces more items than it has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TooLong(pub Vec<u8>);

impl Serialize for TooLong {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len() + 1))?;
        self.0.iter().try_for_each(|n| seq.serialize_element(n))?;
        seq.end()
    }
}

/// Announces fewer items than it has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct TooShort(pub Vec<u8>);

impl Serialize for TooShort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len().saturating_sub(1)))?;
        self.0.iter().try_for_each(|n| seq.serialize_element(n))?;
        seq.end()
    }
}

/// Refuses to be serialized.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Refusing {}

impl Serialize for Refusing {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

/// Reads one of the two items that it writes.
#[derive(Clone, Debug, PartialEq)]
pub struct Greedy;

impl Serialize for Greedy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(2)?;
        tuple.serialize_element(&1u8)?;
        tuple.serialize_element(&2u8)?;
        tuple.end()
    }
}

impl<'de> Deserialize<'de> for Greedy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;
        impl<'de> Visitor<'de> for First {
            type Value = Greedy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("two numbers")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> Result<Greedy, A::Error> {
                seq.next_element::<u8>()?;
                Ok(Greedy)
            }
        }
        deserializer.deserialize_seq(First)
    }
}

/// A type whose values are all read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Good {
    pub wide: (u128, i128),
    pub letter: char,
    pub unit: (),
    pub some_unit: Option<()>,
    pub list: Vec<Option<Vec<u8>>>,
    pub keys: BTreeMap<(u8, bool), BTreeSet<String>>,
    pub duration: Duration,
    pub path: PathBuf,
    pub address: IpAddr,
    pub array: [u16; 3],
    pub internal: Internal,
    pub untagged: Vec<Untagged>,
    pub json: serde_json::Value,
}

/// A key with a field that is not written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Name {
    pub text: String,
    #[serde(skip)]
    pub hidden: u8,
}

/// What it is by default is not what is read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preset {
    #[serde(skip)]
    pub level: u8,
}

impl Default for Preset {
    fn default() -> Self {
        Self { level: 3 }
    }
}

/// A type of the program's own that is called as a known one is.
pub mod own {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub struct Duration {
        pub shown: u8,
        #[serde(skip)]
        pub hidden: u8,
    }
}
