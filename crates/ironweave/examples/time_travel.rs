//! Releases of services and an incident: reads which release was live at an earlier time and who changed it, and tries a
//! rollback. Run it with `cargo run --example time_travel`.
//!
//! The model needs no declaration for these queries.
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
        pub needs: Many<Service>,                       // must be live while this release is
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

/// The live releases. It reads a store, a snapshot, or an earlier state.
fn board(db: &impl Db) -> String {
    let tags: Vec<&str> = db
        .place::<Release, Live>()
        .map(|r| r.any().tag(db))
        .collect();
    tags.join(", ")
}

pub fn run(out: &mut dyn io::Write) -> Result<(), Box<dyn Error>> {
    let hour = |h: i64| Timestamp::from_secs(1_767_225_600 + h * 3_600);
    let by = |h, actor: &str| Meta::new().with_time(hour(h)).with_actor(actor);
    let deploy = |tag: &str| Deploy {
        release: tag.into(),
    };
    let build = |service: &str, tag: &str, needs: &[&str]| Build {
        service: service.into(),
        tag: tag.into(),
        needs: needs.iter().map(|n| Key::from(*n)).collect(),
    };
    let mut store = Store::<Model>::memory();

    // A subscription from the beginning.
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

    // The releases at noon, before the incident.
    let noon = store.as_of(hour(12))?;
    writeln!(out, "at noon:        {}", board(&noon))?;
    writeln!(out, "since then:")?;
    for change in noon.diff(&store.snapshot())?.to_string().lines() {
        writeln!(out, "  {change}")?;
    }

    // The actor and the event of the last change.
    for (release, history) in store.history_of_key::<Release>("api-2")? {
        let last = history.last().expect("it was built");
        let actor = last.meta().actor().unwrap_or("unknown");
        writeln!(
            out,
            "{release}:    {} by {actor} at {}",
            last.event(),
            last.time()
        )?;
    }

    // Speculation on a snapshot: a rollback, and taking down a service that others need. The store does not change.
    let now = store.snapshot();
    let back = now.with_meta(by(14, "ann"), deploy("api-1"))?.snapshot;
    writeln!(out, "going back:     {}", board(&back))?;
    let down = TakeDown {
        service: "db".into(),
    };
    if let Err(e) = now.with_meta(by(14, "ann"), down) {
        writeln!(out, "without a db:   {e}")?;
    }

    // Speculation on the earlier state.
    let early = noon.with_meta(by(12, "eve"), deploy("api-2"))?;
    writeln!(out, "an hour before: {}", board(&early.snapshot))?;

    // The rollback in a separate store, and then in the real one.
    let mut rehearsal = now.into_store();
    rehearsal.try_step_with(by(14, "ann"), deploy("api-1"))?;
    store.try_step_with(by(14, "ann"), deploy("api-1"))?;
    assert_eq!(rehearsal.fingerprint(), store.fingerprint());

    while let Some(record) = chat.try_next()? {
        let actor = record.meta().actor().unwrap_or("unknown").to_owned();
        for event in record.events::<Deploy>() {
            writeln!(
                out,
                "chat:           {actor} deployed {}",
                event?.release.key()
            )?;
        }
    }
    Ok(())
}

#[allow(dead_code)] // the test that compares the output has its own `main`
fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout())
}
