//! What if: with the code of the model where it is linked in, and not without.

use serde_json::{Value, json};

use crate::server::Fixture;

#[test]
fn an_event_is_tried_with_its_handler_and_nothing_is_kept() {
    let fixture = Fixture::typed();
    let Fixture { store, server, .. } = &fixture;
    let (before, fingerprint) = (fixture.last(), store.read(|db| db.fingerprint()).unwrap());
    let (status, answer) =
        server.try_event(&json!({ "event": { "JobFailed": { "run": "JobRun/2.1", "exit": 9 } } }));
    assert_eq!(status, 200, "{answer}");
    let firing = &answer["transaction"]["firings"][0];
    assert_eq!(firing["event"], "JobFailed");
    // The handler moves the four partitions that the run builds.
    let change = |place: &str| {
        let places = answer["places"].as_array().unwrap();
        let of = |change: &&Value| change["place"] == place && change["type"] == "Partition";
        let found = places.iter().find(of).unwrap();
        (
            found["before"].as_u64().unwrap(),
            found["after"].as_u64().unwrap(),
        )
    };
    assert_eq!(change("Building"), (4, 0));
    assert_eq!(change("Failed"), (2, 6));
    assert_eq!(answer["transaction"]["seq"].as_u64(), Some(before + 1));
    assert_eq!(fixture.last(), before);
    assert_eq!(store.read(|db| db.fingerprint()).unwrap(), fingerprint);
    // The numbers of the graph that was tried are not those of the store.
    let places = server.get("places");
    assert_eq!(places["types"][0]["states"][1]["count"], 4);
}

#[test]
fn an_event_is_tried_on_the_past_with_what_follows_from_it() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let (status, answer) = server.try_event(&json!({
        "event": { "JobSucceeded": { "run": "JobRun/0.1", "at": "2026-01-02T00:00:00Z" } },
        "at": "4",
    }));
    assert_eq!(status, 200, "{answer}");
    let events: Vec<&Value> = answer["transaction"]["firings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["event"])
        .collect();
    assert_eq!(events, ["JobSucceeded", "WantSatisfied"]);
    assert_eq!(answer["at"]["seq"], 4);
    // Now that run has ended.
    let (status, answer) = server.try_event(&json!({
        "event": { "JobSucceeded": { "run": "JobRun/0.1", "at": "2026-01-02T00:00:00Z" } },
    }));
    assert_eq!(status, 409, "{answer}");
}

#[test]
fn links_that_a_trial_makes_are_counted() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let event = json!({ "WantCreated": { "partitions": ["x", "daily/2026-01-01"] } });
    let (status, answer) = server.try_event(&json!({ "event": event }));
    assert_eq!(status, 200, "{answer}");
    let places = answer["places"].as_array().unwrap();
    let edge = places.iter().find(|change| change["edge"] == true).unwrap();
    assert_eq!(
        (
            &edge["place"],
            edge["after"].as_u64().unwrap() - edge["before"].as_u64().unwrap()
        ),
        (&json!("partitions"), 2)
    );
    let names = answer["names"].as_array().unwrap();
    let want = names.iter().find(|pair| pair[0] == "want").unwrap();
    assert_eq!(want[1][0]["state"], "Idle");
}

#[test]
fn what_a_store_would_reject_is_rejected() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    for (event, status, expected) in [
        (
            json!({ "WantCanceled": { "want": "Want/1.1" } }),
            409,
            "is Successful",
        ),
        (
            json!({ "WantCanceled": { "want": "Want/77.1" } }),
            404,
            "Want/77.1",
        ),
        (
            json!({ "WantCanceled": { "want": "Partition/1.1" } }),
            400,
            "not an event of the model",
        ),
        (json!({ "WantCanceled": {} }), 400, "missing field `want`"),
        (
            json!({ "WantCanceled": { "want": "Want/1.1", "why": 1 } }),
            400,
            "unknown field `why`",
        ),
        (
            json!({ "WantSatisfied": { "want": "Want/1.1" } }),
            400,
            "unknown variant `WantSatisfied`",
        ),
        (json!({ "Nothing": {} }), 400, "unknown variant `Nothing`"),
        (
            json!({ "WantCreated": { "partitions": [] } }),
            403,
            "partitions",
        ),
        (
            json!({ "Noted": { "partition": "none", "note": null, "size": 1 } }),
            404,
            "there is no Partition",
        ),
        (
            json!({ "Noted": { "partition": "x", "note": null, "size": -1 } }),
            400,
            "not an event of the model",
        ),
        (json!("WantCanceled"), 400, "not an event of the model"),
        (json!([]), 400, "not an event of the model"),
    ] {
        let (answered, answer) = server.try_event(&json!({ "event": event }));
        let sentence = answer["error"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{event}: {answer}");
        assert!(sentence.contains(expected), "{event}: {sentence}");
    }
    // A partition that is being built without a run.
    let (status, answer) = server.try_event(&json!({
        "event": { "JobQueued": { "label": "x", "partitions": ["Partition/4.1"], "wants": [] } },
    }));
    assert_eq!(status, 409, "{answer}");
}

#[test]
fn bodies_that_are_no_question_are_refused() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let json = [("Content-Type", "application/json; charset=utf-8")];
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("null", 400),
        ("{\"event\": {}}", 400),
        ("{\"at\": \"3\"}", 400),
        ("{\"event\": {\"Nothing\": {}}, \"keep\": true}", 400),
        ("{\"event\": {\"Nothing\": {}}, \"at\": \"tomorrow\"}", 400),
        (
            "{\"event\": {\"WantCanceled\": {\"want\": \"Want/0.1\"}}, \"at\": \"99999\"}",
            404,
        ),
    ] {
        let (answered, _, answer) = server.send("POST /api/what-if", &json, body);
        assert_eq!(answered, status, "{body}: {answer}");
        assert!(answer.contains("\"error\""), "{answer}");
    }
    let deep = format!(
        "{{\"event\": {}{}}}",
        "[".repeat(20_000),
        "]".repeat(20_000)
    );
    assert_eq!(server.send("POST /api/what-if", &json, &deep).0, 400);
    let huge = format!("{{\"event\": \"{}\"}}", "x".repeat(300 << 10));
    assert_eq!(server.send("POST /api/what-if", &json, &huge).0, 413);
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let headers = [("Content-Type", kind)];
        let (status, _, body) = server.send("POST /api/what-if", &headers, "{\"event\":{}}");
        assert_eq!(status, 415, "{kind}: {body}");
    }
    let other = [
        ("Content-Type", "application/json"),
        ("Origin", "http://example.org"),
    ];
    assert_eq!(
        server.send("POST /api/what-if", &other, "{\"event\":{}}").0,
        403
    );
}

#[test]
fn without_the_code_of_the_model_an_event_that_needs_it_is_refused() {
    let fixture = Fixture::beside();
    let Fixture { server, .. } = &fixture;
    assert_eq!(server.get("store")["tries"], "schema");
    for (event, status, expected) in [
        (
            json!({ "JobStarted": { "run": "JobRun/0.1" } }),
            403,
            "JobStarted cannot be tried: it needs the guard `crate::model::rules::has_capacity` of JobStarted, which is not linked in",
        ),
        (
            json!({ "JobFailed": { "run": "JobRun/2.1", "exit": 9 } }),
            403,
            "the handler of JobFailed",
        ),
        (
            json!({ "Noted": { "partition": "daily/2026-01-01", "note": "a", "size": 1 } }),
            403,
            "the invariant `BuildingHasARun` of Partition",
        ),
        (
            json!({ "WantCanceled": { "want": "Want/1.1" } }),
            409,
            "is Successful",
        ),
        (json!({ "Nothing": {} }), 400, "there is no event `Nothing`"),
        (
            json!({ "WantSatisfied": { "want": "Want/1.1" } }),
            400,
            "fires by itself",
        ),
        (
            json!({ "WantCanceled": {} }),
            400,
            "the field `want` is missing",
        ),
        (json!([]), 400, "not an event of the model"),
        (json!(7), 400, "not an event of the model"),
    ] {
        let (answered, answer) = server.try_event(&json!({ "event": event }));
        let sentence = answer["error"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{event}: {answer}");
        assert!(sentence.contains(expected), "{event}: {sentence}");
    }
    let events = server.get("events");
    let untried = |name: &str| {
        let events = events["events"].as_array().unwrap();
        let event = events.iter().find(|one| one["name"] == name).unwrap();
        event["untried"].as_str().map(str::to_owned)
    };
    assert!(untried("JobStarted").unwrap().contains("has_capacity"));
    assert!(untried("JobFailed").unwrap().contains("the handler"));
    assert_eq!(untried("WantCanceled"), None);
}

#[test]
fn an_event_that_needs_no_code_is_tried_by_the_schema_as_in_the_program() {
    let (beside, typed) = (Fixture::beside(), Fixture::typed());
    assert_eq!(typed.server.get("store")["tries"], "program");
    let idle = |want: &Value| want["state"] == "Idle" || want["state"] == "Building";
    let wants = typed.server.get("entities?type=Want");
    let want = wants["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|want| idle(want))
        .unwrap();
    let event =
        json!({ "WantCanceled": { "want": format!("Want/{}", want["id"].as_str().unwrap()) } });
    let before = beside.last();
    let [a, b] = [&beside, &typed].map(|fixture| {
        let (status, answer) = fixture.server.try_event(&json!({ "event": event }));
        assert_eq!(status, 200, "{answer}");
        answer
    });
    assert_eq!(a["transaction"]["firings"], b["transaction"]["firings"]);
    assert_eq!((&a["names"], &a["places"]), (&b["names"], &b["places"]));
    assert_eq!(a["transaction"]["seq"].as_u64(), Some(before + 1));
    assert_eq!(beside.last(), before);
}

#[test]
fn a_form_has_what_an_event_needs() {
    let fixture = Fixture::typed();
    let Fixture { server, .. } = &fixture;
    let events = server.get("events");
    let field = |event: &str, name: &str| {
        let events = events["events"].as_array().unwrap();
        let event = events.iter().find(|one| one["name"] == event).unwrap();
        let fields = event["fields"].as_array().unwrap();
        fields
            .iter()
            .find(|field| field["name"] == name)
            .unwrap()
            .clone()
    };
    let run = field("JobStarted", "run");
    assert_eq!(
        (&run["by"], &run["type"], &run["state"]),
        (&json!("handle"), &json!("JobRun"), &json!("Queued"))
    );
    let partitions = field("WantCreated", "partitions");
    assert_eq!(
        (
            &partitions["by"],
            &partitions["many"],
            &partitions["ensure"]
        ),
        (&json!("key"), &json!(true), &json!(true))
    );
    assert_eq!(field("Noted", "note")["optional"], true);
    assert_eq!(field("Noted", "size")["form"], "integer");
    assert_eq!(field("JobSucceeded", "at")["form"], "time");
    let satisfied = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "WantSatisfied")
        .unwrap();
    assert_eq!(satisfied["immediate"], true);
}
