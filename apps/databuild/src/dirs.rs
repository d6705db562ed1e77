//! What lies where below `--dir`, and how a run's output becomes a partition.
//!
//! ```text
//! DIR/store/              the ironweave store: all that databuild knows
//! DIR/data/<partition>/   the partitions that are live
//! DIR/runs/<run>/         one directory for each run that has not ended well
//! DIR/jobs/               the jobs file of the demo
//! ```
//!
//! The life of a run's directory:
//! 1. It is made when the run is queued, and nobody but its process writes to it.
//! 2. When the process has ended well, what is in it is synced ([`Dirs::seal`]) and the store records the success.
//! 3. It is renamed to its place in `data` ([`Dirs::publish`]). Where databuild is killed between the two, the store
//!    says that the run succeeded and the directory is still here: the rename is owed, and done at the next start.
//! 4. The directory of a run that was lost is removed at the next start. Its process may still be there, an
//!    orphan; it knows no other directory, so it can harm nothing.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Where a run's stderr goes, in its directory, until it has ended well.
const STDERR: &str = ".stderr";

/// The directories of one databuild.
#[derive(Clone, Debug)]
pub struct Dirs {
    root: PathBuf,
    shown: PathBuf,
}

impl Dirs {
    /// The ones below `dir`, which need not be there.
    pub fn at(dir: &Path) -> Result<Self> {
        let root =
            std::path::absolute(dir).with_context(|| format!("cannot find {}", dir.display()))?;
        Ok(Self {
            root,
            shown: dir.to_owned(),
        })
    }

    /// Makes those that are not there.
    pub fn create(&self) -> Result<()> {
        for dir in [self.root.clone(), self.data(), self.runs()] {
            fs::create_dir_all(&dir).map_err(|e| cannot("make the directory", &dir, &e))?;
        }
        Ok(())
    }

    /// As the user wrote it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The live partitions.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The jobs file of the demo.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The directory of a run.
    pub fn run(&self, run: &str) -> PathBuf {
        self.runs().join(run)
    }

    /// Where a run's stderr goes.
    pub fn stderr(&self, run: &str) -> PathBuf {
        self.run(run).join(STDERR)
    }

    /// The data of a partition.
    pub fn partition(&self, partition: &str) -> PathBuf {
        self.data().join(partition)
    }

    /// The same, for people: relative if `--dir` is.
    pub fn partition_shown(&self, partition: &str) -> PathBuf {
        self.shown.join("data").join(partition)
    }

    /// Makes the directory of a run, empty.
    pub fn make_run(&self, run: &str) -> Result<PathBuf> {
        let dir = self.run(run);
        remove(&dir);
        fs::create_dir(&dir).map_err(|e| cannot("make the directory", &dir, &e))?;
        Ok(dir)
    }

    /// Whether more can be written to the directory of a run. Where nothing can, what a job says of its failure may be
    /// lost with it, and this is what there is to say.
    pub fn probe(&self, run: &str) -> Result<()> {
        let dir = self.run(run);
        let path = dir.join(".probe");
        let result = fs::write(&path, [0; 4096]).map_err(|e| cannot("write to", &dir, &e));
        // As far as it was made.
        let _ = fs::remove_file(&path);
        result
    }

    /// Makes sure that what a run wrote is on disk.
    pub fn seal(&self, run: &str) -> Result<()> {
        let stderr = self.stderr(run);
        match fs::remove_file(&stderr) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("remove", &stderr, &e));
            }
            _ => {}
        }
        for entry in walkdir::WalkDir::new(self.run(run)).contents_first(true) {
            let entry = entry.map_err(|e| anyhow::anyhow!("cannot list what it wrote: {e}"))?;
            if entry.file_type().is_file() || entry.file_type().is_dir() {
                sync(entry.path())?;
            }
        }
        Ok(())
    }

    /// Puts what a run wrote into its place. Can be done again after it was interrupted.
    pub fn publish(&self, run: &str, partition: &str) -> Result<()> {
        let (from, to) = (self.run(run), self.partition(partition));
        let parent = to.parent().unwrap_or(&to);
        let made = !parent.exists();
        fs::create_dir_all(parent).map_err(|e| cannot("make the directory", parent, &e))?;
        let old = self.runs().join(format!("{run}.old"));
        remove(&old);
        match fs::rename(&to, &old) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("take away what was in", &to, &e));
            }
            _ => {}
        }
        fs::rename(&from, &to)
            .map_err(|e| cannot(&format!("rename {} to", from.display()), &to, &e))?;
        let up = if made {
            parent
                .ancestors()
                .skip(1)
                .take_while(|p| p.starts_with(self.data()))
                .collect()
        } else {
            Vec::new()
        };
        for dir in std::iter::once(parent).chain(up) {
            sync(dir)?;
        }
        sync(&self.runs())?;
        remove(&old);
        Ok(())
    }

    /// Removes the directory of a run that did not end well.
    pub fn discard(&self, run: &str) {
        remove(&self.run(run));
    }

    /// The runs that have a directory.
    pub fn runs_present(&self) -> Result<Vec<String>> {
        let dir = self.runs();
        let list = || {
            fs::read_dir(&dir)?
                .map(|e| Ok(e?.file_name().to_string_lossy().into_owned()))
                .collect()
        };
        let list: io::Result<Vec<String>> = list();
        list.map_err(|e| cannot("list", &dir, &e))
    }
}

/// Removes a directory with all that is in it, as far as it can be removed: an orphan may still write to it. What is
/// left is tried again at the next start, and nothing reads it.
fn remove(dir: &Path) {
    for _ in 0..3 {
        match fs::remove_dir_all(dir) {
            Ok(()) => return,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return,
            Err(_) => {}
        }
    }
}

fn sync(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|f| f.sync_all())
        .map_err(|e| cannot("sync to the disk", path, &e))
}

/// The message for an operation below `--dir` that failed, with what to do about it. `what` completes "cannot ..".
pub fn cannot(what: &str, path: &Path, e: &io::Error) -> anyhow::Error {
    let path = path.display();
    let advice = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, then run databuild again"
        }
        io::ErrorKind::FileTooLarge => "raise the limit (`ulimit -f`), then run databuild again",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "a file stands where a directory is needed; move it away, or choose another directory with --dir"
        }
        _ => "choose a directory with --dir in which this user may write",
    };
    anyhow::anyhow!("cannot {what} {path}: {e}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_done_is_told_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("runs"), "").unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        for result in [dirs.create(), dirs.probe("0.1")] {
            let error = format!("{:#}", result.unwrap_err());
            assert!(error.contains("runs") && error.contains("--dir"), "{error}");
        }
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = format!("{:#}", cannot("write", Path::new("x"), &full));
        assert!(
            error.starts_with("cannot write x: ") && error.contains("make room"),
            "{error}"
        );
    }

    #[test]
    fn a_run_becomes_a_partition_also_a_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        dirs.create().unwrap();
        for (run, text) in [("0.1", "one"), ("1.1", "two")] {
            let own = dirs.make_run(run).unwrap();
            fs::write(own.join("x"), text).unwrap();
            fs::write(dirs.stderr(run), "noise").unwrap();
            dirs.probe(run).unwrap();
            dirs.seal(run).unwrap();
            assert_eq!(dirs.runs_present().unwrap(), [run]);
            dirs.publish(run, "a/b").unwrap();
            assert_eq!(dirs.runs_present().unwrap(), Vec::<String>::new());
            let files: Vec<_> = fs::read_dir(dirs.partition("a/b"))
                .unwrap()
                .map(|e| e.unwrap().file_name())
                .collect();
            assert_eq!(files, ["x"]);
            assert_eq!(
                fs::read_to_string(dirs.partition("a/b").join("x")).unwrap(),
                text
            );
        }
        dirs.make_run("2.1").unwrap();
        dirs.discard("2.1");
        assert!(dirs.runs_present().unwrap().is_empty());
    }
}
