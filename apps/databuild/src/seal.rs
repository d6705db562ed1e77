//! Syncs the output of runs to the disk, on a thread, so that other runs go on meanwhile. The thread takes all runs that have ended since, and
//! syncs them together: how long that takes depends little on their number. So the engine waits a moment for more of them, unless it has room
//! for a run and none that can start, which may be because these are not recorded yet.
//!
//! The engine gets a run when its output is on the disk, and then moves it into place and records the success. That is not synced. If the
//! power fails, the output is in the directory of the run or in its place, since a rename is done as a whole or not at all. If the store has the
//! success, the next databuild completes the rename ([`crate::start`]). If it has not, the partition is built again.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::child::{Ended, Event, Waker};
use crate::content::open;
use crate::dirs::{Dirs, cannot_sync};
use crate::engine::Engine;
use crate::model::build::JobRun;
use crate::protocol::RunOutput;

/// The end of the process of a run.
type RunEnded = Ended<JobRun, RunOutput>;

/// A run that has ended, and whether its output is on the disk.
type Sealed = (RunEnded, Result<()>);

/// Up to so many files and directories are synced one by one, which other writers to the disk delay less.
const SINGLE_MAX: usize = 8;

/// How long a run that has ended waits for others.
const GATHERING: Duration = Duration::from_millis(20);

/// The runs whose output is being synced.
pub struct Sealer {
    /// Those that wait for others.
    gathered: Vec<RunEnded>,
    /// When they are passed to the thread.
    until: Option<Instant>,
    sender: Sender<Vec<RunEnded>>,
    sealed: Receiver<Sealed>,
    /// The next result.
    next: Option<Sealed>,
    /// All of them.
    runs: BTreeSet<JobRun>,
}

impl Sealer {
    /// Starts the thread. The waker ends the wait of the engine when there is a result.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(dirs: Dirs, waker: Waker<JobRun, RunOutput>) -> Result<Self> {
        let (sender, ended) = channel::<Vec<RunEnded>>();
        let (answers, sealed) = channel();
        let thread = move || {
            while let Ok(mut all) = ended.recv() {
                all.extend(ended.try_iter().flatten());
                let runs: Vec<String> = all.iter().map(|e| e.key.id().to_string()).collect();
                for one in all.into_iter().zip(seal(&dirs, &runs)) {
                    // The engine may be gone.
                    let _ = answers.send(one);
                }
                waker.wake();
            }
        };
        let thread = std::thread::Builder::new()
            .name("seal".into())
            .spawn(thread);
        thread.context("cannot start the thread that syncs the output of runs")?;
        Ok(Self {
            gathered: Vec::new(),
            until: None,
            sender,
            sealed,
            next: None,
            runs: BTreeSet::new(),
        })
    }

    /// Syncs the output of a run, soon.
    fn seal(&mut self, ended: RunEnded) {
        self.runs.insert(ended.key);
        self.gathered.push(ended);
        self.until.get_or_insert_with(|| Instant::now() + GATHERING);
    }

    /// Passes what was gathered to the thread, if its time is over or more is not waited for. Returns how long it waits otherwise.
    fn pass_on(&mut self, waits: bool) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(Instant::now());
        if waits && !left.is_zero() {
            return Some(left);
        }
        self.until = None;
        // If the thread is gone, its answers are, too.
        let _ = self.sender.send(std::mem::take(&mut self.gathered));
        None
    }

    /// Returns whether there is a result, which is the next one then.
    fn has_result(&mut self) -> Result<bool> {
        if self.next.is_none() {
            self.next = match self.sealed.try_recv() {
                Ok(result) => Some(result),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => anyhow::bail!(
                    "the thread that syncs the output of runs panicked; its message is above"
                ),
            };
        }
        Ok(self.next.is_some())
    }

    /// Returns whether the output of a run is being synced.
    pub fn has(&self, run: JobRun) -> bool {
        self.runs.contains(&run)
    }

    /// Returns whether it has no run.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
}

impl Engine {
    /// Returns whether no process runs, and the results of all that have ended are recorded.
    pub(crate) fn is_idle(&self) -> bool {
        self.children.is_empty() && self.sealer.is_empty()
    }

    /// Waits for the end of a run, for a limited time, and records the results of those whose output is on the disk, until a run ends.
    pub(crate) fn record_ends(&mut self, within: Duration) -> Result<()> {
        // All that can start was started.
        let is_full = self.children.len() >= self.limits.jobs.max(1);
        let left = self.sealer.pass_on(is_full).unwrap_or(within);
        let wait = match self.sealer.has_result()? {
            true => Duration::ZERO,
            false => within.min(left),
        };
        self.take_ends(wait)?;
        while let Some((ended, sealed)) = self.sealer.next.take() {
            self.sealer.runs.remove(&ended.key);
            self.ended(ended, sealed)?;
            // The next run is started before more results are recorded.
            if self.take_ends(Duration::ZERO)? || !self.sealer.has_result()? {
                break;
            }
        }
        Ok(())
    }

    /// Takes in what has happened to processes, after a wait for the first event. Returns whether one has ended.
    fn take_ends(&mut self, wait: Duration) -> Result<bool> {
        let mut next = self.children.next(wait);
        let mut has_ended = false;
        while let Some(event) = next {
            has_ended |= !matches!(event, Event::Started { .. });
            match event {
                Event::Started { key, pid } => self.started(key, pid)?,
                Event::NotStarted { key, why } => self.not_started(key, &why)?,
                Event::Ended(ended) => {
                    self.process_has_ended(ended.key);
                    let work = self.works.get(&ended.key);
                    match work.is_some_and(|work| work.may_succeed(&ended)) {
                        true => self.sealer.seal(ended),
                        false => {
                            self.ended(ended, Err(anyhow::anyhow!("its output was not synced")))?;
                        }
                    }
                }
            }
            next = self.children.next(Duration::ZERO);
        }
        Ok(has_ended)
    }
}

/// Syncs the output of runs to the disk, and checks that it can be renamed, removed and read.
fn seal(dirs: &Dirs, runs: &[String]) -> Vec<Result<()>> {
    let outputs: Vec<Result<Vec<PathBuf>>> = runs.iter().map(|run| dirs.output(run)).collect();
    let count: usize = outputs.iter().flatten().map(Vec::len).sum();
    let together = count > SINGLE_MAX && sync_all(&dirs.runs()).is_ok();
    let one = |path: &PathBuf| {
        let file = open(path).and_then(|file| match together {
            // It was written before, and has to be readable.
            true => Ok(()),
            false => file.sync_all(),
        });
        file.map_err(|e| cannot_sync(path, &e))
    };
    let mut sealed: Vec<Result<()>> = outputs
        .into_iter()
        .map(|paths| paths?.iter().try_for_each(one))
        .collect();
    if !together && let Err(e) = open(&dirs.runs()).and_then(|dir| dir.sync_all()) {
        let all = sealed.iter_mut().filter(|sealed| sealed.is_ok());
        all.for_each(|sealed| *sealed = Err(cannot_sync(&dirs.runs(), &e)));
    }
    sealed
}

/// Syncs the file system of a directory, if it is one of those that write everything to the disk then.
#[cfg(target_os = "linux")]
fn sync_all(dir: &Path) -> io::Result<()> {
    /// The numbers of ext4, XFS, Btrfs, F2FS, overlayfs and tmpfs, as in `statfs(2)`.
    const KNOWN: [u64; 6] = [
        0xef53,
        0x5846_5342,
        0x9123_683e,
        0xf2f5_2010,
        0x794c_7630,
        0x0102_1994,
    ];
    let dir = File::open(dir)?;
    let of = u64::try_from(rustix::fs::fstatfs(&dir)?.f_type).unwrap_or_default();
    if !KNOWN.contains(&of) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(rustix::fs::syncfs(&dir)?)
}

#[cfg(not(target_os = "linux"))]
fn sync_all(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_outputs_of_many_runs_are_sealed_and_each_has_its_own_error() {
        for count in [2, SINGLE_MAX + 4] {
            let root = tempfile::tempdir().unwrap();
            let dirs = Dirs::at(root.path()).unwrap();
            dirs.create().unwrap();
            let runs: Vec<String> = (0..count).map(|i| format!("{i}.1")).collect();
            for run in &runs {
                let own = dirs.make_run(run).unwrap();
                fs::create_dir(own.join("inner")).unwrap();
                fs::write(own.join("inner/out"), "x").unwrap();
            }
            fs::set_permissions(dirs.run(&runs[0]), PermissionsExt::from_mode(0o500)).unwrap();
            dirs.discard(&runs[1]);
            let sealed = seal(&dirs, &runs);
            assert_eq!(sealed.len(), count);
            let error = |i: usize| format!("{:#}", sealed[i].as_ref().unwrap_err());
            assert!(error(0).contains("read-only"), "{}", error(0));
            assert!(error(1).contains("cannot list its output"), "{}", error(1));
            assert!(sealed[2..].iter().all(Result::is_ok));
        }
    }
}
