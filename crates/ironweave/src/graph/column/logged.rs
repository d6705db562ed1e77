//! Columns of a schema that was read from a log, without the types of the program that wrote it.
//!
//! Numbers, `bool` and times are columns of these types, as in the program. Any other value stays in its encoding: its hash,
//! which the fingerprint is made of, is that of its encoding in either case, so the fingerprints are those of the program.

use crate::base::time::Timestamp;
use crate::graph::column::ColumnType;
use crate::schema::{Encoding, IndexKind};
use crate::value::encoded::EncodedValue;

impl ColumnType {
    /// The type of a column with this encoding. `only_key` says whether the column is the whole key of its entity type. Values
    /// that stay in their encoding have no order, so they are indexed by equality instead.
    pub(crate) fn of_log(
        encoding: Option<&Encoding>,
        only_key: bool,
        index: Option<IndexKind>,
    ) -> Self {
        macro_rules! plain {
            ($($encoding:ident: $ty:ty,)*) => {
                match encoding {
                    $(Some(Encoding::$encoding) => match index {
                        _ if only_key => Self::unique::<$ty>(),
                        None => Self::of::<$ty>(),
                        Some(IndexKind::Equal) => Self::indexed::<$ty>(),
                        Some(IndexKind::Ordered) => Self::ordered::<$ty>(),
                    },)*
                    _ if only_key => Self::unique::<EncodedValue>(),
                    _ => match index {
                        None => Self::of::<EncodedValue>(),
                        Some(_) => Self::indexed::<EncodedValue>(),
                    },
                }
            };
        }
        plain! {
            Bool: bool,
            U8: u8,
            U16: u16,
            U32: u32,
            U64: u64,
            I8: i8,
            I16: i16,
            I32: i32,
            I64: i64,
            Timestamp: Timestamp,
        }
    }
}
