//! The content of a committed log as text, for any model: the fingerprint at each frame, the frames, and histories. A test of
//! databuild includes this file too.
#![allow(dead_code)]

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use ironweave::Seq;
use ironweave::prelude::*;

/// Copies the files of a store. The threads of an open store may rename a file between its listing and its copy; it is left out then.
pub fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to)?;
        } else if let Err(e) = fs::copy(&from, &to)
            && e.kind() != std::io::ErrorKind::NotFound
        {
            return Err(e);
        }
    }
    Ok(())
}

/// What is the same of every model: where it is, its frames, and the fingerprints on the way.
pub fn frames<M: ironweave::Model>(
    store: &Store<M>,
    text: &mut String,
) -> Result<(), Box<dyn Error>> {
    frames_from(store, Seq::new(0), text)
}

/// The same of a log whose frames before `first` were dropped. Of the graphs between its first frame and its first checkpoint,
/// it says that they are not there.
pub fn frames_from<M: ironweave::Model>(
    store: &Store<M>,
    first: Seq,
    text: &mut String,
) -> Result<(), Box<dyn Error>> {
    let last = store.seq().ok_or("the log is empty")?;
    writeln!(
        text,
        "last {last}, fingerprint {:032x}",
        store.fingerprint()
    )?;
    for seq in first.get()..=last.get() {
        // A store with a model reads only graphs of its shape.
        let then = match store.as_of_by_name(seq) {
            Ok(then) => then,
            Err(_) if first > Seq::new(0) => {
                writeln!(text, "as of {seq}: not there")?;
                continue;
            }
            Err(e) => return Err(e.into()),
        };
        writeln!(
            text,
            "as of {seq}: {:032x} at {}",
            then.fingerprint(),
            then.time()
        )?;
    }
    for frame in store.frames(first)? {
        let frame = frame?;
        write!(text, "frame {} {}", frame.seq(), frame.time())?;
        let meta = frame.meta();
        for (name, value) in [
            ("actor", meta.actor()),
            ("correlation", meta.correlation()),
            ("key", meta.idempotency_key()),
        ] {
            if let Some(value) = value {
                write!(text, " {name} {value:?}")?;
            }
        }
        if let Some(seq) = meta.causation() {
            write!(text, " causation {seq}")?;
        }
        writeln!(text)?;
        for firing in frame.firings() {
            writeln!(text, "    {firing}")?;
        }
    }
    Ok(())
}

/// A history, with the bytes of its values.
pub fn past<M: ironweave::Model>(
    what: &dyn std::fmt::Display,
    entries: &[ironweave::HistoryEntry<M>],
    text: &mut String,
) {
    let _ = writeln!(text, "history of {what}");
    for entry in entries {
        let value = entry.fact().encoded().unwrap_or_default();
        let hex: String = value.iter().map(|b| format!("{b:02x}")).collect();
        let _ = writeln!(text, "    {entry} [{hex}]");
    }
}

/// The text of a log after this program has appended a schema to it.
pub fn with_schema_appended(text: &str) -> String {
    let last = text.lines().find_map(|line| line.strip_prefix("last "));
    let (last, rest) = last
        .and_then(|line| line.split_once(", "))
        .expect("the line of the last frame");
    let next = last.parse::<u64>().expect("a sequence") + 1;
    let mut changed = String::new();
    for line in text.lines() {
        if line == format!("last {last}, {rest}") {
            changed += &format!("last {next}, {rest}\n");
            continue;
        }
        changed += &format!("{line}\n");
        if let Some(graph) = line.strip_prefix(&format!("as of {last}: ")) {
            changed += &format!("as of {next}: {graph}\n");
        }
    }
    changed
}
