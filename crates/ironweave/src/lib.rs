//! ironweave: systems whose state is a graph of entities with lifecycles.
#![forbid(unsafe_code)]
#![warn(clippy::must_use_candidate, clippy::return_self_not_must_use)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate self as ironweave;

mod bell;
mod cbor;
mod db;
mod entity;
mod error;
mod fact;
mod graph;
#[cfg(doctest)]
mod guide;
mod hash;
mod history;
mod id;
mod item;
pub mod log;
mod meta;
#[doc(hidden)]
pub mod plumbing;
mod position;
pub mod prelude;
mod project;
pub mod query;
pub mod schema;
mod snapshot;
mod step;
mod store;
mod subscribe;
mod time;
mod value;

pub use db::{Db, Links, Places, Reader};
pub use entity::{
    Any, AnyEvent, Ensure, Entity, Handle, Key, KeyQuery, Keyed, Model, Place, StateOf,
};
pub use error::{Chain, EntityRef, ErrorKind, LoopLimit, Name, Reject, StepError};
pub use fact::{Fact, Facts};
pub use history::{Past, Report, Reports, When};
pub use id::Id;
pub use ironweave_macros::model;
pub use log::{Durability, Seq, StorageError, TornTail};
pub use meta::Meta;
pub use position::{FrameRef, ParsePositionError, Position};
#[cfg(feature = "sqlite")]
pub use project::sqlite::{ProjectionError, SqliteOptions, SqliteProjection};
pub use project::{Fold, Projection};
pub use query::Filter;
pub use snapshot::{Changes, Outcome, Snapshot, Snapshots};
pub use step::event::{Apply, Bound, Event, Handles, Receipt};
pub use step::{Ensured, New, Tx};
pub use store::{
    AnyReceipt, Difference, FiringView, FrameView, FrameViews, Options, Savepoint, SharedStore,
    Store, Transaction, VerifyError,
};
pub use subscribe::Subscription;
#[cfg(feature = "stream")]
pub use subscribe::stream::SubscriptionStream;
pub use time::Timestamp;
pub use value::Value;

/// The blocks of the README of the repository, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

/// Those of the README of this crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
