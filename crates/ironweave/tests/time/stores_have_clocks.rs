//! A store takes the times of its transactions from the clock of its options.

pub use model::*;

use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{Guarded, ManualClock};

use crate::harness::temp_dir;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Timer {
        #[key]
        pub name: String,
        pub due: Timestamp,
    }
    #[states(Timer)]
    pub enum TimerState {
        #[initial]
        #[to(Rung)]
        Waiting,
        #[terminal]
        Rung { at: Timestamp },
    }
    #[event]
    #[create(timer: Timer { name, due })]
    pub struct Started {
        pub name: String,
        pub due: Timestamp,
    }
    #[event]
    #[guard(crate::stores_have_clocks::is_due)]
    #[moves(timer: Waiting -> Rung { at = meta.time })]
    pub struct Elapsed {
        pub timer: Key<Timer>,
    }
}

fn is_due(_: &Elapsed, db: &Guarded<'_, Elapsed>) -> Result<(), Reject> {
    if db.time() >= db.named().timer.due(db) {
        return Ok(());
    }
    Err(Reject::new("it is too early"))
}

fn secs(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

fn started(name: &str, due: i64) -> Started {
    Started {
        name: name.into(),
        due: secs(due),
    }
}

fn elapsed(name: &str) -> Elapsed {
    Elapsed { timer: name.into() }
}

/// A store whose clock is at 100 seconds, and the clock.
fn store() -> (Store<Model>, ManualClock) {
    let clock = ManualClock::starting_at(secs(100));
    let options = Store::<Model>::options().clock(clock.clone());
    (options.paranoid().memory(), clock)
}

fn times(store: &Store<Model>) -> Vec<Timestamp> {
    let records = store.frames(1).expect("the log can be read");
    records.map(|r| r.expect("it is whole").time()).collect()
}

#[test]
fn guards_arcs_and_transactions_see_a_manual_clock() {
    let (mut store, clock) = store();
    let timer = store.step(started("egg", 400)).created.timer;
    clock.advance(Duration::from_secs(299));
    let early = store.try_step(elapsed("egg")).map(|_| ()).unwrap_err();
    assert!(early.to_string().contains("too early"), "{early}");
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.begin().time(), secs(400));
    store.step(elapsed("egg"));
    match timer.state(&store) {
        TimerState::Rung(timer) => assert_eq!(timer.at(&store), secs(400)),
        TimerState::Waiting(_) => panic!("the timer has not rung"),
    }
    assert_eq!(times(&store), [secs(100), secs(400)]);
}

#[test]
fn each_kind_of_store_uses_the_clock_of_its_options() {
    let clock = ManualClock::starting_at(secs(100));
    let options = || Store::<Model>::options().clock(clock.clone());
    let dir = temp_dir();
    {
        let mut file = options().open(dir.path()).expect("it opens");
        file.step(started("a", 0));
    }
    clock.set(secs(200));
    let mut file = options().open(dir.path()).expect("it opens");
    file.step(started("b", 0));
    assert_eq!(times(&file), [secs(100), secs(200)]);

    let shared = options().memory().share();
    clock.set(secs(300));
    std::thread::scope(|scope| {
        scope.spawn(|| shared.try_step(started("a", 300)).map(|_| ()).unwrap());
    });
    shared.try_step(elapsed("a")).expect("it is due");
    let snapshot = shared.snapshot().expect("the store runs");
    assert_eq!(snapshot.time(), secs(300));

    // Snapshots, and the stores that begin at them.
    clock.set(secs(400));
    let tried = snapshot.with(started("b", 0)).expect("the event fires");
    assert_eq!(tried.record.time(), secs(400));
    let mut begun = snapshot.into_store();
    clock.set(secs(500));
    begun.step(started("b", 0));
    assert_eq!(begun.snapshot().time(), secs(500));

    let mut unlogged = options().unlogged();
    unlogged.step(started("a", 501));
    assert!(unlogged.try_step(elapsed("a")).is_err());
    clock.set(secs(501));
    unlogged.step(elapsed("a"));
}

#[test]
fn a_clock_that_is_set_back_gives_the_time_of_the_last_transaction() {
    let (mut store, clock) = store();
    store.step(started("a", 0));
    clock.set(secs(50));
    store.step(started("b", 0));
    clock.set(secs(101));
    store.step(started("c", 0));
    assert_eq!(times(&store), [100, 100, 101].map(secs));
}

#[test]
fn an_explicit_time_takes_precedence_over_the_clock() {
    let (mut store, clock) = store();
    let at = |n| Meta::new().with_time(secs(n));
    store.try_step_with(at(70), started("a", 0)).expect("later");
    store
        .try_step_with(at(900), started("b", 0))
        .expect("later");
    clock.set(secs(800));
    store.step(started("c", 0));
    assert_eq!(times(&store), [70, 900, 900].map(secs));
}

#[test]
fn a_transaction_reads_the_clock_once_when_its_time_is_first_needed() {
    let (mut store, clock) = store();
    let mut t = store.begin();
    t.apply(started("a", 0)).expect("the event fires");
    clock.set(secs(110));
    // The guard needs the time.
    t.apply(elapsed("a")).expect("the event fires");
    clock.set(secs(120));
    t.apply(started("b", 115)).expect("the event fires");
    assert!(
        t.apply(elapsed("b")).is_err(),
        "it is 110 in the transaction"
    );
    assert_eq!(t.time(), secs(110));
    t.commit().expect("it commits");
    assert_eq!(times(&store), [secs(110)]);
    assert_eq!(store.begin().time(), secs(120));
}

#[test]
fn a_clock_that_no_event_needs_is_not_read() {
    let (mut store, clock) = store();
    let at = |n| Meta::new().with_time(secs(n));
    // An event that is rejected before anything needs the time, and speculation.
    assert!(store.try_step(elapsed("unknown")).is_err());
    (store.what_if(|t| t.apply(started("a", 0)).map(|_| ()))).expect("it fires");
    // In a store without a log, the time of a transaction is only what its events read. An explicit time before the one that
    // the clock would have given is therefore not before the last transaction.
    let options = Store::<Model>::options().clock(clock.clone());
    let mut unlogged = options.unlogged();
    unlogged.step(started("a", 0));
    (unlogged.try_step_with(at(60), started("b", 0))).expect("the clock was not read");
    unlogged.step(elapsed("a"));
    let early = unlogged.try_step_with(at(99), started("c", 0)).map(|_| ());
    let early = early.expect_err("the clock was read");
    assert!(matches!(early, StepError::TimeGoesBack { .. }), "{early}");
}

#[test]
fn a_time_in_the_past_is_one_before_the_time_of_the_clock() {
    let (mut store, clock) = store();
    store.step(started("a", 0));
    let future = store.as_of(secs(101)).map(|_| ()).unwrap_err();
    let text = future.to_string();
    assert!(future.is_ahead(), "{text}");
    assert!(
        text.contains("its clock is at 1970-01-01T00:01:40Z"),
        "{text}"
    );
    clock.advance(Duration::from_secs(1));
    let now = store.as_of(secs(101)).expect("it is now");
    assert_eq!(now.count::<Timer, Any>(), 1);
    // The system clock is later than this one.
    assert!(store.as_of(Timestamp::now()).is_err());
}

#[cfg(feature = "coarse-clock")]
#[test]
fn the_times_of_a_coarse_clock_do_not_decrease() {
    let options = Store::<Model>::options().clock(ironweave::Clock::Coarse);
    let mut store = options.memory();
    for i in 0..100 {
        store.step(started(&i.to_string(), 0));
    }
    let times = times(&store);
    assert!(times.is_sorted());
    // The system clock, which is read later, is not before the coarse one.
    assert!(times.last() <= Some(&Timestamp::now()));
    assert!(times.first() > Some(&secs(1_700_000_000)));
}
