//! Entities as Rust types: handles, tokens, states and keys. The macro implements these traits.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::id::Id;
use crate::graph::column::ColumnType;
use crate::schema::{ColumnIx, EntityIx, StateIx};
use crate::value::{Value, is_faithful};

/// An entity type, which is also the type of its handles. The macro implements it.
///
/// `Partition` is a handle of a partition in any state. `Partition<Live>` is a token: a handle with the state in which the
/// partition was read.
pub trait Entity: Handle<Entity = Self> + Copy {
    /// The [`Model`](crate::Model) that declares the entity type.
    type Model: 'static;
    /// The type of a token in state `S`.
    type In<S: StateOf<Self>>: Handle<Entity = Self>;
    #[doc(hidden)]
    const INDEX: EntityIx;
    #[doc(hidden)]
    const STATES: &'static [StateIx];
    /// The name of the entity type, as declared.
    const NAME: &'static str;
}

/// A handle or a token of an entity. The macro implements it.
pub trait Handle: 'static {
    /// The entity type.
    type Entity: Entity;
    /// The state that a token claims; `None` for a handle.
    #[doc(hidden)]
    const STATE: Option<StateIx>;

    #[doc(hidden)]
    fn from_id(id: Id) -> Self;
    /// Returns the id of the entity.
    fn id(&self) -> Id;
}

/// An entity type that has a key, by which [`Db::find`](crate::Db::find), [`Key`] and [`Ensure`] find entities.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no key",
    label = "an entity without a key",
    note = "put `#[key]` on one of its fields"
)]
pub trait Keyed: Entity {
    /// The type of the key: the type of the key field, or a tuple if several fields are the key.
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

/// All states: the type parameter of a plain handle, and the place that contains all entities of a type.
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

/// A set of states of an entity type, for [`Db::place`](crate::Db::place) and filters: one state, a tuple of up to four
/// states, or [`Any`] for all states.
///
/// Entities in a place of one state are returned as tokens, and others as handles.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state of `{E}`, nor a tuple of up to four",
    label = "not a place of `{E}`"
)]
pub trait Place<E: Entity> {
    /// The type of the returned entities: a token for one state, otherwise a handle.
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
            /// Returns a reference to the entity with a key.
            pub fn new(key: impl Into<T::Key>) -> Self {
                Self { key: key.into(), entity: PhantomData }
            }

            /// Returns the key.
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
    /// A field of an event that refers to an entity by its key. The key is looked up when the event fires, and an event with
    /// an unknown key is rejected ([`StepError::UnknownKey`](crate::StepError::UnknownKey)).
    Key
}

by_key! {
    /// A field of an event that refers to an entity by its key. If no entity has the key, the event creates one in its initial
    /// state.
    Ensure
}
