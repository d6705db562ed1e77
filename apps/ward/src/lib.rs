//! The beds of a hospital ward as an HTTP service, as an example of ironweave with axum. `service.rs` has the handlers. The page
//! "Async code" of the guide explains them.

pub mod service;

pub use service::serve;

/// Beds, and the patients in them.
#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    /// A bed of the ward.
    #[entity]
    pub struct Bed {
        /// What is written on it.
        #[key] pub label: String,
    }
    /// The states of a bed.
    #[states(Bed)]
    pub enum BedState {
        /// A patient can be admitted.
        #[initial] #[to(Occupied)] Free,
        /// A patient is in it.
        #[to(Free)] Occupied {
            /// The name of the patient.
            patient: String,
        },
    }

    /// A bed was added.
    #[event]
    #[create(bed: Bed { label })]
    pub struct BedAdded {
        /// What is written on it.
        pub label: String,
    }

    /// A patient was admitted.
    #[event]
    #[guard(super::has_a_name)]
    #[moves(bed: Free -> Occupied { patient })]
    pub struct Admitted {
        /// The bed.
        pub bed: Key<Bed>,
        /// The name of the patient.
        pub patient: String,
    }

    /// A patient was discharged.
    #[event]
    #[moves(bed: Occupied -> Free)]
    pub struct Discharged {
        /// The bed.
        pub bed: Key<Bed>,
    }
}

/// Rejects a patient without a name.
fn has_a_name(event: &model::Admitted, _: &impl ironweave::Db) -> Result<(), ironweave::Reject> {
    match event.patient.trim() {
        "" => Err(ironweave::Reject::new("a patient has a name")),
        _ => Ok(()),
    }
}
