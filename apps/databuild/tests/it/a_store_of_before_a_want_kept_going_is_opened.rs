//! A store from before a want kept going after a failure is opened by the model of today, and databuild goes on with it. It is that of a
//! databuild that was killed, with partitions in nearly all states; `tests/stores/2026-11.toml` has the jobs that wrote it.

use std::path::{Path, PathBuf};

use databuild::migrate::migrate;
use databuild::model::build::state::{
    Building, Failed, Live, Missing, Replaced, Running, Stale, UpstreamBuilding, UpstreamFailed,
};
use databuild::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use databuild::rules::{current, is_open};
use ironweave::prelude::*;

use crate::a_log_of_an_earlier_version_is_read::copy_store;
use crate::harness::assert_consistent;
use crate::support::Place;

/// The last frame that the databuild of then wrote.
const LAST: u64 = 46;

fn stores() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stores")
}

/// A copy of the store, with the jobs that wrote it.
fn old_store() -> Place {
    let place = Place::new();
    copy_store(&stores().join("2026-11"), &place);
    let jobs = std::fs::read_to_string(stores().join("2026-11.toml")).expect("the jobs");
    place.write("jobs.toml", &jobs);
    place.write("source", "2\n");
    place
}

fn opened(place: &Place) -> Store<Model> {
    let store = Store::<Model>::options().migrate(migrate);
    store.open(place.path("out/store")).expect("it opens")
}

#[test]
fn its_entities_are_in_the_states_that_they_were_in() {
    let place = old_store();
    let store = opened(&place);
    assert_consistent(&store);
    let name = |p: &str| current(p, &store).expect("an instance");
    assert_eq!(store.count::<PartitionRef, Any>(), 12);
    let counts = [
        store.count::<Partition, Missing>(),
        store.count::<Partition, Building>(),
        store.count::<Partition, Live>(),
        store.count::<Partition, Failed>(),
        store.count::<Partition, UpstreamBuilding>(),
        store.count::<Partition, UpstreamFailed>(),
        store.count::<Partition, Stale>(),
        store.count::<Partition, Replaced>(),
        store.count::<JobRun, Running>(),
    ];
    assert_eq!(counts, [2, 2, 2, 2, 1, 2, 1, 2, 2]);
    let failed = name("day/1").in_state::<Failed>(&store).expect("it failed");
    assert_eq!(failed.reason(&store), "it ended with exit status 3");
    let live = name("source").in_state::<Live>(&store).expect("it is live");
    assert_eq!(live.digest(&store), "2");
    assert!(name("copy/a").inputs(&store).eq([live.any()]));
    let waited_for = name("waits").upstreams(&store);
    assert!(waited_for.eq([name("slow")]));
    let open = store.place::<Want, Any>().map(|want| want.any());
    assert_eq!(open.filter(|want| is_open(*want, &store)).count(), 3);

    // Each frame of then is read, and each event has the same facts again.
    let past = store.as_of_by_name(LAST).expect("the past");
    let partitions = past.by_name().entity_type("Partition").expect("a type");
    assert_eq!(partitions.entities().count(), 14);
    store.verify_all().expect("the same facts");
    // What the opening appends, it appends once.
    let seq = store.seq();
    drop(store);
    assert_eq!(opened(&place).seq(), seq);
}

#[test]
fn databuild_goes_on_with_it() {
    let place = old_store();
    place.edit("jobs.toml", "exec sleep 30", "true");
    place.edit(
        "jobs.toml",
        r#""echo '{\"missed\": \"slow\"}'""#,
        r#""[ -d $DATABUILD_DATA/slow ] || echo '{\"missed\": \"slow\"}'""#,
    );
    // The data is not among the committed files, so what was live is built again.
    place.run(&["copy/a", "copy/b", "waits"]).success();
    let store = Store::<Model>::open_read_only(place.path("out/store")).expect("it opens");
    assert_consistent(&store);
    assert_eq!(store.count::<JobRun, Running>(), 0);
    for live in ["source", "copy/a", "copy/b", "waits", "slow"] {
        let partition = current(live, &store).expect("an instance");
        assert!(partition.is::<Live>(&store), "{live}");
    }
}
