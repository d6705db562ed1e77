//! What a person has called wrong is built again, and counts for nothing until then.

use super::super::build::state::*;
use super::super::build::*;
use super::world::World;

/// `report` is made from `sum`, which is made from `source`.
fn built() -> World {
    let mut world = World::new();
    world.want(&["report"]);
    world.miss("report", &["sum"], &[]);
    world.miss("sum", &["source"], &[]);
    world.make("source", &[], "one");
    world.make("sum", &["source"], "two");
    world.make("report", &["sum"], "three");
    world
}

const ALL: [&str; 3] = ["source", "sum", "report"];

#[test]
fn what_is_made_from_it_is_stale_and_live_again_if_it_comes_out_the_same() {
    let mut world = built();
    world.taint(&["source"]);
    assert_eq!(world.states(&ALL), ["Tainted", "Stale", "Stale"]);
    let partition = world.partition("source");
    let tainted = partition
        .in_state::<Tainted>(&world.store)
        .expect("tainted");
    assert_eq!(tainted.reason(&world.store), "wrong");
    let want = world.want(&["report"]);
    assert!(!world.check("report") && !world.check("sum"));
    assert_eq!(world.states(&ALL), ["Tainted", "Checking", "Checking"]);
    assert!(world.check("source"), "it is built in any case");
    world.make("source", &[], "one");
    assert!(!world.check("sum") && !world.check("report"));
    assert_eq!(world.states(&ALL), ["Live"; 3]);
    assert_eq!(world.want_state(want), "Successful");
}

#[test]
fn its_stale_inputs_are_built_before_it() {
    let mut world = built();
    world.change(&["source"]);
    world.taint(&["sum"]);
    let want = world.want(&["sum"]);
    assert_eq!(world.want_state(want), "Idle");
    assert!(!world.check("sum"));
    assert_eq!(world.states(&ALL), ["Stale", "Checking", "Stale"]);
    world.make("source", &[], "one");
    assert!(world.check("sum"), "its inputs are the same, and it is not");
    world.make("sum", &["source"], "2");
    assert_eq!(world.want_state(want), "Successful");
    world.want(&["report"]);
    assert!(world.check("report"));
}

#[test]
fn it_stays_tainted_when_its_check_ends_or_is_needless() {
    for is_canceled in [true, false] {
        let mut world = built();
        world.change(&["source"]);
        world.taint(&["sum"]);
        let tainted = |world: &World| {
            let tainted = world.partition("sum").in_state::<Tainted>(&world.store)?;
            Some((
                tainted.at(&world.store),
                tainted.reason(&world.store).to_owned(),
            ))
        };
        let before = tainted(&world);
        assert!(before.is_some());
        let want = world.want(&["sum"]);
        assert!(!world.check("sum"));
        assert_eq!(tainted(&world), None, "it is checked");
        match is_canceled {
            true => world.cancel(want),
            false => world.make("source", &[], "one"),
        }
        assert_eq!(tainted(&world), before);
    }
}

#[test]
fn what_is_stale_or_checked_is_not_live_again_once_it_is_tainted() {
    for is_checked in [false, true] {
        let mut world = built();
        world.change(&["source"]);
        world.want(&["sum"]);
        if is_checked {
            assert!(!world.check("sum"));
        }
        world.taint(&["sum"]);
        assert_eq!(world.states(&["sum"]), ["Tainted"]);
        let sum = world.partition("sum");
        assert_eq!(sum.upstreams_count(&world.store), 0);
        let asks = sum.asks(&world.store).map(|want| world.want_state(want));
        let open = asks.filter(|state| *state != "Canceled").count();
        assert_eq!(open, 0, "nothing is wanted for it");
        world.want(&["source"]);
        world.make("source", &[], "one");
        assert!(world.check("sum"));
    }
}

#[test]
fn an_open_want_waits_until_it_is_built_again() {
    let mut world = built();
    world.want(&["other"]);
    let want = world.want(&["sum", "other"]);
    world.taint(&["sum"]);
    world.build("other", &[]);
    assert_eq!(world.want_state(want), "Idle");
    world.make("sum", &["source"], "2");
    assert_eq!(world.want_state(want), "Successful");
}

#[test]
fn what_has_failed_because_of_it_may_be_built_again() {
    let mut world = built();
    world.want(&["late"]);
    world.fail_with("late", &["sum"]);
    world.taint(&["sum"]);
    assert_eq!(world.states(&["late"]), ["Stale"]);
}

#[test]
fn only_what_has_data_can_be_tainted() {
    let mut world = built();
    world.want(&["missing"]);
    world.want(&["failed"]);
    world.fail("failed");
    for name in ["missing", "failed"] {
        let partitions = world.all(&["sum", name]);
        let reason = "wrong".into();
        let refused = world
            .store
            .try_step(PartitionsTainted { partitions, reason });
        assert!(refused.is_err(), "{name}");
    }
    assert_eq!(world.states(&["sum"]), ["Live"], "all or nothing");
    // A second reason takes the place of the first.
    world.taint(&["sum"]);
    world.taint(&["sum"]);
    assert_eq!(world.states(&["sum"]), ["Tainted"]);
}
