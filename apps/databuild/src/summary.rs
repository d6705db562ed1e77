//! The summary at the end of databuild: results on stdout, errors on stderr.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::dirs::Dirs;
use crate::engine::Engine;
use crate::fresh::stands_on;
use crate::model::build::Partition;
use crate::model::build::state::{Failed, Live, UpstreamFailed};
use crate::rules::{current, name};
use crate::text::{few, one_line, quoted};

/// The number of failed partitions that are shown.
const SHOWN_MAX: usize = 10;

/// A result: a label and its path.
pub type Shown = (&'static str, PathBuf);

/// Prints the summary for `refs`. Returns whether all of them are live.
pub fn print(engine: &Engine, refs: &[String], results: &[Shown], took: Duration) -> Result<bool> {
    let db = &engine.store;
    let wanted: Vec<Partition> = refs.iter().filter_map(|name| current(name, db)).collect();
    let known = |p: &&Partition| !engine.unknown.affects(**p);
    let not_built: Vec<&str> = (wanted.iter().filter(known))
        .filter(|p| !p.is::<Live>(db))
        .map(|p| name(*p, db))
        .collect();
    let not_known: Vec<&str> = (wanted.iter().filter(|p| !known(p)))
        .map(|p| name(*p, db))
        .collect();
    let done = not_built.is_empty() && not_known.is_empty();
    if !done {
        print_errors(engine, &not_built, &not_known);
    }
    let reused = stands_on(db, wanted)
        .into_iter()
        .filter(|p| p.is::<Live>(db) && !engine.built.contains_key(p))
        .count();
    let counts = Counts {
        built: engine.built.len(),
        reused,
    };
    print_counts(&engine.dirs, done.then_some(results), counts, took)?;
    Ok(done)
}

/// The numbers of partitions at the end.
#[derive(Clone, Copy)]
pub struct Counts {
    /// Those that were built.
    pub built: usize,
    /// Those that were live before.
    pub reused: usize,
}

/// Prints the results, if everything is live, and the counts.
pub fn print_counts(
    dirs: &Dirs,
    results: Option<&[Shown]>,
    counts: Counts,
    took: Duration,
) -> Result<()> {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{text}");
    };
    if let Some(results) = results {
        if counts.built == 0 {
            line(format_args!("everything is up to date"));
        }
        for (what, path) in results {
            line(format_args!("{:<8}{}", format!("{what}:"), path.display()));
        }
    }
    line(format_args!("took:   {:.1} s", took.as_secs_f64()));
    line(format_args!("log:    {}", log_command(dirs)));
    line(format_args!("partitions built: {}", counts.built));
    line(format_args!("partitions reused: {}", counts.reused));
    std::io::stdout()
        .write_all(out.as_bytes())
        .context("cannot write to stdout")
}

/// Prints the failed partitions with their reasons, and the partitions that they block.
fn print_errors(engine: &Engine, not_built: &[&str], not_known: &[&str]) {
    let db = &engine.store;
    let mut out = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{text}");
    };
    // Failures of what others wanted are not of this caller.
    let wanted = not_built.iter().filter_map(|name| current(name, db));
    // If its want was canceled, what was missed is forgotten.
    let mut under = stands_on(db, wanted);
    under.extend(&engine.failed);
    let mut failed = under.iter().filter_map(|p| p.in_state::<Failed>(db));
    for token in failed.by_ref().take(SHOWN_MAX) {
        let name = token.of(db).name(db);
        line(format_args!("\n{name} failed:"));
        for text in token.reason(db).lines() {
            line(format_args!("    {}", one_line(text)));
        }
        if !engine.failed.contains(&token.any()) {
            line(format_args!(
                "    (in an earlier run; nothing that it is made from has changed since: `databuild retry {name}` forgets it)"
            ));
        } else if let Some(run) = token.built_by(db) {
            let dir = engine.dirs.shown().join("runs").join(run.id().to_string());
            line(format_args!(
                "    (its directory {} is kept until the next start of databuild)",
                dir.display()
            ));
        }
        if let Some(run) = token.built_by(db) {
            for path in engine.dirs.kept_of(&run.id().to_string()) {
                line(format_args!("    (all that it wrote: {})", path.display()));
            }
        }
    }
    more(&mut line, failed.count(), "failed");
    let mut blocked = under
        .iter()
        .filter_map(|p| p.in_state::<UpstreamFailed>(db));
    for token in blocked.by_ref().take(SHOWN_MAX) {
        let lost = |p: &Partition| p.is::<Failed>(db) || p.is::<UpstreamFailed>(db);
        let missed = token.upstreams(db).filter(lost).map(|p| name(p, db));
        line(format_args!(
            "\n{} is blocked by {}",
            token.of(db).name(db),
            few(missed)
        ));
    }
    more(&mut line, blocked.count(), "are blocked");
    if !not_known.is_empty() {
        for why in engine.unknown.failures() {
            let mut text = why.lines();
            line(format_args!("\n{}", text.next().unwrap_or_default()));
            for text in text {
                line(format_args!("    {}", one_line(text)));
            }
        }
    }
    let ends = [
        ("not built", not_built),
        ("not known to be up to date", not_known),
    ];
    let ends = ends.iter().filter(|(_, names)| !names.is_empty());
    let ends: Vec<String> = ends
        .map(|(what, names)| format!("{what}: {}", few(*names)))
        .collect();
    line(format_args!("\ndatabuild: {}", ends.join("; ")));
    // A closed stderr is not an error.
    drop(std::io::stderr().write_all(out.as_bytes()));
}

/// Adds the number of partitions that are not shown.
fn more(line: &mut impl FnMut(std::fmt::Arguments<'_>), count: usize, what: &str) {
    if count > 0 {
        line(format_args!(
            "\n{count} more {what}; `databuild status --full` lists all"
        ));
    }
}

/// The command that shows the log, quoted for a shell in the current directory.
fn log_command(dirs: &Dirs) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "databuild".to_owned());
    let dir = dirs.shown().to_string_lossy();
    // A path that begins with `-` would be taken for an option.
    let dir = if dir.starts_with('-') {
        format!("./{dir}")
    } else {
        dir.into_owned()
    };
    format!("{} log --dir {}", quoted(&program), quoted(&dir))
}
