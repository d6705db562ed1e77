//! Time: snapshots and their readers, what would happen, what was, and what comes.
#![allow(missing_docs)]

mod bank;
mod past;
mod positions;
mod project;
mod readers;
mod replaced;
mod restored;
mod speculation;
#[cfg(feature = "sqlite")]
mod sql;
#[cfg(feature = "stream")]
mod stream;
mod subscriptions;
mod surprises;
