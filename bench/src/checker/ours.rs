//! databuild's model with the domains of this benchmark, for the checker that runs the program.

use databuild::model::build::state::{
    Building, Failed, Live, Missing, Queued, Running, UpForRetry,
};
use databuild::model::build::{
    AttemptFailed, CheckBegun, CheckOfTaintedBegun, ContentKept, DepMissed, InputsNeeded,
    JobFailed, JobQueued, JobRun, JobStarted, JobSucceeded, Model, Partition, PartitionRef,
    PartitionsTainted, RunCanceled, SourcesChanged, Want, WantCanceled, WantCreated,
};
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

/// The wants of a person: `b` is wanted only with `a`, or after it.
fn wanted(store: &Store<Model>, wants: usize) -> Vec<WantCreated> {
    let sets: &[&[&str]] = match store.count::<PartitionRef, Any>() {
        _ if store.count::<Want, Any>() == wants => &[],
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
}

/// Each set of the partitions that can be built, for the wants that await one of them.
fn queued(store: &Store<Model>) -> Vec<JobQueued> {
    let startable: Vec<_> = store.place::<Partition, (Missing, UpForRetry)>().collect();
    let of = |partitions: Vec<Partition>| JobQueued {
        label: String::new(),
        attempt: 1,
        version: String::new(),
        wants: store
            .place::<Want, Any>()
            .filter(|want| want.awaits(store).any(|p| partitions.contains(&p)))
            .collect(),
        partitions,
    };
    let sets = sets(&startable).filter(|set| !set.is_empty());
    sets.map(of).collect()
}

/// Each running run with each set of the live partitions, which it has read.
fn read(store: &Store<Model>) -> Vec<(JobRun, Vec<Partition>)> {
    let live: Vec<_> = store.place::<Partition, Live>().map(|p| p.any()).collect();
    let runs = store.place::<JobRun, Running>().map(|run| run.any());
    runs.flat_map(|run| sets(&live).map(move |set| (run, set)))
        .collect()
}

fn token(run: JobRun, store: &Store<Model>) -> JobRun<Running> {
    run.in_state(store).expect("it is running")
}

/// With one of two digests.
fn succeeded(store: &Store<Model>) -> Vec<JobSucceeded> {
    let both = |(run, inputs): (JobRun, Vec<Partition>)| {
        ["1", "2"].map(|digest| JobSucceeded {
            run: token(run, store),
            digest: digest.into(),
            reads: inputs.clone(),
            inputs: inputs.clone(),
            content: String::new(),
            expires: None,
        })
    };
    read(store).into_iter().flat_map(both).collect()
}

/// Misses a partition that is not live, or not known. The model rejects it if that partition waits for one that the run builds.
fn missed(store: &Store<Model>) -> Vec<DepMissed> {
    let names = ["a", "b", "c"].into_iter().filter(|name| {
        let known = rules::current(name, store);
        known.is_none_or(|partition| !partition.is::<Live>(store))
    });
    let of = |name: &'static str| {
        let event = move |(run, inputs): (JobRun, Vec<Partition>)| DepMissed {
            run: token(run, store),
            missed: vec![name.into()],
            reads: inputs.clone(),
            inputs,
        };
        read(store).into_iter().map(event)
    };
    names.flat_map(of).collect()
}

/// With one of three exit statuses, and without inputs.
fn failed(store: &Store<Model>) -> Vec<JobFailed> {
    let unfinished = store.place::<JobRun, (Queued, Running)>();
    let of = |run: JobRun| {
        [1, 2, 3].map(|exit| JobFailed {
            run,
            exit,
            reason: String::new(),
            digest: None,
            again: false,
            inputs: Vec::new(),
        })
    };
    unfinished.flat_map(of).collect()
}

/// Returns a checker for so many wants, references, partitions and runs.
pub fn checker([wants, references, partitions, runs]: [usize; 4]) -> Checker<Model> {
    Checker::new()
        .entities::<Want>(wants)
        .entities::<PartitionRef>(references)
        .entities::<Partition>(partitions)
        .entities::<JobRun>(runs)
        .values::<JobStarted, _>("pid", [1, 2])
        .bindings::<JobFailed>(failed)
        // What `twin.rs` leaves out.
        .bindings::<AttemptFailed>(|_| Vec::new())
        .bindings::<InputsNeeded>(|_| Vec::new())
        .bindings::<WantCanceled>(|_| Vec::new())
        .bindings::<RunCanceled>(|_| Vec::new())
        .bindings::<CheckBegun>(|_| Vec::new())
        .bindings::<CheckOfTaintedBegun>(|_| Vec::new())
        .bindings::<PartitionsTainted>(|_| Vec::new())
        .bindings::<SourcesChanged>(|store| {
            let changed: Vec<_> = store.place::<Partition, (Live, Failed)>().collect();
            let of = |partitions| SourcesChanged { partitions };
            sets(&changed).map(of).collect()
        })
        .bindings::<ContentKept>(|_| Vec::new())
        .bindings::<WantCreated>(move |store| wanted(store, wants))
        .bindings::<JobQueued>(queued)
        .bindings::<JobSucceeded>(succeeded)
        .bindings::<DepMissed>(missed)
        .every::<Partition, _>(
            "a partition in Building has an unfinished run",
            rules::building_means_an_unfinished_run,
        )
        .every::<JobRun, _>("nothing is built twice at once", |run: JobRun, store| {
            let unfinished = run.is::<Queued>(store) || run.is::<Running>(store);
            let mut builds = run.builds(store);
            !unfinished || builds.all(|partition| partition.is::<Building>(store))
        })
        .ignore_order_of_links()
        .allow_deadlocks()
}
