//! Beds of wards, and an immediate event that fires when all beds of a ward are taken.

pub use ward::*;

use ironweave::prelude::*;

#[ironweave::model]
pub mod ward {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        /// The data of a link is the day on which the bed was placed.
        #[edge(data = u32)]
        pub beds: Many<Bed>,
    }
    #[states(Ward)]
    pub enum WardState {
        #[initial]
        #[to(Full)]
        Open,
        #[to(Open)]
        Full { since: u64 },
    }
    #[entity]
    pub struct Bed {
        #[key]
        pub number: u64,
        #[inverse(Ward::beds)]
        #[edge(on_delete = unlink)]
        pub wards: Many<Ward>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Taken, Dirty)]
        Free,
        #[to(Dirty, Free)]
        Taken { patient: String, at: Timestamp },
        #[to(Free, Taken)]
        Dirty,
    }

    #[event]
    #[create(ward: Ward { name })]
    pub struct Opened {
        pub name: String,
    }
    #[event]
    #[create(bed: Bed { number })]
    pub struct Bought {
        pub number: u64,
    }
    #[event]
    #[link(ward.beds += bed { data = day })]
    pub struct Placed {
        pub ward: Ward,
        pub bed: Bed,
        pub day: u32,
    }
    #[event]
    #[unlink(ward.beds -= bed)]
    pub struct Removed {
        pub ward: Ward,
        pub bed: Bed,
    }
    #[event]
    #[moves(bed: Free | Dirty -> Taken { patient, at })]
    pub struct Admitted {
        pub bed: Bed,
        pub patient: String,
        pub at: Timestamp,
    }
    #[event]
    #[moves(bed: Taken | Free -> Dirty)]
    pub struct Left {
        pub bed: Bed,
    }
    #[event]
    #[moves(bed: Dirty | Taken -> Free)]
    pub struct Cleaned {
        pub bed: Bed,
    }
    #[event]
    #[delete(bed)]
    pub struct Sold {
        pub bed: Bed,
    }

    #[immediate]
    #[when(all ward.beds in Taken)]
    #[when(any ward.beds in Taken)]
    #[moves(ward: Open -> Full { since = 7 })]
    pub struct Filled {
        pub ward: Ward,
    }
}

/// Creates a ward and two beds, in three transactions.
pub fn opened(store: &mut Store<Model>) -> (Ward, [Bed; 2]) {
    let ward = store.step(Opened { name: "icu".into() }).created.ward;
    let beds = [1, 2].map(|number| store.step(Bought { number }).created.bed);
    (ward, beds)
}

pub fn admitted(bed: Bed, patient: &str) -> Admitted {
    Admitted {
        bed,
        patient: patient.into(),
        at: Timestamp::from_secs(60),
    }
}
