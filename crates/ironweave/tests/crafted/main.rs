//! Logs with right checksums and wrong content: each is refused with file, frame and offset, or it is a log like any
//! other. None panics, hangs, or takes more than it is long.
#![allow(missing_docs)]

mod cbor;
mod forge;
mod mutated;
mod refused;
mod schema;

#[path = "../logs/describe.rs"]
mod describe;
#[path = "../logs/graphs.rs"]
mod graphs;
#[path = "../logs/models.rs"]
mod models;

use std::path::{Path, PathBuf};

/// A directory that is gone after the test. In memory where there is a place for that, since many logs are written.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    made.expect("a temporary directory")
}

/// A log that is committed; see `tests/logs.rs`.
fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/logs")
        .join(name)
}
