//! Immediate events fire exactly as a naive loop fires them, which evaluates all conditions on all entities after each event.
//!
//! Random events create, move, link, relink, unlink, set and delete, some in transactions that are rolled back in part.

use std::collections::BTreeMap;

use ironweave::prelude::*;

use crate::clinic::clinic::*;
use crate::harness::assert_sound;
use crate::harness::random::Random;
use crate::naive_clinic::{Naive, NaiveBed, NaivePatient, NaiveTransfer, NaiveWard};

/// Fires a random event that is possible, in both.
fn fire(
    rng: &mut Random,
    t: &mut Transaction<'_, Model>,
    naive: &mut Naive,
    next: &mut u64,
) -> Result<(), StepError> {
    let ward_of = |t: &Transaction<'_, Model>, naive: &Naive, slot: usize| {
        t.find::<Ward>(&naive.wards.at(slot).number)
            .expect("it exists")
    };
    let bed_of = |t: &Transaction<'_, Model>, naive: &Naive, slot: usize| {
        t.find::<Bed>(&naive.beds.at(slot).number)
            .expect("it exists")
    };
    let patient_of = |t: &Transaction<'_, Model>, naive: &Naive, slot: usize| {
        t.find::<Patient>(&naive.patients.at(slot).number)
            .expect("it exists")
    };
    let transfer_of = |t: &Transaction<'_, Model>, naive: &Naive, slot: usize| {
        t.find::<Transfer>(&naive.transfers.at(slot).number)
            .expect("it exists")
    };
    *next += 1;
    let number = *next;
    let (w, w2) = (naive.wards.any(rng), naive.wards.any(rng));
    let (b, b2) = (naive.beds.any(rng), naive.beds.any(rng));
    let (p, x) = (naive.patients.any(rng), naive.transfers.any(rng));
    let value = rng.below(8) as u64;
    match rng.below(34) {
        0 if naive.wards.all().count() < 6 => {
            let (capacity, budget) = (rng.below(4) as u64, value);
            t.apply(WardBuilt {
                number,
                capacity,
                budget,
            })?;
            naive.wards.add(NaiveWard {
                number,
                state: "Open",
                capacity,
                spent: 0,
                budget,
                parent: None,
            });
        }
        1 | 2 if naive.beds.all().count() < 12 => {
            let ward = w.map(|slot| ward_of(t, naive, slot));
            t.apply(BedBought { number, ward })?;
            naive.beds.add(NaiveBed {
                number,
                state: "Free",
                ward: w,
            });
        }
        3 if naive.patients.all().count() < 6 => {
            t.apply(Admitted { number })?;
            naive.patients.add(NaivePatient { number, bed: None });
        }
        4 | 5 if naive.transfers.all().count() < 10 => {
            let patience = 1 + value;
            let urgency = rng.below(8) as u64;
            let ward = w.map(|slot| ward_of(t, naive, slot));
            let patient = p.map(|slot| patient_of(t, naive, slot));
            t.apply(TransferAsked {
                number,
                urgency,
                patience,
                ward,
                patient,
            })?;
            naive.transfers.add(NaiveTransfer {
                number,
                state: "Asked",
                level: 0,
                urgency,
                patience,
                target: w,
                patient: p,
            });
        }
        6 if b.is_some() => {
            let slot = b.expect("checked");
            t.apply(BedTakenAway {
                bed: bed_of(t, naive, slot),
            })?;
            naive.beds.at_mut(slot).ward = None;
        }
        7 | 8 if b.is_some() && w.is_some() => {
            let (bed, ward) = (b.expect("checked"), w.expect("checked"));
            t.apply(BedPut {
                bed: bed_of(t, naive, bed),
                ward: ward_of(t, naive, ward),
            })?;
            naive.beds.at_mut(bed).ward = w;
        }
        9 if w.is_some() => {
            let slot = w.expect("checked");
            t.apply(WingLeft {
                ward: ward_of(t, naive, slot),
            })?;
            naive.wards.at_mut(slot).parent = None;
        }
        10 | 11 | 28 | 29 if w.is_some() => {
            let (ward, parent) = (w.expect("checked"), w2.expect("there is one"));
            t.apply(WingJoined {
                ward: ward_of(t, naive, ward),
                parent: ward_of(t, naive, parent),
            })?;
            naive.wards.at_mut(ward).parent = w2;
        }
        12 if x.is_some() => {
            let slot = x.expect("checked");
            t.apply(TargetDropped {
                transfer: transfer_of(t, naive, slot),
            })?;
            naive.transfers.at_mut(slot).target = None;
        }
        13 | 14 if x.is_some() && w.is_some() => {
            let (transfer, ward) = (x.expect("checked"), w.expect("checked"));
            t.apply(TargetChosen {
                transfer: transfer_of(t, naive, transfer),
                ward: ward_of(t, naive, ward),
            })?;
            naive.transfers.at_mut(transfer).target = w;
        }
        15 if p.is_some() => {
            let slot = p.expect("checked");
            t.apply(Rose {
                patient: patient_of(t, naive, slot),
            })?;
            naive.patients.at_mut(slot).bed = None;
        }
        16 | 17 if p.is_some() && b.is_some() => {
            let (patient, bed) = (p.expect("checked"), b.expect("checked"));
            t.apply(Lay {
                patient: patient_of(t, naive, patient),
                bed: bed_of(t, naive, bed),
            })?;
            for other in naive.patients.list.iter_mut().flatten() {
                if other.bed == b {
                    other.bed = None;
                }
            }
            naive.patients.at_mut(patient).bed = b;
        }
        18 | 19 if b.is_some() => {
            let mut slots = vec![b.expect("checked"), b2.expect("there is one")];
            slots.sort_unstable();
            slots.dedup();
            slots.retain(|slot| naive.beds.at(*slot).state == "Free");
            let beds = slots.iter().map(|slot| bed_of(t, naive, *slot)).collect();
            t.apply(Taking { beds })?;
            slots
                .iter()
                .for_each(|slot| naive.beds.at_mut(*slot).state = "Taken");
        }
        20 if b.is_some_and(|slot| naive.beds.at(slot).state != "Free") => {
            let slot = b.expect("checked");
            t.apply(Freeing {
                bed: bed_of(t, naive, slot),
            })?;
            naive.beds.at_mut(slot).state = "Free";
        }
        21 if b.is_some_and(|slot| naive.beds.at(slot).state == "Free") => {
            let slot = b.expect("checked");
            t.apply(Breaking {
                bed: bed_of(t, naive, slot),
            })?;
            naive.beds.at_mut(slot).state = "Broken";
        }
        22 if w.is_some() => {
            let slot = w.expect("checked");
            let ward = ward_of(t, naive, slot);
            t.apply(Resized {
                ward,
                capacity: value / 2,
            })?;
            naive.wards.at_mut(slot).capacity = value / 2;
        }
        30..34 if w.is_some() => {
            let slot = w.expect("checked");
            let (ward, spent) = (ward_of(t, naive, slot), value * 2);
            t.apply(Spent { ward, spent })?;
            naive.wards.at_mut(slot).spent = spent;
        }
        23 if x.is_some() => {
            let slot = x.expect("checked");
            t.apply(Urged {
                transfer: transfer_of(t, naive, slot),
                urgency: value,
            })?;
            naive.transfers.at_mut(slot).urgency = value;
        }
        24 if x.is_some_and(|slot| naive.transfers.at(slot).state == "Held") => {
            let slot = x.expect("checked");
            t.apply(Leveled {
                transfer: transfer_of(t, naive, slot),
                level: value,
            })?;
            naive.transfers.at_mut(slot).level = value;
        }
        25 if x.is_some_and(|slot| ["Asked", "Held"].contains(&naive.transfers.at(slot).state)) => {
            let slot = x.expect("checked");
            t.apply(HeldBack {
                transfer: transfer_of(t, naive, slot),
                level: value,
            })?;
            let of = naive.transfers.at_mut(slot);
            (of.state, of.level) = ("Held", value);
        }
        26 if x.is_some_and(|slot| naive.transfers.at(slot).state == "Moved") => {
            let slot = x.expect("checked");
            t.apply(AskedAgain {
                transfer: transfer_of(t, naive, slot),
            })?;
            naive.transfers.at_mut(slot).state = "Asked";
        }
        27 => delete(rng, t, naive)?,
        _ => {}
    }
    Ok(())
}

/// Deletes an entity, in both.
fn delete(
    rng: &mut Random,
    t: &mut Transaction<'_, Model>,
    naive: &mut Naive,
) -> Result<(), StepError> {
    match rng.below(4) {
        0 => {
            let Some(slot) = naive.wards.any(rng) else {
                return Ok(());
            };
            let ward = t
                .find::<Ward>(&naive.wards.at(slot).number)
                .expect("it exists");
            t.apply(WardClosed { ward })?;
            naive.wards.remove(slot);
            let gone = |at: &mut Option<usize>| *at = at.filter(|at| *at != slot);
            naive
                .wards
                .list
                .iter_mut()
                .flatten()
                .for_each(|ward| gone(&mut ward.parent));
            naive
                .beds
                .list
                .iter_mut()
                .flatten()
                .for_each(|bed| gone(&mut bed.ward));
            naive
                .transfers
                .list
                .iter_mut()
                .flatten()
                .for_each(|of| gone(&mut of.target));
        }
        1 => {
            let Some(slot) = naive.beds.any(rng) else {
                return Ok(());
            };
            let bed = t
                .find::<Bed>(&naive.beds.at(slot).number)
                .expect("it exists");
            t.apply(BedSold { bed })?;
            naive.beds.remove(slot);
            let gone = |at: &mut Option<usize>| *at = at.filter(|at| *at != slot);
            naive
                .patients
                .list
                .iter_mut()
                .flatten()
                .for_each(|of| gone(&mut of.bed));
        }
        2 => {
            let Some(slot) = naive.patients.any(rng) else {
                return Ok(());
            };
            let number = naive.patients.at(slot).number;
            let patient = t.find::<Patient>(&number).expect("it exists");
            t.apply(Discharged { patient })?;
            naive.patients.remove(slot);
            let gone = |at: &mut Option<usize>| *at = at.filter(|at| *at != slot);
            naive
                .transfers
                .list
                .iter_mut()
                .flatten()
                .for_each(|of| gone(&mut of.patient));
        }
        _ => {
            let Some(slot) = naive.transfers.any(rng) else {
                return Ok(());
            };
            let number = naive.transfers.at(slot).number;
            let transfer = t.find::<Transfer>(&number).expect("it exists");
            t.apply(Withdrawn { transfer })?;
            naive.transfers.remove(slot);
        }
    }
    Ok(())
}

/// The name of a state, `Held` of `Held(Transfer/1.1)`.
fn named(state: &impl std::fmt::Debug) -> String {
    let text = format!("{state:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

/// Asserts that a store has what the naive loop has.
fn assert_same(store: &Store<Model>, naive: &Naive) {
    for (_, ward) in naive.wards.all() {
        let found = store.find::<Ward>(&ward.number).expect("it exists");
        assert_eq!(named(&found.state(store)), ward.state, "{ward:?}");
    }
    for (_, bed) in naive.beds.all() {
        let found = store.find::<Bed>(&bed.number).expect("it exists");
        assert_eq!(named(&found.state(store)), bed.state, "{bed:?}");
    }
    for (_, transfer) in naive.transfers.all() {
        let found = store.find::<Transfer>(&transfer.number).expect("it exists");
        let level = match found.state(store) {
            TransferState::Held(held) => held.level(store),
            _ => 0,
        };
        let state = named(&found.state(store));
        assert_eq!(
            (&*state, level),
            (transfer.state, transfer.level),
            "{transfer:?}"
        );
    }
}

#[test]
fn immediate_events_fire_as_in_a_naive_loop() {
    let mut fired = BTreeMap::new();
    for seed in 0..40_u64 {
        let mut rng = Random(seed);
        let mut store = Store::<Model>::paranoid();
        let (mut naive, mut next) = (Naive::NEW, 0);
        for _ in 0..250 {
            let mut t = store.begin();
            for _ in 0..=rng.below(2) {
                fire(&mut rng, &mut t, &mut naive, &mut next).expect("the event is possible");
                naive.settle(&mut fired);
            }
            if rng.below(4) == 0 {
                let (savepoint, before) = (t.savepoint(), naive.clone());
                fire(&mut rng, &mut t, &mut naive, &mut next).expect("the event is possible");
                naive.settle(&mut BTreeMap::new());
                t.rollback_to(savepoint)
                    .expect("the savepoint is of this transaction");
                naive = before;
            }
            t.commit().expect("there are no invariants");
            assert_same(&store, &naive);
        }
        assert_sound(&store);
    }
    assert!(
        fired.len() == 11 && fired.values().all(|n| *n > 20),
        "{fired:?}"
    );
}
