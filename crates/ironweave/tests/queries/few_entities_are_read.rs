//! A query reads few entities if one part of its filter accepts few, and few links of an entity that has many.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ironweave::prelude::*;

use crate::hospital::*;

fn hired(store: &mut Store<Model>, name: String) -> Doctor {
    store.step(Hired { name }).created.doctor
}

/// Patients of ages 0, 1, 2 and so on.
fn admitted(store: &mut Store<Model>, count: i64) -> Vec<Patient> {
    let admit = |age| {
        let name = "p".to_owned();
        let age = Some(age);
        store.step(Admitted { name, age }).created.patient
    };
    (0..count).map(admit).collect()
}

#[test]
fn a_sorted_page_of_few_does_not_test_all() {
    let mut store = Store::<Model>::memory();
    let patients = admitted(&mut store, 3000);
    let doctor = hired(&mut store, "ada".to_owned());
    let of_the_doctor = [patients[2999], patients[1500], patients[2998]];
    for patient in of_the_doctor {
        store.step(Assigned { patient, doctor });
    }
    for descending in [false, true] {
        let tests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&tests);
        let is_adult = move |age: &Option<i64>| {
            counted.fetch_add(1, Ordering::Relaxed);
            age.is_some_and(|age| age >= 18)
        };
        let filter = Patient::AGE.matches(is_adult) & Patient::DOCTORS.contains(doctor);
        let mut sorted = filter.order_by(Patient::AGE);
        if descending {
            sorted = sorted.descending();
        }
        let page = sorted.page(&store, None, 10).expect("a page");
        let mut expected = vec![patients[1500], patients[2998], patients[2999]];
        if descending {
            expected.reverse();
        }
        assert_eq!(page.items, expected);
        let tests = tests.load(Ordering::Relaxed);
        assert!(tests < 500, "{tests} patients were tested");
    }
}

#[test]
fn a_named_entity_is_sought_among_the_fewer_links() {
    let mut store = Store::<Model>::memory();
    let hub = hired(&mut store, "hub".to_owned());
    let patients = admitted(&mut store, 1000);
    for patient in patients.iter().copied() {
        store.step(Assigned {
            patient,
            doctor: hub,
        });
    }
    let patient = patients[999];
    for n in 0..1000 {
        let doctor = hired(&mut store, format!("d{n}"));
        store.step(Assigned { patient, doctor });
    }
    let plan = (Filter::of([hub]) & Doctor::PATIENTS.contains(patient)).explain(&store);
    assert_eq!(plan.found(), 1);
    assert!(plan.read() < 50, "{plan}");
    let plan = (Filter::of([patient]) & Patient::DOCTORS.contains(hub)).explain(&store);
    assert_eq!(plan.found(), 1);
    assert!(plan.read() < 50, "{plan}");
}
