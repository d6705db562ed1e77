//! Migrations that fail: each leaves the files of the log as they were, and the old program can go on.

use super::*;
use crate::harness::{temp_dir, unsynced};

/// The message of a migration that fails.
#[track_caller]
fn failed(
    code: impl FnOnce(GraphView<'_>, &mut Migration<'_, Model>) -> Result<(), MigrationError>
    + Send
    + 'static,
) -> String {
    let dir = temp_dir();
    write_old(dir.path());
    let error = refused(dir.path(), unsynced().migrate(code));
    assert!(error.migration().is_some(), "{error}");
    // The old program goes on.
    let mut old = unsynced::<v1::club::Model>()
        .open(dir.path())
        .expect("it opens");
    old.step(v1::club::Repaired { bike: "A1".into() });
    drop(old);
    // The next attempt succeeds.
    assert!(migrating().open(dir.path()).is_ok());
    error.to_string()
}

#[test]
fn without_a_migration_all_differences_are_listed_at_once() {
    let dir = temp_dir();
    write_old(dir.path());
    let error = refused(dir.path(), unsynced());
    assert!(error.is_schema());
    let message = error.to_string();
    for part in [
        "state `Bike::Broken` was removed: 2 entities are in it, first `Bike \"A1\"`",
        "entity `Team` now needs `code: u32`: 2 entities exist",
        "entity `Bike` now needs `rest: u32`: 3 entities exist",
        "edge `Member.teams <-> Team.members` was removed: 3 links exist",
    ] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn everything_that_is_left_undone_is_listed() {
    assert_eq!(
        failed(|old, new| {
            make_an_entity_of_an_edge(old, new)?;
            new.create::<Membership>(&[])?;
            Ok(())
        }),
        "the migration failed, and the log is unchanged: the migration has left something undone:\n\
         - state `Bike::Broken` was removed: 2 entities are in it, first Bike \"A1\"; move them with `move_to`, or delete them\n\
         - `Membership.since`: 1 entity has no value in it, first Membership/3.1; write one with `set`, or give it \
         `#[default(..)]`\n\
         - `Membership.member`: exactly one is required, and 1 entity has another number of links, first Membership/3.1 with 0; \
         use `link` and `unlink`\n\
         - `Membership.team`: exactly one is required, and 1 entity has another number of links, first Membership/3.1 with 0; use \
         `link` and `unlink`\n\
         - `Team.code`: 2 entities have no value in it, first Team/0.1; write one with `set`, or give it `#[default(..)]`\n\
         - `Bike.rest`: 3 entities have no value in it, first Bike \"A1\"; write one with `set`, or give it `#[default(..)]`"
    );
}

#[test]
fn an_error_of_the_code_is_the_error_of_the_opening() {
    let failed = |result: fn() -> MigrationError| {
        failed(move |old, new| {
            migrate(old, new)?;
            Err(result())
        })
    };
    let before = "the migration failed, and the log is unchanged: ";
    assert_eq!(failed(|| MigrationError::new("no")), format!("{before}no"));
    let parsed = failed(|| MigrationError::from_error("x".parse::<u8>().expect_err("no number")));
    assert_eq!(parsed, format!("{before}invalid digit found in string"));
}

#[test]
fn a_panic_of_the_code_leaves_the_log_as_it_was() {
    let dir = temp_dir();
    write_old(dir.path());
    let before = files(dir.path());
    let options = unsynced::<Model>().migrate(|old, new| {
        migrate(old, new)?;
        panic!("the code of the migration");
    });
    let options = std::panic::AssertUnwindSafe(options);
    let opened = std::panic::catch_unwind(|| { options }.0.open(dir.path()));
    assert!(opened.is_err());
    assert_eq!(files(dir.path()), before);
    // The directory is not locked any more.
    assert!(migrating().open(dir.path()).is_ok());
}
