//! The client of the daemon that serves a directory, for the commands of databuild.
//!
//! It sends requests of HTTP 1.0, each over a connection of its own, so that an answer ends with its connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::dirs::Dirs;
use crate::reports::Report;
use crate::requests::Request;
use crate::serve::access::read_token;
use crate::serve::presence::Presence;
use crate::start;

/// How long a connection may take, and a daemon to say that it is one.
const HELLO_MAX: Duration = Duration::from_secs(3);
/// How long an answer may take. A want waits for the `digest` commands.
const ANSWER_MAX: Duration = Duration::from_secs(90);
/// How long a stream of events may be silent. A daemon sends a comment every 15 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A client of a daemon.
pub struct Client {
    /// The daemon.
    pub daemon: Presence,
    address: SocketAddr,
    token: Option<String>,
}

impl Client {
    /// The client of the daemon that serves the directory, if one does.
    ///
    /// # Errors
    /// If its token cannot be read.
    pub fn find(dirs: &Dirs) -> Result<Option<Self>> {
        let Some(daemon) = Presence::read(dirs).filter(|_| start::is_in_use(dirs)) else {
            return Ok(None);
        };
        let mut client = Self {
            address: reachable(daemon.address),
            token: None,
            daemon,
        };
        let hello = client.exchange("GET", "/healthz", None, &[], HELLO_MAX);
        let is_it = hello.is_ok_and(|(_, body)| body["instance"] == *client.daemon.instance);
        if !is_it {
            return Ok(None);
        }
        let token = client.daemon.token_file.as_deref().map(read_token);
        client.token = token.transpose()?;
        Ok(Some(client))
    }

    /// Sends a request, and returns the answer.
    ///
    /// # Errors
    /// The sentence of the daemon if it refuses the request, or a failure of the connection.
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.exchange(method, path, body, &[], ANSWER_MAX);
        let (status, answer) = answer.with_context(|| self.unreachable())?;
        self.accept(status, answer)
    }

    /// Forgets failures. Returns the names of the partitions that had failed.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn retry(&self, retry: &Request) -> Result<Vec<String>> {
        let body = match retry.all {
            true => json!({ "all": true }),
            false => json!({ "refs": retry.refs }),
        };
        let answer = self.send("POST", "/api/retry", Some(&body))?;
        serde_json::from_value(answer["retried"].clone()).context("the daemon names no partitions")
    }

    /// Answers the question of a command that only reads; none if the daemon does not answer.
    ///
    /// # Errors
    /// The sentence of the daemon if it refuses the question.
    pub fn report(&self, report: &Report) -> Result<Option<String>> {
        let body = serde_json::to_value(report).context("cannot write the question")?;
        match self.exchange("POST", "/api/reports", Some(&body), &[], ANSWER_MAX) {
            Ok((200, answer)) => Ok(answer["text"].as_str().map(str::to_owned)),
            Ok((422, answer)) => self.accept(422, answer).map(|_| None),
            // It ends, or is of another version.
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// The events of a want, from after a step on.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn events(&self, want: &str, since: u64) -> Result<Events> {
        let path = format!("/api/events?want={want}");
        let since = since.to_string();
        let headers = [("Last-Event-ID", since.as_str())];
        let begun = self.begin("GET", &path, None, &headers, SILENCE_MAX);
        let (status, mut lines) = begun.with_context(|| self.unreachable())?;
        if status != 200 {
            let answer = read_json(&mut lines).with_context(|| self.unreachable())?;
            self.accept(status, answer)?;
        }
        Ok(Events { lines })
    }

    fn accept(&self, status: u16, answer: Value) -> Result<Value> {
        match (status, answer["error"].as_str()) {
            (200..300, _) => Ok(answer),
            (_, Some(why)) => bail!("{why}"),
            (_, None) => bail!("{} answers with status {status}", self.unreachable()),
        }
    }

    fn unreachable(&self) -> String {
        let Presence { address, pid, .. } = &self.daemon;
        format!("the daemon at http://{address} (pid {pid})")
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
        patience: Duration,
    ) -> Result<(u16, Value)> {
        let (status, mut lines) = self.begin(method, path, body, headers, patience)?;
        Ok((status, read_json(&mut lines)?))
    }

    /// Sends a request, and reads the head of its answer.
    fn begin(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
        patience: Duration,
    ) -> Result<(u16, BufReader<TcpStream>)> {
        let mut stream = TcpStream::connect_timeout(&self.address, HELLO_MAX)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        let mut request = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\n", self.address);
        let token = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let token = token
            .as_ref()
            .map(|token| ("Authorization", token.as_str()));
        for (name, value) in headers.iter().copied().chain(token) {
            request += &format!("{name}: {value}\r\n");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        if !body.is_empty() {
            request += &format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        request += "\r\n";
        stream.write_all((request + &body).as_bytes())?;
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status = status.context("the answer has no status")?;
        loop {
            line.clear();
            if lines.read_line(&mut line)? <= 2 {
                return Ok((status, lines));
            }
        }
    }
}

/// An address that can be connected to: a daemon may listen at all addresses of its machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn read_json(body: &mut impl Read) -> Result<Value> {
    let mut text = String::new();
    body.read_to_string(&mut text)?;
    serde_json::from_str(&text).context("the answer is not JSON")
}

/// The events of a want, until the daemon ends.
pub struct Events {
    lines: BufReader<TcpStream>,
}

impl Iterator for Events {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            // An event has one line of data. Other lines are its id, and comments.
            if let Some(data) = line.strip_prefix("data:") {
                return serde_json::from_str(data).ok();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A client of a daemon that answers one request with a text.
    fn client(answer: &'static str) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let daemon = Presence {
            address,
            pid: 1,
            started: String::new(),
            instance: String::new(),
            jobs: "jobs.toml".into(),
            token_file: None,
        };
        Client {
            daemon,
            address,
            token: None,
        }
    }

    #[test]
    fn a_report_of_a_daemon_that_does_not_answer_is_left_to_the_store() {
        let report = Report::Why { name: "a".into() };
        let ask = |answer| client(answer).report(&report);
        for answer in [
            "",
            "HTTP/1.0 200 OK\r\n\r\n{\"tex",
            "HTTP/1.0 404 Not Found\r\n\r\n{\"error\": \"no such path\"}",
            "HTTP/1.0 503 Service Unavailable\r\n\r\n{\"error\": \"too many clients\"}",
        ] {
            assert_eq!(ask(answer).unwrap(), None, "{answer}");
        }
        let text = ask("HTTP/1.0 200 OK\r\n\r\n{\"text\": \"a is Live\\n\"}");
        assert_eq!(text.unwrap().unwrap(), "a is Live\n");
        let refused = ask("HTTP/1.0 422 Unprocessable\r\n\r\n{\"error\": \"no a\"}");
        assert_eq!(refused.unwrap_err().to_string(), "no a");
    }
}
