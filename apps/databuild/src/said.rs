//! What a run says on stdout: one JSON object per line; the lines are described in [`crate::jobs`].

use std::collections::BTreeSet;
use std::io::{BufRead, Read};

use serde::Deserialize;

/// All that a run said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// What it read, the inputs too.
    pub reads: BTreeSet<String>,
    /// Of that, what its content is made from.
    pub inputs: BTreeSet<String>,
    /// What it needs and does not have.
    pub missed: BTreeSet<String>,
    /// What its content is a function of.
    pub digest: Option<String>,
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
const LINE_BYTES_MAX: u64 = 64 * 1024;

const SHAPES: &str =
    r#"expected one of {"read": ".."}, {"input": ".."}, {"missed": ".."} or {"digest": ".."}"#;

impl Said {
    /// Reads all that a run on `partition` says, to the end of its stdout. The error shows the first line
    /// that is not in the language; what follows it is read and thrown away, so that the process can end.
    pub fn hear(partition: &str, stdout: impl Read) -> Result<Self, String> {
        let mut said = Self::default();
        let result = each_line(stdout, |line| said.line(partition, line));
        result.map(|()| said)
    }

    fn line(&mut self, of: &str, text: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("it said on stdout: {text}\n{why}"));
        let line: Line = match serde_json::from_str(text) {
            Ok(line) => line,
            Err(_) => return refuse(SHAPES),
        };
        if line.partition.as_deref().is_some_and(|p| p != of) {
            return refuse("which speaks of another partition than the one that it builds");
        }
        let named = [&line.read, &line.input, &line.missed]
            .into_iter()
            .flatten()
            .next();
        if named.is_some_and(|p| p == of) {
            return refuse("which is the partition that it builds");
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

/// Reads what a `digest` command prints: partitions and their digests.
pub fn hear_digests(stdout: impl Read) -> Result<Vec<(String, String)>, String> {
    let mut digests = Vec::new();
    each_line(stdout, |text| match serde_json::from_str(text) {
        Ok(Line {
            read: None,
            input: None,
            missed: None,
            digest: Some(digest),
            partition: Some(partition),
        }) => {
            digests.push((partition, digest));
            Ok(())
        }
        _ => Err(format!(
            "it said on stdout: {text}\nexpected {{\"partition\": \"..\", \"digest\": \"..\"}}"
        )),
    })?;
    Ok(digests)
}

/// Hands over each line that is not blank, until one is refused; then reads to the end.
fn each_line(
    stdout: impl Read,
    mut hear: impl FnMut(&str) -> Result<(), String>,
) -> Result<(), String> {
    let mut stdout = std::io::BufReader::new(stdout);
    let mut result = Ok(());
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        match stdout
            .by_ref()
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut bytes)
        {
            Ok(0) => return result,
            Ok(_) if result.is_err() => {}
            Ok(n) if n as u64 == LINE_BYTES_MAX => {
                result = Err(format!(
                    "it wrote a line of more than {LINE_BYTES_MAX} bytes to stdout"
                ));
            }
            Ok(_) => {
                let line = String::from_utf8_lossy(&bytes);
                if !line.trim().is_empty() {
                    result = hear(line.trim_end());
                }
            }
            Err(e) => return result.and(Err(format!("its stdout cannot be read: {e}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(text: &str) -> Result<Said, String> {
        Said::hear("me", text.as_bytes())
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
                reads: set(&["a", "b"]),
                inputs: set(&["b"]),
                missed: set(&["c"]),
                digest: Some("d".into())
            }
        );
        assert_eq!(hear("").unwrap(), Said::default());
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
    }

    #[test]
    fn digests_are_heard() {
        let digests = hear_digests("{\"partition\":\"a\",\"digest\":\"1\"}\n".as_bytes()).unwrap();
        assert_eq!(digests, [("a".to_owned(), "1".to_owned())]);
        assert!(hear_digests("{\"digest\":\"1\"}".as_bytes()).is_err());
    }
}
