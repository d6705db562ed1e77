//! The fields of an event as a list of types, `(One<Node>, (Val<String>, ()))`. The code that binds, writes and reads them
//! is generic over such lists, so that it is not generated for each event: that took a third of the time that
//! `cargo check` needs for a model.

use std::any::{Any, TypeId};
use std::fmt::{self, DebugStruct, Formatter};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{DeserializeOwned, Error as _, MapAccess};
use serde::forward_to_deserialize_any;
use serde::ser::SerializeStruct;

use crate::base::error::{Reject, StepError};
use crate::base::id::Id;
use crate::graph::storage::Flat;
use crate::graph::{Graph, GraphRef, Journal};
use crate::schema::{ColumnIx, Encoding};
use crate::step::bind::{Binder, Ref};
use crate::step::bindings::CompiledNames;
use crate::step::field_codec::{FieldReader, FieldWriter, WORD_BYTES};
use crate::value::debug::SerializedDebug;
use crate::value::fixed::word_of;
use crate::value::{DecodeError, Value, encoding, is_faithful, is_plain};

/// A field that is a value.
pub struct Val<T>(PhantomData<T>);
/// A field that names an entity, as `Node` or `Key<Node>`.
pub struct One<T>(PhantomData<T>);
/// A field that names an entity or none, as `Option<Node>`.
pub struct Opt<T>(PhantomData<T>);
/// A field that names a set of entities, as `Vec<Node>`.
pub struct Set<T>(PhantomData<T>);

/// A kind of field.
pub trait Field {
    /// The type of the field.
    type Of: Serialize + DeserializeOwned + 'static;

    /// Binds the entities that it names.
    ///
    /// # Errors
    /// If one is deleted, unknown or in another state.
    fn bind(of: &Self::Of, binder: &mut Binder<'_>) -> Result<(), Reject>;

    /// The value, if it is a value.
    fn value(of: &Self::Of) -> Option<&dyn Any>;

    /// Whether it names one entity.
    const NAMES_ONE: bool = false;

    /// Finds the entity that it names, if it names one and that exists and is in the state that a token claims.
    fn resolve(_of: &Self::Of, _graph: GraphRef<'_>) -> Option<Id> {
        None
    }

    /// Writes the value to a cell of its type; `None` if the field names entities.
    fn set(_of: &Self::Of, _cell: Cell<'_>) -> Option<Result<(), StepError>> {
        None
    }

    /// Encodes it for a log.
    fn encode(of: &Self::Of, index: u16, writer: &mut FieldWriter<'_>);

    /// Whether it is a value of a plain type.
    #[must_use]
    fn is_plain() -> bool {
        false
    }

    /// The id, if it names one entity by a handle.
    fn id(_of: &Self::Of) -> Option<Id> {
        None
    }

    /// The 8 bytes that a log has of it; `None` if it has more.
    fn word(_of: &Self::Of) -> Option<u64> {
        None
    }

    /// Whether every value of its type is known to be read back as it was written.
    fn is_faithful() -> bool;

    /// How it is encoded.
    fn encoding() -> Encoding;

    /// A copy, of a token too: whether it is stale is found when the event fires.
    fn copy(of: &Self::Of) -> Self::Of;

    /// Formats it, for `Debug`.
    ///
    /// # Errors
    /// Those of the formatter.
    fn show(of: &Self::Of, f: &mut Formatter<'_>) -> fmt::Result;
}

/// A cell that a compiled arc writes.
pub struct Cell<'g> {
    pub(super) graph: &'g mut Graph<Flat>,
    pub(super) journal: &'g mut Journal,
    pub(super) column: ColumnIx,
    pub(super) slot: u32,
}

impl Cell<'_> {
    /// Writes a value of the type of the column.
    #[inline(always)]
    pub(super) fn set<T: Value>(self, value: &T) -> Result<(), StepError> {
        (self.graph).set_typed(self.journal, self.column, self.slot, value)
    }
}

/// A field as the builders of [`Formatter`] take it.
struct Shows<'a, F: Field>(&'a F::Of);

impl<F: Field> fmt::Debug for Shows<'_, F> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        F::show(self.0, f)
    }
}

/// The default of a field that is not given, by its number; `None` if it must be given.
pub type Missing = fn(u16) -> Option<Box<dyn Any>>;

impl<T: Value> Field for Val<T> {
    type Of = T;

    fn bind(_: &T, _: &mut Binder<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn value(of: &T) -> Option<&dyn Any> {
        Some(of)
    }

    #[inline(always)]
    fn set(of: &T, cell: Cell<'_>) -> Option<Result<(), StepError>> {
        Some(cell.set(of))
    }

    #[inline(always)]
    fn encode(of: &T, index: u16, writer: &mut FieldWriter<'_>) {
        writer.field(index, of);
    }

    #[inline(always)]
    fn is_plain() -> bool {
        is_plain::<T>()
    }

    #[inline(always)]
    fn word(of: &T) -> Option<u64> {
        word_of(of)
    }

    #[inline(always)]
    fn is_faithful() -> bool {
        is_faithful::<T>()
    }

    fn encoding() -> Encoding {
        encoding(TypeId::of::<T>())
    }

    fn copy(of: &T) -> T {
        of.clone()
    }

    fn show(of: &T, f: &mut Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&SerializedDebug(of), f)
    }
}

impl<T: Ref + Serialize + DeserializeOwned + 'static> Field for One<T> {
    type Of = T;

    #[inline(always)]
    fn bind(of: &T, binder: &mut Binder<'_>) -> Result<(), Reject> {
        binder.one(of)
    }

    const NAMES_ONE: bool = true;

    #[inline(always)]
    fn resolve(of: &T, graph: GraphRef<'_>) -> Option<Id> {
        of.resolve(graph)
    }

    fn value(_: &T) -> Option<&dyn Any> {
        None
    }

    #[inline(always)]
    fn encode(of: &T, index: u16, writer: &mut FieldWriter<'_>) {
        writer.one(index, of);
    }

    #[inline(always)]
    fn id(of: &T) -> Option<Id> {
        of.handle()
    }

    #[inline(always)]
    fn word(of: &T) -> Option<u64> {
        of.handle().map(Id::to_bits)
    }

    #[inline(always)]
    fn is_faithful() -> bool {
        T::is_faithful()
    }

    fn encoding() -> Encoding {
        T::encoding()
    }

    fn copy(of: &T) -> T {
        of.copy()
    }

    fn show(of: &T, f: &mut Formatter<'_>) -> fmt::Result {
        of.show(f)
    }
}

impl<T: Ref + Serialize + DeserializeOwned + 'static> Field for Opt<Option<T>> {
    type Of = Option<T>;

    fn bind(of: &Option<T>, binder: &mut Binder<'_>) -> Result<(), Reject> {
        binder.option(of)
    }

    fn value(_: &Option<T>) -> Option<&dyn Any> {
        None
    }

    fn encode(of: &Option<T>, index: u16, writer: &mut FieldWriter<'_>) {
        writer.option(index, of.as_ref());
    }

    #[inline(always)]
    fn is_faithful() -> bool {
        T::is_faithful()
    }

    fn encoding() -> Encoding {
        Encoding::Option(Box::new(T::encoding()))
    }

    fn copy(of: &Option<T>) -> Option<T> {
        of.as_ref().map(Ref::copy)
    }

    fn show(of: &Option<T>, f: &mut Formatter<'_>) -> fmt::Result {
        match of {
            Some(of) => f.debug_tuple("Some").field(&Shows::<One<T>>(of)).finish(),
            None => f.write_str("None"),
        }
    }
}

impl<T: Ref + Serialize + DeserializeOwned + 'static> Field for Set<Vec<T>> {
    type Of = Vec<T>;

    fn bind(of: &Vec<T>, binder: &mut Binder<'_>) -> Result<(), Reject> {
        binder.many(of)
    }

    fn value(_: &Vec<T>) -> Option<&dyn Any> {
        None
    }

    fn encode(of: &Vec<T>, index: u16, writer: &mut FieldWriter<'_>) {
        writer.many(index, of);
    }

    #[inline(always)]
    fn is_faithful() -> bool {
        T::is_faithful()
    }

    fn encoding() -> Encoding {
        Encoding::List(Box::new(T::encoding()))
    }

    fn copy(of: &Vec<T>) -> Vec<T> {
        of.iter().map(Ref::copy).collect()
    }

    fn show(of: &Vec<T>, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(of.iter().map(Shows::<One<T>>))
            .finish()
    }
}

/// The fields of an event, in order.
pub trait Fields: Sized {
    /// The fields, borrowed.
    type Refs<'a>;
    /// The fields, owned.
    type Owned;
    /// The fields that have been read so far.
    type Partial: Default;

    /// Binds the fields that name entities.
    ///
    /// # Errors
    /// If one is deleted, unknown or in another state.
    fn bind(refs: Self::Refs<'_>, binder: &mut Binder<'_>) -> Result<(), Reject>;

    /// The value of a field; `None` if the field names entities or there is none of this number.
    fn value(refs: Self::Refs<'_>, index: u16) -> Option<&dyn Any>;

    /// How many of the fields name one entity.
    const NAMES: usize = 0;

    /// Binds the names, from number `first` on, of fields that name one entity. Returns `false` if one is deleted, unknown
    /// or in another state.
    fn resolve(
        _refs: Self::Refs<'_>,
        _graph: GraphRef<'_>,
        _first: usize,
        _names: &mut CompiledNames,
    ) -> bool {
        false
    }

    /// Writes the value of a field to a cell of its type; `None` if the field names entities or there is none of this
    /// number.
    fn set(_refs: Self::Refs<'_>, _index: u16, _cell: Cell<'_>) -> Option<Result<(), StepError>> {
        None
    }

    /// Encodes the fields for a log; the first has number `first`.
    fn encode(refs: Self::Refs<'_>, first: u16, writer: &mut FieldWriter<'_>);

    /// Whether there is a field of this number, and it is a value of a plain type.
    #[must_use]
    fn is_plain(_index: usize) -> bool {
        false
    }

    /// The id of the entity of a name, if the field names one entity by a handle.
    fn id(_refs: Self::Refs<'_>, _name: usize) -> Option<Id> {
        None
    }

    /// How many fields there are.
    const COUNT: usize = 0;

    /// Whether a log has 8 bytes of each field.
    fn are_words(_refs: Self::Refs<'_>) -> bool {
        true
    }

    /// Writes these bytes.
    fn write_words(_refs: Self::Refs<'_>, _out: &mut [[u8; WORD_BYTES]]) {}

    /// Whether every value of their types is known to be read back as it was written.
    fn is_faithful() -> bool;

    /// Appends how the fields are encoded, in order.
    fn encodings(out: &mut Vec<Encoding>);

    /// Decodes the fields from a log; the first has number `first`.
    ///
    /// # Errors
    /// If one is missing or of another type.
    fn decode(
        reader: &FieldReader<'_>,
        missing: (Missing, u16),
    ) -> Result<Self::Owned, DecodeError>;

    /// A copy of the fields.
    fn copy(refs: Self::Refs<'_>) -> Self::Owned;

    /// Formats the fields, which have these names.
    fn show(refs: Self::Refs<'_>, names: &[&'static str], to: &mut DebugStruct<'_, '_>);

    /// Serializes the fields, which have these names, into a struct.
    ///
    /// # Errors
    /// Those of the serializer.
    fn write<S: SerializeStruct>(
        refs: Self::Refs<'_>,
        names: &[&'static str],
        to: &mut S,
    ) -> Result<(), S::Error>;

    /// Deserializes the next value of a map into field `index`. The name is for errors.
    ///
    /// # Errors
    /// Those of the deserializer, and if the field was read before.
    fn read<'de, A: MapAccess<'de>>(
        read: &mut Self::Partial,
        index: usize,
        name: &'static str,
        from: &mut A,
    ) -> Result<(), A::Error>;

    /// All fields, which have these names, from the ones that have been read.
    ///
    /// # Errors
    /// If a field is missing that is not an `Option` and has no default.
    fn whole<E: serde::de::Error>(
        read: Self::Partial,
        names: &[&'static str],
        missing: (Missing, u16),
    ) -> Result<Self::Owned, E>;
}

impl Fields for () {
    type Refs<'a> = ();
    type Owned = ();
    type Partial = ();

    fn bind((): (), _: &mut Binder<'_>) -> Result<(), Reject> {
        Ok(())
    }

    fn value<'a>((): (), _: u16) -> Option<&'a dyn Any> {
        None
    }

    #[inline(always)]
    fn resolve((): (), _: GraphRef<'_>, _: usize, _: &mut CompiledNames) -> bool {
        true
    }

    fn encode((): (), _: u16, _: &mut FieldWriter<'_>) {}

    #[inline(always)]
    fn is_faithful() -> bool {
        true
    }

    fn encodings(_: &mut Vec<Encoding>) {}

    fn decode(_: &FieldReader<'_>, _: (Missing, u16)) -> Result<(), DecodeError> {
        Ok(())
    }

    fn copy((): ()) {}

    fn show((): (), _: &[&'static str], _: &mut DebugStruct<'_, '_>) {}

    fn write<S: SerializeStruct>((): (), _: &[&'static str], _: &mut S) -> Result<(), S::Error> {
        Ok(())
    }

    fn read<'de, A: MapAccess<'de>>(
        (): &mut (),
        _: usize,
        _: &'static str,
        _: &mut A,
    ) -> Result<(), A::Error> {
        Ok(())
    }

    fn whole<E: serde::de::Error>((): (), _: &[&'static str], _: (Missing, u16)) -> Result<(), E> {
        Ok(())
    }
}

impl<F: Field, Rest: Fields> Fields for (F, Rest) {
    type Refs<'a> = (&'a F::Of, Rest::Refs<'a>);
    type Owned = (F::Of, Rest::Owned);
    type Partial = (Option<F::Of>, Rest::Partial);

    #[inline(always)]
    fn bind((first, rest): Self::Refs<'_>, binder: &mut Binder<'_>) -> Result<(), Reject> {
        F::bind(first, binder)?;
        Rest::bind(rest, binder)
    }

    #[inline(always)]
    fn value((first, rest): Self::Refs<'_>, index: u16) -> Option<&dyn Any> {
        match index {
            0 => F::value(first),
            _ => Rest::value(rest, index - 1),
        }
    }

    const NAMES: usize = F::NAMES_ONE as usize + Rest::NAMES;

    #[inline(always)]
    fn resolve(
        (first, rest): Self::Refs<'_>,
        graph: GraphRef<'_>,
        name: usize,
        names: &mut CompiledNames,
    ) -> bool {
        if !F::NAMES_ONE {
            return Rest::resolve(rest, graph, name, names);
        }
        let Some(id) = F::resolve(first, graph) else {
            return false;
        };
        names.bind(name, id);
        Rest::resolve(rest, graph, name + 1, names)
    }

    #[inline(always)]
    fn set(
        (first, rest): Self::Refs<'_>,
        index: u16,
        cell: Cell<'_>,
    ) -> Option<Result<(), StepError>> {
        match index {
            0 => F::set(first, cell),
            _ => Rest::set(rest, index - 1, cell),
        }
    }

    #[inline(always)]
    fn encode((first, rest): Self::Refs<'_>, index: u16, writer: &mut FieldWriter<'_>) {
        F::encode(first, index, writer);
        Rest::encode(rest, index + 1, writer);
    }

    #[inline(always)]
    fn is_plain(index: usize) -> bool {
        match index {
            0 => F::is_plain(),
            _ => Rest::is_plain(index - 1),
        }
    }

    #[inline(always)]
    fn id((first, rest): Self::Refs<'_>, name: usize) -> Option<Id> {
        match name.checked_sub(usize::from(F::NAMES_ONE)) {
            Some(name) => Rest::id(rest, name),
            None => F::id(first),
        }
    }

    const COUNT: usize = 1 + Rest::COUNT;

    #[inline(always)]
    fn are_words((first, rest): Self::Refs<'_>) -> bool {
        F::word(first).is_some() && Rest::are_words(rest)
    }

    #[inline(always)]
    fn write_words((first, rest): Self::Refs<'_>, out: &mut [[u8; WORD_BYTES]]) {
        if let (Some(word), Some((to, others))) = (F::word(first), out.split_first_mut()) {
            *to = word.to_le_bytes();
            Rest::write_words(rest, others);
        }
    }

    #[inline(always)]
    fn is_faithful() -> bool {
        F::is_faithful() && Rest::is_faithful()
    }

    fn encodings(out: &mut Vec<Encoding>) {
        out.push(F::encoding());
        Rest::encodings(out);
    }

    fn decode(
        reader: &FieldReader<'_>,
        (missing, index): (Missing, u16),
    ) -> Result<Self::Owned, DecodeError> {
        let first = reader.field(index, missing)?;
        Ok((first, Rest::decode(reader, (missing, index + 1))?))
    }

    fn copy((first, rest): Self::Refs<'_>) -> Self::Owned {
        (F::copy(first), Rest::copy(rest))
    }

    fn show((first, rest): Self::Refs<'_>, names: &[&'static str], to: &mut DebugStruct<'_, '_>) {
        if let Some((name, names)) = names.split_first() {
            to.field(name, &Shows::<F>(first));
            Rest::show(rest, names, to);
        }
    }

    fn write<S: SerializeStruct>(
        (first, rest): Self::Refs<'_>,
        names: &[&'static str],
        to: &mut S,
    ) -> Result<(), S::Error> {
        let Some((name, names)) = names.split_first() else {
            return Ok(());
        };
        to.serialize_field(name, first)?;
        Rest::write(rest, names, to)
    }

    fn read<'de, A: MapAccess<'de>>(
        (first, rest): &mut Self::Partial,
        index: usize,
        name: &'static str,
        from: &mut A,
    ) -> Result<(), A::Error> {
        match index.checked_sub(1) {
            None if first.is_some() => return Err(A::Error::duplicate_field(name)),
            None => *first = Some(from.next_value()?),
            Some(index) => Rest::read(rest, index, name, from)?,
        }
        Ok(())
    }

    fn whole<E: serde::de::Error>(
        (first, rest): Self::Partial,
        names: &[&'static str],
        (missing, index): (Missing, u16),
    ) -> Result<Self::Owned, E> {
        let (name, names) = names
            .split_first()
            .map_or(("", names), |(n, all)| (*n, all));
        let first = match first {
            Some(first) => first,
            None => match missing(index).and_then(|value| value.downcast().ok()) {
                Some(default) => *default,
                None => missing_field(name)?,
            },
        };
        let rest = Rest::whole(rest, names, (missing, index + 1))?;
        Ok((first, rest))
    }
}

/// The value of a field that is missing: `None` for an `Option`, otherwise an error.
///
/// # Errors
/// If the type is not an `Option`.
fn missing_field<'de, T: serde::Deserialize<'de>, E: serde::de::Error>(
    field: &'static str,
) -> Result<T, E> {
    struct Missing<E>(&'static str, PhantomData<E>);
    impl<'de, E: serde::de::Error> serde::Deserializer<'de> for Missing<E> {
        type Error = E;

        fn deserialize_any<V: serde::de::Visitor<'de>>(self, _: V) -> Result<V::Value, E> {
            Err(E::missing_field(self.0))
        }

        fn deserialize_option<V: serde::de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            visitor.visit_none()
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
            unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
        }
    }
    T::deserialize(Missing(field, PhantomData))
}
