//! Systems whose state is a graph of entities with lifecycles.
//!
//! A **model** declares entities with fields and states, edges between them, and events. An **event** is a request to
//! change the graph. Its *arcs* say which entities it creates, moves, links and deletes, and whether it may. A **store**
//! holds the graph in memory and appends each transaction to a log, from which it is restored. What breaks the
//! lifecycles is a compile error where the types tell, and a rejection that changes nothing where they do not.
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
//! // A lamp that burns is not lit again, and nothing has changed.
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
//! | a thing with an identity | `#[entity]` | it is found by a handle, by its `#[key]` or over edges |
//! | phases of its life | `#[states(Entity)]` | only declared transitions compile, and each phase can have data of its own |
//! | a relation | a field of type `Many<T>`, `Option<T>` or `T` | both ends stay equal, and cardinalities are kept |
//! | a change that a program requests | `#[event]` with arcs (`create`, `moves`, `link`, `set`, `delete`) | it is checked, logged and replayed without code of yours |
//! | a change that follows from the state | `#[immediate]` | it fires by itself, in the step that enables it |
//! | a condition on states | a source state, or `when(..)` | tools can read it |
//! | a condition on anything else | `#[guard(path)]` | it reads the graph, the event's entities and the time: [`Guarded`] |
//! | a change that arcs cannot express | `#[may(..)]` with [`Apply`] | the code can do what the event declares, and nothing else |
//! | a rule of the whole | `#[invariant(..)]` | it is checked when a transaction commits |
//!
//! In a program:
//!
//! | you need | use |
//! |---|---|
//! | a store on disk | [`Store::open`]; in memory, [`Store::memory`]; in memory without a log, [`Store::unlogged`] |
//! | one event | [`Store::try_step`], or [`Store::step`], which panics if the event is rejected |
//! | several events that happen together or not at all | [`Store::begin`] and [`Transaction::commit`] |
//! | an actor, a time, an idempotency key, an expectation | [`Meta`], with [`Store::begin_with`] |
//! | to try events without keeping them | [`Store::what_if`]; on a value that other threads can hold, [`Snapshot::with`] |
//! | to read | any [`Db`]: a store, a transaction, a snapshot |
//! | many threads | [`SharedStore`] to write, [`StoreReader`] to read and follow what one thread writes |
//! | the past | [`Store::as_of`] for the graph as it was, [`Store::history`] for one entity, [`Store::since`] for transactions |
//! | to follow what happens | [`Store::subscribe`], and [`Store::subscribe_as`] to resume after a restart |
//! | tables for SQL | `Store::project_into_sqlite`, with the feature `sqlite` |
//! | to answer a request that failed | [`ErrorKind`], from which HTTP statuses follow |
//!
//! # The life of a transaction
//!
//! | stage | what happens | what can end it |
//! |---|---|---|
//! | 1. begin | [`Meta`] is checked: time, named frames, idempotency key. | [`StepError::TimeGoesBack`], [`StepError::Metadata`] |
//! | 2. bind | For each event, handles are checked, keys are looked up, `Ensure` and `create` create. | [`StepError::StaleHandle`], [`StepError::UnknownKey`], [`StepError::NotInPlace`] |
//! | 3. check | Source states, `when` conditions and guards are evaluated, before any other arc acts. | [`StepError::When`], [`StepError::Guard`] |
//! | 4. act | Arcs unlink, link, set, move and delete. Then the handler runs. | [`StepError::Rejected`], [`StepError::AlreadyLinked`], [`StepError::Restricted`] |
//! | 5. bound | Cardinalities and acyclic edges hold. | [`StepError::Cardinality`], [`StepError::Cycle`] |
//! | 6. follow | Immediate events fire until none is enabled. | [`StepError::Loop`] |
//! | 7. commit | Invariants hold, and the transaction is appended to the log. | [`StepError::Invariant`], [`StepError::Storage`] |
//! | 8. sync | The log is durable, as [`Durability`] says, before the receipt is returned. | [`StepError::Indeterminate`] |
//!
//! An event that fails in the stages 2 to 6 is undone, and its transaction can go on. A transaction that fails in stage 7,
//! or is dropped, is undone. `docs/semantics.md` in the repository has each rule with its test, and `docs/guide` is a
//! book.
#![forbid(unsafe_code)]
#![warn(clippy::must_use_candidate, clippy::return_self_not_must_use)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as ironweave;

mod base;
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
pub mod schema;
mod snapshot;
mod step;
mod store;
mod subscribe;
mod value;

pub use base::error::{
    Chain, EntityRef, ErrorKind, Inconsistency, LoopLimit, Name, OpenError, ReadError, Reason,
    Reject, StepError,
};
pub use base::id::{Id, ParseHandleError, ParseIdError};
pub use base::meta::Meta;
pub use base::position::{FrameRef, ParsePositionError, Position};
pub use base::seq::{ParseSeqError, Seq, SeqRange};
pub use base::storage_error::StorageError;
pub use base::time::{ParseTimestampError, Timestamp};
pub use db::entity::{Any, Ensure, Entity, Handle, Key, Keyed, Place, StateOf};
pub use db::query::Filter;
pub use db::{Db, Links, Places, Reader};
pub use graph::key::KeyQuery;
pub use history::{AsOf, HistoryEntry};
pub use ironweave_macros::model;
pub use log::TornTail;
#[cfg(feature = "sqlite")]
pub use project::sqlite::{SqliteError, SqliteOptions, SqliteProjection};
pub use project::{Fold, FoldError, ProjectError, Projection};
pub use snapshot::{AnyOutcome, Outcome, Snapshot, StoreReader};
pub use step::any_event::AnyEvent;
pub use step::event::{Applied, Apply, Bound, Event, Handles, Named, Receipt};
pub use step::guarded::Guarded;
pub use step::model::Model;
pub use step::{Ensured, New, Tx};
pub use store::{
    AnyApplied, AnyReceipt, Changes, Committed, Difference, Durability, Fact, FactEntity, FactIter,
    FactKind, Facts, Field, Firing, Occupant, Options, Record, RecordedEvent, Records, Savepoint,
    SharedStore, Store, Transaction, VerifyError,
};
pub use subscribe::Subscription;
#[cfg(feature = "stream")]
pub use subscribe::stream::SubscriptionStream;
pub use value::Value;

/// The blocks of the README of the repository, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Those of the README of this crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
