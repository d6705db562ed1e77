//! Entities as Rust types: handles, tokens, states and keys. The macro implements these traits.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::id::Id;
use crate::graph::column::ColumnType;
use crate::schema::{ColumnIx, EntityIx, StateIx};
use crate::value::{Value, is_faithful};

/// An entity type, which is also the type of its handles: `Partition` is a handle of a partition in any state,
/// `Partition<Live>` a token that claims a state.
pub trait Entity: Handle<Entity = Self> + Copy {
    /// The [`Model`](crate::Model) that declares it.
    type Model: 'static;
    /// Its token in a state.
    type In<S: StateOf<Self>>: Handle<Entity = Self>;
    #[doc(hidden)]
    const INDEX: EntityIx;
    #[doc(hidden)]
    const STATES: &'static [StateIx];
    /// Its name.
    const NAME: &'static str;
}

/// A handle or a token.
pub trait Handle: 'static {
    /// The type of the entity.
    type Entity: Entity;
    /// The state that it claims; `None` for a plain handle.
    #[doc(hidden)]
    const STATE: Option<StateIx>;

    #[doc(hidden)]
    fn from_id(id: Id) -> Self;
    /// The id of the entity.
    fn id(&self) -> Id;
}

/// An entity type with a key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no key",
    label = "an entity without a key",
    note = "put `#[key]` on one of its fields"
)]
pub trait Keyed: Entity {
    /// The type of its key: the type of the key field, or a tuple of the types of several.
    type Key: Value + Hash + Eq;
    #[doc(hidden)]
    const KEY: &'static [ColumnIx];
    /// Whether every key is known to be read back as it was written.
    #[doc(hidden)]
    #[inline]
    #[must_use]
    fn has_faithful_key() -> bool {
        is_faithful::<Self::Key>()
    }
}

impl ColumnType {
    /// The only key column of an entity type. The bound is for the compiler's message about a type that cannot be a key.
    #[must_use]
    pub fn key<E: Keyed>() -> Self {
        Self::unique::<E::Key>()
    }
}

/// Any state, as the type parameter of a plain handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Any;

/// A state of an entity type, or [`Any`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state of `{E}`",
    label = "not a state of `{E}`",
    note = "the states of an entity are the variants of its `#[states(..)]` enum; import them from the model's `state` module"
)]
pub trait StateOf<E: Entity>: Place<E> + 'static {
    #[doc(hidden)]
    const STATE: Option<StateIx> = Some(Self::STATES[0]);
}

impl<E: Entity> StateOf<E> for Any {
    const STATE: Option<StateIx> = None;
}

/// What [`Db::place`](crate::Db::place) can be asked for: a state of an entity type, a tuple of up to four states, or
/// [`Any`] for all entities.
///
/// One state gives tokens, several give handles.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state of `{E}`, nor a tuple of up to four",
    label = "not a place of `{E}`"
)]
pub trait Place<E: Entity> {
    /// The type of what is found there: a token or a handle.
    type Item: Handle<Entity = E>;
    #[doc(hidden)]
    const STATES: &'static [StateIx];
}

impl<E: Entity> Place<E> for Any {
    type Item = E;
    const STATES: &'static [StateIx] = E::STATES;
}

/// [`Any`] in a tuple of states does not compile: each entity would be found twice.
const fn state_ix<E: Entity, S: StateOf<E>>() -> StateIx {
    match S::STATE {
        Some(state) => state,
        None => panic!("`Any` is every state already: write it alone, or name the states"),
    }
}

macro_rules! places {
    ($($state:ident),*) => {
        impl<E: Entity, $($state: StateOf<E>),*> Place<E> for ($($state,)*) {
            type Item = E;
            const STATES: &'static [StateIx] = &[$(state_ix::<E, $state>()),*];
        }
    };
}

places!(A);
places!(A, B);
places!(A, B, C);
places!(A, B, C, D);

macro_rules! by_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<T: Keyed> {
            key: T::Key,
            entity: PhantomData<fn() -> T>,
        }

        impl<T: Keyed> $name<T> {
            /// Names an entity by a key.
            pub fn new(key: impl Into<T::Key>) -> Self {
                Self { key: key.into(), entity: PhantomData }
            }

            /// The key.
            pub fn key(&self) -> &T::Key {
                &self.key
            }
        }

        impl<T: Keyed<Key = String>> From<&str> for $name<T> {
            fn from(key: &str) -> Self {
                Self::new(key)
            }
        }

        impl<T: Keyed<Key = String>> From<String> for $name<T> {
            fn from(key: String) -> Self {
                Self::new(key)
            }
        }

        impl<T: Keyed<Key = u64>> From<u64> for $name<T> {
            fn from(key: u64) -> Self {
                Self::new(key)
            }
        }

        impl<T: Keyed<Key = (String, B)>, B> From<(&str, B)> for $name<T> {
            fn from((a, b): (&str, B)) -> Self {
                Self::new((a.to_owned(), b))
            }
        }

        impl<T: Keyed> Clone for $name<T> {
            fn clone(&self) -> Self {
                Self { key: self.key.clone(), entity: PhantomData }
            }
        }

        impl<T: Keyed<Key: fmt::Debug>> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.key)
            }
        }

        impl<T: Keyed> Serialize for $name<T> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.key.serialize(serializer)
            }
        }

        impl<'de, T: Keyed> Deserialize<'de> for $name<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                T::Key::deserialize(deserializer).map(|key| Self { key, entity: PhantomData })
            }
        }
    };
}

by_key! {
    /// An entity by its key, which is looked up when the event fires. An event with an unknown key is rejected.
    Key
}

by_key! {
    /// An entity by its key, created in its initial state if there is none.
    Ensure
}
