//! Migrations: a store that was written with a model is opened with another one, by code that changes the stored data. The
//! models are those of the guide.
#![allow(missing_docs)]

mod a_dry_run_writes_nothing;
mod a_migration_is_written_as_a_whole;
mod a_migration_runs_once;
mod keys_are_changed_in_place;
mod what_a_migration_leaves_undone_is_refused;

#[path = "../harness/mod.rs"]
mod harness;

#[rustfmt::skip]
mod v1 {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/src/models/club_v1.rs"));
}

#[rustfmt::skip]
mod v2 {
    include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/src/models/club_v2.rs"));
}

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ironweave::dynamic::GraphView;
use ironweave::prelude::*;
use ironweave::{Migration, MigrationError, OpenError, Options};
use v2::club::{Bike, Member, Membership, Model, Team};

/// Writes a store with the first version of the model.
fn write_old(dir: &Path) {
    use v1::club::*;
    let mut store = harness::unsynced::<Model>().open(dir).expect("it opens");
    for name in ["road", "track"] {
        store.step(Founded { name: name.into() });
    }
    let members = [
        ("ada@club.org", "road", 2019),
        ("bob@club.org", "road", 2020),
        ("Ada@club.org", "track", 2021),
    ];
    for (email, team, year) in members {
        store.step(Joined {
            member: email.into(),
            team: team.into(),
            year,
        });
    }
    for (label, price, paid) in [("A1", 900, 300), ("A2", 500, 500), ("A3", 700, 0)] {
        store.step(Bought {
            label: label.into(),
            price,
            paid,
        });
    }
    for (bike, what) in [("A1", "chain"), ("A2", "frame")] {
        store.step(Crashed {
            bike: bike.into(),
            what: what.into(),
        });
    }
}

/// Migrates everything, as in the guide.
fn migrate(old: GraphView<'_>, new: &mut Migration<'_, Model>) -> Result<(), MigrationError> {
    split_a_state(old, new)?;
    make_an_entity_of_an_edge(old, new)?;
    for bike in new.place::<Bike, Any>() {
        let rest = bike.price(new) - bike.paid(new);
        new.set(bike, "rest", rest)?;
    }
    for (code, team) in (1u8..).zip(new.place::<Team, Any>()) {
        new.set(team, "code", code)?;
    }
    merge_members(new)
}

fn split_a_state(old: GraphView<'_>, new: &mut Migration<'_, Model>) -> Result<(), MigrationError> {
    for bike in old.entity_type("Bike")?.entities_in("Broken")? {
        let what: String = bike.get("what")?;
        if what == "frame" {
            new.move_to(bike, "Scrapped", &[])?;
        } else {
            new.move_to(bike, "Repair", &[("what", &what)])?;
        }
    }
    Ok(())
}

fn make_an_entity_of_an_edge(
    old: GraphView<'_>,
    new: &mut Migration<'_, Model>,
) -> Result<(), MigrationError> {
    for member in old.entity_type("Member")?.entities() {
        for link in member.links("teams")? {
            let membership = new.create::<Membership>(&[("since", &link.data())])?;
            new.link(membership, "member", member)?;
            new.link(membership, "team", link.entity())?;
        }
    }
    Ok(())
}

fn merge_members(new: &mut Migration<'_, Model>) -> Result<(), MigrationError> {
    for member in new.place::<Member, Any>() {
        let email = member.email(new).to_lowercase();
        match new.find::<Member>(&email) {
            Some(kept) if kept != member => {
                for membership in member.memberships(new) {
                    new.relink(membership, "member", kept)?;
                }
                new.delete(member)?;
            }
            _ => new.set(member, "email", email)?,
        }
    }
    Ok(())
}

/// The options of a store that migrates.
fn migrating() -> Options<Model> {
    harness::unsynced().migrate(migrate)
}

/// Asserts that a graph has what [`migrate`] makes of [`write_old`].
#[track_caller]
fn assert_migrated(db: &impl Db) {
    let emails: Vec<String> = db
        .place::<Member, Any>()
        .map(|member| member.email(db).to_owned())
        .collect();
    assert_eq!(emails, ["ada@club.org", "bob@club.org"]);
    let ada = db.find::<Member>("ada@club.org").expect("she is a member");
    assert_eq!(ada.phone(db), &None);
    let teams: Vec<(u32, u16)> = ada
        .memberships(db)
        .map(|membership| (membership.team(db).code(db), membership.since(db)))
        .collect();
    assert_eq!(teams, [(1, 2019), (2, 2021)]);
    let track = db.find::<Team>(&2).expect("it has a code");
    assert_eq!(track.name(db), "track");
    let bikes: Vec<(String, u32, String)> = db
        .place::<Bike, Any>()
        .map(|bike| {
            let state = bike.state(db).to_string();
            (bike.label(db).to_owned(), bike.rest(db), state)
        })
        .collect();
    let expected = [
        ("A1", 600, "Repair"),
        ("A2", 0, "Scrapped"),
        ("A3", 700, "Ready"),
    ];
    let expected = expected.map(|(label, rest, state)| (label.into(), rest, state.into()));
    assert_eq!(bikes, expected);
    let repair = db.place::<Bike, v2::club::state::Repair>().next();
    assert_eq!(repair.expect("one").what(db), "chain");
}

/// The content of all files, by name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).expect("the directory can be listed");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths
        .filter(|path| path.is_file() && !path.ends_with("LOCK"))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("it can be read"))
        })
        .collect()
}

/// The message of an opening that fails and changes nothing.
#[track_caller]
fn refused(dir: &Path, options: Options<Model>) -> OpenError {
    let before = files(dir);
    let error = options.open(dir).expect_err("it is refused");
    assert_eq!(files(dir), before, "{error}");
    error
}
