//! The macro that implements what all entity types have in common, so that the generated code has one call for it.

/// Implements what all entity types have in common.
#[doc(hidden)]
#[macro_export]
macro_rules! __handle {
    ($entity:ident, generics = [$s:ident $t:ident $p:ident], model = $model:ty, index = $index:expr, name = $name:expr,
     states = $states:ident { $($state:ident = $ix:expr),* $(,)? }) => {
        impl $crate::Entity for $entity {
            type Model = $model;
            type In<$s: $crate::StateOf<Self>> = $entity<$s>;
            const INDEX: $crate::plumbing::EntityIx = $crate::plumbing::EntityIx::new($index);
            const STATES: &'static [$crate::plumbing::StateIx] = &[$($crate::plumbing::StateIx::new($ix)),*];
            const NAME: &'static str = $name;
        }

        impl<$s: $crate::StateOf<$entity>> $crate::Handle for $entity<$s> {
            type Entity = $entity;
            const STATE: ::core::option::Option<$crate::plumbing::StateIx> = $s::STATE;

            fn from_id(id: $crate::Id) -> Self {
                Self { id, state: ::core::marker::PhantomData }
            }

            fn id(&self) -> $crate::Id {
                self.id
            }
        }

        /// Identity and state.
        impl<$s: $crate::StateOf<$entity>> $entity<$s> {
            /// Returns the plain handle of the entity.
            pub fn any(&self) -> $entity {
                $crate::Handle::from_id(self.id)
            }

            /// Returns the id of the entity.
            pub fn id(&self) -> $crate::Id {
                self.id
            }

            /// Returns whether the entity exists. O(1).
            pub fn alive(&self, db: &impl $crate::Db) -> bool {
                $crate::plumbing::alive(db, $index, self.id)
            }

            /// Returns whether the entity is in state `T`; false if it was deleted. O(1).
            pub fn is<$t: $crate::StateOf<$entity>>(&self, db: &impl $crate::Db) -> bool {
                $crate::plumbing::is(db, $index, self.id, $t::STATE)
            }

            /// Returns a token of the entity if it is in state `T`, and `None` otherwise. O(1).
            pub fn in_state<$t: $crate::StateOf<$entity>>(&self, db: &impl $crate::Db) -> ::core::option::Option<$entity<$t>> {
                $crate::plumbing::in_state(db, self.id)
            }

            /// Returns the state of the entity, with a token. O(1).
            ///
            /// # Panics
            /// If the entity was deleted.
            pub fn state(&self, db: &impl $crate::Db) -> $states {
                match $crate::plumbing::state_of(db, $index, self.id) {
                    $($ix => $states::$state($crate::Handle::from_id(self.id)),)*
                    other => $crate::plumbing::no_such_state($name, other),
                }
            }
        }

        impl $entity {
            /// Returns the handle of the entity with an id that [`id`](Self::id) returned. The entity need not exist; see
            /// [`alive`](Self::alive).
            #[must_use]
            pub fn from_id(id: $crate::Id) -> Self {
                $crate::Handle::from_id(id)
            }

            /// Returns a filter for the entities in a state, or in one of several states.
            #[must_use]
            pub fn in_place<$p: $crate::Place<$entity>>() -> $crate::Filter<$entity> {
                $crate::plumbing::in_place::<$entity, $p>()
            }
        }

        impl ::core::fmt::Display for $states {
            /// Writes the name of the state.
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.pad(match self { $(Self::$state(_) => ::core::stringify!($state),)* })
            }
        }

        /// Parses a handle as `Name/3.1`, its `Display` form, or as `Name-3.1` or `3.1`, which fit in one segment of a URL.
        ///
        /// Tokens do not parse, since the state of an entity must be read in a store; see `in_state`.
        impl ::core::str::FromStr for $entity {
            type Err = $crate::ParseHandleError;

            fn from_str(text: &str) -> ::core::result::Result<Self, Self::Err> {
                $crate::plumbing::parse_handle($name, text).map($crate::Handle::from_id)
            }
        }

        impl ::core::clone::Clone for $entity {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl ::core::marker::Copy for $entity {}

        impl<$s: $crate::StateOf<$entity>> ::core::fmt::Display for $entity<$s> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                $crate::plumbing::show($name, self.id, f)
            }
        }

        impl<$s: $crate::StateOf<$entity>> ::core::fmt::Debug for $entity<$s> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                $crate::plumbing::show($name, self.id, f)
            }
        }

        impl<$s: $crate::StateOf<$entity>> ::core::cmp::PartialEq for $entity<$s> {
            fn eq(&self, other: &Self) -> bool {
                $crate::plumbing::same(self.id, other.id)
            }
        }

        impl<$s: $crate::StateOf<$entity>> ::core::cmp::Eq for $entity<$s> {}

        impl<$s: $crate::StateOf<$entity>> ::core::cmp::PartialOrd for $entity<$s> {
            fn partial_cmp(&self, other: &Self) -> ::core::option::Option<::core::cmp::Ordering> {
                ::core::option::Option::Some(::core::cmp::Ord::cmp(self, other))
            }
        }

        impl<$s: $crate::StateOf<$entity>> ::core::cmp::Ord for $entity<$s> {
            fn cmp(&self, other: &Self) -> ::core::cmp::Ordering {
                $crate::plumbing::order(self.id, other.id)
            }
        }

        impl<$s: $crate::StateOf<$entity>> ::core::hash::Hash for $entity<$s> {
            fn hash<H: ::core::hash::Hasher>(&self, state: &mut H) {
                $crate::plumbing::hash(self.id, state);
            }
        }

        impl<$s: $crate::StateOf<$entity>> $crate::plumbing::serde::Serialize for $entity<$s> {
            fn serialize<Z: $crate::plumbing::serde::Serializer>(&self, serializer: Z) -> ::core::result::Result<Z::Ok, Z::Error> {
                $crate::plumbing::write_handle($name, self.id, serializer)
            }
        }

        impl<'de, $s: $crate::StateOf<$entity>> $crate::plumbing::serde::Deserialize<'de> for $entity<$s> {
            fn deserialize<Z: $crate::plumbing::serde::Deserializer<'de>>(deserializer: Z) -> ::core::result::Result<Self, Z::Error> {
                $crate::plumbing::read_handle(deserializer)
            }
        }
    };
}
