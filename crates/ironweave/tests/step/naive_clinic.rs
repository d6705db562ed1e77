//! The clinic as a naive loop has it, which evaluates all conditions on all entities after each event.

use std::collections::BTreeMap;

use crate::harness::random::Random;

/// What the naive loop knows of a ward.
#[derive(Clone, Debug, PartialEq)]
pub struct NaiveWard {
    pub number: u64,
    pub state: &'static str,
    pub capacity: u64,
    pub spent: u64,
    pub budget: u64,
    pub parent: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NaiveBed {
    pub number: u64,
    pub state: &'static str,
    pub ward: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NaivePatient {
    pub number: u64,
    pub bed: Option<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NaiveTransfer {
    pub number: u64,
    pub state: &'static str,
    pub level: u64,
    pub urgency: u64,
    pub patience: u64,
    pub target: Option<usize>,
    pub patient: Option<usize>,
}

/// Entities by slot. The slot that was freed last is used first.
#[derive(Clone, Debug, PartialEq)]
pub struct Slots<T> {
    pub list: Vec<Option<T>>,
    pub free: Vec<usize>,
}

impl<T> Slots<T> {
    pub const NEW: Self = Self {
        list: Vec::new(),
        free: Vec::new(),
    };

    pub fn add(&mut self, value: T) {
        match self.free.pop() {
            Some(slot) => self.list[slot] = Some(value),
            None => self.list.push(Some(value)),
        }
    }

    pub fn remove(&mut self, slot: usize) {
        self.list[slot] = None;
        self.free.push(slot);
    }

    pub fn all(&self) -> impl Iterator<Item = (usize, &T)> {
        let all = self.list.iter().enumerate();
        all.filter_map(|(slot, value)| Some((slot, value.as_ref()?)))
    }

    pub fn at(&self, slot: usize) -> &T {
        self.list[slot].as_ref().expect("it exists")
    }

    pub fn at_mut(&mut self, slot: usize) -> &mut T {
        self.list[slot].as_mut().expect("it exists")
    }

    pub fn any(&self, rng: &mut Random) -> Option<usize> {
        let slots: Vec<usize> = self.all().map(|(slot, _)| slot).collect();
        (!slots.is_empty()).then(|| slots[rng.below(slots.len())])
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Naive {
    pub wards: Slots<NaiveWard>,
    pub beds: Slots<NaiveBed>,
    pub patients: Slots<NaivePatient>,
    pub transfers: Slots<NaiveTransfer>,
}

impl Naive {
    pub const NEW: Self = Self {
        wards: Slots::NEW,
        beds: Slots::NEW,
        patients: Slots::NEW,
        transfers: Slots::NEW,
    };

    /// The states of the beds of a ward.
    pub fn beds_of(&self, ward: Option<usize>) -> Vec<&'static str> {
        let beds = self.beds.all().filter(|(_, bed)| bed.ward == ward);
        match ward {
            Some(_) => beds.map(|(_, bed)| bed.state).collect(),
            None => Vec::new(),
        }
    }

    /// The states of the wings of the parent of a ward.
    pub fn wings_beside(&self, ward: &NaiveWard) -> Vec<&'static str> {
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
    pub fn ward_event(&self, event: &str, ward: usize) -> Option<&'static str> {
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
    pub fn transfer_event(&self, event: &str, transfer: usize) -> Option<&'static str> {
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
    pub fn settle(&mut self, fired: &mut BTreeMap<&'static str, u64>) {
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
