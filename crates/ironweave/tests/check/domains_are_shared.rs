//! Domains that are made once are used by several checkers, and what is given last counts.

use ironweave::Db;
use ironweave::check::{Checker, Domains};
use ironweave::prelude::*;

use crate::ward::ward::{Arrived, Bed, BedAdded, Doctor, Model, Patient};

fn domains(beds: usize) -> Domains<Model> {
    Domains::new()
        .entities::<Bed>(beds)
        .entities::<Patient>(1)
        .entities::<Doctor>(0)
}

fn states(checker: Checker<Model>) -> usize {
    checker.allow_deadlocks().assert_properties().states()
}

#[test]
fn and_replace_what_was_given_before() {
    let one = states(Checker::new().within(domains(1)));
    let two = states(Checker::new().within(domains(2)));
    assert!(one < two);
    let enlarged = Checker::new().within(domains(1)).entities::<Bed>(2);
    assert_eq!(states(enlarged), two);
    let reduced = Checker::new().entities::<Bed>(2).within(domains(1));
    assert_eq!(states(reduced), one);
    let both = domains(1).within(domains(2));
    assert_eq!(states(Checker::new().within(both)), two);
}

#[test]
fn and_keep_what_others_do_not_give() {
    let time = Timestamp::from_micros(7);
    let given = Checker::new()
        .keys::<Bed, _>([7])
        .values::<Arrived, _>("urgent", [true])
        .bindings::<BedAdded>(|store| {
            let number = 7 + store.count::<Bed, Any>() as u32;
            vec![BedAdded { number }]
        })
        .time(time)
        .within(domains(2))
        .sometimes("there are two beds", |db| {
            let mut numbers: Vec<u32> = db.place::<Bed, Any>().map(|bed| bed.number(db)).collect();
            numbers.sort_unstable();
            numbers == [7, 8]
        })
        .always("each patient is urgent", |db| {
            let mut patients = db.place::<Patient, Any>();
            patients.all(|patient| patient.urgent(db))
        });
    let report = given.allow_deadlocks().assert_properties();
    let said = format!("time stood still at {time}");
    assert!(report.abstractions().contains(&said));
}

#[test]
fn and_have_the_first_state() {
    let started = domains(2).start(|store| {
        store.step(BedAdded { number: 1 });
    });
    let report = (Checker::new().within(started.clone()).allow_deadlocks())
        .always("there is a bed or a patient", |db| {
            db.count::<Bed, Any>() > 0 || db.count::<Patient, Any>() > 0
        })
        .check()
        .expect("all domains are given");
    // The bed can be removed again, but is there at first.
    assert_eq!(report.violations()[0].events().len(), 1);
    let empty = started.start(|_| {});
    let report = (Checker::new().within(empty).allow_deadlocks())
        .sometimes("there is no bed at first", |db| db.count::<Bed, Any>() == 0)
        .assert_properties();
    assert!(report.is_complete());
}
