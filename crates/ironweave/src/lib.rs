//! A framework for systems whose state is a graph of entities with lifecycles.
//!
//! A **model** declares entities with fields and states, edges between them, and events. An **event** is a request to
//! change the graph. Its *arcs* declare which entities it creates, moves, links and deletes, and under which conditions. A
//! **store** keeps the graph in memory and appends each transaction to a log, from which the graph is replayed when the
//! store is opened. A change that violates a lifecycle is a compile error if the types show it. Otherwise the event is
//! rejected, and changes nothing.
//!
//! ```
//! # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
//! use ironweave::prelude::*;
//! use lamps::{Bought, Lamp, Lit, state::On};
//!
//! let mut store = Store::<lamps::Model>::memory();
//! let bought = store.try_step(Bought { room: "hall".into() })?;
//! store.try_step(Lit { lamp: "hall".into() })?;
//! assert!(bought.created.lamp.is::<On>(&store));
//!
//! // The event is rejected, since the lamp is on already. The graph is unchanged.
//! let e = store.try_step(Lit { lamp: "hall".into() }).unwrap_err();
//! assert_eq!(e.to_string(), "Lit: Lamp \"hall\" is On, not Off");
//! assert_eq!(store.count::<Lamp, On>(), 1);
//! # Ok::<(), StepError>(())
//! ```
//!
//! # When to use what
//!
//! In a [`model`](macro@model):
//!
//! | you need | use | because |
//! |---|---|---|
//! | an object with an identity | `#[entity]` | it is found by a handle, by its `#[key]` or along edges |
//! | a lifecycle | `#[states(Entity)]` | only declared transitions compile, and each state can have data |
//! | a relation | a field of type `Many<T>`, `Option<T>` or `T` | both ends stay consistent, and cardinalities are checked |
//! | a change that a program requests | `#[event]` with arcs (`create`, `moves`, `link`, `set`, `delete`) | it is checked, logged and replayed without handwritten code |
//! | a change that follows from the state | `#[immediate]` | it fires in the step that enables it |
//! | a condition on states, on numbers of entities, or between values | a source state, or `when(..)` | it is part of the schema, so tools can read it |
//! | any other condition | `#[guard(path)]` | it reads the graph, the entities of the event and the time: [`Guarded`] |
//! | a change that arcs cannot express | `#[may(..)]` with [`Apply`] | the code can make only the changes that the event declares |
//! | a rule of the whole graph | `#[invariant(..)]` | it is checked when a transaction commits |
//!
//! In a program:
//!
//! | you need | use |
//! |---|---|
//! | a store on disk | [`Store::open`]; in memory, [`Store::memory`]; in memory without a log, [`Store::unlogged`] |
//! | one event | [`Store::try_step`], or [`Store::step`], which panics if the event is rejected |
//! | many independent events | [`Store::step_all`], which writes them together; [`SharedStore::submit`], which returns a [`Ticket`] |
//! | several events that are committed atomically | [`Store::begin`] and [`Transaction::commit`] |
//! | an actor, a time, an idempotency key, optimistic concurrency | [`Meta`], with [`Store::begin_with`] |
//! | to try events without committing them | [`Store::what_if`]; on an immutable value that threads can share, [`Snapshot::with`] |
//! | to read | any [`Db`]: a store, a transaction, a snapshot |
//! | to find entities by their values and links | a [`Filter`], counted or in pages: [`query`] |
//! | to open a log of an earlier version of the model | [`Options::migrate`] if its data must change; in a test, [`assert_compatible!`] |
//! | to find what can never happen in a model | in a test, [`assert_model_is_sound!`], with the feature `net` |
//! | to read events of an earlier version | `#[upcast(..)]` on the event, with a [`LoggedEvent`] |
//! | many threads | [`SharedStore`] to write, [`StoreReader`] to read and follow what one thread writes |
//! | async tasks | `AsyncStore`, with the feature `async` |
//! | a store that opens fast, and a log that does not grow without end | [`Options::checkpoint_every`], [`Retention`] |
//! | to test what depends on time | [`Options::clock`] with a [`ManualClock`] |
//! | to find what a model can do wrong, before it runs | `check::Checker`, with the feature `check` |
//! | to test a program's own code with many events | `check::histories`, with the feature `proptest` |
//! | to find how long things take, and what waits for what | `simulate::Simulation`, with the feature `simulate` |
//! | a log or a graph by name, without the types of its model | [`dynamic::Dynamic`], [`Db::by_name`] |
//! | the past | [`Store::as_of`] for the graph as it was, [`Store::history`] for one entity, [`Store::since`] for transactions |
//! | to follow transactions | [`Store::subscribe`], and [`Store::subscribe_as`] to resume after a restart |
//! | tables for SQL | `Store::project_into_sqlite`, with the feature `sqlite` |
//! | pictures of the model | in its documentation; `net::draw::Diagram`, with the feature `draw` |
//! | to see what a store does, and to count it | `Store::meter`, and spans and events of the crate `tracing`, with the feature `tracing` |
//! | to respond to a failed request | [`ErrorKind`], which has an HTTP status |
//!
//! # The life of a transaction
//!
//! | stage | what happens | errors |
//! |---|---|---|
//! | 1. begin | [`Meta`] is checked: time, frames, idempotency key. | [`StepError::TimeGoesBack`], [`StepError::Metadata`], [`StepError::KeyExpired`] |
//! | 2. bind | For each event, handles are checked, keys are looked up, and `Ensure` and `create` create entities. | [`StepError::StaleHandle`], [`StepError::UnknownKey`], [`StepError::NotInPlace`] |
//! | 3. check | Source states, `when` conditions and guards are evaluated before any other change. | [`StepError::When`], [`StepError::Guard`] |
//! | 4. act | Arcs unlink, link, set, move and delete. Then the handler runs. | [`StepError::Rejected`], [`StepError::AlreadyLinked`], [`StepError::Restricted`] |
//! | 5. bound | Cardinalities and acyclic edges are checked. | [`StepError::Cardinality`], [`StepError::Cycle`] |
//! | 6. follow | Immediate events fire until none is enabled. | [`StepError::Loop`] |
//! | 7. commit | Invariants are checked, and the transaction is appended to the log. | [`StepError::Invariant`], [`StepError::Storage`] |
//! | 8. sync | The log is synced as [`Durability`] requires, before the receipt is returned. | [`StepError::Indeterminate`] |
//!
//! An event that fails in stages 2 to 6 is rolled back, and its transaction can continue. A transaction that fails in stage
//! 7 or is dropped is rolled back. A failure in stage 8 stops the store. In the repository, `docs/semantics.md` lists each rule
//! with its tests, and `docs/guide` is an introduction.
#![forbid(unsafe_code)]
#![warn(clippy::must_use_candidate, clippy::return_self_not_must_use)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as ironweave;

#[cfg(feature = "async")]
mod asynchronous;
mod base;
#[cfg(feature = "check")]
#[cfg_attr(docsrs, doc(cfg(feature = "check")))]
pub mod check;
mod db;
mod graph;
#[cfg(doctest)]
mod guide;
mod history;
mod log;
#[doc(hidden)]
pub mod plumbing;
pub mod prelude;
mod project;
pub mod raw_log;
pub mod schema;
#[cfg(feature = "simulate")]
#[cfg_attr(docsrs, doc(cfg(feature = "simulate")))]
pub mod simulate;
mod snapshot;
mod step;
mod store;
mod subscribe;
mod value;

/// Any log and any graph without the types of its model: [`Dynamic`] is a model that is read from the log, and
/// [`GraphView`], which [`Db::by_name`] returns, reads a graph by the names in its schema.
///
/// [`Dynamic`]: dynamic::Dynamic
/// [`GraphView`]: dynamic::GraphView
pub mod dynamic {
    pub use crate::base::error::{NeededCode, TrialError};
    pub use crate::db::named::{EntityType, EntityView, GraphView, LinkView, ValueView};
    pub use crate::snapshot::code_needed_by;
    pub use crate::step::dynamic::{Dynamic, NoEvent};
}

/// What a store counts about its own work; see [`Meter`](metrics::Meter). With the feature `tracing`, a store also has spans and events of
/// the crate `tracing` for steps, rejections, syncs and subscriptions that are behind.
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod metrics {
    pub use crate::base::meter::{Meter, Metrics};
}

/// The types of queries of indexes that are declared on entities; see [`ByIndex`].
pub mod index {
    pub use crate::db::by_index::{ByIndex, Hashed, IndexPart, Linked, Sorted};
    pub use crate::db::lists::Descending;
}

/// What filters are made of, and what their results are read with: [`FieldPath`] and [`EdgePath`] are the constants of an entity
/// type by which a [`Filter`] names fields and edges, and a [`Page`] is a part of the results.
///
/// [`FieldPath`]: query::FieldPath
/// [`EdgePath`]: query::EdgePath
/// [`Page`]: query::Page
pub mod query {
    pub use crate::db::query::page::{Page, PageError, PageToken, ParsePageTokenError, Sorted};
    pub use crate::db::query::path::{
        AtMostOne, EdgePath, End, FieldPath, IndexedInOrder, Many, NotOrdered, Operand, Ordered,
    };
    pub use crate::db::query::plan::Plan;
}

#[cfg(feature = "async")]
pub use asynchronous::AsyncStore;
pub use base::clock::{Clock, ManualClock};
pub use base::error::{
    Chain, EntityRef, ErrorKind, FrameLocation, Incomplete, Inconsistency, LoopLimit,
    MigrationError, Name, NameError, NotCarried, OpenError, Problem, ReadError, Reason,
    RefusedDifference, Reject, StepError, UpgradeError,
};
pub use base::id::{Id, ParseHandleError, ParseIdError};
pub use base::meta::Meta;
pub use base::position::{FrameRef, ParsePositionError, Position};
pub use base::seq::{ParseSeqError, Seq, SeqRange};
pub use base::storage_error::StorageError;
pub use base::time::{ParseTimestampError, Timestamp, TimestampRangeError};
pub use db::by_index::ByIndex;
pub use db::entity::{Any, Ensure, Entity, Handle, Key, Keyed, Place, StateOf};
pub use db::lists::{Indexed, Links, Places, Selected};
pub use db::query::Filter;
pub use db::{Db, Reader};
pub use graph::key::KeyQuery;
pub use history::{AsOf, HistoryEntry, ParseAsOfError, Retained, Retention, RetentionPlan};
/// Declares a model: turns an inline module of entities, states, events and invariants into types.
///
/// | attribute | on | declares |
/// |---|---|---|
/// | `#[entity]` | a struct | an entity type; its fields are values, or edges of type `T`, `Option<T>` or `Many<T>` |
/// | `#[key]`, `#[index]`, `#[index(ordered)]` | a field of an entity | how entities are found by the field |
/// | `#[index(ordered, fields = [..], while = ..)]` | an entity | an index of several parts; see [`ByIndex`] |
/// | `#[default]`, `#[default(value)]` | a field, data of a state or of links | the value of what does not have one yet |
/// | `#[inverse(Entity::field)]`, `#[edge(..)]` | an edge | the other end of an edge, and the options of an end |
/// | `#[states(Entity)]` | an enum | the lifecycle of an entity type, with `#[initial]`, `#[terminal]` and `#[to(..)]` on its variants |
/// | `#[event]` | a struct | an event that a program fires |
/// | `#[immediate]`, `#[immediate(by = entity.field)]` | a struct with one field | an event that fires in the step that enables it |
/// | `create`, `moves`, `link`, `unlink`, `relink`, `set`, `delete` | an event | the changes that the event makes |
/// | `choose` | an event | the entities that the event binds itself, among candidates |
/// | `when`, `guard` | an event | the conditions of the event |
/// | `#[due(entity.field)]`, `#[due(entity.State.field)]` | an event with one field | the time at which the event is due; see [`Store::due`] |
/// | `#[may(..)]` | an event | the changes that its handler, an implementation of [`Apply`], may make |
/// | `#[renamed(from = "..")]` | an item that has a name | the names that it had in earlier logs |
/// | `#[upcast(from = "..", with = path)]` | an event | how logged events are read as the event; see [`LoggedEvent`] |
/// | `#[invariant(Entity, via = [..], path)]` | a unit struct | a condition that is checked when a transaction commits |
///
/// The module also gets the types [`Model`](trait@Model), a parameter of [`Store`], and [`AnyEvent`](trait@AnyEvent), and the
/// module `state` with a type for each state. In the repository, `docs/guide/src/reference.md` lists each attribute with what
/// it refuses.
///
/// ```
/// #[ironweave::model]
/// pub mod library {
///     use ironweave::prelude::*;
///
///     #[entity]
///     pub struct Book {
///         #[key]
///         pub title: String,
///     }
///     #[states(Book)]
///     pub enum BookState {
///         #[initial]
///         #[to(Lent)]
///         Present,
///         #[to(Present)]
///         Lent { to: String },
///     }
///
///     #[event]
///     #[create(book: Book { title })]
///     pub struct Added { pub title: String }
///
///     #[event]
///     #[moves(book: Present -> Lent { to })]
///     pub struct Borrowed { pub book: Key<Book>, pub to: String }
/// }
///
/// # fn main() -> Result<(), ironweave::StepError> {
/// use ironweave::prelude::*;
/// use library::{Added, Borrowed};
///
/// let mut store = Store::<library::Model>::memory();
/// store.try_step(Added { title: "Emma".into() })?;
/// let lent = store.try_step(Borrowed { book: "Emma".into(), to: "Ada".into() })?.bound.book;
/// assert_eq!(lent.to(&store), "Ada");
/// # Ok(())
/// # }
/// ```
pub use ironweave_macros::model;
/// Compares the schema of a model with a file in the repository, so that a change of the model is reviewed with what it means for
/// existing stores. Call it in a test:
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// # fn test() {
/// ironweave::assert_compatible!(lamps::Model, "schema.json");
/// # }
/// ```
///
/// The path is relative to the directory of the package. The model may be left out in a module that has it as `Model`.
///
/// The assertion fails if the file is missing or differs from the schema, and lists all differences: first those because of which a
/// store would be refused, then those that depend on its data, each with what to write, and then those that are taken for each store. It
/// also names the command that writes the file: `IRONWEAVE_BLESS=1 cargo test -p package`, or with the value `migrated` if some of the
/// changes are not taken for each store. With `1` such changes are not written, so that none is taken unread. Nothing is written
/// if the variable `CI` is set.
///
/// # Panics
/// If the file is not that of the schema.
#[macro_export]
macro_rules! assert_compatible {
    ($file:literal $(,)?) => {
        $crate::assert_compatible!(Model, $file)
    };
    ($model:ty, $file:expr $(,)?) => {
        $crate::plumbing::assert_compatible::<$model>(
            (env!("CARGO_MANIFEST_DIR"), env!("CARGO_PKG_NAME")),
            $file,
        )
    };
}

/// Finds mistakes that the structure of a model shows: a state that is never reached or cannot be left, an event that can never fire, an
/// edge that nothing links, immediate events that enable each other without end. Call it in a test. It needs the feature `net`, which a
/// program can turn on for its tests only, under `[dev-dependencies]`.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// ironweave::assert_model_is_sound!(lamps::Model);
/// ```
///
/// The model may be left out in a module that has it as `Model`.
///
/// The assertion fails with all findings as text: `Bed::Cleaning cannot be left: no event moves a Bed out of it, and it is not
/// #[terminal]`. Most are certain for the program, because an event can do no more than its arcs and the permissions of its handler.
/// A loop of immediate events is only possible in the net: a guard, an invariant or the values of fields may rule it out.
/// [`net::lint`] has the kinds of findings. One that is intended is accepted by the name that the text gives:
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// # let failed = std::panic::catch_unwind(|| {
/// ironweave::assert_model_is_sound!(lamps::Model, allow = ["state_never_left Lamp::On"]);
/// # });
/// # let message = failed.unwrap_err();
/// # assert!(message.downcast_ref::<String>().unwrap().contains("is not a finding"));
/// ```
///
/// # Panics
/// If there is a finding that is not accepted, or an accepted one that is not found.
#[cfg(feature = "net")]
#[macro_export]
macro_rules! assert_model_is_sound {
    () => {
        $crate::assert_model_is_sound!(Model)
    };
    ($model:ty $(, allow = [$($name:expr),* $(,)?])? $(,)?) => {
        $crate::plumbing::assert_model_is_sound::<$model>(&[$($($name),*)?])
    };
}
/// Finds mistakes that the structure of a model shows, with the feature `net`.
#[cfg(not(feature = "net"))]
#[macro_export]
macro_rules! assert_model_is_sound {
    ($($anything:tt)*) => {
        ::core::compile_error!(
            "`assert_model_is_sound!` needs the feature `net` of ironweave; write `ironweave = { .., features = [\"net\"] }` under `[dev-dependencies]`"
        )
    };
}
/// The net of a model as plain data, what can never happen in it, and place/transition nets.
#[cfg(feature = "net")]
pub use ironweave_net as net;
pub use log::TornTail;
#[cfg(feature = "sqlite")]
pub use project::sqlite::{SqliteError, SqliteOptions, SqliteProjection};
pub use project::{Fold, FoldError, ProjectError, Projection};
pub use snapshot::{AnyOutcome, Outcome, Snapshot, StoreReader};
pub use step::any_event::AnyEvent;
pub use step::due::DueEvent;
pub use step::event::{Applied, Apply, Bound, Event, Handles, Named, Receipt};
pub use step::guarded::Guarded;
pub use step::migrate::{Migration, MigrationEntity, MigrationValue, MigrationValues};
pub use step::model::Model;
pub use step::upcast::{LoggedEvent, UpcastError};
pub use step::{Ensured, New, Tx};
pub use store::{
    AnyApplied, AnyReceipt, Changes, Checkpoint, CheckpointPolicy, Committed, Difference, Dropped,
    DroppedKind, DueDriver, DueNotice, DueReport, Durability, Fact, FactEntity, FactIter, FactKind,
    Facts, Field, FiredDue, Firing, IgnoredCheckpoint, KeyRetention, MigrationReport, NotFired,
    Occupant, OpenedFrom, Options, Record, RecordedEvent, Records, RejectedDue, ReportedDifference,
    Savepoint, SharedStore, Store, Ticket, Transaction, Verified, VerifyError,
};
pub use subscribe::Subscription;
#[cfg(feature = "async")]
pub use subscribe::stream::SubscriptionStream;
pub use value::Value;
pub use value::arithmetic::{CheckedAdd, CheckedSub};

/// The code blocks of the README of the repository, as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// The code blocks of the README of this crate, as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
