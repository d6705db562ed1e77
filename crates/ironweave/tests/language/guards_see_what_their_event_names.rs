//! Guards see the entities that their event names, the time and the metadata of the transaction, and no effect of the
//! arcs yet. The program's own errors pass through guards, handlers, invariants and speculation.

use std::error::Error as _;
use std::fmt;

use ironweave::Guarded;

use super::*;

#[ironweave::model]
mod clinic {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
        #[default(1_u32)]
        pub beds: u32,
        #[default(String::new())]
        pub title: String,
    }

    #[entity]
    pub struct Patient {
        #[key]
        pub name: String,
    }

    #[states(Patient)]
    pub enum PatientState {
        #[initial]
        #[to(Admitted)]
        Waiting,
        #[terminal]
        Admitted,
    }

    #[entity]
    pub struct Visit {
        pub urgent: bool,
    }

    #[event]
    #[create(visit: Visit { urgent })]
    #[moves(patient: Waiting -> Admitted)]
    #[guard(super::sees_all)]
    pub struct Came {
        pub ward: Ensure<Ward>,
        pub patient: Patient<Waiting>,
        pub doctor: Option<Key<Patient>>,
        pub others: Vec<Patient>,
        pub urgent: bool,
    }

    #[event]
    #[create(patient: Patient { name })]
    #[guard(super::is_named)]
    pub struct Born {
        pub name: String,
    }

    #[event]
    #[may(set Ward.beds)]
    pub struct Resized {
        pub ward: Key<Ward>,
        pub beds: u32,
    }

    #[event]
    #[set(ward.title = title)]
    #[guard(super::notes_metadata)]
    pub struct Renamed {
        pub ward: Ensure<Ward>,
        pub title: String,
    }

    #[invariant(Ward, super::has_few_beds)]
    pub struct HasFewBeds;
}

use clinic::{Born, Came, Patient, Renamed, Resized, Visit, Ward, state::Waiting};

/// An error of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Nameless,
    NoBed,
    TooManyBeds(u32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nameless => f.write_str("a patient has a name"),
            Self::NoBed => f.write_str("a ward has a bed"),
            Self::TooManyBeds(n) => write!(f, "{n} beds are too many"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Asserts what the test below has fired, and rejects at 90 seconds.
fn sees_all(event: &Came, db: &Guarded<'_, Came>) -> Result<(), Reject> {
    let clinic::named::CameNamed {
        ward,
        patient,
        doctor,
        others,
        visit,
    } = db.named();
    assert_eq!(ward.name(db), "icu");
    assert!(patient.is::<Waiting>(db), "the arcs have not moved it yet");
    assert_eq!(patient.id(), event.patient.id());
    assert_eq!(doctor.map(|d| d.name(db)), Some("eve"));
    assert_eq!(others, event.others);
    assert_eq!(visit.urgent(db), event.urgent);
    assert_eq!(db.meta().actor(), Some("reception"));
    if db.time() == Timestamp::from_secs(90) {
        return Err(Reject::new(format!("{patient} came too late")));
    }
    Ok(())
}

fn is_named(event: &Born, _: &impl Db) -> Result<(), Reject> {
    if event.name.is_empty() {
        return Err(Reject::from_error(Refusal::Nameless));
    }
    Ok(())
}

/// The metadata that guards have seen, as a whole.
static SEEN: std::sync::Mutex<Vec<Meta>> = std::sync::Mutex::new(Vec::new());

fn notes_metadata(_: &Renamed, db: &Guarded<'_, Renamed>) -> Result<(), Reject> {
    SEEN.lock().unwrap().push(db.meta().clone());
    Ok(())
}

fn has_few_beds(ward: Ward, db: &impl Db) -> Result<(), Reject> {
    match ward.beds(db) {
        0..10 => Ok(()),
        beds => Err(Reject::from_error(Refusal::TooManyBeds(beds))),
    }
}

impl Apply for Resized {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        if self.beds == 0 {
            return Err(Reject::from_error(Refusal::NoBed));
        }
        bound.ward.set_beds(tx, self.beds)
    }
}

/// A store with two patients and a ward.
fn clinic() -> (Store<clinic::Model>, [Patient; 2]) {
    let mut store = Store::<clinic::Model>::memory();
    let patients = ["ann", "eve"].map(|name| {
        let meta = Meta::new().with_time(Timestamp::from_secs(1));
        let born = store.try_step_with(meta, Born { name: name.into() });
        born.expect("it has a name").created.patient.any()
    });
    (store, patients)
}

fn came(store: &Store<clinic::Model>, [ann, eve]: [Patient; 2]) -> Came {
    Came {
        ward: "icu".into(),
        patient: ann.in_state(store).expect("nothing has moved it"),
        doctor: Some("eve".into()),
        others: vec![eve, ann],
        urgent: true,
    }
}

#[test]
fn a_guard_sees_what_its_event_binds_and_creates_and_the_transaction_before_any_arc_acts() {
    let (mut store, patients) = clinic();
    let at = |secs| {
        Meta::new()
            .with_actor("reception")
            .with_time(Timestamp::from_secs(secs))
    };
    let event = came(&store, patients);
    let late = store.try_step_with(at(90), event).map(|_| ());
    let late = late.expect_err("the guard rejects");
    let said = format!("Came: guard sees_all: {} came too late", patients[0]);
    assert_eq!(late.to_string(), said);
    assert_eq!(late.kind(), ironweave::ErrorKind::Forbidden);
    // What it saw is undone.
    assert_eq!(
        (store.count::<Ward, Any>(), store.count::<Visit, Any>()),
        (0, 0)
    );
    let event = came(&store, patients);
    let receipt = store.try_step_with(at(60), event).expect("it is in time");
    assert_eq!(receipt.bound.patient.id(), patients[0].id());
    // On a snapshot, and once more in the log, it sees the same.
    assert_sound(&store);
    let zoe = Born { name: "zoe".into() };
    let zoe = store.try_step_with(at(61), zoe).expect("it has a name");
    let came = |secs| {
        let event = Came {
            urgent: false,
            ..came(&store, [zoe.created.patient.any(), patients[1]])
        };
        store.snapshot().with_meta(at(secs), event)
    };
    assert!(came(90).is_err_and(|e| matches!(e, StepError::Guard { .. })));
    assert!(came(91).is_ok());
}

#[test]
fn an_error_of_the_program_comes_out_of_guards_handlers_and_invariants_as_it_went_in() {
    let (mut store, patients) = clinic();
    let meta = Meta::new().with_actor("reception");
    let event = came(&store, patients);
    store
        .try_step_with(meta, event)
        .expect("the guard permits it");
    let resized = |beds| Resized {
        ward: "icu".into(),
        beds,
    };
    for (e, refusal, message) in [
        (
            store
                .try_step(Born {
                    name: String::new(),
                })
                .map(|_| ()),
            Refusal::Nameless,
            "Born: guard is_named: a patient has a name",
        ),
        (
            store.try_step(resized(0)).map(|_| ()),
            Refusal::NoBed,
            "Resized: a ward has a bed",
        ),
        (
            store.try_step(resized(12)).map(|_| ()),
            Refusal::TooManyBeds(12),
            "Resized → invariant HasFewBeds of Ward \"icu\" does not hold: 12 beds are too many",
        ),
    ] {
        let e = e.expect_err("the program refuses");
        assert_eq!(e.downcast_ref(), Some(&refusal));
        let source = e.source().and_then(|source| source.downcast_ref());
        assert_eq!(source, Some(&refusal), "{e}");
        assert_eq!(e.to_string(), message);
        assert_eq!(e.kind(), ironweave::ErrorKind::Forbidden);
    }
}

#[test]
fn speculation_returns_the_error_of_the_program() {
    #[derive(Debug)]
    enum Asked {
        Step(StepError),
        Refused(Refusal),
    }

    impl From<StepError> for Asked {
        fn from(e: StepError) -> Self {
            Self::Step(e)
        }
    }

    let (mut store, _) = clinic();
    let print = store.fingerprint();
    let asked = store.what_if(|t| -> Result<(), Asked> {
        t.apply(Born { name: "zoe".into() })?;
        match t.count::<Patient, Any>() {
            0..3 => Ok(()),
            _ => Err(Asked::Refused(Refusal::NoBed)),
        }
    });
    assert!(
        matches!(asked, Err(Asked::Refused(Refusal::NoBed))),
        "{asked:?}"
    );
    let asked = store.what_if(|t| -> Result<(), Asked> {
        t.apply(Born { name: "ann".into() })?;
        Ok(())
    });
    assert!(
        matches!(asked, Err(Asked::Step(StepError::Duplicate { .. }))),
        "{asked:?}"
    );
    assert_eq!(store.fingerprint(), print);
    let shared = store.share();
    let asked = shared.what_if(|_| -> Result<(), Asked> { Err(Asked::Refused(Refusal::NoBed)) });
    assert!(
        matches!(asked, Err(Asked::Refused(Refusal::NoBed))),
        "{asked:?}"
    );
}

#[test]
fn a_guard_sees_the_same_metadata_whenever_its_event_fires() {
    let mut store = Store::<clinic::Model>::paranoid();
    let renamed = || Renamed {
        ward: "icu".into(),
        title: "Intensive care".into(),
    };
    let position = store.position().expect("a log begins with its schema");
    let meta = Meta::new()
        .with_time(Timestamp::from_secs(9))
        .with_actor("ann")
        .with_correlation("request")
        .with_causation(position)
        .with_idempotency_key("key")
        .expect(position);
    store.try_step_with(meta.clone(), renamed()).unwrap();
    // A repetition asks no guard.
    store.try_step_with(meta, renamed()).unwrap();
    store.verify().unwrap();
    let record = store.since(0).unwrap().next().expect("one transaction");
    let logged = record.unwrap().meta().clone();
    let seen = SEEN.lock().unwrap();
    assert_eq!(
        seen.len(),
        3,
        "twice in a paranoid store, and when verified"
    );
    for meta in &*seen {
        assert_eq!(meta, &logged);
    }
}

#[test]
fn what_a_transaction_expects_is_in_no_record() {
    let mut store = Store::<clinic::Model>::memory();
    let born = |name: &str| Born { name: name.into() };
    let seq = store.step(born("ann")).seq;
    let meta = || Meta::new().with_actor("reception").expect(seq);
    let tried = store.snapshot().with_meta(meta(), born("bob")).unwrap();
    let logged = store.try_step_with(meta(), born("bob")).unwrap().seq;
    let logged = store.frames(logged).unwrap().next().expect("it is there");
    let known = Meta::new().with_actor("reception");
    assert_eq!(tried.record.meta(), &known);
    assert_eq!(logged.unwrap().meta(), &known);
}
