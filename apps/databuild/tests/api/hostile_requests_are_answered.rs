//! Random requests that are made from the description of the API, with hostile paths, queries, headers and bodies. Each is answered as
//! described and never with 500, and none leaves something in the log that a legal request could not.
//!
//! The requests are the same in each run. `PROPTEST_RNG_SEED=n` makes others, and `PROPTEST_CASES=n` more.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use databuild::jobs::check_name;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use serde_json::Value;

use crate::daemon::Daemon;
use crate::described::Document;
use crate::support::Place;

const CASES: u32 = 1500;
/// No answer may take longer.
const LIMIT: Duration = Duration::from_secs(30);
const JOBS: &str = "[[job]]\npartitions = \"q/*\"\ncommand = [\"true\"]\n[[job]]\npartitions = \"bad/{n}\"\ncommand = [\"false\"]\n";

/// Where the parameters of an operation are, and their names.
type Parameters = Vec<(String, String)>;

/// A request, as it is sent.
#[derive(Clone, Debug)]
struct Sent {
    method: String,
    /// The path of the description that it was made from.
    described: String,
    target: String,
    head: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// Texts that a parameter may have: those that it may be made for, and hostile ones.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let known = select(vec![
        "",
        "0",
        "1",
        "2",
        "7",
        "1000",
        "1001",
        "-1",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "99999",
        "4294967296",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999",
        "1.1",
        "0.1",
        "2.1",
        "99.1",
        "1.4294967296",
        "4294967296.1",
        "1.0",
        "now",
        "2026-01-01",
        "2026-02-30",
        "2999-01-01T00:00:00Z",
        "0000-00-00T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "q/1",
        "q/2",
        "bad/1",
        "q",
        "/",
        "//",
        ".",
        "..",
        "../..",
        "q/../q",
        "-x",
        "q/*",
        "**",
        "q/{1..3}",
        "{1..999999999}",
        "{",
        "}",
        "{a}/{b}",
        "{a}{a}",
        "+q/1",
        "q/1+",
        "[",
        "\\",
        "'",
        "\"",
        "%",
        "%zz",
        "a\u{0}b",
        "\n",
        "\r\nx: y",
        "\u{1b}[31m",
        "é",
        "\u{202e}",
        "\u{1f600}",
        "true",
        "null",
        "up",
        "both",
        "stdout",
        "Live",
        "open",
        "Failed",
        "Running",
        "zzz",
    ]);
    let known = known.prop_map(|text| text.as_bytes().to_vec());
    prop_oneof![
        6 => known,
        2 => proptest::collection::vec(any::<u8>(), 0..12),
        1 => (select(vec![b'x', b'/', b'9', b'{', b'*', b'%']), 0..3000usize).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

/// A text inside of a path or a query: usually with escapes, so that it arrives.
fn escaped(text: &[u8], keeps_slashes: bool) -> String {
    let mut out = String::new();
    for byte in text {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                out.push(char::from(*byte))
            }
            b'/' if keeps_slashes => out.push('/'),
            byte => write!(out, "%{byte:02X}").expect("a text can be written"),
        }
    }
    out
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let names = select(vec![
        "Host",
        "Origin",
        "Sec-Fetch-Site",
        "Last-Event-ID",
        "Cookie",
        "Authorization",
        "Accept",
        "Content-Type",
        "X-Other",
        "Range",
        "If-None-Match",
        "Accept-Encoding",
        "Expect-Nothing",
        "Forwarded",
    ]);
    let values = prop_oneof![
        3 => select(vec![
            "localhost", "127.0.0.1", "evil.example", "http://evil.example", "null", "cross-site", "same-origin", "0", "5", "99999",
            "1-2-3", "zzz", "ironweave_token=00", "Bearer x", "text/html", "application/json", "text/plain",
            "application/x-www-form-urlencoded", "*/*", "bytes=0-1", "[::1]:80", "a b", "user@localhost", "localhost:99999",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(prop_oneof![32..127u8, 128..=255u8], 0..20),
    ];
    (names.prop_map(ToOwned::to_owned), values)
}

/// A value of JSON with the fields that bodies have, mostly of wrong types.
fn json() -> impl Strategy<Value = String> {
    let names = || text().prop_map(|text| String::from_utf8_lossy(&text).into_owned());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-1".to_owned()),
        Just("2147483648".to_owned()),
        Just("1e999".to_owned()),
        names().prop_map(|text| Value::String(text).to_string()),
        proptest::collection::vec(names(), 0..4)
            .prop_map(|all| serde_json::to_string(&all).expect("a list")),
        Just("\"\\ud800\"".to_owned()),
        Just("{}".to_owned()),
        Just("[[]]".to_owned()),
    ];
    let field = (
        select(vec!["refs", "priority", "comment", "all", "other"]),
        leaf,
    );
    let object = proptest::collection::vec(field, 0..4).prop_map(|fields| {
        let fields: Vec<String> = fields
            .into_iter()
            .map(|(name, value)| format!("\"{name}\": {value}"))
            .collect();
        format!("{{{}}}", fields.join(", "))
    });
    prop_oneof![
        2 => select(vec![
            r#"{"refs": ["q/1"]}"#, r#"{"refs": ["q/2", "bad/1"], "priority": -5, "comment": "why"}"#, r#"{"all": true}"#,
            r#"{"refs": ["q/{1..5}"]}"#, r#"{"refs": ["bad/1"]}"#,
        ]).prop_map(ToOwned::to_owned),
        5 => object,
        1 => (1..5000usize).prop_map(|depth| "[".repeat(depth)),
        1 => (1..5000usize).prop_map(|depth| format!("{{\"refs\": {}1{}}}", "[".repeat(depth), "]".repeat(depth))),
        1 => Just(format!("{{\"refs\": [\"{}\"]}}", "x".repeat(1 << 20))),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => json().prop_map(String::into_bytes),
        1 => (json(), any::<prop::sample::Index>()).prop_map(|(text, at)| text.as_bytes()[..at.index(text.len() + 1)].to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

/// A request for one of the operations of the description.
fn request(document: &Document) -> impl Strategy<Value = Sent> + use<> {
    let paths = document.0["paths"].as_object().expect("paths");
    let operations: Vec<(String, String, Parameters)> = (paths.iter())
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("methods");
            methods.iter().map(move |(method, operation)| {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let text = |value: &Value| value.as_str().expect("a text").to_owned();
                let parameters = parameters.map(|one| (text(&one["in"]), text(&one["name"])));
                (method.to_uppercase(), path.clone(), parameters.collect())
            })
        })
        .collect();
    let other = select(vec![
        "GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "HEAD", "BREW",
    ]);
    let method = prop_oneof![9 => Just(None), 1 => other.prop_map(Some)];
    let values = proptest::collection::vec((text(), 0..3u8), 8);
    let more = proptest::collection::vec((text(), text()), 0..3);
    let more = prop_oneof![4 => Just(Vec::new()), 1 => more];
    let headers =
        prop_oneof![2 => Just(Vec::new()), 1 => proptest::collection::vec(header(), 0..3)];
    let kind = prop_oneof![
        8 => Just(Some("application/json")),
        1 => select(vec!["text/plain", "application/json; charset=utf-16", "application/JSON", "multipart/form-data", ""]).prop_map(Some),
        1 => Just(None),
    ];
    let all = (
        select(operations),
        method,
        values,
        more,
        headers,
        body(),
        kind,
    );
    all.prop_map(
        |((own, described, parameters), method, values, more, mut head, body, kind)| {
            let mut target = described.clone();
            let mut query = Vec::new();
            let mut values = values.into_iter();
            for (place, name) in parameters {
                let (value, times) = values.next().unwrap_or_default();
                match &*place {
                    "path" => {
                        target =
                            target.replace(&format!("{{{name}}}"), &escaped(&value, times == 0))
                    }
                    // Some parameters are left out, and some are there twice.
                    "query" => query
                        .extend((0..times).map(|_| format!("{name}={}", escaped(&value, true)))),
                    _ if times > 0 => {
                        let printable =
                            value.into_iter().filter(|byte| *byte >= 32 && *byte != 127);
                        head.push((name, printable.collect()));
                    }
                    _ => {}
                }
            }
            query.extend(more.iter().map(|(name, value)| {
                format!("{}={}", escaped(name, false), escaped(value, false))
            }));
            if !query.is_empty() {
                target += &format!("?{}", query.join("&"));
            }
            let has_body = own == "POST";
            if let Some(kind) = kind.filter(|_| has_body) {
                head.push(("Content-Type".to_owned(), kind.as_bytes().to_vec()));
            }
            Sent {
                method: method.map_or(own, ToOwned::to_owned),
                described,
                target,
                head,
                body: if has_body { body } else { Vec::new() },
            }
        },
    )
}

/// What was answered: the status and the body, which is not read if it is a stream.
fn exchange(address: &str, sent: &Sent) -> std::io::Result<(u16, Option<Vec<u8>>)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    let mut bytes = format!("{} {} HTTP/1.0\r\n", sent.method, sent.target).into_bytes();
    if !sent.head.iter().any(|(name, _)| name == "Host") {
        write!(bytes, "Host: {address}\r\n")?;
    }
    for (name, value) in &sent.head {
        bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    write!(bytes, "Content-Length: {}\r\n\r\n", sent.body.len())?;
    bytes.extend(&sent.body);
    // A request may be refused before it was read.
    drop(stream.write_all(&bytes));
    let (mut answer, mut part) = (Vec::new(), [0; 4096]);
    let head = loop {
        if let Some(at) = answer.windows(4).position(|end| end == b"\r\n\r\n") {
            break at;
        }
        match stream.read(&mut part)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend(&part[..count]),
        }
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status = status.ok_or(std::io::ErrorKind::InvalidData)?;
    if text.contains("content-type: text/event-stream") {
        return Ok((status, None));
    }
    stream.read_to_end(&mut answer)?;
    Ok((status, Some(answer.split_off(head + 4))))
}

/// Why an answer is not one that the description permits.
fn wrong(document: &Document, sent: &Sent, status: u16, body: Option<&[u8]>) -> Option<String> {
    if status >= 500 {
        return Some("it is an error of the daemon".to_owned());
    }
    let method = sent.method.to_lowercase();
    if method == "head" {
        return None;
    }
    // A stream has no end. Its events are tested elsewhere.
    let body = body?;
    let is_described = document.0["paths"][&sent.described].get(&method).is_some();
    if status == 200 && sent.described == "/metrics" {
        return None;
    }
    let answer = match serde_json::from_slice::<Value>(body) {
        Ok(answer) => answer,
        Err(e) => return Some(format!("it is no JSON: {e}")),
    };
    match status {
        // What the path became is none of the API, or has no such method.
        404 | 405 => document.differs(
            &answer,
            &serde_json::json!({ "$ref": "#/components/schemas/Error" }),
            "the answer",
        ),
        _ if is_described => document.wrong(&method, &sent.described, status, &answer),
        // The checks of each request come before those of the method.
        400 | 403 | 414 | 421 => None,
        _ => Some("the method is not described".to_owned()),
    }
}

#[test]
fn each_request_is_answered_as_described() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let first = daemon.want(&["q/1", "bad/1"]);
    daemon.wait_for(&first, "Failed");
    let document = Document::new();
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(17);
    }
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    let counted = std::cell::RefCell::new(&mut statuses);
    let ran = TestRunner::new(config).run(&request(&document), |sent| {
        let fail =
            |why: String| TestCaseError::fail(format!("{} {}: {why}", sent.method, sent.target));
        let (status, body) = exchange(&daemon.address, &sent).map_err(|e| fail(e.to_string()))?;
        *counted.borrow_mut().entry(status).or_default() += 1;
        match wrong(&document, &sent, status, body.as_deref()) {
            Some(why) => {
                let body =
                    String::from_utf8_lossy(body.as_deref().unwrap_or_default()).into_owned();
                Err(fail(format!("{status} {body}: {why}")))
            }
            None => Ok(()),
        }
    });
    if let Err(e) = ran {
        panic!("{e}");
    }
    println!("answers by status: {statuses:?}");
    for status in [200, 201, 400, 403, 404, 405, 409, 413, 414, 415, 421, 422] {
        assert!(
            statuses.contains_key(&status),
            "no answer {status}: {statuses:?}"
        );
    }
    let last = daemon.want(&["q/last"]);
    daemon.wait_for(&last, "Successful");
    let mut after = String::new();
    loop {
        let (_, page) = daemon.get(&format!("/api/partitions?limit=1000{after}"));
        for partition in page["partitions"].as_array().expect("a list") {
            check_name(partition["name"].as_str().expect("a name")).expect("a legal name");
        }
        let Some(next) = page["next"].as_str() else {
            break;
        };
        after = format!("&after={next}");
    }
    for want in daemon.get("/api/wants?limit=1000").1["wants"]
        .as_array()
        .expect("a list")
    {
        let comment = want["comment"].as_str().expect("a text");
        assert!(
            !comment.chars().any(char::is_control) && comment.len() <= 200,
            "{want}"
        );
    }
    // It has not panicked.
    daemon.end();
    place.databuild(&["status"]).success();
}
