//! Seats that are reserved for a time, tasks with deadlines and reminders, and leases that renew themselves.

pub use model::state::*;
pub use model::*;

use std::time::Duration;

use ironweave::prelude::*;
use ironweave::{DueReport, Guarded, ManualClock, Tx};

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        #[key]
        pub number: u64,
    }
    #[states(Seat)]
    pub enum SeatState {
        #[initial]
        #[to(Reserved)]
        Free,
        #[to(Free, Sold)]
        Reserved { until: Timestamp, guest: String },
        #[terminal]
        Sold,
    }

    #[entity]
    pub struct Person {
        #[key]
        pub name: String,
        #[inverse(Task::owner)]
        pub tasks: Many<Task>,
    }
    #[states(Person)]
    pub enum PersonState {
        #[initial]
        #[to(Away)]
        Present,
        #[to(Present)]
        Away,
    }

    #[entity]
    pub struct Task {
        #[key]
        pub name: String,
        pub deadline: Option<Timestamp>,
        pub remind_at: Option<Timestamp>,
        pub owner: Person,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Late, Done)]
        Open,
        #[to(Open, Done)]
        Late,
        #[to(Open)]
        Done,
    }

    #[entity]
    pub struct Lease {
        #[key]
        pub client: String,
        #[key]
        pub number: u64,
        pub renew_at: Timestamp,
        /// In seconds.
        pub period: u32,
    }

    #[event]
    #[moves(seat: Free -> Reserved { until, guest })]
    pub struct Reserve {
        pub seat: Ensure<Seat>,
        pub until: Timestamp,
        pub guest: String,
    }
    #[event]
    #[set(seat.Reserved.until = until)]
    pub struct Prolong {
        pub seat: Key<Seat>,
        pub until: Timestamp,
    }
    #[event]
    #[moves(seat: Reserved -> Sold)]
    pub struct Sell {
        pub seat: Key<Seat>,
    }
    #[event]
    #[delete(seat)]
    pub struct Remove {
        pub seat: Key<Seat>,
    }
    #[event]
    #[due(seat.Reserved.until)]
    #[moves(seat: Reserved -> Free)]
    pub struct Expire {
        pub seat: Seat,
    }

    #[event]
    #[create(task: Task { name, deadline, remind_at })]
    #[link(task.owner += owner)]
    pub struct Assign {
        pub name: String,
        pub owner: Ensure<Person>,
        pub deadline: Option<Timestamp>,
        pub remind_at: Option<Timestamp>,
    }
    #[event]
    #[set(task.deadline = deadline)]
    #[set(task.remind_at = remind_at)]
    pub struct Plan {
        pub task: Key<Task>,
        pub deadline: Option<Timestamp>,
        pub remind_at: Option<Timestamp>,
    }
    #[event]
    #[moves(task: Open | Late -> Done)]
    pub struct Finish {
        pub task: Key<Task>,
    }
    #[event]
    #[moves(task: Late | Done -> Open)]
    pub struct Reopen {
        pub task: Key<Task>,
    }
    #[event]
    #[due(task.deadline)]
    #[moves(task: Open -> Late)]
    pub struct Miss {
        pub task: Task<Open>,
    }
    /// Rejected while the owner is away.
    #[event]
    #[due(task.remind_at)]
    #[set(task.remind_at = None)]
    #[when(none task in Done)]
    #[when(all task.owner in Present)]
    pub struct Remind {
        pub task: Key<Task>,
    }
    #[event]
    #[moves(person: Present -> Away)]
    pub struct Leave {
        pub person: Ensure<Person>,
    }
    #[event]
    #[moves(person: Away -> Present)]
    pub struct Return {
        pub person: Key<Person>,
    }

    #[event]
    #[create(lease: Lease { client, number, renew_at, period })]
    pub struct Grant {
        pub client: String,
        pub number: u64,
        pub renew_at: Timestamp,
        pub period: u32,
    }
    #[event]
    #[due(lease.renew_at)]
    #[guard(crate::desk::may_renew)]
    #[may(set Lease.renew_at, create Lease, delete Lease)]
    pub struct Renew {
        pub lease: Key<Lease>,
    }
}

pub fn secs(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// A client called "panic" has a guard that panics, and one called "never" is rejected.
pub fn may_renew(_: &Renew, db: &Guarded<'_, Renew>) -> Result<(), Reject> {
    let client = db.named().lease.client(db);
    assert_ne!(client, "panic", "a guard of user code");
    match client {
        "never" => Err(Reject::new("never renewed")),
        _ => Ok(()),
    }
}

impl Apply for Renew {
    /// Sets the next time, a period after the last one. A lease with a period of 1 is not renewed, but replaced.
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let lease = bound.lease;
        let (last, period) = (lease.renew_at(tx), lease.period(tx));
        let next = last + Duration::from_secs(period.into());
        if period != 1 {
            return lease.set_renew_at(tx, next);
        }
        let new = NewLease {
            client: lease.client(tx).to_owned(),
            number: lease.number(tx) + 1,
            renew_at: next,
            period,
        };
        tx.create(new)?;
        lease.delete(tx)
    }
}

/// A store whose clock is at 1000 seconds, and the clock.
pub fn store() -> (Store<Model>, ManualClock) {
    let clock = ManualClock::starting_at(secs(1000));
    let options = Store::<Model>::options().clock(clock.clone());
    (options.paranoid().memory(), clock)
}

pub fn reserve(seat: u64, until: i64) -> Reserve {
    Reserve {
        seat: seat.into(),
        until: secs(until),
        guest: "Ada".into(),
    }
}

pub fn grant(client: &str, renew_at: i64, period: u32) -> Grant {
    Grant {
        client: client.into(),
        number: 1,
        renew_at: secs(renew_at),
        period,
    }
}

/// What is due, as text: `1010 Expire Seat 7`.
pub fn due(store: &Store<Model>, now: i64) -> Vec<String> {
    let due = store.due(secs(now));
    due.map(|due| format!("{} {} {}", due.time.as_secs(), due.event.name(), due.entity))
        .collect()
}

/// What has fired, as text.
pub fn fired(report: &DueReport<Model>) -> Vec<String> {
    let fired = report.fired.iter();
    fired
        .map(|fired| format!("{} {} {}", fired.time.as_secs(), fired.event, fired.entity))
        .collect()
}
