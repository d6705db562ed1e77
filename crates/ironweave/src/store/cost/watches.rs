//! What the conditions of immediate events cost: rows that do not depend on how many entities a condition counts.

use super::rows;
use crate::step::event::Event;
use crate::store::Store;

#[crate::model]
#[allow(dead_code, missing_docs)]
mod hospital {
    use crate::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub number: u64,
        pub capacity: u64,
        pub spent: u64,
        pub budget: u64,
        #[inverse(Bed::ward)]
        pub beds: Many<Bed>,
        #[inverse(Transfer::target)]
        pub inbound: Many<Transfer>,
    }
    #[states(Ward)]
    pub enum WardState {
        #[initial]
        #[to(Full, Stopped)]
        Open,
        #[to(Open)]
        Full,
        #[terminal]
        Stopped,
    }

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u64,
        pub ward: Option<Ward>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Free)]
        Taken,
        #[to(Taken)]
        Free,
    }

    #[entity]
    pub struct Transfer {
        #[key]
        pub number: u64,
        pub target: Option<Ward>,
    }
    #[states(Transfer)]
    pub enum TransferState {
        #[initial]
        #[to(Ready)]
        Asked,
        #[terminal]
        Ready,
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
    #[when(count ward.beds > 1000000)]
    #[when(ward.spent > ward.budget)]
    #[moves(ward: Open -> Stopped)]
    pub struct Stopping {
        pub ward: Ward,
    }
    /// It never fires, but each bed of the target is watched.
    #[immediate]
    #[when(any transfer.target.beds in Free)]
    #[when(count transfer.target.beds in Free > 1000000)]
    #[moves(transfer: Asked -> Ready)]
    pub struct MadeReady {
        pub transfer: Transfer,
    }

    #[event]
    #[create(ward: Ward { number, capacity, spent = 0, budget = 9 })]
    pub struct Built {
        pub number: u64,
        pub capacity: u64,
    }
    #[event]
    #[create(bed: Bed { number })]
    #[link(bed.ward += ward)]
    pub struct Bought {
        pub number: u64,
        pub ward: Ward,
    }
    #[event]
    #[create(transfer: Transfer { number })]
    #[link(transfer.target += ward)]
    pub struct Requested {
        pub number: u64,
        pub ward: Ward,
    }
    #[event]
    #[moves(bed: Taken -> Free)]
    pub struct Freeing {
        pub bed: Bed,
    }
    #[event]
    #[moves(bed: Free -> Taken)]
    pub struct Taking {
        pub bed: Bed,
    }
    #[event]
    #[unlink(bed.ward -= bed.ward)]
    pub struct Lent {
        pub bed: Bed,
    }
    #[event]
    #[link(bed.ward += ward)]
    pub struct Returned {
        pub bed: Bed,
        pub ward: Ward,
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
    #[relink(transfer.target += ward)]
    pub struct Redirected {
        pub transfer: Transfer,
        pub ward: Ward,
    }
}

use hospital::*;

/// The rows of each operation on a ward of `beds` beds beside `wards` others, to which `inbound` transfers are asked for.
fn costs(wards: u64, beds: u64, inbound: u64) -> Vec<(&'static str, usize)> {
    let mut store = Store::<Model>::memory();
    let mut t = store.begin();
    let mut built = |number, capacity| {
        let event = Built { number, capacity };
        t.apply(event).expect("it can happen").created.ward
    };
    let others: Vec<Ward> = (0..wards).map(|number| built(number, 3)).collect();
    let ward = built(wards, beds + 1);
    let mut last = None;
    for number in 0..beds {
        let bought = t.apply(Bought { number, ward }).expect("it can happen");
        last = Some(bought.created.bed);
    }
    for number in 0..inbound {
        t.apply(Requested { number, ward }).expect("it can happen");
    }
    let elsewhere = Requested {
        number: inbound,
        ward: others[0],
    };
    let transfer = t.apply(elsewhere).expect("it can happen").created.transfer;
    t.commit().expect("it is valid");
    let bed = last.expect("there is a bed");
    let mut costs = Vec::new();
    for round in 0..2 {
        let mut note = |what, rows| {
            if round == 1 {
                costs.push((what, rows));
            }
        };
        let is_full = |store: &Store<Model>, full| {
            assert_eq!(ward.is::<state::Full>(store), full);
        };
        note(
            "move that does not cross the bound",
            step(&mut store, Freeing { bed }),
        );
        is_full(&store, false);
        note("move back", step(&mut store, Taking { bed }));
        let capacity = beds;
        note(
            "set that makes it full",
            step(&mut store, Resized { ward, capacity }),
        );
        is_full(&store, true);
        note("move that frees it", step(&mut store, Freeing { bed }));
        is_full(&store, false);
        note("move that fills it", step(&mut store, Taking { bed }));
        note("unlink that frees it", step(&mut store, Lent { bed }));
        is_full(&store, false);
        note(
            "link that fills it",
            step(&mut store, Returned { bed, ward }),
        );
        is_full(&store, true);
        let capacity = beds + 1;
        note(
            "set that frees it",
            step(&mut store, Resized { ward, capacity }),
        );
        note(
            "set of a value that is compared",
            step(&mut store, Spent { ward, spent: 10 }),
        );
        note("redirect", step(&mut store, Redirected { transfer, ward }));
        let back = others[0];
        note(
            "redirect away",
            step(
                &mut store,
                Redirected {
                    transfer,
                    ward: back,
                },
            ),
        );
    }
    assert_eq!(store.check(), []);
    costs
}

fn step<E: Event<Model = Model>>(store: &mut Store<Model>, event: E) -> usize {
    let (rows, result) = rows(|| store.try_step(event).map(|_| ()));
    result.expect("it can happen");
    rows
}

#[test]
fn a_condition_costs_the_same_whatever_it_counts() {
    // At any size, the last entity shares its 64-bit word with the same number of others.
    let small = costs(64, 64, 0);
    assert_eq!(costs(6_400, 64, 0), small);
    assert_eq!(costs(64, 6_400, 0), small);
}

#[test]
fn a_condition_over_two_edges_costs_the_entities_that_look_over_the_second() {
    let of = [0, 64, 128, 6_400].map(|inbound| costs(64, 64, inbound));
    let mut grows = Vec::new();
    for (i, (what, rows)) in of[0].iter().enumerate() {
        let more = of[1][i].1 - rows;
        assert_eq!(more % 64, 0, "{what}: the same for each transfer");
        assert_eq!(of[2][i].1 - rows, 2 * more, "{what}");
        assert_eq!(of[3][i].1 - rows, 100 * more, "{what}");
        if more > 0 {
            grows.push(*what);
        }
    }
    assert_eq!(
        grows,
        [
            "move that does not cross the bound",
            "move back",
            "move that frees it",
            "move that fills it",
            "unlink that frees it",
            "link that fills it",
        ]
    );
}
