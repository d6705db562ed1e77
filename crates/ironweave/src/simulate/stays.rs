//! How long entities stayed in a place, read from the log of a store.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::db::entity::{Entity, Place};
use crate::simulate::delay::{Delay, InvalidDelay};
use crate::step::event::Event;
use crate::step::model::Model;
use crate::store::record::Record;

/// How long entities of a type stayed in a place, in the past of a store: each stay with the event that ended it.
///
/// The durations are those between the times of two transactions. A stay that begins and ends with the same event is not found, and
/// neither is one of an entity that a log of format version 2 names by its slot alone.
///
/// Entities that are still in the place have stayed for an unknown duration. They are not in [`ended`](Self::ended) and not in the
/// delays; [`open`](Self::open) returns them. Short stays end first, so if many are open, the delays are too short.
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use std::time::Duration;
///
/// use ironweave::prelude::*;
/// use ironweave::ManualClock;
/// use ironweave::simulate::Stays;
/// use lamps::{Bought, Lamp, Lit, state::{Off, On}};
///
/// let clock = ManualClock::starting_at(Timestamp::from_secs(0));
/// let mut store = Store::<lamps::Model>::options().clock(clock.clone()).memory();
/// store.try_step(Bought { room: "hall".into() })?;
/// clock.advance(Duration::from_secs(60));
/// store.try_step(Lit { lamp: "hall".into() })?;
///
/// let off = Stays::<Lamp, Off>::of(store.frames(0)?)?;
/// assert_eq!(off.ended()[0].duration(), Duration::from_secs(60));
/// assert!(off.ended()[0].is_ended_by::<Lit>());
/// // It is still on.
/// assert_eq!(Stays::<Lamp, On>::of(store.frames(0)?)?.open().len(), 1);
///
/// // A delay for each room.
/// let delays = off.delays_by(|stay| Some(stay.entity.room(&store)));
/// assert!(delays.contains_key("hall"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stays<T, S> {
    ended: Vec<Stay<T>>,
    open: Vec<(T, Timestamp)>,
    place: PhantomData<fn() -> S>,
}

/// An entity was in a place from one time to another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stay<T> {
    /// The entity, which may have been deleted since.
    pub entity: T,
    /// The time of the transaction with which the entity entered the place.
    pub from: Timestamp,
    /// The time of the transaction with which the entity left it, or was deleted.
    pub to: Timestamp,
    /// The name of the event that ended the stay.
    pub event: String,
}

impl<T> Stay<T> {
    /// Returns how long the entity was in the place.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.to.duration_since(self.from)
    }

    /// Returns whether the stay was ended by an event.
    #[must_use]
    pub fn is_ended_by<E: Event>(&self) -> bool {
        self.event == E::NAME
    }
}

impl<T: fmt::Debug, S> fmt::Debug for Stays<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stays")
            .field("ended", &self.ended)
            .field("open", &self.open)
            .finish()
    }
}

impl<M: Model, T: Entity<Model = M>, S: Place<T>> Stays<T, S> {
    /// Reads the stays of all entities of a type in a place from the records of a log, as `store.frames(0)?` returns them, or only
    /// the last ones, as `store.since(seq)?` does. Of a stay that began before them, nothing is known. O(records).
    ///
    /// # Errors
    /// The first error of the records.
    pub fn of<E>(records: impl IntoIterator<Item = Result<Record<M>, E>>) -> Result<Self, E> {
        let mut ended = Vec::new();
        // By slot.
        let mut open: HashMap<u32, (Option<T>, Timestamp)> = HashMap::new();
        for record in records {
            let record = record?;
            for firing in record.firings() {
                let facts = firing.facts();
                for occupant in facts.left::<T, S>() {
                    if let Some((Some(entity), from)) = open.remove(&occupant.slot()) {
                        ended.push(Stay {
                            entity,
                            from,
                            to: record.time(),
                            event: firing.name().to_owned(),
                        });
                    }
                }
                for occupant in facts.entered::<T, S>() {
                    open.insert(occupant.slot(), (occupant.handle(), record.time()));
                }
            }
        }
        let mut open: Vec<(T, Timestamp)> = (open.into_values())
            .filter_map(|(entity, from)| Some((entity?, from)))
            .collect();
        open.sort_by_key(|(entity, from)| (*from, entity.id()));
        Ok(Self {
            ended,
            open,
            place: PhantomData,
        })
    }
}

impl<T, S> Stays<T, S> {
    /// Returns the stays that have ended, in the order of their ends.
    #[must_use]
    pub fn ended(&self) -> &[Stay<T>] {
        &self.ended
    }

    /// Returns the entities that are still in the place, with the times since when.
    #[must_use]
    pub fn open(&self) -> &[(T, Timestamp)] {
        &self.open
    }

    /// Returns the durations of the stays that fulfil a condition as a delay.
    ///
    /// # Errors
    /// If there are none.
    pub fn delay(&self, filter: impl FnMut(&&Stay<T>) -> bool) -> Result<Delay, InvalidDelay> {
        Delay::samples(self.ended.iter().filter(filter).map(Stay::duration))
    }

    /// Returns the durations of the stays as delays, by a key. A stay without a key is left out.
    pub fn delays_by<'s, K: Ord>(
        &'s self,
        mut key: impl FnMut(&'s Stay<T>) -> Option<K>,
    ) -> BTreeMap<K, Delay> {
        let mut durations: BTreeMap<K, Vec<Duration>> = BTreeMap::new();
        for stay in &self.ended {
            if let Some(key) = key(stay) {
                durations.entry(key).or_default().push(stay.duration());
            }
        }
        let delays = durations.into_iter();
        delays
            .filter_map(|(key, durations)| Some((key, Delay::samples(durations).ok()?)))
            .collect()
    }
}
