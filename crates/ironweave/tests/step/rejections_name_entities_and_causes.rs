//! A rejection names entities by key, and the events that led to it.

use clinic::*;
use ironweave::prelude::*;

use crate::harness::rejected;

#[ironweave::model]
pub mod clinic {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        pub room_for: u32,
        pub patients: Many<Patient>,
        #[inverse(Request::wants)]
        pub wanted_by: Many<Request>,
        #[edge(on_delete = restrict)]
        pub beds: Many<Bed>,
    }

    #[entity]
    pub struct Bed {
        #[key]
        pub ward_name: String,
        #[key]
        pub number: u32,
        #[inverse(Ward::beds)]
        pub ward: Option<Ward>,
        #[inverse(Patient::bed)]
        pub patient: Option<Patient>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Made)]
        Free,
        #[terminal]
        Made,
    }

    #[entity]
    pub struct Patient {
        #[inverse(Ward::patients)]
        pub ward: Option<Ward>,
        pub bed: Option<Bed>,
        #[edge(acyclic)]
        pub visits: Many<Patient>,
        #[inverse(Patient::visits)]
        pub visitors: Many<Patient>,
        #[inverse(Request::patient)]
        pub requests: Many<Request>,
    }
    #[states(Patient)]
    pub enum PatientState {
        #[initial]
        #[to(Admitted, Home)]
        Waiting,
        #[to(Home)]
        Admitted,
        #[terminal]
        Home,
    }

    #[entity]
    pub struct Request {
        #[key]
        pub number: u64,
        pub patient: Patient,
        pub wants: Option<Ward>,
        #[inverse(Slip::request)]
        pub slip: Option<Slip>,
    }
    #[states(Request)]
    pub enum RequestState {
        #[initial]
        #[to(Approved, Refused_)]
        Open,
        #[to(Done)]
        Approved,
        #[terminal]
        Done,
        #[terminal]
        Refused_,
    }

    /// One for each request.
    #[entity]
    pub struct Slip {
        #[key]
        pub code: String,
        pub request: Request,
    }

    #[event]
    #[create(ward: Ward { name, room_for })]
    pub struct WardOpened {
        pub name: String,
        pub room_for: u32,
    }

    #[event]
    #[create(bed: Bed { ward_name = ward.name, number })]
    #[link(ward.beds += bed)]
    pub struct BedPlaced {
        pub ward: Key<Ward>,
        pub number: u32,
    }

    #[event]
    #[moves(bed: Free -> Made)]
    pub struct BedMade {
        pub bed: Key<Bed>,
    }

    #[event]
    #[moves(each beds: Free -> Made)]
    pub struct BedsMade {
        pub beds: Vec<Bed>,
    }

    #[event]
    #[delete(ward)]
    pub struct WardClosed {
        pub ward: Ward,
    }

    #[event]
    #[link(patient.bed += bed)]
    pub struct BedGiven {
        pub patient: Patient,
        pub bed: Bed,
    }

    #[event]
    #[link(patient.visits += others)]
    pub struct Visited {
        pub patient: Patient,
        pub others: Vec<Patient>,
    }

    #[event]
    #[create(patient: Patient)]
    #[create(request: Request { number })]
    #[link(request.patient += patient)]
    #[link(request.wants += ward)]
    pub struct Asked {
        pub number: u64,
        pub ward: Ward,
    }

    #[event]
    #[moves(request: Open -> Approved)]
    pub struct Approve {
        pub request: Request,
    }

    #[event]
    #[may(link Ward.patients)]
    pub struct Pushed {
        pub patient: Patient,
        pub ward: Ward,
        pub how: String,
    }

    /// It admits the patient to the ward that is wanted.
    #[immediate]
    #[link(request.wants.patients += request.patient)]
    #[moves(each request.patient: Waiting -> Admitted)]
    #[moves(request: Approved -> Done)]
    pub struct Complete {
        pub request: Request,
    }

    #[event]
    #[create(slip: Slip { code })]
    #[link(slip.request += request)]
    pub struct SlipWritten {
        pub request: Request,
        pub code: String,
    }

    /// It writes a slip, whether or not the request has one.
    #[immediate]
    #[when(any slip_of.patient in Home)]
    #[create(slip: Slip { code = "refused" })]
    #[link(slip.request += slip_of)]
    #[moves(slip_of: Open -> Refused_)]
    pub struct SentHome {
        pub slip_of: Request,
    }

    #[event]
    #[moves(patient: Waiting -> Home)]
    pub struct WentHome {
        pub patient: Patient,
    }

    #[invariant(Ward, via = [patients], super::within_capacity)]
    pub struct WithinCapacity;
}

fn within_capacity(ward: Ward, db: &impl Db) -> Result<(), Reject> {
    let (patients, room_for) = (ward.patients_count(db), ward.room_for(db));
    if patients <= room_for as usize {
        return Ok(());
    }
    Err(Reject::new(format!(
        "{patients} patients, room for {room_for}"
    )))
}

impl Apply for Pushed {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        match &*self.how {
            "twice" => {
                bound.ward.link_patients(tx, &bound.patient)?;
                bound.ward.link_patients(tx, &bound.patient)
            }
            "no" => Err(Reject::new("they would not move")),
            _ => bound.ward.link_patients(tx, &bound.patient),
        }
    }
}

type Clinic = Store<clinic::Model>;

/// A clinic with the ward "icu", which has room for one.
fn clinic(mut store: Clinic) -> (Clinic, Ward) {
    let ward = ward(&mut store, "icu", 1);
    (store, ward)
}

fn ward(store: &mut Clinic, name: &str, room_for: u32) -> Ward {
    let name = name.into();
    store.step(WardOpened { name, room_for }).created.ward
}

fn asked(store: &mut Clinic, number: u64, ward: Ward) -> (Patient, Request) {
    let created = store.step(Asked { number, ward }).created;
    (created.patient, created.request)
}

fn bed(store: &mut Clinic, number: u32) -> Bed {
    let ward = "icu".into();
    store.step(BedPlaced { ward, number }).created.bed
}

fn names(e: &StepError) -> Vec<&str> {
    e.chain().iter().map(|name| &**name).collect()
}

const OVERFULL: &str = "Approve → Complete → invariant WithinCapacity of Ward \"icu\" does not hold: \
                        2 patients, room for 1";

#[test]
fn a_broken_invariant_names_the_events_that_led_to_it() {
    for store in [Clinic::memory(), Clinic::paranoid(), Clinic::unlogged()] {
        let (mut store, icu) = clinic(store);
        let (_, first) = asked(&mut store, 1, icu);
        let (_, second) = asked(&mut store, 2, icu);
        store.step(Approve { request: first });
        let approve = Approve { request: second };
        let e = rejected(&mut store, approve);
        assert_eq!(e.to_string(), OVERFULL);
        assert_eq!(names(&e), ["Approve", "Complete"]);
        assert!(
            e.immediate().is_none(),
            "the immediate event did what it should"
        );
        let approve = Approve { request: second };
        let asked = store.what_if(|t| t.apply(approve).map(|_| ()));
        assert_eq!(asked.expect_err("full").to_string(), OVERFULL);
        let snapshot = store.snapshot();
        let approve = Approve { request: second };
        let e = snapshot.with(approve).map(|_| ()).expect_err("full");
        assert_eq!(e.to_string(), OVERFULL);
    }
}

#[test]
fn a_broken_invariant_of_a_transaction_names_the_last_event_that_changed_what_it_reads() {
    let (mut store, icu) = clinic(Clinic::memory());
    let other = ward(&mut store, "e1", 9);
    let (_, first) = asked(&mut store, 1, icu);
    let (second, request) = asked(&mut store, 2, icu);
    let (third, _) = asked(&mut store, 3, other);
    let push = |patient, ward| Pushed {
        patient,
        ward,
        how: "gently".into(),
    };
    let mut t = store.begin();
    t.apply(Approve { request: first }).expect("there is room");
    let before = t.savepoint();
    t.apply(push(second, icu)).expect("not asked yet");
    let said =
        "Pushed → invariant WithinCapacity of Ward \"icu\" does not hold: 2 patients, room for 1";
    assert_eq!(t.check().expect_err("full").to_string(), said);
    // Later events do not change that.
    t.apply(push(third, other)).expect("there is room");
    assert_eq!(t.check().expect_err("full").to_string(), said);
    t.rollback_to(before)
        .expect("it is one of this transaction");
    t.check().expect("there is room");
    t.apply(Approve { request }).expect("not asked yet");
    assert_eq!(t.commit().expect_err("full").to_string(), OVERFULL);
}

#[test]
fn an_immediate_event_that_makes_its_cause_fail_is_named_as_one() {
    for store in [Clinic::memory(), Clinic::paranoid(), Clinic::unlogged()] {
        let (mut store, icu) = clinic(store);
        let (_, request) = asked(&mut store, 1, icu);
        let (patient, other) = asked(&mut store, 7, icu);
        let code = |code: &str| code.to_owned();
        store.step(SlipWritten {
            request,
            code: code("refused"),
        });
        let e = rejected(&mut store, WentHome { patient });
        assert_eq!(
            e.to_string(),
            "WentHome → immediate event SentHome: Slip \"refused\" exists already; choose another key"
        );
        assert_eq!(names(&e), ["WentHome", "SentHome"]);
        assert_eq!(e.immediate().map(|name| &**name), Some("SentHome"));
        // The predicates of the variant hold as before.
        assert!(matches!(e, StepError::Duplicate { .. }));
        let (ward, how) = (icu, "gently".into());
        store.step(Pushed { patient, ward, how });
        let e = rejected(&mut store, Approve { request: other });
        assert_eq!(
            e.to_string(),
            "Approve → immediate event Complete: Ward \"icu\" and Patient/1.1 are already linked by Ward.patients; \
             use `relink` if that is allowed"
        );
    }
}

#[test]
fn a_rejection_names_entities_by_key() {
    let (mut store, icu) = clinic(Clinic::memory());
    let four = bed(&mut store, 4);
    let (patient, _) = asked(&mut store, 1, icu);
    let (other, _) = asked(&mut store, 2, icu);
    let key = |number| Key::new(("icu".to_owned(), number));
    store.step(BedMade { bed: key(4) });
    let says = |e: StepError, text: &str| assert_eq!(e.to_string(), text);
    says(
        rejected(&mut store, BedMade { bed: key(4) }),
        "BedMade: Bed \"icu\", 4 is Made, not Free",
    );
    says(
        rejected(&mut store, BedMade { bed: key(5) }),
        "BedMade: there is no Bed \"icu\", 5; create it first, or use another key",
    );
    says(
        rejected(
            &mut store,
            BedPlaced {
                ward: "icu".into(),
                number: 4,
            },
        ),
        "BedPlaced: Bed \"icu\", 4 exists already; choose another key",
    );
    says(
        rejected(
            &mut store,
            BedPlaced {
                ward: "attic".into(),
                number: 4,
            },
        ),
        "BedPlaced: there is no Ward \"attic\"; create it first, or use another key",
    );
    says(
        rejected(
            &mut store,
            BedsMade {
                beds: vec![four, four],
            },
        ),
        "BedsMade: Bed \"icu\", 4 occurs twice in `beds`; list it once",
    );
    says(
        rejected(&mut store, WardClosed { ward: icu }),
        "WardClosed: Ward \"icu\" cannot be deleted: at Ward.beds it is linked with Bed \"icu\", 4, and the \
         `on_delete` of Ward.beds is `restrict`; unlink it first",
    );
    store.step(BedGiven { patient, bed: four });
    says(
        rejected(
            &mut store,
            BedGiven {
                patient: other,
                bed: four,
            },
        ),
        "BedGiven: Bed \"icu\", 4 would have 2 links at Bed.patient, and at most one is allowed (`relink` takes over)",
    );
    // An entity without a key is named by its id.
    says(
        rejected(
            &mut store,
            Visited {
                patient,
                others: vec![patient],
            },
        ),
        "Visited: Patient.visits is acyclic, and its links would form a cycle: Patient/0.1 -> Patient/0.1",
    );
}

#[test]
fn a_refused_call_of_a_handler_names_its_event() {
    let (mut store, icu) = clinic(Clinic::memory());
    let (patient, _) = asked(&mut store, 1, icu);
    let mut push = |how: &str| {
        let how = how.into();
        let ward = icu;
        rejected(&mut store, Pushed { patient, ward, how }).to_string()
    };
    assert_eq!(
        push("twice"),
        "Pushed: Ward \"icu\" and Patient/0.1 are already linked by Ward.patients; use `relink` if that is allowed"
    );
    assert_eq!(push("no"), "Pushed: they would not move");
}

#[test]
fn a_rejection_names_an_entity_that_the_step_created_by_its_key() {
    let mut store = Clinic::memory();
    let icu = ward(&mut store, "icu", 0);
    asked(&mut store, 1, icu);
    let mut t = store.begin();
    let name = "new".into();
    let ward = t
        .apply(WardOpened { name, room_for: 0 })
        .expect("the store opens")
        .created
        .ward;
    let created = t.apply(Asked { number: 9, ward }).expect("asked").created;
    let request = created.request;
    t.apply(Approve { request }).expect("not asked yet");
    let e = t.commit().expect_err("full");
    assert_eq!(
        e.to_string(),
        "Approve → Complete → invariant WithinCapacity of Ward \"new\" does not hold: 1 patients, room for 0"
    );
    let StepError::Invariant { entity, .. } = e else {
        panic!("{e}")
    };
    assert_eq!(entity.key.as_deref(), Some("\"new\""));
    assert_eq!(store.find::<Ward>("new"), None);
}
