// says: `Expire` is never due: only a `Seat` in `Reserved` has `until`, and the event requires another state

#[ironweave::model]
pub mod theatre {
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        #[key]
        pub number: u64,
        pub closes: Option<Timestamp>,
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
    pub struct Reserve {
        pub seat: Seat,
        pub until: Timestamp,
    }

    #[event]
    #[due(seat.Reserved.until)]
    #[set(seat.closes = None)]
    pub struct Expire {
        pub seat: Seat<Free>,
    }
}

fn main() {}
