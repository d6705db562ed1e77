//! Entities as Rust types: handles, tokens, states and keys. The macro implements these traits.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::Id;
use crate::plumbing::{Binding, EventMaker, EventVisitor};
use crate::schema::{ColumnIx, EntityIx, StateIx};
use crate::step::bind::{key_bytes, parts};
use crate::step::event::{DynEvent, Event};
use crate::value::{Value, is_faithful};

/// A model, declared by `#[ironweave::model]`.
pub trait Model: Sized + 'static {
    /// The name of its module.
    const NAME: &'static str;
    /// Its events that a program can fire, as one type.
    type Event: AnyEvent<Model = Self>;

    /// Its schema, bound to code.
    #[doc(hidden)]
    fn binding() -> Binding;
}

/// The events of a model that a program can fire, as one type: for those that come from outside, as JSON.
///
/// The macro makes the enum `AnyEvent` of a model, with a variant for each event; serde reads and writes it as
/// `{"JobStarted": {"run": "JobRun/3.1"}}`.
pub trait AnyEvent: Serialize + for<'de> Deserialize<'de> {
    /// The model.
    type Model: Model;
    /// The names of the events.
    const NAMES: &'static [&'static str];
    #[doc(hidden)]
    fn accept<'e, V: EventVisitor<'e>>(&'e self, visitor: V) -> V::Output;
    #[doc(hidden)]
    fn make<M: EventMaker>(index: usize, maker: M) -> Result<Self, M::Error>;

    /// The name of this one.
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

/// An entity type, which is also its handle: `Partition` is any partition, `Partition<Live>` a token.
pub trait Entity: Handle<Entity = Self> + Copy {
    /// The model that declares it.
    type Model: Model;
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
    /// The state that it claims; none where it is a plain handle.
    #[doc(hidden)]
    const STATE: Option<StateIx>;

    #[doc(hidden)]
    fn from_id(id: Id) -> Self;
    /// Which one.
    fn id(&self) -> Id;
}

/// An entity type with a key.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no key",
    label = "an entity without a key",
    note = "put `#[key]` on one of its fields"
)]
pub trait Keyed: Entity {
    /// The type of its key: that of the field, or a tuple of those of several.
    type Key: Value + Hash + Eq;
    #[doc(hidden)]
    const KEY: &'static [ColumnIx];
    /// Whether all keys are known to come back as they were written.
    #[doc(hidden)]
    #[inline]
    #[must_use]
    fn has_faithful_key() -> bool {
        is_faithful::<Self::Key>()
    }
}

/// The state of a handle: any.
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

/// A state of an entity type, up to four in a tuple, or [`Any`] for all: what `place` can be asked for.
///
/// One state gives tokens, several give handles.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state of `{E}`, nor a tuple of up to four",
    label = "not a place of `{E}`"
)]
pub trait Place<E: Entity> {
    /// What is found there.
    type Item: Handle<Entity = E>;
    #[doc(hidden)]
    const STATES: &'static [StateIx];
}

impl<E: Entity> Place<E> for Any {
    type Item = E;
    const STATES: &'static [StateIx] = E::STATES;
}

/// [`Any`] in a tuple of states does not compile: it would find everything twice.
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

/// What can be looked up among keys: a key, or what it borrows as (`str` for `String`).
pub trait KeyQuery<K>: Hash + Eq {
    #[doc(hidden)]
    fn find_in<S: crate::graph::storage::Storage>(
        &self,
        column: &crate::graph::column::Column<K, S>,
    ) -> Option<u32>
    where
        K: Value;

    #[doc(hidden)]
    fn find_parts<S: crate::graph::storage::Storage>(
        &self,
        graph: &crate::graph::Graph<S>,
        entity: EntityIx,
    ) -> Option<u32>;

    /// In CBOR.
    #[doc(hidden)]
    fn bytes(&self) -> Vec<u8>;
}

impl<K: Borrow<Q> + Hash + Eq, Q: Hash + Eq + Serialize + ?Sized> KeyQuery<K> for Q {
    fn find_in<S: crate::graph::storage::Storage>(
        &self,
        column: &crate::graph::column::Column<K, S>,
    ) -> Option<u32>
    where
        K: Value,
    {
        column.find(self)
    }

    fn find_parts<S: crate::graph::storage::Storage>(
        &self,
        graph: &crate::graph::Graph<S>,
        entity: EntityIx,
    ) -> Option<u32> {
        let bytes = key_bytes(self);
        graph.find_parts(entity, &parts(&bytes))
    }

    fn bytes(&self) -> Vec<u8> {
        key_bytes(self)
    }
}

macro_rules! by_key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<T: Keyed> {
            key: T::Key,
            entity: PhantomData<fn() -> T>,
        }

        impl<T: Keyed> $name<T> {
            /// Of a key.
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
    /// An entity by its key, looked up when the event fires; an unknown key rejects.
    Key
}

by_key! {
    /// An entity by its key, created in its initial state where there is none.
    Ensure
}
