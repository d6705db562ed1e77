//! serde for events, and the enum of all of them: what is the same for each, so that the macro writes one line.

use serde::forward_to_deserialize_any;

/// Implements serde for an event, as a struct with named fields.
#[doc(hidden)]
#[macro_export]
macro_rules! __event_serde {
    ($event:ident, $name:expr, { $($field:ident = $key:expr),* $(,)? }) => {
        impl $crate::plumbing::serde::Serialize for $event {
            fn serialize<Z: $crate::plumbing::serde::Serializer>(&self, serializer: Z) -> ::core::result::Result<Z::Ok, Z::Error> {
                use $crate::plumbing::serde::ser::SerializeStruct as _;
                const FIELDS: &[&str] = &[$($key),*];
                #[allow(unused_mut)]
                let mut fields = serializer.serialize_struct($name, FIELDS.len())?;
                $(fields.serialize_field($key, &self.$field)?;)*
                fields.end()
            }
        }

        impl<'de> $crate::plumbing::serde::Deserialize<'de> for $event {
            fn deserialize<Z: $crate::plumbing::serde::Deserializer<'de>>(deserializer: Z) -> ::core::result::Result<Self, Z::Error> {
                const FIELDS: &[&str] = &[$($key),*];
                struct Fields;
                impl<'de> $crate::plumbing::serde::de::Visitor<'de> for Fields {
                    type Value = $event;

                    fn expecting(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.write_str(::core::concat!("event ", $name))
                    }

                    #[allow(unused_mut, unused_variables)]
                    fn visit_map<A: $crate::plumbing::serde::de::MapAccess<'de>>(self, mut map: A) -> ::core::result::Result<$event, A::Error> {
                        $(let mut $field = ::core::option::Option::None;)*
                        while let ::core::option::Option::Some(key) = map.next_key::<::std::string::String>()? {
                            match key.as_str() {
                                $($key => $field = ::core::option::Option::Some(map.next_value()?),)*
                                other => return ::core::result::Result::Err($crate::plumbing::unknown_field(other, FIELDS)),
                            }
                        }
                        ::core::result::Result::Ok($event {
                            $($field: match $field {
                                ::core::option::Option::Some(value) => value,
                                ::core::option::Option::None => $crate::plumbing::missing_field($key)?,
                            }),*
                        })
                    }
                }
                deserializer.deserialize_struct($name, FIELDS, Fields)
            }
        }
    };
}

/// Makes the enum of all events that a program can fire.
#[doc(hidden)]
#[macro_export]
macro_rules! __any_event {
    ($model:ident, { $($event:ident = $name:expr),* $(,)? }) => {
        /// The events that a program can fire, as one type: for those that come from outside, as JSON.
        #[allow(clippy::large_enum_variant)]
        pub enum AnyEvent {
            $(
                #[doc = ::core::concat!("See [`", $name, "`].")]
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
            const NAMES: &'static [&'static str] = &[$($name),*];

            fn name(&self) -> &'static str {
                match *self {
                    $(Self::$event(_) => $name,)*
                }
            }

            fn as_dyn(&self) -> &dyn $crate::plumbing::DynEvent {
                match *self {
                    $(Self::$event(ref event) => event,)*
                }
            }
        }

        impl $crate::plumbing::serde::Serialize for AnyEvent {
            #[allow(unused_variables)]
            fn serialize<Z: $crate::plumbing::serde::Serializer>(&self, serializer: Z) -> ::core::result::Result<Z::Ok, Z::Error> {
                let name = $crate::AnyEvent::name(self);
                match *self {
                    $(Self::$event(ref event) => serializer.serialize_newtype_variant("AnyEvent", 0, name, event),)*
                }
            }
        }

        impl<'de> $crate::plumbing::serde::Deserialize<'de> for AnyEvent {
            fn deserialize<Z: $crate::plumbing::serde::Deserializer<'de>>(deserializer: Z) -> ::core::result::Result<Self, Z::Error> {
                struct Variant;
                impl<'de> $crate::plumbing::serde::de::Visitor<'de> for Variant {
                    type Value = AnyEvent;

                    fn expecting(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.write_str("an event, as `{\"Name\": {..}}`")
                    }

                    #[allow(unused_variables)]
                    fn visit_enum<A: $crate::plumbing::serde::de::EnumAccess<'de>>(self, data: A) -> ::core::result::Result<AnyEvent, A::Error> {
                        let (name, content) = data.variant::<::std::string::String>()?;
                        match name.as_str() {
                            $($name => $crate::plumbing::serde::de::VariantAccess::newtype_variant(content).map(AnyEvent::$event),)*
                            other => ::core::result::Result::Err($crate::plumbing::unknown_event(
                                other, <AnyEvent as $crate::AnyEvent>::NAMES,
                            )),
                        }
                    }
                }
                deserializer.deserialize_enum("AnyEvent", <Self as $crate::AnyEvent>::NAMES, Variant)
            }
        }
    };
}

/// An event has no such field.
#[cold]
pub fn unknown_field<E: serde::de::Error>(field: &str, fields: &'static [&'static str]) -> E {
    E::unknown_field(field, fields)
}

/// A model has no such event.
#[cold]
pub fn unknown_event<E: serde::de::Error>(name: &str, names: &'static [&'static str]) -> E {
    E::unknown_variant(name, names)
}

/// The value of a field that is not there: `None` of an `Option`, else an error.
///
/// # Errors
/// Where the type is no `Option`.
pub fn missing_field<'de, T: serde::Deserialize<'de>, E: serde::de::Error>(
    field: &'static str,
) -> Result<T, E> {
    struct Missing<E>(&'static str, std::marker::PhantomData<E>);
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
    T::deserialize(Missing(field, std::marker::PhantomData))
}
