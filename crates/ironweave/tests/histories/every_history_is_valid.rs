//! Each event of a history does what the history says: by rules that are written by hand, on stores of each kind, and again for the
//! same seed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use ironweave::check::histories;
use ironweave::prelude::*;
use ironweave::{Db, Model};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::by_hand;
use crate::ward::ward::{self, Arrived, Bed, Patient};
use crate::{cases, events, of_the_ward, tree};

#[test]
fn by_rules_that_are_written_by_hand() {
    let (all, rejected) = (Cell::new(0), Cell::new(0));
    proptest!(cases(100), |(history in of_the_ward(0..80).rejected(0.3))| {
        prop_assert!(history.len() < 80);
        let mut by_hand = by_hand::Ward::new();
        let mut store = Store::memory();
        history.replay(&mut store, |store, step| {
            let event = serde_json::to_value(step.event()).expect("events serialize");
            let done = by_hand.step(&event);
            prop_assert_eq!(done.is_none(), step.is_rejected(), "{}", step);
            let [beds, patients, doctors] = by_hand.len();
            prop_assert!(beds <= 6 && patients <= 12 && doctors <= 3);
            prop_assert_eq!(store.count::<Bed, Any>(), beds);
            prop_assert_eq!(store.count::<Patient, Any>(), patients);
            prop_assert_eq!(store.count::<ward::Doctor, Any>(), doctors);
            prop_assert_eq!(store.count::<Bed, ward::state::Free>(), by_hand.free_beds());
            Ok(())
        })?;
        let share = history.steps().iter().filter(|step| step.is_rejected()).count();
        rejected.set(rejected.get() + share);
        all.set(all.get() + history.len());
    });
    // About 4,000 events. Nearly nothing can be rejected in an empty ward.
    let share = rejected.get() as f64 / all.get() as f64;
    assert!((0.25..0.35).contains(&share), "{rejected:?} of {all:?}");
}

/// Replays a history of the ward on a store.
fn replayed<M: Model>(
    history: &ironweave::check::History<M>,
    mut store: Store<M>,
) -> Result<u128, TestCaseError> {
    history.replay(&mut store, |_, _| Ok(()))?;
    prop_assert!(store.check().is_empty());
    Ok(store.fingerprint())
}

#[test]
fn on_each_kind_of_store() {
    proptest!(cases(12), |(history in of_the_ward(40..60).rejected(0.2))| {
        let dir = tempfile::tempdir().expect("a directory");
        let fingerprint = replayed(&history, Store::memory())?;
        prop_assert_eq!(replayed(&history, Store::paranoid())?, fingerprint);
        let interpreted = Store::options().interpreted().memory();
        prop_assert_eq!(replayed(&history, interpreted)?, fingerprint);
        let logged = Store::open(dir.path()).expect("a new store");
        prop_assert_eq!(replayed(&history, logged)?, fingerprint);
        replayed(&history, Store::unlogged())?;
    });
}

#[test]
fn with_guards_handlers_and_the_order_of_links() {
    use crate::ward::queue::{Counter, Model, Person};
    let strategy = histories::<Model>(1..100)
        .entities::<Counter>(2)
        .entities::<Person>(5)
        .rejected(0.4);
    proptest!(cases(30), |(history in strategy)| {
        replayed(&history, Store::memory())?;
    });
}

#[test]
fn from_a_first_state_with_entities() {
    let strategy = of_the_ward(1..40)
        .start(|store| {
            store.step(ward::BedAdded { number: 70 });
            let bed = store.step(ward::BedAdded { number: 71 }).created.bed;
            let bed = bed
                .in_state::<ward::state::Free>(store)
                .expect("it is free");
            // The next bed gets its slot.
            store.step(ward::BedRemoved { bed });
        })
        .rejected(0.2);
    let used_beds = Cell::new(0);
    proptest!(cases(40), |(history in strategy)| {
        let mut store = Store::memory();
        history.replay(&mut store, |_, _| Ok(()))?;
        let text = events(&history).join("\n");
        used_beds.set(used_beds.get() + usize::from(text.contains("bed: 70") || text.contains("Bed/0.1")));
    });
    assert!(used_beds.get() > 10, "{used_beds:?}");
}

#[test]
fn with_a_time_that_passes() {
    use std::time::Duration;
    let noon = Timestamp::from_secs(43_200);
    let strategy = of_the_ward(10).time(noon).interval(Duration::from_secs(60));
    proptest!(cases(5), |(history in strategy)| {
        for (number, step) in (0..).zip(history.steps()) {
            prop_assert_eq!(step.time(), noon + Duration::from_secs(60) * number);
        }
        let mut store = Store::memory();
        history.replay(&mut store, |_, _| Ok(()))?;
        let records = store.frames(1).expect("the log").flatten();
        let times: Vec<Timestamp> = records.map(|record| record.time()).collect();
        let drawn: Vec<Timestamp> = history.steps().iter().map(|step| step.time()).collect();
        prop_assert_eq!(times, drawn);
        // A store whose last transaction is later keeps its time.
        let clock = ironweave::ManualClock::starting_at(noon + Duration::from_secs(3_600));
        let mut store = Store::options().clock(clock).memory();
        store.transaction(|_| Ok::<_, StepError>(())).expect("an empty one");
        history.replay(&mut store, |_, _| Ok(()))?;
    });
}

#[test]
fn with_values_that_a_strategy_draws() {
    let strategy = of_the_ward(1..60).strategy::<Arrived, _>("name", "[a-c]{1,2}");
    let names = RefCell::new(BTreeSet::new());
    proptest!(cases(20), |(history in strategy)| {
        let mut store = Store::memory();
        history.replay(&mut store, |_, _| Ok(()))?;
        names.borrow_mut().extend(store.place::<Patient, Any>().map(|patient| patient.name(&store).to_owned()));
    });
    assert_eq!(names.borrow().len(), 12, "{names:?}");
}

#[test]
fn and_the_same_for_the_same_random_numbers() {
    let strategy = of_the_ward(5..60).rejected(0.2);
    let drawn = |seed| events(&tree(&strategy, seed).current());
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}
