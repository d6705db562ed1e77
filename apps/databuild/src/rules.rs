//! The invariants of partitions, and common queries.
//!
//! No arc of the present model violates the invariants. They document why the model is correct, and detect a change that
//! breaks it: the store rejects the transaction, so that the log never contains such a state.

use ironweave::prelude::*;

use crate::model::build::state::{
    Building, Checking, Idle, Live, Missing, New, Queued, Running, Stale, Succeeded, Tainted,
    UpForRetry, UpstreamBuilding,
};
use crate::model::build::{ContentKept, Partition, PartitionRef, Want};

/// A partition in `Building` has a run that has not ended.
pub fn building_means_an_unfinished_run(partition: Partition, db: &impl Db) -> Result<(), Reject> {
    if !partition.is::<Building>(db) {
        return Ok(());
    }
    match partition.built_by(db) {
        Some(run) if run.is::<Queued>(db) || run.is::<Running>(db) => Ok(()),
        Some(run) => Err(Reject::new(format!("{run}, which builds it, has ended"))),
        None => Err(Reject::new("it is in Building, and no run builds it")),
    }
}

/// A live partition was built by a run that succeeded.
pub fn live_means_a_run_that_succeeded(partition: Partition, db: &impl Db) -> Result<(), Reject> {
    if !partition.is::<Live>(db) {
        return Ok(());
    }
    match partition.built_by(db) {
        Some(run) if run.is::<Succeeded>(db) => Ok(()),
        Some(run) => Err(Reject::new(format!(
            "{run}, which built it, did not succeed"
        ))),
        None => Err(Reject::new("it is live, and no run built it")),
    }
}

/// A waiting partition waits for at least one other, which will wake it.
pub fn waiting_means_something_missed(partition: Partition, db: &impl Db) -> Result<(), Reject> {
    let waits = partition.is::<UpstreamBuilding>(db) || partition.is::<Checking>(db);
    if waits && partition.upstreams_count(db) == 0 {
        return Err(Reject::new("it waits for no partition"));
    }
    Ok(())
}

/// The content of a partition is a function of the contents of its inputs. It is kept if those are the current instances, and each of
/// them is the one that it was made from or has the same content.
pub fn contents_are_the_same(event: &ContentKept, db: &impl Db) -> Result<(), Reject> {
    match same_inputs(event.partition, db) {
        Some(same) if same.iter().eq(&event.inputs) => Ok(()),
        _ => Err(Reject::new(
            "it is made from other contents than those of the current instances",
        )),
    }
}

/// The current instances of the inputs of a partition, each once, if they are live and have the contents that it was made from. A content that
/// is not known is not the same as another.
pub fn same_inputs(partition: Partition, db: &impl Db) -> Option<Vec<Partition>> {
    let mut same: Vec<Partition> = Vec::new();
    for input in partition.inputs(db) {
        let now = input.of(db).current(db)?;
        let content = input.content(db);
        let is_same = now == input || (!content.is_empty() && now.content(db) == content);
        if !is_same || !now.is::<Live>(db) {
            return None;
        }
        same.push(now);
    }
    same.sort_unstable();
    same.dedup();
    Some(same)
}

/// Returns whether a want has not ended.
pub fn is_open(want: Want, db: &impl Db) -> bool {
    want.is::<Idle>(db)
        || want.is::<Building>(db)
        || want.is::<UpstreamBuilding>(db)
        || want.is::<New>(db)
}

/// Returns whether a partition is stale, or is checked, only because inputs are stale.
pub fn is_stale_by_inputs(partition: Partition, db: &impl Db) -> bool {
    let stale = partition.in_state::<Stale>(db).map(|p| p.by_inputs(db));
    let checking = partition.in_state::<Checking>(db).map(|p| p.by_inputs(db));
    stale.or(checking).unwrap_or_default()
}

/// The current instance of a reference.
pub fn current(name: &str, db: &impl Db) -> Option<Partition> {
    db.find::<PartitionRef>(name)?.current(db)
}

/// The reference of a partition.
pub fn name(partition: Partition, db: &impl Db) -> &str {
    partition.of(db).name(db)
}

/// All known references.
pub fn all_names(db: &impl Db) -> impl Iterator<Item = &str> {
    db.place::<PartitionRef, Any>().map(|r| r.name(db))
}

/// The names of the references from a number on, in the order in which these were created. O(names).
pub fn names_from(number: usize, db: &impl Db) -> impl Iterator<Item = &str> {
    // References are never removed, so these are the ids of all: `0.1`, `1.1` and so on.
    let all = number..db.count::<PartitionRef, Any>();
    let all = all.filter_map(|slot| {
        format!("PartitionRef/{slot}.1")
            .parse::<PartitionRef>()
            .ok()
    });
    all.map(|r| r.name(db))
}

/// The partitions that a run can be queued for, if they are wanted. Those that were run before come first, because their next run may
/// no longer need the partitions that an earlier one asked for.
pub fn to_build(db: &impl Db) -> impl Iterator<Item = Partition> {
    let retry = db.place::<Partition, UpForRetry>().map(|p| p.any());
    let stale = db.place::<Partition, Stale>().map(|p| p.any());
    let tainted = db.place::<Partition, Tainted>().map(|p| p.any());
    let missing = db.place::<Partition, Missing>().map(|p| p.any());
    retry.chain(stale).chain(tainted).chain(missing)
}

/// The source of wants of a databuild that runs for one caller. They end with it.
pub const OF_COMMAND_LINE: &str = "command line";
/// The source of wants of the clients of a daemon. They stay open until the daemon has built what they are for.
pub const OF_DAEMON: &str = "daemon";

/// Returns whether a person wants it: no run asked for it, and no job declares it.
pub fn is_of_a_person(want: Want, db: &impl Db) -> bool {
    want.asked_by(db).is_none() && want.asked_for(db).is_none()
}

/// Where a want is from, for people.
pub fn source(want: Want, db: &impl Db) -> String {
    match (want.asked_by(db), want.asked_for(db)) {
        (Some(run), _) => format!("run {}", run.id()),
        (None, Some(partition)) => format!("input of {}", name(partition, db)),
        (None, None) => match want.source(db) {
            "" => "unknown".to_owned(),
            source => source.to_owned(),
        },
    }
}

/// The open wants of persons.
pub fn open_wants(db: &impl Db) -> Vec<Want> {
    let open = db.place::<Want, (New, Idle, Building, UpstreamBuilding)>();
    open.filter(|want| is_of_a_person(*want, db)).collect()
}
