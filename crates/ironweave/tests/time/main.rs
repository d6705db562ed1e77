//! Time: snapshots and their readers, what would happen, what was, and what comes.
#![allow(missing_docs)]

mod bank;
mod readers;
mod speculation;
