//! Logs without the program that wrote them: reading the frames of a log with their schemas, and copying a log. The command
//! `ironweave` is made of it.
//!
//! | to | use |
//! |---|---|
//! | read the schemas and transactions of a log | [`RawLog::open`], [`RawLog::frames`] |
//! | copy a log that may be in use, and keep the copy up to date | [`backup`] |
//! | make a new log from a copy, up to a frame | [`restore`] |
//! | write frames that were exported from another log | [`RawWriter`] |
//! | write a checkpoint of a store that no program has open | [`checkpoint`] |
//! | archive or drop the first segments | [`Retention`](crate::Retention) |
//!
//! ```
//! # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
//! use ironweave::prelude::*;
//! use ironweave::raw_log::{RawContent, RawLog, backup};
//! use lamps::Lit;
//!
//! # let dir = tempfile::tempdir()?;
//! # let (dir, copy) = (dir.path().join("lamps"), dir.path().join("copy"));
//! let mut store = Store::<lamps::Model>::open(&dir)?;
//! store.try_step(Lit { lamp: "hall".into() })?;
//!
//! // The store is still open for writing.
//! let copied = backup(&dir, &copy, |_, _| {})?;
//! assert_eq!(copied.last, store.position());
//!
//! for frame in RawLog::open(&copy)?.frames(0)? {
//!     let frame = frame?;
//!     match frame.content() {
//!         RawContent::Schema(schema) => assert_eq!(schema.name, "lamps"),
//!         RawContent::Transaction(record) => {
//!             let names: Vec<&str> = record.firings().map(|firing| firing.name()).collect();
//!             assert_eq!(names, ["Lit"]);
//!         }
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use crate::log::{Copied, CopyError, backup, restore, unfinished};
pub use crate::store::checkpoint::without_model::checkpoint;
pub use crate::store::raw::{RawContent, RawFrame, RawFrames, RawLog, RawWriter};
