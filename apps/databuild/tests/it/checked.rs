//! What is checked of the model: the entities and values with which its events are tried, and the properties. Copies of the model
//! with a planted bug are checked by the same code, in `planted_bugs_are_found.rs`.

use std::time::Duration;

use databuild::model::build::state::*;
use databuild::model::build::*;
use databuild::rules;
use ironweave::check::{Checker, Domains};
use ironweave::prelude::*;

/// How many entities there are at most. One value is tried of each field that no condition reads.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The maximum number of wants.
    pub wants: usize,
    /// The maximum number of references.
    pub references: usize,
    /// The maximum number of partitions.
    pub partitions: usize,
    /// The maximum number of runs.
    pub runs: usize,
    /// Whether wants are canceled, jobs are tried again, and runs fail that have read something.
    pub all: bool,
    /// Whether what is stale is checked. Unless `all` is true, each run then builds one partition and succeeds, so that builds come far enough.
    pub stale: bool,
    /// Whether data is tainted. Unless `all` is true, partitions then have a time to live, and sources do not change.
    pub wrong: bool,
}

/// A time after all others.
const LATER: Timestamp = Timestamp::from_secs(10_000_000_000);

/// Each set of some entities.
fn sets<T: Copy>(all: &[T]) -> impl Iterator<Item = Vec<T>> {
    (0..1usize << all.len()).map(|set| {
        let chosen = all.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
        chosen.map(|(_, one)| *one).collect()
    })
}

/// Each running run with each set of live partitions, which it has read.
fn read(db: &impl Db) -> Vec<(JobRun<Running>, Vec<Partition>)> {
    let live: Vec<Partition> = db.place::<Partition, Live>().map(|p| p.any()).collect();
    let runs = db.place::<JobRun, Running>();
    runs.flat_map(|run| {
        let run = run.any();
        sets(&live).map(move |set| (run.in_state(db).expect("it is running"), set))
    })
    .collect()
}

/// The runs that have not ended.
fn unfinished(db: &impl Db) -> impl Iterator<Item = JobRun> {
    db.place::<JobRun, (Queued, Running)>()
}

/// No want is open.
pub fn no_want_is_open(db: &impl Db) -> bool {
    db.place::<Want, Any>()
        .all(|want| !rules::is_open(want, db))
}

/// What an unfinished run builds is not built by another, and has no other result yet.
pub fn an_unfinished_run_builds(run: JobRun, db: &impl Db) -> bool {
    let is_unfinished = run.is::<Queued>(db) || run.is::<Running>(db);
    !is_unfinished || run.builds(db).all(|p| p.is::<Building>(db))
}

/// Of each reference of a successful want, there is an instance that was built.
pub fn a_successful_want_has_what_it_wanted(want: Want, db: &impl Db) -> bool {
    let is_built = |p: Partition| p.built_by(db).is_some_and(|run| run.is::<Succeeded>(db));
    let mut references = want.partitions(db);
    !want.is::<Successful>(db) || references.all(|of| of.instances(db).any(is_built))
}

/// A partition has upstreams exactly if it waits for them, or has waited for one that failed.
pub fn what_waits_has_upstreams(partition: Partition, db: &impl Db) -> bool {
    let waits = waits(partition, db) || partition.is::<UpstreamFailed>(db);
    waits == (partition.upstreams_count(db) > 0)
}

fn waits(partition: Partition, db: &impl Db) -> bool {
    partition.is::<UpstreamBuilding>(db) || partition.is::<Checking>(db)
}

/// What is live was made from what is live, or has the same content.
pub fn what_is_live_is_made_from_what_is_live(partition: Partition, db: &impl Db) -> bool {
    !partition.is::<Live>(db) || partition.inputs(db).all(|p| p.is::<Live>(db))
}

/// What waits for others is wanted, and what a run has asked for is needed by something that waits.
pub fn what_waits_is_wanted(partition: Partition, db: &impl Db) -> bool {
    !waits(partition, db) || partition.awaited_by_count(db) > 0
}

/// An open want that a run or a declaration asked for is for something that waits.
pub fn what_was_asked_is_needed(want: Want, db: &impl Db) -> bool {
    let waits = |p: Partition| waits(p, db);
    let needed = |run: JobRun| run.builds(db).any(waits);
    !rules::is_open(want, db)
        || (want.asked_by(db).is_none_or(needed) && want.asked_for(db).is_none_or(waits))
}

/// The references of the inputs of a wanted partition that are not live, if there are any.
fn to_check(partition: Partition, db: &impl Db) -> Option<Vec<PartitionRef>> {
    let inputs = partition.inputs(db).map(|input| input.of(db));
    let is_live = |of: &PartitionRef| of.current(db).is_some_and(|p| p.is::<Live>(db));
    let mut inputs: Vec<PartitionRef> = inputs.filter(|of| !is_live(of)).collect();
    inputs.sort_unstable();
    (partition.awaited_by_count(db) > 0 && !inputs.is_empty()).then_some(inputs)
}

/// What the engine can fire: it queues runs for the open wants of their partitions, and a run reads live partitions.
pub fn domains(scope: Scope) -> Domains<Model> {
    Domains::new()
        .entities::<Want>(scope.wants)
        .entities::<PartitionRef>(scope.references)
        .entities::<Partition>(scope.partitions)
        .entities::<JobRun>(scope.runs)
        .values::<JobStarted, _>("pid", [1])
        // A run fails after it has read everything or nothing.
        .bindings::<JobFailed>(move |store| {
            let live = store.place::<Partition, Live>().map(|p| p.any());
            let live: Vec<Partition> = live.filter(|_| scope.all).collect();
            let of = |run: JobRun| {
                let everything =
                    (!live.is_empty() && run.is::<Running>(store)).then(|| live.clone());
                let sets = [Some(vec![]), everything].into_iter().flatten();
                sets.map(move |inputs| JobFailed {
                    run,
                    exit: 1,
                    reason: String::new(),
                    digest: None,
                    again: false,
                    inputs,
                })
            };
            let failing = unfinished(store).filter(|_| scope.all || !scope.stale);
            failing.flat_map(of).collect()
        })
        .bindings::<AttemptFailed>(move |store| {
            let of = |run: JobRun| AttemptFailed {
                run,
                exit: 1,
                reason: String::new(),
                wait: Duration::ZERO,
            };
            unfinished(store).filter(|_| scope.all).map(of).collect()
        })
        .bindings::<InputsNeeded>(move |store| {
            let waiting = store.place::<Partition, (Missing, UpForRetry)>();
            let waiting = waiting.filter(|p| scope.all && p.awaited_by_count(store) > 0);
            let is_not_live =
                |name: &&str| rules::current(name, store).is_none_or(|p| !p.is::<Live>(store));
            let of = |partition: Partition| {
                let names = ["a", "b"].into_iter().filter(is_not_live);
                names.map(move |name| InputsNeeded {
                    partition,
                    missed: vec![name.into()],
                })
            };
            waiting.flat_map(of).collect()
        })
        .bindings::<SourcesChanged>(move |store| {
            if scope.wrong && !scope.all {
                // The end of a history is no deadlock.
                let partitions = Vec::new();
                return vec![SourcesChanged { partitions }];
            }
            let changed = store.place::<Partition, (Live, Failed)>();
            let stale = store.place::<Partition, Stale>();
            let stale = stale.filter(|p| scope.stale && p.by_inputs(store));
            let checked = store.place::<Partition, Checking>().map(|p| p.any());
            let all: Vec<Partition> = changed
                .chain(stale.map(|p| p.any()))
                .chain(checked)
                .collect();
            sets(&all)
                .map(|partitions| SourcesChanged { partitions })
                .collect()
        })
        .bindings::<CheckBegun>(move |store| {
            let stale = store.place::<Partition, Stale>().map(|p| p.any());
            let begun = stale.filter(|_| scope.stale).filter_map(|partition| {
                let inputs = to_check(partition, store)?;
                Some(CheckBegun { partition, inputs })
            });
            begun.collect()
        })
        .bindings::<CheckOfTaintedBegun>(move |store| {
            let tainted = store.place::<Partition, Tainted>().map(|p| p.any());
            let begun = tainted.filter(|_| scope.stale).filter_map(|partition| {
                let inputs = to_check(partition, store)?;
                Some(CheckOfTaintedBegun { partition, inputs })
            });
            begun.collect()
        })
        .bindings::<PartitionsTainted>(move |store| {
            let built = store.place::<Partition, (Live, Stale, Checking)>();
            let tainted = built.filter(|_| scope.wrong).map(|p| PartitionsTainted {
                partitions: vec![p],
                reason: String::new(),
            });
            tainted.collect()
        })
        .bindings::<ContentKept>(move |store| {
            let stale = store.place::<Partition, Stale>();
            let by_inputs = stale.filter(|p| scope.stale && p.by_inputs(store));
            let of = |p: Partition<Stale>| {
                let inputs = rules::same_inputs(p.any(), store)?;
                Some(ContentKept {
                    partition: p.any(),
                    inputs,
                })
            };
            by_inputs.filter_map(of).collect()
        })
        .bindings::<WantCanceled>(move |store| {
            let open = rules::open_wants(store).into_iter();
            open.filter(|_| scope.all)
                .map(|want| WantCanceled { want })
                .collect()
        })
        .bindings::<RunCanceled>(move |store| {
            let is_needless =
                |run: &JobRun| run.builds(store).all(|p| p.awaited_by_count(store) == 0);
            let needless = unfinished(store).filter(|run| scope.all && is_needless(run));
            needless.map(|run| RunCanceled { run }).collect()
        })
        .bindings::<WantCreated>(move |store| {
            // `b` is wanted only after or with `a`: the names have no meaning to the model.
            let sets: &[&[&str]] = match store.count::<PartitionRef, Any>() {
                _ if store.count::<Want, Any>() == scope.wants => &[],
                0 => &[&["a"], &["a", "b"]],
                _ => &[&["a"], &["b"], &["a", "b"]],
            };
            let of = |names: &&[&str]| WantCreated {
                partitions: names.iter().map(|name| (*name).into()).collect(),
                source: String::new(),
                comment: String::new(),
                priority: 0,
                deadline: None,
                sla: None,
            };
            sets.iter().map(of).collect()
        })
        .bindings::<JobQueued>(move |store| {
            let startable = store.place::<Partition, (Missing, UpForRetry)>();
            let startable = startable.filter(|p| p.awaited_by_count(store) > 0);
            let startable: Vec<Partition> = startable.collect();
            let of = |partitions: Vec<Partition>| {
                let is_for = |want: &Want| want.awaits(store).any(|p| partitions.contains(&p));
                let wants = store.place::<Want, Any>();
                JobQueued {
                    label: String::new(),
                    attempt: 1,
                    version: String::new(),
                    wants: wants.filter(is_for).collect(),
                    partitions,
                }
            };
            let most = if scope.all || !scope.stale {
                usize::MAX
            } else {
                1
            };
            sets(&startable)
                .filter(|set| !set.is_empty() && set.len() <= most)
                .map(of)
                .collect()
        })
        .bindings::<RunLost>(move |store| {
            let lost = unfinished(store).filter(|_| scope.all || !scope.stale);
            lost.map(|run| RunLost { run }).collect()
        })
        .bindings::<JobSucceeded>(move |store| {
            let of = |(run, inputs): (JobRun<Running>, Vec<Partition>)| JobSucceeded {
                run,
                digest: String::new(),
                reads: inputs.clone(),
                inputs,
                content: "c".into(),
                expires: (scope.wrong && !scope.all).then_some(LATER),
            };
            read(store).into_iter().map(of).collect()
        })
        .bindings::<DepMissed>(move |store| {
            let names = ["a", "b", "c"].into_iter().filter(|name| {
                let known = rules::current(name, store);
                let is_live = known.is_some_and(|partition| partition.is::<Live>(store));
                !is_live && (scope.all || !scope.stale)
            });
            let of = |name: &'static str| {
                read(store).into_iter().map(move |(run, inputs)| DepMissed {
                    run,
                    missed: vec![name.into()],
                    reads: inputs.clone(),
                    inputs,
                })
            };
            names.flat_map(of).collect()
        })
}

/// A checker of the model with its properties.
pub fn checker(scope: Scope) -> Checker<Model> {
    Checker::new()
        .within(domains(scope))
        .every::<Partition, _>(
            "a partition in Building has an unfinished run",
            rules::building_means_an_unfinished_run,
        )
        .every::<JobRun, _>("nothing is built twice at once", an_unfinished_run_builds)
        .every::<Want, _>(
            "a successful want has what it wanted",
            a_successful_want_has_what_it_wanted,
        )
        .every::<Partition, _>("what waits has upstreams", what_waits_has_upstreams)
        .every::<Partition, _>("what waits is wanted", what_waits_is_wanted)
        .every::<Partition, _>(
            "what is live is made from what is live",
            what_is_live_is_made_from_what_is_live,
        )
        .every::<Want, _>("what a run asked for is needed", what_was_asked_is_needed)
        .eventually_possible("every want can end", no_want_is_open)
        .ignore_order_of_links()
}
