//! A store from before references were apart from partitions is migrated when databuild opens it, and databuild goes on with it.
//! The store is that of a databuild that was killed, with partitions in nearly all states.

use databuild::migrate::migrate;
use databuild::model::build::state::{Known, Running};
use databuild::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use databuild::rules::{current, is_open, name};
use ironweave::prelude::*;

use crate::a_log_of_an_earlier_version_is_read::{copied, logs};
use crate::harness::assert_consistent;
use crate::support::Place;

fn old_store() -> Place {
    let place = copied("version3/databuild");
    let jobs = std::fs::read_to_string(logs().join("version3/databuild.toml")).expect("the jobs");
    // No job hangs any more, or misses what is there.
    let jobs = jobs.replace("exec sleep 30", "true");
    let missed = r#""echo '{\"missed\": \"slow\"}'""#;
    assert!(jobs.contains(missed));
    let missed_once = missed.replace("echo", "[ -d $DATABUILD_DATA/slow ] || echo");
    place.write("jobs.toml", &jobs.replace(missed, &missed_once));
    place.write("source", "2\n");
    place
}

fn migrated(place: &Place) -> Store<Model> {
    let store = Store::<Model>::options().migrate(migrate);
    store.open(place.path("out/store")).expect("it migrates")
}

#[test]
fn each_partition_is_the_instance_of_a_new_reference() {
    let place = old_store();
    let report = Store::<Model>::options().migrate(migrate);
    let report = report.migrate_dry_run(place.path("out/store"));
    let report = report.expect("it would migrate").to_string();
    assert!(report.contains("8 create PartitionRef"), "{report}");
    let store = migrated(&place);
    assert_consistent(&store);
    let before = store.as_of_by_name(38).expect("the past");
    let before = before.by_name().entity_type("Partition").expect("a type");
    assert_eq!(store.count::<PartitionRef, Known>(), 8);
    assert_eq!(store.count::<Partition, Any>(), 8);
    for old in before.entities() {
        let of: String = old.get("name").expect("a name");
        let partition = current(&of, &store).expect("an instance");
        assert_eq!((old.id(), name(partition, &store)), (partition.id(), &*of));
        assert_eq!(old.state(), partition.state(&store).to_string());
        assert_eq!(
            partition.missed_count(&store),
            partition.upstreams_count(&store)
        );
        let all = old.links("wanted_by").expect("an edge").len();
        assert_eq!(partition.of(&store).wanted_by(&store).count(), all);
    }
    for want in store.place::<Want, Any>() {
        let want = want.any();
        let of = |p: Partition| p.of(&store);
        let awaited: Vec<PartitionRef> = want.awaits(&store).map(of).collect();
        let all: Vec<PartitionRef> = want.partitions(&store).collect();
        let expected = if is_open(want, &store) { all } else { vec![] };
        assert_eq!(awaited, expected);
    }
    let verified = store.verify_all().expect("the same facts");
    let not_fired: Vec<&str> = (verified.not_fired.iter())
        .map(|event| &*event.event)
        .collect();
    assert!(not_fired.contains(&"WantCreated"), "{not_fired:?}");
    // It happens once.
    let seq = store.seq();
    drop(store);
    assert_eq!(migrated(&place).seq(), seq);
}

#[test]
fn databuild_goes_on_where_the_earlier_one_was_killed() {
    let place = old_store();
    // The data is not among the committed files, so what was live is built again.
    let refs = ["broken", "copy/a", "copy/b", "waits", "z-hangs"];
    place.run(&refs).refused(&["not built"]);
    let status = place.status();
    assert!(
        status.contains("partitions: 8 = 6 Live + 1 Failed + 1 UpForRetry\n"),
        "{status}"
    );
    let store = Store::<Model>::open_read_only(place.path("out/store")).expect("it opens");
    assert_consistent(&store);
    assert_eq!(store.count::<JobRun, Running>(), 0);
    let source = store.find::<PartitionRef>("source").expect("it exists");
    // The one of before, and the one that took its place.
    assert_eq!(source.instances_count(&store), 2);
    let copy = current("copy/a", &store).expect("an instance");
    assert_eq!(copy.inputs(&store).next(), source.current(&store));

    // The past of both epochs is read.
    let history = place
        .databuild(&["history", "copy/a", "--facts"])
        .success()
        .stdout;
    for words in [
        "WantCreated: create Partition \"copy/a\" in Missing",
        "JobSucceeded: move Partition \"copy/a\" Building -> Live",
        "PartitionReplaced: move Partition \"copy/a\" Stale -> Replaced",
        "JobSucceeded: move Partition \"copy/a\" #2 Building -> Live",
    ] {
        assert!(history.contains(words), "no `{words}` in {history}");
    }
    let then = place.databuild(&["as-of", "38", "status"]).success();
    let known = "partitions: 8 = 1 Missing + 1 Building + 2 Live + 1 Failed + 1 UpstreamBuilding + 1 UpstreamFailed + 1 Stale";
    assert!(then.stdout.starts_with(known), "{}", then.stdout);
    let log = place.log();
    assert!(
        log.contains("    38 ") && log.contains("PartitionReplaced {"),
        "{log}"
    );
}
