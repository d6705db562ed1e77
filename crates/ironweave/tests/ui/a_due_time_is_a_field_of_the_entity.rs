// says: `Seat` has no field `until`, but its state `Reserved` has: write `#[due(seat.Reserved.until)]`

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
    #[due(seat.until)]
    #[moves(seat: Reserved -> Free)]
    pub struct Expire {
        pub seat: Seat,
    }

    #[event]
    #[due(seat.close)]
    #[moves(seat: Reserved -> Free)]
    pub struct Close {
        pub seat: Seat,
    }
}

fn main() {}
