//! An event with a due time fires when the simulated time reaches it, unless it has a delay.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ironweave::prelude::*;
use ironweave::simulate::{Delay, Estimate, Simulation, SimulationError};

use counter::counter::{self as model, state::*, *};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

const fn at(n: u64) -> Timestamp {
    Timestamp::from_secs(n as i64)
}

/// A counter at which tickets are held until a time.
mod counter {
    #[ironweave::model]
    pub mod counter {
        use std::time::Duration;

        use ironweave::prelude::*;

        #[entity]
        pub struct Ticket {
            #[key]
            pub row: u32,
            #[key]
            pub seat: u32,
            pub reminder: Option<Timestamp>,
            pub may_expire: bool,
        }
        #[states(Ticket)]
        pub enum TicketState {
            #[initial]
            #[to(Held)]
            Free,
            #[to(Free, Sold)]
            Held { until: Timestamp },
            #[terminal]
            Sold,
        }

        #[event]
        #[create(ticket: Ticket { row, seat, may_expire, reminder })]
        pub struct Print {
            pub row: u32,
            pub seat: u32,
            pub may_expire: bool,
            pub reminder: Option<Timestamp>,
        }

        /// Declared before the other event with a due time.
        #[event]
        #[due(ticket.reminder)]
        #[set(ticket.reminder = None)]
        pub struct Remind {
            pub ticket: Key<Ticket>,
        }

        #[event]
        #[moves(ticket: Free -> Held { until = meta.time + hold })]
        pub struct Hold {
            pub ticket: Ticket,
            pub hold: Duration,
        }

        #[event]
        #[when(all ticket in Held)]
        #[set(ticket.Held.until = until)]
        pub struct Prolong {
            pub ticket: Ticket,
            pub until: Timestamp,
        }

        #[event]
        #[set(ticket.may_expire = true)]
        pub struct Allow {
            pub ticket: Ticket,
        }

        #[event]
        #[moves(ticket: Held -> Sold)]
        pub struct Sell {
            pub ticket: Ticket<Held>,
        }

        /// It must not fire before its time.
        #[event]
        #[due(ticket.Held.until)]
        #[when(meta.time >= ticket.Held.until)]
        #[guard(super::super::may_expire)]
        #[moves(ticket: Held -> Free)]
        pub struct Expire {
            pub ticket: Ticket<Held>,
        }
    }
}

fn may_expire(event: &Expire, db: &impl Db) -> Result<(), Reject> {
    match event.ticket.any().may_expire(db) {
        true => Ok(()),
        false => Err(Reject::new("it is held for ever")),
    }
}

/// Tickets that are held for so many seconds from the beginning.
fn held(store: &mut Store<model::Model>, holds: &[u64]) {
    for (seat, hold) in (0..).zip(holds) {
        let print = Print {
            row: 1,
            seat,
            may_expire: true,
            reminder: None,
        };
        let ticket = store.step(print).created.ticket.any();
        store.step(Hold {
            ticket,
            hold: seconds(*hold),
        });
    }
}

/// Only what is due fires.
fn simulation() -> Simulation<model::Model> {
    Simulation::new()
        .time(at(1000))
        .keys::<Ticket, _>([(9u32, 9u32)])
        .without::<Print>()
        .without::<Hold>()
        .without::<Prolong>()
        .without::<Allow>()
        .without::<Sell>()
        .replications(1)
}

/// Which events fired after how many seconds, with the seat of the ticket.
fn fired(simulation: Simulation<model::Model>) -> Vec<(u64, &'static str, u32)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let trace = Arc::clone(&seen);
    let report = simulation.trace(move |fired| {
        let seat = |ticket: Ticket| ticket.seat(fired.store);
        let (name, seat) = match fired.event {
            AnyEvent::Expire(event) => ("expire", seat(event.ticket.any())),
            AnyEvent::Remind(event) => ("remind", event.ticket.key().1),
            AnyEvent::Prolong(event) => ("prolong", seat(event.ticket)),
            AnyEvent::Allow(event) => ("allow", seat(event.ticket)),
            AnyEvent::Sell(event) => ("sell", seat(event.ticket.any())),
            AnyEvent::Print(_) | AnyEvent::Hold(_) => return,
        };
        let elapsed = fired.elapsed.as_secs();
        trace.lock().unwrap().push((elapsed, name, seat));
    });
    report.run().unwrap();
    let seen = seen.lock().unwrap();
    seen.clone()
}

fn has(estimate: &Estimate, expected: f64) -> bool {
    let interval = estimate.confidence_interval();
    interval.is_some_and(|(low, high)| {
        low < expected && expected < high && high - low < 0.15 * expected
    })
}

#[test]
fn a_hold_ends_as_theory_says() {
    // A ticket is held for 10 s, and sold after 8 s on average.
    let (hold, mean) = (10.0, 8.0);
    let report = simulation()
        .start(|store| held(store, &[10]))
        .delay::<Sell>(Delay::exponential(seconds(8)))
        .until(|db| db.count::<Ticket, Held>() == 0)
        .replications(3000)
        .seed(3)
        .run()
        .unwrap();
    let sold = 1.0 - f64::exp(-hold / mean);
    assert!(has(report.event("Sell").unwrap(), sold), "{report}");
    assert!(has(report.event("Expire").unwrap(), 1.0 - sold), "{report}");
    assert!(has(report.seconds(), mean * sold), "{report}");
    assert_eq!(report.seconds().max(), hold);
}

#[test]
fn in_order_of_time() {
    let of_three = simulation().start(|store| held(store, &[7, 3, 5]));
    let expected = [(3, "expire", 1), (5, "expire", 2), (7, "expire", 0)];
    assert_eq!(fired(of_three), expected);
    // At the end of the time, what is due at that time fires.
    let until = simulation().start(|store| held(store, &[7, 3, 5]));
    assert_eq!(fired(until.until_time(seconds(5))), expected[..2]);
    // Of those with the same time, the event that is declared first, and then the first entity.
    let equal = simulation().start(|store| {
        held(store, &[4, 4]);
        for seat in [9, 8] {
            store.step(Print {
                row: 2,
                seat,
                may_expire: true,
                reminder: Some(at(1004)),
            });
        }
    });
    let expected = [
        (4, "remind", 9),
        (4, "remind", 8),
        (4, "expire", 0),
        (4, "expire", 1),
    ];
    assert_eq!(fired(equal), expected);
}

#[test]
fn at_once_if_the_time_is_reached_already() {
    let clock = ironweave::ManualClock::starting_at(at(1000));
    let mut store = Store::<model::Model>::options().clock(clock).memory();
    held(&mut store, &[7, 3, 5, 11]);
    // An hour is the first moment of the simulation, and then ten seconds.
    let late = |time| simulation().begin_at(store.snapshot()).time(time);
    let all = [(0, "expire", 1), (0, "expire", 2), (0, "expire", 0)];
    let mut with_last = all.to_vec();
    with_last.push((0, "expire", 3));
    assert_eq!(fired(late(at(4600))), with_last);
    let mut with_last = all.to_vec();
    with_last.push((1, "expire", 3));
    assert_eq!(fired(late(at(1010))), with_last);
}

#[test]
fn at_the_time_that_the_entity_has_by_then() {
    let prolonged = |until: u64| {
        simulation()
            .start(|store| held(store, &[5, 20]))
            .bindings::<Prolong>(move |db| {
                let first = db
                    .place::<Ticket, Held>()
                    .find(|ticket| ticket.seat(db) == 0);
                let until = at(1000 + until);
                let to_do = first.filter(|ticket| ticket.until(db) != until);
                to_do
                    .map(|ticket| Prolong {
                        ticket: ticket.any(),
                        until,
                    })
                    .into_iter()
                    .collect()
            })
            .delay::<Prolong>(seconds(2))
    };
    let later = [(2, "prolong", 0), (20, "expire", 1), (30, "expire", 0)];
    assert_eq!(fired(prolonged(30)), later);
    let earlier = [(2, "prolong", 0), (3, "expire", 0), (20, "expire", 1)];
    assert_eq!(fired(prolonged(3)), earlier);
    let past = [(2, "prolong", 0), (2, "expire", 0), (20, "expire", 1)];
    assert_eq!(fired(prolonged(1)), past);
}

#[test]
fn by_their_own_column_although_another_due_event_is_left_out() {
    let start = |store: &mut Store<model::Model>| {
        store.step(Print {
            row: 1,
            seat: 4,
            may_expire: true,
            reminder: Some(at(1002)),
        });
        held(store, &[7]);
    };
    let both = [(2, "remind", 4), (7, "expire", 0)];
    assert_eq!(fired(simulation().start(start)), both);
    assert_eq!(
        fired(simulation().start(start).without::<Remind>()),
        both[1..]
    );
    assert_eq!(
        fired(simulation().start(start).without::<Expire>()),
        both[..1]
    );
}

#[test]
fn after_a_rejection_when_something_has_changed() {
    let forbidden = |store: &mut Store<model::Model>| {
        held(store, &[3]);
        let ticket = store.step(Print {
            row: 2,
            seat: 7,
            may_expire: false,
            reminder: None,
        });
        store.step(Hold {
            ticket: ticket.created.ticket.any(),
            hold: seconds(2),
        });
    };
    let never = simulation().start(forbidden);
    assert_eq!(fired(never), [(3, "expire", 0)]);
    let later = simulation()
        .start(forbidden)
        .bindings::<Allow>(|db| {
            let forbidden = db
                .place::<Ticket, Held>()
                .filter(|ticket| !ticket.may_expire(db));
            forbidden
                .map(|ticket| Allow {
                    ticket: ticket.any(),
                })
                .collect()
        })
        .delay::<Allow>(seconds(9));
    assert_eq!(
        fired(later),
        [(3, "expire", 0), (9, "allow", 7), (9, "expire", 7)]
    );
}

#[test]
fn after_a_delay_if_they_have_one() {
    let start = |store: &mut Store<model::Model>| held(store, &[7, 3]);
    // The event would be rejected before its time, so the delay begins when something else happens after it.
    let delayed = simulation()
        .start(start)
        .time(at(1000))
        .delay::<Sell>(seconds(7))
        .delay::<Expire>(seconds(1));
    assert_eq!(fired(delayed), [(7, "sell", 0), (7, "sell", 1)]);
    let reminded = simulation().start(|store| {
        store.step(Print {
            row: 1,
            seat: 4,
            may_expire: true,
            reminder: Some(at(5000)),
        });
    });
    assert_eq!(
        fired(reminded.delay::<Remind>(seconds(1))),
        [(1, "remind", 4)]
    );
}

#[test]
fn as_a_function_gives_them() {
    let given = simulation()
        .start(|store| held(store, &[7, 3]))
        .bindings::<Expire>(|db| {
            let first = db
                .place::<Ticket, Held>()
                .find(|ticket| ticket.seat(db) == 0);
            first.map(|ticket| Expire { ticket }).into_iter().collect()
        })
        .bindings::<Remind>(|_| {
            let missing = Remind {
                ticket: Key::new((3, 3)),
            };
            vec![missing]
        });
    assert_eq!(fired(given), [(7, "expire", 0)]);
}

#[test]
fn a_time_after_the_end_of_time_is_never_reached() {
    let report = simulation()
        .start(|store| held(store, &[1 << 40]))
        .run()
        .unwrap();
    assert_eq!((report.idle(), report.fired()), (1, 0));
}

mod clockwork {
    #[ironweave::model]
    pub mod clockwork {
        use ironweave::prelude::*;

        #[entity]
        pub struct Wheel {
            pub turns_at: Timestamp,
        }

        #[event]
        #[create(wheel: Wheel { turns_at = meta.time })]
        pub struct Wound {}

        /// The handler should set another time.
        #[event]
        #[due(wheel.turns_at)]
        #[may(set Wheel.turns_at)]
        pub struct Turn {
            pub wheel: Wheel,
        }
    }

    use ironweave::prelude::*;

    impl Apply for clockwork::Turn {
        fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
            Ok(())
        }
    }
}

#[test]
fn an_event_that_stays_due_is_an_error() {
    use clockwork::clockwork::{Model, Wound};
    let error = Simulation::<Model>::new()
        .start(|store| {
            store.step(Wound {});
        })
        .without::<Wound>()
        .events_at_once_max(50)
        .replications(1)
        .run()
        .unwrap_err();
    let SimulationError::Livelock { events, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(events[0].0, "Turn");
}
