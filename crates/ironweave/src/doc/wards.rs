// The model of the examples of queries in the documentation: the beds of a hospital.

/// Patients in the beds of wards.
#[ironweave::model]
pub mod wards {
    use ironweave::prelude::*;

    /// A ward.
    #[entity]
    pub struct Ward {
        /// Its name.
        #[key]
        pub name: String,
        /// Its beds.
        #[inverse(Bed::ward)]
        pub beds: Many<Bed>,
    }

    /// A bed.
    #[entity]
    pub struct Bed {
        /// The number on it.
        #[key]
        pub number: u32,
        /// The ward that it stands in.
        pub ward: Ward,
        /// The patient in it.
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }

    /// The states of a bed.
    #[states(Bed)]
    pub enum BedState {
        /// Nobody is in it.
        #[initial]
        #[to(Occupied)]
        Free,
        /// A patient is in it.
        #[to(Free)]
        Occupied,
    }

    /// A patient.
    #[entity]
    pub struct Patient {
        /// The number of the admission.
        #[key]
        pub number: u64,
        /// The age in years.
        #[index(ordered)]
        pub age: u32,
        /// The bed of the patient, if there is one.
        pub bed: Option<Bed>,
        /// The doctors of the patient.
        pub doctors: Many<Doctor>,
    }

    /// A doctor.
    #[entity]
    pub struct Doctor {
        /// The name.
        #[key]
        pub name: String,
        /// The patients of the doctor.
        #[inverse(Patient::doctors)]
        pub patients: Many<Patient>,
    }

    /// A bed is set up in a ward.
    #[event]
    #[create(bed: Bed { number })]
    #[link(bed.ward += ward)]
    pub struct SetUp {
        /// The number on the bed.
        pub number: u32,
        /// The ward.
        pub ward: Ensure<Ward>,
    }

    /// A patient is admitted, and perhaps assigned to doctors.
    #[event]
    #[create(patient: Patient { number, age })]
    #[link(patient.doctors += doctors)]
    pub struct Admitted {
        /// The number of the admission.
        pub number: u64,
        /// The age in years.
        pub age: u32,
        /// The doctors.
        pub doctors: Vec<Ensure<Doctor>>,
    }

    /// A patient is brought to a free bed.
    #[event]
    #[moves(bed: Free -> Occupied)]
    #[link(patient.bed += bed)]
    pub struct Bedded {
        /// The patient.
        pub patient: Key<Patient>,
        /// The bed.
        pub bed: Key<Bed>,
    }
}
