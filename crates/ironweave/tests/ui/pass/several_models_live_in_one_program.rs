use ironweave::prelude::*;

/// Where parcels are.
#[ironweave::model]
mod parcels {
    use ironweave::prelude::*;

    #[entity]
    pub struct Parcel {
        pub weight: u32,
    }
    #[states(Parcel)]
    pub enum ParcelState {
        #[initial]
        #[to(Done)]
        Open,
        #[terminal]
        Done,
    }

    #[event]
    #[create(parcel: Parcel { weight })]
    pub struct Added {
        pub weight: u32,
    }
}

/// The same names once more.
#[ironweave::model]
mod letters {
    use ironweave::prelude::*;

    #[entity]
    pub struct Parcel {}
    #[states(Parcel)]
    pub enum ParcelState {
        #[initial]
        #[to(Done)]
        Open,
        #[terminal]
        Done,
    }

    #[event]
    #[create(parcel: Parcel)]
    pub struct Added {}
}

fn main() {
    let mut parcels = Store::<parcels::Model>::memory();
    let mut letters = Store::<letters::Model>::memory();
    let parcel = parcels.step(parcels::Added { weight: 3 }).created.parcel;
    let letter = letters.step(letters::Added).created.parcel;
    assert_eq!(parcel.weight(&parcels), 3);
    assert!(letter.is::<letters::state::Open>(&letters));
    assert_eq!(parcels.count::<parcels::Parcel, parcels::state::Done>(), 0);
}
