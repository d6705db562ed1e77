//! Releases of services, an incident, and three questions: what was live then, who changed it, and what if we went
//! back? `cargo run --example time_travel`
//!
//! Nothing in the model is there for the sake of these questions.
#![allow(missing_docs)]

use std::{error::Error, io};

use ironweave::prelude::*;
use releases::{state::*, *};

#[rustfmt::skip] // one line for a small event: the model reads like a table
#[ironweave::model]
pub mod releases {
    use ironweave::prelude::*;

    #[entity]
    pub struct Service {
        #[key]
        pub name: String,
        pub live: Option<Release>,
        #[inverse(Release::needs)]
        pub needed_by: Many<Release>,
        #[inverse(Release::of)]
        pub releases: Many<Release>,
    }
    #[entity]
    pub struct Release {
        #[key]
        pub tag: String,
        pub of: Service,
        pub needs: Many<Service>,                       // to be live, these must be
        #[inverse(Service::live)]
        pub live_at: Option<Service>,
    }
    #[states(Release)]
    pub enum ReleaseState {
        #[initial] #[to(Live)] Built,
        #[to(Retired)] Live,
        #[to(Live)] Retired,
    }

    #[event]
    #[create(release: Release { tag })]
    #[link(release.of += service)]
    #[link(release.needs += needs)]
    pub struct Build { pub service: Ensure<Service>, pub tag: String, pub needs: Vec<Key<Service>> }

    #[event]
    #[moves(each release.of.live: Live -> Retired)]
    #[relink(release.of.live += release)]
    #[moves(release: Built | Retired -> Live)]
    pub struct Deploy { pub release: Key<Release> }

    #[event]
    #[moves(each service.live: Live -> Retired)]
    #[unlink(service.live -= service.live)]
    pub struct TakeDown { pub service: Key<Service> }

    #[invariant(Release, via = [needs], super::needs_are_met)]
    pub struct NeedsAreMet;
}

pub fn needs_are_met(release: Release, db: &impl Db) -> Result<(), Reject> {
    let down = |service: &Service| service.live(db).is_none();
    match release
        .needs(db)
        .find(down)
        .filter(|_| release.is::<Live>(db))
    {
        Some(service) => Err(Reject::new(format!("it needs {}", service.name(db)))),
        None => Ok(()),
    }
}

/// What is live, in words. It reads a store, a snapshot, a value of the past alike.
fn board(db: &impl Db) -> String {
    let tags: Vec<&str> = db
        .place::<Release, Live>()
        .map(|r| r.any().tag(db))
        .collect();
    tags.join(", ")
}

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let hour = |h: i64| Timestamp::from_secs(1_767_225_600 + h * 3_600);
    let by = |h, who: &str| Meta::new().time(hour(h)).actor(who);
    let deploy = |tag: &str| Deploy {
        release: tag.into(),
    };
    let build = |service: &str, tag: &str, needs: &[&str]| Build {
        service: service.into(),
        tag: tag.into(),
        needs: needs.iter().map(|n| Key::from(*n)).collect(),
    };
    let mut store = Store::<Model>::memory();

    // Somebody follows along, from the beginning.
    let mut chat = store.subscribe(0)?.event::<Deploy>();

    let mut t = store.begin_with(by(8, "ci"))?;
    t.apply(build("db", "db-1", &[]))?;
    t.apply(build("api", "api-1", &["db"]))?;
    t.apply(build("api", "api-2", &["db"]))?;
    t.apply(build("web", "web-1", &["api"]))?;
    for tag in ["db-1", "api-1", "web-1"] {
        t.apply(deploy(tag))?;
    }
    t.commit()?;
    store.try_step_with(by(13, "eve"), deploy("api-2"))?;
    writeln!(out, "now:            {}", board(&store))?;

    // What was live at noon, when all was well?
    let noon = store.as_of(hour(12))?;
    writeln!(out, "at noon:        {}", board(&noon))?;
    writeln!(out, "since then:")?;
    for change in noon.diff(&store.snapshot())?.to_string().lines() {
        writeln!(out, "  {change}")?;
    }

    // Who did it, and in which event?
    for (release, history) in store.history_of_key::<Release>("api-2")? {
        let last = history.last().expect("it was built");
        let who = last.meta.get_actor().unwrap_or("nobody");
        writeln!(
            out,
            "{release}:    {} by {who} at {}",
            last.event, last.time
        )?;
    }

    // What if we went back? And what if api went down meanwhile? Neither happens.
    let now = store.snapshot();
    let back = now.with_meta(by(14, "ann"), deploy("api-1"))?.snapshot;
    writeln!(out, "going back:     {}", board(&back))?;
    let down = TakeDown {
        service: "db".into(),
    };
    if let Err(e) = now.with_meta(by(14, "ann"), down) {
        writeln!(out, "without a db:   {e}")?;
    }

    // The same at noon: what would have happened then.
    let early = noon.with_meta(by(12, "eve"), deploy("api-2"))?;
    writeln!(out, "an hour before: {}", board(&early.snapshot))?;

    // A rehearsal on a store of its own, and then in earnest.
    let mut rehearsal = now.into_store();
    rehearsal.try_step_with(by(14, "ann"), deploy("api-1"))?;
    store.try_step_with(by(14, "ann"), deploy("api-1"))?;
    assert_eq!(rehearsal.fingerprint(), store.fingerprint());

    while let Some(report) = chat.try_next()? {
        let who = report.meta().get_actor().unwrap_or("nobody").to_owned();
        for event in report.fired::<Deploy>() {
            writeln!(
                out,
                "chat:           {who} deployed {}",
                event?.release.key()
            )?;
        }
    }
    Ok(())
}

#[allow(dead_code)] // the test that compares the output has a `main` of its own
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}
