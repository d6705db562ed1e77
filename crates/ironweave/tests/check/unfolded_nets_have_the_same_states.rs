//! The net of a model that is unfolded at a scope has the states that the checker finds at the same bounds, and does in each what
//! the program does.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use ironweave::Model;
use ironweave::check::Checker;
use ironweave::prelude::*;
use ironweave_net::Net;
use ironweave_net::plain::{self, Explorer};
use ironweave_net::unfold::Scope;

use crate::plain::{admissions, clinic, jobs, rooms, tasks};

/// The names of the places of states and links that are marked in a state of the program.
fn marked_in<M: Model>(store: &Store<M>) -> BTreeSet<String> {
    let mut marked = BTreeSet::new();
    let named = store.by_name();
    for ty in named.entity_types() {
        for entity in ty.entities() {
            let slot = entity.id().slot();
            marked.insert(format!("{}::{}({slot})", ty.name(), entity.state()));
            let declared = |edge: &&str| {
                let mut ends = store.schema().edges.iter().map(|edge| &edge.from);
                ends.any(|end| store.schema()[end.entity].name == ty.name() && end.name == *edge)
            };
            for edge in ty.edges().filter(declared) {
                for link in entity.links(edge).expect("an edge of the type") {
                    let far = link.entity().id().slot();
                    marked.insert(format!("{}.{edge}({slot},{far})", ty.name()));
                }
            }
        }
    }
    marked
}

/// What the plain net does, by a search of its own.
struct Searched {
    states: usize,
    /// The names of the places of states and links that are marked, in each marking.
    marked: BTreeSet<BTreeSet<String>>,
    /// How often the transitions of each event are enabled.
    fired: BTreeMap<String, u64>,
}

fn search(net: &plain::Net) -> Searched {
    let initial: Vec<u64> = net.places.iter().map(|place| place.tokens).collect();
    let mut seen = HashSet::from([initial.clone()]);
    let mut open = vec![initial];
    let mut found = Searched {
        states: 0,
        marked: BTreeSet::new(),
        fired: BTreeMap::new(),
    };
    // The other places follow from these.
    let is_shown = |name: &str| {
        let is_state_or_link = name.contains("::") || name.contains('.');
        is_state_or_link && !name.starts_with("no ") && !name.contains('|')
    };
    while let Some(marking) = open.pop() {
        let marked = net.places.iter().zip(&marking);
        let marked = marked.filter(|(place, n)| **n > 0 && is_shown(&place.name));
        (found.marked).insert(marked.map(|(place, _)| place.name.clone()).collect());
        for transition in &net.transitions {
            let mut inputs = transition.inputs.iter();
            if !inputs.all(|(place, n)| marking[place.0 as usize] >= *n) {
                continue;
            }
            let event = transition.name.split('(').next().unwrap().to_owned();
            *found.fired.entry(event).or_default() += 1;
            let mut after = marking.clone();
            for (place, n) in &transition.inputs {
                after[place.0 as usize] -= n;
            }
            for (place, n) in &transition.outputs {
                after[place.0 as usize] += n;
            }
            if seen.insert(after.clone()) {
                open.push(after);
            }
        }
    }
    found.states = seen.len();
    found
}

fn compare<M: Model>(checker: Checker<M>, scope: &[(&str, u32)]) -> usize {
    let found: Rc<RefCell<BTreeSet<BTreeSet<String>>>> = Rc::default();
    let seen = Rc::clone(&found);
    let see = move |store: &Store<M>| {
        seen.borrow_mut().insert(marked_in(store));
        true
    };
    let report = checker
        .allow_deadlocks()
        .always("seen", see)
        .assert_properties();
    assert!(report.is_complete());
    let store = Store::<M>::unlogged();
    let net = Net::of(store.schema()).unwrap();
    let scope = scope
        .iter()
        .fold(Scope::new(), |scope, (name, n)| scope.entities(*name, *n));
    let unfolded = net.unfold(&scope).unwrap();
    println!(
        "{}: {} states, {} events, {} places, {} transitions",
        M::NAME,
        report.states(),
        report.fired(),
        unfolded.net.places.len(),
        unfolded.net.transitions.len()
    );
    let searched = search(&unfolded.net);
    // The marked places of a state may be the same for several orders of the free slots.
    let found = found.borrow();
    let mut differing = searched.marked.symmetric_difference(&found);
    assert_eq!(differing.next(), None, "only one has it");
    assert_eq!(searched.states, report.states());
    // Preparing the search of many transitions takes long without optimizations.
    if unfolded.net.transitions.len() < 1_000 {
        let explored = Explorer::new(&unfolded.net).run().unwrap();
        let counts = (explored.states as usize, explored.edges);
        assert_eq!(counts, (report.states(), report.fired()));
    }
    for (event, fired) in searched.fired {
        assert_eq!(report.event(&event).unwrap().fired, fired, "{event}");
    }
    report.states()
}

#[test]
fn of_wants_whose_partitions_are_built() {
    use jobs::{Partition, Run, Want};
    for (wants, partitions, runs) in [
        (1, 1, 2),
        (2, 1, 1),
        (1, 2, 2),
        (2, 2, 1),
        (0, 1, 1),
        (1, 3, 1),
    ] {
        let checker = Checker::<jobs::Model>::new()
            .entities::<Want>(wants)
            .entities::<Partition>(partitions)
            .entities::<Run>(runs);
        let scope = [("Want", wants), ("Partition", partitions), ("Run", runs)];
        compare(checker, &scope.map(|(name, n)| (name, n as u32)));
    }
}

#[test]
fn of_wards_whose_beds_are_deleted_with_them() {
    use clinic::{Bed, Patient, Ward};
    for (wards, beds, patients) in [(1, 2, 1), (2, 1, 1), (1, 2, 2), (2, 2, 1), (1, 1, 0)] {
        let checker = Checker::<clinic::Model>::new()
            .entities::<Ward>(wards)
            .entities::<Bed>(beds)
            .entities::<Patient>(patients);
        let scope = [("Ward", wards), ("Bed", beds), ("Patient", patients)];
        compare(checker, &scope.map(|(name, n)| (name, n as u32)));
    }
}

#[test]
fn of_tasks_that_wait_for_each_other_without_a_cycle() {
    for tasks in 0..4 {
        let checker = Checker::<tasks::Model>::new().entities::<tasks::Task>(tasks);
        compare(checker, &[("Task", tasks as u32)]);
    }
}

#[test]
fn of_rooms_whose_guests_are_counted() {
    use rooms::{Guest, Room};
    for (rooms, guests) in [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3)] {
        let checker = Checker::<rooms::Model>::new()
            .entities::<Room>(rooms)
            .entities::<Guest>(guests);
        let scope = [("Room", rooms), ("Guest", guests)];
        compare(checker, &scope.map(|(name, n)| (name, n as u32)));
    }
}

#[test]
fn of_wards_whose_beds_are_chosen() {
    use admissions::{Bed, Patient, Ward};
    for (wards, beds, patients) in [(1, 1, 1), (1, 2, 1), (1, 1, 2), (1, 2, 2), (2, 2, 1)] {
        let checker = Checker::<admissions::Model>::new()
            .entities::<Ward>(wards)
            .entities::<Bed>(beds)
            .entities::<Patient>(patients);
        let scope = [("Ward", wards), ("Bed", beds), ("Patient", patients)];
        compare(checker, &scope.map(|(name, n)| (name, n as u32)));
    }
}
