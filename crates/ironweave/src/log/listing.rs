//! The names of the segments, as a listing of the directory has them. It is not atomic: see `Chain::follow`.

use std::fs;
use std::path::Path;

use super::{Seq, StorageError};

/// First sequences of all segments that a listing has, ascending.
pub(super) fn segments(dir: &Path) -> Result<Vec<Seq>, StorageError> {
    let io = |e| StorageError::io("list", dir, e);
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let digits = name
            .to_str()
            .and_then(|name| name.strip_suffix(".log"))
            .filter(|name| name.len() == 20);
        // Anything else is not ours: kept tails, checkpoints, files being made.
        if let Some(seq) = digits.and_then(|digits| digits.parse().ok()) {
            names.push(seq);
        }
    }
    names.sort_unstable();
    #[cfg(test)]
    let names = listed(names);
    Ok(names)
}

/// Changes a listing.
#[cfg(test)]
pub(super) type Listing = Box<dyn FnOnce(Vec<Seq>) -> Vec<Seq>>;

#[cfg(test)]
thread_local! {
    /// What the next listings of this thread come to.
    pub(super) static LISTINGS: std::cell::RefCell<std::collections::VecDeque<Listing>> =
        const { std::cell::RefCell::new(std::collections::VecDeque::new()) };
}

#[cfg(test)]
fn listed(names: Vec<Seq>) -> Vec<Seq> {
    // Taken out first: it may list the directory itself.
    let change = LISTINGS.with_borrow_mut(std::collections::VecDeque::pop_front);
    change.map_or(names.clone(), |change| change(names))
}
