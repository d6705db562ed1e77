//! Processes that are ended before their time. Each gets SIGTERM, and SIGKILL if it still runs after two seconds.
//!
//! | a process is ended | its run is then recorded as |
//! |---|---|
//! | if no open want needs its partition any more | canceled |
//! | if it takes longer than the timeout of its job | failed |
//! | if it has missed a partition, read one that is not live, or read one that has become stale since | having missed that partition |
//!
//! A run of the third kind cannot succeed. Usually it names all that it misses in a moment, so it is ended when it has named nothing for
//! 200 ms, to know as many of them as possible.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ironweave::prelude::*;
use rustix::process::Signal;

use crate::child::GRACE;
use crate::engine::Engine;
use crate::model::build::state::Live;
use crate::model::build::{JobRun, Partition};
use crate::protocol::{Named, Reporter};
use crate::rules::{current, name};

/// How long a run that cannot succeed may name nothing before it is ended.
const QUIET: Duration = Duration::from_millis(200);

/// A process that is ended before its time.
pub struct Stop {
    /// The reason.
    pub why: Why,
    /// When it is killed.
    kill: Option<Instant>,
}

impl Stop {
    fn at(now: Instant, why: Why) -> Self {
        let kill = Some(now + GRACE);
        Self { why, kill }
    }
}

/// Why a process is ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No open want needs its partition any more.
    Needless,
    /// It has taken longer than this.
    TimedOut(Duration),
    /// It has read or missed what is not live.
    Doomed,
}

/// What a run has named so far.
#[derive(Default)]
pub struct Seen {
    /// What it has read, and was live then.
    live: Vec<Partition>,
    /// What it has read and was not live then, or has become stale since.
    pub not_live: BTreeSet<String>,
    /// When it named the last partition, if it cannot succeed.
    doomed: Option<Instant>,
}

impl Seen {
    /// Begins with what the run reads without saying so.
    pub fn of(live: Vec<Partition>) -> Self {
        Self {
            live,
            ..Self::default()
        }
    }

    fn name(&mut self, (name, is_missed): Named, db: &impl Db) {
        let live = current(&name, db).filter(|p| p.is::<Live>(db));
        match live {
            Some(live) if !is_missed => self.live.push(live),
            // It was built in the meantime: the end of the run decides.
            Some(_) => {}
            None => {
                self.doomed = Some(Instant::now());
                if !is_missed {
                    self.not_live.insert(name);
                }
            }
        }
        if let Some(at) = &mut self.doomed {
            *at = Instant::now();
        }
    }

    /// Notes what is not live any more.
    fn look(&mut self, db: &impl Db) {
        let gone: Vec<Partition> = self.live.extract_if(.., |p| !p.is::<Live>(db)).collect();
        if !gone.is_empty() {
            self.doomed.get_or_insert_with(Instant::now);
            let names = gone.into_iter().map(|p| name(p, db).to_owned());
            self.not_live.extend(names);
        }
    }
}

impl Engine {
    /// What passes on what a run names.
    pub(crate) fn reporter(&self, run: JobRun) -> Reporter {
        let sender = self.named.0.clone();
        // The engine looks at it soon, and is not woken for each name.
        Reporter::new(move |named| drop(sender.send((run, named))))
    }

    /// Takes in what runs have named since.
    pub(crate) fn hear(&mut self) {
        for (run, named) in self.named.1.try_iter() {
            if let Some(work) = self.works.get_mut(&run) {
                work.seen.name(named, &self.store);
            }
        }
        if std::mem::take(&mut self.went_stale) {
            for work in self.works.values_mut() {
                work.seen.look(&self.store);
            }
        }
    }

    /// Ends the processes that have taken too long or cannot succeed, and kills those that did not end.
    pub(crate) fn stop_late_runs(&mut self) {
        self.hear();
        let now = Instant::now();
        for (run, work) in &mut self.works {
            let is_over = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            let timed_out = work.timed_out(now);
            let why = match (&mut work.stop, timed_out) {
                (Some(Stop { kill, .. }), _) if is_over(*kill) => {
                    *kill = None;
                    self.children.signal(*run, Signal::KILL);
                    continue;
                }
                (Some(_), _) => continue,
                (None, Some(most)) => Why::TimedOut(most),
                (None, _) if is_over(work.seen.doomed.map(|at| at + QUIET)) => Why::Doomed,
                (None, _) => continue,
            };
            work.stop = Some(Stop::at(now, why));
            self.children.signal(*run, Signal::TERM);
        }
    }

    /// Ends the processes whose partitions no open want needs any more.
    pub(crate) fn stop_needless_runs(&mut self) {
        for (run, work) in &mut self.works {
            if work.stop.is_none() && work.partition.awaited_by_count(&self.store) == 0 {
                work.stop = Some(Stop::at(Instant::now(), Why::Needless));
                self.children.signal(*run, Signal::TERM);
            }
        }
    }
}
