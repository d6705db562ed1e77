//! The protocol of jobs on stdout: one JSON object per line; [`crate::jobs`] describes the lines.
//!
//! The output is parsed incrementally, because a process that was left in the background may keep the pipe open.
//! The memory that is used for it is bounded.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{LineWriter, Write};
use std::path::PathBuf;

use serde::Deserialize;

use crate::command::Secrets;
use crate::content;
use crate::text::shown;

/// Handles the lines that a process prints.
pub trait LineHandler: Send + 'static {
    /// Handles a line that is not blank; the error describes what is wrong with it.
    fn line(&mut self, text: &str) -> Result<(), String>;

    /// Handles a part of a line that is too long; the error describes what is wrong with it.
    fn long(&mut self, _part: &str) -> Result<(), String> {
        Err(too_long())
    }

    /// Handles that the process, and all others of its group, have ended, and that its exit status is 0.
    fn succeeded(&mut self) {}
}

/// What a run names while it runs: a partition, and whether the run missed it.
pub type Named = (String, bool);

/// Passes on what a run names, from the thread that reads its output.
pub struct Reporter(Box<dyn FnMut(Named) + Send>);

impl Reporter {
    /// Calls `pass` for each partition that a run names, when it names it for the first time.
    pub fn new(pass: impl FnMut(Named) + Send + 'static) -> Self {
        Self(Box::new(pass))
    }
}

impl std::fmt::Debug for Reporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

/// The output of a run.
#[derive(Debug, Default)]
pub struct RunOutput {
    /// The partition that it builds.
    of: String,
    /// The partitions that it read, including the inputs.
    pub reads: BTreeSet<String>,
    /// Those of them that its content is made from.
    pub inputs: BTreeSet<String>,
    /// The partitions that it needs and that are not live.
    pub missed: BTreeSet<String>,
    /// The digest of what its content is a function of.
    pub digest: Option<String>,
    /// The hash of the content: that of its directory, or what it printed instead.
    pub content: Option<String>,
    /// The directory whose content is hashed.
    hashed: Option<PathBuf>,
    reporter: Option<Reporter>,
    /// The total length of the names that it printed.
    bytes: usize,
    /// Where the other lines are kept. Without it, they are refused.
    kept: Option<Kept>,
}

/// The lines of a run that are not for databuild.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// The file, when there is a line.
    file: Option<LineWriter<File>>,
    bytes: usize,
    secrets: Secrets,
}

impl Kept {
    /// Keeps a text. What is too long, or cannot be written, is not kept: it is not the result of the run.
    fn push(&mut self, text: &str) {
        if self.bytes > OUTPUT_BYTES_MAX {
            return;
        }
        self.bytes += text.len() + 1;
        if self.file.is_none() {
            self.file = File::create(&self.path).ok().map(LineWriter::new);
        }
        let text = match self.bytes > OUTPUT_BYTES_MAX {
            true => "(the rest is not kept)".to_owned(),
            false => self.secrets.redact(text.to_owned()),
        };
        if let Some(file) = &mut self.file {
            drop(writeln!(file, "{text}"));
        }
    }
}

/// The output of a `digest` command for the partitions that were its arguments.
#[derive(Debug, Default)]
pub struct Digests {
    asked: HashSet<String>,
    digests: HashMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    read: Option<String>,
    input: Option<String>,
    missed: Option<String>,
    digest: Option<String>,
    content: Option<String>,
    partition: Option<String>,
}

/// What a line says.
enum Said {
    Read(String),
    Input(String),
    Missed(String),
    Digest(String),
    Content(String),
}

impl Line {
    /// The only thing that it says.
    fn said(self) -> Option<Said> {
        match (
            self.read,
            self.input,
            self.missed,
            self.digest,
            self.content,
        ) {
            (Some(name), None, None, None, None) => Some(Said::Read(name)),
            (None, Some(name), None, None, None) => Some(Said::Input(name)),
            (None, None, Some(name), None, None) => Some(Said::Missed(name)),
            (None, None, None, Some(digest), None) => Some(Said::Digest(digest)),
            (None, None, None, None, Some(content)) => Some(Said::Content(content)),
            _ => None,
        }
    }
}

/// A longer line is refused, so that a process that writes without end cannot exhaust the memory.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// The maximum length of what is kept of the stdout of a run.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The maximum total length of the names that a run prints.
const NAMES_BYTES_MAX: usize = 16 * 1024 * 1024;

const SHAPES: &str = r#"expected one of {"read": ".."}, {"input": ".."}, {"missed": ".."}, {"digest": ".."} or {"content": ".."}"#;

impl RunOutput {
    /// Handles the output of a run that builds `partition`. The error shows the first invalid line; the rest
    /// is discarded.
    pub fn of(partition: &str) -> Self {
        Self {
            of: partition.to_owned(),
            ..Self::default()
        }
    }

    /// Adds the inputs that the job declares.
    pub fn declare(&mut self, inputs: BTreeSet<String>) {
        self.reads.extend(inputs.iter().cloned());
        self.inputs.extend(inputs);
    }

    /// Hashes the content of a directory if the run succeeds and prints no content.
    #[must_use]
    pub fn hashing(self, dir: PathBuf) -> Self {
        let hashed = Some(dir);
        Self { hashed, ..self }
    }

    /// Reports the partitions that the run names while it runs.
    #[must_use]
    pub fn reporting(self, reporter: Reporter) -> Self {
        let reporter = Some(reporter);
        Self { reporter, ..self }
    }

    /// Adds a partition that it read or missed.
    fn name(&mut self, name: String, is_missed: bool) {
        let names = match is_missed {
            true => &mut self.missed,
            false => &mut self.reads,
        };
        let is_new = names.insert(name.clone());
        if let (true, Some(Reporter(pass))) = (is_new, &mut self.reporter) {
            pass((name, is_missed));
        }
    }

    /// Keeps lines that are no JSON objects in a file, without secrets.
    #[must_use]
    pub fn keeping(self, path: PathBuf, secrets: Secrets) -> Self {
        let kept = Kept {
            path,
            file: None,
            bytes: 0,
            secrets,
        };
        Self {
            kept: Some(kept),
            ..self
        }
    }
}

impl LineHandler for RunOutput {
    fn line(&mut self, text: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("unexpected line on stdout: {}\n{why}", shown(text)));
        let line: Line = match (serde_json::from_str(text), &mut self.kept) {
            (Ok(line), _) => line,
            (Err(_), Some(kept)) if !is_object(text) => {
                kept.push(text);
                return Ok(());
            }
            (Err(_), _) => return refuse(SHAPES),
        };
        if line.partition.as_ref().is_some_and(|p| *p != self.of) {
            return refuse("it names another partition than the one that the run builds");
        }
        let named = [&line.read, &line.input, &line.missed]
            .into_iter()
            .flatten()
            .next();
        if named.is_some_and(|p| *p == self.of) {
            return refuse("a run cannot read or miss the partition that it builds");
        }
        self.bytes += named.map_or(0, String::len);
        if self.bytes > NAMES_BYTES_MAX {
            return Err(format!(
                "it printed more than {NAMES_BYTES_MAX} bytes of names of partitions on stdout"
            ));
        }
        match line.said() {
            Some(Said::Read(name)) => self.name(name, false),
            Some(Said::Input(name)) => {
                self.inputs.insert(name.clone());
                self.name(name, false);
            }
            Some(Said::Missed(name)) => self.name(name, true),
            Some(Said::Digest(digest)) => {
                if self.digest.as_ref().is_some_and(|before| *before != digest) {
                    return refuse("it printed another digest before");
                }
                self.digest = Some(digest);
            }
            Some(Said::Content(content)) => {
                let content = format!("={content}");
                if self
                    .content
                    .as_ref()
                    .is_some_and(|before| *before != content)
                {
                    return refuse("it printed another content before");
                }
                self.content = Some(content);
            }
            None => return refuse(SHAPES),
        }
        Ok(())
    }

    fn long(&mut self, part: &str) -> Result<(), String> {
        match &mut self.kept {
            Some(kept) => {
                kept.push(part);
                Ok(())
            }
            None => Err(too_long()),
        }
    }

    fn succeeded(&mut self) {
        if let (Some(dir), None, true) = (&self.hashed, &self.content, self.missed.is_empty()) {
            // What cannot be read fails the run when it is synced.
            self.content = content::hash(dir).ok();
        }
    }
}

/// Returns whether a text is a JSON object, which a run prints for databuild.
fn is_object(text: &str) -> bool {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).is_ok()
}

fn too_long() -> String {
    format!("it wrote a line of more than {LINE_BYTES_MAX} bytes to stdout")
}

impl Digests {
    /// Handles the output of a command for these partitions.
    pub fn of(partitions: &[String]) -> Self {
        Self {
            asked: partitions.iter().cloned().collect(),
            digests: HashMap::new(),
        }
    }

    /// The digest of a partition.
    pub fn get(&self, partition: &str) -> Option<&str> {
        self.digests.get(partition).map(String::as_str)
    }
}

impl LineHandler for Digests {
    fn line(&mut self, text: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("unexpected line on stdout: {}\n{why}", shown(text)));
        let line = serde_json::from_str(text).unwrap_or(Line::default());
        let partition = line.partition.clone();
        match (line.said(), partition) {
            (Some(Said::Digest(digest)), Some(partition)) => {
                if self.digests.get(&partition).is_some_and(|d| *d != digest) {
                    return refuse("it printed another digest of the same partition before");
                }
                if self.asked.contains(&partition) {
                    self.digests.insert(partition, digest);
                }
                Ok(())
            }
            _ => refuse(r#"expected {"partition": "..", "digest": ".."}"#),
        }
    }
}

/// Assembles lines from chunks, and passes them to a handler until one is refused.
pub struct Lines<H> {
    handler: H,
    /// The beginning of the incomplete line.
    begun: Vec<u8>,
    /// Whether a part of that line was too long, and was handled.
    is_long: bool,
    result: Result<(), String>,
}

impl<H: LineHandler> Lines<H> {
    /// Starts with no line.
    pub fn new(handler: H) -> Self {
        Self {
            handler,
            begun: Vec::new(),
            is_long: false,
            result: Ok(()),
        }
    }

    /// Adds the next chunk.
    pub fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            if self.result.is_err() {
                return;
            }
            let mut piece = piece;
            while self.begun.len() + piece.len() > LINE_BYTES_MAX {
                let (now, later) = piece.split_at(LINE_BYTES_MAX - self.begun.len());
                self.begun.extend_from_slice(now);
                self.is_long = true;
                self.handle();
                if self.result.is_err() {
                    return;
                }
                piece = later;
            }
            self.begun.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.handle();
                self.is_long = false;
            }
        }
    }

    fn handle(&mut self) {
        let line = String::from_utf8_lossy(&self.begun);
        if self.is_long {
            self.result = self.handler.long(line.trim_end_matches('\n'));
        } else if !line.trim().is_empty() {
            self.result = self.handler.line(line.trim_end());
        }
        self.begun.clear();
    }

    /// Handles the last line, which may lack its end, and returns the handler.
    pub fn end(mut self) -> Result<H, String> {
        if self.result.is_ok() {
            self.handle();
        }
        self.result.map(|()| self.handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parsed = (
        BTreeSet<String>,
        BTreeSet<String>,
        BTreeSet<String>,
        Vec<Option<String>>,
        Vec<Named>,
    );

    /// What is read of a text in chunks of one byte, and as one chunk: what is read, input and missed, digest and content, what is reported.
    fn parse(text: &str) -> Result<Parsed, String> {
        let parse = |size: usize| {
            let (sender, receiver) = std::sync::mpsc::channel();
            let output = RunOutput::of("me").reporting(Reporter::new(move |named| {
                sender.send(named).unwrap();
            }));
            let mut lines = Lines::new(output);
            text.as_bytes()
                .chunks(size)
                .for_each(|chunk| lines.push(chunk));
            let RunOutput {
                reads,
                inputs,
                missed,
                digest,
                content,
                ..
            } = lines.end()?;
            Ok((
                reads,
                inputs,
                missed,
                vec![digest, content],
                receiver.try_iter().collect(),
            ))
        };
        let (bytes, whole) = (parse(1), parse(text.len().max(1)));
        assert_eq!(bytes, whole);
        whole
    }

    #[test]
    fn lines_are_parsed() {
        let said = parse(
            "{\"read\": \"a\"}\n\n{\"input\":\"b\"}\r\n{\"missed\":\"c\"}\n{\"read\": \"a\"}\n{\"content\": \"x\"}\n\
             {\"partition\":\"me\",\"digest\":\"d\"}",
        );
        let set = |names: &[&str]| {
            names
                .iter()
                .map(|n| (*n).to_owned())
                .collect::<BTreeSet<_>>()
        };
        let given = vec![Some("d".to_owned()), Some("=x".to_owned())];
        let named = [("a", false), ("b", false), ("c", true)];
        let named = named
            .map(|(name, is_missed)| (name.to_owned(), is_missed))
            .to_vec();
        assert_eq!(
            said.unwrap(),
            (set(&["a", "b"]), set(&["b"]), set(&["c"]), given, named)
        );
        let nothing = || BTreeSet::new();
        assert_eq!(
            parse("").unwrap(),
            (nothing(), nothing(), nothing(), vec![None, None], vec![])
        );
    }

    #[test]
    fn an_invalid_line_is_refused_and_shown() {
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
            "{\"content\":\"1\"}\n{\"content\":\"2\"}",
            "{\"content\":\"1\", \"digest\": \"1\"}",
        ] {
            let error = parse(&format!("{{\"read\":\"a\"}}\n{text}\n{{\"read\":\"b\"}}\n"))
                .expect_err(text);
            assert!(
                error.contains(text.lines().last().unwrap()),
                "{text}: {error}"
            );
        }
        let long = "x".repeat(100_000);
        assert!(parse(&long).unwrap_err().contains("line of more than"));
        let error = parse(&"x".repeat(60_000)).unwrap_err();
        assert!(error.len() < 500, "{} bytes", error.len());
    }

    #[test]
    fn other_lines_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let keeping = || RunOutput::of("me").keeping(path.clone(), Secrets::default());
        let mut lines = Lines::new(keeping());
        let long = "x".repeat(150_000);
        for text in [
            "hello\n",
            "{\"read\": \"a\"}\n",
            "42\n[]\n{ not JSON\n\n",
            &long,
            "\nlast",
        ] {
            lines.push(text.as_bytes());
        }
        let output = lines.end().unwrap();
        assert_eq!(output.reads.len(), 1);
        drop(output);
        let kept = std::fs::read_to_string(&path).unwrap();
        let flat = kept.replace("x\nx", "xx");
        assert_eq!(flat, format!("hello\n42\n[]\n{{ not JSON\n{long}\nlast\n"));
        // An object is for databuild.
        let mut lines = Lines::new(keeping());
        lines.push(b"{\"red\": \"a\"}\n");
        assert!(lines.end().unwrap_err().contains("unexpected line"));
    }

    #[test]
    fn a_run_that_names_partitions_without_end_is_refused() {
        let mut lines = Lines::new(RunOutput::of("me"));
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
    fn digests_are_parsed() {
        let parse = |text: &str| {
            let mut lines = Lines::new(Digests::of(&["a".into(), "b".into()]));
            lines.push(text.as_bytes());
            lines.end()
        };
        let one =
            "{\"partition\":\"a\",\"digest\":\"1\"}\n{\"partition\":\"c\",\"digest\":\"1\"}\n";
        let digests = parse(one).unwrap();
        assert_eq!(
            (digests.get("a"), digests.get("b"), digests.get("c")),
            (Some("1"), None, None)
        );
        assert!(parse(&format!("{one}{}", one.replace('1', "2"))).is_err());
        assert!(parse("{\"digest\":\"1\"}").is_err());
    }
}
