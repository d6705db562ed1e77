//! The enum of all events of a model, and serde for it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{EnumAccess, Error as _, MapAccess, VariantAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserializer, Serialize, Serializer, forward_to_deserialize_any};

use super::fields::Fields;
use crate::db::entity::AnyEvent;
use crate::step::event::Event;

/// Makes the enum of all events that a program can fire.
#[doc(hidden)]
#[macro_export]
macro_rules! __any_event {
    ($model:ident, { $($event:ident = $ix:expr),* $(,)? }) => {
        /// The events that a program can fire, as one type: for those that come from outside, as JSON.
        #[allow(clippy::large_enum_variant)]
        pub enum AnyEvent {
            $(
                #[doc = ::core::concat!("See [`", ::core::stringify!($event), "`].")]
                $event($event),
            )*
        }

        $(
            impl ::core::convert::From<$event> for AnyEvent {
                fn from(event: $event) -> Self {
                    Self::$event(event)
                }
            }
        )*

        impl $crate::AnyEvent for AnyEvent {
            type Model = $model;
            const NAMES: &'static [&'static str] = &[$(<$event as $crate::Event>::NAME),*];

            fn accept<'e, V: $crate::plumbing::EventVisitor<'e>>(&'e self, visitor: V) -> V::Output {
                match *self {
                    $(Self::$event(ref event) => visitor.visit(event),)*
                }
            }

            fn make<M: $crate::plumbing::EventMaker>(index: usize, maker: M) -> ::core::result::Result<Self, M::Error> {
                match index {
                    $($ix => maker.make().map(Self::$event),)*
                    _ => ::core::result::Result::Err(maker.no_such_event()),
                }
            }
        }

        impl ::core::clone::Clone for AnyEvent {
            fn clone(&self) -> Self {
                match *self {
                    $(Self::$event(ref event) => Self::$event($crate::plumbing::copy_event(event)),)*
                }
            }
        }

        impl ::core::fmt::Debug for AnyEvent {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match *self {
                    $(Self::$event(ref event) => $crate::plumbing::show_event(event, f),)*
                }
            }
        }

        impl $crate::plumbing::serde::Serialize for AnyEvent {
            fn serialize<Z: $crate::plumbing::serde::Serializer>(&self, serializer: Z) -> ::core::result::Result<Z::Ok, Z::Error> {
                $crate::plumbing::write_event(self, serializer)
            }
        }

        impl<'de> $crate::plumbing::serde::Deserialize<'de> for AnyEvent {
            fn deserialize<Z: $crate::plumbing::serde::Deserializer<'de>>(deserializer: Z) -> ::core::result::Result<Self, Z::Error> {
                $crate::plumbing::read_event(deserializer)
            }
        }
    };
}

/// The same event once more.
pub fn copy_event<E: Event>(event: &E) -> E {
    E::of(E::Fields::copy(event.fields()))
}

/// Shows an event as `JobStarted { run: JobRun/3.1 }`.
///
/// # Errors
/// Those of the formatter.
pub fn show_event<E: Event>(event: &E, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut shown = f.debug_struct(E::NAME);
    E::Fields::show(
        event.fields(),
        E::NAMES.get(1..).unwrap_or_default(),
        &mut shown,
    );
    shown.finish()
}

/// Something to do with an event whose type is not known.
pub trait EventVisitor<'e> {
    /// What comes of it.
    type Output;
    /// Does it.
    fn visit<E: Event>(self, event: &'e E) -> Self::Output;
}

/// A way to come by an event.
pub trait EventMaker: Sized {
    /// Why there is none.
    type Error;
    /// Makes one.
    ///
    /// # Errors
    /// Whatever stands in the way.
    fn make<E: Event>(self) -> Result<E, Self::Error>;
    /// There is no event of the number.
    fn no_such_event(self) -> Self::Error;
}

/// Writes an event as `{"JobStarted": {"run": "JobRun/3.1"}}`.
///
/// # Errors
/// Those of the serializer.
pub fn write_event<A: AnyEvent, S: Serializer>(
    event: &A,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    struct Write<S>(S);
    impl<'e, S: Serializer> EventVisitor<'e> for Write<S> {
        type Output = Result<S::Ok, S::Error>;

        fn visit<E: Event>(self, event: &'e E) -> Self::Output {
            (self.0).serialize_newtype_variant(
                "AnyEvent",
                E::INDEX.into(),
                E::NAME,
                &Content(event),
            )
        }
    }
    event.accept(Write(serializer))
}

/// The fields of an event, as a struct.
struct Content<'e, E>(&'e E);

impl<E: Event> Serialize for Content<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = field_names::<E>();
        let mut fields = serializer.serialize_struct(E::NAME, names.len())?;
        E::Fields::write(self.0.fields(), names, &mut fields)?;
        fields.end()
    }
}

/// The names of the fields, as they are in JSON.
fn field_names<E: Event>() -> &'static [&'static str] {
    match E::RENAMED {
        [] => E::NAMES.get(1..).unwrap_or_default(),
        renamed => renamed,
    }
}

/// Reads what [`write_event`] wrote.
///
/// # Errors
/// Those of the deserializer; where there is no such event or field, or one is missing.
pub fn read_event<'de, A: AnyEvent, D: Deserializer<'de>>(deserializer: D) -> Result<A, D::Error> {
    struct Variant<A>(PhantomData<A>);
    impl<'de, A: AnyEvent> Visitor<'de> for Variant<A> {
        type Value = A;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an event, as `{\"Name\": {..}}`")
        }

        fn visit_enum<D: EnumAccess<'de>>(self, data: D) -> Result<A, D::Error> {
            let (name, content) = data.variant::<String>()?;
            match A::NAMES.iter().position(|known| *known == name) {
                Some(index) => A::make(index, Read(content, PhantomData)),
                None => Err(D::Error::unknown_variant(&name, A::NAMES)),
            }
        }
    }
    deserializer.deserialize_enum("AnyEvent", A::NAMES, Variant(PhantomData))
}

struct Read<'de, V>(V, PhantomData<&'de ()>);

impl<'de, V: VariantAccess<'de>> EventMaker for Read<'de, V> {
    type Error = V::Error;

    fn make<E: Event>(self) -> Result<E, V::Error> {
        self.0
            .struct_variant(field_names::<E>(), FieldsOf(PhantomData))
    }

    fn no_such_event(self) -> V::Error {
        V::Error::custom("no such event")
    }
}

struct FieldsOf<E>(PhantomData<E>);

impl<'de, E: Event> Visitor<'de> for FieldsOf<E> {
    type Value = E;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}", E::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<E, A::Error> {
        let names = field_names::<E>();
        let mut read = <E::Fields as Fields>::Partial::default();
        while let Some(key) = map.next_key::<String>()? {
            let alias = || E::ALIASES.iter().find(|(alias, _)| *alias == key);
            let index = (names.iter().position(|name| *name == key))
                .or_else(|| alias().map(|(_, index)| usize::from(*index)));
            let index = index.ok_or_else(|| A::Error::unknown_field(&key, names))?;
            let name = names.get(index).copied().unwrap_or_default();
            E::Fields::read(&mut read, index, name, &mut map)?;
        }
        Ok(E::of(E::Fields::whole(read, names, (E::missing, 0))?))
    }
}

/// The value of a field that is not there: `None` of an `Option`, else an error.
///
/// # Errors
/// Where the type is no `Option`.
pub fn missing_field<'de, T: serde::Deserialize<'de>, E: serde::de::Error>(
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
