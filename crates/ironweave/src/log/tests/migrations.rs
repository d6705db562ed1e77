//! A migration is interrupted at every change of the directory: the log has all of its frames or none, the old program can go on
//! in the latter case, and the next attempt succeeds.

use super::faults::{Change, Faults};
use super::*;
use crate::prelude::*;
use crate::store::{Durability, Options, Store};

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

#[test]
fn a_migration_is_durable_when_the_store_is_open_whatever_its_durability_is() {
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let mut store = open::<before::Model>(&faults, dir.path(), Store::options()).unwrap();
    store.step(before::Bought { number: 1 });
    drop(store);
    let done = faults.changes().len();
    let options = migrating().durability(Durability::Os);
    let _store = open(&faults, dir.path(), options).unwrap();
    let changes = &faults.changes()[done..];
    let is_log = |path: &Path| path.extension().is_some_and(|end| end == "log");
    let written = |change: &Change| matches!(change, Change::Write(path, ..) if is_log(path));
    let synced = |change: &Change| matches!(change, Change::Sync(path) if is_log(path));
    let last = changes.iter().rposition(written).expect("it was written");
    assert!(changes[last..].iter().any(synced), "{changes:?}");
}

#[test]
fn a_cursor_is_written_after_the_frame_that_it_names_is_durable() {
    let dir = scratch();
    let faults = Arc::new(Faults::default());
    let options = Store::options().durability(Durability::Os);
    let mut store = open::<before::Model>(&faults, dir.path(), options).unwrap();
    let seq = store.step(before::Bought { number: 1 }).seq;
    let mailer = store.subscribe_as("mailer").unwrap();
    let done = faults.changes().len();
    mailer.acknowledge(seq).unwrap();
    let changes = &faults.changes()[done..];
    let synced = |change: &Change| matches!(change, Change::Sync(path) if path.extension().is_some_and(|end| end == "log"));
    let named = |change: &Change| matches!(change, Change::Rename(_, to) if to.ends_with("mailer"));
    let synced = changes.iter().position(synced).expect("the log is synced");
    let named = changes
        .iter()
        .position(named)
        .expect("the cursor is written");
    assert!(synced < named, "{changes:?}");
}
