//! The engine of a daemon: it works until a signal arrives, and carries out what clients ask for.
//!
//! Clients send [`Command`]s through a [`Mailbox`], which wakes the engine. It takes all that have arrived at once, so that the
//! sources of partitions are looked at once for all wants of the moment ([`looking`](crate::serve::looking)). Nothing else writes to the
//! store.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Result;
use axum::http::StatusCode;
use ironweave::Seq;
use ironweave::prelude::*;
use tokio::sync::oneshot;

use crate::child::Waker;
use crate::engine::{Engine, TICK, step_error};
use crate::fresh::stands_on;
use crate::jobs::Jobs;
use crate::model::build::state::Failed;
use crate::model::build::{JobRun, Want, WantCreated};
use crate::protocol::RunOutput;
use crate::requests::{Request, What};
use crate::rules::{OF_DAEMON, current, name, open_wants};
use crate::selection;
use crate::serve::failure::Failure;
use crate::serve::looking::Look;
use crate::start::{self, Earlier};
use crate::times;

/// How often what is kept of the oldest runs is removed.
const PRUNED_EVERY: Duration = Duration::from_secs(3600);

/// A want that was created.
pub struct Wanted {
    /// The want.
    pub want: Want,
    /// The step that created it.
    pub seq: Seq,
    /// The names that were left out, because they depend on partitions that are not known to be up to date.
    pub left_out: Vec<String>,
}

/// What a client asks for, with where the answer goes.
pub enum Command {
    /// Partitions are wanted.
    Want {
        /// Their names, each once.
        refs: Vec<String>,
        /// The client.
        client: Client,
    },
    /// Wants are canceled, failures forgotten, or partitions tainted.
    Change {
        /// Which.
        request: Request,
        /// The client.
        reply: oneshot::Sender<Result<Changed, Failure>>,
    },
}

/// What was canceled, retried or tainted.
pub struct Changed {
    /// For people.
    pub done: String,
    /// The failed partitions that are built again when they are wanted.
    pub retried: Vec<String>,
}

/// Where a want came from.
pub struct Client {
    /// Wants with a higher priority are served first.
    pub priority: i32,
    /// What the partitions are for.
    pub comment: String,
    /// When the want expires.
    pub deadline: Option<Timestamp>,
    /// The time that is promised for it. Without it, the jobs decide.
    pub sla: Option<Timestamp>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<Wanted, Failure>>,
}

impl Client {
    /// The same client, which gets no further answer.
    pub fn answered(&self) -> Self {
        Self {
            comment: self.comment.clone(),
            reply: oneshot::channel().0,
            ..*self
        }
    }
}

/// The names of a want, with its client.
pub type Asked = (Vec<String>, Client);

/// What a client is answered.
pub type Answered = (
    Result<Wanted, Failure>,
    oneshot::Sender<Result<Wanted, Failure>>,
);

/// Where clients leave their commands.
pub struct Mailbox {
    commands: Sender<Command>,
    waker: Waker<JobRun, RunOutput>,
    ending: Arc<AtomicBool>,
}

impl Mailbox {
    /// Gives a command to the engine, and waits for its answer.
    ///
    /// # Errors
    /// The refusal of the engine; 503 if it is ending.
    pub async fn send<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Command,
    ) -> Result<T, Failure> {
        let (reply, answer) = oneshot::channel();
        if self.is_ending() || self.commands.send(command(reply)).is_err() {
            return Err(Failure::ending());
        }
        self.waker.wake();
        answer.await.unwrap_or_else(|_| Err(Failure::ending()))
    }

    /// Returns whether the daemon takes no more commands.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }
}

/// The other end of a [`Mailbox`], for the engine.
pub struct Orders {
    commands: Receiver<Command>,
    ending: Arc<AtomicBool>,
    /// The file of the jobs.
    pub jobs: JobsFile,
    /// The look at the sources that goes on.
    pub look: Look,
    /// How long runs may go on after a signal.
    grace: Duration,
}

/// The jobs file, which may be changed while the daemon runs.
pub struct JobsFile {
    path: PathBuf,
    changed: Option<SystemTime>,
}

impl JobsFile {
    /// A file that was read at this moment.
    pub fn of(path: PathBuf) -> Self {
        let changed = modified(&path);
        Self { path, changed }
    }

    /// Reads the file again if it has changed since.
    ///
    /// # Errors
    /// If the file cannot be read, or is none of jobs.
    pub fn reread(&mut self) -> Result<Option<Jobs>> {
        let now = modified(&self.path);
        if now.is_some() && now == self.changed {
            return Ok(None);
        }
        let jobs = Jobs::load(&self.path)?;
        self.changed = now;
        Ok(Some(jobs))
    }
}

fn modified(path: &std::path::Path) -> Option<SystemTime> {
    std::fs::metadata(path)
        .and_then(|meta| meta.modified())
        .ok()
}

/// Makes a mailbox for an engine.
pub fn mailbox(engine: &Engine, jobs: PathBuf, grace: Duration) -> (Mailbox, Orders) {
    let (sender, receiver) = channel();
    let ending = Arc::new(AtomicBool::new(false));
    let mailbox = Mailbox {
        commands: sender,
        waker: engine.children.waker(),
        ending: Arc::clone(&ending),
    };
    let orders = Orders {
        commands: receiver,
        ending,
        jobs: JobsFile::of(jobs),
        look: Look::new(engine.children.waker()),
        grace,
    };
    (mailbox, orders)
}

impl Engine {
    /// Resumes the wants that an earlier daemon left open, and works until a signal arrives. Then no more runs begin; those that
    /// run may go on for the grace time, and are ended and recorded as lost after it. Wants stay open, for the next daemon.
    ///
    /// # Errors
    /// If the store cannot be written. The runs have ended then, too.
    pub fn serve(&mut self, orders: &mut Orders) -> Result<()> {
        let result = self.serve_until_signal(orders);
        orders.ending.store(true, Ordering::Relaxed);
        orders.look.end();
        self.progress.finish();
        self.children.end();
        let runs: Vec<JobRun> = std::mem::take(&mut self.works).into_keys().collect();
        let lost = self.lose(&runs);
        if result.is_ok() && lost.is_ok() {
            self.checkpoint();
        }
        // The first error is returned.
        result.and(lost)
    }

    fn serve_until_signal(&mut self, orders: &mut Orders) -> Result<()> {
        let open = open_wants(&self.store).into_iter();
        let open = open.flat_map(|want| want.partitions(&self.store));
        let names: BTreeSet<String> = open.map(|r| r.name(&self.store).to_owned()).collect();
        let names: Vec<String> = names.into_iter().collect();
        if start::recover(self, &names, Earlier::Kept)?.is_some() {
            return Ok(());
        }
        self.queue.of_daemon = true;
        let (mut until, mut pruned) = (None, None::<Instant>);
        loop {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNED_EVERY) {
                pruned = Some(Instant::now());
                self.prune();
            }
            if until.is_none() && self.signals.received().is_some() {
                orders.ending.store(true, Ordering::Relaxed);
                orders.look.end();
                // They stay queued, and are recorded as lost at the end.
                self.children.begin_no_more();
                until = Some(Instant::now() + orders.grace);
                self.progress
                    .note("ending; a second signal ends it at once");
            }
            match until {
                None => while self.start_some()? {},
                Some(at) if self.is_idle() || at <= Instant::now() => return Ok(()),
                Some(_) => {}
            }
            self.record_ends(TICK)?;
            self.stop_late_runs();
            self.obey(orders)?;
            self.answer()?;
            self.forget();
        }
    }

    /// Drops what is known of runs that have ended, if none goes on that could be compared with it.
    fn forget(&mut self) {
        if self.is_idle() {
            self.built.clear();
            self.kept.clear();
            self.failed.clear();
            if open_wants(&self.store).is_empty() {
                self.missed.clear();
            }
        }
    }

    /// Carries out the commands that have arrived, and answers them when what they did is on the disk.
    fn obey(&mut self, orders: &mut Orders) -> Result<()> {
        let (mut wants, mut changes) = (Vec::new(), Vec::new());
        for command in orders.commands.try_iter() {
            match command {
                Command::Want { refs, client } => wants.push((refs, client)),
                Command::Change { request, reply } => {
                    let changed = self.change(&request);
                    let conflict = |e| Failure::new(StatusCode::CONFLICT, format!("{e:#}"));
                    changes.push((changed.map_err(conflict), reply));
                }
            }
        }
        let wanted = self.answer_wants(orders, wants)?;
        if wanted.is_empty() && changes.is_empty() {
            return Ok(());
        }
        self.sync()?;
        // The clients may be gone.
        for (changed, reply) in changes {
            drop(reply.send(changed));
        }
        for (wanted, reply) in wanted {
            drop(reply.send(wanted));
        }
        Ok(())
    }

    fn change(&mut self, request: &Request) -> Result<Changed> {
        let db = &self.store;
        let failed = match request.what {
            What::Retry => request.failed(db)?,
            What::Cancel | What::Taint => Vec::new(),
        };
        let retried = failed.into_iter().map(|p| name(p, db).to_owned()).collect();
        let done = request.carry_out(&mut self.store)?;
        self.went_stale |= request.what == What::Taint;
        Ok(Changed { done, retried })
    }

    /// Refuses the wants for what cannot be wanted, and returns the others.
    pub fn check_all(&mut self, jobs: &mut JobsFile, wants: Vec<Asked>) -> Vec<Asked> {
        let read = jobs.reread().map(|jobs| {
            if let Some(jobs) = jobs {
                self.use_jobs(jobs);
            }
        });
        let (mut selected, mut fine, mut accepted) = (Vec::new(), Vec::new(), Vec::new());
        for (refs, client) in wants {
            let refs = match &read {
                Ok(()) => selection::expand(&refs, &self.store),
                Err(e) => Err(anyhow::anyhow!("{e:#}")),
            };
            match refs {
                Ok(refs) => selected.push((refs, client)),
                Err(e) => refuse(client, &e),
            }
        }
        // Names may contradict each other, also those of different clients. Usually none do.
        let of_all: Vec<String> = (selected.iter())
            .flat_map(|(refs, _)| refs.clone())
            .collect();
        if start::check_refs(&self.jobs, &self.parents, &self.store, &of_all).is_ok() {
            return selected;
        }
        for (refs, client) in selected {
            let before = accepted.len();
            accepted.extend(refs.iter().cloned());
            match start::check_refs(&self.jobs, &self.parents, &self.store, &accepted) {
                Ok(()) => fine.push((refs, client)),
                Err(e) => {
                    accepted.truncate(before);
                    refuse(client, &e);
                }
            }
        }
        fine
    }

    /// Replaces the failed partitions of which the cause may be gone without a trace, as a databuild does that starts.
    pub fn retry_what_left_no_trace(&mut self, refs: &[String]) -> Result<()> {
        let db = &self.store;
        let wanted = refs.iter().filter_map(|name| current(name, db));
        let under = stands_on(db, wanted).into_iter();
        let failed = under.filter(|p| p.in_state::<Failed>(db).is_some_and(|p| p.again(db)));
        self.replace(failed.collect())
    }

    /// Creates one want for partitions, without those that depend on one that is not known to be up to date.
    pub fn want_together(
        &mut self,
        refs: Vec<String>,
        client: &Client,
    ) -> Result<Result<Wanted, Failure>> {
        let db = &self.store;
        let is_unknown = |name: &String| current(name, db).is_some_and(|p| self.unknown.affects(p));
        let (left_out, known): (Vec<String>, Vec<String>) = refs.into_iter().partition(is_unknown);
        if known.is_empty() {
            let why: Vec<&str> = self.unknown.failures().collect();
            let why = format!(
                "nothing of it is known to be up to date: {}",
                why.join("\n")
            );
            return Ok(Err(Failure::new(StatusCode::CONFLICT, why)));
        }
        let names = known.iter().map(String::as_str);
        let sla = times::promised(client.sla, &self.jobs, names);
        let event = WantCreated {
            partitions: known.into_iter().map(Ensure::from).collect(),
            source: OF_DAEMON.to_owned(),
            comment: client.comment.clone(),
            priority: client.priority,
            deadline: client.deadline,
            sla,
        };
        match self.store.try_step(event) {
            Ok(receipt) => Ok(Ok(Wanted {
                want: receipt.created.want,
                seq: receipt.seq,
                left_out,
            })),
            Err(e @ (StepError::Storage(_) | StepError::Indeterminate(_))) => {
                Err(step_error(&self.dirs, e))
            }
            Err(e) => Ok(Err(Failure::new(StatusCode::CONFLICT, e.to_string()))),
        }
    }
}

/// Tells a client why it cannot want what it wants.
fn refuse(client: Client, e: &anyhow::Error) {
    let failure = Failure::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{e:#}"));
    // The client may be gone.
    drop(client.reply.send(Err(failure)));
}
