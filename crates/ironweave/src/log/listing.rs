//! Listing the segments of a directory. A listing is not atomic, see `Chain::follow`.

use std::fs;
use std::path::Path;

use super::{Seq, StorageError};

/// Returns the first frames of all segments that a listing of the directory has, in ascending order.
pub(super) fn segments(dir: &Path) -> Result<Vec<Seq>, StorageError> {
    let names = named(dir, ".log")?;
    #[cfg(test)]
    let names = change_listing(names);
    Ok(names)
}

/// Returns the first frames of the segments that have an index, in ascending order.
pub(super) fn indexes(dir: &Path) -> Result<Vec<Seq>, StorageError> {
    named(dir, ".index")
}

/// Returns the numbers of the files with an extension, in ascending order.
fn named(dir: &Path, extension: &str) -> Result<Vec<Seq>, StorageError> {
    let io = |e| StorageError::io("list", dir, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let digits = name
            .to_str()
            .and_then(|name| name.strip_suffix(extension))
            .filter(|name| name.len() == 20);
        // Other files have other names: torn tails, temporary files.
        if let Some(seq) = digits.and_then(|digits| digits.parse().ok()) {
            names.push(seq);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Changes a listing.
#[cfg(test)]
pub(super) type Listing = Box<dyn FnOnce(Vec<Seq>) -> Vec<Seq>>;

#[cfg(test)]
thread_local! {
    /// The changes to the next listings of this thread.
    pub(super) static LISTINGS: std::cell::RefCell<std::collections::VecDeque<Listing>> =
        const { std::cell::RefCell::new(std::collections::VecDeque::new()) };
}

#[cfg(test)]
fn change_listing(names: Vec<Seq>) -> Vec<Seq> {
    // The change is removed first, since it may list the directory itself.
    let change = LISTINGS.with_borrow_mut(std::collections::VecDeque::pop_front);
    change.map_or(names.clone(), |change| change(names))
}
