//! The model that is read from a log instead of from the program.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::schema::Schema;
use crate::step::any_event::{AnyEvent, EventMaker, EventVisitor};
use crate::step::model::{Binding, Model};

/// The model of any log, which is read from the log itself: `Store<Dynamic>` opens a log without the types of the program
/// that wrote it.
///
/// Such a store is opened for reading only, with [`Store::open_read_only`](crate::Store::open_read_only), and fires no event.
/// [`Snapshot::with_by_name`](crate::Snapshot::with_by_name) tries an event on a snapshot by the schema, if the event needs no code of the program.
/// It replays the same facts into the same graph, with the same [fingerprints](crate::Store::fingerprint). Entities, fields
/// and links are read by name, through [`Db::by_name`](crate::Db::by_name). Records, [`as_of`](crate::Store::as_of),
/// snapshots and subscriptions are those of any store; the events in records have their
/// [fields](crate::Firing::fields) by name, and no type.
///
/// A log may have been continued with other versions of its model. Each of its epochs is then replayed with its own schema:
/// a snapshot of `as_of` has the [schema](crate::Snapshot::schema) of then, and a record the names of then.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::dynamic::Dynamic;
/// use ironweave::prelude::*;
/// use lamps::Lit;
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let mut store = Store::<lamps::Model>::open(dir)?;
/// store.try_step(Lit { lamp: "hall".into() })?;
///
/// // In another program, which does not have the module `lamps`:
/// let store = Store::<Dynamic>::open_read_only(dir)?;
/// let hall = store.by_name().find("Lamp", "hall")?.expect("it was created above");
/// assert_eq!(hall.state(), "On");
/// assert_eq!(hall.to_string(), r#"Lamp "hall""#);
/// for (name, value) in hall.fields() {
///     println!("{name}: {value}");
/// }
/// for record in store.frames(0)? {
///     println!("{:?}", record?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Dynamic {}

/// The events that a program can fire in a [`Dynamic`] store: there are none.
#[derive(Clone, Copy, Debug)]
pub enum NoEvent {}

impl Model for Dynamic {
    const NAME: &'static str = "dynamic";
    const IS_DYNAMIC: bool = true;
    type Event = NoEvent;

    /// The binding of a log without a schema.
    fn binding() -> Binding {
        Binding {
            schema: Schema::default(),
            columns: Vec::new(),
            data: Vec::new(),
            indexes: Vec::new(),
            events: Vec::new(),
            invariants: Vec::new(),
        }
    }
}

impl AnyEvent for NoEvent {
    type Model = Dynamic;
    const NAMES: &'static [&'static str] = &[];

    fn accept<'e, V: EventVisitor<'e>>(&'e self, _: V) -> V::Output {
        match *self {}
    }

    fn make<M: EventMaker>(_: usize, maker: M) -> Result<Self, M::Error> {
        Err(maker.no_such_event())
    }
}

impl Serialize for NoEvent {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for NoEvent {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(
            "a store that is opened without the types of its model fires no event",
        ))
    }
}
