//! [`History`]: a list of events that are valid one after the other.

use std::fmt;
use std::sync::Arc;

use proptest::test_runner::TestCaseError;

use crate::base::id::{FIRST_GENERATION, Id};
use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::check::given::Domains;
use crate::check::rust_test::{Fate, Shown, Shows, rust_test};
use crate::schema::EntityIx;
use crate::step::model::Model;
use crate::store::Store;

/// A list of events of a model, each of which fires on the state to which the ones before it have led, or is rejected there.
///
/// The events have handles, which are valid on a store on which nothing else has happened: ids are given out in order. Use
/// [`replay`](Self::replay), or [`begin`](Self::begin) and then [`Store::try_step_any`] with each event.
///
/// `Debug` prints a Rust test with the events, to which the assertions of the property can be added. Clones share the events.
pub struct History<M: Model> {
    pub(super) domains: Domains<M>,
    pub(super) steps: Arc<[Step<M>]>,
}

/// An event of a [`History`].
pub struct Step<M: Model> {
    pub(super) event: M::Event,
    pub(super) fate: Fate,
    pub(super) time: Timestamp,
}

impl<M: Model> Step<M> {
    /// Returns the event.
    #[must_use]
    pub fn event(&self) -> &M::Event {
        &self.event
    }

    /// Returns whether the event is rejected.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.fate == Fate::IsRejected
    }

    /// Returns the time of the transaction.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }
}

/// The event, and what happens if it does not fire: `BedRemoved { bed: Bed/0.1 } (rejected)`.
impl<M: Model> fmt::Display for Step<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown(&self.event), f)?;
        f.write_str(match self.fate {
            Fate::Fires => "",
            Fate::IsRejected => " (rejected)",
            Fate::Panics => " (panics)",
        })
    }
}

impl<M: Model> fmt::Debug for Step<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<M: Model> Clone for History<M> {
    fn clone(&self) -> Self {
        Self {
            domains: self.domains.clone(),
            steps: Arc::clone(&self.steps),
        }
    }
}

impl<M: Model> fmt::Debug for History<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = self.steps.iter().filter(|step| step.is_rejected()).count();
        let events = match self.len() {
            1 => "1 event".to_owned(),
            len => format!("{len} events"),
        };
        let comment = match rejected {
            0 => format!("A history of {events}."),
            1 => format!("A history of {events}, of which 1 is rejected."),
            _ => format!("A history of {events}, of which {rejected} are rejected."),
        };
        let steps: Vec<_> = (self.steps.iter())
            .map(|step| (&step.event, step.fate, step.time))
            .collect();
        let test = rust_test(
            &self.domains,
            ("history", &comment),
            &steps,
            &Shows::History,
        );
        write!(f, "\n{test}")
    }
}

impl<M: Model> History<M> {
    /// Returns the events in order.
    #[must_use]
    pub fn steps(&self) -> &[Step<M>] {
        &self.steps
    }

    /// Returns the number of events.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Returns whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Steps a store to the first state of the history, which is the empty one unless the strategy has a
    /// [`start`](crate::check::Histories::start).
    ///
    /// # Errors
    /// If something has happened on the store before: the ids of entities would be others.
    pub fn begin(&self, store: &mut Store<M>) -> Result<(), TestCaseError> {
        let graph = &store.core.graph;
        let entities = EntityIx::all(graph.layout.schema.entities.len());
        let first = Id {
            slot: 0,
            generation: FIRST_GENERATION,
        };
        // What was only tried has left no trace.
        let mut used = entities.filter(|entity| graph.next_id(*entity) != first);
        if let Some(entity) = used.next() {
            let name = &graph.layout.schema[entity].name;
            return Err(TestCaseError::fail(format!(
                "the store on which a history is replayed must be empty, so that its handles are valid; this one has or had entities \
                 of type {name}. Make a new store for each case, and give the strategy the events before the history by .start(|store| ..)"
            )));
        }
        self.domains.begin(store);
        Ok(())
    }

    /// Fires the events on a new store, and calls a function after each. Panics of the code of the model and of the function are
    /// panics of this call.
    ///
    /// The transaction of an event has the time that it had when the history was drawn, or that of the last transaction of the store
    /// if that is later.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::check::histories;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, state::On};
    /// use proptest::prelude::*;
    ///
    /// let few = histories::<lamps::Model>(1..20).entities::<Lamp>(2);
    /// proptest!(|(history in few)| {
    ///     let mut store = Store::memory();
    ///     history.replay(&mut store, |store, step| {
    ///         prop_assert!(store.count::<Lamp, On>() <= 2, "after {step}");
    ///         Ok(())
    ///     })?;
    /// });
    /// ```
    ///
    /// # Errors
    /// Those of the function and of [`begin`](Self::begin), and if an event does not do on this store what it did when the history
    /// was drawn.
    pub fn replay(
        &self,
        store: &mut Store<M>,
        mut after: impl FnMut(&Store<M>, &Step<M>) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        self.begin(store)?;
        for (number, step) in (1..).zip(self.steps()) {
            let time = step.time.max(store.core.open.last_time());
            let stepped = store.try_step_any_with(Meta::new().with_time(time), &step.event);
            let differs = match (stepped, step.fate) {
                (Ok(_), Fate::IsRejected) => "fired".to_owned(),
                (Ok(_), Fate::Panics) => "did not panic".to_owned(),
                (Err(e), Fate::Fires | Fate::Panics) => format!("was rejected: {e}"),
                (Ok(_), Fate::Fires) | (Err(_), Fate::IsRejected) => {
                    after(store, step)?;
                    continue;
                }
            };
            return Err(TestCaseError::fail(format!(
                "event {number} of the history, {step}, {differs}. When the history was drawn, it did not; so its guard or handler \
                 depends on more than the graph and the time, or the store was changed meanwhile"
            )));
        }
        Ok(())
    }
}
