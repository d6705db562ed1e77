//! `choose(..)` binds a name to the first of some candidates.

use std::collections::BTreeSet;

use ironweave::prelude::*;
use ironweave::{ErrorKind, Guarded};

use super::{assert_sound, reopened, temp_dir};

#[ironweave::model]
pub mod hospital {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        pub level: u8,
        pub beds: Many<Bed>,
    }

    #[entity]
    pub struct Bed {
        #[index(ordered)]
        pub number: u16,
        #[index]
        pub kind: String,
        pub level: u8,
        #[inverse(Ward::beds)]
        #[edge(on_delete = unlink)]
        pub ward: Option<Ward>,
        #[inverse(Patient::bed)]
        #[edge(on_delete = unlink)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied, Cleaning, Free)]
        Free,
        #[to(Cleaning)]
        Occupied,
        #[to(Free)]
        Cleaning {
            #[index(ordered)]
            dirt: u8,
        },
    }

    #[entity]
    pub struct Patient {
        pub level: u8,
        pub bed: Option<Bed>,
    }
    #[states(Patient)]
    pub enum PatientState {
        #[initial]
        #[to(Admitted)]
        Waiting,
        #[to(Waiting)]
        Admitted,
    }

    #[event]
    #[create(ward: Ward { name, level })]
    pub struct WardOpened {
        pub name: String,
        pub level: u8,
    }

    #[event]
    #[create(bed: Bed { number, kind, level })]
    #[link(ward.beds += bed)]
    pub struct BedAdded {
        pub ward: Ward,
        pub number: u16,
        pub kind: String,
        pub level: u8,
    }

    #[event]
    #[delete(bed)]
    pub struct BedRemoved {
        pub bed: Bed,
    }

    #[event]
    #[moves(bed: Occupied -> Cleaning { dirt })]
    #[unlink(bed.patient -= bed.patient)]
    pub struct BedLeft {
        pub bed: Bed,
        pub dirt: u8,
    }

    #[event]
    #[create(patient: Patient { level })]
    pub struct PatientCame {
        pub level: u8,
    }

    /// From a path, by a field.
    #[event]
    #[choose(bed: ward.beds in Free by number)]
    #[moves(patient: Waiting -> Admitted)]
    #[moves(bed: Free -> Occupied)]
    #[link(patient.bed += bed)]
    #[guard(super::not_thirteen)]
    pub struct PatientAdmitted {
        pub patient: Patient<Waiting>,
        pub ward: Ward,
    }

    /// From a place, by slot, with a condition on a bound entity.
    #[event]
    #[choose(bed: Bed in Free where level >= patient.level, number != 13)]
    #[moves(patient: Waiting -> Admitted)]
    #[moves(bed: Free -> Occupied)]
    #[link(patient.bed += bed)]
    pub struct PatientAdmittedAnywhere {
        pub patient: Patient,
    }

    /// From a place in the order of an index, from the greatest value on.
    #[event]
    #[choose(bed: Bed in Free | Cleaning where number <= most by number desc)]
    pub struct LastBedFound {
        pub most: u16,
    }

    /// From a place by an index of equal values, in an order that has no index.
    #[event]
    #[choose(bed: Bed in Free where kind == kind by level desc)]
    pub struct BedOfKindFound {
        pub kind: String,
    }

    /// By data of a state, which all candidates have.
    #[event]
    #[choose(bed: Bed in Cleaning where dirt < 9 by dirt desc)]
    pub struct DirtyFound {}

    /// By data of a state, which only some candidates have.
    #[event]
    #[choose(bed: Bed in Free | Cleaning by Cleaning.dirt desc)]
    pub struct DirtiestFound {}

    /// Two in written order, of which the second sees the first.
    #[event]
    #[choose(ward: Ward in Exists where level >= least by level)]
    #[choose(bed: ward.beds in Free where level > ward.level - 1 by number)]
    #[when(bed.number < 100)]
    pub struct BedFound {
        pub least: u8,
    }

    #[event]
    #[choose(beds: n of ward.beds in Free by number)]
    #[moves(each beds: Free -> Cleaning { dirt = 1 })]
    pub struct BedsCleaned {
        pub ward: Ward,
        pub n: i8,
    }

    #[event]
    #[choose(beds: up to 2 of Bed in Cleaning)]
    #[moves(each beds: Cleaning -> Free)]
    pub struct BedsFreed {}

    /// A handler may follow.
    #[event]
    #[choose(bed: among in Free by number desc)]
    #[may(set Bed.level)]
    pub struct BedRaised {
        pub among: Vec<Bed>,
    }
}

impl Apply for hospital::BedRaised {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let level = bound.bed.level(tx);
        bound.bed.set_level(tx, level + 1)
    }
}

fn not_thirteen(
    _: &hospital::PatientAdmitted,
    db: &Guarded<'_, hospital::PatientAdmitted>,
) -> Result<(), Reject> {
    match db.named().bed.number(db) {
        13 => Err(Reject::new("it brings bad luck")),
        _ => Ok(()),
    }
}

use hospital::*;

type Hospital = Store<hospital::Model>;

fn ward(store: &mut Hospital, name: &str, level: u8) -> Ward {
    let name = name.into();
    store.step(WardOpened { name, level }).created.ward
}

fn bed(store: &mut Hospital, ward: Ward, number: u16, kind: &str, level: u8) -> Bed {
    let kind = kind.into();
    let added = BedAdded {
        ward,
        number,
        kind,
        level,
    };
    store.step(added).created.bed
}

fn patient(store: &mut Hospital, level: u8) -> Patient<state::Waiting> {
    let patient = store.step(PatientCame { level }).created.patient;
    patient.in_state(store).expect("waiting")
}

/// A ward with the beds 30, 10 and 20, which is not their order.
fn small() -> (Hospital, Ward, [Bed; 3]) {
    let mut store = Store::<hospital::Model>::options().paranoid().memory();
    let icu = ward(&mut store, "icu", 3);
    let beds = [30, 10, 20].map(|number| bed(&mut store, icu, number, "plain", 3));
    (store, icu, beds)
}

#[test]
fn the_least_value_is_chosen_and_the_name_is_used_by_other_arcs() {
    let (mut store, ward, [thirty, ten, twenty]) = small();
    for expected in [ten, twenty, thirty] {
        let patient = patient(&mut store, 1);
        let bound = store.step(PatientAdmitted { patient, ward }).bound;
        // The receipt has a token after the declared move.
        let occupied: Bed<state::Occupied> = bound.bed;
        assert_eq!(occupied.any(), expected);
        assert_eq!(bound.patient.bed(&store), Some(expected));
    }
    let patient = patient(&mut store, 1);
    let error = store
        .try_step(PatientAdmitted { patient, ward })
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "PatientAdmitted: there is nothing to choose as `bed`: `choose(bed: ward.beds in Free by number)` finds no entity"
    );
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert_sound(&store);
}

#[test]
fn guards_see_what_is_chosen() {
    let (mut store, ..) = small();
    let unlucky = self::ward(&mut store, "cellar", 1);
    bed(&mut store, unlucky, 13, "plain", 1);
    let patient = patient(&mut store, 1);
    let event = PatientAdmitted {
        patient,
        ward: unlucky,
    };
    let error = store.try_step(event).unwrap_err();
    assert_eq!(
        error.to_string(),
        "PatientAdmitted: guard not_thirteen: it brings bad luck"
    );
    assert_sound(&store);
}

#[test]
fn the_smallest_slot_is_chosen_unless_by_says_otherwise() {
    let (mut store, ward, [thirty, ten, _]) = small();
    // The slot that was freed is used again, so that the order of the list of the ward is another.
    store.step(BedRemoved { bed: thirty });
    let good = bed(&mut store, ward, 40, "plain", 9);
    let admitted = |store: &mut Hospital, level| {
        let patient = patient(store, level).any();
        store.step(PatientAdmittedAnywhere { patient }).bound.bed
    };
    assert_eq!(admitted(&mut store, 9).any(), good);
    assert_eq!(admitted(&mut store, 1).any(), ten);
    let patient = patient(&mut store, 9).any();
    let error = store
        .try_step(PatientAdmittedAnywhere { patient })
        .unwrap_err();
    assert!(
        matches!(&error, StepError::NothingToChoose { name, found: 0, wanted: 1, .. } if &**name == "bed"),
        "{error}"
    );
    assert_sound(&store);
}

#[test]
fn the_greatest_value_is_the_first_if_it_says_desc() {
    let (mut store, ward, [thirty, ten, twenty]) = small();
    let also_twenty = bed(&mut store, ward, 20, "plain", 1);
    let found = |store: &mut Hospital, most| {
        let what_if = store.what_if(|t| t.apply(LastBedFound { most }).map(|a| a.bound.bed));
        let bed = what_if.expect("there is one");
        assert_eq!(store.step(LastBedFound { most }).bound.bed, bed);
        bed
    };
    assert_eq!(found(&mut store, 100), thirty);
    assert_eq!(found(&mut store, 30), thirty);
    // Of equal values the smallest slot.
    assert_eq!(found(&mut store, 29), twenty);
    assert_eq!(found(&mut store, 19), ten);
    assert!(store.try_step(LastBedFound { most: 9 }).is_err());
    store.step(BedRemoved { bed: twenty });
    assert_eq!(found(&mut store, 29), also_twenty);
    assert_sound(&store);
}

#[test]
fn equal_values_are_found_in_an_index_and_ordered_without_one() {
    let (mut store, ward, [thirty, ..]) = small();
    let soft = [2, 5, 5].map(|level| bed(&mut store, ward, 50, "soft", level));
    let mut found = |kind: &str| {
        let event = BedOfKindFound { kind: kind.into() };
        store.try_step(event).map(|receipt| receipt.bound.bed.any())
    };
    assert_eq!(found("soft").expect("a bed"), soft[1]);
    assert_eq!(found("plain").expect("a bed"), thirty);
    assert!(found("golden").is_err());
}

#[test]
fn candidates_without_the_value_come_last() {
    let (mut store, ward, [thirty, ten, twenty]) = small();
    assert_eq!(store.step(DirtiestFound {}).bound.bed, thirty);
    for dirt in [4, 7, 7] {
        let patient = patient(&mut store, 1);
        let bed = store
            .step(PatientAdmitted { patient, ward })
            .bound
            .bed
            .any();
        store.step(BedLeft { bed, dirt });
    }
    // The beds 10, 20 and 30 have the dirt 4, 7 and 7; 30 has the smallest slot.
    assert_eq!(store.step(DirtiestFound {}).bound.bed, thirty);
    assert_eq!(store.step(DirtyFound {}).bound.bed.any(), thirty);
    store.step(BedRemoved { bed: thirty });
    assert_eq!(store.step(DirtiestFound {}).bound.bed, twenty);
    store.step(BedRemoved { bed: twenty });
    assert_eq!(store.step(DirtiestFound {}).bound.bed, ten);
    store.step(BedsFreed {});
    assert_eq!(store.step(DirtiestFound {}).bound.bed, ten);
    assert_sound(&store);
}

#[test]
fn a_choice_sees_the_ones_before_it() {
    let mut store = Store::<hospital::Model>::memory();
    let [low, high] = [("low", 2), ("high", 6)].map(|(name, level)| ward(&mut store, name, level));
    bed(&mut store, low, 1, "plain", 1);
    let low_bed = bed(&mut store, low, 5, "plain", 2);
    let high_bed = bed(&mut store, high, 200, "plain", 9);
    let bound = store.step(BedFound { least: 1 }).bound;
    assert_eq!((bound.ward.any(), bound.bed.any()), (low, low_bed));
    // Conditions see what was chosen.
    let error = store.try_step(BedFound { least: 3 }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "BedFound: `when(bed.number < 100)` does not hold"
    );
    store.step(BedRemoved { bed: high_bed });
    let error = store.try_step(BedFound { least: 3 }).unwrap_err();
    assert!(matches!(&error, StepError::NothingToChoose { name, .. } if &**name == "bed"));
    // `ward.level - 1` overflows for a ward of level 0.
    ward(&mut store, "none", 0);
    let error = store.try_step(BedFound { least: 0 }).unwrap_err();
    assert!(matches!(error, StepError::Overflow { .. }), "{error}");
    assert_sound(&store);
}

#[test]
fn several_are_chosen_as_a_set() {
    let (mut store, ward, [thirty, ten, twenty]) = small();
    let error = store.try_step(BedsCleaned { ward, n: 4 }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "BedsCleaned: there is too little to choose as `beds`: `choose(beds: n of ward.beds in Free by number)` finds 3 of 4 \
         entities"
    );
    for n in [0, -1, i8::MIN] {
        assert!(store.step(BedsCleaned { ward, n }).bound.beds.is_empty());
    }
    let beds: Vec<Bed> = (store.step(BedsCleaned { ward, n: 2 }).bound.beds.iter())
        .map(Bed::any)
        .collect();
    assert_eq!(beds, [ten, twenty]);
    store.step(BedsCleaned { ward, n: 1 });
    // By slot, not by when they came there.
    let freed = store.step(BedsFreed {}).bound.beds;
    let freed: Vec<Bed> = freed.iter().map(Bed::any).collect();
    assert_eq!(freed, [thirty, ten]);
    assert_eq!(store.step(BedsFreed {}).bound.beds.len(), 1);
    assert!(store.step(BedsFreed {}).bound.beds.is_empty());
    assert_sound(&store);
}

#[test]
fn a_handler_gets_what_was_chosen() {
    let (mut store, _, [thirty, ten, twenty]) = small();
    let raised = |store: &mut Hospital, among: &[Bed]| {
        let among = among.to_vec();
        store
            .try_step(BedRaised { among })
            .map(|r| r.bound.bed.any())
    };
    let found = raised(&mut store, &[ten, twenty]).expect("a bed");
    assert_eq!(
        (found, found.level(&store), thirty.level(&store)),
        (twenty, 4, 3)
    );
    assert!(raised(&mut store, &[]).is_err());
    assert_sound(&store);
}

#[test]
fn the_log_has_what_was_chosen_and_verify_chooses_again() {
    let dir = temp_dir();
    let mut store = Store::<hospital::Model>::open(dir.path()).expect("a store");
    let icu = ward(&mut store, "icu", 3);
    let first = bed(&mut store, icu, 30, "plain", 3);
    bed(&mut store, icu, 10, "plain", 3);
    store.step(LastBedFound { most: 99 });
    store.step(BedsCleaned { ward: icu, n: 2 });
    let last = |store: &Hospital, back: usize| {
        let records = store.frames(0).expect("there is a log");
        let mut records: Vec<_> = records.map(|r| r.expect("it can be read")).collect();
        records.remove(records.len() - 1 - back)
    };
    for _ in 0..2 {
        let record = last(&store, 1);
        let firing = record.firings().next().expect("an event");
        assert_eq!(firing.chosen()[0].0, "bed");
        assert_eq!(firing.chosen()[0].1[0].id, first.id());
        assert_eq!(
            firing.to_string(),
            "LastBedFound { most: 99 } choosing bed: Bed/0.1 => "
        );
        let json = serde_json::to_string(&last(&store, 0)).expect("JSON");
        assert!(
            json.contains(r#""chosen":{"beds":["Bed/1.1","Bed/0.1"]}"#),
            "{json}"
        );
        // The event itself has no field for it.
        assert!(
            json.contains(r#""event":{"BedsCleaned":{"ward":"Ward/0.1","n":2}}"#),
            "{json}"
        );
        store = reopened(dir.path(), store);
    }
}

#[test]
fn a_repeated_call_gives_the_same_choice() {
    let dir = temp_dir();
    let mut store = Store::<hospital::Model>::open(dir.path()).expect("a store");
    let ward = ward(&mut store, "icu", 3);
    for number in [3, 1, 2] {
        bed(&mut store, ward, number, "plain", 3);
    }
    let patient = patient(&mut store, 1).any();
    let mut chosen = BTreeSet::new();
    for _ in 0..2 {
        for _ in 0..2 {
            let event = PatientAdmittedAnywhere { patient };
            let receipt = store
                .try_step_with(Meta::new().with_idempotency_key("once"), event)
                .expect("it is repeated");
            chosen.insert(receipt.bound.bed.id());
        }
        store = reopened(dir.path(), store);
    }
    assert_eq!(chosen.len(), 1);
}

#[test]
fn snapshots_and_the_interpreter_choose_the_same() {
    let (mut store, ward, _) = small();
    let mut other = Store::<hospital::Model>::options().interpreted().memory();
    let icu = self::ward(&mut other, "icu", 3);
    for number in [30, 10, 20] {
        bed(&mut other, icu, number, "plain", 3);
    }
    let snapshot = store.snapshot();
    let n = 2;
    let tried = snapshot.with(BedsCleaned { ward, n }).expect("it fires");
    let on_store = store.step(BedsCleaned { ward, n }).bound.beds;
    let interpreted = other.step(BedsCleaned { ward: icu, n }).bound.beds;
    let ids = |beds: &[Bed<state::Cleaning>]| beds.iter().map(Bed::id).collect::<Vec<_>>();
    assert_eq!(ids(&on_store), ids(&tried.applied.bound.beds));
    assert_eq!(ids(&on_store), ids(&interpreted));
    assert_eq!(store.fingerprint(), other.fingerprint());
}
