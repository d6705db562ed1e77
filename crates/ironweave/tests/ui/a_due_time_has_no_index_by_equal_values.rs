// says: `closes` has `#[index]`, which does not know what comes first: write `#[index(ordered)]`

#[ironweave::model]
pub mod theatre {
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        #[key]
        pub number: u64,
        #[index]
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
    #[due(seat.closes)]
    #[set(seat.closes = None)]
    pub struct Expire {
        pub seat: Seat,
    }
}

fn main() {}
