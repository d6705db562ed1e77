//! A log of two epochs whose schemas have different entities, states, fields and edges, with stores of both schemas that it was made of.

use std::path::Path;

use ironweave::prelude::*;
use tempfile::TempDir;

use crate::forge::{self, Forged};
use crate::harness::temp_dir;

pub mod v1 {
    #[ironweave::model]
    pub mod hospital {
        use ironweave::prelude::*;

        #[entity]
        pub struct Nurse {
            #[key]
            pub name: String,
            pub wards: Many<Ward>,
        }

        #[entity]
        pub struct Ward {
            #[key]
            pub name: String,
            #[default("none")]
            pub note: String,
            #[inverse(Nurse::wards)]
            #[edge(on_delete = unlink)]
            pub nurses: Many<Nurse>,
            #[edge(data = u32)]
            pub beds: Many<Bed>,
        }

        #[entity]
        pub struct Bed {
            #[key]
            pub number: u32,
            #[inverse(Ward::beds)]
            #[edge(on_delete = unlink)]
            pub ward: Option<Ward>,
        }
        #[states(Bed)]
        pub enum BedState {
            #[initial]
            #[to(Cleaning, Taken)]
            Free,
            #[to(Free)]
            Cleaning,
            #[to(Free)]
            Taken { since: u64, by: String },
        }

        #[event]
        #[create(bed: Bed { number })]
        #[link(ward.beds += bed { data = place })]
        pub struct Placed {
            pub ward: Ensure<Ward>,
            pub number: u32,
            pub place: u32,
        }

        #[event]
        #[link(nurse.wards += ward)]
        pub struct Hired {
            pub nurse: Ensure<Nurse>,
            pub ward: Key<Ward>,
        }

        #[event]
        #[moves(bed: Free -> Taken { since, by })]
        pub struct Took {
            pub bed: Key<Bed>,
            pub since: u64,
            pub by: String,
        }

        #[event]
        #[moves(bed: Free -> Cleaning)]
        pub struct Dirtied {
            pub bed: Key<Bed>,
        }

        #[event]
        #[delete(bed)]
        pub struct Removed {
            pub bed: Key<Bed>,
        }
    }
}

/// Without nurses and the state `Cleaning`; beds have larger numbers, wards a count and a first bed.
pub mod v2 {
    #[ironweave::model]
    pub mod hospital {
        use ironweave::prelude::*;

        #[entity]
        pub struct Bed {
            #[inverse(Ward::first)]
            #[edge(on_delete = unlink)]
            pub first_of: Option<Ward>,
            #[key]
            pub number: u64,
            #[inverse(Ward::beds)]
            #[edge(on_delete = unlink)]
            pub ward: Option<Ward>,
        }
        #[states(Bed)]
        pub enum BedState {
            #[to(Free)]
            Taken { by: String },
            #[initial]
            #[to(Taken)]
            Free,
        }

        #[entity]
        pub struct Ward {
            #[default]
            pub count: u64,
            #[key]
            pub name: String,
            pub first: Option<Bed>,
            #[edge(data = u32)]
            pub beds: Many<Bed>,
        }

        #[event]
        #[create(bed: Bed { number })]
        #[link(ward.beds += bed { data = place })]
        pub struct Placed {
            pub ward: Ensure<Ward>,
            pub number: u64,
            pub place: u32,
        }

        #[event]
        #[moves(bed: Free -> Taken { by })]
        pub struct Took {
            pub bed: Key<Bed>,
            pub by: String,
        }

        #[event]
        #[relink(ward.first += bed)]
        #[set(ward.count = count)]
        pub struct Chosen {
            pub ward: Key<Ward>,
            pub bed: Key<Bed>,
            pub count: u64,
        }

        #[event]
        #[delete(bed)]
        pub struct Removed {
            pub bed: Key<Bed>,
        }
    }
}

/// A log of two epochs.
pub struct TwoEpochs {
    pub dir: TempDir,
    /// The store of the first epoch.
    pub first: Store<v1::hospital::Model>,
    /// A store whose first transactions make what is left of the first epoch, and whose others are those of the second.
    pub second: Store<v2::hospital::Model>,
    /// The frames of the log.
    pub frames: Vec<Forged>,
    /// The frame of the second schema in the log.
    pub schema: u64,
    /// The last frame of `second` that the log does not have.
    pub made: u64,
    _dirs: [TempDir; 2],
}

impl TwoEpochs {
    pub fn new() -> Self {
        let dirs = [temp_dir(), temp_dir()];
        let first = first(dirs[0].path());
        let (second, made, fingerprint) = second(dirs[1].path());
        let mut frames = forge::frames(dirs[0].path());
        let schema = frames.len() as u64;
        let mut later = forge::frames(dirs[1].path());
        let mut begin = later.remove(0);
        begin.fingerprint = fingerprint;
        frames.push(begin);
        frames.extend(later.into_iter().skip(made as usize));
        for frame in &mut frames[schema as usize..] {
            frame.epoch = 1;
        }
        let dir = temp_dir();
        let log = Self {
            dir,
            first,
            second,
            frames,
            schema,
            made,
            _dirs: dirs,
        };
        log.write(log.frames.len());
        log
    }

    /// Writes the first frames.
    pub fn write(&self, frames: usize) {
        forge::write(self.dir.path(), &self.frames[..frames]);
    }
}

fn first(dir: &Path) -> Store<v1::hospital::Model> {
    use v1::hospital::*;
    let mut store = Store::<Model>::open(dir).expect("a new store");
    let bed = |number: u32| Key::new(number);
    for (ward, number) in [("icu", 1), ("icu", 2), ("er", 3), ("icu", 4), ("er", 5)] {
        store.step(Placed {
            ward: ward.into(),
            number,
            place: number * 10,
        });
    }
    let (nurse, ward) = ("eve".into(), "icu".into());
    store.step(Hired { nurse, ward });
    store.step(Removed { bed: bed(2) });
    store.step(Placed {
        ward: "er".into(),
        number: 6,
        place: 60,
    });
    store.step(Took {
        bed: bed(3),
        since: 7,
        by: "bob".into(),
    });
    store.step(Dirtied { bed: bed(4) });
    store.step(Removed { bed: bed(5) });
    store.sync().expect("a disk");
    store
}

fn second(dir: &Path) -> (Store<v2::hospital::Model>, u64, u128) {
    use v2::hospital::*;
    let mut store = Store::<Model>::open(dir).expect("a new store");
    let bed = |number: u64| Key::new(number);
    let placed = |ward: &str, number: u64| Placed {
        ward: ward.into(),
        number,
        place: number as u32 * 10,
    };
    for (ward, number) in [("icu", 1), ("icu", 2), ("er", 3), ("icu", 4), ("er", 5)] {
        store.step(placed(ward, number));
    }
    store.step(Removed { bed: bed(2) });
    store.step(placed("er", 6));
    let by = "bob".into();
    store.step(Took { bed: bed(3), by });
    store.step(Removed { bed: bed(5) });
    let made = (store.seq().expect("a frame").get(), store.fingerprint());
    store.step(placed("icu", 1 << 40));
    store.step(Chosen {
        ward: "icu".into(),
        bed: bed(4),
        count: 3,
    });
    let by = "eve".into();
    store.step(Took { bed: bed(1), by });
    store.step(Removed { bed: bed(3) });
    store.sync().expect("a disk");
    (store, made.0, made.1)
}
