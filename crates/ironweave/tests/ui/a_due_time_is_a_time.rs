// says: `u64` is not a time that an event can be due at

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
        Reserved { until: u64 },
    }

    #[event]
    #[moves(seat: Free -> Reserved { until })]
    pub struct Reserve {
        pub seat: Seat,
        pub until: u64,
    }

    #[event]
    #[due(seat.Reserved.until)]
    #[moves(seat: Reserved -> Free)]
    pub struct Expire {
        pub seat: Seat,
    }
}

fn main() {}
