//! What is stale only because of its inputs is live again if these come out the same.

use super::super::build::state::*;
use super::super::build::*;
use super::world::World;
use crate::stale::{self, Next};

/// `report` is made from `sum`, which is made from `source`, and from `other`.
fn built() -> World {
    let mut world = World::new();
    world.want(&["report"]);
    world.miss("report", &["sum", "other"], &[]);
    world.miss("sum", &["source"], &[]);
    world.make("source", &[], "one");
    world.make("other", &[], "other");
    world.make("sum", &["source"], "two");
    world.make("report", &["sum", "other"], "three");
    world
}

const ALL: [&str; 4] = ["source", "sum", "other", "report"];

#[test]
fn what_is_made_from_the_same_is_live_again_without_a_run() {
    let mut world = built();
    let before = world.all(&ALL);
    world.change(&["source"]);
    assert_eq!(world.states(&ALL), ["Stale", "Stale", "Live", "Stale"]);
    let want = world.want(&["report"]);
    assert!(!world.check("report"));
    assert!(!world.check("sum"));
    assert_eq!(
        world.states(&ALL),
        ["Stale", "Checking", "Live", "Checking"]
    );
    assert_eq!(world.want_state(want), "UpstreamBuilding");
    assert!(world.check("source"), "its own digest has changed");
    world.make("source", &[], "one");
    assert_eq!(world.states(&ALL), ["Live", "Stale", "Live", "Checking"]);
    assert!(!world.check("sum"));
    assert!(!world.check("report"));
    assert_eq!(
        (world.states(&ALL), world.want_state(want)),
        (vec!["Live"; 4], "Successful")
    );
    let now = world.all(&ALL);
    assert_eq!(now[1..], before[1..], "the same instances");
    let (source, sum) = (now[0], now[1]);
    assert!(sum.inputs(&world.store).eq([source]), "a new instance");
    let sum = sum.in_state::<Live>(&world.store).expect("it is live");
    assert_eq!(sum.digest(&world.store), "digest of sum");
    // Later staleness comes from the new instance.
    world.change(&["source"]);
    assert_eq!(world.states(&ALL), ["Stale", "Stale", "Live", "Stale"]);
}

#[test]
fn what_is_made_from_another_content_is_built_again() {
    let mut world = built();
    world.change(&["source", "other"]);
    world.want(&["report"]);
    assert!(!world.check("report") && !world.check("sum"));
    world.make("source", &[], "1");
    world.make("other", &[], "other");
    assert!(world.check("sum"));
    // Its content is the same, so that nothing below it is built again.
    world.make("sum", &["source"], "two");
    assert!(!world.check("report"));
    assert_eq!(world.states(&ALL), ["Live"; 4]);
}

#[test]
fn contents_are_compared_with_those_that_it_was_made_from() {
    let mut world = built();
    for content in ["1", "one"] {
        world.change(&["source"]);
        world.want(&["source"]);
        world.make("source", &[], content);
    }
    world.want(&["sum"]);
    assert!(!world.check("sum"), "the change was reverted");
    assert_eq!(world.states(&["sum"]), ["Live"]);
    // A content that is not known is not the same as another.
    for _ in 0..2 {
        world.change(&["source"]);
        world.want(&["sum"]);
        assert!(!world.check("sum"));
        world.make("source", &[], "");
        assert!(world.check("sum"));
        world.make("sum", &["source"], "");
    }
}

#[test]
fn what_has_changed_itself_is_built_again() {
    for when in 0..3 {
        let mut world = built();
        world.change(&["source"]);
        world.want(&["sum"]);
        if when == 0 {
            world.change(&["sum"]);
        }
        assert!(!world.check("sum"));
        if when == 1 {
            world.change(&["sum"]);
            assert_eq!(world.states(&["sum"]), ["Stale"]);
            assert!(!world.check("sum"));
        }
        world.make("source", &[], "one");
        if when == 2 {
            world.change(&["sum"]);
        }
        assert!(world.check("sum"), "{when}");
        let partition = world.partition("sum");
        let inputs = world.all(&["source"]);
        let kept = ContentKept { partition, inputs };
        assert!(world.store.try_step(kept).is_err());
    }
}

#[test]
fn an_input_that_fails_or_that_no_job_makes_is_not_waited_for() {
    let mut world = built();
    world.change(&["source"]);
    world.want(&["sum"]);
    let sum = world.partition("sum");
    let no_job = stale::next(sum, &world.store, &|_| false, &|_| true);
    assert_eq!(no_job, Next::Build);
    assert!(!world.check("sum"));
    world.fail("source");
    assert_eq!(world.states(&["source", "sum"]), ["Failed", "Stale"]);
    assert!(world.check("sum"), "it may not need it any more");
    world.make("sum", &[], "two");
    assert_eq!(world.states(&["sum", "report"]), ["Live", "Stale"]);
}

#[test]
fn an_input_that_waits_for_it_is_not_waited_for() {
    let mut world = built();
    world.change(&["source"]);
    world.want(&["source"]);
    world.replace("source");
    world.miss("source", &["sum"], &[]);
    assert_eq!(
        world.states(&["source", "sum"]),
        ["UpstreamBuilding", "Stale"]
    );
    assert!(world.check("sum"));
}

#[test]
fn what_it_had_only_read_is_built_before_it_if_it_is_built() {
    let mut world = World::new();
    world.want(&["manifest", "source", "sum"]);
    world.make("manifest", &[], "m");
    world.make("source", &[], "one");
    let run = world.run("sum");
    let (reads, inputs) = (world.all(&["manifest", "source"]), world.all(&["source"]));
    world.store.step(JobSucceeded {
        run,
        digest: "d".into(),
        reads,
        inputs,
        content: "two".into(),
        expires: None,
    });
    for (content, expected) in [("one", "Stale"), ("1", "Stale")] {
        world.change(&["source"]);
        if world.states(&["manifest"]) == ["Live"] {
            world.change(&["manifest"]);
        }
        world.want(&["sum"]);
        assert!(!world.check("sum"));
        world.make("source", &[], content);
        assert!(!world.check("sum"));
        assert_eq!(world.states(&["manifest"]), [expected]);
        let sum = if content == "one" { "Live" } else { "Checking" };
        assert_eq!(world.states(&["sum"]), [sum]);
    }
    world.make("manifest", &[], "m");
    assert!(world.check("sum"));
}

#[test]
fn a_check_ends_with_the_wants_that_need_it() {
    let mut world = built();
    world.change(&["source"]);
    let want = world.want(&["report"]);
    world.check("report");
    world.check("sum");
    world.cancel(want);
    assert_eq!(world.states(&ALL), ["Stale", "Stale", "Live", "Stale"]);
    assert_eq!(world.partition("source").awaited_by_count(&world.store), 0);
    let again = world.want(&["report"]);
    world.check("report");
    world.check("sum");
    world.make("source", &[], "one");
    world.check("sum");
    world.check("report");
    assert_eq!(world.want_state(again), "Successful");
}
