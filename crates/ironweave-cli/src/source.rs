//! The store that a user names, and what it may be if it is none.

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::dynamic::Dynamic;
use ironweave::raw_log::{CopyError, RawLog};
use ironweave::{OpenError, Store};

use crate::cli::Source;
use crate::failure::{Failure, Result};

/// The number of directories that a message names.
const STORES_MAX: usize = 3;

/// Opens the log of a store.
pub fn log(source: &Source) -> Result<RawLog> {
    let Source { store, archives } = source;
    let log = RawLog::open_with_archives(store, archives.as_ref());
    log.map_err(|e| unopened(store, e.into()))
}

/// Opens a store for reading. O(size of the log).
pub fn store(source: &Source) -> Result<Store<Dynamic>> {
    open(source).map_err(|e| unopened(&source.store, e))
}

/// As [`store`], with the error as it is.
pub fn open(source: &Source) -> Result<Store<Dynamic>, OpenError> {
    let Source { store, archives } = source;
    let options = Store::<Dynamic>::options();
    let options = match archives {
        Some(archives) => options.archives(archives),
        None => options,
    };
    options.open_read_only(store)
}

/// Returns the failure of a copy of a store.
pub fn copy_failed(dir: &Path, e: CopyError) -> Failure {
    match e {
        CopyError::Storage(e) => unopened(dir, e.into()),
        e => e.into(),
    }
}

/// Returns the failure of opening a store. If there is none, it names the stores next to the path.
pub fn unopened(dir: &Path, e: OpenError) -> Failure {
    if !e.is_not_found() {
        return e.into();
    }
    let near = match dir.parent().filter(|_| dir.is_file()) {
        Some(parent) if has_segments(parent) => vec![parent.to_owned()],
        _ => stores_in(dir),
    };
    let near: Vec<String> = (near.iter().take(STORES_MAX))
        .map(|dir| format!("`{}`", dir.display()))
        .collect();
    match near.is_empty() {
        true => e.into(),
        false => Failure::Problem(format!(
            "there is no store in {}; did you mean {}?",
            dir.display(),
            near.join(" or ")
        )),
    }
}

/// Returns the directories in a directory that have segments.
fn stores_in(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut stores: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| has_segments(path))
        .collect();
    stores.sort();
    stores
}

fn has_segments(dir: &Path) -> bool {
    let mut entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.any(|entry| {
        let name = entry.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".log"));
        digits.is_some_and(|d| d.len() == 20 && d.bytes().all(|b| b.is_ascii_digit()))
    })
}
