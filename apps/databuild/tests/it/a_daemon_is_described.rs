//! `openapi.json` describes the routes of the daemon and what they answer.

use std::collections::BTreeSet;

use databuild::serve::api::{OPENAPI, ROUTES};
use serde_json::{Value, json};

use crate::daemon::{Daemon, JOBS};
use crate::support::Place;

/// Why a value is not of a schema, if it is not.
fn differs(value: &Value, schema: &Value, document: &Value, at: &str) -> Option<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name
            .strip_prefix('#')
            .expect("a reference into the document");
        let schema = document
            .pointer(pointer)
            .unwrap_or_else(|| panic!("no {name}"));
        return differs(value, schema, document, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let inner = any
            .iter()
            .map(|schema| differs(value, schema, document, at));
        return inner.reduce(Option::and).flatten();
    }
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = &schema["type"];
    if types != is
        && !types
            .as_array()
            .is_some_and(|types| types.contains(&json!(is)))
    {
        return Some(format!("{at} is {value}, not {types}"));
    }
    let items = value.as_array().into_iter().flatten();
    let inner = items.map(|item| differs(item, &schema["items"], document, &format!("{at}[]")));
    if let Some(why) = inner.flatten().next() {
        return Some(why);
    }
    let Value::Object(fields) = value else {
        return None;
    };
    let required = schema["required"].as_array().into_iter().flatten();
    for field in required.filter_map(Value::as_str) {
        if !fields.contains_key(field) {
            return Some(format!("{at} has no `{field}`"));
        }
    }
    fields.iter().find_map(|(name, value)| {
        let schema = match (
            schema["properties"].get(name),
            &schema["additionalProperties"],
        ) {
            (Some(schema), _) | (None, schema @ Value::Object(_)) => schema,
            (None, Value::Null) => return None,
            (None, _) => return Some(format!("{at} has `{name}`, which is not described")),
        };
        differs(value, schema, document, &format!("{at}.{name}"))
    })
}

#[test]
fn the_routes_are_those_of_the_document() {
    let document: Value = serde_json::from_str(OPENAPI).expect("it is JSON");
    let paths = document["paths"].as_object().expect("paths");
    let described: BTreeSet<(String, String)> = (paths.iter())
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods").keys();
            methods.map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    let routes = ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), path.replace("{*", "{")));
    assert_eq!(described, routes.collect());
}

#[test]
fn the_answers_are_as_described() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let document: Value = serde_json::from_str(OPENAPI).expect("it is JSON");
    assert_eq!(daemon.get("/api/openapi.json"), (200, document.clone()));
    let mut answered = BTreeSet::new();
    let mut check = |method: &str, described: &str, (status, answer): (u16, Value)| {
        let responses = &document["paths"][described][method]["responses"];
        let of_status = responses
            .get(status.to_string())
            .unwrap_or(&responses["default"]);
        let schema = &of_status["content"]["application/json"]["schema"];
        let why = differs(&answer, schema, &document, "the answer");
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
    let schema = json!({ "$ref": "#/components/schemas/Event" });
    for _ in 0..10 {
        let (_, event) = events.next().expect("there are more");
        assert_eq!(differs(&event, &schema, &document, "the event"), None);
    }
    answered.insert(("get".into(), "/api/events".into()));
    // The metrics are no JSON.
    answered.insert(("get".into(), "/metrics".into()));
    let routes = ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), path.replace("{*", "{")));
    assert_eq!(answered, routes.collect());
}
