//! `form_compare`, `form_count`, `form_choose`, `form_choose_due`: an event of each form of the language, beside the
//! same with hash maps, counters and ordered sets that are kept by hand. Nothing of the hand-written code could be rolled back.

mod by_hand;
mod model;

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::hint::black_box;

use ironweave::ManualClock;
use ironweave::prelude::*;

use crate::Options;
use crate::harness::{Row, row, sample};
use crate::yard::Random;
use by_hand::ByHand;
use model::forms::{self, *};

/// Operations in one sample.
const BATCH: usize = 20_000;
/// Beds of a ward.
const BEDS: usize = 16;
/// A time that the clocks of both contenders begin at, in microseconds.
const BEGIN: u64 = 1_000_000;

/// Both contenders, with the same content.
struct Both {
    hand: ByHand,
    store: Store<forms::Model>,
    clock: ManualClock,
    accounts: Vec<Account>,
    wards: Vec<Ward>,
    beds: Vec<Bed>,
}

impl Both {
    fn new(entities: usize) -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_micros(BEGIN as i64));
        let options = Store::<forms::Model>::options();
        let mut both = Self {
            hand: ByHand::default(),
            store: options.clock(clock.clone()).unlogged(),
            clock,
            accounts: Vec::new(),
            wards: Vec::new(),
            beds: Vec::new(),
        };
        for i in 0..entities as u32 {
            let balance = 1_000_000_000;
            let account = both.store.step(AccountOpened { balance }).created.account;
            both.accounts.push(account);
            both.hand.balances.insert(i, balance);
            let urgency = Reverse(u64::from(i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40);
            both.store.step(TaskAdded { urgency });
            both.hand.tasks.insert(i, (urgency, None));
            both.hand.waiting.insert((urgency, i));
        }
        for i in 0..(entities / BEDS).max(1) as u32 {
            let staffed = BEDS as u64 - 2;
            let ward = both.store.step(WardOpened { staffed }).created.ward;
            both.wards.push(ward);
            let mut of = by_hand::Ward {
                staffed,
                ..by_hand::Ward::default()
            };
            for number in 0..BEDS as u64 {
                let bed = both.store.step(BedAdded { ward, number }).created.bed;
                let ix = both.beds.len() as u32;
                both.beds.push(bed);
                let occupied = false;
                both.hand.beds.insert(
                    ix,
                    by_hand::Bed {
                        ward: i,
                        number,
                        occupied,
                    },
                );
                of.free.insert((number, ix));
            }
            both.hand.wards.insert(i, of);
        }
        both
    }

    /// Whether both have done the same.
    fn agree(&self) {
        for (i, account) in self.accounts.iter().enumerate() {
            assert_eq!(
                self.hand.balances[&(i as u32)],
                account.balance(&self.store)
            );
        }
        for (i, bed) in self.beds.iter().enumerate() {
            let occupied = self.hand.beds[&(i as u32)].occupied;
            assert_eq!(occupied, bed.is::<state::Occupied>(&self.store));
        }
        for (i, ward) in self.wards.iter().enumerate() {
            let full = self.hand.wards[&(i as u32)].full;
            assert_eq!(full, ward.is::<state::Full>(&self.store));
        }
        let taken = self.hand.due.len();
        assert_eq!(taken, self.store.count::<Task, state::Taken>());
    }
}

/// What is measured: the same operations on both contenders.
struct Form {
    bench: &'static str,
    by_hand: fn(&mut Both, &[u32]) -> usize,
    ours: fn(&mut Both, &[u32]) -> usize,
}

fn measured(options: &Options, form: &Form) -> Vec<Row> {
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let mut both = Both::new(entities);
        let mut random = Random(entities as u64 | 1);
        let (mut by_hand, mut ours) = (Vec::new(), Vec::new());
        for i in 0..=options.samples {
            let ops: Vec<u32> = (0..BATCH).map(|_| random.below(1 << 30) as u32).collect();
            let (mut theirs, mut mine) = (0, 0);
            let first = sample(BATCH, || {
                theirs = (form.by_hand)(&mut both, black_box(&ops))
            });
            let second = sample(BATCH, || mine = (form.ours)(&mut both, black_box(&ops)));
            assert_eq!(theirs, mine, "{}: both fire as often", form.bench);
            if i > 0 {
                by_hand.push(first);
                ours.push(second);
            }
        }
        both.agree();
        rows.push(row(form.bench, "fxhash", entities, by_hand));
        rows.push(row(form.bench, "ironweave", entities, ours));
    }
    rows
}

/// Compares a field with a value, and subtracts.
const COMPARE: Form = Form {
    bench: "form_compare",
    by_hand: |both, ops| {
        let n = both.accounts.len() as u32;
        let paid = ops
            .iter()
            .filter(|op| both.hand.pay(**op % n, u64::from(**op % 3)));
        paid.count()
    },
    ours: |both, ops| {
        let n = both.accounts.len() as u32;
        let mut fired = 0;
        for op in ops {
            let (account, amount) = (both.accounts[(op % n) as usize], u64::from(op % 3));
            fired += usize::from(both.store.try_step(Paid { account, amount }).is_ok());
        }
        fired
    },
};

/// Counts the occupied beds of a ward with 16, and an immediate event watches the same number.
const COUNT: Form = Form {
    bench: "form_count",
    by_hand: |both, ops| {
        let n = both.beds.len() as u32;
        let limit = BEDS as u64 - 1;
        let mut fired = 0;
        for op in ops {
            let bed = op % n;
            let done = match both.hand.beds[&bed].occupied {
                true => both.hand.leave(bed),
                false => both.hand.occupy(bed, limit),
            };
            fired += usize::from(done);
        }
        fired
    },
    ours: |both, ops| {
        let n = both.beds.len() as u32;
        let limit = BEDS as u64 - 1;
        let mut fired = 0;
        for op in ops {
            let bed = both.beds[(op % n) as usize];
            let done = match bed.is::<state::Occupied>(&both.store) {
                true => both.store.try_step(Leave { bed }).is_ok(),
                false => {
                    let occupy = Occupy {
                        bed,
                        bed_limit: limit,
                    };
                    both.store.try_step(occupy).is_ok()
                }
            };
            fired += usize::from(done);
        }
        fired
    },
};

/// Chooses the free bed of a ward with the least number, of 16, or frees one.
const CHOOSE: Form = Form {
    bench: "form_choose",
    by_hand: |both, ops| {
        let (wards, beds) = (both.wards.len() as u32, both.beds.len() as u32);
        let mut fired = 0;
        for op in ops {
            let done = match op % 2 == 0 {
                true => both.hand.admit(op / 2 % wards).is_some(),
                false => both.hand.leave(op / 2 % beds),
            };
            fired += usize::from(done);
        }
        fired
    },
    ours: |both, ops| {
        let (wards, beds) = (both.wards.len() as u32, both.beds.len() as u32);
        let mut fired = 0;
        for op in ops {
            let done = if op % 2 == 0 {
                let ward = both.wards[(op / 2 % wards) as usize];
                both.store.try_step(Admit { ward }).is_ok()
            } else {
                let bed = both.beds[(op / 2 % beds) as usize];
                both.store.try_step(Leave { bed }).is_ok()
            };
            fired += usize::from(done);
        }
        fired
    },
};

/// Chooses the most urgent of all tasks that wait by an ordered index of these, until a quarter is taken; then all of them expire at once.
const DUE: Form = Form {
    bench: "form_choose_due",
    by_hand: |both, ops| {
        let quarter = (both.accounts.len() / 4).max(1);
        let mut fired = 0;
        for _ in ops {
            if both.hand.due.len() < quarter {
                fired += usize::from(both.hand.take(BEGIN).is_some());
            } else {
                fired += both.hand.expire(BEGIN);
            }
        }
        fired
    },
    ours: |both, ops| {
        let quarter = (both.accounts.len() / 4).max(1);
        let (until, mut fired) = (Timestamp::from_micros(BEGIN as i64), 0);
        for _ in ops {
            if both.store.count::<Task, state::Taken>() < quarter {
                fired += usize::from(both.store.try_step(Take { until }).is_ok());
            } else {
                let report = both.store.fire_due(both.clock.now());
                fired += report.map_or(0, |report| report.fired.len());
            }
        }
        fired
    },
};

/// The table that is printed, with ratios to `fxhash`.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<16}{:>10}{:>10}{:>20}{:>10}\n",
        "contender", "entities", "ns/op", "least - greatest", "of fxhash"
    );
    for row in rows {
        let by_hand = (rows.iter())
            .find(|other| other.contender == "fxhash" && other.entities == row.entities);
        let ratio = by_hand.map_or(f64::NAN, |other| row.ns_per_op / other.ns_per_op);
        let spread = format!("{:.0} - {:.0}", row.least, row.greatest);
        let _ = writeln!(
            text,
            "{:<16}{:>10}{:>10.0}{spread:>20}{ratio:>10.2}",
            row.contender, row.entities, row.ns_per_op
        );
    }
    text
}

/// `form_compare`
pub fn compare(options: &Options) -> Vec<Row> {
    measured(options, &COMPARE)
}

/// `form_count`
pub fn count(options: &Options) -> Vec<Row> {
    measured(options, &COUNT)
}

/// `form_choose`
pub fn choose(options: &Options) -> Vec<Row> {
    measured(options, &CHOOSE)
}

/// `form_choose_due`
pub fn due(options: &Options) -> Vec<Row> {
    measured(options, &DUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_do_the_same() {
        for form in [&COMPARE, &COUNT, &CHOOSE, &DUE] {
            let mut both = Both::new(200);
            let mut random = Random(7);
            for _ in 0..3 {
                let ops: Vec<u32> = (0..2_000).map(|_| random.below(1 << 30) as u32).collect();
                let theirs = (form.by_hand)(&mut both, &ops);
                let ours = (form.ours)(&mut both, &ops);
                assert_eq!(theirs, ours, "{}", form.bench);
                assert!(theirs > 100, "{}: {theirs}", form.bench);
                both.agree();
            }
        }
    }
}
