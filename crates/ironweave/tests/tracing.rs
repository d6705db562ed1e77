//! What a store counts and traces (feature `tracing`).
//!
//! A subscriber collects spans and events as lines: `> name fields` where a span is entered, `< name` where it is left, and
//! `level message fields` for an event.
#![cfg(feature = "tracing")]
#![allow(missing_docs)]

use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ironweave::metrics::Metrics;
use ironweave::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as Recorded};
use tracing::subscriber::with_default;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

#[ironweave::model]
pub mod shop {
    use ironweave::prelude::*;

    /// An article.
    #[entity]
    pub struct Article {
        /// Its name.
        #[key]
        pub name: String,
    }
    /// The lifecycle of an article.
    #[states(Article)]
    pub enum ArticleState {
        /// It is for sale.
        #[initial]
        #[to(Sold)]
        Offered,
        /// It is sold.
        #[terminal]
        Sold,
    }
    /// An article is for sale.
    #[event]
    #[create(article: Article { name })]
    pub struct Listed {
        /// Its name.
        pub name: String,
    }
    /// An article is sold.
    #[event]
    #[moves(article: Offered -> Sold)]
    pub struct Bought {
        /// The article.
        pub article: Key<Article>,
    }
    /// The name of an article is short.
    #[invariant(Article, via = [], super::is_short)]
    pub struct Short;
}

fn is_short(article: shop::Article, db: &impl Db) -> Result<(), Reject> {
    match article.name(db).len() {
        ..=20 => Ok(()),
        _ => Err(Reject::new("the name is too long")),
    }
}

use shop::{Bought, Listed, Model};

/// Lets the tests run one after the other. `tracing` has one maximum level for all threads, which it computes anew when another thread
/// uses a span for the first time, and a thread without a subscriber may then turn off those of others for a moment.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines of a subscriber.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn push(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// Runs a closure with a subscriber that has all levels.
    fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        with_default(Registry::default().with(self.clone()), work)
    }
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Written to a String, which cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut fields = Fields(String::new());
        attributes.record(&mut fields);
        self.push(format!("> {}{}", attributes.metadata().name(), fields.0));
    }

    fn on_record(&self, id: &Id, values: &Recorded<'_>, context: Context<'_, S>) {
        let mut fields = Fields(String::new());
        values.record(&mut fields);
        let name = context.span(id).map_or("", |span| span.name());
        self.push(format!("= {name}{}", fields.0));
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let name = context.span(&id).map_or("", |span| span.name());
        self.push(format!("< {name}"));
    }

    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(String::new());
        event.record(&mut fields);
        self.push(format!("{}{}", event.metadata().level(), fields.0));
    }
}

fn listed(name: &str) -> Listed {
    Listed { name: name.into() }
}

fn bought(name: &str) -> Bought {
    Bought {
        article: name.into(),
    }
}

#[test]
fn a_step_is_a_span_with_its_event_and_its_commit() {
    let _alone = alone();
    let lines = Lines::default();
    let mut store = Store::<Model>::memory();
    lines.during(|| store.try_step(listed("cup")).unwrap());
    let expected = [
        "> step event=\"Listed\"",
        "> event event=\"Listed\"",
        "< event",
        "> commit seq=1 facts=2",
        "< commit",
        "= step seq=1",
        "< step",
    ];
    assert_eq!(lines.take(), expected);
}

#[test]
fn a_rejection_is_an_event_in_the_span_of_what_was_rejected() {
    let _alone = alone();
    let lines = Lines::default();
    let mut store = Store::<Model>::memory();
    let long = "a name of more than 20 bytes";
    lines.during(|| {
        store.try_step(bought("cup")).unwrap_err();
        store.try_step(listed(long)).unwrap_err();
    });
    let expected = [
        "> step event=\"Bought\"",
        "> event event=\"Bought\"",
        "DEBUG rejected kind=\"UnknownKey\" error=Bought: there is no Article \"cup\"; create it first, or use another key",
        "< event",
        "< step",
        "> step event=\"Listed\"",
        "> event event=\"Listed\"",
        "< event",
        "> commit seq=1 facts=2",
        "DEBUG rejected kind=\"Invariant\" error=Listed → invariant Short of Article \"a name of more than 20 bytes\" does not hold: the name is too long",
        "< commit",
        "< step",
    ];
    assert_eq!(lines.take(), expected);
}

#[test]
fn a_transaction_has_a_span_for_each_event_and_one_for_its_commit() {
    let _alone = alone();
    let lines = Lines::default();
    let mut store = Store::<Model>::memory();
    lines.during(|| {
        let mut t = store.begin();
        t.apply(listed("cup")).unwrap();
        t.apply(bought("cup")).unwrap();
        t.commit().unwrap();
        // One that is rolled back has no commit.
        let mut t = store.begin();
        t.apply(listed("pot")).unwrap();
        drop(t);
    });
    let expected = [
        "> event event=\"Listed\"",
        "< event",
        "> event event=\"Bought\"",
        "< event",
        "> commit seq=1 facts=3",
        "< commit",
        "> event event=\"Listed\"",
        "< event",
    ];
    assert_eq!(lines.take(), expected);
}

#[test]
fn an_open_a_sync_and_a_checkpoint_are_traced() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let lines = Lines::default();
    lines.during(|| {
        let mut store = Store::<Model>::open(dir.path()).unwrap();
        assert_eq!(
            lines.take().pop().unwrap(),
            "DEBUG opened model=\"shop\" seq=0"
        );
        store.try_step(listed("cup")).unwrap();
        let sync = "> sync frames=1".to_owned();
        let traced = lines.take();
        let at = traced.iter().position(|line| *line == sync);
        let commit = traced.iter().position(|line| line.starts_with("> commit"));
        assert!(at > commit && commit.is_some(), "{traced:?}");
        store.checkpoint().unwrap();
        let traced = lines.take();
        assert_eq!(traced[0], "> checkpoint");
        let written = "DEBUG a checkpoint was written seq=1 bytes=";
        assert!(
            traced.iter().any(|line| line.starts_with(written)),
            "{traced:?}"
        );
    });
}

#[test]
fn a_traced_step_does_what_another_does() {
    let _alone = alone();
    let names: Vec<String> = (0..50).map(|n| format!("{}", n % 20)).collect();
    let run = |store: &mut Store<Model>| -> Vec<String> {
        let mut results = Vec::new();
        for name in &names {
            results.push(format!("{:?}", store.try_step(listed(name)).map(|r| r.seq)));
            results.push(format!("{:?}", store.try_step(bought(name)).map(|r| r.seq)));
        }
        let events = names.iter().map(|name| listed(name));
        results.extend(
            (store.step_all(events).into_iter()).map(|r| format!("{:?}", r.map(|r| r.seq))),
        );
        results
    };
    let (mut plain, mut traced) = (Store::<Model>::memory(), Store::<Model>::memory());
    let lines = Lines::default();
    assert_eq!(run(&mut plain), lines.during(|| run(&mut traced)));
    assert_eq!(plain.fingerprint(), traced.fingerprint());
    assert_eq!(plain.meter().read(), traced.meter().read());
    assert!(!lines.take().is_empty());
}

#[test]
fn a_meter_counts_transactions_rejections_and_syncs() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::<Model>::open(dir.path()).unwrap();
    let meter = store.meter();
    let opened = meter.read();
    assert_eq!((opened.transactions, opened.bytes), (0, 0));
    store.try_step(listed("cup")).unwrap();
    store.try_step(listed("cup")).unwrap_err();
    store.try_step(bought("jar")).unwrap_err();
    store.try_step_with(Meta::new(), bought("jar")).unwrap_err();
    let mut t = store.begin();
    t.apply(bought("cup")).unwrap();
    t.apply(bought("cup")).unwrap_err();
    t.commit().unwrap();
    let batch = store.step_all([listed("pot"), listed("pan"), listed("pot")]);
    assert_eq!(batch.iter().filter(|result| result.is_ok()).count(), 2);
    store
        .try_step_any(&shop::AnyEvent::from(bought("pan")))
        .unwrap();
    store.step_all([listed("a name of more than 20 bytes")]);
    let Metrics {
        transactions,
        rejections,
        failures,
        syncs,
        sync_time,
        sync_time_max,
        ..
    } = meter.read();
    assert_eq!((transactions, failures), (5, 0));
    let rejections: Vec<_> = rejections.into_iter().collect();
    let expected = [
        ("Duplicate", 2),
        ("Invariant", 1),
        ("NotInPlace", 1),
        ("UnknownKey", 2),
    ];
    assert_eq!(rejections, expected);
    // One for each step and for the batch.
    assert_eq!(syncs - opened.syncs, 4);
    assert!(sync_time >= sync_time_max && sync_time_max > Duration::ZERO);
    drop(store);
    // It can be read after the store was dropped.
    assert_eq!(meter.read().transactions, 5);
}

#[test]
fn a_meter_counts_the_steps_of_a_store_without_a_log() {
    let _alone = alone();
    let mut store = Store::<Model>::unlogged();
    store.try_step(listed("cup")).unwrap();
    let read = store.meter().read();
    assert_eq!((read.transactions, read.bytes), (1, 0));
}

#[test]
fn a_meter_has_the_lag_of_the_slowest_subscription() {
    let _alone = alone();
    let mut store = Store::<Model>::memory();
    let meter = store.meter();
    let mut first = store.subscribe(0).unwrap();
    let second = store.subscribe(0).unwrap();
    for name in ["cup", "pot", "jar"] {
        store.try_step(listed(name)).unwrap();
    }
    let lag = |meter: &ironweave::metrics::Meter| {
        let read = meter.read();
        (read.subscriptions, read.lag)
    };
    // The schema is a frame too.
    assert_eq!(lag(&meter), (2, 4));
    drop(second);
    for _ in 0..2 {
        first.try_next().unwrap().unwrap();
    }
    assert_eq!(lag(&meter), (1, 1));
    let other = meter.clone();
    let read = thread::spawn(move || lag(&other)).join().unwrap();
    assert_eq!(read, (1, 1));
    drop(first);
    assert_eq!(lag(&meter), (0, 0));
}
