//! The service on 127.0.0.1: statuses, idempotency keys, server-sent events that continue where a client stopped, and a shutdown
//! that answers what has begun.
#![allow(missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ironweave::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use ward::model::{Bed, Model, state::Occupied};

#[test]
fn model_is_sound() {
    ironweave::assert_model_is_sound!(Model);
}

/// A failing test ends after this time.
const LIMIT: Duration = Duration::from_secs(60);

/// The service on a port of its own, with the store in a directory.
struct Service {
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Service {
    fn start(dir: &Path) -> Self {
        let store = Store::<Model>::open(dir).expect("the store opens");
        let store = store.share().into_async().expect("a thread");
        let (shutdown, ends) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("an executor");
        let bound = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = bound.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let served = thread::spawn(move || {
            let ends = async { ends.await.expect("the test ends it") };
            let served = runtime.block_on(ward::serve(listener, store, ends));
            served.expect("the store is closed");
        });
        Self {
            address,
            shutdown,
            served,
        }
    }

    fn end(self) {
        self.shutdown.send(()).expect("the service runs");
        self.served.join().expect("no panic");
    }

    fn connect(&self) -> TcpStream {
        connect(self.address).expect("the service accepts connections")
    }

    /// Sends a request, and returns the status and the body of the answer.
    fn send(&self, head: &str, headers: &[(&str, &str)], body: &Value) -> (u16, Value) {
        let mut stream = self.connect();
        let body = body.to_string();
        stream
            .write_all(request(head, headers, body.len()).as_bytes())
            .expect("it is sent");
        stream.write_all(body.as_bytes()).expect("it is sent");
        answer(stream)
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(&format!("POST {path}"), &[], body)
    }

    fn get(&self, path: &str) -> (u16, Value) {
        self.send(&format!("GET {path}"), &[], &Value::Null)
    }

    /// Begins a stream of server-sent events. Returns the status, and the events if it is 200.
    fn events(&self, last: Option<&str>) -> (u16, Events) {
        let mut stream = self.connect();
        let headers = last.map(|last| ("Last-Event-ID", last));
        let request = request("GET /events", headers.as_slice(), 0);
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut lines = BufReader::new(stream);
        let status = status(&mut lines);
        (status, Events { lines })
    }
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn request(head: &str, headers: &[(&str, &str)], length: usize) -> String {
    let mut text = format!("{head} HTTP/1.1\r\nHost: ward\r\nConnection: close\r\n");
    text += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text + "\r\n"
}

/// Reads the head of an answer, and returns its status.
fn status(lines: &mut impl BufRead) -> u16 {
    let mut first = String::new();
    lines.read_line(&mut first).expect("there is an answer");
    let mut line = String::new();
    while lines.read_line(&mut line).expect("there is a head") > 2 {
        line.clear();
    }
    let status = first.split(' ').nth(1).expect("it has a status");
    status.parse().expect("it is a number")
}

fn answer(stream: TcpStream) -> (u16, Value) {
    let mut lines = BufReader::new(stream);
    let status = status(&mut lines);
    let mut body = String::new();
    lines.read_to_string(&mut body).expect("there is a body");
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    (status, body)
}

struct Events {
    lines: BufReader<TcpStream>,
}

impl Iterator for Events {
    /// The id and the record of a transaction.
    type Item = (String, String);

    fn next(&mut self) -> Option<(String, String)> {
        let (mut id, mut event) = (None, None);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("it can be read") == 0 {
                return None;
            }
            // Other lines are the lengths of chunks.
            if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.trim().to_owned());
            } else if let Some(text) = line.strip_prefix("data: ") {
                let record: Value = serde_json::from_str(text).expect("it is JSON");
                event = Some(record.to_string());
            }
            if let (Some(id), Some(event)) = (&id, &event) {
                return Some((id.clone(), event.clone()));
            }
        }
    }
}

fn temp_dir() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn errors_have_the_statuses_of_their_kinds() {
    let dir = temp_dir();
    let service = Service::start(dir.path());
    let (status, body) = service.post("/beds", &json!({ "label": "3-1" }));
    assert_eq!((status, &body["seq"]), (201, &json!(1)));
    assert_eq!(service.post("/beds", &json!({ "label": "3-1" })).0, 409);
    assert_eq!(service.post("/beds", &json!({ "lable": "3-1" })).0, 422);
    let admit = |bed: &str, patient: &str| {
        let path = format!("/beds/{bed}/admit");
        service.post(&path, &json!({ "patient": patient }))
    };
    let (status, body) = admit("9-9", "Ada");
    assert_eq!(status, 404);
    let text = body["error"].as_str().expect("a message");
    assert!(text.contains("there is no Bed \"9-9\""), "{text}");
    assert_eq!(admit("3-1", " ").0, 403);
    assert_eq!(admit("3-1", "Ada"), (200, json!({ "seq": 2 })));
    assert_eq!(admit("3-1", "Grace").0, 409);
    let beds = json!([{ "label": "3-1", "patient": "Ada" }]);
    assert_eq!(service.get("/beds"), (200, beds));
    assert_eq!(service.post("/beds/3-1/discharge", &Value::Null).0, 200);
    assert_eq!(service.post("/beds/3-1/discharge", &Value::Null).0, 409);
    let beds = json!([{ "label": "3-1", "patient": null }]);
    assert_eq!(service.get("/beds"), (200, beds));
    let (status, history) = service.get("/beds/3-1/history");
    let events: Vec<&Value> = (history.as_array().expect("a list").iter())
        .map(|entry| &entry[1])
        .collect();
    assert_eq!(status, 200);
    assert!(events.contains(&&json!("BedAdded")) && events.contains(&&json!("Discharged")));
    assert_eq!(service.get("/beds/9-9/history").0, 404);
    service.end();
}

#[test]
fn a_request_that_is_repeated_with_its_key_gets_the_first_answer() {
    let dir = temp_dir();
    let key = [("Idempotency-Key", "request 17")];
    let bed = |label: &str| json!({ "label": label });
    let service = Service::start(dir.path());
    let first = service.send("POST /beds", &key, &bed("3-1"));
    assert_eq!(service.post("/beds", &bed("3-2")).0, 201);
    assert_eq!(service.send("POST /beds", &key, &bed("3-1")), first);
    assert_eq!(service.send("POST /beds", &key, &bed("3-3")).0, 400);
    service.end();
    // Also after a restart.
    let service = Service::start(dir.path());
    assert_eq!(service.send("POST /beds", &key, &bed("3-1")), first);
    let wrong = service.send("POST /beds", &[("Idempotency-Key", "\u{e9}")], &bed("3-4"));
    assert_eq!(wrong.0, 400);
    service.end();
}

#[test]
fn a_client_that_reconnects_gets_each_transaction_once() {
    let dir = temp_dir();
    let service = Service::start(dir.path());
    let add = |n: u32| {
        let (status, _) = service.post("/beds", &json!({ "label": format!("3-{n}") }));
        assert_eq!(status, 201);
    };
    add(0);
    let (status, mut events) = service.events(None);
    assert_eq!(status, 200);
    for n in 1..=4 {
        add(n);
    }
    let label = |event: &str, n: u32| event.contains(&format!("3-{n}"));
    let (_, first) = events.next().expect("there are more");
    let (last, second) = events.next().expect("there are more");
    assert!(label(&first, 1) && label(&second, 2), "{first} {second}");
    drop(events);
    add(5);
    let (status, events) = service.events(Some(&last));
    assert_eq!(status, 200);
    let rest: Vec<_> = events.take(3).map(|(_, event)| event).collect();
    assert!(
        (3..).zip(&rest).all(|(n, event)| label(event, n)),
        "{rest:?}"
    );
    assert_eq!(service.events(Some("no position")).0, 400);
    let other = temp_dir();
    let mut store = Store::<Model>::open(other.path()).expect("a new store");
    store.step(ward::model::BedAdded {
        label: "4-1".into(),
    });
    let other = store.position().expect("it has a log").to_string();
    assert_eq!(service.events(Some(&other)).0, 409);
    service.end();
}

#[test]
fn a_shutdown_answers_what_has_begun_ends_the_streams_and_closes_the_store() {
    let dir = temp_dir();
    let service = Service::start(dir.path());
    assert_eq!(service.post("/beds", &json!({ "label": "3-1" })).0, 201);
    let (status, mut events) = service.events(None);
    assert_eq!(status, 200);
    // The service asks for the body of this request, so it has begun.
    let body = json!({ "patient": "Ada" }).to_string();
    let begun = {
        let mut stream = service.connect();
        let expect = [("Expect", "100-continue")];
        let head = request("POST /beds/3-1/admit", &expect, body.len());
        stream.write_all(head.as_bytes()).expect("it is sent");
        let mut lines = BufReader::new(stream);
        assert_eq!(self::status(&mut lines), 100);
        lines
    };
    service.shutdown.send(()).expect("the service runs");
    let began = Instant::now();
    while connect(service.address).is_ok() {
        assert!(began.elapsed() < LIMIT, "it accepts connections");
        thread::yield_now();
    }
    assert!(!service.served.is_finished());
    let mut stream = begun.into_inner();
    stream.write_all(body.as_bytes()).expect("it is sent");
    assert_eq!(answer(stream), (200, json!({ "seq": 2 })));
    // The stream ends, after or before that transaction.
    assert!(events.by_ref().count() <= 1);
    service.served.join().expect("no panic");
    let store = Store::<Model>::open(dir.path()).expect("it is closed");
    assert_eq!(store.count::<Bed, Occupied>(), 1);
}
