//! Shrinks a history: first by leaving out events (delta debugging; Zeller and Hildebrandt, 2002), then by simplifying fields.
//!
//! A proposal is repeated from the first state, and what is not valid any more is left out of it: events whose entities do not exist,
//! and those that do not do what they did. Entities are named by the steps that created them ([`Identity`]), so that the ids in the
//! remaining events are right. So each proposal is a valid history.
//!
//! 1. *Chunks.* Half of the events is left out, the last half first, then each quarter and so on down to single events, and single
//!    events again until none can be left out.
//! 2. *Fields.* Values of a domain are replaced by the first one, by the one halfway to it, or by the one before. Those that a
//!    strategy has drawn are simplified by it. Entities are left out of sets and options.
//! 3. If a field has become simpler, single events are left out again.
//!
//! It ends: each proposal that is accepted has fewer events, or a simpler field. At most [`REPEATS_MAX`] proposals are repeated.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use proptest::strategy::ValueTree;

use crate::check::domain::FieldChoices;
use crate::check::histories::Config;
use crate::check::histories::course::{Course, Draft, Identity, Part, Taken};
use crate::check::histories::generate::{Drawn, DrawnValues};
use crate::check::histories::history::{History, Step};
use crate::step::model::Model;

/// How many proposals are repeated at most, each in O(its events).
const REPEATS_MAX: usize = 4_096;

/// A history that can be shrunk.
pub struct HistoryTree<M: Model> {
    config: Rc<Config<M>>,
    course: Course<M>,
    /// The history that was last known to fail the test, and at first the one that was drawn.
    best: Candidate<M>,
    /// What is tested if it is not `best`.
    proposal: Option<Candidate<M>>,
    /// Whether the runner has asked for the present proposal.
    is_asked: Cell<bool>,
    values: DrawnValues,
    /// The least number of events.
    len_min: usize,
    phase: Phase,
    repeats: usize,
}

impl<M: Model> fmt::Debug for HistoryTree<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HistoryTree")
            .field("model", &M::NAME)
            .field("events", &self.best.history.len())
            .finish_non_exhaustive()
    }
}

struct Candidate<M: Model> {
    drafts: Vec<Draft>,
    history: History<M>,
}

/// What is proposed next.
enum Phase {
    /// Leave out `size` events that end at `end`.
    Chunks {
        size: usize,
        end: usize,
        /// Whether some were left out since the last chunk was at the end.
        has_removed: bool,
    },
    /// Simplify a field.
    Fields {
        targets: Vec<(u32, usize)>,
        next: usize,
        attempt: Attempt,
        has_changed: bool,
    },
    Ended,
}

/// How a field is simplified next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// In the way of this number.
    Way(usize),
    /// By the strategy that has drawn it.
    Strategy,
}

/// The result of the test with a proposal. One that is not valid passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Passes,
    /// Whether it is another history than the best one.
    Fails {
        is_new: bool,
    },
}

impl<M: Model> HistoryTree<M> {
    pub(super) fn new(config: Rc<Config<M>>, drawn: Drawn<M>) -> Self {
        let len_min = config.len_min.min(drawn.steps.len());
        let len = drawn.steps.len();
        Self {
            best: candidate(&config, drawn.steps),
            course: drawn.course,
            values: drawn.values,
            config,
            proposal: None,
            is_asked: Cell::new(true),
            len_min,
            phase: Phase::Chunks {
                size: len.div_ceil(2),
                end: len,
                has_removed: false,
            },
            repeats: 0,
        }
    }

    /// Proposes what is next, if anything is.
    fn propose(&mut self) -> bool {
        while self.repeats < REPEATS_MAX {
            let drafts = match &self.phase {
                Phase::Chunks { size, end, .. } => {
                    let mut drafts = self.best.drafts.clone();
                    drafts.drain(end.saturating_sub(*size)..*end);
                    drafts
                }
                Phase::Fields { .. } => {
                    let Some(drafts) = self.simpler() else {
                        self.next_field();
                        continue;
                    };
                    drafts
                }
                Phase::Ended => return false,
            };
            self.repeats += 1;
            if drafts == self.best.drafts {
                // A strategy goes back to the value that failed before it goes on with another part of it.
                self.learn(Verdict::Fails { is_new: false });
                continue;
            }
            if drafts.len() >= self.len_min {
                let valid = self.course.repeat(drafts);
                if valid.len() >= self.len_min && self.is_simpler(&valid) {
                    self.proposal = Some(candidate(&self.config, valid));
                    self.is_asked.set(false);
                    return true;
                }
            }
            self.learn(Verdict::Passes);
        }
        self.phase = Phase::Ended;
        false
    }

    /// Whether a proposal is what was meant: if a field is simplified, the event with it is still there.
    fn is_simpler(&self, valid: &[Taken<M>]) -> bool {
        match &self.phase {
            Phase::Fields { targets, next, .. } => {
                let step = targets.get(*next).map(|(step, _)| *step);
                valid.iter().any(|taken| Some(taken.draft.step) == step)
            }
            _ => valid.len() < self.best.drafts.len(),
        }
    }

    /// Goes on after a proposal.
    fn learn(&mut self, verdict: Verdict) {
        let len = self.best.drafts.len();
        let is_accepted = verdict == Verdict::Fails { is_new: true };
        match &mut self.phase {
            Phase::Chunks {
                size,
                end,
                has_removed,
            } => {
                *has_removed |= is_accepted;
                *end = end.saturating_sub(*size).min(len);
                if *end > 0 {
                    return;
                }
                *end = len;
                if *size > 1 {
                    *size = size.div_ceil(2).min(len.max(1));
                    *has_removed = false;
                } else if *has_removed && len > 0 {
                    *has_removed = false;
                } else {
                    let parts = |draft: &Draft| {
                        let step = draft.step;
                        (0..draft.parts.len()).map(move |field| (step, field))
                    };
                    self.phase = Phase::Fields {
                        targets: self.best.drafts.iter().flat_map(parts).collect(),
                        next: 0,
                        attempt: Attempt::Way(0),
                        has_changed: false,
                    };
                    self.begin_field();
                }
            }
            Phase::Fields {
                targets,
                next,
                attempt,
                has_changed,
            } => {
                *has_changed |= is_accepted;
                let goes_on = match attempt {
                    Attempt::Way(way) => {
                        // What became simpler can become simpler still in the same way.
                        *way += usize::from(!is_accepted);
                        true
                    }
                    Attempt::Strategy => {
                        let target = targets.get(*next);
                        let value = target.and_then(|target| self.values.get_mut(target));
                        value.is_some_and(|value| match verdict {
                            Verdict::Fails { .. } => value.simplify(),
                            Verdict::Passes => value.complicate(),
                        })
                    }
                };
                if !goes_on {
                    self.next_field();
                }
            }
            Phase::Ended => {}
        }
    }

    fn next_field(&mut self) {
        if let Phase::Fields { next, .. } = &mut self.phase {
            *next += 1;
        }
        self.begin_field();
    }

    /// Begins with a field, or ends if there is none.
    fn begin_field(&mut self) {
        let Phase::Fields {
            targets,
            next,
            attempt,
            has_changed,
        } = &mut self.phase
        else {
            return;
        };
        while let Some(target) = targets.get(*next) {
            *attempt = Attempt::Way(0);
            match self.values.get_mut(target) {
                Some(value) => {
                    if value.simplify() {
                        *attempt = Attempt::Strategy;
                        return;
                    }
                }
                None => return,
            }
            *next += 1;
        }
        let len = self.best.drafts.len();
        self.phase = match has_changed {
            true => Phase::Chunks {
                size: 1,
                end: len,
                has_removed: false,
            },
            false => Phase::Ended,
        };
    }

    /// The best history with a simpler field, if there is one.
    fn simpler(&self) -> Option<Vec<Draft>> {
        let Phase::Fields {
            targets,
            next,
            attempt,
            ..
        } = &self.phase
        else {
            return None;
        };
        let (step, field) = *targets.get(*next)?;
        let at = (self.best.drafts.iter()).position(|draft| draft.step == step)?;
        let draft = &self.best.drafts[at];
        let part = match attempt {
            Attempt::Strategy => {
                let value = self.values.get(&(step, field))?;
                Part::Value(value.encoded().ok()?)
            }
            Attempt::Way(way) => {
                // If a function of the user gives the bindings, there are no choices for single fields.
                let event = &self.course.trial.events()[draft.of];
                let choices = event.fields.get(field)?;
                simpler_part(&draft.parts[field], choices, *way)?
            }
        };
        let mut drafts = self.best.drafts.clone();
        drafts[at].parts[field] = part;
        Some(drafts)
    }
}

/// A field that is simpler in the way of a number; `None` if there are fewer ways.
fn simpler_part(part: &Part, choices: &FieldChoices, way: usize) -> Option<Part> {
    match part {
        Part::Value(value) => {
            let FieldChoices::Values(domain) = choices else {
                return None;
            };
            let at = domain.iter().position(|of| of == value)?;
            let simpler = [0, at / 2, at.checked_sub(1)?];
            let mut ways = simpler.into_iter().take(at.min(3));
            domain.get(ways.nth(way)?).cloned().map(Part::Value)
        }
        Part::Option(Some(_)) => (way == 0).then_some(Part::Option(None)),
        Part::Many(entities) => {
            let mut fewer: Vec<Identity> = entities.clone();
            (way < fewer.len()).then(|| fewer.remove(way))?;
            Some(Part::Many(fewer))
        }
        Part::Option(None) | Part::One(_) => None,
    }
}

fn candidate<M: Model>(config: &Config<M>, steps: Vec<Taken<M>>) -> Candidate<M> {
    let mut drafts = Vec::with_capacity(steps.len());
    let steps = (steps.into_iter()).map(|Taken { draft, event, time }| {
        let fate = draft.fate;
        drafts.push(draft);
        Step { event, fate, time }
    });
    let steps = steps.collect();
    Candidate {
        drafts,
        history: History {
            domains: config.domains.clone(),
            steps,
        },
    }
}

impl<M: Model> ValueTree for HistoryTree<M> {
    type Value = History<M>;

    fn current(&self) -> History<M> {
        self.is_asked.set(true);
        self.proposal.as_ref().unwrap_or(&self.best).history.clone()
    }

    fn simplify(&mut self) -> bool {
        if let Some(accepted) = self.proposal.take() {
            self.best = accepted;
            self.learn(Verdict::Fails { is_new: true });
        }
        self.propose()
    }

    fn complicate(&mut self) -> bool {
        if self.proposal.take().is_none() {
            return false;
        }
        // A runner that gives up calls this until it returns false, without a test of what is proposed.
        if !self.is_asked.get() {
            self.phase = Phase::Ended;
            return false;
        }
        self.learn(Verdict::Passes);
        self.propose()
    }
}
