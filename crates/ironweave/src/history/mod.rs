//! The past: the graph as it was, the transactions since a frame, and the history of an entity.
//!
//! All of it comes from the log, read through a [`LogView`](crate::store::view::LogView). Keyframes in memory make the
//! recent past cheap; an [`archive`] finds the transactions of an entity: in a sealed segment by an index beside it, in
//! the last segment by an index in memory. `store.rs` is what this layer adds to the store.

mod archive;
mod as_of;
mod index;
mod report;
mod store;
mod walk;

use std::fmt;
use std::sync::Arc;

pub use as_of::When;
pub(crate) use report::Logged;
pub use report::{Report, Reports};

use crate::base::error::Name;
use crate::base::meta::Meta;
use crate::base::position::Seq;
use crate::base::time::Timestamp;
use crate::graph::fact::Fact;

/// One fact of the past, with why it is one.
#[derive(Clone, Debug)]
pub struct Past {
    /// Its transaction.
    pub seq: Seq,
    /// When that was.
    pub time: Timestamp,
    /// What else that said of itself.
    pub meta: Arc<Meta>,
    /// The event that it came of.
    pub event: Name,
    /// The fact; its numbers are indexes of the schema. What a `Set` or `SetLink` says of bytes means nothing here.
    pub fact: Fact,
    /// The value that it speaks of, in CBOR.
    pub value: Option<Vec<u8>>,
    /// All of it in words.
    pub words: String,
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seq,
            time,
            event,
            words,
            ..
        } = self;
        write!(f, "{seq} ({time}) {event}: {words}")
    }
}
