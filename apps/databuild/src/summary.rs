//! What databuild says at its end: results on stdout, what went wrong on stderr.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use ironweave::prelude::*;

use crate::engine::Engine;
use crate::model::build::Partition;
use crate::model::build::state::{Failed, Live, UpstreamFailed};

/// What there is to look at: a word for it, and where it lies.
pub type Shown = (&'static str, PathBuf);

/// Prints the end of the work for `refs`; whether all of them are live.
pub fn print(engine: &Engine, refs: &[String], results: &[Shown], took: Duration) -> Result<bool> {
    let db = &engine.store;
    let wanted: Vec<Partition> = refs
        .iter()
        .filter_map(|name| db.find::<Partition>(name.as_str()))
        .collect();
    let done = wanted.iter().all(|p| p.is::<Live>(db));
    if !done {
        complain(engine, &wanted);
    }
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{text}");
    };
    if done {
        if engine.built.is_empty() {
            line(format_args!("everything is up to date"));
        }
        for (what, path) in results {
            line(format_args!("{:<8}{}", format!("{what}:"), path.display()));
        }
    }
    line(format_args!("took:   {:.1} s", took.as_secs_f64()));
    line(format_args!("log:    {}", log_command(engine)));
    line(format_args!("partitions built: {}", engine.built.len()));
    let reused = stands_on(db, &wanted)
        .into_iter()
        .filter(|p| p.is::<Live>(db) && !engine.built.contains(p))
        .count();
    line(format_args!("partitions reused: {reused}"));
    std::io::stdout()
        .write_all(out.as_bytes())
        .context("cannot write to stdout")?;
    Ok(done)
}

/// All that partitions are made from or wait for, to any depth, with themselves.
fn stands_on(db: &impl Db, partitions: &[Partition]) -> BTreeSet<Partition> {
    let mut found = BTreeSet::new();
    let mut todo = partitions.to_vec();
    while let Some(partition) = todo.pop() {
        if found.insert(partition) {
            todo.extend(partition.inputs(db));
            todo.extend(partition.upstreams(db));
        }
    }
    found
}

/// What failed, with what it said, and who waited for it.
fn complain(engine: &Engine, wanted: &[Partition]) {
    let db = &engine.store;
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{text}");
    };
    for token in db.place::<Partition, Failed>() {
        line(format_args!("\n{} failed:", token.name(db)));
        for text in token.reason(db).lines() {
            line(format_args!("    {text}"));
        }
        if let Some(run) = token.built_by(db) {
            let dir = engine.dirs.shown().join("runs").join(run.id().to_string());
            line(format_args!(
                "    (it ran in {}, which stays until databuild is started again)",
                dir.display()
            ));
        }
    }
    for token in db.place::<Partition, UpstreamFailed>() {
        let lost = |p: &Partition| p.is::<Failed>(db) || p.is::<UpstreamFailed>(db);
        let missed: Vec<&str> = token
            .upstreams(db)
            .filter(lost)
            .map(|p| p.name(db))
            .collect();
        line(format_args!(
            "\n{} waits in vain for {}",
            token.name(db),
            missed.join(", ")
        ));
    }
    let names: Vec<&str> = wanted
        .iter()
        .filter(|p| !p.is::<Live>(db))
        .map(|p| p.name(db))
        .collect();
    line(format_args!("\ndatabuild: not built: {}", names.join(", ")));
    // Where stderr is closed nobody reads it.
    drop(std::io::stderr().write_all(out.as_bytes()));
}

/// The command that shows the log, as it can be typed where databuild was started.
fn log_command(engine: &Engine) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "databuild".to_owned());
    format!(
        "{} log --dir {}",
        quoted(&program),
        quoted(&engine.dirs.shown().to_string_lossy())
    )
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("target/databuild"), "target/databuild");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }
}
