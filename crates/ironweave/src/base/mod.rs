//! The lowest layer, which imports no other: ids, times, clocks, positions, metadata, errors, hashes, pushes to vectors, the
//! heads of CBOR items, the content of checkpoints as a stream, and what wakes and serves async tasks.

pub(crate) mod alarm;
pub(crate) mod cbor;
pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod hash;
pub(crate) mod id;
pub(crate) mod image;
pub(crate) mod meta;
#[cfg(feature = "tracing")]
pub(crate) mod meter;
pub(crate) mod notifier;
pub(crate) mod position;
pub(crate) mod push;
pub(crate) mod seq;
#[cfg(feature = "async")]
pub(crate) mod signal;
pub(crate) mod split_map;
pub(crate) mod storage_error;
pub(crate) mod time;
#[cfg(feature = "async")]
pub(crate) mod workers;
