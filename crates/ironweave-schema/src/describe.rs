//! The fields of each item, declared once for both CBOR and JSON.
//!
//! A struct (`record!`) is a map from the names of its fields to their values. An enum (`choice!`) is the name of its
//! variant, or a map of one entry from that name to the content of the variant. An entry that this version does not know
//! is preserved by the innermost enclosing item that has a field `unknown` or a variant `Unknown`.

use crate::cbor::{CborReader, CborWriter};
use crate::form::{Input, Kind, Output, Problem, ReadError};
use crate::json::{JsonReader, JsonWriter, break_lines};
use crate::{
    Arc, Arithmetic, Assign, BindBy, Cardinality, ChooseFrom, ChooseWhere, ColumnDef, ColumnIx,
    Comparison, DueDef, EdgeDef, EdgeIx, Encoding, EndDef, EntityDef, EntityIx, EventDef,
    EventFieldDef, EventIx, FieldIx, FunctionIx, Hop, IndexDef, IndexKind, IndexPart, InvariantDef,
    May, MetaField, NameDef, NameIx, OnDelete, Path, Quantifier, Raw, Schema, Scope, SortBy,
    Source, StateDef, StateIx, Take, TransitionDef, Unknown,
};

/// A type that can be read from and written as CBOR and JSON.
pub(crate) trait Described: Sized {
    fn write(&self, to: &mut dyn Output);
    fn read<S: Input>(from: &mut S) -> Result<Self, Problem>;
    /// Returns the value of a missing field, or `None` if the field is required.
    fn missing() -> Option<Self> {
        None
    }
}

impl Described for bool {
    fn write(&self, to: &mut dyn Output) {
        to.bool(*self);
    }

    fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
        Ok(from.bool()?)
    }
}

impl Described for u32 {
    fn write(&self, to: &mut dyn Output) {
        to.number((*self).into());
    }

    fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
        let n = from.number()?;
        Ok(n.try_into()
            .map_err(|_| from.malformed(format!("{n} is too large")))?)
    }
}

impl Described for String {
    fn write(&self, to: &mut dyn Output) {
        to.text(self);
    }

    fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
        Ok(from.text()?)
    }
}

impl<T: Described> Described for Option<T> {
    fn write(&self, to: &mut dyn Output) {
        match self {
            Some(value) => value.write(to),
            None => to.null(),
        }
    }

    fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
        if from.kind()? == Kind::Null {
            from.null()?;
            return Ok(None);
        }
        T::read(from).map(Some)
    }

    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl<T: Described> Described for Box<T> {
    fn write(&self, to: &mut dyn Output) {
        (**self).write(to);
    }

    fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
        T::read(from).map(Self::new)
    }
}

impl<T: Described> Described for Vec<T> {
    fn write(&self, to: &mut dyn Output) {
        to.list(self.len());
        self.iter().for_each(|item| item.write(to));
        to.end();
    }

    fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
        let mut items = Self::new();
        from.list(|from| {
            items.push(T::read(from)?);
            Ok(())
        })?;
        Ok(items)
    }
}

macro_rules! indexes {
    ($($name:ident)*) => {$(
        impl Described for $name {
            fn write(&self, to: &mut dyn Output) {
                to.number((*self).into());
            }

            fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
                let n = from.number()?;
                let ix = usize::try_from(n).ok().and_then(|n| Self::try_from(n).ok());
                Ok(ix.ok_or_else(|| from.malformed(format!("{n} is too large for an index")))?)
            }
        }
    )*};
}

indexes! { EntityIx StateIx ColumnIx EdgeIx EventIx FieldIx NameIx FunctionIx }

/// Reads the value of a key. If this version does not know the value, preserves it in `unknown` and sets the default.
fn entry<S: Input, T: Described + Default>(
    from: &mut S,
    key: &str,
    slot: &mut Option<T>,
    unknown: &mut Unknown,
) -> Result<(), Problem> {
    let mark = from.mark();
    if slot.is_some() {
        return Err(duplicate_key(from, key).into());
    }
    *slot = Some(match T::read(from) {
        Ok(value) => value,
        Err(Problem::Unknown(_)) => {
            from.rewind(mark);
            keep(from, key, unknown)?;
            T::default()
        }
        Err(malformed) => return Err(malformed),
    });
    Ok(())
}

fn keep<S: Input>(from: &mut S, key: &str, unknown: &mut Unknown) -> Result<(), Problem> {
    let raw = from.raw()?;
    unknown.push(key, raw);
    Ok(())
}

/// Returns an error if a key occurs twice. It is called once for all keys, because comparing each new key with all
/// previous keys would be quadratic.
fn distinct<S: Input>(from: &S, unknown: &Unknown) -> Result<(), ReadError> {
    let duplicate = unknown.duplicate();
    duplicate.map_or(Ok(()), |key| Err(duplicate_key(from, key)))
}

fn duplicate_key<S: Input>(from: &S, key: &str) -> ReadError {
    from.malformed(format!("`{key}` occurs twice"))
}

fn required<S: Input, T: Described>(from: &S, key: &str, slot: Option<T>) -> Result<T, ReadError> {
    let value = slot.or_else(T::missing);
    value.ok_or_else(|| from.malformed(format!("`{key}` is missing")))
}

fn not_known<S: Input>(from: &S, what: &str) -> Problem {
    Problem::Unknown(from.malformed(format!("`{what}` is not known to this version")))
}

/// Writes the value of a key, or the unknown value that was preserved for the key.
fn write_entry(to: &mut dyn Output, key: &str, value: &impl Described, unknown: &Unknown) {
    to.key(key);
    match unknown.get(key) {
        Some(raw) => to.raw(raw),
        None => value.write(to),
    }
}

/// Describes a struct that preserves the entries of a newer version. A field after `optional` is omitted if it is `None`,
/// and a list after `lists` if it is empty.
macro_rules! record {
    (
        $name:ident { $($field:ident),* $(,)? }
        $(optional { $($option:ident),* })?
        $(lists { $($list:ident),* })?
    ) => {
        impl Described for $name {
            fn write(&self, to: &mut dyn Output) {
                let given: &[&str] = &[$(stringify!($field)),*];
                let extra = || self.unknown.iter().filter(|(key, _)| !given.contains(key));
                let options = 0 $($(+ usize::from(
                    self.$option.is_some() && self.unknown.get(stringify!($option)).is_none()
                ))*)? $($(+ usize::from(
                    !self.$list.is_empty() && self.unknown.get(stringify!($list)).is_none()
                ))*)?;
                to.map(given.len() + options + extra().count());
                $(write_entry(to, stringify!($field), &self.$field, &self.unknown);)*
                $($(if let (Some(value), None) =
                    (&self.$option, self.unknown.get(stringify!($option)))
                {
                    to.key(stringify!($option));
                    value.write(to);
                })*)?
                $($(if !self.$list.is_empty() && self.unknown.get(stringify!($list)).is_none() {
                    to.key(stringify!($list));
                    self.$list.write(to);
                })*)?
                for (key, raw) in extra() {
                    to.key(key);
                    to.raw(raw);
                }
                to.end();
            }

            fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
                $(let mut $field = None;)*
                $($(let mut $option = None;)*)?
                $($(let mut $list = None;)*)?
                let mut unknown = Unknown::default();
                from.map(|from, key| match key {
                    $(stringify!($field) => entry(from, key, &mut $field, &mut unknown),)*
                    $($(stringify!($option) => entry(from, key, &mut $option, &mut unknown),)*)?
                    $($(stringify!($list) => entry(from, key, &mut $list, &mut unknown),)*)?
                    _ => keep(from, key, &mut unknown),
                })?;
                distinct(from, &unknown)?;
                Ok(Self {
                    $($field: required(from, stringify!($field), $field)?,)*
                    $($($option: $option.flatten(),)*)?
                    $($($list: $list.unwrap_or_default(),)*)?
                    unknown,
                })
            }
        }
    };
}

/// Reads the fields of a struct or variant that has no field `unknown`. An unknown entry makes the whole item unknown.
macro_rules! read_fields {
    ($from:ident, $make:path { $($field:ident),* }) => {{
        $(let mut $field = None;)*
        $from.map(|from, key| match key {
            $(stringify!($field) => {
                if $field.is_some() {
                    return Err(duplicate_key(from, key).into());
                }
                $field = Some(Described::read(from)?);
                Ok(())
            })*
            _ => Err(not_known(from, key)),
        })?;
        $make { $($field: required($from, stringify!($field), $field)?),* }
    }};
}

macro_rules! write_fields {
    ($to:ident, $($field:ident = $value:expr),*) => {
        let names: &[&str] = &[$(stringify!($field)),*];
        $to.map(names.len());
        $($to.key(stringify!($field)); $value.write($to);)*
        $to.end();
    };
}

macro_rules! small_record {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl Described for $name {
            fn write(&self, to: &mut dyn Output) {
                write_fields!(to, $($field = self.$field),*);
            }

            fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
                Ok(read_fields!(from, Self { $($field),* }))
            }
        }
    };
}

/// Describes an enum: unit variants, variants of one value, variants with fields, and optionally a variant for those that
/// this version does not know.
macro_rules! choice {
    (
        $name:ident { $($plain:ident),* }
        of { $($one:ident),* }
        with { $($variant:ident { $($field:ident),* })* }
        $(or $unknown:ident)?
    ) => {
        impl $name {
            fn read_known<S: Input>(from: &mut S) -> Result<Self, Problem> {
                match from.kind()? {
                    Kind::Text => {
                        let name = from.text()?;
                        match name.as_str() {
                            $(stringify!($plain) => Ok(Self::$plain),)*
                            _ => Err(not_known(from, &name)),
                        }
                    }
                    Kind::Map => {
                        let mut read: Option<Self> = None;
                        from.map(|from, name| {
                            if read.is_some() {
                                return Err(not_known(from, name));
                            }
                            read = match name {
                                $(stringify!($one) => Some(Self::$one(Described::read(from)?)),)*
                                $(stringify!($variant) => {
                                    Some(read_fields!(from, Self::$variant { $($field),* }))
                                })*
                                _ => None,
                            };
                            match read {
                                Some(_) => Ok(()),
                                None => Err(not_known(from, name)),
                            }
                        })?;
                        Ok(read.ok_or_else(|| from.malformed("an empty map has no variant".to_owned()))?)
                    }
                    _ => Err(from.malformed(
                        concat!("expected a variant of ", stringify!($name)).to_owned(),
                    ).into()),
                }
            }
        }

        impl Described for $name {
            fn write(&self, to: &mut dyn Output) {
                match self {
                    $(Self::$plain => to.text(stringify!($plain)),)*
                    $(Self::$one(value) => {
                        to.map(1);
                        to.key(stringify!($one));
                        value.write(to);
                        to.end();
                    })*
                    $(Self::$variant { $($field),* } => {
                        to.map(1);
                        to.key(stringify!($variant));
                        write_fields!(to, $($field = $field),*);
                        to.end();
                    })*
                    $(Self::$unknown(raw) => to.raw(raw),)?
                }
            }

            fn read<S: Input>(from: &mut S) -> Result<Self, Problem> {
                let unknown = None::<fn(Raw) -> Self>$(.or(Some(Self::$unknown)))?;
                let mark = from.mark();
                match (Self::read_known(from), unknown) {
                    (Err(Problem::Unknown(_)), Some(unknown)) => {
                        from.rewind(mark);
                        Ok(unknown(from.raw()?))
                    }
                    (read, _) => read,
                }
            }
        }
    };
    ($name:ident { $($plain:ident),* $(,)? }) => {
        choice!($name { $($plain),* } of {} with {});
    };
}

record!(Schema {
    name,
    entities,
    columns,
    edges,
    events,
    invariants
} lists { indexes });
record!(EntityDef { name, states, initial } lists { renamed });
record!(StateDef { name, terminal, to } lists { renamed });
record!(TransitionDef { to, verb });
record!(ColumnDef { entity, state, name, ty, key, index, default } optional { encoding } lists { renamed });
record!(EdgeDef { from, to, data, acyclic } optional { encoding, default });
record!(EndDef {
    entity,
    name,
    cardinality,
    min,
    max,
    on_delete,
    counted
} lists { renamed });
record!(EventDef {
    name,
    immediate,
    fields,
    names,
    arcs,
    mays,
    guards
} optional { order, due } lists { renamed, upcasts });
record!(DueDef { name, column });
record!(IndexDef {
    name,
    entity,
    kind,
    parts,
    states
});
record!(EventFieldDef { name, ty } optional { encoding, default } lists { renamed });
record!(NameDef {
    name,
    entity,
    count,
    by
});
record!(InvariantDef {
    name,
    entity,
    via,
    check
} lists { renamed });
small_record!(Path { root, hops });
small_record!(Hop { edge, forward });
small_record!(Assign { column, source });
small_record!(SortBy {
    column,
    descending,
    function
});
small_record!(ChooseWhere {
    column,
    comparison,
    with,
    function
});
choice!(IndexPart {} of { Column, End } with {});
choice!(ChooseFrom { Place } of { Path } with {});
choice!(
    Take { One } of {} with {
        Exactly { number, function }
        UpTo { number, function }
    }
);
choice!(Arithmetic { Add, Subtract });
choice!(Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual
});
choice!(IndexKind { Equal, Ordered });
choice!(OnDelete {
    Unlink,
    Restrict,
    Cascade
});
choice!(Cardinality { One, Option, Many });
choice!(MetaField {
    Actor,
    Correlation,
    Causation
});
choice!(Scope { Each, Those });
choice!(Quantifier { All, Any, None });
choice!(BindBy { Handle, Key, Ensure, Created, Chosen } of { Token } with {});
choice!(
    Source { Time } of { Field, Meta } with {
        Literal { index, text }
        Entity { name, column }
        Calculated { operator, left, right, function }
    }
);
choice!(
    Encoding {
        Serde, Unit, Bool, U8, U16, U32, U64, U128, I8, I16, I32, I64, I128, F32, F64, Char, Text,
        Timestamp, Duration
    } of { Id, Key, Option, List } with {}
);
choice!(
    Arc {} of {} with {
        Create { name, state, values }
        Move { scope, path, from, to, data }
        Link { path, hop, with, data }
        Unlink { path, hop, with }
        Relink { path, hop, with, data }
        Set { path, value }
        SetLink { path, hop, with, data }
        Delete { path }
        When { quantifier, path, states }
        Count { path, states, comparison, with, function }
        Compare { left, comparison, right, function }
        Choose { name, from, states, conditions, order, take }
    } or Unknown
);
choice!(
    May {} of { Create, Ensure, Link, Unlink, Relink, Set, SetLink, Delete } with {
        Move { entity, from, to }
    } or Unknown
);

impl Schema {
    /// Returns the schema as CBOR, as it is stored in a log.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut writer = CborWriter::default();
        self.write(&mut writer);
        writer.bytes
    }

    /// Reads the output of [`Schema::to_cbor`], of this version or of another one.
    ///
    /// # Errors
    /// If the input is not a schema. Items that a newer version has added are not an error; see [`Schema::unknown_items`].
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, ReadError> {
        let mut reader = CborReader::new(bytes);
        let schema = Self::read(&mut reader)?;
        reader.end()?;
        Ok(schema)
    }

    /// Returns the schema as JSON on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut writer = JsonWriter::default();
        self.write(&mut writer);
        writer.finish()
    }

    /// Returns the schema as JSON with a line for each entity type, column, edge, event and invariant, so that changes of a file with it can
    /// be read line by line.
    #[must_use]
    pub fn to_json_lines(&self) -> String {
        break_lines(&self.to_json())
    }

    /// Reads the output of [`Schema::to_json`] or [`Schema::to_json_lines`], of this version or of another one.
    ///
    /// # Errors
    /// If the input is not a schema. Items that a newer version has added are not an error; see [`Schema::unknown_items`].
    pub fn from_json(text: &str) -> Result<Self, ReadError> {
        let mut reader = JsonReader::new(text);
        let schema = Self::read(&mut reader)?;
        reader.end()?;
        Ok(schema)
    }
}
