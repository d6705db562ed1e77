//! A record as JSON, as one line of text, and as `Debug` output.

use ironweave::prelude::*;
use serde_json::json;

use crate::model::{Model, Placed, Sold, admitted, opened};

#[test]
fn a_record_is_json_that_names_everything() {
    let mut store = Store::<Model>::memory();
    let (ward, [bed, other]) = opened(&mut store);
    let mut t = store
        .begin_with(
            Meta::new()
                .with_time(Timestamp::from_secs(4_000_000_000))
                .with_actor("eve")
                .with_correlation("case 7")
                .with_causation(1)
                .with_idempotency_key("request 17"),
        )
        .expect("it begins");
    t.apply(Placed { ward, bed, day: 3 }).expect("it fires");
    t.apply(admitted(bed, "ann")).expect("it fires");
    t.apply(Sold { bed: other }).expect("it fires");
    t.commit().expect("it is written");
    let seq = store.seq().expect("it has frames");
    let record = store.frames(seq).expect("it reads").next();
    let record = record.expect("it is there").expect("it reads");
    let position = store.position().expect("it has a log");
    assert_eq!(
        serde_json::to_value(&record).expect("it is JSON"),
        json!({
            "seq": 4,
            "position": position,
            "time": "2096-10-02T07:06:40Z",
            "actor": "eve",
            "correlation": "case 7",
            "causation": 1,
            "idempotency_key": "request 17",
            "firings": [
                {
                    "event": {"Placed": {"ward": "Ward/0.1", "bed": "Bed/0.1", "day": 3}},
                    "facts": [
                        {"fact": "link", "entity": "Ward/0.1", "field": "beds", "other": "Bed/0.1"},
                        {"fact": "set_link", "entity": "Ward/0.1", "field": "beds", "other": "Bed/0.1", "value": 3},
                    ],
                },
                {
                    "event": {"Admitted": {"bed": "Bed/0.1", "patient": "ann", "at": "1970-01-01T00:01:00Z"}},
                    "facts": [
                        {"fact": "move", "entity": "Bed/0.1", "from": "Free", "to": "Taken"},
                        {"fact": "set", "entity": "Bed/0.1", "field": "patient", "value": "ann"},
                        {"fact": "set", "entity": "Bed/0.1", "field": "at", "value": "1970-01-01T00:01:00Z"},
                    ],
                },
                {
                    "immediate": {"Filled": {"ward": "Ward/0.1"}},
                    "facts": [
                        {"fact": "move", "entity": "Ward/0.1", "from": "Open", "to": "Full"},
                        {"fact": "set", "entity": "Ward/0.1", "field": "since", "value": 7},
                    ],
                },
                {
                    "event": {"Sold": {"bed": "Bed/1.1"}},
                    "facts": [{"fact": "delete", "entity": "Bed/1.1", "from": "Free"}],
                },
            ],
        })
    );
    // The JSON of an event can be deserialized and applied.
    let json = serde_json::to_value(&record).expect("it is JSON");
    let again: <Model as ironweave::Model>::Event =
        serde_json::from_value(json["firings"][1]["event"].clone()).expect("it is an event");
    let refused = store.try_step_any(&again).map(|_| ());
    assert!(
        matches!(refused, Err(StepError::NotInPlace { .. })),
        "{refused:?}"
    );
    // A transaction without metadata has no keys for it.
    let first = store.frames(1).expect("it reads").next();
    let first = serde_json::to_value(first.expect("it is there").expect("it reads"));
    let first = first.expect("it is JSON");
    let keys: Vec<&String> = first.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["firings", "position", "seq", "time"]);
}

#[test]
fn a_record_is_shown_in_one_line_and_in_full() {
    let mut store = Store::<Model>::memory();
    let (_, [bed, _]) = opened(&mut store);
    let meta = Meta::new()
        .with_time(Timestamp::from_secs(4_000_000_000))
        .with_actor("eve");
    let seq = store.try_step_with(meta, admitted(bed, "ann"));
    let seq = seq.expect("it fires").seq;
    let record = store.frames(seq).expect("it reads").next();
    let record = record.expect("it is there").expect("it reads");
    assert_eq!(record.to_string(), "4 2096-10-02T07:06:40Z Admitted");
    assert_eq!(
        format!("{record:?}"),
        "Record { seq: 4, time: 2096-10-02T07:06:40Z, actor: \"eve\", firings: [Admitted { bed: Bed/0.1, \
         patient: \"ann\", at: 1970-01-01T00:01:00Z } => move Bed/0.1 Free -> Taken; set Bed/0.1.patient = \"ann\"; \
         set Bed/0.1.at = 1970-01-01T00:01:00Z] }"
    );
}
