//! Times to live, deadlines, and promised times.

use std::time::Duration;

use ironweave::prelude::*;

use super::super::build::state::*;
use super::super::build::*;
use super::world::World;

/// A time that is `seconds` after the start of the tests, which is after the times of the store.
fn at(seconds: u64) -> Option<Timestamp> {
    let start = Timestamp::now().checked_add(Duration::from_secs(86_400));
    start?.checked_add(Duration::from_secs(seconds))
}

fn pass(world: &mut World, until: Option<Timestamp>) -> Vec<&'static str> {
    let until = until.expect("a time");
    let report = world.store.fire_due(until).expect("a store in memory");
    assert!(report.rejected.is_empty());
    report.fired.iter().map(|due| due.event).collect()
}

/// `report` is made from `scraped`, which is live until `until`.
fn scraped(until: Option<Timestamp>) -> World {
    let mut world = World::new();
    world.want(&["report"]);
    world.miss("report", &["scraped"], &[]);
    world.make_until("scraped", &[], "one", until);
    world.make("report", &["scraped"], "two");
    world
}

const ALL: [&str; 2] = ["scraped", "report"];

#[test]
fn a_partition_is_stale_when_its_time_to_live_has_passed() {
    let (before, then) = (at(5), at(10));
    let mut world = scraped(then);
    assert_eq!(pass(&mut world, before), Vec::<&str>::new());
    assert_eq!(world.states(&ALL), ["Live", "Live"]);
    assert_eq!(pass(&mut world, then), ["TtlPassed"]);
    assert_eq!(world.states(&ALL), ["Stale", "Stale"]);
    let want = world.want(&["report"]);
    assert!(!world.check("report"));
    assert!(world.check("scraped"), "its content may be another one now");
    world.make_until("scraped", &[], "one", at(20));
    assert!(!world.check("report"), "its input came out the same");
    assert_eq!(world.want_state(want), "Successful");
    assert_eq!(pass(&mut world, at(30)), ["TtlPassed"]);
}

#[test]
fn a_time_to_live_goes_on_while_a_partition_is_stale_or_kept() {
    let (early, late) = (at(10), at(20));
    for passes_while_stale in [true, false] {
        let mut world = World::new();
        world.want(&["report"]);
        world.miss("report", &["source"], &[]);
        world.make("source", &[], "one");
        world.make_until("report", &["source"], "two", late);
        world.change(&["source"]);
        world.want(&["report"]);
        assert!(!world.check("report"));
        world.make("source", &[], "one");
        if passes_while_stale {
            assert_eq!(pass(&mut world, late), ["TtlPassedWhileStale"]);
            assert!(world.check("report"), "it is older than it may be");
            continue;
        }
        assert_eq!(pass(&mut world, early), Vec::<&str>::new());
        assert!(!world.check("report"));
        let report = world.partition("report");
        let live = report.in_state::<Live>(&world.store).expect("it is kept");
        assert_eq!(*live.expires(&world.store), late);
        assert_eq!(pass(&mut world, late), ["TtlPassed"]);
    }
}

#[test]
fn a_want_expires_with_what_only_it_needs() {
    let (first, second) = (at(10), at(20));
    let mut world = World::new();
    let want = world.want_by(&["top", "shared"], first, None);
    let other = world.want_by(&["shared"], second, None);
    world.miss("top", &["inner"], &[]);
    let inner = world.run("inner");
    assert_eq!(pass(&mut world, first), ["WantExpired"]);
    assert_eq!(world.want_state(want), "Expired");
    assert_eq!(world.want_state(other), "Idle");
    let waiting = world.partition("inner").awaited_by_count(&world.store);
    assert_eq!(waiting, 0, "the run is needless");
    world.store.step(RunCanceled { run: inner.any() });
    assert_eq!(
        world.states(&["top", "inner", "shared"]),
        ["UpForRetry", "UpForRetry", "Missing"]
    );
    // A want that has ended does not expire.
    world.build("shared", &[]);
    assert_eq!(pass(&mut world, at(30)), Vec::<&str>::new());
    assert_eq!(world.want_state(other), "Successful");
}

#[test]
fn a_want_is_late_once_and_goes_on() {
    let (promised, later) = (at(10), at(20));
    let mut world = World::new();
    let late = world.want_by(&["a"], None, promised);
    let early = world.want_by(&["b"], None, promised);
    world.build("b", &[]);
    assert_eq!(pass(&mut world, promised), ["WantLate"]);
    let is_late = |want: Want| (want.late(&world.store), *want.sla(&world.store));
    assert_eq!(is_late(late), (true, promised));
    assert_eq!(is_late(early), (false, promised));
    assert_eq!(pass(&mut world, later), Vec::<&str>::new());
    assert_eq!(world.want_state(late), "Idle");
    world.build("a", &[]);
    assert_eq!(world.want_state(late), "Successful");
    assert!(late.late(&world.store), "it stays known");
}
