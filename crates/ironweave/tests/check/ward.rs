//! Two models: a ward without code of its own, whose entities are created and deleted, and a queue with a guard and a handler that
//! depends on the order of links.

#[ironweave::model]
pub mod ward {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied)]
        Free,
        #[to(Free)]
        Occupied,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        pub urgent: bool,
        pub bed: Option<Bed>,
        #[inverse(Doctor::patients)]
        pub doctors: Many<Doctor>,
    }
    #[states(Patient)]
    pub enum PatientState {
        #[initial]
        #[to(Admitted)]
        Waiting,
        #[to(Discharged)]
        Admitted,
        #[terminal]
        Discharged {
            result: Option<crate::ward::Finding>,
        },
    }

    #[entity]
    pub struct Doctor {
        pub patients: Many<Patient>,
    }
    #[states(Doctor)]
    pub enum DoctorState {
        #[initial]
        #[to(Busy)]
        Idle,
        #[to(Idle)]
        Busy,
    }

    #[event]
    #[create(bed: Bed { number })]
    pub struct BedAdded {
        pub number: u32,
    }

    #[event]
    #[delete(bed)]
    pub struct BedRemoved {
        pub bed: Bed<Free>,
    }

    #[event]
    #[create(patient: Patient { name, urgent })]
    pub struct Arrived {
        pub name: String,
        pub urgent: bool,
    }

    #[event]
    #[link(patient.bed += bed)]
    #[moves(patient: Waiting -> Admitted)]
    #[moves(bed: Free -> Occupied)]
    pub struct PatientAdmitted {
        pub patient: Patient<Waiting>,
        pub bed: Key<Bed>,
    }

    #[event]
    #[create(doctor: Doctor)]
    #[link(doctor.patients += patients)]
    pub struct Hired {
        pub patients: Vec<Patient>,
    }

    #[event]
    #[unlink(doctor.patients -= doctor.patients)]
    #[link(doctor.patients += patient)]
    pub struct Reassigned {
        pub doctor: Doctor,
        pub patient: Option<Patient>,
    }

    #[event]
    #[moves(patient.bed: Occupied -> Free)]
    #[unlink(patient.bed -= patient.bed)]
    #[moves(patient: Admitted -> Discharged { result })]
    pub struct PatientDischarged {
        pub patient: Patient,
        pub result: Option<crate::ward::Finding>,
    }

    #[immediate]
    #[when(any doctor.patients in Admitted)]
    #[moves(doctor: Idle -> Busy)]
    pub struct BecameBusy {
        pub doctor: Doctor,
    }

    #[immediate]
    #[when(none doctor.patients in Admitted)]
    #[moves(doctor: Busy -> Idle)]
    pub struct BecameIdle {
        pub doctor: Doctor,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Finding {
    Healthy,
    Unclear,
}

#[ironweave::model]
pub mod queue {
    use ironweave::prelude::*;

    #[entity]
    pub struct Counter {
        #[key]
        pub name: String,
        pub waiting: Many<Person>,
        pub served: u8,
    }

    #[entity]
    pub struct Person {
        pub is_child: bool,
        #[inverse(Counter::waiting)]
        pub counter: Option<Counter>,
    }
    #[states(Person)]
    pub enum PersonState {
        #[initial]
        #[to(Served)]
        Waiting,
        #[to(Waiting)]
        Served,
    }

    #[event]
    #[create(counter: Counter { name, served = 0 })]
    pub struct Opened {
        pub name: String,
    }

    #[event]
    #[create(person: Person { is_child })]
    #[link(counter.waiting += person)]
    pub struct Came {
        pub counter: Counter,
        pub is_child: bool,
    }

    #[event]
    #[guard(crate::ward::has_room)]
    #[link(counter.waiting += person)]
    #[moves(person: Served -> Waiting)]
    pub struct CameBack {
        pub person: Person<Served>,
        pub counter: Counter,
    }

    #[event]
    #[may(Person: Waiting -> Served)]
    #[may(unlink Counter.waiting)]
    #[may(set Counter.served)]
    pub struct Called {
        pub counter: Counter,
    }
}

pub fn has_room(event: &queue::CameBack, db: &impl ironweave::Db) -> Result<(), ironweave::Reject> {
    if event.counter.waiting(db).count() < 2 {
        Ok(())
    } else {
        Err(ironweave::Reject::new("two are waiting"))
    }
}

impl ironweave::Apply for queue::Called {
    fn apply(
        &self,
        bound: ironweave::Bound<Self>,
        tx: &mut ironweave::Tx<'_, Self>,
    ) -> Result<(), ironweave::Reject> {
        let counter = bound.counter;
        let first = counter.waiting(tx).next();
        let Some(person) = first.and_then(|person| person.in_state::<queue::state::Waiting>(tx))
        else {
            return Err(ironweave::Reject::new("no person is waiting"));
        };
        counter.unlink_waiting(tx, &person)?;
        person.to_served(tx)?;
        let served = counter.served(tx);
        counter.set_served(tx, (served + 1) % 2)
    }
}
