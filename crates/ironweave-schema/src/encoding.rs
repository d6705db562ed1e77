//! The encodings of values. With them, a log can be read without the program that wrote it.

use std::fmt;

use crate::{EntityIx, Schema};

/// The encoding of the values of a Rust type in CBOR.
///
/// A store determines it from the type when the store is opened, so that a type alias has the encoding of its type. The
/// table of encodings is in `docs/log-format.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// The serde form of a type that the program defines, in self-describing CBOR.
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
    /// `char`, as its code point.
    Char,
    /// Text.
    Text,
    /// A time, in microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// `Duration`, as a map of `secs` and `nanos`.
    Duration,
    /// A handle or token of an entity: its id, `slot * 2^24 + generation`.
    Id(EntityIx),
    /// The key of an entity, encoded like its key column, or as an array of the parts of the key.
    Key(EntityIx),
    /// Null or a value.
    Option(Box<Encoding>),
    /// An array of values.
    List(Box<Encoding>),
}

impl Encoding {
    /// Returns whether values with the encoding `written` can be read with this encoding. The serde form of a type is not
    /// known, so it is assumed to be readable.
    #[must_use]
    pub fn reads(&self, written: &Self) -> bool {
        match (self, written) {
            (Self::Serde, _) | (_, Self::Serde) => true,
            (Self::Option(now), Self::Option(was)) | (Self::List(now), Self::List(was)) => {
                now.reads(was)
            }
            (Self::Option(now), was) => now.reads(was),
            (Self::F64, Self::F32) => true,
            (now, was) => now == was || range(now).zip(range(was)).is_some_and(holds),
        }
    }

    /// Returns the encoding of a type as it is written in a model, or `None` for a type that is not one of the plain ones.
    pub(crate) fn of_type(ty: &str) -> Option<Self> {
        let inner = |wrapper: &str| {
            let rest = ty.strip_prefix(wrapper)?.trim_start().strip_prefix('<')?;
            Some(Box::new(Self::of_type(rest.strip_suffix('>')?.trim())?))
        };
        Some(match ty {
            "()" => Self::Unit,
            "bool" => Self::Bool,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" | "usize" => Self::U64,
            "u128" => Self::U128,
            "i8" => Self::I8,
            "i16" => Self::I16,
            "i32" => Self::I32,
            "i64" | "isize" => Self::I64,
            "i128" => Self::I128,
            "f32" => Self::F32,
            "f64" => Self::F64,
            "char" => Self::Char,
            "String" | "Box<str>" => Self::Text,
            "Timestamp" => Self::Timestamp,
            "Duration" => Self::Duration,
            _ => inner("Option")
                .map(Self::Option)
                .or_else(|| inner("Vec").map(Self::List))?,
        })
    }

    /// Returns the encoding as text, with the names of entities from the schema.
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

    /// Returns the entity type of a handle or a key, also inside options and lists.
    #[must_use]
    pub fn entity(&self) -> Option<EntityIx> {
        match self {
            Self::Id(entity) | Self::Key(entity) => Some(*entity),
            Self::Option(of) | Self::List(of) => of.entity(),
            _ => None,
        }
    }
}

/// Returns the number of bits of an integer type below and above zero.
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
