//! The core of a service: the beds of a hospital ward behind a `SharedStore`, without an HTTP library. Several threads
//! admit patients, errors become HTTP statuses, a follower writes the records as lines of JSON, and pages show a history and
//! the ward of yesterday. Run it with `cargo run --example ward_service`.
#![allow(missing_docs)]

use std::time::Duration;
use std::{env, error::Error, fs, io, process, thread};

use ironweave::{ErrorKind, ParseHandleError, Subscription, prelude::*};
use serde_json::{Value, json};
use ward::{state::*, *};

#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod ward {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key] pub label: String,
        #[inverse(Stay::bed)] pub stay: Option<Stay>,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial] #[to(Occupied)] Free,
        #[to(Cleaning)] Occupied,
        #[to(Free)] Cleaning { since: Timestamp },
    }
    #[entity]
    pub struct Stay {
        pub patient: String,
        pub bed: Option<Bed>,
    }
    #[states(Stay)]
    pub enum StayState {
        #[initial] #[to(Discharged)] Admitted,
        #[terminal] Discharged { at: Timestamp },
    }

    #[event]
    #[create(bed: Bed { label })]
    pub struct BedAdded { pub label: String }

    #[event]
    #[create(stay: Stay { patient })]
    #[link(stay.bed += bed)]
    #[moves(bed: Free -> Occupied)]
    pub struct Admitting { pub patient: String, pub bed: Bed<Free> }

    #[event]
    #[moves(stay: Admitted -> Discharged { at = meta.time })]
    #[moves(each stay.bed: Occupied -> Cleaning { since = meta.time })]
    #[unlink(stay.bed -= stay.bed)]
    pub struct Discharging { pub stay: Stay }

    #[event]
    #[guard(super::it_is_dry)]
    #[moves(bed: Cleaning -> Free)]
    pub struct Cleaned { pub bed: Key<Bed> }
}

/// A guard that needs the time and an entity that the event names by key takes a `Guarded`.
fn it_is_dry(_: &Cleaned, db: &Guarded<'_, Cleaned>) -> Result<(), Reject> {
    let Some(cleaning) = db.named().bed.in_state::<Cleaning>(db) else {
        return Ok(()); // the source state of the move rejects it
    };
    if db.time().duration_since(cleaning.since(db)) < Duration::from_secs(600) {
        return Err(Reject::new("a bed must dry for ten minutes"));
    }
    Ok(())
}

/// The failure of a request: an `ErrorKind`, and a text for the caller.
#[derive(Debug)]
struct Failure(ErrorKind, String);

/// Each error of ironweave has a `kind()`.
macro_rules! failures {
    ($($error:ty),*) => { $(impl From<$error> for Failure {
        fn from(e: $error) -> Self {
            Failure(e.kind(), e.to_string())
        }
    })* };
}
failures!(StepError, ReadError, StorageError, ParseHandleError);

type Answer = Result<Value, Failure>;

/// The handlers of the requests. A clone is another handle on the same store, so each thread of a server can have one.
#[derive(Clone)]
struct Ward(SharedStore<Model>);

impl Ward {
    /// `POST /stays`: takes the first free bed, once for each request.
    fn admit(&self, meta: Meta, patient: &str) -> Answer {
        // The closure names its error type, because `?` converts into it.
        let work = |t: &mut Transaction<'_, Model>| -> Result<_, Failure> {
            if let Some(seq) = t.repeats() {
                return Ok(json!({ "done in": seq })); // the free beds may be others now
            }
            let free = t.place::<Bed, Free>().next();
            let bed = free.ok_or(Failure(ErrorKind::Conflict, "no bed is free".into()))?;
            let patient = patient.into();
            let receipt = t.apply(Admitting { patient, bed })?;
            Ok(json!({ "stay": receipt.created.stay }))
        };
        Ok(self.0.transaction_with(meta, work)?.0)
    }

    /// `POST /stays/{stay}/discharge`
    fn discharge(&self, meta: Meta, stay: &str) -> Answer {
        let stay = stay.parse()?;
        self.0.try_step_with(meta, Discharging { stay })?;
        Ok(json!({}))
    }

    /// `POST /beds/{bed}/clean`
    fn clean(&self, meta: Meta, bed: &str) -> Answer {
        self.0.try_step_with(meta, Cleaned { bed: bed.into() })?;
        Ok(json!({}))
    }

    /// `GET /beds`, and `GET /beds?at=2026-02-28T12:00:00Z`. A snapshot is read without blocking the other threads.
    fn beds(&self, at: Option<Timestamp>) -> Answer {
        let ward = match at {
            Some(at) => self.0.as_of(at)?,
            None => self.0.snapshot()?,
        };
        let state = |bed: Bed| json!([bed.label(&ward), bed.state(&ward).to_string()]);
        Ok(ward.place::<Bed, Any>().map(state).collect())
    }

    /// `GET /stays/{stay}/history`. A stay that never existed has no history.
    fn history(&self, stay: &str) -> Answer {
        let history = self.0.history(stay.parse::<Stay>()?)?;
        if history.is_empty() {
            return Err(Failure(ErrorKind::NotFound, "there is no such stay".into()));
        }
        let moves = history
            .iter()
            .filter(|entry| entry.fact().field().is_none());
        Ok(moves
            .map(|entry| json!([entry.time(), entry.event()]))
            .collect())
    }
}

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let dir = env::temp_dir().join(format!("ironweave-ward-{}", process::id()));
    let mut store = Store::<Model>::open(&dir)?;
    let noon: Timestamp = "2026-02-28T12:00:00Z".parse()?;
    let at = |minutes: u64| Meta::new().with_time(noon + Duration::from_secs(60 * minutes));
    for label in ["3-1", "3-2", "3-3"].map(String::from) {
        store.try_step_with(at(0), BedAdded { label })?;
    }
    let ward = Ward(store.share());

    // Four requests on four threads, for three beds.
    let admit = &|n: u32| {
        let meta = at(1).with_idempotency_key(format!("request-{n}"));
        status(&ward.admit(meta, &format!("patient {n}")))
    };
    let mut statuses = thread::scope(|s| {
        let threads = [1, 2, 3, 4].map(|n| s.spawn(move || admit(n)));
        threads.map(|thread| thread.join().expect("no panic"))
    });
    statuses.sort_unstable();
    writeln!(out, "admissions: {statuses:?}")?;

    let last = ward.0.seq()?.expect("beds were added");
    let records = ward.0.subscribe_since(last)?;
    let follower = thread::spawn(move || follow(records));

    let mut show = |what: &str, answer: Answer| match &answer {
        Ok(body) => writeln!(out, "{what}: 200 {body}"),
        Err(Failure(_, text)) => writeln!(out, "{what}: {} {text}", status(&answer)),
    };
    show("no handle", ward.discharge(at(60), "first"))?;
    show("no such stay", ward.discharge(at(60), "7.1"))?;
    show("discharge", ward.discharge(at(60), "0.1"))?;
    show("again", ward.discharge(at(61), "Stay-0.1"))?;
    show("too early", ward.clean(at(65), "3-1"))?;
    show("clean", ward.clean(at(75), "3-1"))?;
    show("no such bed", ward.clean(at(75), "9-9"))?;
    let evening = || at(480).with_idempotency_key("request-5");
    show("admit", ward.admit(evening(), "patient 5"))?;
    show("the request again", ward.admit(evening(), "patient 5"))?;
    show("beds", ward.beds(None))?;
    let hour = Duration::from_secs(3_600);
    show("at one o'clock", ward.beds(Some(noon + hour)))?;
    show("yesterday", ward.beds(Some(noon - 24 * hour)))?;
    show("history", ward.history("0.1"))?;

    // `close` returns the handle if there are others. It ends the follower, which has then seen every transaction.
    assert!(ward.0.close()?.is_none());
    for line in follower.join().expect("no panic")? {
        writeln!(out, "{line}")?;
    }
    let again = Store::<Model>::open(&dir)?;
    let occupied = again.count::<Bed, Occupied>();
    writeln!(out, "after reopening: {occupied} beds are occupied")?;
    drop(again);
    Ok(fs::remove_dir_all(dir)?)
}

/// Follows what happens until the store is closed. A service would write each line when it comes.
fn follow(records: Subscription<Model>) -> Result<Vec<String>, StorageError> {
    let mut lines = Vec::new();
    for record in records {
        let mut line = json!(record?);
        line["position"].take(); // differs from run to run
        lines.push(line.to_string());
    }
    Ok(lines)
}

fn status(answer: &Answer) -> u16 {
    match answer {
        Ok(_) => 200,
        Err(Failure(kind, _)) => kind.http_status(),
    }
}

#[allow(dead_code)] // the test that compares the output has its own `main`
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}
