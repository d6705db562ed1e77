//! `log_open`: how long a store takes to open, from its log and from a checkpoint, and the first questions about its past.
//!
//! | contender | what |
//! |---|---|
//! | `open` | from the log alone |
//! | `checkpoint` | from a checkpoint of its last frame |
//! | `first_as_of` | the first `as_of`, in the middle of the log, without checkpoints |
//! | `first_as_of_checkpoint` | the same, with the checkpoint of the last frame |
//! | `first_history` | the first `history`, of an entity of a log whose indexes are as its writer has left them |
//!
//! Each is measured on a store that was just opened. The files are in the cache of the operating system.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use super::tasks::{Tasks, fill, options};
use crate::harness::{Row, row};
use crate::rows::Scratch;
use crate::{Measured, Options};

/// Measures logs of so many facts.
pub fn run(settings: &Options) -> Measured {
    let mut rows = Vec::new();
    for &facts in &settings.entities {
        rows.extend(measured(facts, settings.samples)?);
    }
    Ok(rows)
}

/// As many tasks as there are tenths of the facts, and two steps for each task, give 10.1 facts for each task.
fn measured(facts: usize, samples: usize) -> Measured {
    let count = (facts / 10).max(10);
    let dir = Scratch::new("open")?;
    let mut store = options().open(&dir.0)?;
    let (task, written) = fill(&mut store, count, 2 * count)?;
    assert!(written >= facts, "{written} facts");
    let print = store.fingerprint();
    let middle = store.seq().map_or(0, |seq| seq.get() / 2);
    drop(store);
    let mut took: [Vec<f64>; 5] = Default::default();
    let files = |extension: &str| -> std::io::Result<Vec<PathBuf>> {
        let paths = fs::read_dir(&dir.0)?.map(|file| Ok(file?.path()));
        let paths = paths.collect::<std::io::Result<Vec<_>>>()?.into_iter();
        let is_one = |path: &PathBuf| path.extension().is_some_and(|e| e == extension);
        Ok(paths.filter(is_one).collect())
    };
    // The indexes that the writer has left are there for each first question about a history, and no others.
    let of_writer = files("index")?;
    let clear = |extension: &str| -> std::io::Result<()> {
        let paths = files(extension)?.into_iter();
        paths
            .filter(|path| !of_writer.contains(path))
            .try_for_each(fs::remove_file)
    };
    let open = |took: &mut Vec<f64>| -> Result<Tasks, Box<dyn std::error::Error>> {
        let began = Instant::now();
        let store = options().open(&dir.0)?;
        took.push(began.elapsed().as_nanos() as f64);
        assert_eq!(store.fingerprint(), print);
        Ok(store)
    };
    for _ in 0..samples {
        clear("checkpoint")?;
        let store = open(&mut took[0])?;
        let began = Instant::now();
        let then = store.as_of(middle)?.fingerprint();
        took[2].push(began.elapsed().as_nanos() as f64);
        let began = Instant::now();
        assert!(!store.history(task)?.is_empty());
        took[4].push(began.elapsed().as_nanos() as f64);
        let mut store = store;
        store.checkpoint()?;
        drop(store);
        let store = open(&mut took[1])?;
        assert!(store.opened_from().checkpoint().is_some());
        let began = Instant::now();
        assert_eq!(store.as_of(middle)?.fingerprint(), then);
        took[3].push(began.elapsed().as_nanos() as f64);
        drop(store);
        clear("index")?;
    }
    let names = [
        "open",
        "checkpoint",
        "first_as_of",
        "first_as_of_checkpoint",
        "first_history",
    ];
    let rows = names.into_iter().zip(took);
    let row = |(name, took)| -> Row {
        row("log_open", name, facts, took)
            .in_unit("ms", 1e6)
            .of("facts")
    };
    Ok(rows.map(row).collect())
}
