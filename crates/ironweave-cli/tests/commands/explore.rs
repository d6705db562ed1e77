//! `ironweave explore`: the address that it prints, whom it lets in, and what it refuses.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use crate::Log;

/// A running explorer, which ends with the test.
struct Explorer {
    child: Child,
    address: String,
    /// The line that it has printed.
    line: String,
}

impl Explorer {
    fn start(log: &Log, args: &[&str]) -> Self {
        let mut child = (log.command(&[&["explore", "store"], args].concat()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("it is piped");
        BufReader::new(out)
            .read_line(&mut line)
            .expect("it prints a line");
        let rest = line.split_once("http://").expect("it prints its address").1;
        let address = rest.split('/').next().unwrap_or_default();
        let address = address.replace("0.0.0.0", "127.0.0.1");
        Self {
            child,
            address,
            line,
        }
    }

    fn get(&self, path: &str, header: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it accepts connections");
        let host = &self.address;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n");
        stream.write_all(request.as_bytes()).expect("it is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_store_is_served_on_the_loopback_interface() {
    let log = Log::of("databuild");
    let explorer = Explorer::start(&log, &[]);
    assert!(
        explorer.line.starts_with("http://127.0.0.1:"),
        "{}",
        explorer.line
    );
    assert!(explorer.line.ends_with("/places\n"), "{}", explorer.line);
    let places = explorer.get("/api/places", "");
    assert!(
        places.starts_with("HTTP/1.1 200") && places.contains("\"Partition\""),
        "{places}"
    );
    assert!(explorer.get("/places", "").contains("<!doctype html>"));
    // Nothing is written beside the log.
    let before = Log::of("databuild");
    let names = |log: &Log| {
        let entries = std::fs::read_dir(log.path("store")).expect("a directory");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    assert!(
        explorer
            .get("/api/history?type=Partition&id=0.1", "")
            .starts_with("HTTP/1.1 200")
    );
    assert_eq!(names(&log), names(&before));
}

#[test]
fn a_token_is_made_where_other_machines_can_connect() {
    let log = Log::of("databuild");
    let explorer = Explorer::start(&log, &["--listen", "0.0.0.0:0", "--json"]);
    let line: serde_json::Value = serde_json::from_str(&explorer.line).expect("it is JSON");
    let token = line["token"].as_str().expect("it has a token");
    assert_eq!(token.len(), 32);
    assert!(
        line["url"]
            .as_str()
            .is_some_and(|url| url.ends_with(&format!("?token={token}")))
    );
    assert!(explorer.get("/api/places", "").starts_with("HTTP/1.1 401"));
    let header = format!("Authorization: Bearer {token}\r\n");
    assert!(
        explorer
            .get("/api/places", &header)
            .starts_with("HTTP/1.1 200")
    );
    let own = Explorer::start(&log, &["--token", "my-own-token"]);
    assert!(own.line.ends_with("?token=my-own-token\n"), "{}", own.line);
    assert!(own.get("/api/places", "").starts_with("HTTP/1.1 401"));
}

#[test]
fn what_cannot_be_served_is_refused() {
    let log = Log::of("databuild");
    let missing = log.run("explore nothing").failed(1);
    assert!(
        missing.contains("there is no directory nothing"),
        "{missing}"
    );
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    let error = log
        .run_with(&["explore", "store", "--listen", &address])
        .failed(1);
    assert!(
        error.contains(&format!("cannot listen on {address}")),
        "{error}"
    );
    for (args, expected) in [
        ("explore store --listen localhost", "invalid socket address"),
        (
            "explore store --listen 127.0.0.1:99999",
            "invalid socket address",
        ),
        ("explore store --token short", "fewer than 8 characters"),
        (
            "explore store --token not;a-cookie",
            "other characters than letters",
        ),
    ] {
        let error = log.run(args).failed(2);
        assert!(error.contains(expected), "{args}: {error}");
    }
}
