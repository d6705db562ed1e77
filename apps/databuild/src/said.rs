//! What a process says on stdout: one JSON object per line; the lines are described in [`crate::jobs`].
//!
//! It is heard piece by piece as it comes, so that nobody needs to wait for the end of the pipe, which a process that
//! was left in the background may hold open. What is kept of it is bounded.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Deserialize;

use crate::words::shown;

/// Somebody who hears the lines of a process.
pub trait Hearing: Send + 'static {
    /// Hears a line that is not blank; the error says what is wrong with it.
    fn line(&mut self, text: &str) -> Result<(), String>;
}

/// All that a run said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The partition that it builds.
    of: String,
    /// What it read, the inputs too.
    pub reads: BTreeSet<String>,
    /// Of that, what its content is made from.
    pub inputs: BTreeSet<String>,
    /// What it needs and does not have.
    pub missed: BTreeSet<String>,
    /// What its content is a function of.
    pub digest: Option<String>,
    /// How many bytes the names have that it said.
    bytes: usize,
}

/// What a `digest` command said of the partitions that it was asked about.
#[derive(Debug, Default)]
pub struct Digests {
    asked: HashSet<String>,
    said: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    read: Option<String>,
    input: Option<String>,
    missed: Option<String>,
    digest: Option<String>,
    partition: Option<String>,
}

/// A line longer than this is no line of ours; so a process that writes without end cannot fill the memory.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// The names that a run says have so many bytes at most, all together.
const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

const SHAPES: &str =
    r#"expected one of {"read": ".."}, {"input": ".."}, {"missed": ".."} or {"digest": ".."}"#;

impl Said {
    /// To hear a run that builds `partition`. The error shows the first line that is not in the language; what
    /// follows it is thrown away.
    pub fn of(partition: &str) -> Self {
        Self {
            of: partition.to_owned(),
            ..Self::default()
        }
    }
}

impl Hearing for Said {
    fn line(&mut self, text: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("it said on stdout: {}\n{why}", shown(text)));
        let line: Line = match serde_json::from_str(text) {
            Ok(line) => line,
            Err(_) => return refuse(SHAPES),
        };
        if line.partition.as_ref().is_some_and(|p| *p != self.of) {
            return refuse("which speaks of another partition than the one that it builds");
        }
        let named = [&line.read, &line.input, &line.missed]
            .into_iter()
            .flatten()
            .next();
        if named.is_some_and(|p| *p == self.of) {
            return refuse("which is the partition that it builds");
        }
        self.bytes += named.map_or(0, String::len);
        if self.bytes > NAMES_BYTES_MAX {
            return Err(format!(
                "it named partitions on stdout with more than {NAMES_BYTES_MAX} bytes of names"
            ));
        }
        match line {
            Line {
                read: Some(p),
                input: None,
                missed: None,
                digest: None,
                partition: _,
            } => {
                self.reads.insert(p);
            }
            Line {
                read: None,
                input: Some(p),
                missed: None,
                digest: None,
                partition: _,
            } => {
                self.reads.insert(p.clone());
                self.inputs.insert(p);
            }
            Line {
                read: None,
                input: None,
                missed: Some(p),
                digest: None,
                partition: _,
            } => {
                self.missed.insert(p);
            }
            Line {
                read: None,
                input: None,
                missed: None,
                digest: Some(d),
                partition: _,
            } => {
                if self.digest.as_ref().is_some_and(|before| *before != d) {
                    return refuse("and another digest before");
                }
                self.digest = Some(d);
            }
            _ => return refuse(SHAPES),
        }
        Ok(())
    }
}

impl Digests {
    /// To hear a command that is asked about these.
    pub fn of(partitions: &[String]) -> Self {
        Self {
            asked: partitions.iter().cloned().collect(),
            said: HashMap::new(),
        }
    }

    /// What it said of a partition.
    pub fn get(&self, partition: &str) -> Option<&str> {
        self.said.get(partition).map(String::as_str)
    }
}

impl Hearing for Digests {
    fn line(&mut self, text: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("it said on stdout: {}\n{why}", shown(text)));
        match serde_json::from_str(text) {
            Ok(Line {
                read: None,
                input: None,
                missed: None,
                digest: Some(digest),
                partition: Some(partition),
            }) => {
                if self.said.get(&partition).is_some_and(|d| *d != digest) {
                    return refuse("and another digest of the same partition before");
                }
                if self.asked.contains(&partition) {
                    self.said.insert(partition, digest);
                }
                Ok(())
            }
            _ => refuse(r#"expected {"partition": "..", "digest": ".."}"#),
        }
    }
}

/// Makes lines of pieces, and has them heard until one is refused.
pub struct Lines<H> {
    hearing: H,
    /// The beginning of the line that is not complete.
    begun: Vec<u8>,
    result: Result<(), String>,
}

impl<H: Hearing> Lines<H> {
    /// None yet.
    pub fn new(hearing: H) -> Self {
        Self {
            hearing,
            begun: Vec::new(),
            result: Ok(()),
        }
    }

    /// The next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            if self.result.is_err() {
                return;
            }
            if self.begun.len() + piece.len() > LINE_BYTES_MAX {
                self.result = Err(format!(
                    "it wrote a line of more than {LINE_BYTES_MAX} bytes to stdout"
                ));
                return;
            }
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.hear();
            }
        }
    }

    fn hear(&mut self) {
        let line = String::from_utf8_lossy(&self.begun);
        if !line.trim().is_empty() {
            self.result = self.hearing.line(line.trim_end());
        }
        self.begun.clear();
    }

    /// There is no more; the last line may lack its end.
    pub fn end(mut self) -> Result<H, String> {
        if self.result.is_ok() {
            self.hear();
        }
        self.result.map(|()| self.hearing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears a text in pieces of one byte, and in one.
    fn hear(text: &str) -> Result<Said, String> {
        let (mut bytes, mut whole) = (Lines::new(Said::of("me")), Lines::new(Said::of("me")));
        for byte in text.as_bytes().chunks(1) {
            bytes.push(byte);
        }
        whole.push(text.as_bytes());
        let heard = whole.end();
        assert_eq!(heard, bytes.end());
        heard
    }

    #[test]
    fn lines_are_heard() {
        let said = hear(
            "{\"read\": \"a\"}\n\n{\"input\":\"b\"}\r\n{\"missed\":\"c\"}\n{\"partition\":\"me\",\"digest\":\"d\"}",
        )
        .unwrap();
        let set = |names: &[&str]| {
            names
                .iter()
                .map(|n| (*n).to_owned())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(
            said,
            Said {
                of: "me".into(),
                reads: set(&["a", "b"]),
                inputs: set(&["b"]),
                missed: set(&["c"]),
                digest: Some("d".into()),
                bytes: 3,
            }
        );
        assert_eq!(hear("").unwrap(), Said::of("me"));
    }

    #[test]
    fn anything_else_is_refused_and_shown() {
        for text in [
            "hello",
            "{}",
            "{\"red\": \"a\"}",
            "{\"read\": \"a\", \"missed\": \"b\"}",
            "{\"read\": 3}",
            "[]",
            "{\"read\": \"me\"}",
            "{\"missed\": \"me\"}",
            "{\"partition\":\"you\",\"digest\":\"d\"}",
            "{\"digest\":\"1\"}\n{\"digest\":\"2\"}",
        ] {
            let error =
                hear(&format!("{{\"read\":\"a\"}}\n{text}\n{{\"read\":\"b\"}}\n")).expect_err(text);
            assert!(
                error.contains(text.lines().last().unwrap()),
                "{text}: {error}"
            );
        }
        let long = "x".repeat(100_000);
        assert!(hear(&long).unwrap_err().contains("line of more than"));
        let error = hear(&"x".repeat(60_000)).unwrap_err();
        assert!(error.len() < 500, "{} bytes", error.len());
    }

    #[test]
    fn a_run_that_names_partitions_without_end_is_refused() {
        let mut lines = Lines::new(Said::of("me"));
        let name = "x".repeat(60_000);
        let most = (0..1_000_000).take_while(|n| {
            lines.push(format!("{{\"read\": \"{n}{name}\"}}\n").as_bytes());
            lines.result.is_ok()
        });
        assert!(most.count() < 300);
        let error = lines.end().unwrap_err();
        assert!(error.contains("bytes of names"), "{error}");
    }

    #[test]
    fn digests_are_heard() {
        let hear = |text: &str| {
            let mut lines = Lines::new(Digests::of(&["a".into(), "b".into()]));
            lines.push(text.as_bytes());
            lines.end()
        };
        let one =
            "{\"partition\":\"a\",\"digest\":\"1\"}\n{\"partition\":\"c\",\"digest\":\"1\"}\n";
        let digests = hear(one).unwrap();
        assert_eq!(
            (digests.get("a"), digests.get("b"), digests.get("c")),
            (Some("1"), None, None)
        );
        assert!(hear(&format!("{one}{}", one.replace('1', "2"))).is_err());
        assert!(hear("{\"digest\":\"1\"}").is_err());
    }
}
