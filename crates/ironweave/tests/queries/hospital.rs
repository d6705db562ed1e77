//! The model: patients in the beds of wards, with an index of each kind, and edges of each cardinality.

#[ironweave::model]
pub mod hospital {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub hospital: u32,
        #[key]
        pub name: String,
        #[index(ordered)]
        #[default]
        pub rank: i64,
        #[inverse(Bed::ward)]
        #[edge(on_delete = cascade)]
        pub beds: Many<Bed>,
    }

    #[entity]
    #[index(ordered, fields = [ward, number], while = Free | Broken)]
    #[index(ordered, name = by_since, fields = [ward, Occupied.since])]
    pub struct Bed {
        #[key]
        pub number: u64,
        #[index]
        pub colour: Option<String>,
        #[default]
        pub weight: f64,
        #[edge(on_delete = unlink)]
        pub ward: Ward,
        #[inverse(Patient::bed)]
        #[edge(on_delete = unlink)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied, Broken)]
        Free,
        #[to(Free, Broken)]
        Occupied {
            #[index(ordered)]
            since: u64,
        },
        #[to(Free)]
        Broken,
    }

    #[entity]
    #[index(ordered, fields = [name, age])]
    #[index(fields = [age, name])]
    pub struct Patient {
        pub name: String,
        #[index(ordered)]
        pub age: Option<i64>,
        #[edge(on_delete = unlink)]
        pub bed: Option<Bed>,
        #[edge(on_delete = unlink)]
        pub doctors: Many<Doctor>,
        #[edge(on_delete = unlink)]
        pub contacts: Many<Patient>,
        #[inverse(Patient::contacts)]
        #[edge(on_delete = unlink)]
        pub contact_of: Many<Patient>,
    }

    #[entity]
    pub struct Doctor {
        #[key]
        pub name: String,
        #[inverse(Patient::doctors)]
        #[edge(on_delete = unlink)]
        pub patients: Many<Patient>,
    }

    #[event]
    #[create(ward: Ward { hospital, name, rank })]
    pub struct WardOpened {
        pub hospital: u32,
        pub name: String,
        pub rank: i64,
    }

    #[event]
    #[create(bed: Bed { number, colour, weight })]
    #[link(bed.ward += ward)]
    pub struct BedBought {
        pub number: u64,
        pub colour: Option<String>,
        pub weight: f64,
        pub ward: Ward,
    }

    #[event]
    #[create(patient: Patient { name, age })]
    pub struct Admitted {
        pub name: String,
        pub age: Option<i64>,
    }

    #[event]
    #[create(doctor: Doctor { name })]
    pub struct Hired {
        pub name: String,
    }

    #[event]
    #[moves(bed: Free -> Occupied { since })]
    #[relink(patient.bed += bed)]
    pub struct Bedded {
        pub patient: Patient,
        pub bed: Bed,
        pub since: u64,
    }

    #[event]
    #[moves(bed: Free | Occupied -> Broken)]
    pub struct Broke {
        pub bed: Bed,
    }

    #[event]
    #[moves(bed: Broken | Occupied -> Free)]
    pub struct Freed {
        pub bed: Bed,
    }

    #[event]
    #[link(patient.doctors += doctor)]
    pub struct Assigned {
        pub patient: Patient,
        pub doctor: Doctor,
    }

    #[event]
    #[unlink(patient.doctors -= doctor)]
    pub struct Unassigned {
        pub patient: Patient,
        pub doctor: Doctor,
    }

    #[event]
    #[link(patient.contacts += other)]
    pub struct Met {
        pub patient: Patient,
        pub other: Patient,
    }

    #[event]
    #[set(patient.age = age)]
    pub struct Aged {
        pub patient: Patient,
        pub age: Option<i64>,
    }

    #[event]
    #[set(bed.colour = colour)]
    #[set(bed.weight = weight)]
    pub struct Painted {
        pub bed: Bed,
        pub colour: Option<String>,
        pub weight: f64,
    }

    #[event]
    #[relink(bed.ward += ward)]
    pub struct Rolled {
        pub bed: Bed,
        pub ward: Ward,
    }

    #[event]
    #[delete(patient)]
    pub struct Discharged {
        pub patient: Patient,
    }

    #[event]
    #[delete(bed)]
    pub struct Scrapped {
        pub bed: Bed,
    }

    #[event]
    #[delete(doctor)]
    pub struct Left {
        pub doctor: Doctor,
    }

    #[event]
    #[delete(ward)]
    pub struct WardClosed {
        pub ward: Ward,
    }

    #[event]
    #[may(Bed: Free -> Broken)]
    pub struct Inspected {
        pub ward: Ward,
    }
}

use ironweave::prelude::*;

impl Apply for hospital::Inspected {
    /// All beds of the ward break but one.
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        use hospital::Bed;
        use hospital::state::Free;
        let free = Bed::WARD.is(bound.ward) & Bed::in_place::<Free>();
        while free.count(tx) > 1 {
            let page = free
                .page(tx, None, 2)
                .map_err(|e| Reject::new(e.to_string()))?;
            for bed in page.items.into_iter().skip(1) {
                if let Some(bed) = bed.in_state::<Free>(tx) {
                    bed.to_broken(tx)?;
                }
            }
        }
        Ok(())
    }
}
