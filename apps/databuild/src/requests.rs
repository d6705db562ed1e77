//! `databuild cancel`, `databuild retry` and `databuild taint`, also while another databuild runs.
//!
//! Only one process writes a store. If a databuild runs, it gets the request as a file in `DIR/requests`, carries it out, and writes the
//! answer beside it. Otherwise the request is carried out by the process that has it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dirs::{Dirs, cannot};
use crate::engine::BuildStore;
use crate::fresh::{rests_on, stands_on};
use crate::model::build::state::{Checking, Failed, Live, Stale, Tainted};
use crate::model::build::{Partition, PartitionReplaced, PartitionsTainted, Want, WantCanceled};
use crate::rules::{current, name, open_wants};
use crate::selection;
use crate::start;
use crate::text::{few, shown};

/// How often a databuild looks for requests, and the other one for the answer.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a databuild may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request of another process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Whether wants are canceled, failed partitions are retried, or built ones are tainted.
    pub what: What,
    /// The partitions that are wanted, have failed, or have wrong data.
    pub refs: Vec<String>,
    /// The numbers of wants.
    pub wants: Vec<u32>,
    /// Whether all of them are meant.
    pub all: bool,
    /// Why the data of partitions is wrong.
    pub reason: String,
}

/// What the databuild that runs says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Done(String),
    Refused(String),
}

/// The requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// Wants end, with what only they need.
    #[default]
    Cancel,
    /// Failures are forgotten.
    Retry,
    /// Data is wrong.
    Taint,
}

impl Request {
    /// Lets the databuild that runs carry it out, or does so itself if there is none. Returns what was done, for people.
    pub fn send(&self, dirs: &Dirs) -> Result<String> {
        if !dirs.store().is_dir() {
            return Err(start::no_store(dirs));
        }
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if !start::is_in_use(dirs) {
                let mut store = start::open(dirs)?;
                let done = self.carry_out(&mut store)?;
                store.sync()?;
                return Ok(done);
            }
            if let Some(answer) = self.post(dirs, began + PATIENCE)? {
                return Ok(answer);
            }
        }
        bail!(
            "the databuild that runs in {} does not answer: it may be starting; try again",
            dirs.shown().display()
        )
    }

    /// Waits for the answer of the databuild that runs. Returns none if it ended before.
    fn post(&self, dirs: &Dirs, until: Instant) -> Result<Option<String>> {
        let dir = dirs.requests();
        fs::create_dir_all(&dir).map_err(|e| cannot("create the directory", &dir, &e))?;
        let path = dir.join(format!("{}.json", std::process::id()));
        let (draft, answer) = (path.with_extension("draft"), path.with_extension("answer"));
        let text = serde_json::to_string(self).context("cannot write the request")?;
        fs::write(&draft, text).map_err(|e| cannot("write", &draft, &e))?;
        fs::rename(&draft, &path).map_err(|e| cannot("write", &path, &e))?;
        loop {
            if let Ok(text) = fs::read_to_string(&answer) {
                drop(fs::remove_file(&answer));
                let answer: Answer =
                    serde_json::from_str(&text).context("the answer cannot be read")?;
                return match answer {
                    Answer::Done(text) => Ok(Some(text)),
                    Answer::Refused(why) => bail!("{why}"),
                };
            }
            if !start::is_in_use(dirs) || until <= Instant::now() {
                // If it was taken, the answer is there or will be.
                if fs::remove_file(&path).is_ok() || until <= Instant::now() {
                    return Ok(None);
                }
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Changes the store, without waiting for the disk. Returns what was done, for people.
    pub fn carry_out(&self, store: &mut BuildStore) -> Result<String> {
        match self.what {
            What::Cancel => {
                let wants = self.open_wants(store)?;
                let mut t = store.begin();
                for want in &wants {
                    t.apply(WantCanceled { want: *want })?;
                }
                t.commit()?;
                let names = wants.iter().flat_map(|want| want.partitions(store));
                let names: BTreeSet<&str> = names.map(|reference| reference.name(store)).collect();
                Ok(format!("canceled: {}", few(names)))
            }
            What::Retry => {
                let failed = self.failed(store)?;
                let mut t = store.begin();
                for partition in &failed {
                    t.apply(PartitionReplaced {
                        partition: *partition,
                    })?;
                }
                t.commit()?;
                let names = failed.iter().map(|partition| name(*partition, store));
                let names: BTreeSet<&str> = names.collect();
                Ok(format!(
                    "to be built again when they are wanted: {}",
                    few(names)
                ))
            }
            What::Taint => {
                let partitions = self.wrong(store)?;
                store.try_step(PartitionsTainted {
                    partitions: partitions.clone(),
                    reason: self.reason.clone(),
                })?;
                let others = rests_on(store, partitions.iter().copied()).into_iter();
                let others = others.filter(|p| p.is::<Stale>(store)).count();
                let names = few(partitions.iter().map(|partition| name(*partition, store)));
                Ok(match others {
                    0 => format!("tainted: {names}"),
                    others => {
                        format!("tainted: {names}; {others} that are made from them are stale")
                    }
                })
            }
        }
    }

    /// The open wants that are meant, of those that no run asked for.
    fn open_wants(&self, db: &impl Db) -> Result<Vec<Want>> {
        let open = open_wants(db);
        if open.is_empty() {
            bail!("no want is open");
        }
        if self.all {
            return Ok(open);
        }
        let mut meant = BTreeSet::new();
        for name in &self.refs {
            let is_for = |want: &&Want| want.partitions(db).any(|r| r.name(db) == name);
            let before = meant.len();
            meant.extend(open.iter().filter(is_for));
            if meant.len() == before {
                bail!(
                    "no open want is for `{}`: {}",
                    shown(name),
                    listed(&open, db)
                );
            }
        }
        for number in &self.wants {
            let Some(want) = open.iter().find(|want| want.id().slot() == *number) else {
                bail!("want {number} is not open: {}", listed(&open, db));
            };
            meant.insert(*want);
        }
        Ok(meant.into_iter().collect())
    }

    /// The failed partitions that are meant: those that were named, and those that they wait for.
    pub fn failed(&self, db: &impl Db) -> Result<Vec<Partition>> {
        let all = db.place::<Partition, Failed>().map(|p| p.any());
        if self.all {
            let all: Vec<Partition> = all.collect();
            match all.is_empty() {
                true => bail!("no partition has failed"),
                false => return Ok(all),
            }
        }
        let mut meant = BTreeSet::new();
        for name in &self.refs {
            let Some(partition) = current(name, db) else {
                bail!("`{}` was never wanted", shown(name));
            };
            let before = meant.len();
            let under = stands_on(db, [partition]).into_iter();
            meant.extend(under.filter(|p| p.is::<Failed>(db)));
            if meant.len() == before {
                let state = partition.state(db);
                bail!(
                    "`{}` has not failed, nor has what it waits for: it is {state}",
                    shown(name)
                );
            }
        }
        Ok(meant.into_iter().collect())
    }

    /// The partitions whose data is wrong. Each has to have data.
    fn wrong(&self, db: &impl Db) -> Result<Vec<Partition>> {
        let mut meant = BTreeSet::new();
        for name in selection::expand(&self.refs, db)? {
            let Some(partition) = current(&name, db) else {
                bail!("`{}` was never wanted, so it has no data", shown(&name));
            };
            let has_data = partition.is::<Live>(db)
                || partition.is::<Stale>(db)
                || partition.is::<Checking>(db)
                || partition.is::<Tainted>(db);
            if !has_data {
                let state = partition.state(db);
                bail!(
                    "`{}` is {state}, so it has no data that could be wrong: nothing was tainted",
                    shown(&name)
                );
            }
            meant.insert(partition);
        }
        Ok(meant.into_iter().collect())
    }
}

/// The open wants, with their numbers.
fn listed(open: &[Want], db: &impl Db) -> String {
    let wants = open.iter().map(|want| {
        let names = want.partitions(db).map(|reference| reference.name(db));
        format!("want {} for {}", want.id().slot(), few(names))
    });
    format!("the open ones are {}", few(wants))
}

/// Where the databuild that runs finds requests.
pub struct Inbox {
    dir: PathBuf,
    looked: Option<Instant>,
}

/// A request, which is to be answered.
pub struct Letter {
    /// What it asks for.
    pub request: Request,
    path: PathBuf,
}

impl Inbox {
    /// Drops the requests to an earlier databuild.
    pub fn new(dirs: &Dirs) -> Self {
        let dir = dirs.requests();
        // There usually is none.
        drop(fs::remove_dir_all(&dir));
        Self { dir, looked: None }
    }

    /// Takes the requests that have arrived.
    pub fn letters(&mut self) -> Vec<Letter> {
        if self.looked.is_some_and(|at| at.elapsed() < PAUSE) {
            return Vec::new();
        }
        self.looked = Some(Instant::now());
        let files = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let paths = files.map(|file| file.path());
        let requests = paths.filter(|path| path.extension().is_some_and(|e| e == "json"));
        requests.filter_map(Letter::take).collect()
    }
}

impl Letter {
    /// Takes a file away. A file that cannot be read is dropped.
    fn take(path: PathBuf) -> Option<Self> {
        let text = fs::read_to_string(&path).ok()?;
        fs::remove_file(&path).ok()?;
        match serde_json::from_str(&text) {
            Ok(request) => Some(Self { request, path }),
            Err(e) => {
                write_answer(&path, Err(format!("the request cannot be read: {e}")));
                None
            }
        }
    }

    /// Writes the answer.
    pub fn answer(&self, done: Result<String>) {
        write_answer(&self.path, done.map_err(|e| format!("{e:#}")));
    }
}

fn write_answer(request: &Path, done: Result<String, String>) {
    let answer = match done {
        Ok(text) => Answer::Done(text),
        Err(why) => Answer::Refused(why),
    };
    let draft = request.with_extension("draft");
    let text = serde_json::to_string(&answer).unwrap_or_default();
    // The other one gives up if there is no answer.
    if fs::write(&draft, text).is_ok() {
        drop(fs::rename(&draft, request.with_extension("answer")));
    }
}
