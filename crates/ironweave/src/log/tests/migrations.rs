//! A migration is interrupted at every change of the directory: the log has all of its frames or none, the old program can go on
//! in the latter case, and the next attempt succeeds.

use super::faults::Faults;
use super::*;
use crate::prelude::*;
use crate::store::{Options, Store};

#[ironweave::model]
#[allow(dead_code, missing_docs)]
mod before {
    use crate::prelude::*;

    #[entity]
    pub struct Lamp {
        #[key]
        pub number: u64,
    }

    #[event]
    #[create(lamp: Lamp { number })]
    pub struct Bought {
        pub number: u64,
    }
}

#[ironweave::model]
#[allow(dead_code, missing_docs)]
mod after {
    use crate::prelude::*;

    #[entity]
    pub struct Lamp {
        #[key]
        pub number: u64,
        pub room: String,
    }

    #[event]
    #[create(lamp: Lamp { number, room })]
    pub struct Hung {
        pub number: u64,
        pub room: String,
    }

    #[event]
    #[create(lamp: Lamp { number, room = "store" })]
    pub struct Bought {
        pub number: u64,
    }
}

const LAMPS: u64 = 12;

fn open<M: ironweave::Model>(
    faults: &Arc<Faults>,
    dir: &Path,
    options: Options<M>,
) -> Result<Store<M>, crate::base::error::OpenError> {
    let disk = Disk {
        probe: Some(Arc::clone(faults) as _),
    };
    // Short segments, so that a group is in several of them.
    let log = FileLog::open_on(disk, dir, small())?;
    options.over_log(Box::new(log))
}

fn migrating() -> Options<after::Model> {
    let options = Store::options().transaction_bytes_max(300);
    options.migrate(|_, new| {
        for lamp in new.place::<after::Lamp, Any>() {
            new.set(lamp, "room", format!("room {}", lamp.number(new)))?;
        }
        Ok(())
    })
}

fn assert_migrated(store: &Store<after::Model>) {
    let rooms = store.place::<after::Lamp, Any>();
    let rooms: Vec<String> = rooms.map(|lamp| lamp.room(store).to_owned()).collect();
    let expected: Vec<String> = (0..LAMPS).map(|n| format!("room {n}")).collect();
    assert_eq!(rooms, expected);
    assert_eq!(store.check(), []);
}

#[test]
fn an_interrupted_migration_has_happened_or_not() {
    for killed in [true, false] {
        let (mut whole, mut none) = (0, 0);
        for after_changes in 0.. {
            let dir = scratch();
            let faults = Arc::new(Faults::default());
            let mut store = open::<before::Model>(&faults, dir.path(), Store::options()).unwrap();
            for number in 0..LAMPS {
                store.step(before::Bought { number });
            }
            drop(store);
            if killed {
                faults.die_after(after_changes);
            } else {
                faults.fail_once_after(after_changes, std::io::ErrorKind::StorageFull);
            }
            let migrated = open(&faults, dir.path(), migrating());
            let failed = faults.failed();
            let is_migrated = migrated.is_ok();
            drop(migrated);
            faults.live();
            match open::<before::Model>(&faults, dir.path(), Store::options()) {
                // The old program goes on, and then the new one migrates what it has left.
                Ok(old) => {
                    assert!(!is_migrated, "change {after_changes}");
                    assert_eq!(old.count::<before::Lamp, Any>(), LAMPS as usize);
                    assert_eq!(old.check(), []);
                    none += 1;
                }
                Err(error) => {
                    assert!(error.is_schema(), "change {after_changes}: {error}");
                    let store = open::<after::Model>(&faults, dir.path(), Store::options());
                    assert_migrated(&store.unwrap());
                    whole += 1;
                }
            }
            let store = open(&faults, dir.path(), migrating());
            let store = store.unwrap_or_else(|e| panic!("change {after_changes}: {e}"));
            assert_migrated(&store);
            if !failed {
                assert!(
                    after_changes > 5,
                    "it was interrupted at {after_changes} changes"
                );
                break;
            }
        }
        assert!(whole > 0 && none > 5, "{whole} and {none}");
    }
}
