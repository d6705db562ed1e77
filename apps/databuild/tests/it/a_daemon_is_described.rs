//! The description of the API is made from the routes, and the daemon answers as described.

use std::collections::BTreeSet;

use databuild::serve::routes::{OPENAPI, ROUTES};
use serde_json::{Value, json};

use crate::daemon::{Daemon, JOBS};
use crate::described::Document;
use crate::support::Place;

/// Clients may be generated from the committed file, and a change of it is reviewed like one of the code.
#[test]
fn the_committed_description_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    if std::env::var_os("IRONWEAVE_BLESS").is_some() {
        std::fs::write(path, OPENAPI.as_str()).expect("it can be written");
    }
    let committed = std::fs::read_to_string(path).expect("it can be read");
    assert!(
        committed == *OPENAPI,
        "apps/databuild/openapi.json is not what the code describes: `IRONWEAVE_BLESS=1 cargo test -p databuild --test it described` writes it"
    );
}

#[test]
fn each_route_parameter_and_field_has_a_description() {
    fn check(value: &Value, at: &str) {
        if let Value::Array(items) = value {
            items.iter().for_each(|item| check(item, at));
        }
        let Value::Object(fields) = value else { return };
        if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                // A reference leads to a schema, which has one. The only property of a choice is described by the choice.
                let of_choice = fields.get("description").filter(|_| properties.len() == 1);
                let about = property["description"]
                    .as_str()
                    .or(property["$ref"].as_str())
                    .or(of_choice.and_then(Value::as_str));
                assert!(
                    about.is_some_and(|about| !about.is_empty()),
                    "{at}.{name}: {property}"
                );
            }
        }
        for (name, value) in fields {
            check(value, &format!("{at}.{name}"));
        }
    }
    let Document(document) = Document::new();
    check(&document, "");
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .expect("schemas")
    {
        assert!(schema["description"].is_string(), "{name}");
    }
    let paths = document["paths"].as_object().expect("paths").values();
    let operations: Vec<&Value> = paths
        .flat_map(|methods| methods.as_object().expect("methods").values())
        .collect();
    assert_eq!(operations.len(), ROUTES.len());
    let ids: BTreeSet<_> = operations
        .iter()
        .map(|one| one["operationId"].as_str())
        .collect();
    assert_eq!(ids.len(), ROUTES.len(), "two operations have one id");
    for operation in operations {
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|summary| summary.ends_with('.')),
            "{operation}"
        );
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string(), "{operation}");
        }
    }
    let limit = &document["paths"]["/api/wants"]["get"]["parameters"][2];
    assert_eq!(
        (
            &limit["name"],
            &limit["schema"]["minimum"],
            &limit["schema"]["maximum"]
        ),
        (&json!("limit"), &json!(1), &json!(1000))
    );
    let want = &document["components"]["schemas"]["NewWant"];
    assert_eq!(want["properties"]["refs"]["maxItems"], 10_000);
    assert_eq!(want["properties"]["priority"]["format"], "int32");
    assert_eq!(want["additionalProperties"], false);
}

#[test]
fn the_answers_are_as_described() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let document = Document::new();
    assert_eq!(daemon.get("/api/openapi.json"), (200, document.0.clone()));
    let mut answered = BTreeSet::new();
    let mut check = |method: &str, described: &str, (status, answer): (u16, Value)| {
        let why = document.wrong(method, described, status, &answer);
        assert_eq!(why, None, "{method} {described}: {status} {answer}");
        answered.insert((method.to_owned(), described.to_owned()));
    };
    let want = daemon.post("/api/wants", &json!({ "refs": ["top/a", "needs-bad"] }));
    let id = want.1["id"].as_str().expect("an id").to_owned();
    check("post", "/api/wants", want);
    daemon.wait_for_run("slow/a");
    // `bad` has failed when nothing else runs.
    crate::support::wait_until("bad has failed", || {
        daemon.get("/api/partitions/bad").1["state"] == "Failed"
    });
    let get = |path: &str| daemon.get(path);
    check("get", "/healthz", get("/healthz"));
    check("get", "/api/openapi.json", get("/api/openapi.json"));
    check("get", "/api/status", get("/api/status"));
    check("get", "/api/wants", get("/api/wants?limit=1"));
    check("get", "/api/wants", get("/api/wants?limit=0"));
    check("get", "/api/wants/{id}", get(&format!("/api/wants/{id}")));
    check("get", "/api/partitions", get("/api/partitions"));
    check("get", "/api/runs", get("/api/runs"));
    let runs = get("/api/runs").1["runs"]
        .as_array()
        .expect("a list")
        .clone();
    for run in runs {
        let id = run["id"].as_str().expect("an id");
        check("get", "/api/runs/{id}", get(&format!("/api/runs/{id}")));
    }
    place.write("leave", "");
    daemon.wait_for(&id, "UpstreamFailed");
    for name in ["top/a", "slow/a", "bad", "needs-bad", "nowhere"] {
        check(
            "get",
            "/api/partitions/{ref}",
            get(&format!("/api/partitions/{name}")),
        );
    }
    check("get", "/api/wants/{id}", get(&format!("/api/wants/{id}")));
    let timeline = get(&format!("/api/wants/{id}/timeline"));
    assert_eq!(timeline.1["critical"], json!(["slow/a", "top/a"]));
    check("get", "/api/wants/{id}/timeline", timeline);
    let run = get("/api/partitions/bad").1["run"].clone();
    let run = run.as_str().expect("it ran").to_owned();
    for stream in ["stdout", "stderr", "other"] {
        check(
            "get",
            "/api/runs/{id}/logs",
            get(&format!("/api/runs/{run}/logs?stream={stream}")),
        );
    }
    for path in ["lineage", "why", "history"] {
        for rest in [
            "top/a",
            "bad?at=9",
            "nowhere",
            "top/a?at=1",
            "top/a?at=9999",
        ] {
            check(
                "get",
                &format!("/api/{path}/{{ref}}"),
                get(&format!("/api/{path}/{rest}")),
            );
        }
    }
    let story = get("/api/history/top/a").1;
    let texts = story["entries"].as_array().expect("a list").iter();
    let texts: Vec<&str> = texts.filter_map(|one| one["text"].as_str()).collect();
    assert_eq!(
        texts,
        [
            "built",
            "a run builds it",
            "what it waited for is live",
            "waits for what its run missed",
            "a run builds it",
            "wanted for the first time"
        ]
    );
    for query in ["", "?pattern=top/*", "?at=1", "?pattern={"] {
        check("get", "/api/grid", get(&format!("/api/grid{query}")));
    }
    check("get", "/api/time", get("/api/time"));
    for query in ["?from=0", "?from=1&to=5", ""] {
        check("get", "/api/diff", get(&format!("/api/diff{query}")));
    }
    for question in [
        json!({ "want": ["top/new", "needs-bad"] }),
        json!({ "change": ["slow/a", "bad"], "limit": 1 }),
        json!({ "want": ["nowhere"] }),
        json!({}),
    ] {
        check("post", "/api/plan", daemon.post("/api/plan", &question));
    }
    for report in [
        json!({ "status": {} }),
        json!({ "plan": { "question": { "want": ["top/new"] }, "json": true } }),
        json!({ "why": { "name": "nowhere" } }),
        json!({ "why": {} }),
        json!({ "what_if": { "want": [] } }),
    ] {
        let answer = daemon.post("/api/reports", &report);
        check("post", "/api/reports", answer);
    }
    check(
        "post",
        "/api/retry",
        daemon.post("/api/retry", &json!({ "refs": ["bad"] })),
    );
    check(
        "post",
        "/api/retry",
        daemon.post("/api/retry", &json!({ "refs": ["bad"] })),
    );
    for name in ["slow/a", "bad"] {
        let body = json!({ "refs": [name], "reason": "swapped columns" });
        check("post", "/api/taint", daemon.post("/api/taint", &body));
    }
    check(
        "get",
        "/api/partitions/{ref}",
        daemon.get("/api/partitions/slow/a"),
    );
    place.write(
        "jobs.toml",
        &JOBS.replace(
            "partitions = \"quick/*\"\ncommand = [\"true\"]",
            "partitions = \"quick/*\"\ncommand = [\"sleep\", \"60\"]",
        ),
    );
    let id = daemon.want(&["quick/1"]);
    daemon.wait_for_run("quick/1");
    check(
        "delete",
        "/api/wants/{id}",
        daemon.delete(&format!("/api/wants/{id}")),
    );
    let (_, mut events) = daemon.events("/api/events", Some("0"));
    for _ in 0..10 {
        let (_, event) = events.next().expect("there are more");
        assert_eq!(document.wrong_event(&event), None);
    }
    answered.insert(("get".into(), "/api/events".into()));
    // The metrics are no JSON.
    answered.insert(("get".into(), "/metrics".into()));
    let routes = ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), path.replace("{*", "{")));
    assert_eq!(answered, routes.collect());
}
