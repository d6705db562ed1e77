//! Which partitions have data. Directories are listed, each once, which takes a fraction of the time of a question for each partition.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The partitions that have a directory.
pub struct Present {
    data: PathBuf,
    /// By the path of the parent, the names of the directories in it.
    listed: HashMap<String, HashSet<String>>,
}

impl Present {
    /// Looks for the partitions in a data directory.
    pub fn of(data: PathBuf) -> Self {
        Self {
            data,
            listed: HashMap::new(),
        }
    }

    /// Returns whether a partition has a directory. O(1), and for the first one of its parent O(directories in the parent).
    pub fn has(&mut self, partition: &str) -> bool {
        let (parent, own) = partition.rsplit_once('/').unwrap_or(("", partition));
        if let Some(listed) = self.listed.get(parent) {
            return listed.contains(own);
        }
        let listed = directories(&self.data.join(parent));
        let has = listed.contains(own);
        self.listed.insert(parent.to_owned(), listed);
        has
    }
}

/// The names of the directories in a directory, including links to directories. What cannot be listed has none.
fn directories(dir: &Path) -> HashSet<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_dir = |entry: &fs::DirEntry| match entry.file_type() {
        Ok(of) if !of.is_symlink() => of.is_dir(),
        _ => entry.path().is_dir(),
    };
    let names = entries.filter(is_dir).map(|entry| entry.file_name());
    // The names of partitions are ASCII.
    names.filter_map(|name| name.into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_data_and_files_are_not() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        fs::create_dir_all(data.join("a/b")).unwrap();
        fs::create_dir_all(root.path().join("elsewhere/in")).unwrap();
        fs::write(data.join("a/file"), "").unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere"), data.join("link")).unwrap();
        std::os::unix::fs::symlink("gone", data.join("dangling")).unwrap();
        let mut present = Present::of(data.clone());
        for name in [
            "a", "a/b", "a/c", "a/file", "a/file/x", "link", "link/in", "dangling", "b", "b/c",
        ] {
            assert_eq!(present.has(name), data.join(name).is_dir(), "{name}");
        }
    }
}
