//! How values are encoded, so that a log can be read without the program that wrote it.

use std::fmt;

use crate::{EntityIx, Schema};

/// How the values of a Rust type are encoded in CBOR.
///
/// A store takes it from the type when it is opened, so that an alias has the encoding of what it stands for. The table of
/// encodings stands in `docs/log-format.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// What serde makes of a type of the program's own: CBOR that describes itself.
    #[default]
    Serde,
    /// `()`, as an empty array.
    Unit,
    /// `bool`.
    Bool,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64` and `usize`.
    U64,
    /// `u128`, beyond 64 bits as a bignum.
    U128,
    /// `i8`.
    I8,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64` and `isize`.
    I64,
    /// `i128`, beyond 64 bits as a bignum.
    I128,
    /// `f32`, in 4 bytes.
    F32,
    /// `f64`, in 8 bytes.
    F64,
    /// `char`, as its number.
    Char,
    /// Text.
    Text,
    /// A time, in microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// `Duration`, as a map of `secs` and `nanos`.
    Duration,
    /// A handle or token of an entity: its id, `slot * 2^24 + generation`.
    Id(EntityIx),
    /// The key of an entity: as its key column, or an array of the parts of the key.
    Key(EntityIx),
    /// Null, or a value.
    Option(Box<Encoding>),
    /// An array of values.
    List(Box<Encoding>),
}

impl Encoding {
    /// Whether values that were written with another encoding are read as values of this one. What serde makes of a type is
    /// not known here, so it is taken to be readable.
    #[must_use]
    pub fn reads(&self, written: &Self) -> bool {
        match (self, written) {
            (Self::Serde, _) | (_, Self::Serde) => true,
            (Self::Option(now), Self::Option(was)) | (Self::List(now), Self::List(was)) => {
                now.reads(was)
            }
            (Self::Option(now), was) => now.reads(was),
            (now, was) => now == was || range(now).zip(range(was)).is_some_and(holds),
        }
    }

    /// As text, with the names of entities from the schema.
    #[must_use]
    pub fn render(&self, schema: &Schema) -> String {
        let name = |entity: &EntityIx| {
            let def = schema.entities.get(entity.index());
            def.map_or_else(|| entity.to_string(), |def| def.name.clone())
        };
        match self {
            Self::Id(entity) => format!("id of `{}`", name(entity)),
            Self::Key(entity) => format!("key of `{}`", name(entity)),
            Self::Option(of) => format!("option of {}", of.render(schema)),
            Self::List(of) => format!("list of {}", of.render(schema)),
            plain => format!("{plain:?}").to_lowercase(),
        }
    }

    /// The entity that a handle or a key is of, inside options and lists.
    #[must_use]
    pub fn entity(&self) -> Option<EntityIx> {
        match self {
            Self::Id(entity) | Self::Key(entity) => Some(*entity),
            Self::Option(of) | Self::List(of) => of.entity(),
            _ => None,
        }
    }
}

/// The number of bits below and above zero of an integer type.
fn range(encoding: &Encoding) -> Option<(u32, u32)> {
    Some(match encoding {
        Encoding::U8 => (0, 8),
        Encoding::U16 => (0, 16),
        Encoding::U32 => (0, 32),
        Encoding::U64 => (0, 64),
        Encoding::U128 => (0, 128),
        Encoding::I8 => (7, 7),
        Encoding::I16 => (15, 15),
        Encoding::I32 => (31, 31),
        Encoding::I64 => (63, 63),
        Encoding::I128 => (127, 127),
        _ => return None,
    })
}

fn holds((now, was): ((u32, u32), (u32, u32))) -> bool {
    now.0 >= was.0 && now.1 >= was.1
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Schema::default()))
    }
}
