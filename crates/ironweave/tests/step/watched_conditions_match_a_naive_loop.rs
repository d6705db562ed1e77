//! Immediate events fire exactly as a naive loop fires them, which evaluates all conditions on all entities after each event.
//!
//! The model has each form of condition that is watched: counts, with literals and with fields, by state and of all; fields
//! and data of states, compared; and each of these over two edges. Random events create, move, link, relink, unlink, set and
//! delete, some in transactions that are rolled back in part.

use std::collections::BTreeMap;

use ironweave::prelude::*;

use crate::harness::assert_sound;
use crate::harness::random::Random;
use clinic::*;

#[ironweave::model]
pub mod clinic {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub number: u64,
        pub capacity: u64,
        pub spent: u64,
        pub budget: u64,
        pub parent: Option<Ward>,
        #[inverse(Ward::parent)]
        #[edge(on_delete = unlink)]
        pub wings: Many<Ward>,
        #[inverse(Bed::ward)]
        #[edge(on_delete = unlink)]
        pub beds: Many<Bed>,
        #[inverse(Transfer::target)]
        #[edge(on_delete = unlink)]
        pub inbound: Many<Transfer>,
    }
    #[states(Ward)]
    pub enum WardState {
        #[initial]
        #[to(Full, Alarmed)]
        Open,
        #[to(Open, Shared)]
        Full,
        #[to(Open)]
        Alarmed,
        #[to(Full)]
        Shared,
    }

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u64,
        pub ward: Option<Ward>,
        #[inverse(Patient::bed)]
        #[edge(on_delete = unlink)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Taken, Broken)]
        Free,
        #[to(Free)]
        Taken,
        #[to(Free)]
        Broken,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub number: u64,
        pub bed: Option<Bed>,
        #[inverse(Transfer::patient)]
        #[edge(on_delete = unlink)]
        pub transfers: Many<Transfer>,
    }

    #[entity]
    pub struct Transfer {
        #[key]
        pub number: u64,
        pub urgency: u64,
        pub patience: u64,
        pub target: Option<Ward>,
        pub patient: Option<Patient>,
    }
    #[states(Transfer)]
    pub enum TransferState {
        #[initial]
        #[to(Ready, Held)]
        Asked,
        #[to(Asked, Moved)]
        Ready,
        #[to(Asked, Held)]
        Held { level: u64 },
        #[to(Asked)]
        Moved,
    }

    #[immediate]
    #[when(count ward.beds in Taken >= ward.capacity)]
    #[moves(ward: Open -> Full)]
    pub struct Filled {
        pub ward: Ward,
    }
    #[immediate]
    #[when(count ward.beds in Taken < ward.capacity)]
    #[moves(ward: Full -> Open)]
    pub struct Freed {
        pub ward: Ward,
    }
    #[immediate]
    #[when(ward.spent > ward.budget + 1)]
    #[when(count ward.beds != 2)]
    #[moves(ward: Open -> Alarmed)]
    pub struct Overspent {
        pub ward: Ward,
    }
    #[immediate]
    #[when(ward.spent <= ward.budget + 1)]
    #[moves(ward: Alarmed -> Open)]
    pub struct Calmed {
        pub ward: Ward,
    }
    #[immediate]
    #[when(any transfer.target.beds in Free)]
    #[when(count transfer.target.beds in Broken == 0)]
    #[moves(transfer: Asked -> Ready)]
    pub struct MadeReady {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(none transfer.target.beds in Free)]
    #[moves(transfer: Ready -> Asked)]
    pub struct Unready {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(transfer.urgency >= 5)]
    #[moves(transfer.patient.bed: Free -> Taken)]
    #[moves(transfer: Ready -> Moved)]
    pub struct Arrived {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(transfer.Held.level >= transfer.patience)]
    #[moves(transfer: Held -> Asked)]
    pub struct Released {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(count transfer.target.inbound >= 3)]
    #[when(all transfer.target.beds in Taken | Broken)]
    #[moves(transfer: Asked -> Held { level = 0 })]
    pub struct Queued {
        pub transfer: Transfer,
    }
    #[immediate]
    #[when(any ward.parent.wings in Alarmed)]
    #[when(count ward.parent.wings < ward.budget)]
    #[moves(ward: Full -> Shared)]
    pub struct Opened {
        pub ward: Ward,
    }
    #[immediate]
    #[when(none ward.parent.wings in Alarmed)]
    #[moves(ward: Shared -> Full)]
    pub struct Closed {
        pub ward: Ward,
    }

    #[event]
    #[create(ward: Ward { number, capacity, spent = 0, budget })]
    pub struct WardBuilt {
        pub number: u64,
        pub capacity: u64,
        pub budget: u64,
    }
    #[event]
    #[create(bed: Bed { number })]
    #[link(bed.ward += ward)]
    pub struct BedBought {
        pub number: u64,
        pub ward: Option<Ward>,
    }
    #[event]
    #[create(patient: Patient { number })]
    pub struct Admitted {
        pub number: u64,
    }
    #[event]
    #[create(transfer: Transfer { number, urgency, patience })]
    #[link(transfer.target += ward)]
    #[link(transfer.patient += patient)]
    pub struct TransferAsked {
        pub number: u64,
        pub urgency: u64,
        pub patience: u64,
        pub ward: Option<Ward>,
        pub patient: Option<Patient>,
    }
    #[event]
    #[unlink(bed.ward -= bed.ward)]
    pub struct BedTakenAway {
        pub bed: Bed,
    }
    #[event]
    #[relink(bed.ward += ward)]
    pub struct BedPut {
        pub bed: Bed,
        pub ward: Ward,
    }
    #[event]
    #[unlink(ward.parent -= ward.parent)]
    pub struct WingLeft {
        pub ward: Ward,
    }
    #[event]
    #[relink(ward.parent += parent)]
    pub struct WingJoined {
        pub ward: Ward,
        pub parent: Ward,
    }
    #[event]
    #[unlink(transfer.target -= transfer.target)]
    pub struct TargetDropped {
        pub transfer: Transfer,
    }
    #[event]
    #[relink(transfer.target += ward)]
    pub struct TargetChosen {
        pub transfer: Transfer,
        pub ward: Ward,
    }
    #[event]
    #[unlink(patient.bed -= patient.bed)]
    pub struct Rose {
        pub patient: Patient,
    }
    #[event]
    #[relink(patient.bed += bed)]
    pub struct Lay {
        pub patient: Patient,
        pub bed: Bed,
    }
    #[event]
    #[moves(each beds: Free -> Taken)]
    pub struct Taking {
        pub beds: Vec<Bed>,
    }
    #[event]
    #[moves(bed: Taken | Broken -> Free)]
    pub struct Freeing {
        pub bed: Bed,
    }
    #[event]
    #[moves(bed: Free -> Broken)]
    pub struct Breaking {
        pub bed: Bed,
    }
    #[event]
    #[set(ward.capacity = capacity)]
    pub struct Resized {
        pub ward: Ward,
        pub capacity: u64,
    }
    #[event]
    #[set(ward.spent = spent)]
    pub struct Spent {
        pub ward: Ward,
        pub spent: u64,
    }
    #[event]
    #[set(transfer.urgency = urgency)]
    pub struct Urged {
        pub transfer: Transfer,
        pub urgency: u64,
    }
    #[event]
    #[set(transfer.Held.level = level)]
    pub struct Leveled {
        pub transfer: Transfer,
        pub level: u64,
    }
    #[event]
    #[moves(transfer: Asked | Held -> Held { level })]
    pub struct HeldBack {
        pub transfer: Transfer,
        pub level: u64,
    }
    #[event]
    #[moves(transfer: Moved -> Asked)]
    pub struct AskedAgain {
        pub transfer: Transfer,
    }
    #[event]
    #[delete(ward)]
    pub struct WardClosed {
        pub ward: Ward,
    }
    #[event]
    #[delete(bed)]
    pub struct BedSold {
        pub bed: Bed,
    }
    #[event]
    #[delete(patient)]
    pub struct Discharged {
        pub patient: Patient,
    }
    #[event]
    #[delete(transfer)]
    pub struct Withdrawn {
        pub transfer: Transfer,
    }
}

/// What the naive loop knows of a ward.
#[derive(Clone, Debug, PartialEq)]
struct NaiveWard {
    number: u64,
    state: &'static str,
    capacity: u64,
    spent: u64,
    budget: u64,
    parent: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct NaiveBed {
    number: u64,
    state: &'static str,
    ward: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct NaivePatient {
    number: u64,
    bed: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct NaiveTransfer {
    number: u64,
    state: &'static str,
    level: u64,
    urgency: u64,
    patience: u64,
    target: Option<usize>,
    patient: Option<usize>,
}

/// Entities by slot. The slot that was freed last is used first.
#[derive(Clone, Debug, PartialEq)]
struct Slots<T> {
    list: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Slots<T> {
    const NEW: Self = Self {
        list: Vec::new(),
        free: Vec::new(),
    };

    fn add(&mut self, value: T) {
        match self.free.pop() {
            Some(slot) => self.list[slot] = Some(value),
            None => self.list.push(Some(value)),
        }
    }

    fn remove(&mut self, slot: usize) {
        self.list[slot] = None;
        self.free.push(slot);
    }

    fn all(&self) -> impl Iterator<Item = (usize, &T)> {
        let all = self.list.iter().enumerate();
        all.filter_map(|(slot, value)| Some((slot, value.as_ref()?)))
    }

    fn at(&self, slot: usize) -> &T {
        self.list[slot].as_ref().expect("it exists")
    }

    fn at_mut(&mut self, slot: usize) -> &mut T {
        self.list[slot].as_mut().expect("it exists")
    }

    fn any(&self, rng: &mut Random) -> Option<usize> {
        let slots: Vec<usize> = self.all().map(|(slot, _)| slot).collect();
        (!slots.is_empty()).then(|| slots[rng.below(slots.len())])
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Naive {
    wards: Slots<NaiveWard>,
    beds: Slots<NaiveBed>,
    patients: Slots<NaivePatient>,
    transfers: Slots<NaiveTransfer>,
}

impl Naive {
    const NEW: Self = Self {
        wards: Slots::NEW,
        beds: Slots::NEW,
        patients: Slots::NEW,
        transfers: Slots::NEW,
    };

    /// The states of the beds of a ward.
    fn beds_of(&self, ward: Option<usize>) -> Vec<&'static str> {
        let beds = self.beds.all().filter(|(_, bed)| bed.ward == ward);
        match ward {
            Some(_) => beds.map(|(_, bed)| bed.state).collect(),
            None => Vec::new(),
        }
    }

    /// The states of the wings of the parent of a ward.
    fn wings_beside(&self, ward: &NaiveWard) -> Vec<&'static str> {
        let wings = self
            .wards
            .all()
            .filter(|(_, wing)| wing.parent == ward.parent);
        match ward.parent {
            Some(_) => wings.map(|(_, wing)| wing.state).collect(),
            None => Vec::new(),
        }
    }

    /// Whether an immediate event is enabled on a ward; its target state.
    fn ward_event(&self, event: &str, ward: usize) -> Option<&'static str> {
        let of = self.wards.at(ward);
        let beds = self.beds_of(Some(ward));
        let taken = beds.iter().filter(|state| **state == "Taken").count() as u64;
        let wings = self.wings_beside(of);
        let (from, enabled, to) = match event {
            "Filled" => ("Open", taken >= of.capacity, "Full"),
            "Freed" => ("Full", taken < of.capacity, "Open"),
            "Overspent" => (
                "Open",
                of.spent > of.budget + 1 && beds.len() != 2,
                "Alarmed",
            ),
            "Calmed" => ("Alarmed", of.spent <= of.budget + 1, "Open"),
            "Opened" => (
                "Full",
                wings.contains(&"Alarmed") && (wings.len() as u64) < of.budget,
                "Shared",
            ),
            "Closed" => ("Shared", !wings.contains(&"Alarmed"), "Full"),
            _ => unreachable!("an event of wards"),
        };
        (of.state == from && enabled).then_some(to)
    }

    /// The same of a transfer.
    fn transfer_event(&self, event: &str, transfer: usize) -> Option<&'static str> {
        let of = self.transfers.at(transfer);
        let beds = self.beds_of(of.target);
        let inbound = self
            .transfers
            .all()
            .filter(|(_, other)| other.target == of.target);
        let inbound = of.target.map_or(0, |_| inbound.count());
        let (from, enabled, to) = match event {
            "MadeReady" => (
                "Asked",
                beds.contains(&"Free") && !beds.contains(&"Broken"),
                "Ready",
            ),
            "Unready" => ("Ready", !beds.contains(&"Free"), "Asked"),
            "Arrived" => {
                let bed = of.patient.and_then(|patient| self.patients.at(patient).bed);
                let free = bed.is_none_or(|bed| self.beds.at(bed).state == "Free");
                ("Ready", of.urgency >= 5 && free, "Moved")
            }
            "Released" => ("Held", of.level >= of.patience, "Asked"),
            "Queued" => ("Asked", inbound >= 3 && !beds.contains(&"Free"), "Held"),
            _ => unreachable!("an event of transfers"),
        };
        (of.state == from && enabled).then_some(to)
    }

    /// Fires the first enabled event on the smallest slot, until none is. Counts what fires.
    fn settle(&mut self, fired: &mut BTreeMap<&'static str, u64>) {
        const ALL: [(&str, bool); 11] = [
            ("Filled", true),
            ("Freed", true),
            ("Overspent", true),
            ("Calmed", true),
            ("MadeReady", false),
            ("Unready", false),
            ("Arrived", false),
            ("Released", false),
            ("Queued", false),
            ("Opened", true),
            ("Closed", true),
        ];
        'next: loop {
            for (event, of_ward) in ALL {
                let slots = match of_ward {
                    true => self.wards.list.len(),
                    false => self.transfers.list.len(),
                };
                for slot in 0..slots {
                    if of_ward && self.wards.list[slot].is_some() {
                        if let Some(to) = self.ward_event(event, slot) {
                            self.wards.at_mut(slot).state = to;
                            *fired.entry(event).or_default() += 1;
                            continue 'next;
                        }
                    } else if !of_ward
                        && self.transfers.list[slot].is_some()
                        && let Some(to) = self.transfer_event(event, slot)
                    {
                        let of = self.transfers.at_mut(slot);
                        (of.state, of.level) = (to, 0);
                        if let ("Arrived", Some(patient)) = (event, of.patient)
                            && let Some(bed) = self.patients.at(patient).bed
                        {
                            self.beds.at_mut(bed).state = "Taken";
                        }
                        *fired.entry(event).or_default() += 1;
                        continue 'next;
                    }
                }
            }
            return;
        }
    }
}

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
