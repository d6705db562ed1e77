//! The events of the demo, fired again with compiled arcs and by the interpreter.

use databuild::model::build;
use ironweave::plumbing::compiled_events;
use ironweave::prelude::*;
use ironweave::{Meta, Record, Seq};

use crate::support::Place;

type Build = Store<build::Model>;

/// The events, facts and fingerprint of a transaction.
fn text(record: &Record<build::Model>) -> String {
    let firings: Vec<String> = (record.firings())
        .map(|firing| format!("{firing}: {}", firing.facts()))
        .collect();
    format!("{:032x} {}", record.fingerprint(), firings.join("\n"))
}

/// Fires the events of a transaction that was committed.
fn repeat(store: &mut Build, record: &Record<build::Model>) -> Result<(), StepError> {
    let meta = Meta::new().with_time(record.time());
    let repeated = store.transaction_with(meta, |t| {
        for event in record.all_events() {
            let event = event.expect("the log can be read");
            // Immediate events fire by themselves.
            if let Some(event) = event.into_applied() {
                t.apply_any(&event)?;
            }
        }
        Ok::<_, StepError>(())
    });
    repeated.map(|_| ())
}

fn frames(store: &Build) -> Vec<Record<build::Model>> {
    let frames = store.frames(Seq::default()).expect("the log can be read");
    frames.map(|frame| frame.expect("a frame")).collect()
}

#[test]
fn the_macro_compiles_the_arcs_of_each_event_whose_plan_permits_it() {
    let events = compiled_events(build::Model::binding());
    assert!(events.iter().any(|(_, of_macro, _)| *of_macro));
    for (event, of_macro, of_plan) in events {
        assert_eq!(of_macro, of_plan, "{event}");
    }
}

#[test]
fn the_events_of_the_demo_have_the_same_facts_and_fingerprints() {
    let place = Place::with_workspace();
    place.demo().success();
    let logged = Build::open_read_only(place.path("out/store")).expect("it opens");
    let logged = frames(&logged);
    assert!(logged.len() > 50, "{} frames", logged.len());
    for options in [Build::options(), Build::options().interpreted()] {
        let mut store: Build = options.memory();
        for record in &logged {
            repeat(&mut store, record).expect("the event fires again");
        }
        let found = frames(&store);
        assert_eq!(found.len(), logged.len());
        for (found, logged) in found.iter().zip(&logged) {
            assert_eq!(text(found), text(logged));
        }
        assert_eq!(store.check(), []);
    }
}
