//! Dry runs: they do all that an opening does, also beside a live writer, and write nothing.

use super::*;
use crate::harness::{temp_dir, unsynced};

#[test]
fn a_dry_run_says_what_would_happen_and_writes_nothing() {
    let dir = temp_dir();
    write_old(dir.path());
    let lock = dir.path().join("LOCK");
    fs::remove_file(&lock).expect("it is not locked");
    let before = files(dir.path());
    let report = migrating()
        .migrate_dry_run(dir.path())
        .expect("it would migrate");
    assert_eq!(files(dir.path()), before);
    assert!(!lock.exists(), "nothing is locked");
    // The guide shows it.
    let guide = include_str!("../../../../docs/guide/src/changes.md");
    let text = report.to_string();
    assert!(guide.contains(&format!("```text\n{text}\n```")), "{text}");
    // What was foretold is what happens.
    let store = migrating().open(dir.path()).expect("it migrates");
    assert_eq!(store.fingerprint(), report.fingerprint());
}

#[test]
fn a_dry_run_of_a_log_with_several_segments_and_checkpoints_writes_nothing() {
    let dir = temp_dir();
    write_old(dir.path());
    let options = unsynced::<v1::club::Model>().segment_bytes_max(400);
    let mut old = options.open(dir.path()).expect("it opens");
    for n in 0..20 {
        let name = format!("team {n}");
        old.step(v1::club::Founded { name });
        if n % 8 == 0 {
            old.checkpoint().expect("it is written");
        }
    }
    drop(old);
    fs::remove_file(dir.path().join("LOCK")).expect("it is not locked");
    let before = files(dir.path());
    let segments = before.keys().filter(|name| name.ends_with(".log"));
    assert!(segments.count() > 3);
    let report = migrating().migrate_dry_run(dir.path());
    assert!(report.expect("it would migrate").frames() > 1);
    assert_eq!(files(dir.path()), before);
    assert!(!dir.path().join("LOCK").exists());
}

#[test]
fn a_dry_run_beside_a_live_writer_has_its_errors_too() {
    let dir = temp_dir();
    write_old(dir.path());
    let live = unsynced::<v1::club::Model>()
        .open(dir.path())
        .expect("it opens");
    assert!(
        migrating()
            .open(dir.path())
            .expect_err("it is locked")
            .is_locked()
    );
    let report = migrating()
        .migrate_dry_run(dir.path())
        .expect("it would migrate");
    let code = |_: GraphView<'_>, _: &mut Migration<'_, Model>| Err(MigrationError::new("no"));
    let error = unsynced::<Model>()
        .migrate(code)
        .migrate_dry_run(dir.path());
    assert_eq!(
        error.expect_err("it fails").to_string(),
        "the migration failed, and the log is unchanged: no"
    );
    let error = unsynced::<Model>().migrate_dry_run(dir.path());
    assert!(error.expect_err("it is refused").is_schema());
    drop(live);
    assert!(report.frames() > 1);
}

#[test]
fn a_dry_run_of_the_same_model_has_nothing_to_do() {
    let dir = temp_dir();
    write_old(dir.path());
    drop(migrating().open(dir.path()).expect("it migrates"));
    let report = migrating().migrate_dry_run(dir.path()).expect("it opens");
    assert_eq!((report.frames(), report.bytes()), (0, 0));
    assert_eq!(
        report.to_string(),
        "the log continues after frame 12 with the model `club` as it is; nothing to do"
    );
}
