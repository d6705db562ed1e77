//! The same work by hand: hash maps, and counters and ordered sets that are kept beside them.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

/// A bed of a ward.
#[derive(Clone, Copy)]
pub struct Bed {
    pub ward: u32,
    pub number: u64,
    pub occupied: bool,
}

/// A ward with its counter and its free beds.
#[derive(Default)]
pub struct Ward {
    pub staffed: u64,
    pub occupied: u64,
    pub full: bool,
    /// By number.
    pub free: BTreeSet<(u64, u32)>,
}

/// All that the rows use.
#[derive(Default)]
pub struct ByHand {
    pub balances: FxHashMap<u32, u64>,
    pub wards: FxHashMap<u32, Ward>,
    pub beds: FxHashMap<u32, Bed>,
    /// By urgency.
    pub waiting: BTreeSet<(Reverse<u64>, u32)>,
    pub tasks: FxHashMap<u32, (Reverse<u64>, Option<u64>)>,
    /// By the time until which they are taken.
    pub due: BTreeSet<(u64, u32)>,
}

impl ByHand {
    pub fn pay(&mut self, account: u32, amount: u64) -> bool {
        let Some(balance) = self.balances.get_mut(&account) else {
            return false;
        };
        if *balance < amount {
            return false;
        }
        *balance -= amount;
        true
    }

    pub fn occupy(&mut self, bed: u32, limit: u64) -> bool {
        let Some(of) = self.beds.get_mut(&bed).filter(|bed| !bed.occupied) else {
            return false;
        };
        let Some(ward) = self.wards.get_mut(&of.ward) else {
            return false;
        };
        if ward.occupied >= limit {
            return false;
        }
        of.occupied = true;
        ward.free.remove(&(of.number, bed));
        ward.occupied += 1;
        ward.full = ward.occupied >= ward.staffed;
        true
    }

    pub fn leave(&mut self, bed: u32) -> bool {
        let Some(of) = self.beds.get_mut(&bed).filter(|bed| bed.occupied) else {
            return false;
        };
        let Some(ward) = self.wards.get_mut(&of.ward) else {
            return false;
        };
        of.occupied = false;
        ward.free.insert((of.number, bed));
        ward.occupied -= 1;
        ward.full = ward.occupied >= ward.staffed;
        true
    }

    /// Returns the bed.
    pub fn admit(&mut self, ward: u32) -> Option<u32> {
        let of = self.wards.get_mut(&ward)?;
        let (_, bed) = of.free.pop_first()?;
        of.occupied += 1;
        of.full = of.occupied >= of.staffed;
        self.beds.get_mut(&bed)?.occupied = true;
        Some(bed)
    }

    pub fn take(&mut self, until: u64) -> Option<u32> {
        let (_, task) = self.waiting.pop_first()?;
        self.tasks.get_mut(&task)?.1 = Some(until);
        self.due.insert((until, task));
        Some(task)
    }

    /// Returns how many expired.
    pub fn expire(&mut self, now: u64) -> usize {
        let mut expired = 0;
        while let Some(&(until, task)) = self.due.first()
            && until <= now
        {
            self.due.pop_first();
            if let Some(of) = self.tasks.get_mut(&task) {
                of.1 = None;
                self.waiting.insert((of.0, task));
            }
            expired += 1;
        }
        expired
    }
}
