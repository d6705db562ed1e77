//! The sources of partitions are looked at when something is wanted. The `digest` commands that this takes run on a thread, while the
//! engine goes on.
//!
//! ```text
//! a want arrives   what can be seen without a command is recorded, and the commands are started, if none run
//!                  the want needs what they are asked about: it waits for them
//!                  it does not, as far as is known: it is created at once
//!                  commands run already: they may have read the sources before these changed, so the want waits for the next look,
//!                  which it shares with all that arrive meanwhile
//! they have ended  what has changed is recorded, and the wants that waited are created
//! ```
//!
//! A want that was created at once may turn out to be made from what has changed, because its runs have discovered that. What it asked for
//! is then wanted again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use axum::http::StatusCode;

use crate::child::Waker;
use crate::digests::{Answers, Questions};
use crate::engine::Engine;
use crate::fresh;
use crate::model::build::JobRun;
use crate::model::build::state::Stale;
use crate::protocol::RunOutput;
use crate::serve::failure::Failure;
use crate::serve::inbox::{Answered, Asked, Orders};

/// The comparison of the sources that is running, and the wants that wait for it or for the next one.
pub struct Look {
    going_on: Option<GoingOn>,
    next: Vec<Asked>,
    waker: Arc<Waker<JobRun, RunOutput>>,
}

struct GoingOn {
    answers: Receiver<Result<Answers, i32>>,
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    waiting: Vec<Asked>,
    /// What was wanted meanwhile, for clients that have their answer.
    meanwhile: Vec<Asked>,
}

impl Look {
    /// None goes on. The engine is woken when one has ended.
    pub fn new(waker: Waker<JobRun, RunOutput>) -> Self {
        Self {
            going_on: None,
            next: Vec::new(),
            waker: Arc::new(waker),
        }
    }

    /// Ends the commands. The clients that wait learn that the daemon is ending.
    pub fn end(&mut self) {
        self.next.clear();
        if let Some(look) = self.going_on.take() {
            look.stop.store(true, Ordering::Relaxed);
            // A panic of the thread has been printed.
            drop(look.thread.join());
        }
    }

    fn begin(&mut self, questions: Questions, waiting: Vec<Asked>) -> Result<()> {
        let (sender, answers) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, waker) = (Arc::clone(&stop), Arc::clone(&self.waker));
        let thread = std::thread::Builder::new().name("digests".to_owned());
        let thread = thread.spawn(move || {
            let is_stopped = || stopped.load(Ordering::Relaxed).then_some(0);
            let answers = questions.ask(&is_stopped);
            // The receiver is gone if the daemon ends.
            drop(sender.send(answers));
            waker.wake();
        });
        self.going_on = Some(GoingOn {
            answers,
            thread: thread.context("cannot start a thread for the `digest` commands")?,
            stop,
            waiting,
            meanwhile: Vec::new(),
        });
        Ok(())
    }
}

impl Engine {
    /// Takes wants that have arrived, and returns those that were created or refused.
    ///
    /// # Errors
    /// If the store cannot be written.
    pub fn answer_wants(
        &mut self,
        orders: &mut Orders,
        wants: Vec<Asked>,
    ) -> Result<Vec<Answered>> {
        let mut answered = self.end_look(orders)?;
        let mut wants = wants;
        if orders.look.going_on.is_none() {
            wants.append(&mut orders.look.next);
        }
        if wants.is_empty() {
            return Ok(answered);
        }
        let fine = self.check_all(&mut orders.jobs, wants);
        if fine.is_empty() {
            return Ok(answered);
        }
        let all = names(&fine);
        let (changed, questions) = fresh::differences(self);
        fresh::learn_before(self, &all, changed)?;
        let (later, now): (Vec<Asked>, Vec<Asked>) = fine.into_iter().partition(|(refs, _)| {
            let needed = fresh::needed_for(self, refs);
            questions.is_about(|partition| needed.contains(partition))
        });
        match (&mut orders.look.going_on, questions.jobs.is_empty()) {
            (Some(_), _) => orders.look.next.extend(later),
            (None, false) => orders.look.begin(questions, later)?,
            // The commands that failed are not those of these jobs any more.
            (None, true) => fresh::learn(self, &all, BTreeSet::new(), Answers::default())?,
        }
        if let Some(look) = &mut orders.look.going_on {
            let meanwhile = now.iter();
            look.meanwhile
                .extend(meanwhile.map(|(refs, client)| (refs.clone(), client.answered())));
        }
        answered.extend(self.create(now)?);
        Ok(answered)
    }

    /// Records what a look has found if it has ended, and creates the wants that have waited for it.
    fn end_look(&mut self, orders: &mut Orders) -> Result<Vec<Answered>> {
        let Some(look) = &orders.look.going_on else {
            return Ok(Vec::new());
        };
        let answers = match look.answers.try_recv() {
            Ok(Ok(answers)) => Some(answers),
            Err(TryRecvError::Empty) => return Ok(Vec::new()),
            // The thread has panicked. Only the end of the daemon stops it.
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => None,
        };
        let Some(look) = orders.look.going_on.take() else {
            return Ok(Vec::new());
        };
        let Some(answers) = answers else {
            // Nothing is known of the sources, so nothing may be built from them.
            let why = "the sources of partitions could not be compared, which is a bug: see the message of the panic on the daemon's stderr";
            let refused = look.waiting.into_iter().map(|(_, client)| {
                let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, why);
                (Err(failure), client.reply)
            });
            return Ok(refused.collect());
        };
        let waiting = self.check_all(&mut orders.jobs, look.waiting);
        let mut refs = names(&waiting);
        refs.extend(look.meanwhile.iter().flat_map(|(refs, ..)| refs.clone()));
        fresh::learn(self, &refs, BTreeSet::new(), answers)?;
        for (refs, client) in look.meanwhile {
            let needed = fresh::needed_for(self, &refs);
            if needed.iter().any(|p| p.is::<Stale>(&self.store)) {
                // One that cannot be wanted any more is not.
                drop(self.want_together(refs, &client)?);
            }
        }
        self.create(waiting)
    }

    fn create(&mut self, wants: Vec<Asked>) -> Result<Vec<Answered>> {
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        self.retry_what_left_no_trace(&names(&wants))?;
        self.queue.clear();
        let created = wants.into_iter().map(|(refs, client)| {
            let wanted = self.want_together(refs, &client)?;
            Ok((wanted, client.reply))
        });
        created.collect()
    }
}

/// All names, each once.
fn names(wants: &[Asked]) -> Vec<String> {
    let all: BTreeSet<&String> = wants.iter().flat_map(|(refs, _)| refs).collect();
    all.into_iter().cloned().collect()
}
