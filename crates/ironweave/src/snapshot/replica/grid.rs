//! A store that grows by random events, for the tests of what commits do for readers.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use serde::{Deserialize, Deserializer, Serialize};

use crate::base::error::StepError;
use crate::store::{Store, Transaction};

thread_local! {
    /// The number of [`Part`]s that this thread has dropped.
    pub(super) static DROPPED: Cell<usize> = const { Cell::new(0) };
    /// Whether reading a [`Part`] takes long in this thread.
    pub(super) static IS_SLOW: Cell<bool> = const { Cell::new(false) };
}
/// The number of [`Part`]s with a number from [`COUNTED`] on.
pub(super) static ALIVE: AtomicUsize = AtomicUsize::new(0);
pub(super) const COUNTED: u64 = 1 << 32;
/// The number of a [`Part`] of which the thread that applies facts cannot read the encoding.
pub(super) const BREAKS: u64 = COUNTED - 1;

/// A value that counts how many there are.
#[derive(Debug, PartialEq, Serialize)]
pub struct Part(u64);

impl Part {
    pub(super) fn new(number: u64) -> Self {
        if number >= COUNTED {
            ALIVE.fetch_add(1, SeqCst);
        }
        Self(number)
    }
}

impl Default for Part {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Clone for Part {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = DROPPED.try_with(|dropped| dropped.set(dropped.get() + 1));
        if self.0 >= COUNTED {
            ALIVE.fetch_sub(1, SeqCst);
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if IS_SLOW.get() {
            (0..20).for_each(|_| thread::yield_now());
        }
        let number = u64::deserialize(from)?;
        let applies = thread::current().name() == Some("ironweave-apply");
        assert!(number != BREAKS || !applies, "the part is broken");
        Ok(Self::new(number))
    }
}

/// Meters at sites.
#[crate::model]
#[allow(dead_code, missing_docs)]
pub mod model {
    use crate::prelude::*;

    #[entity]
    pub struct Site {
        #[inverse(Meter::site)]
        #[edge(on_delete = unlink)]
        pub meters: Many<Meter>,
    }
    #[states(Site)]
    pub enum SiteState {
        #[initial]
        #[terminal]
        Open,
    }

    #[entity]
    pub struct Meter {
        #[key]
        pub number: u64,
        #[default]
        #[index(ordered)]
        pub value: u64,
        #[default]
        pub label: String,
        #[default]
        pub part: super::Part,
        pub site: Option<Site>,
    }
    #[states(Meter)]
    pub enum MeterState {
        #[initial]
        #[to(Off)]
        On,
        #[to(On)]
        Off,
    }

    #[event]
    #[create(site: Site)]
    pub struct Founded {}

    #[event]
    #[create(meter: Meter { number })]
    #[link(meter.site += site)]
    pub struct Mounted {
        pub number: u64,
        pub site: Site,
    }

    #[event]
    #[set(meter.value = value)]
    pub struct Read {
        pub meter: Meter,
        pub value: u64,
    }

    #[event]
    #[set(meter.label = label)]
    pub struct Labeled {
        pub meter: Meter,
        pub label: String,
    }

    #[event]
    #[set(meter.part = part)]
    pub struct Repaired {
        pub meter: Meter,
        pub part: super::Part,
    }

    #[event]
    #[relink(meter.site += site)]
    #[moves(meter: On -> Off)]
    pub struct Moved {
        pub meter: Meter,
        pub site: Site,
    }

    #[event]
    #[moves(meter: Off -> On)]
    pub struct Started {
        pub meter: Meter,
    }

    #[event]
    #[delete(meter)]
    pub struct Removed {
        pub meter: Meter,
    }
}

pub(super) use model::{
    Founded, Labeled, Meter, Model, Mounted, Moved, Read, Removed, Repaired, Site, Started, state,
};

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// A store that grows by random events.
pub(super) struct Grid {
    pub store: Store<Model>,
    pub sites: Vec<Site>,
    pub meters: Vec<Meter>,
    mounted: u64,
    random: Random,
}

impl Grid {
    pub fn new(mut store: Store<Model>, seed: u64) -> Self {
        let sites = (0..5).map(|_| store.step(Founded {}).created.site);
        Self {
            sites: sites.collect(),
            store,
            meters: Vec::new(),
            mounted: 0,
            random: Random(seed),
        }
    }

    /// Commits a random transaction, or tries one that is rolled back. Returns the cost of its facts.
    pub fn act(&mut self) -> u64 {
        let Self {
            store,
            sites,
            meters,
            mounted,
            random,
        } = self;
        let site = sites[random.below(sites.len())];
        let (kind, index) = (random.below(100), random.below(meters.len()));
        // Hundreds of events in one transaction are rare.
        let events = [1, 1, 1, 2, 5][random.below(5)].max(if kind == 99 { 600 } else { 0 });
        let Some(&meter) = meters.get(index).filter(|_| !(20..60).contains(&kind)) else {
            let (numbers, site) = (*mounted..*mounted + events, site);
            *mounted += events;
            let mount = |t: &mut Transaction<'_, Model>| {
                let mounts = numbers.map(|number| {
                    let applied = t.apply(Mounted { number, site });
                    applied.map(|applied| applied.created.meter)
                });
                mounts.collect::<Result<Vec<_>, StepError>>()
            };
            let (new, _) = store.transaction(mount).expect("the numbers are new");
            meters.extend(new);
            return 8 * events;
        };
        let value = random.below(1_000) as u64;
        let label = "label".repeat(if kind == 80 { 2_000 } else { 1 + kind % 7 });
        let bytes = label.len() as u64;
        // Each of these is rejected if the meter is in the other state.
        match kind {
            0..20 => _ = store.try_step(Moved { meter, site }),
            60..70 => _ = store.try_step(Started { meter }),
            70..81 => _ = store.step(Labeled { meter, label }),
            81..84 => {
                store.step(Removed { meter });
                meters.swap_remove(index);
            }
            84..87 => {
                let asked = store.what_if(|t| t.apply(Removed { meter }).map(|_| ()));
                asked.expect("it can be removed");
            }
            _ => {
                let read = |t: &mut Transaction<'_, Model>| {
                    (0..events).try_for_each(|n| {
                        let value = value + n;
                        t.apply(Read { meter, value }).map(|_| ())
                    })
                };
                store.transaction(read).expect("a meter has a value");
            }
        }
        8 * events + bytes / 64
    }
}
