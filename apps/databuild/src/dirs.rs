//! The layout of the files in `--dir`, and how the output of a run becomes a partition.
//!
//! ```text
//! DIR/store/              the ironweave store: the whole state of databuild
//! DIR/data/<partition>/   the live partitions
//! DIR/runs/<run>/         one directory for each run that has not succeeded
//! DIR/jobs/               the jobs file of the demo
//! DIR/logs/<run>.stderr    what a run wrote to stderr, if it wrote something, and beside it to stdout
//! DIR/logs/<run>.commands  the commands of this run and the next ones
//! DIR/daemon.json         where the daemon listens, if one runs
//! DIR/requests/           requests to the databuild that runs, and its answers
//! ```
//!
//! The life of a run's directory:
//! 1. It is created when the run is queued, and only the process of the run writes to it.
//! 2. When the process has succeeded, its content is synced ([`crate::seal`]) and it is renamed to its place in
//!    `data` ([`Dirs::publish`]). If one of these fails, the run has failed.
//! 3. The store records the success. If databuild is killed before, the run is lost and its partition is built
//!    again. Only the state in the store decides whether a directory in `data` is valid. If the power fails after the store has the success
//!    and before the disk has the rename, the next start completes it.
//! 4. The directory of a lost run is removed at the next start. Its process is
//!    killed before, if it is found. It writes to no other directory.
//!
//! Whenever the store records that a run succeeded and its directory still exists, the next start completes the rename. The first
//! versions recorded the success before it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The number of runs whose commands are in one file.
const RUNS_PER_FILE: u32 = 1024;

/// The directories of one databuild.
#[derive(Clone, Debug)]
pub struct Dirs {
    root: PathBuf,
    shown: PathBuf,
}

impl Dirs {
    /// The directories in `dir`, which need not exist.
    pub fn at(dir: &Path) -> Result<Self> {
        let root =
            std::path::absolute(dir).with_context(|| format!("cannot find {}", dir.display()))?;
        Ok(Self {
            root,
            shown: dir.to_owned(),
        })
    }

    /// Creates the missing directories.
    pub fn create(&self) -> Result<()> {
        for dir in [self.root.clone(), self.data(), self.runs(), self.logs()] {
            fs::create_dir_all(&dir).map_err(|e| cannot("create the directory", &dir, &e))?;
        }
        Ok(())
    }

    /// The same directories, which are shown by their absolute paths, for messages to others.
    #[must_use]
    pub fn absolute(&self) -> Self {
        let (root, shown) = (self.root.clone(), self.root.clone());
        Self { root, shown }
    }

    /// The path of `--dir` as the user wrote it.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// The directory of the store.
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The directory of the live partitions.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The directory of the jobs file of the demo.
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// The directory of requests to the databuild that runs.
    pub fn requests(&self) -> PathBuf {
        self.root.join("requests")
    }

    /// The file of the daemon that serves the directory.
    pub fn daemon(&self) -> PathBuf {
        self.root.join("daemon.json")
    }

    /// The directory of the directories of runs.
    pub fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// The directory of a run.
    pub fn run(&self, run: &str) -> PathBuf {
        self.runs().join(run)
    }

    /// The file for the stderr of a run.
    pub fn stderr(&self, run: &str) -> PathBuf {
        self.logs().join(format!("{run}.stderr"))
    }

    /// The file for the stdout of a run, without the lines for databuild.
    pub fn stdout(&self, run: &str) -> PathBuf {
        self.logs().join(format!("{run}.stdout"))
    }

    /// The file with the command of a run, and with those of others.
    pub fn commands(&self, run: &str) -> PathBuf {
        let slot = run.split('.').next().and_then(|slot| slot.parse().ok());
        let slot: u32 = slot.unwrap_or_default();
        let first = slot - slot % RUNS_PER_FILE;
        self.logs().join(format!("{first}.commands"))
    }

    /// The paths of what is kept of a run, relative if `--dir` is, for messages.
    pub fn kept_of(&self, run: &str) -> Vec<PathBuf> {
        let paths = [self.stdout(run), self.stderr(run)].into_iter();
        let shown = |path: PathBuf| {
            let file = path.file_name()?;
            Some(self.shown.join("logs").join(file))
        };
        paths
            .filter(|path| path.exists())
            .filter_map(shown)
            .collect()
    }

    /// The directory of what runs wrote.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// The directory of a partition.
    pub fn partition(&self, partition: &str) -> PathBuf {
        self.data().join(partition)
    }

    /// The directory of a partition, relative if `--dir` is, for messages.
    pub fn partition_shown(&self, partition: &str) -> PathBuf {
        self.shown.join("data").join(partition)
    }

    /// Creates the directory of a run, empty.
    pub fn make_run(&self, run: &str) -> Result<PathBuf> {
        let dir = self.run(run);
        let made = match fs::create_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                remove(&dir);
                fs::create_dir(&dir)
            }
            made => made,
        };
        made.map_err(|e| cannot("create the directory", &dir, &e))?;
        Ok(dir)
    }

    /// Checks that the directory of a run can be written. If it cannot, the job may have been unable to write its own
    /// message, so this error is added to that of the job.
    pub fn probe(&self, run: &str) -> Result<()> {
        let dir = self.run(run);
        let path = dir.join(".probe");
        let result = fs::write(&path, [0; 4096]).map_err(|e| cannot("write to", &dir, &e));
        // The file may be incomplete or missing.
        let _ = fs::remove_file(&path);
        result
    }

    /// The files and directories of the output of a run. Checks that it can be renamed and removed.
    pub fn output(&self, run: &str) -> Result<Vec<PathBuf>> {
        let dir = self.run(run);
        let mode = fs::symlink_metadata(&dir)
            .map_err(|e| anyhow::anyhow!("cannot list its output: {e}"))?
            .permissions()
            .mode();
        anyhow::ensure!(
            mode & 0o700 == 0o700,
            "it made its output directory read-only (mode {:03o}), so the directory cannot be moved into place: the \
             job must leave it writable (files in it may be read-only)",
            mode & 0o777
        );
        let mut paths = Vec::new();
        for entry in walkdir::WalkDir::new(&dir).contents_first(true) {
            let entry = entry.map_err(|e| anyhow::anyhow!("cannot list its output: {e}"))?;
            if entry.file_type().is_file() || entry.file_type().is_dir() {
                paths.push(entry.into_path());
            }
        }
        Ok(paths)
    }

    /// Moves the output of a run into place, which is not synced ([`crate::seal`]). If that fails, the former data is restored. Can be
    /// repeated after an interruption.
    pub fn publish(&self, run: &str, partition: &str) -> Result<()> {
        let (from, to) = (self.run(run), self.partition(partition));
        // Usually there is no former data, and its parent exists. Data that is not empty is not replaced by this.
        if fs::rename(&from, &to).is_ok() {
            return Ok(());
        }
        let parent = to.parent().unwrap_or(&to);
        fs::create_dir_all(parent).map_err(|e| unplaced(parent, &e))?;
        let old = self.replaced_by(run);
        remove(&old);
        let had = match fs::rename(&to, &old) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => false,
            result => result.map(|()| true).map_err(|e| unplaced(&to, &e))?,
        };
        if let Err(e) = fs::rename(&from, &to) {
            if had {
                // A failure to restore is ignored, because the run has failed in any case.
                let _ = fs::rename(&old, &to);
            }
            return Err(unplaced(&to, &e));
        }
        remove(&old);
        Ok(())
    }

    /// The path of the data that a run replaces, until it is removed.
    fn replaced_by(&self, run: &str) -> PathBuf {
        self.runs().join(format!("{run}.old"))
    }

    /// Removes the directory of a run that did not succeed.
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

/// Returns whether two paths lead to the same file, which exists.
pub fn is_same(a: &Path, b: &Path) -> bool {
    let found = fs::canonicalize(a).ok();
    found.is_some() && found == fs::canonicalize(b).ok()
}

/// Removes a file, or a directory with its content, as far as possible: an orphan may still write to
/// it. The next start removes the rest, which is never read.
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

/// Makes directories writable, so that their content can be removed, whatever modes a job has set.
fn make_writable(dir: &Path) {
    let mut todo = vec![dir.to_owned()];
    while let Some(dir) = todo.pop() {
        // Directories of other users stay unchanged.
        let _ = fs::set_permissions(&dir, fs::Permissions::from_mode(0o700));
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        todo.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
                .map(|entry| entry.path()),
        );
    }
}

/// The error for output that cannot be synced.
pub fn cannot_sync(path: &Path, e: &io::Error) -> anyhow::Error {
    match e.kind() {
        io::ErrorKind::PermissionDenied => anyhow::anyhow!(
            "cannot read its output {}: {e}: the job must leave it readable",
            path.display()
        ),
        _ => cannot("sync to the disk", path, e),
    }
}

/// The error for data that cannot be moved into place.
fn unplaced(path: &Path, e: &io::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "its data cannot be moved into place at {}: {e}: remove what is there, then run databuild again",
        path.display()
    )
}

/// The error for a failed operation in `--dir`, with advice. `what` completes "cannot ..".
pub fn cannot(what: &str, path: &Path, e: &io::Error) -> anyhow::Error {
    let path = path.display();
    let advice = match e.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, then run databuild again"
        }
        io::ErrorKind::FileTooLarge => "raise the limit (`ulimit -f`), then run databuild again",
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            "there is a file where a directory is needed; move it, or choose another directory with --dir"
        }
        _ => "choose a directory with --dir that this user can write",
    };
    anyhow::anyhow!("cannot {what} {path}: {e}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_include_advice() {
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
            error.starts_with("cannot write x: ") && error.contains("free some space"),
            "{error}"
        );
    }

    #[test]
    fn the_output_of_a_run_becomes_the_partition_also_a_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        dirs.create().unwrap();
        for (run, text) in [("0.1", "one"), ("1.1", "two")] {
            let own = dirs.make_run(run).unwrap();
            fs::write(own.join("x"), text).unwrap();
            fs::write(dirs.stderr(run), "noise").unwrap();
            dirs.probe(run).unwrap();
            dirs.output(run).unwrap();
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
    fn a_failed_move_into_place_restores_the_former_data() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        dirs.create().unwrap();
        // There is a file in place of the parent of a partition.
        fs::write(dirs.data().join("a"), "a file").unwrap();
        dirs.make_run("0.1").unwrap();
        let error = format!("{:#}", dirs.publish("0.1", "a/b").unwrap_err());
        assert!(error.contains("cannot be moved into place"), "{error}");
        assert_eq!(fs::read_to_string(dirs.data().join("a")).unwrap(), "a file");
        // The directory of the run is missing, and the partition has data.
        fs::create_dir(dirs.data().join("c")).unwrap();
        fs::write(dirs.data().join("c/x"), "old").unwrap();
        let error = format!("{:#}", dirs.publish("1.1", "c").unwrap_err());
        assert!(error.contains("cannot be moved into place"), "{error}");
        assert_eq!(fs::read_to_string(dirs.data().join("c/x")).unwrap(), "old");
        // A file in place of a partition is replaced.
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
        let error = format!("{:#}", dirs.output("0.1").unwrap_err());
        assert!(
            error.contains("read-only (mode 555)") && error.contains("leave it writable"),
            "{error}"
        );
        dirs.discard("0.1");
        assert!(dirs.runs_present().unwrap().is_empty());
    }
}
