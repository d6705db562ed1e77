//! `instructions`: the number of instructions of an event, counted by `valgrind --tool=callgrind`. It is the same on every run,
//! so that it shows changes which a clock on a busy machine does not show. `bench/instructions.txt` has the last counts.
//!
//! A count is the difference of two runs of `bin/instructions.rs` with different numbers of events, so that it excludes the
//! initial state and the end. It includes making the event up, which is the same for all contenders (about 70).

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::Row;
use crate::{Measured, Options};

const ROWS: [&str; 7] = [
    "step_graph",
    "step_recorded",
    "step_logged",
    "what_if_1",
    "reject",
    "find",
    "relink",
];
const CONTENDERS: [&str; 4] = ["flat", "fxhash", "fxhash_logged", "ironweave"];
/// The rows that measure snapshots.
const VALUES: [&str; 3] = ["with", "snapshot", "snapshot_read"];
const VALUED: [&str; 3] = ["imbl", "rpds", "ironweave"];
/// The numbers of events in the shorter run and in the longer one.
const EVENTS: [usize; 2] = [5_000, 15_000];

/// Counts all rows of all contenders. Returns no rows if valgrind is not installed.
pub fn run(options: &Options) -> Measured {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("valgrind is not installed, so nothing is counted");
        return Ok(Vec::new());
    }
    let program = built()?;
    let mut rows = Vec::new();
    for &entities in &options.entities {
        let rows_of = |names: &[&'static str], by: &[&'static str]| {
            let pairs = (names.iter()).flat_map(|row| by.iter().map(move |by| (*row, *by)));
            // Where nothing is written, `fxhash_logged` is `fxhash`.
            let is_other = |(row, by): &(_, _)| *row == "step_logged" || *by != "fxhash_logged";
            pairs.filter(is_other).collect::<Vec<_>>()
        };
        for (bench, contender) in [rows_of(&ROWS, &CONTENDERS), rows_of(&VALUES, &VALUED)].concat()
        {
            // At once, since other processes do not change the counts.
            let start = |events| start(&program, contender, bench, entities, events);
            let (short, long) = (start(EVENTS[0])?, start(EVENTS[1])?);
            let (short, long) = (count(short)?, count(long)?);
            let per_event = (long - short) as f64 / (EVENTS[1] - EVENTS[0]) as f64;
            rows.push(Row::counted(bench, contender, entities, per_event));
        }
    }
    Ok(rows)
}

/// Builds the program whose instructions are counted, with the profile of this one.
fn built() -> Result<PathBuf, Box<dyn Error>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--bin", "instructions"])
        .arg("--manifest-path")
        .arg(manifest)
        .status()?;
    if !status.success() {
        return Err("`instructions` does not build".into());
    }
    Ok(std::env::current_exe()?.with_file_name("instructions"))
}

/// Starts one run under valgrind.
fn start(
    program: &Path,
    contender: &str,
    bench: &str,
    entities: usize,
    events: usize,
) -> Result<Child, Box<dyn Error>> {
    let child = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([contender, bench, &entities.to_string(), &events.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    child.map_err(|e| format!("cannot start valgrind: {e}").into())
}

/// Waits for a run, and returns the number of its instructions.
fn count(run: Child) -> Result<u64, Box<dyn Error>> {
    let output = run.wait_with_output()?;
    // `==123== Collected : 456`
    let said = String::from_utf8_lossy(&output.stderr);
    let count = said
        .lines()
        .find_map(|line| line.split_once("Collected : "))
        .and_then(|(_, n)| n.trim().parse().ok());
    count.ok_or_else(|| format!("valgrind did not count:\n{said}").into())
}

/// The table that is printed: a line for each row and size, and a column for each contender.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for columns in [&CONTENDERS[..], &VALUED] {
        let names = if columns.len() == CONTENDERS.len() {
            &ROWS[..]
        } else {
            &VALUES
        };
        let _ = write!(text, "{:<16}{:>10}", "instructions", "entities");
        columns
            .iter()
            .for_each(|name| _ = write!(text, "{name:>15}"));
        text.push('\n');
        for name in names {
            let of_name = || rows.iter().filter(|row| row.bench == *name);
            let sizes: BTreeSet<usize> = of_name().map(|row| row.entities).collect();
            for entities in sizes {
                let _ = write!(text, "{name:<16}{entities:>10}");
                for column in columns {
                    let is_it = |row: &&Row| row.entities == entities && row.contender == *column;
                    let count = of_name().find(is_it).and_then(|row| row.value);
                    let cell = count.map_or_else(String::new, |count| format!("{count:.0}"));
                    let _ = write!(text, "{cell:>15}");
                }
                text.truncate(text.trim_end().len());
                text.push('\n');
            }
        }
    }
    text
}
