//! Server-sent events: each transaction once, also for a client that connects again, and only what belongs to a want.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::daemon::{Daemon, Events, JOBS};
use crate::support::Place;

/// The events up to the end of a want.
fn until_ended(events: &mut Events, want: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (id, event) in events {
        let changes = event["changes"]["items"]
            .as_array()
            .expect("a list")
            .clone();
        all.push((id, event));
        let ends = |change: &Value| {
            change["id"] == want && change["type"] == "Want" && change["to"] == "Successful"
        };
        if changes.iter().any(ends) {
            return all;
        }
    }
    panic!("the stream ended before want {want} did: {all:?}");
}

fn seqs(events: &[(String, Value)]) -> Vec<u64> {
    events
        .iter()
        .map(|(_, event)| event["seq"].as_u64().expect("a number"))
        .collect()
}

#[test]
fn a_client_that_connects_again_misses_nothing() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (status, mut live) = daemon.events("/api/events", None);
    assert_eq!(status, 200);
    let want = daemon.want(&["quick/1", "quick/2"]);
    let seen = until_ended(&mut live, &want);
    let (first, event) = &seen[0];
    assert_eq!(event["events"][0], "WantCreated", "{event}");
    let all = seqs(&seen);
    let expect: Vec<u64> = (all[0]..all[0] + all.len() as u64).collect();
    assert_eq!(all, expect);

    // After the first one, by its id and by its sequence, also from a daemon that was started in between.
    let (_, mut again) = daemon.events("/api/events", Some(first));
    assert_eq!(until_ended(&mut again, &want), seen[1..]);
    daemon.end();
    let daemon = Daemon::start(&place);
    for last in [first.clone(), all[0].to_string()] {
        let (_, mut again) = daemon.events("/api/events", Some(&last));
        assert_eq!(until_ended(&mut again, &want), seen[1..]);
    }
    for (last, expect) in [("x", 400), ("1000000", 404)] {
        assert_eq!(daemon.events("/api/events", Some(last)).0, expect, "{last}");
    }
}

#[test]
fn a_client_can_follow_one_want() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (_, other) = daemon.post("/api/wants", &json!({ "refs": ["quick/1", "top/b"] }));
    let (_, want) = daemon.post("/api/wants", &json!({ "refs": ["top/a"] }));
    let id = want["id"].as_str().expect("an id");
    let since = want["seq"].to_string();
    let (_, mut events) = daemon.events(&format!("/api/events?want={id}"), Some(&since));
    place.wait_for("there-b");
    place.write("leave", "");
    let seen = until_ended(&mut events, id);
    let changes = seen
        .iter()
        .flat_map(|(_, event)| event["changes"]["items"].as_array().expect("a list"));
    let changes: Vec<&Value> = changes.collect();
    let named = |of: &str| -> BTreeSet<&str> {
        let of = changes.iter().filter(|change| change["type"] == of);
        of.filter_map(|change| change["name"].as_str()).collect()
    };
    // `slow/a` was not known when the stream began.
    assert_eq!(named("Partition"), BTreeSet::from(["slow/a", "top/a"]));
    assert_eq!(named("JobRun"), BTreeSet::from(["slow/a", "top/a"]));
    assert!(
        changes
            .iter()
            .all(|change| change["id"] != other["id"] || change["type"] != "Want")
    );
}

#[test]
fn streams_end_with_the_daemon_and_are_counted() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let mut streams: Vec<Events> = (0..50)
        .map(|_| daemon.events("/api/events", None).1)
        .collect();
    let (_, _, text) = daemon.exchange("GET /metrics", "", "");
    assert!(text.contains("databuild_event_streams 50\n"), "{text}");
    let want = daemon.want(&["quick/1"]);
    let first = until_ended(&mut streams[0], &want);
    for stream in &mut streams[1..] {
        assert_eq!(until_ended(stream, &want), first);
    }
    assert_eq!(daemon.end().code, Some(0));
    for mut stream in streams {
        assert_eq!(stream.next(), None);
    }
}
