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
//! 2. When the process has ended well, what is in it is synced ([`Dirs::seal`]) and it is renamed to its place in
//!    `data` ([`Dirs::publish`]). Where one of the two cannot be done, the run has failed.
//! 3. The store records the success. Where databuild is killed before, the run is lost and its partition is built
//!    again; nobody takes what lies in `data` for more than the store says of it.
//! 4. The directory of a run that was lost is removed at the next start. Its process may still be there, an
//!    orphan; it knows no other directory, so it can harm nothing.
//!
//! An earlier databuild recorded the success before the rename. Where the store says that a run succeeded and its
//! directory is still here, the rename is owed, and done at the start.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
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
        remove(&self.replaced_by(run));
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

    /// Makes sure that what a run wrote is on disk, and that it can be moved to its place and taken away again.
    pub fn seal(&self, run: &str) -> Result<()> {
        let dir = self.run(run);
        let mode = fs::symlink_metadata(&dir)
            .map_err(|e| anyhow::anyhow!("cannot list what it wrote: {e}"))?
            .permissions()
            .mode();
        anyhow::ensure!(
            mode & 0o700 == 0o700,
            "it made its output directory read-only (mode {:03o}), so that it cannot be moved to its place: let the \
             job leave it writable; files in it may be read-only",
            mode & 0o777
        );
        let stderr = self.stderr(run);
        match fs::remove_file(&stderr) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(cannot("remove", &stderr, &e));
            }
            _ => {}
        }
        for entry in walkdir::WalkDir::new(&dir).contents_first(true) {
            let entry = entry.map_err(|e| anyhow::anyhow!("cannot list what it wrote: {e}"))?;
            if entry.file_type().is_file() || entry.file_type().is_dir() {
                let path = entry.path();
                sync(path).map_err(|e| match e.kind() {
                    io::ErrorKind::PermissionDenied => anyhow::anyhow!(
                        "cannot read what it wrote, {}: {e}: let the job leave it readable",
                        path.display()
                    ),
                    _ => cannot("sync to the disk", path, &e),
                })?;
            }
        }
        Ok(())
    }

    /// Puts what a run wrote into its place. Where that cannot be done, what was there before is there again. Can be
    /// done again after it was interrupted.
    pub fn publish(&self, run: &str, partition: &str) -> Result<()> {
        let (from, to) = (self.run(run), self.partition(partition));
        let parent = to.parent().unwrap_or(&to);
        let made = !parent.exists();
        fs::create_dir_all(parent).map_err(|e| unplaced(parent, &e))?;
        let old = self.replaced_by(run);
        remove(&old);
        let had = match fs::rename(&to, &old) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => false,
            result => result.map(|()| true).map_err(|e| unplaced(&to, &e))?,
        };
        if let Err(e) = fs::rename(&from, &to) {
            if had {
                // As far as it goes: the partition has failed in any case.
                let _ = fs::rename(&old, &to);
            }
            return Err(unplaced(&to, &e));
        }
        let up = if made {
            parent
                .ancestors()
                .skip(1)
                .take_while(|p| p.starts_with(self.data()))
                .collect()
        } else {
            Vec::new()
        };
        let runs = self.runs();
        for dir in std::iter::once(parent).chain(up).chain([&*runs]) {
            sync(dir).map_err(|e| cannot("sync to the disk", dir, &e))?;
        }
        remove(&old);
        Ok(())
    }

    /// Where the data goes that a run replaces, until it is removed.
    fn replaced_by(&self, run: &str) -> PathBuf {
        self.runs().join(format!("{run}.old"))
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

/// Removes a directory with all that is in it, or a file, as far as it can be removed: an orphan may still write to
/// it. What is left is tried again at the next start, and nothing reads it.
fn remove(path: &Path) {
    for _ in 0..3 {
        let result = match fs::symlink_metadata(path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => return,
        };
        match result {
            Ok(()) => return,
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => make_writable(path),
            Err(_) => {}
        }
    }
}

/// Lets the owner of directories remove what is in them, whatever a job made of their modes.
fn make_writable(dir: &Path) {
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        // What is of somebody else stays as it is.
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        todo.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
                .map(|entry| entry.path()),
        );
    }
}

fn sync(path: &Path) -> io::Result<()> {
    // Of whatever took the place of a file in the meantime, none is followed or waited for.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .and_then(|f| f.sync_all())
}

/// The message for data that cannot be put where it belongs.
fn unplaced(path: &Path, e: &io::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "its data cannot be put into its place, at {}: {e}: make room there, then run databuild again",
        path.display()
    )
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

    #[test]
    fn what_cannot_be_put_into_its_place_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        dirs.create().unwrap();
        // Where the parent of a partition should be, there is a file.
        fs::write(dirs.data().join("a"), "somebody's").unwrap();
        dirs.make_run("0.1").unwrap();
        let error = format!("{:#}", dirs.publish("0.1", "a/b").unwrap_err());
        assert!(error.contains("cannot be put into its place"), "{error}");
        assert_eq!(
            fs::read_to_string(dirs.data().join("a")).unwrap(),
            "somebody's"
        );
        // The run has no directory any more, and the partition has data.
        fs::create_dir(dirs.data().join("c")).unwrap();
        fs::write(dirs.data().join("c/x"), "old").unwrap();
        let error = format!("{:#}", dirs.publish("1.1", "c").unwrap_err());
        assert!(error.contains("cannot be put into its place"), "{error}");
        assert_eq!(fs::read_to_string(dirs.data().join("c/x")).unwrap(), "old");
        // A file in the place of a partition is taken away.
        fs::create_dir(dirs.run("2.1")).unwrap();
        dirs.publish("2.1", "a").unwrap();
        assert!(dirs.partition("a").is_dir());
        assert_eq!(dirs.runs_present().unwrap(), ["0.1"]);
    }

    #[test]
    fn an_output_directory_that_is_read_only_is_refused_and_can_be_removed() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        dirs.create().unwrap();
        let own = dirs.make_run("0.1").unwrap();
        fs::create_dir(own.join("inner")).unwrap();
        fs::write(own.join("inner/x"), "").unwrap();
        for path in [own.join("inner"), own] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
        }
        let error = format!("{:#}", dirs.seal("0.1").unwrap_err());
        assert!(
            error.contains("read-only (mode 555)") && error.contains("leave it writable"),
            "{error}"
        );
        dirs.discard("0.1");
        assert!(dirs.runs_present().unwrap().is_empty());
    }
}
