//! The connection with the browser: two pipes, over which go JSON messages that end with a zero byte.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The browser reads from file 3 and writes to file 4, which a shell makes of its standard input and output.
const SHELL: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--remote-debugging-pipe",
    // In a container there is no sandbox for the user root. The pages are those of the tests.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

pub(super) struct Pipe {
    child: Child,
    requests: ChildStdin,
    messages: Receiver<Value>,
    last: u64,
    /// The events that no one has asked for yet, by session.
    events: HashMap<String, Vec<Value>>,
    /// The directory of the browser. It is removed after the browser has ended.
    _profile: TempDir,
}

impl Pipe {
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut child = Command::new("sh")
            .args(["-c", SHELL])
            .arg(program)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the browser has no pipes"));
        };
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut answers = BufReader::new(answers);
            let mut message = Vec::new();
            while answers
                .read_until(0, &mut message)
                .is_ok_and(|read| read > 0)
            {
                message.pop();
                let parsed = serde_json::from_slice(&message);
                if parsed.is_ok_and(|message| sender.send(message).is_err()) {
                    return;
                }
                message.clear();
            }
        });
        Ok(Self {
            child,
            requests,
            messages,
            last: 0,
            events: HashMap::new(),
            _profile: profile,
        })
    }

    /// Sends a request, and returns the answer. An empty session is that of the browser.
    pub(super) fn call(
        &mut self,
        session: &str,
        method: &str,
        parameters: Value,
        limit: Duration,
    ) -> Result<Value, String> {
        self.last += 1;
        let mut request = json!({ "id": self.last, "method": method, "params": parameters });
        if !session.is_empty() {
            request["sessionId"] = session.into();
        }
        let mut bytes = request.to_string().into_bytes();
        bytes.push(0);
        let sent = self
            .requests
            .write_all(&bytes)
            .and_then(|()| self.requests.flush());
        sent.map_err(|e| format!("the browser has ended: {e}"))?;
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).map_err(|e| match e {
                RecvTimeoutError::Timeout => format!("there is no answer within {limit:?}"),
                RecvTimeoutError::Disconnected => "the browser has ended".to_owned(),
            })?;
            if message["id"] != self.last {
                self.hold(message);
                continue;
            }
            return match &message["error"] {
                Value::Null => Ok(message["result"].clone()),
                error => Err(error.to_string()),
            };
        }
    }

    fn hold(&mut self, event: Value) {
        if let Some(session) = event["sessionId"].as_str() {
            self.events
                .entry(session.to_owned())
                .or_default()
                .push(event);
        }
    }

    /// Returns the events of a session since the last call.
    pub(super) fn events(&mut self, session: &str) -> Vec<Value> {
        while let Ok(message) = self.messages.try_recv() {
            self.hold(message);
        }
        self.events.remove(session).unwrap_or_default()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
