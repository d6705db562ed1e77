// says: `Fre` is not a state of `Bed`: did you mean `Free`?

#[ironweave::model]
pub mod clinic {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        pub floor: u64,
        #[inverse(Bed::ward)]
        pub beds: Many<Bed>,
    }
    #[states(Ward)]
    pub enum WardState {
        #[initial]
        #[to(Closed)]
        Open,
        #[terminal]
        Closed,
    }

    #[entity]
    pub struct Bed {
        pub number: u64,
        pub ward: Ward,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied)]
        Free,
        #[to(Free)]
        Occupied,
    }

    #[event]
    #[choose(bed: ward.beds in Fre by number)]
    #[moves(bed: Free -> Occupied)]
    pub struct Admitted {
        pub ward: Ward,
    }
}

fn main() {}
