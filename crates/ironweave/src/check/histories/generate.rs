//! Draws a history: one event after the other, each on the state to which the ones before it have led.

use std::collections::BTreeMap;

use proptest::test_runner::{Reason, TestRunner};

use crate::base::id::Id;
use crate::check::bindings::pools::{Breadth, Pools};
use crate::check::histories::Config;
use crate::check::histories::course::{Course, Draft, Taken};
use crate::check::histories::drawn::{DrawValues, DrawnValue};
use crate::check::histories::tally::Tally;
use crate::check::live::Tried;
use crate::check::random::Random;
use crate::check::rust_test::Fate;
use crate::check::trial::{Change, Effects};
use crate::schema::{EntityIx, EventIx};
use crate::step::model::Model;

/// How many bindings of an event are drawn before all of them are tried.
const DRAWS: usize = 16;
/// The greatest number of bindings that are all tried.
const ALL_MAX: u64 = 1_024;
/// How many bindings are drawn of an event that has more, before it is regarded as not enabled where no other event is.
const LAST_DRAWS: usize = 256;
/// After all bindings of an event were tried and none fired, they are not tried again for one step, then for two, up to so many.
const PAUSE_MAX: u32 = 16;
/// How many deleted entities are remembered, for events that are to be rejected.
const DELETED_MAX: usize = 8;

/// The values of fields that strategies have drawn, by step and field.
pub(super) type DrawnValues = BTreeMap<(u32, usize), Box<dyn DrawnValue>>;

/// A history that was drawn.
pub(super) struct Drawn<M: Model> {
    pub course: Course<M>,
    pub steps: Vec<Taken<M>>,
    pub values: DrawnValues,
    pub tally: Tally,
}

/// When all bindings of an event are tried again.
#[derive(Clone, Copy, Default)]
struct Pause {
    left: u32,
    next: u32,
}

/// A binding of an event, with the values that strategies drew for some of its fields.
struct Binding<M: Model> {
    event: M::Event,
    values: Vec<(usize, Box<dyn DrawnValue>)>,
}

struct Generator<'c, 'r, M: Model> {
    config: &'c Config<M>,
    runner: &'r mut TestRunner,
    random: Random,
    drawn: Drawn<M>,
    /// By event: the fields whose values strategies draw.
    fields: Vec<Vec<(usize, &'c dyn DrawValues)>>,
    /// By event.
    weights: Vec<f64>,
    pauses: Vec<Pause>,
    deleted: Vec<(EntityIx, Id)>,
}

/// Draws a history of at most so many events.
pub(super) fn generate<M: Model>(
    config: &Config<M>,
    (seed, len): (u64, usize),
    runner: &mut TestRunner,
) -> Result<Drawn<M>, Reason> {
    let course = Course::new(config).map_err(|e| e.to_string())?;
    let schema = &course.trial.store().plan.layout.schema;
    let mut fields = Vec::new();
    let mut weights = Vec::new();
    for event in course.trial.events() {
        let defs = schema[event.event].fields.iter().enumerate();
        let drawn = defs.filter_map(|(i, def)| Some((i, config.strategy(&event.name, &def.name)?)));
        fields.push(drawn.collect());
        weights.push(config.weight(&event.name));
    }
    // Their sum must be finite.
    let greatest = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    weights.iter_mut().for_each(|weight| *weight /= greatest);
    let mut generator = Generator {
        config,
        runner,
        random: Random::new(seed),
        pauses: vec![Pause::default(); fields.len()],
        fields,
        weights,
        deleted: Vec::new(),
        drawn: Drawn {
            tally: Tally::default(),
            course,
            steps: Vec::new(),
            values: BTreeMap::new(),
        },
    };
    generator.run(len)?;
    Ok(generator.drawn)
}

impl<M: Model> Generator<'_, '_, M> {
    fn run(&mut self, len: usize) -> Result<(), Reason> {
        while self.drawn.steps.len() < len && !self.has_panicked() {
            self.drawn.course.trial.see();
            let rejects = self.config.rejected > 0.0 && self.random.unit() < self.config.rejected;
            if rejects && self.reject()? {
                continue;
            }
            if !self.fire()? {
                self.drawn.tally.ended_early = true;
                break;
            }
        }
        Ok(())
    }

    /// Whether the last event panicked, so that no other follows.
    fn has_panicked(&self) -> bool {
        (self.drawn.steps.last()).is_some_and(|taken| taken.draft.fate == Fate::Panics)
    }

    fn ix(&self, of: usize) -> EventIx {
        self.drawn.course.trial.events()[of].event
    }

    /// The events that have a weight, in an order at random in which those with greater weights tend to be before others: each is the
    /// next one with a probability in proportion to its weight.
    fn order(&mut self) -> Vec<usize> {
        let weights = self.weights.iter().enumerate();
        let mut left: Vec<(usize, f64)> = weights
            .map(|(of, weight)| (of, *weight))
            .filter(|(_, weight)| *weight > 0.0)
            .collect();
        let mut order = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let sum: f64 = left.iter().map(|(_, weight)| weight).sum();
            let mut rest = self.random.unit() * sum;
            let found = left.iter().position(|(_, weight)| {
                rest -= weight;
                rest < 0.0
            });
            // Rounding can leave a rest.
            let (of, _) = left.remove(found.unwrap_or(left.len() - 1));
            order.push(of);
        }
        order
    }

    /// Fires an event, if one is enabled.
    fn fire(&mut self) -> Result<bool, Reason> {
        let order = self.order();
        let mut again = Vec::new();
        let mut has_tried_due = false;
        for of in order {
            if self.drawn.course.fires_when_due(of) {
                if !std::mem::replace(&mut has_tried_due, true) && self.fire_due() {
                    return Ok(true);
                }
                continue;
            }
            if self.drawn.course.trial.is_full(of) {
                continue;
            }
            let (found, is_sure) = self.fire_one(of, false)?;
            if found {
                return Ok(true);
            }
            if !is_sure {
                again.push(of);
            }
        }
        for of in again {
            if self.fire_one(of, true)?.0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Fires one of the bindings of an event, if one is enabled. Otherwise, returns whether that is sure.
    fn fire_one(&mut self, of: usize, is_last: bool) -> Result<(bool, bool), Reason> {
        if let Some(mut given) = self.drawn.course.trial.given(of) {
            self.random.shuffle(&mut given);
            for event in given {
                let values = Vec::new();
                if self.try_to_fire(of, Binding { event, values }) {
                    return Ok((true, true));
                }
            }
            return Ok((false, true));
        }
        let pools = self.drawn.course.trial.pools(of, Breadth::Possible);
        let len = pools.len();
        if len == 0 {
            return Ok((false, true));
        }
        let draws = match (is_last, len <= ALL_MAX) {
            (true, false) => LAST_DRAWS,
            (true, true) => 0,
            // All of them are tried below.
            (false, _) if len <= DRAWS as u64 && self.fields[of].is_empty() => 0,
            (false, _) => DRAWS,
        };
        for _ in 0..draws {
            let Some(choices) = pools.draw(&mut self.random) else {
                break;
            };
            let binding = self.binding(of, &choices)?;
            if self.try_to_fire(of, binding) {
                self.pauses[of] = Pause::default();
                return Ok((true, true));
            }
        }
        if len > ALL_MAX {
            return Ok((false, is_last));
        }
        let pause = &mut self.pauses[of];
        if pause.left > 0 && !is_last && len > DRAWS as u64 {
            pause.left -= 1;
            return Ok((false, false));
        }
        if self.fire_any(of, &pools)? {
            self.pauses[of] = Pause::default();
            return Ok((true, true));
        }
        let pause = &mut self.pauses[of];
        pause.next = (2 * pause.next).clamp(1, PAUSE_MAX);
        pause.left = pause.next;
        Ok((false, true))
    }

    /// Tries all bindings, in an order at random.
    fn fire_any(&mut self, of: usize, pools: &Pools) -> Result<bool, Reason> {
        let mut numbers: Vec<u64> = (0..pools.len()).collect();
        self.random.shuffle(&mut numbers);
        for number in numbers {
            let binding = self.binding(of, &pools.nth(number))?;
            if self.try_to_fire(of, binding) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes a binding from choices for its fields, and draws the values of those that have strategies.
    fn binding(&mut self, of: usize, choices: &[Vec<u64>]) -> Result<Binding<M>, Reason> {
        let (mut values, mut encoded) = (Vec::new(), Vec::new());
        for (field, strategy) in &self.fields[of] {
            let value = strategy.draw(self.runner)?;
            encoded.push((*field, value.encoded()?));
            values.push((*field, value));
        }
        let event = self.drawn.course.trial.event(of, choices, &encoded)?;
        Ok(Binding { event, values })
    }

    /// Fires an event, and adds it to the history if it fired or panicked.
    fn try_to_fire(&mut self, of: usize, binding: Binding<M>) -> bool {
        let step = self.drawn.steps.len() as u32;
        // Before it fires: an entity that it deletes has an identity only until then.
        let Some(parts) = self.drawn.course.parts(of, &binding.event) else {
            return false;
        };
        let (tried, effects) = self.drawn.course.fire((step, of), &binding.event);
        let fate = match tried {
            Tried::Fired => Fate::Fires,
            Tried::Panicked(_) => Fate::Panics,
            Tried::Rejected(_) | Tried::Cut { .. } => return false,
        };
        self.count(of, fate, &effects);
        let draft = Draft {
            step,
            of,
            parts,
            fate,
        };
        self.push(draft, binding);
        true
    }

    /// Fires the event that is due next, if there is one, and adds it to the history.
    fn fire_due(&mut self) -> bool {
        let step = self.drawn.steps.len() as u32;
        let Some((taken, effects)) = self.drawn.course.fire_due(step, None) else {
            return false;
        };
        self.count(taken.draft.of, taken.draft.fate, &effects);
        self.drawn.steps.push(taken);
        self.drawn.course.pass();
        true
    }

    /// Counts an event that fired or panicked.
    fn count(&mut self, of: usize, fate: Fate, effects: &Effects) {
        let event = self.ix(of);
        if fate == Fate::Fires {
            for (_, entity, change) in &effects.changes {
                if let Change::Deleted(id) = change {
                    self.deleted.truncate(DELETED_MAX - 1);
                    self.deleted.insert(0, (*entity, *id));
                }
            }
            self.drawn.tally.fired(event, effects);
        } else {
            self.drawn.tally.panicked(event);
        }
    }

    fn push(&mut self, draft: Draft, binding: Binding<M>) {
        for (field, value) in binding.values {
            self.drawn.values.insert((draft.step, field), value);
        }
        let (event, time) = (binding.event, self.drawn.course.time());
        self.drawn.steps.push(Taken { draft, event, time });
        self.drawn.course.pass();
    }

    /// Adds an event that is rejected, if one is found.
    fn reject(&mut self) -> Result<bool, Reason> {
        for of in self.order() {
            if let Some(mut given) = self.drawn.course.trial.given(of) {
                self.random.shuffle(&mut given);
                for event in given {
                    let values = Vec::new();
                    if self.try_to_reject(of, Binding { event, values }) {
                        return Ok(true);
                    }
                }
                continue;
            }
            // Half of the bindings are those with which the event could fire, so that conditions and guards reject it too.
            let possible = self.drawn.course.trial.pools(of, Breadth::Possible);
            let deleted = Breadth::Any(&self.deleted);
            let any = self.drawn.course.trial.pools(of, deleted);
            for _ in 0..DRAWS {
                let pools = match self.random.below(2) {
                    0 => &possible,
                    _ => &any,
                };
                let Some(choices) = pools.draw(&mut self.random) else {
                    continue;
                };
                let binding = self.binding(of, &choices)?;
                if self.try_to_reject(of, binding) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Adds an event to the history if it is rejected or panics.
    fn try_to_reject(&mut self, of: usize, binding: Binding<M>) -> bool {
        let Some(parts) = self.drawn.course.parts(of, &binding.event) else {
            return false;
        };
        let step = self.drawn.steps.len() as u32;
        let mark = self.drawn.course.trial.mark();
        let (tried, _) = self.drawn.course.fire((step, of), &binding.event);
        let fate = match tried {
            Tried::Rejected(e) => {
                let event = self.ix(of);
                self.drawn.tally.rejected(event, &e);
                Fate::IsRejected
            }
            Tried::Panicked(_) => {
                let event = self.ix(of);
                self.drawn.tally.panicked(event);
                Fate::Panics
            }
            Tried::Cut { .. } => return false,
            Tried::Fired => {
                self.drawn.course.trial.undo(mark);
                return false;
            }
        };
        let draft = Draft {
            step,
            of,
            parts,
            fate,
        };
        self.push(draft, binding);
        true
    }
}
