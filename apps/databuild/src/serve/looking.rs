//! The sources of partitions are looked at when something is wanted. The `digest` commands that this takes run on a thread, while the
//! engine goes on.
//!
//! ```text
//! a want arrives   what can be seen without a command is recorded, and the commands are started that do not run already
//!                  the want needs what they are asked about: it waits for them
//!                  it does not, as far as is known: it is created at once
//!                  it needs a command that ran already, and may have read the sources before these changed: it waits until that has
//!                  ended, and then for the next look, which it shares with all that arrive meanwhile
//! one has ended    what has changed is recorded, and the wants are created that waited for no other command
//! ```
//!
//! If the wanted partitions and all that they are made from are live, only these are compared, as long as none of them has changed.
//!
//! A want that was created before all commands had ended may turn out to be made from what has changed, because its runs have discovered that.
//! What it asked for is then wanted again.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::model::build::state::Live;
use crate::model::build::{JobRun, Partition};
use crate::protocol::RunOutput;
use crate::rules::current;
use crate::serve::failure::Failure;
use crate::serve::inbox::{Answered, Asked, Orders};

/// The comparisons of the sources that are running, and the wants that wait for them or for the next one.
pub struct Look {
    going_on: Vec<GoingOn>,
    next: Vec<Asked>,
    waker: Arc<Waker<JobRun, RunOutput>>,
}

struct GoingOn {
    answers: Receiver<(usize, Answers)>,
    /// By the index of the job, the partitions that the commands are asked about which have not ended.
    open: BTreeMap<usize, BTreeSet<Partition>>,
    thread: JoinHandle<()>,
    stop: Arc<AtomicBool>,
    /// Whether only what is wanted is compared, since it was live and nothing is built if it has not changed.
    of_few: bool,
    waiting: Vec<Asked>,
    /// What was wanted meanwhile, for clients that have their answer.
    meanwhile: Vec<Asked>,
}

impl Look {
    /// None goes on. The engine is woken when a command has ended.
    pub fn new(waker: Waker<JobRun, RunOutput>) -> Self {
        Self {
            going_on: Vec::new(),
            next: Vec::new(),
            waker: Arc::new(waker),
        }
    }

    /// Ends the commands. The clients that wait learn that the daemon is ending.
    pub fn end(&mut self) {
        self.next.clear();
        for look in &self.going_on {
            look.stop.store(true, Ordering::Relaxed);
        }
        for look in self.going_on.drain(..) {
            // A panic of the thread has been printed.
            drop(look.thread.join());
        }
    }

    /// Returns whether the command of a job is running.
    fn is_asking(&self, job: usize) -> bool {
        self.going_on
            .iter()
            .any(|look| look.open.contains_key(&job))
    }

    /// Notes wants that are created while commands run.
    fn note_meanwhile(&mut self, wants: &[Asked]) {
        for look in &mut self.going_on {
            look.meanwhile.extend(wants.iter().map(again));
        }
    }

    fn begin(&mut self, questions: Questions, waiting: Vec<Asked>, of_few: bool) -> Result<()> {
        let (sender, answers) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, waker) = (Arc::clone(&stop), Arc::clone(&self.waker));
        let asked = questions.jobs.iter().map(|(job, question)| {
            let built = question.built.iter();
            (*job, built.map(|(partition, ..)| *partition).collect())
        });
        let open = asked.collect();
        let thread = std::thread::Builder::new().name("digests".to_owned());
        let thread = thread.spawn(move || {
            let is_stopped = || stopped.load(Ordering::Relaxed).then_some(0);
            // Only the end of the daemon stops the commands.
            let _ = questions.ask(&is_stopped, &mut |job, answers| {
                // The receiver is gone if the daemon ends.
                drop(sender.send((job, answers)));
                waker.wake();
            });
        });
        self.going_on.push(GoingOn {
            answers,
            open,
            thread: thread.context("cannot start a thread for the `digest` commands")?,
            stop,
            of_few,
            waiting,
            meanwhile: Vec::new(),
        });
        Ok(())
    }
}

impl GoingOn {
    /// Takes the answers that have arrived. `Err` if none will arrive any more, although commands have not answered.
    fn take(&mut self) -> Result<Answers, Disconnected> {
        let mut all = Answers::default();
        while !self.open.is_empty() {
            match self.answers.try_recv() {
                Ok((job, answers)) => {
                    self.open.remove(&job);
                    all.add(answers);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return Err(Disconnected),
            }
        }
        Ok(all)
    }

    /// Returns whether a command that has not answered is asked about one of some partitions.
    fn is_about(&self, needed: &BTreeSet<Partition>) -> bool {
        let mut open = self.open.values().flatten();
        open.any(|partition| needed.contains(partition))
    }
}

/// The thread of a look has ended too early.
struct Disconnected;

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
        let mut answered = Vec::new();
        let mut wants = wants;
        if self.take_answers(orders, &mut answered)? {
            wants.append(&mut orders.look.next);
        }
        if wants.is_empty() {
            return Ok(answered);
        }
        let fine = self.check_all(&mut orders.jobs, wants);
        if fine.is_empty() {
            return Ok(answered);
        }
        let wanted = names(&fine);
        let few = fresh::live_and_few(self, &wanted);
        let (mut changed, mut questions) = fresh::differences(self, few.as_ref());
        // If something is to be built, its run may read what was not compared.
        let of_few = few.is_some() && changed.is_empty();
        if few.is_some() && !of_few {
            (changed, questions) = fresh::differences(self, None);
        }
        if !of_few {
            // The other commands that failed are not those of these jobs any more.
            self.unknown
                .retain(|pattern| questions.is_of(pattern), &self.store);
        }
        fresh::learn_before(self, &wanted, changed)?;
        let look = &mut orders.look;
        let (asking, asked) = questions.split(|job| look.is_asking(job));
        let (mut waiting, mut now) = (Vec::new(), Vec::new());
        for (refs, client) in fine {
            let needed = fresh::needed_for(self, &refs);
            let is_needed = |partition: &Partition| needed.contains(partition);
            let those = if asking.is_about(is_needed) {
                &mut look.next
            } else if asked.is_about(is_needed) {
                &mut waiting
            } else {
                &mut now
            };
            those.push((refs, client));
        }
        if !asked.jobs.is_empty() {
            look.begin(asked, waiting, of_few)?;
        }
        look.note_meanwhile(&now);
        answered.extend(self.create(now)?);
        Ok(answered)
    }

    /// Records what commands have found that have ended, and creates the wants that have waited for them. Returns whether one has ended.
    fn take_answers(&mut self, orders: &mut Orders, answered: &mut Vec<Answered>) -> Result<bool> {
        let Orders { look, jobs, .. } = orders;
        let (mut has_ended, mut ready, mut unsure) = (false, Vec::new(), Vec::new());
        for look in &mut look.going_on {
            let answers = match look.take() {
                Ok(answers) if answers.jobs.is_empty() => continue,
                answers => answers,
            };
            has_ended = true;
            let waiting = std::mem::take(&mut look.waiting);
            let Ok(answers) = answers else {
                look.open.clear();
                answered.extend(waiting.into_iter().map(not_compared));
                continue;
            };
            let waiting = self.check_all(jobs, waiting);
            let mut refs = names(&waiting);
            refs.extend(look.meanwhile.iter().flat_map(|(refs, ..)| refs.clone()));
            let changed = fresh::learn(self, &refs, BTreeSet::new(), answers)?;
            for (refs, client) in look.meanwhile.iter().filter(|_| !changed.is_empty()) {
                if changed.is_disjoint(&fresh::needed_for(self, refs)) {
                    continue;
                }
                // What is built now may read what was not compared.
                if look.of_few {
                    unsure.push((refs.clone(), client.answered()));
                    continue;
                }
                // One that cannot be wanted any more is not.
                drop(self.want_together(refs.clone(), client)?);
            }
            for (refs, client) in waiting {
                if !look.open.is_empty() && look.is_about(&fresh::needed_for(self, &refs)) {
                    look.waiting.push((refs, client));
                } else if look.of_few && !self.are_live(&refs) {
                    unsure.push((refs, client));
                } else {
                    ready.push((refs, client));
                }
            }
        }
        look.going_on.retain(|look| !look.open.is_empty());
        look.next.append(&mut unsure);
        look.note_meanwhile(&ready);
        answered.extend(self.create(ready)?);
        Ok(has_ended)
    }

    fn are_live(&self, refs: &[String]) -> bool {
        let db = &self.store;
        refs.iter()
            .all(|name| current(name, db).is_some_and(|p| p.is::<Live>(db)))
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

/// The same want, for a client that has its answer.
fn again((refs, client): &Asked) -> Asked {
    (refs.clone(), client.answered())
}

/// Refuses a want, because nothing is known of the sources. So nothing may be built from them.
fn not_compared((_, client): Asked) -> Answered {
    let why = "the sources of partitions could not be compared, which is a bug: see the message of the panic on the daemon's stderr";
    let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, why);
    (Err(failure), client.reply)
}

/// All names, each once.
fn names(wants: &[Asked]) -> Vec<String> {
    let all: BTreeSet<&String> = wants.iter().flat_map(|(refs, _)| refs).collect();
    all.into_iter().cloned().collect()
}
