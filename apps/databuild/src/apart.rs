//! Keeps the data of partitions apart: no name is a parent directory of another one. The names that are wanted, or that runs miss, are not
//! compared with each known name, of which there may be many.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use anyhow::Result;
use ironweave::prelude::*;

use crate::jobs::check_apart;
use crate::rules::{all_names, current, names_from};

/// The parents of the known names. References are never removed, so it is enough to add those of new ones.
#[derive(Debug, Default)]
pub struct Parents(RefCell<Seen>);

#[derive(Debug, Default)]
struct Seen {
    parents: HashSet<String>,
    /// The number of references whose parents are known.
    references: usize,
}

impl Parents {
    /// Refuses new names if one of them is a parent of another one or of a known name, or has a known name as its parent. O(names + references
    /// that were created since the last call).
    ///
    /// # Errors
    /// A message with both names.
    pub fn check_apart(&self, names: &BTreeSet<String>, db: &impl Db) -> Result<()> {
        let mut seen = self.0.borrow_mut();
        seen.catch_up(db);
        let new = names.iter().filter(|name| current(name, db).is_none());
        let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
        for name in new {
            all.extend(parents(name).filter(|parent| current(parent, db).is_some()));
            if seen.parents.contains(name) {
                // The error names one of them.
                let mut below = all_names(db).filter(|n| parents(n).any(|parent| parent == name));
                all.extend(below.next());
            }
        }
        check_apart(all.into_iter())
    }
}

impl Seen {
    fn catch_up(&mut self, db: &impl Db) {
        for name in names_from(self.references, db) {
            self.references += 1;
            for parent in parents(name) {
                if !self.parents.contains(parent) {
                    self.parents.insert(parent.to_owned());
                }
            }
        }
    }
}

/// The names of the directories above that of a partition.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::jobs::Jobs;
    use crate::model::build::{Model, WantCreated};
    use crate::start::check_refs;

    fn want(store: &mut Store<Model>, names: &[&str]) {
        store.step(WantCreated {
            partitions: names.iter().map(|n| Ensure::from(*n)).collect(),
            source: String::new(),
            comment: String::new(),
            priority: 0,
            deadline: None,
            sla: None,
        });
    }

    #[test]
    fn names_are_compared_with_all_that_are_known_by_then() {
        let mut store = Store::memory();
        let parents = Parents::default();
        let check = |store: &Store<Model>, names: &[&str]| {
            let names = names.iter().map(|n| (*n).to_owned()).collect();
            let checked = parents.check_apart(&names, store);
            checked.map_err(|e| format!("{e:#}"))
        };
        want(&mut store, &["a/b/c", "d"]);
        for fine in [&["a/b/d"][..], &["a/b/c", "d", "e"], &["a/bb", "aa"]] {
            assert_eq!(check(&store, fine), Ok(()), "{fine:?}");
        }
        for (new, both) in [
            (&["a"][..], ["`a`", "`a/b/c`"]),
            (&["a/b"], ["`a/b`", "`a/b/c`"]),
            (&["x", "d/e/f"], ["`d`", "`d/e/f`"]),
            (&["y", "y/z"], ["`y`", "`y/z`"]),
        ] {
            let error = check(&store, new).unwrap_err();
            assert!(both.iter().all(|name| error.contains(name)), "{error}");
        }
        want(&mut store, &["e", "later/one"]);
        let error = check(&store, &["later"]).unwrap_err();
        assert!(error.contains("`later/one`"), "{error}");
    }

    #[test]
    fn a_known_name_is_read_once() {
        let jobs = Jobs::parse(
            Path::new("dir/jobs.toml"),
            "[[job]]\npartitions = '**'\ncommand = ['true']",
        );
        let jobs = jobs.unwrap();
        let parents = Parents::default();
        let check = |store: &Store<Model>, name: &str| {
            check_refs(&jobs, &parents, store, &[name.to_owned()]).is_ok()
        };
        let mut store = Store::memory();
        want(&mut store, &["a", "b"]);
        assert!(check(&store, "c"));
        // In another store, the first two references would have other names, and only the third one is read.
        let mut other = Store::memory();
        want(&mut other, &["x/y", "z"]);
        want(&mut other, &["later/one"]);
        assert!(!check(&other, "later") && check(&other, "x"));
    }
}
