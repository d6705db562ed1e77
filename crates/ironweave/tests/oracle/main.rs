//! Random histories of random models, judged by an oracle of plain maps.
//!
//! A number gives a model and a history of it ([`history::Case::draw`]); [`driver::run`] fires it at a store and at
//! the oracle ([`world`], [`rules`], [`settle`]), which is written from the rules alone, and compares all that can
//! be read. What fails is made smaller ([`shrink`]) and printed as a test ([`print`]).
//!
//! Four stores in five execute compiled arcs, which [`compile`] derives from the schema of the model: opening the store
//! compares them with those that follow from its plan. At the end of a history, the interpreter executes all events of the
//! log again, and the facts are compared. [`both_ways`] does so for models that the macro compiled.
//!
//! `IRONWEAVE_ORACLE_SEEDS=n` runs n models, from `IRONWEAVE_ORACLE_FROM` on: `cargo xtask oracle --seeds n --from s`.
#![allow(missing_docs)]

/// What the macro derives compiled arcs with.
#[path = "../../../ironweave-macros/src/generate/compile.rs"]
mod compile;

#[path = "../harness/mod.rs"]
mod harness;

// Only their models are of interest here.
#[allow(dead_code)]
#[path = "../time/bank.rs"]
mod bank;

#[path = "../logs/models.rs"]
mod logged;

#[allow(dead_code)]
#[path = "../step/pool.rs"]
mod pool;

#[path = "../harness/readme/mod.rs"]
mod readme;

#[allow(dead_code)]
#[path = "../language/shed.rs"]
mod shed;

#[allow(dead_code)]
#[path = "../language/shop.rs"]
mod shop;

#[allow(dead_code)]
#[path = "../record/model.rs"]
mod ward;

mod arcs;
mod both_ways;
mod by_schema;
mod checkpoints;
mod choosing;
mod compare;
mod conditions;
mod crew;
mod deletes;
mod driver;
mod due;
mod due_driver;
mod edit;
mod entities;
mod events;
mod fields;
mod filters;
mod fingerprint;
mod firings;
mod found;
mod handler;
mod history;
mod indexes;
mod limits;
mod lists;
mod meta;
mod model;
mod operations;
mod planted;
mod print;
mod prune;
mod queues;
mod rng;
mod rules;
mod schemas;
mod settle;
mod shrink;
mod sources;
mod stats;
mod travel;
mod values;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use driver::{Failure, quiet_panics, run, seconds};
use history::Case;
use stats::Stats;

/// How many models a plain `cargo test` draws, of a hundred events each.
const MODELS: u64 = 1_000;
/// How often each form of the language must have fired, and must have rejected an event, after so many models.
const COVERED: usize = 100;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_model_is_as_the_oracle_says() {
    quiet_panics();
    let from = number("IRONWEAVE_ORACLE_FROM").unwrap_or(0);
    let to = from + number("IRONWEAVE_ORACLE_SEEDS").unwrap_or(MODELS);
    let began = Instant::now();
    let next = AtomicU64::new(from);
    let total = Mutex::new((Stats::default(), 0u64));
    let failed: Mutex<Option<(u64, Failure)>> = Mutex::new(None);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to || failed.lock().expect("no panic").is_some() {
                return;
            }
            match run(&Case::draw(seed)) {
                Ok(stats) => {
                    let mut total = total.lock().expect("no panic");
                    total.0.add(stats);
                    total.1 += 1;
                }
                Err(failure) => {
                    failed
                        .lock()
                        .expect("no panic")
                        .get_or_insert((seed, failure));
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (stats, models) = *total.lock().expect("no panic");
    println!("{models} models in {:.1} s: {stats:?}", seconds(began));
    if let Some((seed, failure)) = failed.into_inner().expect("no panic") {
        let (kind, text) = (failure.kind.clone(), failure.text.clone());
        eprintln!(
            "seed {seed}, step {}, event {}: {kind}: {text}\n\nmade smaller, for tests/oracle/found.rs:\n",
            failure.step, failure.events
        );
        if number("IRONWEAVE_ORACLE_SHRINK") != Some(0) {
            let (case, failure) = shrink::shrink(Case::draw(seed), failure);
            eprintln!("{}", print::test(seed, &case, &failure));
        }
        panic!(
            "seed {seed} (`cargo xtask oracle --seeds 1 --from {seed}` runs it alone): {kind}: {text}"
        );
    }
    if models >= MODELS {
        stats.forms.assert_each_at_least(COVERED);
        assert!(stats.watched >= COVERED, "watched conditions: {stats:?}");
        let by_themselves = stats.choosing.min(stats.handled);
        assert!(by_themselves >= COVERED, "immediate events: {stats:?}");
        let indexed = stats.index_rows.min(stats.index_choices);
        assert!(indexed >= COVERED, "indexes: {stats:?}");
        let rare = stats.decided.rarer_than(COVERED / 10);
        assert!(rare.is_empty(), "orders that seldom decided: {rare:?}");
        let tried = stats.tried;
        assert!(
            tried.least() >= COVERED / 4,
            "tried by the schema: {tried:?}"
        );
        let due = (stats.due, stats.due_rejected);
        assert!(
            due.0 >= COVERED && due.1 >= COVERED / 5,
            "due events: {stats:?}"
        );
    }
}
