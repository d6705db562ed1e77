//! A thousand clients follow the events of a daemon while others want and read, and none of them can keep it from the others.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::daemon::Daemon;
use crate::support::{Place, wait_until};

const CLIENTS: usize = 1000;
/// Clients that never read.
const SLOW: usize = 20;
const WANTERS: usize = 5;
const WANTS_EACH: usize = 2;
/// No client waits longer.
const LIMIT: Duration = Duration::from_secs(60);
const JOBS: &str = "[[job]]\npartitions = \"q/*\"\ncommand = [\"true\"]\n";

fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit
            .maximum
            .map_or(Some(8192), |most| Some(most.min(8192))),
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("the limit can be raised");
}

async fn begin(address: &str, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let text = format!("{request} HTTP/1.0\r\nHost: {address}\r\n");
    stream.write_all(text.as_bytes()).await.expect("it reads");
    stream
}

/// Sends a request, and returns its answer.
async fn exchange(address: &str, request: &str, body: &str) -> (u16, Value) {
    let mut stream = begin(address, request).await;
    let head = format!(
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream
        .write_all((head + body).as_bytes())
        .await
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (
        status.expect("a status"),
        serde_json::from_str(body).expect("it is JSON"),
    )
}

/// The sequences of the events after `since`, up to the last one. If it is asked to, the client begins again once, after some of them.
async fn follow(
    address: &str,
    since: u64,
    again: bool,
    last: watch::Receiver<Option<u64>>,
) -> Vec<u64> {
    let mut seqs = Vec::new();
    let mut id = since.to_string();
    for part in 0..2 {
        let mut stream = begin(address, "GET /api/events").await;
        let head = format!("Last-Event-ID: {id}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("it reads");
        let mut lines = tokio::io::BufReader::with_capacity(1024, stream).lines();
        let mut last = last.clone();
        loop {
            let known = *last.borrow_and_update();
            if known.is_some_and(|last| seqs.last().is_some_and(|seq| *seq >= last)) {
                return seqs;
            }
            let line = tokio::select! {
                line = lines.next_line() => line.expect("it can be read").expect("the stream goes on"),
                changed = last.changed(), if known.is_none() => {
                    changed.expect("the last event is known");
                    continue;
                }
            };
            if let Some(text) = line.strip_prefix("id:") {
                id = text.trim().to_owned();
            } else if let Some(data) = line.strip_prefix("data:") {
                // Without the rest of the JSON, which would be most of the time of the test.
                let rest = data
                    .trim()
                    .strip_prefix("{\"seq\":")
                    .expect("the step first");
                let seq = rest.split(',').next().and_then(|seq| seq.parse().ok());
                seqs.push(seq.expect("a number"));
            } else if line.is_empty() && again && part == 0 && seqs.len() == 20 {
                break;
            }
        }
    }
    seqs
}

#[test]
fn a_thousand_streams_have_each_event_once_and_in_order() {
    allow_many_files();
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let first = daemon.want(&["q/first"]);
    daemon.wait_for(&first, "Successful");
    let since = daemon.get("/api/status").1["seq"].as_u64().expect("a step");
    let address = daemon.address.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let all_follow = async {
        let (tell, last) = watch::channel(None);
        let mut slow = Vec::new();
        for _ in 0..SLOW {
            let mut stream = begin(&address, "GET /api/events").await;
            stream
                .write_all(b"Last-Event-ID: 0\r\n\r\n")
                .await
                .expect("it reads");
            slow.push(stream);
        }
        let clients: Vec<_> = (0..CLIENTS)
            .map(|n| {
                let (address, last) = (address.clone(), last.clone());
                tokio::spawn(async move { follow(&address, since, n % 10 == 0, last).await })
            })
            .collect();
        let wanters: Vec<_> = (0..WANTERS)
            .map(|n| {
                let address = address.clone();
                tokio::spawn(async move {
                    for k in 0..WANTS_EACH {
                        let body = format!("{{\"refs\": [\"q/{n}-{k}\"]}}");
                        let (status, want) = exchange(&address, "POST /api/wants", &body).await;
                        assert_eq!(status, 201, "{want}");
                        let path =
                            format!("GET /api/wants/{}", want["id"].as_str().expect("an id"));
                        while exchange(&address, &path, "").await.1["open"] == true {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    }
                })
            })
            .collect();
        for wanter in wanters {
            wanter.await.expect("it wanted");
        }
        let (_, status) = exchange(&address, "GET /api/status", "").await;
        let end = status["seq"].as_u64().expect("a step");
        tell.send(Some(end)).expect("clients listen");
        let mut seen = BTreeMap::<Vec<u64>, usize>::new();
        for client in clients {
            *seen.entry(client.await.expect("it followed")).or_default() += 1;
        }
        drop(slow);
        let expected: Vec<u64> = (since + 1..=end).collect();
        assert!(expected.len() >= WANTERS * WANTS_EACH, "{end}");
        assert_eq!(seen, BTreeMap::from([(expected, CLIENTS)]));
    };
    let all = runtime.block_on(async { tokio::time::timeout(LIMIT, all_follow).await });
    all.expect("all clients have seen the last event in time");
    daemon.end();
}

#[test]
fn further_clients_are_refused_and_idle_ones_are_closed() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start_with(&place, &["--clients-max", "3", "--idle-max", "2s"]);
    let connect = || {
        let stream = std::net::TcpStream::connect(&daemon.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        stream
    };
    // One is silent, one sends a part of a head, and one has been answered and keeps its connection.
    let (silent, mut partial, mut kept) = (connect(), connect(), connect());
    partial
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: local")
        .expect("it is connected");
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", daemon.address);
    kept.write_all(request.as_bytes()).expect("it is connected");
    let mut answered = BufReader::new(kept);
    let mut line = String::new();
    answered.read_line(&mut line).expect("an answer");
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");

    let (status, head, body) = daemon.exchange("GET /healthz", "", "");
    let error: Value = serde_json::from_str(&body).expect("it is JSON");
    assert_eq!(
        (status, &error["status"]),
        (503, &serde_json::json!(503)),
        "{head}"
    );
    assert!(
        error["error"]
            .as_str()
            .is_some_and(|why| why.contains("3 clients")),
        "{error}"
    );
    let mut rest = Vec::new();
    for mut stream in [silent, partial, answered.into_inner()] {
        // Closed by the daemon, or this fails because nothing comes.
        stream.read_to_end(&mut rest).expect("it is closed");
    }
    wait_until("there is room again", || {
        daemon.exchange("GET /healthz", "", "").0 == 200
    });
    daemon.end();
}
