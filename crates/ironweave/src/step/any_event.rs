//! All events of a model as one type: the trait of the generated enum, and the functions that implement serde for it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{EnumAccess, Error as _, MapAccess, VariantAccess, Visitor};
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::step::event::{DynEvent, Event, decode_event};
use crate::step::field_codec::FieldReader;
use crate::step::fields::Fields;
use crate::step::model::Model;
use crate::value::DecodeError;

/// The type of all events of a model that a program can fire, for events whose type is known only at runtime, such as
/// events in JSON.
///
/// The macro generates the enum `AnyEvent` of a model, with a variant for each event. Serde represents an event as
/// `{"JobStarted": {"run": "JobRun/3.1"}}`.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::{Lamp, state::On};
///
/// let mut store = Store::<lamps::Model>::memory();
/// let event: lamps::AnyEvent = serde_json::from_str(r#"{"Lit": {"lamp": "hall"}}"#)?;
/// assert_eq!(event.name(), "Lit");
/// store.try_step_any(&event)?;
/// assert_eq!(store.count::<Lamp, On>(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AnyEvent: Serialize + for<'de> Deserialize<'de> {
    /// The model of the events.
    type Model: Model;
    /// The names of the events, in order of declaration.
    const NAMES: &'static [&'static str];
    #[doc(hidden)]
    fn accept<'e, V: EventVisitor<'e>>(&'e self, visitor: V) -> V::Output;
    #[doc(hidden)]
    fn make<M: EventMaker>(index: usize, maker: M) -> Result<Self, M::Error>;

    /// Returns the name of this event.
    fn name(&self) -> &'static str {
        struct Named;
        impl EventVisitor<'_> for Named {
            type Output = &'static str;

            fn visit<E: Event>(self, _: &E) -> &'static str {
                E::NAME
            }
        }
        self.accept(Named)
    }

    #[doc(hidden)]
    fn as_dyn(&self) -> &dyn DynEvent {
        struct Dyn;
        impl<'e> EventVisitor<'e> for Dyn {
            type Output = &'e dyn DynEvent;

            fn visit<E: Event>(self, event: &'e E) -> &'e dyn DynEvent {
                event
            }
        }
        self.accept(Dyn)
    }
}

/// A copy of an event.
pub fn copy_event<E: Event>(event: &E) -> E {
    E::of(E::Fields::copy(event.fields()))
}

/// Formats an event as `JobStarted { run: JobRun/3.1 }`.
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

/// A generic function of an event whose type is not known.
pub trait EventVisitor<'e> {
    /// What the function returns.
    type Output;
    /// Calls the function.
    fn visit<E: Event>(self, event: &'e E) -> Self::Output;
}

/// Makes an event whose type is chosen by a number.
pub trait EventMaker: Sized {
    /// Why it cannot be made.
    type Error;
    /// Makes an event of a type.
    ///
    /// # Errors
    /// If the event cannot be made.
    fn make<E: Event>(self) -> Result<E, Self::Error>;
    /// The error for a number that no event has.
    fn no_such_event(self) -> Self::Error;
}

/// Makes an event, by its number among those that a program can fire, from its encoded fields.
///
/// # Errors
/// If there is no such event, or a field is of another type.
pub(crate) fn event_from<A: AnyEvent>(
    number: usize,
    bytes: &[u8],
    fields: usize,
) -> Result<A, DecodeError> {
    let tags: Vec<u16> = (0..fields as u16).collect();
    A::make(number, Decoded(FieldReader::new(bytes, &tags)?))
}

/// Makes an event from its encoded fields.
struct Decoded<'b>(FieldReader<'b>);

impl EventMaker for Decoded<'_> {
    type Error = DecodeError;

    fn make<E: Event>(self) -> Result<E, DecodeError> {
        decode_event::<E>(&self.0)
    }

    fn no_such_event(self) -> DecodeError {
        DecodeError::new("there is no such event")
    }
}

/// Serializes an event as `{"JobStarted": {"run": "JobRun/3.1"}}`.
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

/// The names of the fields in JSON.
fn field_names<E: Event>() -> &'static [&'static str] {
    match E::RENAMED {
        [] => E::NAMES.get(1..).unwrap_or_default(),
        renamed => renamed,
    }
}

/// Deserializes what [`write_event`] serializes.
///
/// # Errors
/// Those of the deserializer, and if an event or field is unknown or a field is missing.
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
