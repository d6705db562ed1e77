//! The checker tries an event that is due for each entity that has a time, in any order of the entities, and for no other.

use ironweave::check::Checker;
use ironweave::prelude::*;

#[ironweave::model]
pub mod kitchen {
    use ironweave::prelude::*;

    #[entity]
    pub struct Timer {
        #[key]
        pub number: u64,
        pub rings_at: Option<Timestamp>,
    }
    #[states(Timer)]
    pub enum TimerState {
        #[initial]
        #[to(Rung)]
        Running,
        #[terminal]
        Rung,
    }

    #[event]
    #[create(timer: Timer { number, rings_at })]
    pub struct Started {
        pub number: u64,
        pub rings_at: Option<Timestamp>,
    }
    #[event]
    #[due(timer.rings_at)]
    #[moves(timer: Running -> Rung)]
    pub struct Ring {
        pub timer: Key<Timer>,
    }
}

use kitchen::state::*;
use kitchen::*;

#[test]
fn only_entities_with_a_time_fire_and_in_any_order() {
    let timers = |db: &Store<kitchen::Model>| -> Vec<Timer> { db.place::<Timer, Any>().collect() };
    let rung = |db: &Store<kitchen::Model>, number| {
        let timer = db.find::<Timer>(&number);
        timer.is_some_and(|timer| timer.is::<Rung>(db))
    };
    let times = [
        None,
        Some(Timestamp::from_secs(1)),
        Some(Timestamp::from_secs(2)),
    ];
    Checker::new()
        .allow_deadlocks()
        .entities::<Timer>(2)
        .values::<Started, _>("rings_at", times)
        .always("a timer without a time does not ring", move |db| {
            let without = |timer: &Timer| timer.rings_at(db).is_none() && timer.is::<Rung>(db);
            !timers(db).iter().any(without)
        })
        .sometimes("the later one rings first", move |db| {
            let at = |number| *db.find::<Timer>(&number)?.rings_at(db);
            at(1) > at(2) && rung(db, 1) && !rung(db, 2) && at(2).is_some()
        })
        .assert_properties();
}
