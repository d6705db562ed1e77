//! An explorer on a port of its own, and a client that speaks HTTP with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ironweave::prelude::*;
use ironweave_explorer::Explorer;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::model::{build::Model, fill};

/// A failing test ends after this time.
const LIMIT: Duration = Duration::from_secs(40);

/// A store that is filled, with an explorer of it.
pub struct Fixture {
    pub store: SharedStore<Model>,
    pub server: Server,
    pub dir: TempDir,
}

impl Fixture {
    /// The explorer of a program.
    pub fn typed() -> Self {
        let (store, dir) = filled();
        let server = Server::start(Explorer::new(store.reader()));
        Self { store, server, dir }
    }

    /// The explorer of a directory that this program writes.
    pub fn beside() -> Self {
        let (store, dir) = filled();
        let explorer = Explorer::open(dir.path()).expect("the store is there");
        let server = Server::start(explorer);
        Self { store, server, dir }
    }

    /// The last frame of the store.
    pub fn last(&self) -> u64 {
        let last = self.store.seq().expect("it is open");
        last.expect("it has frames").get()
    }
}

fn filled() -> (SharedStore<Model>, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::<Model>::open(dir.path()).expect("the store opens");
    let store = store.share();
    fill(&store);
    (store, dir)
}

/// When a server ends.
type Ends = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// An explorer that serves.
pub struct Server {
    pub address: SocketAddr,
    shutdown: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(explorer: Explorer) -> Self {
        Self::run(|listener, ends| explorer.serve(listener, ends))
    }

    /// Serves routes in which an explorer is nested.
    pub fn serve(router: axum::Router) -> Self {
        Self::run(|listener, ends| async {
            let served = axum::serve(listener, router);
            served.with_graceful_shutdown(ends).await
        })
    }

    fn run<F: Future<Output = std::io::Result<()>>>(
        serve: impl FnOnce(TcpListener, Ends) -> F + Send + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("an executor");
        let bound = runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = bound.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (shutdown, ends) = oneshot::channel::<()>();
        let served = thread::spawn(move || {
            let ends: Ends = Box::pin(async {
                let _ = ends.await;
            });
            let served = runtime.block_on(async { serve(listener, ends).await });
            served.expect("the network is there");
        });
        Self {
            address,
            shutdown: Some(shutdown),
            served: Some(served),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a request, and returns the status, the head and the body of the answer.
    pub fn send(&self, head: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
        let mut stream = self.connect();
        let mut request = format!("{head} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request += &format!("Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        let _ = stream.write_all(format!("{request}\r\n").as_bytes());
        // A server that refuses a body need not read it.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).expect("it is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        (
            status.expect("it has a status"),
            head.to_owned(),
            body.to_owned(),
        )
    }

    /// Asks the API, and returns the status and the answer.
    pub fn ask(&self, path: &str) -> (u16, Value) {
        let (status, head, body) = self.send(&format!("GET /api/{path}"), &[], "");
        let lower = head.to_lowercase();
        assert!(
            lower.contains("content-type: application/json"),
            "{path}: {head}"
        );
        (status, serde_json::from_str(&body).expect("it is JSON"))
    }

    /// Asks what must have an answer.
    pub fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(path);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// Asks what must be refused, and returns the sentence.
    pub fn refused(&self, path: &str, expected: u16) -> String {
        let (status, answer) = self.ask(path);
        assert_eq!(status, expected, "{path}: {answer}");
        assert_eq!(answer["status"], expected, "{path}");
        let sentence = answer["error"].as_str().expect("it is a sentence");
        assert!(!sentence.is_empty(), "{path}");
        sentence.to_owned()
    }

    /// Asks what an event would do.
    pub fn try_event(&self, body: &Value) -> (u16, Value) {
        let json = [("Content-Type", "application/json")];
        let (status, _, answer) = self.send("POST /api/what-if", &json, &body.to_string());
        (status, serde_json::from_str(&answer).expect("it is JSON"))
    }

    /// Begins a stream, and returns the status, and the events if it is 200.
    pub fn stream(&self, last: Option<&str>) -> (u16, Events) {
        let mut stream = self.connect();
        let last = last.map(|last| format!("Last-Event-ID: {last}\r\n"));
        let request = format!(
            "GET /api/stream HTTP/1.1\r\nHost: {}\r\n{}\r\n",
            self.address,
            last.unwrap_or_default()
        );
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).expect("there is an answer");
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.expect("it has a status");
        (status, Events { lines })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it accepts connections");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shutdown.take());
        let served = self.served.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(
                served.is_none_or(|served| served.is_ok()),
                "the server panicked"
            );
        }
    }
}

/// A stream of server-sent events.
pub struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// The next event: its id, its name and its data.
    pub fn next(&mut self) -> (String, String, Value) {
        let (mut id, mut name, mut data) = (String::new(), String::new(), None);
        // A stream without events has comments that keep it alive.
        let began = Instant::now();
        let mut line = String::new();
        while self.lines.read_line(&mut line).expect("the stream goes on") > 0 {
            let text = line.trim_end();
            if let Some(value) = text.strip_prefix("id: ") {
                id = value.to_owned();
            } else if let Some(value) = text.strip_prefix("event: ") {
                name = value.to_owned();
            } else if let Some(value) = text.strip_prefix("data: ") {
                data = Some(serde_json::from_str(value).expect("it is JSON"));
            } else if let (true, Some(data)) = (text.is_empty(), data.take()) {
                return (id, name, data);
            }
            line.clear();
            assert!(began.elapsed() < LIMIT, "no event comes");
        }
        panic!("the stream has ended");
    }
}
