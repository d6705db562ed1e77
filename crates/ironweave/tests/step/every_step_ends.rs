//! Every step ends: a limit stops immediate events that enable each other without end, and does not stop consequences of any
//! depth among existing entities.

use garden::state::*;
use garden::*;
use ironweave::prelude::*;
use ironweave::{LoopLimit, VerifyError};

use crate::harness::{assert_consistent, temp_dir};

#[ironweave::model]
pub mod garden {
    use ironweave::prelude::*;

    #[entity]
    pub struct Cell {}
    #[states(Cell)]
    pub enum CellState {
        #[initial]
        #[to(Copying, Splitting, Budding)]
        Still,
        #[to(Grown)]
        Copying,
        #[to(Grown)]
        Splitting,
        #[to(Grown)]
        Budding,
        #[terminal]
        Grown,
    }

    /// A flower of a bud.
    #[entity]
    pub struct Flower {}
    #[states(Flower)]
    pub enum FlowerState {
        #[initial]
        #[to(Faded)]
        Open,
        #[terminal]
        Faded,
    }

    /// The seed of a flower, which comes to nothing.
    #[entity]
    pub struct Seed {}
    #[states(Seed)]
    pub enum SeedState {
        #[initial]
        #[to(Fallen)]
        Ripe,
        #[terminal]
        Fallen,
    }

    #[event]
    #[create(cell: Cell)]
    #[moves(cell: Still -> Copying)]
    pub struct CopyPlanted {}

    #[immediate]
    #[create(next: Cell)]
    #[moves(next: Still -> Copying)]
    #[moves(cell: Copying -> Grown)]
    pub struct Copied {
        pub cell: Cell,
    }

    #[event]
    #[create(cell: Cell)]
    #[moves(cell: Still -> Splitting)]
    pub struct SplitPlanted {}

    #[immediate]
    #[create(left: Cell)]
    #[create(right: Cell)]
    #[moves(left: Still -> Splitting)]
    #[moves(right: Still -> Splitting)]
    #[moves(cell: Splitting -> Grown)]
    pub struct Split {
        pub cell: Cell,
    }

    /// It leads to a flower and to its seed, and no further.
    #[event]
    #[create(cell: Cell)]
    #[moves(cell: Still -> Budding)]
    pub struct BudPlanted {}

    #[immediate]
    #[create(flower: Flower)]
    #[moves(cell: Budding -> Grown)]
    pub struct Flowered {
        pub cell: Cell,
    }

    #[immediate]
    #[create(seed: Seed)]
    #[moves(flower: Open -> Faded)]
    pub struct Seeded {
        pub flower: Flower,
    }

    #[immediate]
    #[moves(seed: Ripe -> Fallen)]
    pub struct SeedFell {
        pub seed: Seed,
    }

    /// A ghost that renews itself: each one is deleted by the next.
    #[entity]
    pub struct Ghost {
        pub before: Option<Ghost>,
        #[inverse(Ghost::before)]
        #[edge(on_delete = unlink)]
        pub after: Option<Ghost>,
    }
    #[states(Ghost)]
    pub enum GhostState {
        #[initial]
        #[to(Waiting)]
        Fresh,
        #[to(Old)]
        Waiting,
        #[terminal]
        Old,
    }

    #[event]
    #[create(ghost: Ghost)]
    #[moves(ghost: Fresh -> Waiting)]
    pub struct Called {}

    #[immediate]
    #[when(any ghost.before in Old)]
    #[delete(ghost.before)]
    #[moves(ghost: Fresh -> Waiting)]
    pub struct Buried {
        pub ghost: Ghost,
    }

    #[immediate]
    #[create(next: Ghost)]
    #[link(next.before += ghost)]
    #[moves(ghost: Waiting -> Old)]
    pub struct Renewed {
        pub ghost: Ghost,
    }

    /// A machine that makes one part, uses it and throws it away.
    #[entity]
    pub struct Machine {
        pub parts: Many<Part>,
    }
    #[states(Machine)]
    pub enum MachineState {
        #[initial]
        #[to(Started)]
        Idle,
        #[to(Running)]
        Started,
        #[to(Finished)]
        Running,
        #[terminal]
        Finished,
    }

    #[entity]
    pub struct Part {
        #[inverse(Machine::parts)]
        #[edge(on_delete = unlink)]
        pub machine: Option<Machine>,
    }
    #[states(Part)]
    pub enum PartState {
        #[initial]
        #[to(Used)]
        New,
        #[terminal]
        Used,
    }

    #[event]
    #[create(machine: Machine)]
    pub struct Built {}

    #[event]
    #[moves(each machines: Idle -> Started)]
    pub struct AllStarted {
        pub machines: Vec<Machine>,
    }

    #[immediate]
    #[when(any machine.parts in Used)]
    #[delete(machine.parts)]
    #[moves(machine: Running -> Finished)]
    pub struct PartThrownAway {
        pub machine: Machine,
    }

    #[immediate]
    #[moves(part: New -> Used)]
    pub struct PartUsed {
        pub part: Part,
    }

    #[immediate]
    #[create(part: Part)]
    #[link(machine.parts += part)]
    #[moves(machine: Started -> Running)]
    pub struct PartMade {
        pub machine: Machine,
    }

    #[entity]
    pub struct Domino {
        pub before: Option<Domino>,
        #[inverse(Domino::before)]
        pub after: Option<Domino>,
    }
    #[states(Domino)]
    pub enum DominoState {
        #[initial]
        #[to(Down)]
        Standing,
        #[terminal]
        Down,
    }

    #[event]
    #[create(domino: Domino)]
    #[link(domino.before += before)]
    pub struct Placed {
        pub before: Option<Domino>,
    }

    #[event]
    #[moves(domino: Standing -> Down)]
    pub struct Pushed {
        pub domino: Domino,
    }

    #[immediate]
    #[when(any domino.before in Down)]
    #[moves(domino: Standing -> Down)]
    pub struct Toppled {
        pub domino: Domino,
    }
}

type Garden = Store<garden::Model>;

const COPIES: &str = "CopyPlanted → Copied → Copied → ...: these immediate events enable each other in a cycle; on \
                      Cell/64.1 the last would create an entity at depth 65, and 64 is the limit; let a condition end it, or raise \
                      `Options::creation_depth_max`";

/// Asserts that a rejected step changed nothing.
#[track_caller]
fn untouched(store: &Garden, print: u128) {
    assert_eq!(store.fingerprint(), print);
    assert_consistent(store);
}

#[test]
fn an_immediate_event_that_creates_what_enables_it_again_ends_with_the_cycle() {
    let mut store = Garden::memory();
    let print = store.fingerprint();
    let e = store
        .try_step(CopyPlanted {})
        .map(|_| ())
        .expect_err("endless");
    assert_eq!(e.to_string(), COPIES);
    let StepError::Loop {
        entity,
        ref cycle,
        limit,
        ..
    } = e
    else {
        panic!("{e:?}")
    };
    assert_eq!(limit, LoopLimit::CreationDepth(64));
    assert_eq!((entity.to_string(), cycle.len()), ("Cell/64.1".into(), 1));
    untouched(&store, print);
    assert_eq!(store.count::<Cell, Any>(), 0);
}

#[test]
fn a_cycle_of_several_events_is_named_in_order_and_begins_where_it_does() {
    let mut store = Garden::memory();
    let print = store.fingerprint();
    let e = store.try_step(Called {}).map(|_| ()).expect_err("endless");
    let text = e.to_string();
    assert!(
        text.starts_with("Called → Renewed → Buried → Renewed → ...: these immediate events enable each other in a cycle; on Ghost/0."),
        "{text}"
    );
    assert_eq!(
        e.chain().iter().map(|e| &**e).collect::<Vec<_>>(),
        ["Called"]
    );
    untouched(&store, print);
}

#[test]
fn a_step_ends_wherever_it_is_taken() {
    let ends = |e: StepError| assert_eq!(e.to_string(), COPIES);
    for mut store in [Garden::memory(), Garden::paranoid(), Garden::unlogged()] {
        let print = store.fingerprint();
        ends(
            store
                .try_step(CopyPlanted {})
                .map(|_| ())
                .expect_err("endless"),
        );
        ends(
            store
                .what_if(|t| t.apply(CopyPlanted {}).map(|_| ()))
                .expect_err("endless"),
        );
        let mut t = store.begin();
        t.apply(BudPlanted {}).expect("it ends");
        let e = t.apply(CopyPlanted {}).map(|_| ()).expect_err("endless");
        assert!(matches!(e, StepError::Loop { .. }));
        t.apply(BudPlanted {}).expect("the transaction goes on");
        t.rollback();
        let snapshot = store.snapshot();
        ends(
            snapshot
                .with(CopyPlanted {})
                .map(|_| ())
                .expect_err("endless"),
        );
        let mut branch = snapshot.into_store();
        ends(
            branch
                .try_step(CopyPlanted {})
                .map(|_| ())
                .expect_err("endless"),
        );
        untouched(&store, print);
        store.step(BudPlanted {});
    }
}

#[test]
fn what_an_immediate_event_creates_is_one_deeper_than_what_it_fired_on() {
    let store = |depth| Garden::options().creation_depth_max(depth).memory();
    // A flower and a seed.
    store(2).step(BudPlanted {});
    let mut shallow = store(1);
    let e = shallow
        .try_step(BudPlanted {})
        .map(|_| ())
        .expect_err("2 deep");
    assert_eq!(
        e.to_string(),
        "BudPlanted → Flowered → immediate event Seeded: on Flower/0.1 it would create an entity at depth 2, and 1 is \
         the limit; let a condition end it, or raise `Options::creation_depth_max`"
    );
    let last = e.immediate().map(|name| &**name);
    assert_eq!((last, e.chain().len()), (Some("Seeded"), 3));
    let mut none = store(0);
    assert!(none.try_step(BudPlanted {}).is_err());
    // What the event of the program creates has depth 0, and a snapshot keeps the limit.
    let first = none.step(Placed { before: None }).created.domino;
    none.step(Placed {
        before: Some(first),
    });
    none.step(Pushed { domino: first });
    assert!(none.snapshot().with(BudPlanted {}).is_err());
    assert!(
        none.snapshot()
            .into_store()
            .try_step(BudPlanted {})
            .is_err()
    );
}

#[test]
fn a_step_in_which_each_new_entity_creates_several_ends_long_before_the_last_depth() {
    let mut store = Garden::options().created_firings_max(1_000).memory();
    let print = store.fingerprint();
    let e = store
        .try_step(SplitPlanted {})
        .map(|_| ())
        .expect_err("2^64");
    assert!(
        matches!(&e, StepError::Loop { limit, .. } if *limit == LoopLimit::CreatedFirings(1_000)),
        "{e:?}"
    );
    let text = e.to_string();
    assert!(
        text.contains(
            "SplitPlanted → Split → Split → ...: these immediate events enable each other in a cycle; on Cell/"
        ) && text.ends_with(
            " the last would be firing 1001 of this step on entities that immediate events created, and 1000 is the \
             limit; let a condition end it, or raise `Options::created_firings_max`"
        ),
        "{text}"
    );
    untouched(&store, print);
    store.step(BudPlanted {});
}

#[test]
fn an_entity_in_a_slot_that_became_free_counts_for_itself() {
    // Each machine makes its part in the slot of the one before: PartUsed fires 200 times on Part/0.
    let mut store = Garden::paranoid();
    let machines: Vec<Machine> = (0..200)
        .map(|_| store.step(Built {}).created.machine)
        .collect();
    store.step(AllStarted { machines });
    assert_eq!(store.count::<Machine, Finished>(), 200);
    assert_eq!(store.count::<Part, Any>(), 0);
    let next = store.step(Built {}).created.machine;
    store.step(AllStarted {
        machines: vec![next],
    });
    assert_consistent(&store);
    assert_eq!(store.verify().expect("it agrees"), 203);
}

#[test]
fn consequences_of_any_depth_among_entities_that_exist_happen_in_one_step() {
    let mut store = Garden::options()
        .creation_depth_max(0)
        .created_firings_max(0)
        .memory();
    let first = store.step(Placed { before: None }).created.domino;
    let mut before = first;
    for _ in 1..3_000 {
        before = store
            .step(Placed {
                before: Some(before),
            })
            .created
            .domino;
    }
    store.step(Pushed { domino: first });
    assert_eq!(store.count::<Domino, Down>(), 3_000);
    assert_eq!(store.verify().expect("it agrees"), 3_001);
}

#[test]
fn a_log_is_verified_whatever_the_limits_were_when_it_was_written() {
    let dir = temp_dir();
    Garden::open(dir.path())
        .expect("the store opens")
        .step(BudPlanted {});
    let store = Garden::options()
        .creation_depth_max(0)
        .created_firings_max(0)
        .open(dir.path())
        .expect("the store opens");
    assert_eq!(store.verify().expect("it agrees"), 1);
}

/// A model of which the rules change: today's immediate event does not end.
macro_rules! pots {
    ($module:ident, $($arc:meta),*) => {
        #[ironweave::model]
        pub mod $module {
            use ironweave::prelude::*;

            #[entity]
            pub struct Pot {}
            #[states(Pot)]
            pub enum PotState {
                #[initial]
                #[to(fill -> Full)]
                Empty,
                #[terminal]
                Full,
            }

            #[event]
            #[create(pot: Pot)]
            pub struct Bought {}

            #[immediate]
            $(#[$arc])*
            #[moves(pot: Empty -> Full)]
            pub struct Filled {
                pub pot: Pot,
            }
        }
    };
}

pots!(pots, when(all pot in Empty));
pots!(endless_pots, create(other: Pot));

#[test]
fn verify_ends_where_today_s_immediate_events_do_not() {
    let dir = temp_dir();
    Store::<pots::Model>::open(dir.path())
        .expect("the store opens")
        .step(pots::Bought {});
    let store = Store::<endless_pots::Model>::open(dir.path()).expect("the same shape");
    match store.verify() {
        Err(VerifyError::Differs(d)) => {
            assert!(d.today.contains("Filled → Filled → ..."), "{}", d.today);
        }
        other => panic!("{other:?}"),
    }
}
