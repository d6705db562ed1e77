//! The consequences of each event, in memory, without processes and files.

mod contents;
mod taints;
mod times;
mod turns;
mod world;

use ironweave::prelude::*;

use self::world::World;
use super::build::state::*;
use super::build::*;

#[test]
fn model_is_sound() {
    ironweave::assert_model_is_sound!(Model);
}

#[test]
fn a_wanted_partition_is_built() {
    let mut world = World::new();
    let want = world.want(&["a"]);
    assert_eq!(
        (world.want_state(want), world.states(&["a"])),
        ("Idle", vec!["Missing"])
    );
    let run = world.run("a");
    assert_eq!(
        (world.want_state(want), world.states(&["a"])),
        ("Building", vec!["Building"])
    );
    assert_eq!(run.pid(&world.store), 7);
    assert_eq!(run.any().services(&world.store).collect::<Vec<_>>(), [want]);
    world.store.step(JobSucceeded {
        run,
        digest: "d".into(),
        reads: vec![],
        inputs: vec![],
        content: String::new(),
        expires: None,
    });
    assert_eq!(
        (world.want_state(want), world.states(&["a"])),
        ("Successful", vec!["Live"])
    );
    let live = world
        .partition("a")
        .in_state::<Live>(&world.store)
        .expect("it is live");
    assert_eq!(live.digest(&world.store), "d");
}

#[test]
fn two_wants_share_one_build() {
    let mut world = World::new();
    let (one, two) = (world.want(&["a"]), world.want(&["a", "b"]));
    let run = world.run("a");
    assert_eq!(
        (world.want_state(one), world.want_state(two)),
        ("Building", "Building")
    );
    assert_eq!(run.any().services_count(&world.store), 2);
    world.store.step(JobSucceeded {
        run,
        digest: "d".into(),
        reads: vec![],
        inputs: vec![],
        content: String::new(),
        expires: None,
    });
    assert_eq!(
        (world.want_state(one), world.want_state(two)),
        ("Successful", "Idle")
    );
}

#[test]
fn a_run_that_misses_a_partition_runs_again_when_that_is_live() {
    let mut world = World::new();
    let want = world.want(&["report"]);
    let first = world.miss("report", &["manifest"], &[]);
    let asked = world.asked(first);
    assert_eq!(
        world.states(&["report", "manifest"]),
        ["UpstreamBuilding", "Missing"]
    );
    assert_eq!(
        (world.want_state(want), world.want_state(asked[0])),
        ("UpstreamBuilding", "Idle")
    );
    world.build("manifest", &[]);
    assert_eq!(
        world.states(&["report", "manifest"]),
        ["UpForRetry", "Live"]
    );
    assert_eq!(
        (world.want_state(want), world.want_state(asked[0])),
        ("Idle", "Successful")
    );

    world.miss("report", &["sloc/a", "sloc/b"], &["manifest"]);
    world.build("sloc/a", &[]);
    assert_eq!(world.states(&["report"]), ["UpstreamBuilding"]);
    world.build("sloc/b", &[]);
    assert_eq!(world.states(&["report"]), ["UpForRetry"]);
    world.build("report", &["manifest", "sloc/a", "sloc/b"]);
    assert_eq!(world.want_state(want), "Successful");
    assert_eq!(world.partition("report").inputs_count(&world.store), 3);
    assert_eq!(world.partition("report").upstreams_count(&world.store), 0);
    assert_eq!(world.partition("manifest").outputs(&world.store).count(), 1);
}

#[test]
fn a_missed_partition_that_is_live_by_now_causes_no_delay() {
    let mut world = World::new();
    world.want(&["a", "b"]);
    let run = world.run("a");
    world.build("b", &[]);
    let missed = vec!["b".into()];
    let want = world
        .store
        .step(DepMissed {
            run,
            missed,
            reads: vec![],
            inputs: vec![],
        })
        .created
        .want;
    assert_eq!(
        (world.want_state(want), world.states(&["a"])),
        ("Successful", vec!["UpForRetry"])
    );
}

#[test]
fn partitions_do_not_wait_for_each_other_in_a_cycle() {
    let mut world = World::new();
    world.want(&["a", "d"]);
    for (name, missed) in [("a", "b"), ("b", "c"), ("d", "a")] {
        world.miss(name, &[missed], &[]);
    }
    for missed in [&["c"][..], &["new", "a"], &["b"]] {
        let run = world.run("c");
        let before = world.store.fingerprint();
        let event = DepMissed {
            run,
            missed: missed.iter().map(|name| (*name).into()).collect(),
            reads: vec![],
            inputs: vec![],
        };
        let rejected = world.store.try_step(event);
        assert!(
            matches!(rejected, Err(StepError::Cycle { .. })),
            "{missed:?}"
        );
        assert_eq!(world.store.fingerprint(), before);
        let run = world.partition("c").built_by(&world.store);
        let run = run.expect("it is built");
        world.store.step(RunLost { run });
    }
    world.fail("c");
    for name in ["a", "b", "c"] {
        world.replace(name);
    }
    // The new instance of `a` waits for nothing. No open want needs `c` any more, so it does not wait either.
    world.miss("c", &["a"], &[]);
    assert_eq!(
        world.states(&["a", "b", "c", "d"]),
        ["Missing", "Missing", "UpForRetry", "UpForRetry"]
    );
}

#[test]
fn staleness_goes_to_any_depth_in_one_step() {
    let mut world = World::new();
    let names: Vec<String> = (0..100).map(|i| format!("p{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.want(&names);
    world.build(names[0], &[]);
    for pair in names.windows(2) {
        world.build(pair[1], &[pair[0]]);
    }
    let before = world.store.seq();
    world.change(&["p50"]);
    assert_eq!(world.store.seq(), before.map(|s| s + 1));
    assert_eq!(world.store.count::<Partition, Live>(), 50);
    assert_eq!(world.store.count::<Partition, Stale>(), 50);
    let want = world.want(&["p50"]);
    world.build("p50", &["p49"]);
    assert_eq!(
        (world.want_state(want), world.states(&["p50", "p51"])),
        ("Successful", vec!["Live", "Stale"])
    );
}

#[test]
fn a_partition_that_was_read_but_is_no_input_makes_nothing_stale() {
    let mut world = World::new();
    world.want(&["manifest", "sloc"]);
    world.build("manifest", &[]);
    let run = world.run("sloc");
    let reads = world.all(&["manifest"]);
    world.store.step(JobSucceeded {
        run,
        digest: "d".into(),
        reads,
        inputs: vec![],
        content: String::new(),
        expires: None,
    });
    world.change(&["manifest"]);
    assert_eq!(world.states(&["manifest", "sloc"]), ["Stale", "Live"]);
    assert_eq!(world.partition("manifest").read_by(&world.store).count(), 1);
}

#[test]
fn a_failure_reaches_all_waiting_partitions_in_one_step() {
    let mut world = World::new();
    let want = world.want(&["p0"]);
    let mut asked = Vec::new();
    for i in 0..60 {
        let run = world.miss(&format!("p{i}"), &[&format!("p{}", i + 1)], &[]);
        asked.extend(world.asked(run));
    }
    world.fail("p60");
    assert_eq!(world.states(&["p60"]), ["Failed"]);
    assert_eq!(world.store.count::<Partition, UpstreamFailed>(), 60);
    assert_eq!(world.want_state(want), "UpstreamFailed");
    assert_eq!(world.want_state(asked[59]), "Failed");
    assert!(
        asked[..59]
            .iter()
            .all(|w| world.want_state(*w) == "UpstreamFailed")
    );
}

#[test]
fn a_failure_stops_what_depends_on_it_and_nothing_else() {
    let mut world = World::new();
    let want = world.want(&["report", "other"]);
    let run = world.miss("report", &["day/1", "day/2", "day/3"], &[]);
    let asked = world.asked(run)[0];
    world.fail("day/1");
    // The others are still awaited.
    assert_eq!(
        (world.want_state(asked), world.states(&["report", "day/2"])),
        ("Idle", vec!["UpstreamBuilding", "Missing"])
    );
    world.build("day/2", &[]);
    world.fail("other");
    assert_eq!(
        (world.want_state(asked), world.want_state(want)),
        ("Idle", "UpstreamBuilding")
    );
    world.build("day/3", &[]);
    assert_eq!(
        world.states(&["report", "day/1", "day/2", "day/3", "other"]),
        ["UpstreamFailed", "Failed", "Live", "Live", "Failed"]
    );
    // The worst of its partitions.
    assert_eq!(
        (world.want_state(asked), world.want_state(want)),
        ("Failed", "Failed")
    );
}

#[test]
fn what_is_built_again_in_time_blocks_nothing() {
    let mut world = World::new();
    let want = world.want(&["report"]);
    world.miss("report", &["day/1", "day/2"], &[]);
    world.fail("day/1");
    world.replace("day/1");
    world.build("day/2", &[]);
    assert_eq!(
        world.states(&["report", "day/1"]),
        ["UpstreamBuilding", "Missing"]
    );
    world.build("day/1", &[]);
    world.build("report", &["day/1", "day/2"]);
    assert_eq!(world.want_state(want), "Successful");
}

#[test]
fn failed_partitions_can_be_retried() {
    let mut world = World::new();
    world.want(&["a"]);
    world.miss("a", &["b"], &[]);
    world.fail("b");
    let reason = world
        .partition("b")
        .in_state::<Failed>(&world.store)
        .map(|p| p.reason(&world.store).to_owned());
    assert_eq!(reason.as_deref(), Some("it broke"));
    let failed = world.partition("b");
    let next = world.replace("b");
    assert_eq!(
        (world.partition("b"), next.replaces(&world.store)),
        (next, Some(failed))
    );
    // What it blocked is not blocked any more.
    assert_eq!(world.states(&["a", "b"]), ["UpForRetry", "Missing"]);
    assert_eq!(world.partition("a").upstreams_count(&world.store), 0);
    let want = world.want(&["a"]);
    world.miss("a", &["b"], &[]);
    world.build("b", &[]);
    world.build("a", &["b"]);
    assert_eq!(world.want_state(want), "Successful");
}

#[test]
fn what_two_failures_block_is_blocked_until_both_are_retried() {
    let mut world = World::new();
    world.want(&["a"]);
    world.miss("a", &["b", "c", "d"], &[]);
    world.fail("b");
    world.miss("c", &["e"], &[]);
    world.fail("e");
    world.build("d", &[]);
    let all = ["a", "b", "c", "e"];
    assert_eq!(
        world.states(&all),
        ["UpstreamFailed", "Failed", "UpstreamFailed", "Failed"]
    );
    world.replace("b");
    assert_eq!(
        world.states(&all),
        ["UpstreamFailed", "Missing", "UpstreamFailed", "Failed"]
    );
    world.replace("e");
    assert_eq!(
        world.states(&all),
        ["UpForRetry", "Missing", "UpForRetry", "Missing"]
    );
}

#[test]
fn a_failure_is_forgotten_when_what_it_was_made_from_changes() {
    let mut world = World::new();
    world.want(&["source", "a", "b", "c"]);
    world.build("source", &[]);
    world.fail_with("a", &["source"]);
    world.fail("b");
    world.miss("c", &["a"], &[]);
    assert_eq!(
        world.states(&["a", "b", "c"]),
        ["Failed", "Failed", "UpstreamFailed"]
    );
    // A want for what has failed has failed: nothing runs.
    let want = world.want(&["a", "c"]);
    assert_eq!(world.want_state(want), "Failed");
    world.change(&["source"]);
    assert_eq!(
        world.states(&["source", "a", "b", "c"]),
        ["Stale", "Stale", "Failed", "UpForRetry"]
    );
    // Its own digest has changed.
    world.change(&["b"]);
    assert_eq!(world.states(&["b"]), ["Stale"]);
}

#[test]
fn a_canceled_want_ends_with_what_only_it_needs() {
    let mut world = World::new();
    let (one, two) = (world.want(&["a", "x"]), world.want(&["b"]));
    let of_a = world.miss("a", &["c"], &[]);
    let of_c = world.miss("c", &["d", "e"], &[]);
    let of_b = world.miss("b", &["e"], &[]);
    let run = world.run("e");
    world.cancel(one);
    let asked = [of_a, of_c, of_b].map(|run| world.asked(run)[0]);
    assert_eq!(
        asked.map(|want| world.want_state(want)),
        ["Canceled", "Canceled", "Building"]
    );
    assert_eq!(
        world.states(&["a", "b", "c", "d", "e", "x"]),
        [
            "UpForRetry",
            "UpstreamBuilding",
            "UpForRetry",
            "Missing",
            "Building",
            "Missing"
        ]
    );
    let needed =
        |world: &World, name: &str| world.partition(name).awaited_by_count(&world.store) > 0;
    assert!(needed(&world, "e") && !needed(&world, "d") && !needed(&world, "x"));
    // The other one goes on.
    world.cancel(two);
    assert!(!needed(&world, "e"));
    world.store.step(RunCanceled { run: run.any() });
    assert_eq!(world.states(&["b", "e"]), ["UpForRetry", "UpForRetry"]);
    // What was canceled is built when it is wanted again.
    let again = world.want(&["b"]);
    world.miss("b", &["e"], &[]);
    world.build("e", &[]);
    world.build("b", &["e"]);
    assert_eq!(
        (world.want_state(again), world.want_state(two)),
        ("Successful", "Canceled")
    );
}

#[test]
fn a_job_that_fails_is_tried_again_after_a_time() {
    let mut world = World::new();
    let want = world.want(&["a"]);
    world.miss("a", &["b"], &[]);
    let run = world.run("b").any();
    world.store.step(AttemptFailed {
        run,
        exit: 3,
        reason: "it broke".into(),
        wait: std::time::Duration::from_secs(60),
    });
    assert_eq!(
        (world.want_state(want), world.states(&["a", "b"])),
        ("UpstreamBuilding", vec!["UpstreamBuilding", "Backoff"])
    );
    let due = world.store.next_due().expect("it is due");
    assert_eq!(world.store.fire_due(due).expect("it fires").fired.len(), 1);
    assert_eq!(world.states(&["b"]), ["UpForRetry"]);
    world.build("b", &[]);
    world.build("a", &["b"]);
    assert_eq!(world.want_state(want), "Successful");
}

#[test]
fn declared_inputs_are_built_before_a_run_begins() {
    let mut world = World::new();
    let want = world.want(&["a"]);
    let need = |world: &mut World| {
        let partition = world.partition("a");
        let missed = vec!["b".into(), "c".into()];
        let needed = world.store.step(InputsNeeded { partition, missed });
        needed.created.want
    };
    let needed = need(&mut world);
    assert_eq!(
        (world.states(&["a", "b", "c"]), world.want_state(needed)),
        (vec!["UpstreamBuilding", "Missing", "Missing"], "Idle")
    );
    world.build("b", &[]);
    world.build("c", &[]);
    assert_eq!(
        (world.states(&["a"]), world.want_state(needed)),
        (vec!["UpForRetry"], "Successful")
    );
    world.build("a", &["b", "c"]);
    assert_eq!(world.want_state(want), "Successful");

    // A want that is canceled does not need them.
    world.change(&["a", "b"]);
    let want = world.want(&["a"]);
    world.replace("a");
    world.change(&["c"]);
    let needed = need(&mut world);
    world.cancel(want);
    assert_eq!(
        (world.states(&["a", "b"]), world.want_state(needed)),
        (vec!["UpForRetry", "Stale"], "Canceled")
    );
    assert_eq!(world.partition("b").awaited_by_count(&world.store), 0);
}

#[test]
fn what_waits_for_a_stale_partition_waits_for_the_instance_in_its_place() {
    let mut world = World::new();
    world.want(&["a", "b"]);
    world.build("b", &[]);
    world.change(&["b"]);
    let want = world.want(&["b"]);
    world.miss("a", &["b"], &[]);
    let next = world.replace("b");
    let upstreams: Vec<Partition> = world.partition("a").upstreams(&world.store).collect();
    assert_eq!(upstreams, [next]);
    assert_eq!(
        (world.want_state(want), world.states(&["a", "b"])),
        ("Idle", vec!["UpstreamBuilding", "Missing"])
    );
    world.build("b", &[]);
    assert_eq!(
        (world.want_state(want), world.states(&["a", "b"])),
        ("Successful", vec!["UpForRetry", "Live"])
    );
}

#[test]
fn a_lost_run_leaves_its_partition_to_another() {
    let mut world = World::new();
    let want = world.want(&["a"]);
    let lost = world.run("a").any();
    world.store.step(RunLost { run: lost });
    assert_eq!(
        (world.want_state(want), world.states(&["a"])),
        ("Idle", vec!["UpForRetry"])
    );
    world.build("a", &[]);
    assert_eq!(world.want_state(want), "Successful");
    assert_eq!(
        lost.builds_count(&world.store),
        0,
        "another run replaced it"
    );
}

#[test]
fn wants_of_a_run_with_stale_inputs_are_canceled() {
    let mut world = World::new();
    let want = world.want(&["report"]);
    world.miss("report", &["manifest"], &[]);
    world.build("manifest", &[]);
    let second = world.miss("report", &["sloc/gone"], &["manifest"]);
    world.change(&["manifest"]);
    assert_eq!(
        world.states(&["report", "manifest"]),
        ["UpForRetry", "Stale"]
    );
    // Nothing waits for them any more.
    assert_eq!(world.want_state(world.asked(second)[0]), "Canceled");
    let third = world.miss("report", &["manifest"], &[]);
    assert_eq!(world.want_state(world.asked(third)[0]), "Idle");
    assert_eq!(world.states(&["report"]), ["UpstreamBuilding"]);
    world.build("manifest", &[]);
    world.build("report", &["manifest"]);
    assert_eq!(
        (world.want_state(want), world.states(&["sloc/gone"])),
        ("Successful", vec!["Missing"])
    );
}

/// The state of a want for every combination of partitions.
#[test]
fn the_state_of_a_want_is_the_first_that_applies() {
    let kinds = [
        "live", "missing", "building", "waiting", "failed", "blocked",
    ];
    let expect = |present: &[usize]| {
        let has = |kind: &str| present.iter().any(|i| kinds[*i] == kind);
        let has_open = has("missing") || has("building") || has("waiting");
        match () {
            () if has("failed") && !has_open => "Failed",
            () if has("blocked") && !has_open => "UpstreamFailed",
            () if present == [0] => "Successful",
            () if has("building") => "Building",
            () if has("waiting") => "UpstreamBuilding",
            () if has("missing") => "Idle",
            () => unreachable!("it is one of them"),
        }
    };
    for set in 1..1_usize << kinds.len() {
        let present: Vec<usize> = (0..kinds.len()).filter(|i| set >> i & 1 == 1).collect();
        let mut world = World::new();
        world.want(&kinds);
        world.build("live", &[]);
        world.run("building");
        world.miss("waiting", &["missing"], &[]);
        world.fail("failed");
        world.miss("blocked", &["failed"], &[]);
        let names: Vec<&str> = present.iter().map(|i| kinds[*i]).collect();
        let want = world.want(&names);
        assert_eq!(world.want_state(want), expect(&present), "{names:?}");
    }
}

#[test]
fn invalid_events_are_rejected_and_change_nothing() {
    let mut world = World::new();
    world.want(&["a", "b"]);
    world.build("a", &[]);
    let before = world.store.fingerprint();
    let (a, b) = (world.partition("a"), world.partition("b"));
    let queue = |partitions| JobQueued {
        label: "x".into(),
        attempt: 1,
        version: "v".into(),
        partitions,
        wants: vec![],
    };
    assert!(
        matches!(
            world.store.try_step(queue(vec![a])),
            Err(StepError::NotInPlace { .. })
        ),
        "it is live"
    );
    assert!(
        matches!(
            world.store.try_step(queue(vec![b, a])),
            Err(StepError::NotInPlace { .. })
        ),
        "one of them is"
    );
    assert!(
        world
            .store
            .try_step(SourcesChanged {
                partitions: vec![b]
            })
            .is_err(),
        "it is not live"
    );
    assert!(
        world
            .store
            .try_step(WantCreated {
                partitions: vec![],
                source: String::new(),
                comment: String::new(),
                priority: 0,
                deadline: None,
                sla: None
            })
            .is_err(),
        "a want has at least one partition"
    );
    assert_eq!(world.store.fingerprint(), before);

    let run = world.run("b");
    let same = run
        .any()
        .in_state::<Running>(&world.store)
        .expect("it runs");
    world.store.step(JobFailed {
        run: run.any(),
        exit: 1,
        reason: String::new(),
        digest: None,
        again: true,
        inputs: vec![],
    });
    let late = JobSucceeded {
        run: same,
        digest: String::new(),
        reads: vec![],
        inputs: vec![],
        content: String::new(),
        expires: None,
    };
    assert!(
        matches!(
            world.store.try_step(late),
            Err(StepError::NotInPlace { .. })
        ),
        "the token is stale"
    );
}
