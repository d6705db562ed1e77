// says: `number` is a part of the key of `Seat`, which never changes: declare the time as another field

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
    #[due(seat.number)]
    #[moves(seat: Reserved -> Free)]
    pub struct Expire {
        pub seat: Seat,
    }
}

fn main() {}
