//! What the commands print that only read: a question, and its answer as text.
//!
//! The daemon that serves the directory answers it from the graph that it has in memory (`POST /api/reports`). If there is none, the command
//! opens the store. Both answer by the same code, which reads an [`Origin`].

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use ironweave::prelude::*;
use ironweave::{Entity, HistoryEntry, ReadError, Snapshot, StoreReader};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::dirs::Dirs;
use crate::engine::BuildStore;
use crate::jobs::Jobs;
use crate::lineage::{Direction, lineage};
use crate::model::build::{Model, Partition, PartitionRef};
use crate::pattern::BYTES_MAX;
use crate::plan::Question;
use crate::serve::client::Client;
use crate::serve::commands::REFS_MAX;
use crate::simulate::past::Past;
use crate::start::open_read_only;

use crate::text::shown;
use crate::{answers, draw, logs, plan, show, story};

/// The number of lines that are printed without `full`.
pub const LINES_MAX: usize = 40;

/// The context of errors of stdout, such as a full disk.
pub const UNWRITABLE: &str = "cannot write to stdout";

/// What is asked. With `full`, lists are not shortened; with `json`, the text is JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    /// The wants, runs and partitions by state, what has failed, and what waits for what.
    Status {
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
        /// Answer JSON.
        #[serde(default)]
        json: bool,
    },
    /// Why a partition is in its state.
    Why {
        /// Its name.
        name: String,
    },
    /// What a partition is made from, or what is made from it, as a tree.
    Lineage {
        /// Its name.
        name: String,
        /// What it is made from. So it is without a choice.
        #[serde(default)]
        up: bool,
        /// What is made from it.
        #[serde(default)]
        down: bool,
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
    },
    /// The last runs, with how long they took.
    Runs {
        /// Only those for partitions that match this pattern.
        #[schemars(length(max = BYTES_MAX))]
        of: Option<String>,
        /// Those that took longest come first.
        #[serde(default)]
        slowest: bool,
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
    },
    /// A run, as the JSON that `databuild logs` needs.
    Run {
        /// Its number, or the partition whose last run it is.
        which: String,
    },
    /// The status after an earlier step, or at an earlier time.
    AsOf {
        /// The number of a step, or a time.
        when: String,
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
    },
    /// What has changed between two steps or times.
    Diff {
        /// The number of a step, or a time.
        from: String,
        /// The same; now without it.
        to: Option<String>,
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
    },
    /// What happened to a partition.
    History {
        /// Its name.
        name: String,
        /// Every change of its fields, links and states instead.
        #[serde(default)]
        facts: bool,
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
    },
    /// What a want for partitions would change.
    WhatIf {
        /// The partitions.
        #[schemars(length(max = REFS_MAX))]
        want: Vec<String>,
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
    },
    /// What would be built, in which order and how long it takes.
    Plan {
        /// What is wanted or changes.
        question: Question,
        /// Do not shorten lists.
        #[serde(default)]
        full: bool,
        /// Answer JSON.
        #[serde(default)]
        json: bool,
    },
    /// The model with the numbers of entities and links, as SVG.
    Model {
        /// The type of entity whose lifecycle is drawn. Without it, the net of all events is.
        entity: Option<String>,
    },
}

impl Report {
    /// Answers the question.
    ///
    /// # Errors
    /// If the question names what is not there, or the log cannot be read ([`Fault`]).
    pub fn text(&self, from: &impl Origin, dirs: &Dirs) -> Result<String> {
        match self {
            Self::Status { full, json } => show::status(from, dirs, *full, *json),
            Self::Why { name } => answers::why(from, dirs, name),
            Self::Lineage {
                name,
                up,
                down,
                full,
            } => {
                let mut text = String::new();
                if *up || !down {
                    text += &lineage(from, dirs, name, Direction::Up, *full)?;
                }
                if *down {
                    text += &lineage(from, dirs, name, Direction::Down, *full)?;
                }
                Ok(text)
            }
            Self::Runs { of, slowest, full } => {
                answers::runs(from, dirs, (of.as_deref(), *slowest), *full)
            }
            Self::Run { which } => logs::find(from, dirs, which),
            Self::AsOf { when, full } => show::status_as_of(from, dirs, when, *full),
            Self::Diff {
                from: first,
                to,
                full,
            } => show::diff(from, dirs, (first, to.as_deref()), *full),
            Self::History { name, facts, full } => match facts {
                true => show::facts(from, dirs, name, *full),
                false => story::history(from, dirs, name, *full),
            },
            Self::WhatIf { want, full } => show::what_if_wanted(from, dirs, want, *full),
            Self::Plan {
                question,
                full,
                json,
            } => plan::print::report(from, dirs, question, (*full, *json)),
            Self::Model { entity } => draw::svg(from, entity.as_deref()),
        }
    }
}

/// What a report is read from: a store that was opened to be read ([`Opened`]), or the reader of a daemon. A store that is open for reading
/// only would copy its graph to make a snapshot or a reader.
pub trait Origin {
    /// The type of the graph.
    type Graph: Db;

    /// The graph.
    fn graph(&self) -> &Self::Graph;

    /// The graph, to be kept.
    fn snapshot(&self) -> Snapshot<Model>;

    /// A reader of the log.
    fn reader(&self) -> StoreReader<Model>;

    /// What happened to an entity, up to the last step of the graph.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn history<T: Entity<Model = Model>>(
        &self,
        of: T,
    ) -> Result<Vec<HistoryEntry<Model>>, ReadError>;

    /// What plans are made by.
    ///
    /// # Errors
    /// If the jobs file is no longer valid.
    fn planned_by(&self) -> Result<PlannedBy>;

    /// The runs of the past. O(log), if they are not known yet.
    ///
    /// # Errors
    /// If the log cannot be read.
    fn past(&self, jobs: Option<&Arc<Jobs>>, dirs: &Dirs) -> Result<Arc<Past>>;
}

/// What plans are made by. Other reports do not need it.
#[derive(Clone, Default)]
pub struct PlannedBy {
    /// The jobs, if they are known.
    pub jobs: Option<Arc<Jobs>>,
    /// The maximum number of runs at a time.
    pub jobs_max: usize,
}

/// The number of cores, which is the usual maximum number of runs at a time.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A store that was opened to be read.
pub struct Opened {
    store: BuildStore,
    by: PlannedBy,
}

impl Opened {
    /// This store, for plans that are made by these.
    pub fn new(store: BuildStore, by: PlannedBy) -> Self {
        Self { store, by }
    }
}

impl Origin for Opened {
    type Graph = BuildStore;

    fn graph(&self) -> &BuildStore {
        &self.store
    }

    fn snapshot(&self) -> Snapshot<Model> {
        self.store.snapshot()
    }

    fn reader(&self) -> StoreReader<Model> {
        self.store.reader()
    }

    fn history<T: Entity<Model = Model>>(
        &self,
        of: T,
    ) -> Result<Vec<HistoryEntry<Model>>, ReadError> {
        self.store.history(of)
    }

    fn planned_by(&self) -> Result<PlannedBy> {
        Ok(self.by.clone())
    }

    fn past(&self, jobs: Option<&Arc<Jobs>>, dirs: &Dirs) -> Result<Arc<Past>> {
        let graph = (&self.store, self.store.seq());
        let past = Past::read(&self.store.reader(), graph, jobs.map(|jobs| &**jobs));
        past.map(Arc::new).map_err(|e| unreadable(dirs, &e))
    }
}

/// What answers a report: the daemon, or the store that this process has opened.
pub enum Source {
    /// The daemon.
    Daemon(Client),
    /// The store.
    Store(Box<Opened>),
}

impl Source {
    /// The daemon that serves the directory, or its store if none does or it does not answer.
    ///
    /// # Errors
    /// If there is no daemon, and the store cannot be opened.
    pub fn of(dirs: &Dirs) -> Result<Self> {
        // A user who may not read the token of the daemon may be able to read the store.
        match Client::find(dirs).ok().flatten() {
            Some(client) => Ok(Self::Daemon(client)),
            None => Self::open(dirs, PlannedBy::default()),
        }
    }

    fn open(dirs: &Dirs, by: PlannedBy) -> Result<Self> {
        let opened = Opened::new(open_read_only(dirs)?, by);
        Ok(Self::Store(Box::new(opened)))
    }

    /// Answers a question. If the daemon has ended since, the store is opened.
    ///
    /// # Errors
    /// As [`Report::text`].
    pub fn ask(&mut self, report: &Report, dirs: &Dirs) -> Result<String> {
        if let Self::Daemon(client) = self {
            if let Some(text) = client.report(report)? {
                return Ok(text);
            }
            let by = match report {
                Report::Plan { .. } => PlannedBy {
                    jobs: Some(Arc::new(Jobs::load(&client.daemon.jobs)?)),
                    jobs_max: cores(),
                },
                _ => PlannedBy::default(),
            };
            *self = Self::open(dirs, by)?;
        }
        match self {
            Self::Store(opened) => report.text(&**opened, dirs),
            Self::Daemon(_) => unreachable!("it was replaced"),
        }
    }

    /// Brings an opened store up to date with its log. The graph of a daemon always is.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn refresh(&mut self, dirs: &Dirs) -> Result<()> {
        match self {
            Self::Daemon(_) => Ok(()),
            Self::Store(opened) => {
                let refreshed = opened.store.refresh();
                refreshed.map(drop).map_err(|e| unreadable(dirs, &e))
            }
        }
    }
}

/// Prints a report.
///
/// # Errors
/// As [`Report::text`], and if stdout cannot be written to.
pub fn print(dirs: &Dirs, report: &Report) -> Result<()> {
    let mut source = Source::of(dirs)?;
    write(&source.ask(report, dirs)?)?;
    // The process ends. To free the graph piece by piece would take a tenth of the time of a report.
    std::mem::forget(source);
    Ok(())
}

/// Writes a text to stdout.
///
/// # Errors
/// If stdout cannot be written to.
pub fn write(text: &str) -> Result<()> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .context(UNWRITABLE)
}

/// A failure that is not due to the question.
#[derive(Debug)]
pub struct Fault(pub String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// The error for a log that cannot be read.
pub fn unreadable(dirs: &Dirs, e: &impl fmt::Display) -> anyhow::Error {
    let dir = dirs.shown().display();
    Fault(format!("cannot read the log in {dir}: {e}")).into()
}

/// The reference with a name.
///
/// # Errors
/// If it was never wanted.
pub fn reference(name: &str, db: &impl Db, dirs: &Dirs) -> Result<PartitionRef> {
    db.find::<PartitionRef>(name).with_context(|| {
        format!(
            "there is no partition {} in {}: `databuild status` shows the known ones",
            shown(name),
            dirs.shown().display()
        )
    })
}

/// The current instance of the reference with a name.
///
/// # Errors
/// If it was never wanted.
pub fn known(name: &str, db: &impl Db, dirs: &Dirs) -> Result<Partition> {
    let current = reference(name, db, dirs)?.current(db);
    current.with_context(|| format!("the partition {} has no instance yet", shown(name)))
}
