//! Each route is asked with hostile parameters: each answer is JSON, and none is a failure of the server.

use serde_json::json;

use crate::server::Fixture;

/// Values that are no valid ones, or at a limit.
const VALUES: [&str; 26] = [
    "",
    "0",
    "-1",
    "1",
    "18446744073709551615",
    "18446744073709551616",
    "1e9",
    "NaN",
    "now",
    "2026-11-28T12:00Z",
    "9999-12-31T23:59:59.999999Z",
    "-262144-01-01T00:00Z",
    "Partition",
    "JobRun/0.1",
    "0.1",
    "4294967295.16777215",
    "0.0",
    "%00",
    "%ff%fe",
    "%F0%9F%92%A5",
    "%22%3Cscript%3E",
    "a%20,%20b",
    "..%2f..%2fetc%2fpasswd",
    "%",
    "null",
    "%5B%5B%5B%5B",
];

/// Each route of the API with its parameters.
const ROUTES: [(&str, &[&str]); 13] = [
    ("store", &[]),
    ("places", &["at"]),
    (
        "entities",
        &[
            "type", "state", "key", "field", "value", "after", "limit", "at",
        ],
    ),
    ("entity", &["type", "id", "at"]),
    ("links", &["type", "id", "edge", "skip", "limit", "at"]),
    ("history", &["type", "id", "key", "before", "limit", "at"]),
    ("log", &["event", "type", "actor", "before", "limit", "at"]),
    ("transaction", &["seq", "at"]),
    ("diff", &["from", "to", "skip", "limit", "at"]),
    ("net", &["kind", "type", "at"]),
    ("marking", &["at"]),
    ("events", &["at"]),
    ("nothing", &["at"]),
];

/// What makes the other parameters of a route valid.
const VALID: [(&str, &str); 6] = [
    ("type", "Partition"),
    ("id", "0.1"),
    ("edge", "tags"),
    ("seq", "3"),
    ("from", "2"),
    ("field", "name"),
];

#[test]
fn hostile_parameters_are_refused_and_no_answer_is_a_failure_of_the_server() {
    let mut answered = 0;
    for fixture in [Fixture::typed(), Fixture::beside()] {
        let Fixture { server, .. } = &fixture;
        for (route, parameters) in ROUTES {
            for wrong in parameters {
                for value in VALUES {
                    let others = parameters.iter().filter(|name| *name != wrong);
                    let others =
                        others.filter_map(|name| VALID.iter().find(|(own, _)| own == name));
                    let others = others.map(|(name, value)| format!("&{name}={value}"));
                    let query = format!("{route}?{wrong}={value}{}", others.collect::<String>());
                    let (status, answer) = server.ask(&query);
                    assert!((200..500).contains(&status), "{query}: {answer}");
                    if status == 200 {
                        answered += 1;
                    } else {
                        let sentence = answer["error"].as_str().unwrap_or_default();
                        assert!(!sentence.is_empty(), "{query}: {answer}");
                    }
                }
            }
            // Given twice, unknown, and too long.
            for query in [
                "at=1&at=2".to_owned(),
                "x=1".to_owned(),
                format!("at={}", "1".repeat(9_000)),
            ] {
                let (status, _) = server.ask(&format!("{route}?{query}"));
                assert!((400..500).contains(&status), "{route}?{query}: {status}");
            }
        }
    }
    // The question is understood in many of these cases.
    assert!(answered > 100, "{answered}");
}

#[test]
fn hostile_bodies_are_refused() {
    for fixture in [Fixture::typed(), Fixture::beside()] {
        let Fixture { server, .. } = &fixture;
        let deep = format!("{{\"event\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let long = format!(
            "{{\"event\":{{\"Noted\":{{\"note\":\"{}\"}}}}}}",
            "x".repeat(300 << 10)
        );
        let json = [("Content-Type", "application/json")];
        for body in [
            "",
            "{",
            "null",
            "[]",
            "{}",
            "{\"event\":null}",
            "{\"event\":{}}",
            "{\"event\":{\"Noted\":null}}",
            "{\"event\":{\"Noted\":{}},\"at\":\"99999999\"}",
            "{\"event\":{\"Noted\":{\"partition\":{\"a\":[1,null,-0.0]}}}}",
            "{\"event\":{\"\\u0000\":{}}}",
            "{\"event\":\"\\ud800\"}",
            &deep,
            &long,
        ] {
            let (status, _, answer) = server.send("POST /api/what-if", &json, body);
            let start: String = body.chars().take(80).collect();
            assert!((400..500).contains(&status), "{start}: {status} {answer}");
            assert!(
                serde_json::from_str::<serde_json::Value>(&answer).is_ok(),
                "{start}: {answer}"
            );
        }
        assert_eq!(
            server.get("places")["types"][0]["count"]
                .as_u64()
                .map(|n| n > 0),
            Some(true)
        );
        let (status, _) = server.try_event(&json!({"event": {"NoSuchEvent": {}}}));
        assert!((400..500).contains(&status));
    }
}
