//! The checker finds the states, and fires the events, that a naive explorer finds and fires.

use ironweave::check::Checker;
use ironweave::prelude::*;

use crate::naive::{self, Found};
use crate::ward::{Finding, queue, ward};

/// Each set of some entities.
fn sets<T: Clone>(all: &[T]) -> Vec<Vec<T>> {
    (0..1usize << all.len())
        .map(|set| {
            let chosen = all.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1);
            chosen.map(|(_, one)| one.clone()).collect()
        })
        .collect()
}

/// What to try in a state of the ward, with the next unused keys.
pub fn ward_events(store: &Store<ward::Model>) -> Vec<ward::AnyEvent> {
    use ward::state::*;
    use ward::*;
    let mut events: Vec<AnyEvent> = Vec::new();
    let number = (1..).find(|number| store.find::<Bed>(number).is_none());
    events.extend(number.map(|number| BedAdded { number }.into()));
    let name = ('a'..='z')
        .map(String::from)
        .find(|name| store.find::<Patient>(&**name).is_none());
    for urgent in [false, true] {
        events.extend(name.clone().map(|name| Arrived { name, urgent }.into()));
    }
    let free = || store.place::<Bed, Free>();
    events.extend(free().map(|bed| BedRemoved { bed }.into()));
    for bed in free().map(|bed| bed.number(store)) {
        let waiting = store.place::<Patient, Waiting>();
        events.extend(waiting.map(|patient| {
            PatientAdmitted {
                patient,
                bed: Key::new(bed),
            }
            .into()
        }));
    }
    let patients: Vec<Patient> = store.place::<Patient, Any>().collect();
    events.extend(
        sets(&patients)
            .into_iter()
            .map(|patients| Hired { patients }.into()),
    );
    for doctor in store.place::<Doctor, Any>() {
        let all = patients.iter().copied().map(Some).chain([None]);
        events.extend(all.map(|patient| Reassigned { doctor, patient }.into()));
    }
    for patient in store.place::<Patient, Admitted>() {
        for result in [None, Some(Finding::Healthy), Some(Finding::Unclear)] {
            events.push(
                PatientDischarged {
                    patient: patient.any(),
                    result,
                }
                .into(),
            );
        }
    }
    events
}

/// The slots of the next beds, in order: beds are the only entities that are deleted.
pub fn next_beds(store: &mut Store<ward::Model>) -> String {
    let slots = store.what_if(|t| -> Result<_, StepError> {
        let add = |number| Ok(t.apply(ward::BedAdded { number })?.created.bed.id().slot());
        (100..104).map(add).collect::<Result<Vec<u32>, StepError>>()
    });
    format!("{slots:?}")
}

#[test]
fn of_a_model_without_code_of_its_own() {
    let within = |beds, patients, doctors| {
        move |store: &Store<ward::Model>| {
            store.count::<ward::Bed, Any>() <= beds
                && store.count::<ward::Patient, Any>() <= patients
                && store.count::<ward::Doctor, Any>() <= doctors
        }
    };
    for (beds, patients, doctors) in [(1, 1, 1), (2, 1, 0), (3, 0, 0), (1, 2, 0), (0, 1, 2)] {
        let expected = naive::explore(
            ward_events,
            within(beds, patients, doctors),
            next_beds,
            false,
        );
        let report = Checker::<ward::Model>::new()
            .entities::<ward::Bed>(beds)
            .entities::<ward::Patient>(patients)
            .entities::<ward::Doctor>(doctors)
            .assert_properties();
        println!("{report}");
        assert!(report.is_complete());
        assert_eq!(
            found(&report),
            (expected.states, expected.fired, expected.depths.len() - 1)
        );
    }
}

fn found<M: ironweave::Model>(report: &ironweave::check::Report<M>) -> (usize, u64, usize) {
    (report.states(), report.fired(), report.depth())
}

/// What to try in a state of the queue, with the next unused key.
pub fn queue_events(store: &Store<queue::Model>) -> Vec<queue::AnyEvent> {
    use queue::*;
    let mut events: Vec<AnyEvent> = Vec::new();
    let name = ["a", "b", "c"]
        .into_iter()
        .find(|name| store.find::<Counter>(*name).is_none());
    events.extend(name.map(|name| Opened { name: name.into() }.into()));
    for counter in store.place::<Counter, Any>() {
        for is_child in [false, true] {
            events.push(Came { counter, is_child }.into());
        }
        events.push(Called { counter }.into());
        for person in store.place::<Person, state::Served>() {
            events.push(CameBack { person, counter }.into());
        }
    }
    events
}

#[test]
fn of_a_model_whose_handler_sees_the_order_of_links() {
    use queue::*;
    let is_within = |store: &Store<Model>| {
        store.count::<Counter, Any>() <= 1 && store.count::<Person, Any>() <= 2
    };
    let checker = || {
        Checker::<Model>::new()
            .entities::<Counter>(1)
            .entities::<Person>(2)
    };
    let expected: Found = naive::explore(queue_events, is_within, |_| String::new(), true);
    let report = checker().assert_properties();
    println!("{report}");
    assert_eq!(
        found(&report),
        (expected.states, expected.fired, expected.depths.len() - 1)
    );
    let merged = checker().ignore_order_of_links().assert_properties();
    assert!(merged.states() < report.states());
    assert!(report.guard_calls() > 0 && report.handler_calls() > 0);
}
