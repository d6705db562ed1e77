//! A daemon of a test, and a client that is independent of databuild's.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Place, Seen, signal, wait_until};

/// `slow/x` creates the file `there-x`, then waits for the file `leave` or `leave-x`. `top/x` reads it. `bad` fails.
pub const JOBS: &str = r#"
[[job]]
partitions = "top/*"
command = ["sh", "-c", '''
    p=slow/${PARTITION#top/}
    if [ -d "$DATABUILD_DATA/$p" ]; then echo "{\"input\": \"$p\"}"; else echo "{\"missed\": \"$p\"}"; fi
''']
[[job]]
partitions = "slow/*"
command = ["sh", "-c", '''
    echo $$ > "$DATABUILD_JOBS/there-${PARTITION#slow/}"
    leave="$DATABUILD_JOBS/leave"
    while [ -e "$DATABUILD_JOBS/jobs.toml" ] && ! [ -e "$leave" -o -e "$leave-${PARTITION#slow/}" ]; do sleep 0.02; done
''']
[[job]]
partitions = "quick/*"
command = ["true"]
[[job]]
partitions = "bad"
command = ["sh", "-c", "echo it is broken >&2; [ -e \"$DATABUILD_JOBS/mended\" ]"]
[[job]]
partitions = "needs-bad"
command = ["sh", "-c", '''
    if [ -d "$DATABUILD_DATA/bad" ]; then echo '{"input": "bad"}'; else echo '{"missed": "bad"}'; fi
''']
"#;

/// No answer takes longer.
const LIMIT: Duration = Duration::from_secs(30);

/// A running daemon, which is killed when this is dropped.
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub address: String,
}

/// The command line of a daemon.
pub const SERVE: [&str; 7] = [
    "serve",
    "--jobs",
    "jobs.toml",
    "--listen",
    "127.0.0.1:0",
    "--jobs-max",
    "4",
];

impl Daemon {
    pub fn start(place: &Place) -> Self {
        Self::start_with(place, &[])
    }

    /// Starts one at an address that an earlier one had.
    pub fn start_at(place: &Place, address: &str) -> Self {
        let args = ["serve", "--jobs", "jobs.toml", "--listen", address];
        Self::of(place.command(&args))
    }

    /// Starts one that runs one job at a time.
    pub fn start_with_one_job(place: &Place) -> Self {
        let args = ["serve", "--jobs", "jobs.toml", "--jobs-max", "1"];
        Self::of(place.command(&[&args[..], &["--listen", "127.0.0.1:0"]].concat()))
    }

    pub fn start_with(place: &Place, more: &[&str]) -> Self {
        Self::of(place.command(&[&SERVE[..], more].concat()))
    }

    /// Starts it with further variables.
    pub fn start_env(place: &Place, vars: &[(&str, &str)]) -> Self {
        let mut command = place.command(&SERVE);
        command.envs(vars.iter().copied());
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("databuild starts");
        let mut line = String::new();
        let stdout = child.stdout.as_mut().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it can be read");
        let Some((_, address)) = line.trim().split_once(" at http://") else {
            panic!(
                "{line}\n{:?}",
                Seen::of(child.wait_with_output().expect("it ends"))
            );
        };
        let address = address.to_owned();
        Self { child, address }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request with further lines of the head. Returns the status, the head and the body.
    pub fn exchange(&self, request: &str, head: &str, body: &str) -> (u16, String, String) {
        let mut stream = self.begin(request, head, body);
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("there is an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it has a head");
        (status(head), head.to_lowercase(), body.to_owned())
    }

    fn begin(&self, request: &str, head: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a timeout");
        let host = match head.contains("Host:") {
            true => String::new(),
            false => format!("Host: {}\r\n", self.address),
        };
        let length = match head.contains("Content-Length:") {
            true => String::new(),
            false => format!("Content-Length: {}\r\n", body.len()),
        };
        let text = format!("{request} HTTP/1.0\r\n{host}{length}{head}\r\n{body}");
        // A daemon may refuse a request before it has read it.
        drop(stream.write_all(text.as_bytes()));
        stream
    }

    fn json(&self, request: &str, head: &str, body: &str) -> (u16, Value) {
        let (status, _, body) = self.exchange(request, head, body);
        let value = serde_json::from_str(&body);
        (
            status,
            value.unwrap_or_else(|e| panic!("{request}: {e}: {body}")),
        )
    }

    pub fn get(&self, path: &str) -> (u16, Value) {
        self.json(&format!("GET {path}"), "", "")
    }

    pub fn delete(&self, path: &str) -> (u16, Value) {
        self.json(&format!("DELETE {path}"), "", "")
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let head = "Content-Type: application/json\r\n";
        self.json(&format!("POST {path}"), head, &body.to_string())
    }

    /// Wants partitions, and returns the id of the want.
    pub fn want(&self, refs: &[&str]) -> String {
        let (status, want) = self.post("/api/wants", &json!({ "refs": refs }));
        assert_eq!(status, 201, "{want}");
        want["id"].as_str().expect("an id").to_owned()
    }

    pub fn state_of(&self, want: &str) -> String {
        let (status, want) = self.get(&format!("/api/wants/{want}"));
        assert_eq!(status, 200, "{want}");
        want["state"].as_str().expect("a state").to_owned()
    }

    /// Waits until a want is in a state.
    pub fn wait_for(&self, want: &str, state: &str) {
        wait_until(&format!("want {want} is {state}"), || {
            self.state_of(want) == state
        });
    }

    /// Waits until a run for a partition runs, as the store has it.
    pub fn wait_for_run(&self, label: &str) {
        wait_until(&format!("{label} runs"), || {
            let (_, runs) = self.get("/api/runs?state=Running");
            let runs = runs["runs"].as_array().expect("a list").iter();
            runs.clone().any(|run| run["label"] == label)
        });
    }

    /// Opens a stream of events. Returns the status, and the events.
    pub fn events(&self, path: &str, last: Option<&str>) -> (u16, Events) {
        let head = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
        let mut lines = BufReader::new(self.begin(&format!("GET {path}"), &head, ""));
        let mut head = String::new();
        while lines.read_line(&mut head).expect("there is a head") > 2 {}
        (status(&head), Events { lines })
    }

    /// Ends it by SIGTERM.
    pub fn end(self) -> Seen {
        signal(self.pid(), "-TERM");
        self.wait()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Seen {
        let status = self.child.wait().expect("it ends");
        let mut stderr = String::new();
        let pipe = self.child.stderr.as_mut().expect("it is piped");
        pipe.read_to_string(&mut stderr).expect("it can be read");
        assert!(!stderr.contains("panicked"), "{stderr}");
        let code = status.code();
        Seen {
            code,
            stdout: String::new(),
            stderr,
        }
    }

    /// Ends it by SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn status(head: &str) -> u16 {
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.unwrap_or_else(|| panic!("no status in {head}"))
}

/// The events of a stream, each with its id.
pub struct Events {
    lines: BufReader<TcpStream>,
}

impl Iterator for Events {
    type Item = (String, Value);

    fn next(&mut self) -> Option<(String, Value)> {
        let (mut id, mut data) = (None, None);
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).expect("it can be read") == 0 {
                return None;
            }
            if let Some(text) = line.strip_prefix("id:") {
                id = Some(text.trim().to_owned());
            } else if let Some(text) = line.strip_prefix("data:") {
                data = Some(serde_json::from_str(text).expect("it is JSON"));
            } else if line.trim().is_empty()
                && let (Some(id), Some(data)) = (id.take(), data.take())
            {
                return Some((id, data));
            }
        }
    }
}
