use ironweave::prelude::*;
use ironweave::{Guarded, Tx};
use theatre::*;

#[ironweave::model]
pub mod theatre {
    use ironweave::prelude::*;

    pub type Deadline = Option<Timestamp>;

    #[entity]
    pub struct Seat {
        #[key]
        pub row: String,
        #[key]
        pub number: u64,
        #[index(ordered)]
        #[default]
        pub closes: Option<Timestamp>,
        #[default]
        pub cleaned: Deadline,
    }
    #[states(Seat)]
    pub enum SeatState {
        #[initial]
        #[to(Reserved)]
        Free,
        #[to(Free, Reserved)]
        Reserved { until: Timestamp },
    }

    #[event]
    #[moves(seat: Free -> Reserved { until })]
    #[set(seat.closes = closes)]
    pub struct Reserve {
        pub seat: Ensure<Seat>,
        pub until: Timestamp,
        pub closes: Option<Timestamp>,
    }
    #[event]
    #[due(seat.Reserved.until)]
    #[guard(crate::is_in_a_row)]
    #[moves(seat: Reserved -> Free)]
    pub struct Expire {
        pub seat: Seat<Reserved>,
    }
    /// A move to the same state gives it another time.
    #[event]
    #[due(seat.Reserved.until)]
    #[moves(seat: Reserved -> Reserved { until = meta.time })]
    pub struct Prolong {
        pub seat: Seat,
    }
    #[event]
    #[due(seat.closes)]
    #[delete(seat)]
    pub struct Close {
        pub seat: Key<Seat>,
    }
    #[event]
    #[due(seat.cleaned)]
    #[may(set Seat.cleaned)]
    pub struct Clean {
        pub seat: Seat,
    }
}

impl Apply for Clean {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        bound.seat.set_cleaned(tx, None)
    }
}

fn is_in_a_row(_: &Expire, db: &Guarded<'_, Expire>) -> Result<(), Reject> {
    match db.named().seat.row(db) {
        "" => Err(Reject::new("it has no row")),
        _ => Ok(()),
    }
}

fn main() {
    let mut store = Store::<theatre::Model>::memory();
    let time = Timestamp::from_secs;
    store.step(Reserve {
        seat: ("A", 7).into(),
        until: time(5),
        closes: Some(time(9)),
    });
    let names = |store: &Store<theatre::Model>| -> Vec<_> {
        store.due(time(9)).map(|due| due.event.name()).collect()
    };
    assert_eq!(names(&store), ["Expire", "Prolong", "Close"]);
    assert_eq!(Seat::by_closes_range(&store, ..).count(), 1);
    let report = store.fire_due(time(9)).unwrap();
    assert_eq!(report.fired.len(), 2);
    assert_eq!(store.count::<Seat, Any>(), 0);
}
