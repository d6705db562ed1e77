// The model at the end of the page "Your first model".

#[ironweave::model]
pub mod depot {
    use ironweave::prelude::*;

    /// A parcel to be delivered.
    #[entity]
    pub struct Parcel {
        #[key]
        pub number: u64,
        #[inverse(Van::carries)]
        pub van: Option<Van>,
    }
    #[states(Parcel)]
    pub enum ParcelState {
        #[initial]
        #[to(Loaded)]
        Waiting,
        #[to(Delivered)]
        Loaded,
        #[terminal]
        Delivered { at: Timestamp },
    }

    /// A van that delivers parcels.
    #[entity]
    pub struct Van {
        #[key]
        pub plate: String,
        pub carries: Many<Parcel>,
    }
    #[states(Van)]
    pub enum VanState {
        #[initial]
        #[to(Driving)]
        Parked,
        #[to(Parked)]
        Driving,
    }

    #[event]
    #[create(parcel: Parcel { number })]
    pub struct ParcelArrived {
        pub number: u64,
    }

    #[event]
    #[link(van.carries += parcels)]
    #[moves(van: Parked -> Driving)]
    #[moves(each parcels: Waiting -> Loaded)]
    pub struct VanLoaded {
        pub van: Ensure<Van>,
        pub parcels: Vec<Parcel<Waiting>>,
    }

    #[event]
    #[moves(parcel: Loaded -> Delivered { at = meta.time })]
    pub struct ParcelDelivered {
        pub parcel: Parcel<Loaded>,
    }

    /// Fires as soon as all parcels of the van are delivered.
    #[immediate]
    #[when(all van.carries in Delivered)]
    #[unlink(van.carries -= van.carries)]
    #[moves(van: Driving -> Parked)]
    pub struct VanReturned {
        pub van: Van,
    }
}
