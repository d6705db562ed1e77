//! Indexes into a schema. Each kind of item has its own type of index, so that indexes cannot be confused.

use std::fmt;

/// The error of a position that is too large for an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are more items than an index of a schema can number")
    }
}

impl std::error::Error for TooMany {}

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident($int:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name($int);

        impl $name {
            /// The largest index.
            pub const MAX: Self = Self(<$int>::MAX);

            /// Returns the index with this number.
            #[inline(always)]
            #[must_use]
            pub const fn new(number: $int) -> Self {
                Self(number)
            }

            /// Returns the position in the list that it indexes.
            #[inline(always)]
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// Returns the number of the index.
            #[inline(always)]
            #[must_use]
            pub const fn get(self) -> $int {
                self.0
            }

            /// Returns the indexes of a list of this length, in order, up to [`MAX`](Self::MAX).
            pub fn all(len: usize) -> impl DoubleEndedIterator<Item = Self> + Clone {
                (0..=<$int>::MAX).take(len).map(Self)
            }
        }

        impl TryFrom<usize> for $name {
            type Error = TooMany;

            fn try_from(position: usize) -> Result<Self, TooMany> {
                <$int>::try_from(position).map(Self).map_err(|_| TooMany)
            }
        }

        impl From<$int> for $name {
            #[inline(always)]
            fn from(number: $int) -> Self {
                Self(number)
            }
        }

        impl From<$name> for $int {
            #[inline(always)]
            fn from(ix: $name) -> Self {
                ix.0
            }
        }

        impl From<$name> for usize {
            #[inline(always)]
            fn from(ix: $name) -> Self {
                ix.index()
            }
        }

        impl From<$name> for u32 {
            #[inline(always)]
            fn from(ix: $name) -> Self {
                Self::from(ix.0)
            }
        }

        impl From<$name> for u64 {
            #[inline(always)]
            fn from(ix: $name) -> Self {
                Self::from(ix.0)
            }
        }

        /// Formats the number, as it is stored in a log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

index! {
    /// Index of an entity type in [`Schema::entities`](crate::Schema::entities).
    EntityIx(u16);
    /// Index of a state in [`EntityDef::states`](crate::EntityDef::states).
    StateIx(u8);
    /// Index of a column in [`Schema::columns`](crate::Schema::columns).
    ColumnIx(u16);
    /// Index of an edge in [`Schema::edges`](crate::Schema::edges).
    EdgeIx(u16);
    /// Index of an event in [`Schema::events`](crate::Schema::events).
    EventIx(u16);
    /// Index of an invariant in [`Schema::invariants`](crate::Schema::invariants).
    InvariantIx(u16);
    /// Index of a field in [`EventDef::fields`](crate::EventDef::fields), or after the last field the index of a literal.
    FieldIx(u16);
    /// Index of a name in [`EventDef::names`](crate::EventDef::names).
    NameIx(u16);
    /// Number of a function that the generated code of an event has, which compares or calculates values.
    FunctionIx(u16);
}
