//! Columns of a schema that was read from a log, without the types of the program that wrote it.
//!
//! Numbers, `bool` and times are columns of these types, as in the program. Any other value stays in its encoding: its hash,
//! which the fingerprint is made of, is that of its encoding in either case, so the fingerprints are those of the program.

use crate::base::time::Timestamp;
use crate::graph::column::ColumnType;
use crate::schema::{ColumnDef, EdgeDef, Encoding, IndexKind, Schema};
use crate::value::encoded::EncodedValue;

/// The types of the columns and of the data of links, from which graphs are made.
pub(crate) struct ColumnTypes {
    /// One for each column of the schema.
    pub columns: Vec<ColumnType>,
    /// One entry for each edge of the schema.
    pub data: Vec<Option<ColumnType>>,
}

impl ColumnTypes {
    /// The types by which the columns of a logged schema are read without the types of the program.
    pub(crate) fn of_log(schema: &Schema) -> Self {
        let mut keys = vec![0u32; schema.entities.len()];
        for column in schema.columns.iter().filter(|column| column.key) {
            keys[usize::from(column.entity)] += 1;
        }
        let column = |def: &ColumnDef| {
            let only_key = def.key && keys[usize::from(def.entity)] == 1;
            ColumnType::of_log(def.encoding.as_ref(), only_key, def.index)
        };
        let data = |def: &EdgeDef| {
            let encoding = def.encoding.as_ref();
            (def.data.is_some()).then(|| ColumnType::of_log(encoding, false, None))
        };
        Self {
            columns: schema.columns.iter().map(column).collect(),
            data: schema.edges.iter().map(data).collect(),
        }
    }
}

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
