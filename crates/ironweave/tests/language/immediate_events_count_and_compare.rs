//! Immediate events count entities, compare values and look over two edges, and fire in the step that makes it true.
//!
//! `step/watched_conditions_match_a_naive_loop.rs` compares random histories; here are the rules one by one.

use ironweave::prelude::*;

use super::{assert_sound, reopened, temp_dir};
use desk::state::*;
use desk::*;

#[ironweave::model]
pub mod desk {
    use ironweave::prelude::*;

    #[entity]
    pub struct Loan {
        #[key]
        pub number: u64,
        pub amount: u64,
        pub paid: u64,
        pub wanted: u64,
        pub rate: f64,
        pub note: String,
        #[inverse(Approval::loan)]
        pub approvals: Many<Approval>,
        pub branch: Option<Branch>,
    }
    #[states(Loan)]
    pub enum LoanState {
        #[initial]
        #[to(Granted, Escalated, Refused)]
        Asked,
        #[to(Settled)]
        Granted,
        #[to(Granted, Escalated)]
        Escalated { rounds: u64 },
        #[terminal]
        Settled,
        #[terminal]
        Refused,
    }

    #[entity]
    pub struct Approval {
        pub loan: Option<Loan>,
    }
    #[states(Approval)]
    pub enum ApprovalState {
        #[initial]
        #[to(Given)]
        Pending,
        #[terminal]
        Given,
    }

    #[entity]
    pub struct Branch {
        #[key]
        pub name: String,
        #[inverse(Loan::branch)]
        pub loans: Many<Loan>,
        #[inverse(Clerk::branch)]
        #[edge(on_delete = unlink)]
        pub clerks: Many<Clerk>,
    }

    #[entity]
    pub struct Clerk {
        #[key]
        pub name: String,
        pub branch: Option<Branch>,
    }
    #[states(Clerk)]
    pub enum ClerkState {
        #[initial]
        #[to(Away)]
        There,
        #[to(There)]
        Away,
    }

    /// Two distinct approvals: the number that a field says.
    #[immediate]
    #[when(count loan.approvals in Given >= loan.wanted)]
    #[moves(loan: Asked | Escalated -> Granted)]
    pub struct Granting {
        pub loan: Loan,
    }

    #[immediate]
    #[when(loan.paid >= loan.amount)]
    #[moves(loan: Granted -> Settled)]
    pub struct Settling {
        pub loan: Loan,
    }

    /// `count` without states is the number of links.
    #[immediate]
    #[when(count loan.approvals > 3)]
    #[moves(loan: Asked -> Escalated { rounds = 0 })]
    pub struct Escalating {
        pub loan: Loan,
    }

    #[immediate]
    #[when(loan.Escalated.rounds == 2)]
    #[moves(loan: Escalated -> Granted)]
    pub struct Wearied {
        pub loan: Loan,
    }

    /// Over two edges.
    #[immediate]
    #[when(any loan.branch.clerks in Away)]
    #[when(count loan.branch.clerks in There == 0)]
    #[moves(loan: Asked -> Refused)]
    pub struct NobodyThere {
        pub loan: Loan,
    }

    /// A value that is not a number is not less than anything.
    #[immediate]
    #[when(loan.rate < 0.5)]
    #[when(loan.note == "cheap")]
    #[moves(loan: Asked -> Granted)]
    pub struct Cheap {
        pub loan: Loan,
    }

    #[event]
    #[create(loan: Loan { number, amount, paid = 0, wanted, rate = 1.0, note = "" })]
    #[link(loan.branch += branch)]
    pub struct LoanAsked {
        pub number: u64,
        pub amount: u64,
        pub wanted: u64,
        pub branch: Option<Branch>,
    }
    #[event]
    #[create(approval: Approval)]
    #[link(approval.loan += loan)]
    pub struct Assigned {
        pub loan: Loan,
    }
    #[event]
    #[moves(approval: Pending -> Given)]
    pub struct Approved {
        pub approval: Approval,
    }
    #[event]
    #[set(loan.paid = loan.paid + amount)]
    pub struct Paid {
        pub loan: Loan,
        pub amount: u64,
    }
    #[event]
    #[set(loan.wanted = wanted)]
    pub struct Wanted {
        pub loan: Loan,
        pub wanted: u64,
    }
    #[event]
    #[set(loan.rate = rate)]
    #[set(loan.note = note)]
    pub struct Rated {
        pub loan: Loan,
        pub rate: f64,
        pub note: String,
    }
    #[event]
    #[set(loan.Escalated.rounds = loan.Escalated.rounds + 1)]
    pub struct Discussed {
        pub loan: Loan,
    }
    #[event]
    #[moves(loan: Asked | Escalated -> Escalated { rounds })]
    pub struct EscalatedByHand {
        pub loan: Loan,
        pub rounds: u64,
    }
    #[event]
    #[create(branch: Branch { name })]
    #[create(clerk: Clerk { name = clerk_name })]
    #[link(clerk.branch += branch)]
    pub struct BranchOpened {
        pub name: String,
        pub clerk_name: String,
    }
    #[event]
    #[moves(clerk: There -> Away)]
    pub struct Left {
        pub clerk: Clerk,
    }
    #[event]
    #[moves(clerk: Away -> There)]
    pub struct Came {
        pub clerk: Clerk,
    }
    #[event]
    #[relink(loan.branch += branch)]
    pub struct Handed {
        pub loan: Loan,
        pub branch: Branch,
    }
    #[event]
    #[unlink(loan.branch -= loan.branch)]
    pub struct Orphaned {
        pub loan: Loan,
    }
    #[event]
    #[may(set Loan.paid, create Approval, link Approval.loan)]
    pub struct Corrected {
        pub loan: Loan,
        pub paid: u64,
        pub fails: bool,
    }
}

impl Apply for Corrected {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        bound.loan.set_paid(tx, self.paid)?;
        if self.fails {
            return Err(Reject::new("not so"));
        }
        Ok(())
    }
}

fn asked(store: &mut Store<Model>, number: u64, wanted: u64) -> Loan {
    let event = LoanAsked {
        number,
        amount: 100,
        wanted,
        branch: None,
    };
    store.step(event).created.loan
}

#[test]
fn an_immediate_event_counts_with_a_field() {
    let dir = temp_dir();
    let mut store = Store::<Model>::open(dir.path()).expect("a new store");
    let loan = asked(&mut store, 1, 2);
    let approvals: Vec<Approval> = (0..3)
        .map(|_| store.step(Assigned { loan }).created.approval)
        .collect();
    store.step(Approved {
        approval: approvals[0],
    });
    assert!(loan.is::<Asked>(&store), "one of two has approved");
    store.step(Approved {
        approval: approvals[1],
    });
    assert!(loan.is::<Granted>(&store));
    // A change of the field enables it too; 0 is reached at once.
    let other = asked(&mut store, 2, 1);
    assert!(other.is::<Asked>(&store));
    store.step(Wanted {
        loan: other,
        wanted: 0,
    });
    assert!(other.is::<Granted>(&store));
    let third = asked(&mut store, 3, 0);
    assert!(third.is::<Granted>(&store), "in the step that creates it");
    let store = reopened(dir.path(), store);
    assert_sound(&store);
}

#[test]
fn an_immediate_event_counts_all_that_are_linked() {
    let mut store = Store::<Model>::paranoid();
    let loan = asked(&mut store, 1, 9);
    for _ in 0..3 {
        store.step(Assigned { loan });
        assert!(loan.is::<Asked>(&store));
    }
    store.step(Assigned { loan });
    assert!(loan.is::<Escalated>(&store));
    assert_sound(&store);
}

#[test]
fn an_immediate_event_compares_fields() {
    let mut store = Store::<Model>::paranoid();
    let loan = asked(&mut store, 1, 0);
    store.step(Paid { loan, amount: 99 });
    assert!(loan.is::<Granted>(&store));
    store.step(Paid { loan, amount: 1 });
    assert!(loan.is::<Settled>(&store));
    assert_sound(&store);
}

#[test]
fn a_value_that_is_set_by_a_handler_or_rolled_back_is_compared_as_it_is() {
    let mut store = Store::<Model>::paranoid();
    let loan = asked(&mut store, 1, 0);
    let rejected = store.try_step(Corrected {
        loan,
        paid: 100,
        fails: true,
    });
    assert!(rejected.is_err() && loan.is::<Granted>(&store));
    let mut t = store.begin();
    let savepoint = t.savepoint();
    t.apply(Paid { loan, amount: 100 }).expect("it is possible");
    assert!(loan.is::<Settled>(&t));
    t.rollback_to(savepoint).expect("it is of this transaction");
    assert!(loan.is::<Granted>(&t));
    t.apply(Paid { loan, amount: 1 }).expect("it is possible");
    assert!(loan.is::<Granted>(&t));
    t.commit().expect("nothing is invalid");
    let settled = store.what_if(|t| {
        t.apply(Paid { loan, amount: 99 })?;
        Ok::<_, StepError>(loan.is::<Settled>(t))
    });
    assert_eq!(settled.ok(), Some(true));
    assert!(loan.is::<Granted>(&store));
    store.step(Corrected {
        loan,
        paid: 100,
        fails: false,
    });
    assert!(loan.is::<Settled>(&store));
    assert_sound(&store);
}

#[test]
fn data_of_a_state_is_compared_when_the_state_is_entered_and_when_it_is_set() {
    let mut store = Store::<Model>::paranoid();
    let loan = asked(&mut store, 1, 9);
    store.step(EscalatedByHand { loan, rounds: 0 });
    store.step(Discussed { loan });
    assert!(loan.is::<Escalated>(&store));
    store.step(Discussed { loan });
    assert!(loan.is::<Granted>(&store));
    let other = asked(&mut store, 2, 9);
    store.step(EscalatedByHand {
        loan: other,
        rounds: 2,
    });
    assert!(other.is::<Granted>(&store), "with the data of the move");
    assert_sound(&store);
}

#[test]
fn a_value_that_is_not_a_number_compares_with_nothing() {
    let mut store = Store::<Model>::paranoid();
    let loan = asked(&mut store, 1, 9);
    for (rate, note, granted) in [
        (f64::NAN, "cheap", false),
        (0.4, "dear", false),
        (0.5, "cheap", false),
        (0.4, "cheap", true),
    ] {
        let note = note.to_owned();
        store.step(Rated { loan, rate, note });
        assert_eq!(loan.is::<Granted>(&store), granted, "{rate}");
    }
    assert_sound(&store);
}

#[test]
fn an_immediate_event_looks_over_two_edges() {
    let mut store = Store::<Model>::paranoid();
    let mut opened = |name: &str| {
        let (name, clerk_name) = (name.to_owned(), format!("of {name}"));
        store.step(BranchOpened { name, clerk_name }).created
    };
    let (north, south) = (opened("north"), opened("south"));
    let mut asked = |number, branch| {
        let event = LoanAsked {
            number,
            amount: 1,
            wanted: 9,
            branch,
        };
        store.step(event).created.loan
    };
    let here = asked(1, Some(north.branch));
    let also_here = asked(2, Some(north.branch));
    let there = asked(3, Some(south.branch));
    let nowhere = asked(4, None);
    store.step(Left { clerk: north.clerk });
    assert!(here.is::<Refused>(&store) && also_here.is::<Refused>(&store));
    assert!(there.is::<Asked>(&store), "its branch has a clerk");
    assert!(nowhere.is::<Asked>(&store), "no branch, no clerks");
    // A change of the first link enables it too.
    store.step(Handed {
        loan: nowhere,
        branch: north.branch,
    });
    assert!(nowhere.is::<Refused>(&store));
    // From one branch to the other, in one step.
    store.step(Orphaned { loan: there });
    store.step(Left { clerk: south.clerk });
    assert!(there.is::<Asked>(&store), "it is no longer of that branch");
    store.step(Came { clerk: south.clerk });
    store.step(Handed {
        loan: there,
        branch: south.branch,
    });
    assert!(there.is::<Asked>(&store));
    store.step(Handed {
        loan: there,
        branch: north.branch,
    });
    assert!(there.is::<Refused>(&store));
    assert_sound(&store);
}

#[ironweave::model]
pub mod meter {
    use ironweave::prelude::*;

    #[entity]
    pub struct Meter {
        pub count: u8,
        pub limit: u8,
    }
    #[states(Meter)]
    pub enum MeterState {
        #[initial]
        #[to(Over)]
        Under,
        #[terminal]
        Over,
    }

    #[immediate]
    #[when(meter.limit > 0)]
    #[when(meter.count + meter.count > meter.limit)]
    #[moves(meter: Under -> Over)]
    pub struct Exceeded {
        pub meter: Meter,
    }

    #[event]
    #[create(meter: Meter { count = 0, limit })]
    pub struct Built {
        pub limit: u8,
    }
    #[event]
    #[set(meter.count = count)]
    pub struct Counted {
        pub meter: Meter,
        pub count: u8,
    }
}

#[test]
fn a_condition_that_overflows_rejects_the_step_if_the_others_hold() {
    use meter::{Built, Counted, Model, state::Over};
    let mut store = Store::<Model>::paranoid();
    let meter = store.step(Built { limit: 200 }).created.meter;
    let error = store.try_step(Counted { meter, count: 128 });
    let text = error.expect_err("128 + 128 overflows").to_string();
    assert!(
        text.contains("Exceeded") && text.contains("meter.count + meter.count > meter.limit"),
        "{text}"
    );
    assert!(
        text.starts_with("Counted \u{2192} "),
        "with the chain: {text}"
    );
    assert_eq!(meter.count(&store), 0);
    store.step(Counted { meter, count: 100 });
    assert!(!meter.is::<Over>(&store));
    store.step(Counted { meter, count: 101 });
    assert!(meter.is::<Over>(&store));
    // Another condition does not hold, so that nothing depends on the sum.
    let unlimited = store.step(Built { limit: 0 }).created.meter;
    store.step(Counted {
        meter: unlimited,
        count: 255,
    });
    assert!(!unlimited.is::<Over>(&store));
    assert_sound(&store);
}
