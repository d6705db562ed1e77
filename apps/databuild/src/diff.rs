//! What has changed between two graphs: the partitions, runs and wants by their states in both.

use std::collections::{BTreeMap, BTreeSet};

use ironweave::Snapshot;
use ironweave::prelude::*;
use serde::Serialize;

use crate::model::build::{JobRun, Model, Partition, PartitionRef, Want};
use crate::past::Moment;
use crate::text::{few, one_line};

/// What differs between two graphs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The first graph; none if it is of an empty store.
    pub from: Option<Moment>,
    /// The second graph.
    pub to: Option<Moment>,
    /// References, by the states of their current instances.
    pub partitions: Changes,
    /// Runs, by their states; each is named by its id and its label.
    pub runs: Changes,
    /// Wants, by their states; each is named by its id and by what is wanted.
    pub wants: Changes,
}

/// What has changed of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// How many have changed.
    pub count: usize,
    /// By their states, in the order of these.
    pub groups: Vec<Group>,
}

/// Those that were in one state, and are in another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// The state in the first graph; none if it does not have them.
    pub from: Option<String>,
    /// The state in the second graph; none if it does not have them.
    pub to: Option<String>,
    /// Whether another instance is the current one, which is in a state that the former one was in.
    pub again: bool,
    /// The names, sorted.
    pub names: BTreeSet<String>,
}

/// The state of something, and which instance it is of.
type State<I> = (String, I);

impl Diff {
    /// Compares two graphs. O(partitions + runs + wants).
    pub fn between(from: &Snapshot<Model>, to: &Snapshot<Model>) -> Self {
        Self {
            from: Moment::of_snapshot(from),
            to: Moment::of_snapshot(to),
            partitions: Changes::between(partitions(from), partitions(to)),
            runs: Changes::between(runs(from), runs(to)),
            wants: Changes::between(wants(from), wants(to)),
        }
    }

    /// The difference for people; without `full`, a few names of each group.
    pub fn text(&self, full: bool) -> String {
        let moment = |moment: &Option<Moment>| match moment {
            Some(moment) => moment.to_string(),
            None => "an empty store".to_owned(),
        };
        let mut out = format!("from {} to {}\n", moment(&self.from), moment(&self.to));
        for (what, changes) in [
            ("partitions", &self.partitions),
            ("runs", &self.runs),
            ("wants", &self.wants),
        ] {
            match changes.count {
                0 => out += &format!("{what}: no changes\n"),
                count => out += &format!("{what}: {count} changed\n"),
            }
            for group in &changes.groups {
                let names = match full {
                    true => group.names.iter().cloned().collect::<Vec<_>>().join(", "),
                    false => few(&group.names),
                };
                let count = group.names.len();
                out += &format!("  {}: {count}: {}\n", group.what(), one_line(&names));
            }
        }
        out
    }
}

impl Group {
    /// The change, as in `Missing -> Live`.
    fn what(&self) -> String {
        match (&self.from, &self.to) {
            (_, Some(to)) if self.again => format!("{to}, another instance"),
            (Some(from), Some(to)) => format!("{from} -> {to}"),
            (None, Some(to)) => format!("new, {to}"),
            (Some(from), None) => format!("not there, {from} before"),
            (None, None) => String::new(),
        }
    }
}

impl Changes {
    fn between<I: PartialEq>(
        mut from: BTreeMap<String, State<I>>,
        to: BTreeMap<String, State<I>>,
    ) -> Self {
        let mut groups: BTreeMap<(Option<String>, Option<String>), BTreeSet<String>> =
            BTreeMap::new();
        for (name, (state, instance)) in to {
            let before = from.remove(&name);
            if before
                .as_ref()
                .is_none_or(|before| *before != (state.clone(), instance))
            {
                let before = before.map(|(state, _)| state);
                groups
                    .entry((before, Some(state)))
                    .or_default()
                    .insert(name);
            }
        }
        for (name, (state, _)) in from {
            groups.entry((Some(state), None)).or_default().insert(name);
        }
        let groups = groups.into_iter().map(|((from, to), names)| Group {
            again: from == to,
            from,
            to,
            names,
        });
        let groups: Vec<Group> = groups.collect();
        let count = groups.iter().map(|group| group.names.len()).sum();
        Self { count, groups }
    }
}

fn partitions(db: &Snapshot<Model>) -> BTreeMap<String, State<Option<Partition>>> {
    let all = db.place::<PartitionRef, Any>().filter_map(|reference| {
        let current = reference.current(db)?;
        let state = current.state(db).to_string();
        Some((reference.name(db).to_owned(), (state, Some(current))))
    });
    all.collect()
}

fn runs(db: &Snapshot<Model>) -> BTreeMap<String, State<()>> {
    let all = db.place::<JobRun, Any>().map(|run| {
        let named = format!("{} {}", run.id(), run.label(db));
        (named, (run.state(db).to_string(), ()))
    });
    all.collect()
}

fn wants(db: &Snapshot<Model>) -> BTreeMap<String, State<()>> {
    let all = db.place::<Want, Any>().map(|want| {
        let names = want.partitions(db).map(|reference| reference.name(db));
        let named = format!("{} {}", want.id(), few(names));
        (named, (want.state(db).to_string(), ()))
    });
    all.collect()
}
