//! The model is checked: all that a few wants, partitions and runs can do, in every order.

use databuild::model::build::state::*;
use databuild::model::build::*;
use databuild::rules;
use ironweave::check::Checker;
use ironweave::prelude::*;

/// Each set of some entities.
fn sets<T: Copy>(all: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..1usize << all.len()).map(|set| {
        let chosen = all.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
        chosen.map(|(_, one)| *one).collect()
    })
}

/// No want is open.
fn no_want_is_open(db: &impl Db) -> bool {
    db.place::<Want, Any>()
        .all(|want| !rules::is_open(want, db))
}

/// Whether a partition is another one, or waits for it.
fn waits_for(partition: Partition, other: Partition, db: &impl Db) -> bool {
    partition == other
        || partition
            .upstreams(db)
            .any(|upstream| waits_for(upstream, other, db))
}

/// A checker with what the engine can fire: it queues runs for the open wants of their partitions, and a run reads live partitions.
fn checker(
    [wants, references, partitions, runs]: [usize; 4],
    may_wait_in_a_cycle: bool,
) -> Checker<Model> {
    Checker::new()
        .entities::<Want>(wants)
        .entities::<PartitionRef>(references)
        .entities::<Partition>(partitions)
        .entities::<JobRun>(runs)
        .values::<JobStarted, _>("pid", [1, 2])
        .values::<JobFailed, _>("exit", [1, 2, 3])
        .values::<JobFailed, _>("reason", [""])
        .bindings::<WantCreated>(move |store| {
            // `b` is wanted only after or with `a`: the names have no meaning to the model.
            let sets: &[&[&str]] = match store.count::<PartitionRef, Any>() {
                _ if store.count::<Want, Any>() == wants => &[],
                0 => &[&["a"], &["a", "b"]],
                _ => &[&["a"], &["b"], &["a", "b"]],
            };
            let of = |names: &&[&str]| WantCreated {
                partitions: names.iter().map(|name| (*name).into()).collect(),
            };
            sets.iter().map(of).collect()
        })
        .bindings::<JobQueued>(|store| {
            let startable = store.place::<Partition, (Missing, UpForRetry)>();
            let startable: Vec<Partition> = startable.collect();
            let of = |partitions: Vec<Partition>| {
                let is_for = |want: &Want| want.awaits(store).any(|p| partitions.contains(&p));
                let wants = store.place::<Want, Any>();
                JobQueued {
                    label: String::new(),
                    wants: wants.filter(is_for).collect(),
                    partitions,
                }
            };
            sets(&startable)
                .filter(|set| !set.is_empty())
                .map(of)
                .collect()
        })
        .bindings::<JobSucceeded>(|store| {
            let live = store.place::<Partition, Live>().map(|p| p.any());
            let live: Vec<Partition> = live.collect();
            let mut events = Vec::new();
            for run in store.place::<JobRun, Running>().map(|run| run.any()) {
                for (inputs, digest) in sets(&live).flat_map(|set| [(set.clone(), "1"), (set, "2")])
                {
                    events.push(JobSucceeded {
                        run: run.in_state::<Running>(store).expect("it is running"),
                        digest: digest.into(),
                        reads: inputs.clone(),
                        inputs,
                    });
                }
            }
            events
        })
        .bindings::<DepMissed>(move |store| {
            let names = ["a", "b", "c"];
            let misses = |run: &JobRun, name: &str| match rules::current(name, store) {
                Some(known) => {
                    let waits = |built| {
                        known == built || !may_wait_in_a_cycle && waits_for(known, built, store)
                    };
                    !known.is::<Live>(store) && !run.builds(store).any(waits)
                }
                None => true,
            };
            let runs = store.place::<JobRun, Running>().map(|run| run.any());
            let all = runs.flat_map(|run| names.map(move |name| (run, name)));
            let missed = all
                .filter(|(run, name)| misses(run, name))
                .map(|(run, name)| DepMissed {
                    run: run.in_state::<Running>(store).expect("it is running"),
                    missed: vec![name.into()],
                    reads: Vec::new(),
                    inputs: Vec::new(),
                });
            missed.collect()
        })
        .every::<Partition, _>(
            "a partition in Building has an unfinished run",
            rules::building_means_an_unfinished_run,
        )
        .every::<JobRun, _>("nothing is built twice at once", |run: JobRun, store| {
            let unfinished = run.is::<Queued>(store) || run.is::<Running>(store);
            !unfinished
                || run
                    .builds(store)
                    .all(|partition| partition.is::<Building>(store))
        })
        .eventually_possible("every want can end", no_want_is_open)
        .ignore_order_of_links()
}

#[test]
fn every_want_can_end_and_nothing_is_built_twice() {
    let report = checker([2, 2, 3, 3], false)
        .sometimes("a want waits", |store| {
            store.count::<Want, UpstreamBuilding>() > 0
        })
        .assert_properties();
    println!("{report}");
    assert!(
        report.is_complete() && report.states() >= 100_000,
        "{report}"
    );
}

/// The model permits that partitions wait for each other in a cycle. The program does not fire such an event.
#[test]
fn without_the_rule_of_the_program_wants_wait_in_a_cycle() {
    let report = checker([3, 2, 2, 2], true)
        .check()
        .expect("all domains are given");
    let [violation] = report.violations() else {
        panic!("{report}");
    };
    assert_eq!(
        violation.message(),
        "\"every want can end\" can never hold again"
    );
    let missed = violation
        .events()
        .iter()
        .filter(|event| event.starts_with("DepMissed"));
    assert_eq!(
        (violation.events().len(), missed.count()),
        (7, 2),
        "{violation}"
    );
}
