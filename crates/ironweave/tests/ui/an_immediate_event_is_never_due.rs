// says: an immediate event fires as soon as it is enabled: write `#[event]` on `Expire`, which waits for a time

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

    #[immediate]
    #[due(seat.Reserved.until)]
    #[moves(seat: Reserved -> Free)]
    pub struct Expire {
        pub seat: Seat,
    }
}

fn main() {}
