//! The beds of a hospital: patients are given a free bed, transfers need two approvals and hold a bed for a while, and what waits
//! too long goes to the next ward. Run it with `cargo run --example hospital`.
//!
//! The model chooses beds, counts, compares and knows deadlines, so the program keeps none of it by hand.
#![allow(missing_docs)]

use std::time::Duration;
use std::{error::Error, io};

use hospital::{state::*, *};
use ironweave::ManualClock;
use ironweave::prelude::*;

#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod hospital {
    use std::time::Duration;
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        pub staffed: u32,                               // at most so many beds are occupied
        pub overflow: Option<Ward>,                     // where transfers go that wait too long
        #[inverse(Ward::overflow)]
        pub overflow_of: Many<Ward>,
        pub beds: Many<Bed>,
        #[inverse(Transfer::target)]
        pub incoming: Many<Transfer>,
    }

    #[entity]
    pub struct Bed {
        pub number: u32,
        #[inverse(Ward::beds)]
        pub ward: Ward,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
        #[inverse(Transfer::bed)]
        pub held_for: Option<Transfer>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial] #[to(Occupied, Held)] Free,
        #[to(Free, Occupied)] Held,
        #[to(Cleaning)] Occupied,
        #[to(Free)] Cleaning,
    }

    #[entity]
    pub struct Doctor {
        #[key]
        pub name: String,
        #[inverse(Transfer::approved_by)]
        pub approved: Many<Transfer>,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
        #[index(ordered)]
        pub urgency: u8,
        pub bed: Option<Bed>,
        #[inverse(Transfer::patient)]
        pub transfers: Many<Transfer>,
    }
    #[states(Patient)]
    pub enum PatientState {
        #[initial] #[to(Discharged)] Admitted,
        #[terminal] Discharged { at: Timestamp },
    }

    /// A patient is to be moved to another ward.
    #[entity]
    pub struct Transfer {
        pub urgency: u8,
        pub hold: Duration,                             // how long a bed is held for it
        pub patient: Patient,
        pub target: Ward,
        pub approved_by: Many<Doctor>,
        pub bed: Option<Bed>,
    }
    #[states(Transfer)]
    pub enum TransferState {
        #[initial] #[to(Approved)] Requested,
        #[to(Reserved, Approved)] Approved { escalate: Timestamp },
        #[to(Done, Expired)] Reserved { until: Timestamp },
        #[terminal] Done,
        #[terminal] Expired,
    }

    #[event]
    #[create(ward: Ward { name, staffed })]
    #[link(ward.overflow += overflow)]
    pub struct WardOpened { pub name: String, pub staffed: u32, pub overflow: Option<Key<Ward>> }

    #[event]
    #[create(bed: Bed { number })]
    #[link(bed.ward += ward)]
    pub struct BedAdded { pub ward: Key<Ward>, pub number: u32 }

    /// The free bed with the smallest number, if the ward has the staff for one more patient.
    #[event]
    #[choose(bed: ward.beds in Free by number)]
    #[when(count ward.beds in Occupied < ward.staffed)]
    #[create(patient: Patient { name, urgency })]
    #[link(patient.bed += bed)]
    #[moves(bed: Free -> Occupied)]
    pub struct PatientAdmitted { pub name: String, pub urgency: u8, pub ward: Key<Ward> }

    #[event]
    #[unlink(patient.bed -= patient.bed)]
    #[moves(each patient.bed: Occupied -> Cleaning)]
    #[moves(patient: Admitted -> Discharged { at = meta.time })]
    pub struct PatientDischarged { pub patient: Key<Patient> }

    #[event]
    #[moves(bed: Cleaning -> Free)]
    pub struct BedCleaned { pub bed: Bed<Cleaning> }

    #[event]
    #[when(all patient in Admitted)]
    #[create(transfer: Transfer { urgency = patient.urgency, hold })]
    #[link(transfer.patient += patient)]
    #[link(transfer.target += target)]
    pub struct TransferRequested { pub patient: Key<Patient>, pub target: Key<Ward>, pub hold: Duration }

    /// Two doctors must approve. A doctor who approves twice is rejected, because links are a set.
    #[event]
    #[link(transfer.approved_by += doctor)]
    pub struct TransferSigned { pub transfer: Transfer, pub doctor: Ensure<Doctor> }

    #[immediate]
    #[when(count transfer.approved_by >= 2)]
    #[moves(transfer: Requested -> Approved { escalate = meta.time + transfer.hold })]
    pub struct TransferApproved { pub transfer: Transfer }

    /// The most urgent transfer gets the first bed that becomes free in its target.
    #[immediate(by = transfer.urgency desc)]
    #[choose(bed: transfer.target.beds in Free by number)]
    #[link(transfer.bed += bed)]
    #[moves(bed: Free -> Held)]
    #[moves(transfer: Approved -> Reserved { until = meta.time + transfer.hold })]
    pub struct BedReserved { pub transfer: Transfer }

    /// The patient moves into the bed that is held.
    #[event]
    #[moves(each transfer.patient.bed: Occupied -> Cleaning)]
    #[relink(transfer.patient.bed += transfer.bed)]
    #[moves(each transfer.bed: Held -> Occupied)]
    #[unlink(transfer.bed -= transfer.bed)]
    #[moves(transfer: Reserved -> Done)]
    pub struct PatientMoved { pub transfer: Transfer<Reserved> }

    /// No one has come: the bed is free again.
    #[event]
    #[due(transfer.Reserved.until)]
    #[moves(each transfer.bed: Held -> Free)]
    #[unlink(transfer.bed -= transfer.bed)]
    #[moves(transfer: Reserved -> Expired)]
    pub struct ReservationExpired { pub transfer: Transfer }

    /// No bed has become free: the next ward is asked.
    #[event]
    #[due(transfer.Approved.escalate)]
    #[relink(transfer.target += transfer.target.overflow)]
    #[moves(transfer: Approved -> Approved { escalate = meta.time + transfer.hold })]
    pub struct TransferEscalated { pub transfer: Transfer }

    #[invariant(Bed, via = [patient], super::occupied_means_a_patient)]
    pub struct OccupiedMeansAPatient;
}

fn occupied_means_a_patient(bed: Bed, db: &impl Db) -> Result<(), Reject> {
    if bed.is::<Occupied>(db) == bed.patient(db).is_some() {
        return Ok(());
    }
    Err(Reject::new(
        "a bed is occupied if and only if it has a patient",
    ))
}

/// Prints each ward with its beds, and each transfer.
fn show(store: &Store<hospital::Model>, out: &mut dyn io::Write) -> io::Result<()> {
    for ward in store.place::<Ward, Any>() {
        write!(out, "  {}:", ward.name(store))?;
        for bed in ward.beds(store) {
            let who = match (bed.patient(store), bed.held_for(store)) {
                (Some(patient), _) => format!(" {}", patient.name(store)),
                (None, Some(transfer)) => format!(" for {}", transfer.patient(store).name(store)),
                (None, None) => String::new(),
            };
            write!(out, " [{} {}{who}]", bed.number(store), bed.state(store))?;
        }
        writeln!(out)?;
    }
    for transfer in store.place::<Transfer, Any>() {
        let (patient, ward) = (transfer.patient(store), transfer.target(store));
        let (patient, ward) = (patient.name(store), ward.name(store));
        writeln!(out, "  {patient} to {ward}: {}", transfer.state(store))?;
    }
    Ok(())
}

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::starting_at("2026-03-01T08:00:00Z".parse()?);
    let options = Store::<hospital::Model>::options();
    let mut store = options.clock(clock.clone()).memory();
    for (name, staffed, overflow, beds) in [
        ("hall", 9, None, 4),
        ("icu", 2, Some("hall".into()), 2),
        ("er", 2, None, 3),
    ] {
        let name: String = name.into();
        store.try_step(WardOpened {
            name: name.clone(),
            staffed,
            overflow,
        })?;
        for number in 1..=beds {
            store.try_step(BedAdded {
                ward: name.as_str().into(),
                number,
            })?;
        }
    }
    writeln!(out, "three patients come, and the staff is enough for two")?;
    for (name, urgency) in [("ada", 5), ("bob", 9), ("eve", 1)] {
        let name = name.into();
        match store.try_step(PatientAdmitted {
            name,
            urgency,
            ward: "er".into(),
        }) {
            Ok(admitted) => {
                let bed = admitted.bound.bed;
                let patient = admitted.created.patient.name(&store);
                writeln!(out, "  {patient} has bed {}", bed.number(&store))?;
            }
            Err(refused) => writeln!(out, "  {refused}")?,
        }
    }
    for name in ["zoe", "max"] {
        let (name, ward) = (name.into(), "icu".into());
        store.try_step(PatientAdmitted {
            name,
            urgency: 3,
            ward,
        })?;
    }
    writeln!(
        out,
        "two are to go to the icu, which is full, and two doctors approve"
    )?;
    let minutes = |n: u64| Duration::from_secs(60 * n);
    for (name, hold) in [("ada", minutes(20)), ("bob", minutes(30))] {
        let (patient, target) = (name.into(), "icu".into());
        let request = TransferRequested {
            patient,
            target,
            hold,
        };
        let transfer = store.try_step(request)?.created.transfer;
        for doctor in ["meyer", "okafor"] {
            store.try_step(TransferSigned {
                transfer,
                doctor: doctor.into(),
            })?;
        }
    }
    show(&store, out)?;

    writeln!(
        out,
        "zoe goes home, and her bed is held for bob, who is more urgent"
    )?;
    store.try_step(PatientDischarged {
        patient: "zoe".into(),
    })?;
    let bed = store.place::<Bed, Cleaning>().next();
    let bed = bed.ok_or("a bed is to be cleaned")?;
    store.try_step(BedCleaned { bed })?;
    show(&store, out)?;

    writeln!(
        out,
        "ada has waited long enough and goes on to the hall, and no one has come for bob"
    )?;
    clock.advance(minutes(30));
    let report = store.fire_due(clock.now())?;
    for fired in &report.fired {
        writeln!(
            out,
            "  {} {}, due at {}",
            fired.event, fired.entity, fired.time
        )?;
    }
    show(&store, out)?;

    writeln!(out, "ada moves")?;
    let reserved = store.place::<Transfer, Reserved>().next();
    let reserved = reserved.ok_or("a bed is held")?;
    store.try_step(PatientMoved { transfer: reserved })?;
    show(&store, out)?;
    Ok(())
}

#[allow(dead_code)] // the test that compares the output has its own `main`
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}
