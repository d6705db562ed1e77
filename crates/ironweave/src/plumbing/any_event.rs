//! The macro that defines the enum of all events of a model.

/// Defines the enum of all events that a program can fire.
#[doc(hidden)]
#[macro_export]
macro_rules! __any_event {
    ($model:ident, { $($event:ident = $ix:expr),* $(,)? }) => {
        /// All events that a program can fire, for events whose type is known only at runtime, such as events in JSON.
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
