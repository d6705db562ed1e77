//! What a simulation observes: numbers over time, conditions that hold for the first time, and numbers of single events.

use std::fmt;
use std::sync::Arc;

use crate::simulate::ConditionFn;
use crate::step::model::Model;
use crate::store::Store;

/// A function of the store.
type ValueFn<M> = Arc<dyn Fn(&Store<M>) -> f64 + Send + Sync>;
/// A function of an event and the store after it.
type EventFn<M> = Arc<dyn Fn(&<M as Model>::Event, &Store<M>) -> Option<f64> + Send + Sync>;

/// What is observed.
pub(super) enum Observer<M: Model> {
    /// A number over time.
    Value(ValueFn<M>),
    /// The first time at which a condition holds.
    First(ConditionFn<M>),
    /// A number of single events.
    Event(EventFn<M>),
}

/// All that is observed, by name.
pub(super) struct Observers<M: Model> {
    all: Vec<(String, Observer<M>)>,
}

impl<M: Model> fmt::Debug for Observers<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.all.iter().map(|(name, _)| name))
            .finish()
    }
}

impl<M: Model> Observers<M> {
    pub(super) fn new() -> Self {
        Self { all: Vec::new() }
    }

    pub(super) fn push(&mut self, name: String, observer: Observer<M>) {
        self.all.push((name, observer));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Observer<M>)> {
        self.all.iter().map(|(name, observer)| (&**name, observer))
    }
}

/// What was observed in one replication.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Observed {
    Numbers(Numbers),
    /// In nanoseconds.
    First(Option<u64>),
}

impl Observed {
    pub(super) fn nothing<M: Model>(observer: &Observer<M>) -> Self {
        match observer {
            Observer::Value(_) | Observer::Event(_) => Self::Numbers(Numbers::default()),
            Observer::First(_) => Self::First(None),
        }
    }
}

/// Numbers with weights: how long they lasted, or one for each event.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Numbers {
    mean: f64,
    weight: f64,
    min: f64,
    max: f64,
    /// The last number, if none had a weight.
    weightless: Option<f64>,
}

impl Numbers {
    pub(super) fn add(&mut self, number: f64, weight: f64) {
        if weight <= 0.0 {
            self.weightless = Some(number);
            return;
        }
        (self.min, self.max) = match self.weight > 0.0 {
            true => (self.min.min(number), self.max.max(number)),
            false => (number, number),
        };
        self.weight += weight;
        // West's method, whose sum does not grow.
        self.mean += (number - self.mean) * (weight / self.weight);
    }

    /// The mean, the least and the greatest number. `None` if there are none.
    pub(super) fn range(&self) -> Option<[f64; 3]> {
        match self.weight > 0.0 {
            true => Some([self.mean, self.min, self.max]),
            false => self.weightless.map(|number| [number; 3]),
        }
    }
}
