//! Plain data and its CBOR, as serde serializes the types of `ironweave::schema`: structs as maps with the names of their
//! fields as keys, a variant as its name, or as a map from its name to its content.
//!
//! The schema is one literal in the expansion, because Rust expressions for it would take a tenth of the time that
//! `cargo check` takes for a model.

/// A piece of data.
pub enum Data {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Data>),
    Map(Vec<(&'static str, Data)>),
}

/// A struct: `map!(name: .., entity: ..)`.
macro_rules! map {
    ($($key:ident: $value:expr),* $(,)?) => {
        $crate::generate::data::Data::Map(::std::vec![
            $((::core::stringify!($key), $crate::generate::data::Data::from($value))),*
        ])
    };
}
pub(super) use map;

impl Data {
    /// A variant with content.
    pub fn variant(name: &'static str, content: impl Into<Self>) -> Self {
        Self::Map(vec![(name, content.into())])
    }

    /// A list.
    pub fn list<T: Into<Self>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    /// Encodes the data as CBOR (RFC 8949).
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.push(0xf6),
            Self::Bool(false) => out.push(0xf4),
            Self::Bool(true) => out.push(0xf5),
            Self::Number(n) => head(0, *n, out),
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                head(4, items.len() as u64, out);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(entries) => {
                head(5, entries.len() as u64, out);
                for (key, value) in entries {
                    write_text(key, out);
                    value.write(out);
                }
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    head(3, text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// The head of an item: its major type, and a number in as few bytes as hold it.
fn head(major: u8, n: u64, out: &mut Vec<u8>) {
    let (info, width) = match n {
        0..24 => (n as u8, 0),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.push(major << 5 | info);
    out.extend_from_slice(&n.to_be_bytes()[8 - width..]);
}

impl From<bool> for Data {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<usize> for Data {
    fn from(value: usize) -> Self {
        Self::Number(value as u64)
    }
}

impl From<u32> for Data {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<String> for Data {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Data {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Data {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
