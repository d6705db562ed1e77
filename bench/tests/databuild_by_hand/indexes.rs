//! Whether what is kept twice by hand says the same twice: both ends of each edge, names, and the sets by state.
//!
//! The model needs no such test of its own: both ends change in one function of the framework, which has it.

use std::collections::{BTreeMap, BTreeSet};

use crate::by_hand::{Databuild, Partition, Run};

type Ids = BTreeSet<u32>;

/// What differs first.
pub fn check(db: &Databuild) -> Result<(), String> {
    let (partitions, runs, wants) = (&db.partitions, &db.runs, &db.wants);
    let of = |edge: fn(&Partition) -> &Ids| partitions.iter().map(move |(id, p)| (*id, edge(p)));
    let of_run = |edge: fn(&Run) -> &Ids| runs.iter().map(move |(id, r)| (*id, edge(r)));
    let one = |to: &Option<u32>| to.iter().copied().collect::<Ids>();
    let built_by: Vec<(u32, Ids)> = partitions
        .iter()
        .map(|(id, p)| (*id, one(&p.built_by)))
        .collect();
    let asked_by: Vec<(u32, Ids)> = wants
        .iter()
        .map(|(id, w)| (*id, one(&w.asked_by)))
        .collect();
    let both_ends = [
        (
            "inputs",
            pairs(of(|p| &p.inputs)),
            flipped(of(|p| &p.outputs)),
        ),
        (
            "upstreams",
            pairs(of(|p| &p.upstreams)),
            flipped(of(|p| &p.downstreams)),
        ),
        (
            "wants",
            pairs(wants.iter().map(|(id, w)| (*id, &w.partitions))),
            flipped(of(|p| &p.wanted_by)),
        ),
        (
            "builds",
            pairs(of_run(|r| &r.builds)),
            flipped(built_by.iter().map(|(id, to)| (*id, to))),
        ),
        (
            "reads",
            pairs(of_run(|r| &r.reads)),
            flipped(of(|p| &p.read_by)),
        ),
        (
            "services",
            pairs(of_run(|r| &r.services)),
            flipped(wants.iter().map(|(id, w)| (*id, &w.serviced_by))),
        ),
        (
            "asks",
            pairs(of_run(|r| &r.asks)),
            flipped(asked_by.iter().map(|(id, to)| (*id, to))),
        ),
    ];
    for (edge, one, other) in both_ends {
        if one != other {
            return Err(format!("the ends of {edge} differ: {one:?} and {other:?}"));
        }
    }
    let names: BTreeMap<String, u32> = partitions
        .iter()
        .map(|(id, p)| (p.name.clone(), *id))
        .collect();
    if names != db.by_name {
        return Err("the names differ".to_owned());
    }
    let filed = filed(partitions.iter().map(|(id, p)| (*id, p.state.kind())))
        == db.partitions_by_state
        && filed(runs.iter().map(|(id, r)| (*id, r.state.kind()))) == db.runs_by_state
        && filed(wants.iter().map(|(id, w)| (*id, w.state))) == db.wants_by_state;
    if filed {
        Ok(())
    } else {
        Err("the sets by state differ".to_owned())
    }
}

fn pairs<'a>(ends: impl Iterator<Item = (u32, &'a Ids)>) -> BTreeSet<(u32, u32)> {
    ends.flat_map(|(id, to)| to.iter().map(move |to| (id, *to)))
        .collect()
}

fn flipped<'a>(ends: impl Iterator<Item = (u32, &'a Ids)>) -> BTreeSet<(u32, u32)> {
    pairs(ends).into_iter().map(|(a, b)| (b, a)).collect()
}

fn filed<K: Ord>(states: impl Iterator<Item = (u32, K)>) -> BTreeMap<K, Ids> {
    let mut filed: BTreeMap<K, Ids> = BTreeMap::new();
    for (id, state) in states {
        filed.entry(state).or_default().insert(id);
    }
    filed
}
