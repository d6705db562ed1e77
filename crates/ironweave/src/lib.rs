//! ironweave: systems whose state is a graph of entities with lifecycles.
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
pub use base::position::{FrameRef, ParsePositionError, Position, Seq};
pub use base::storage_error::{StorageError, StorageFailure};
pub use base::time::{ParseTimestampError, Timestamp};
pub use db::entity::{Any, Ensure, Entity, Handle, Key, Keyed, Place, StateOf};
pub use db::query::{self, Filter};
pub use db::{Db, Links, Places, Reader};
pub use graph::fact::{Fact, Facts};
pub use graph::key::KeyQuery;
pub use history::{Past, Report, Reports, When};
pub use ironweave_macros::model;
pub use log::TornTail;
#[cfg(feature = "sqlite")]
pub use project::sqlite::{ProjectionError, SqliteOptions, SqliteProjection};
pub use project::{Fold, Projection};
pub use snapshot::{Changes, Outcome, Snapshot, Snapshots};
pub use step::any_event::AnyEvent;
pub use step::event::{Apply, Bound, Event, Handles, Named, Receipt};
pub use step::guarded::Guarded;
pub use step::model::Model;
pub use step::{Ensured, New, Tx};
pub use store::{
    AnyReceipt, Committed, Difference, Durability, FiringView, FrameView, FrameViews, Options,
    Savepoint, SharedStore, Store, Transaction, VerifyError,
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
