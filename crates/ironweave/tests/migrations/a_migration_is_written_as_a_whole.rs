//! Migrations that are interrupted: the log has the whole group of frames, or none of it.

use ironweave::Seq;

use super::*;
use crate::harness::random::Random;
use crate::harness::{assert_consistent, child, copy_dir, scratch_dir, temp_dir, unsynced};

/// The number of children that are killed, unless `IRONWEAVE_KILLS` is set.
const KILLS: usize = 30;

/// Options with which a migration has many frames.
fn in_many_frames() -> Options<Model> {
    migrating().transaction_bytes_max(300)
}

/// The number of frames of a log.
fn frames(dir: &Path) -> u64 {
    let log = Store::<ironweave::dynamic::Dynamic>::open_read_only(dir).expect("it is read");
    log.seq().map_or(0, |seq: Seq| seq.get() + 1)
}

#[test]
fn a_migration_may_be_larger_than_a_frame() {
    let [one, many] = [temp_dir(), temp_dir()];
    write_old(one.path());
    copy_dir(one.path(), many.path());
    let before = frames(one.path());
    let fingerprint = migrating()
        .open(one.path())
        .expect("it migrates")
        .fingerprint();
    let store = in_many_frames().open(many.path()).expect("it migrates");
    assert_eq!(store.fingerprint(), fingerprint);
    assert_migrated(&store);
    drop(store);
    assert_eq!(frames(one.path()), before + 2);
    assert!(frames(many.path()) > before + 3);
    let store = Store::<Model>::open(many.path()).expect("it opens");
    assert_migrated(&store);
    assert_consistent(&store);
    assert!(store.verify().is_ok());
}

#[test]
fn a_log_that_ends_within_the_group_is_that_of_before() {
    let dir = scratch_dir();
    write_old(dir.path());
    let old = files(dir.path());
    drop(in_many_frames().open(dir.path()).expect("it migrates"));
    let segment = "00000000000000000000.log";
    let whole = fs::read(dir.path().join(segment)).expect("the segment");
    // The log is preallocated, so its end is that of the last frame that is not zero.
    let end = whole.iter().rposition(|byte| *byte != 0).expect("a frame") + 1;
    let begin = old[segment]
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("a frame")
        + 1;
    let step = ((end - begin) / 400).max(1);
    let cuts: Vec<usize> = (begin..end).step_by(step).chain(end - 8..end).collect();
    for cut in cuts {
        let torn = scratch_dir();
        fs::write(torn.path().join(segment), &whole[..cut]).expect("it is written");
        let store = unsynced::<v1::club::Model>().open(torn.path());
        let mut store = store.unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        assert_consistent(&store);
        assert_eq!(store.count::<v1::club::Bike, Any>(), 3);
        store.step(v1::club::Repaired { bike: "A1".into() });
        drop(store);
        // The migration begins again.
        let store = in_many_frames().open(torn.path());
        let store = store.unwrap_or_else(|e| panic!("cut at {cut}: {e}"));
        assert_eq!(store.count::<Bike, Any>(), 3);
        assert_consistent(&store);
    }
}

/// The child that the test below starts, with a directory in its environment. Without one it does nothing.
#[test]
fn child_migrates_until_it_is_killed() {
    let Some(dir) = std::env::var_os("IRONWEAVE_MIGRATE_DIR") else {
        return;
    };
    let options = Store::<Model>::options().transaction_bytes_max(300);
    child::print_receipt("0");
    let store = options.migrate(migrate).open(Path::new(&dir));
    assert!(store.is_ok());
    child::print_receipt("1");
    // Until it is killed.
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_migration_has_happened_or_not() {
    let kills = std::env::var("IRONWEAVE_KILLS").map_or(KILLS, |n| n.parse().expect("a number"));
    let mut random = Random(1);
    let (mut migrated, mut not) = (0, 0);
    for round in 0..kills {
        let dir = temp_dir();
        write_old(dir.path());
        let variables = [("IRONWEAVE_MIGRATE_DIR", dir.path().as_os_str())];
        let mut child = child::start(
            module_path!(),
            "child_migrates_until_it_is_killed",
            &variables,
        );
        child.next_receipt().expect("it begins");
        // At any point of the migration, and sometimes after it.
        for _ in 0..random.below(60) * 1_000 {
            std::hint::spin_loop();
        }
        let has_receipt = !child.kill().is_empty();
        match unsynced::<Model>().open(dir.path()) {
            Ok(store) => {
                assert_migrated(&store);
                assert_consistent(&store);
                migrated += 1;
            }
            Err(error) => {
                assert!(error.is_schema() && !has_receipt, "round {round}: {error}");
                drop(migrating().open(dir.path()).expect("it migrates"));
                not += 1;
            }
        }
    }
    // How many there are of each depends on the machine.
    assert_eq!(migrated + not, kills);
}
