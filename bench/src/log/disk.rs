//! `log_fsync`: the file system of the scratch directory, and the latency of a durable write there, which the other rows of the
//! log cannot beat.

use std::path::Path;
use std::time::Instant;

use super::raw::Raw;
use crate::harness::{Row, row};
use crate::rows::Scratch;
use crate::{Measured, Options};

/// The number of bytes in one write: the block of most file systems.
const BYTES: usize = 4096;

/// Measures single writes with their syncs.
pub fn run(options: &Options) -> Measured {
    let dir = Scratch::new("disk")?;
    let system = file_system(&dir.0).unwrap_or_else(|| "unknown file system".to_owned());
    if ["tmpfs", "ramfs", "devtmpfs"].contains(&system.as_str()) {
        return Err(
            format!("{system} is in memory; name a directory on a disk with `--scratch`").into(),
        );
    }
    let mut rows = Vec::new();
    for (what, preallocated) in [("grows", false), ("preallocated", true)] {
        let mut raw = Raw::new(preallocated)?;
        let mut took = Vec::new();
        for _ in 0..options.samples {
            let began = Instant::now();
            raw.append(&[7; BYTES])?;
            took.push(began.elapsed().as_nanos() as f64);
        }
        took.sort_by(f64::total_cmp);
        let p99 = took[took.len() * 99 / 100];
        // The name of the file system is known once it runs. There are two rows in a process.
        let name = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        rows.push(row(
            "log_fsync",
            name(format!("{system}, {what}")),
            BYTES,
            took,
        ));
        rows.push(row(
            "log_fsync",
            name(format!("{system}, {what}, 99th percentile")),
            BYTES,
            vec![p99],
        ));
    }
    let in_micros = |row: Row| row.in_unit("µs", 1e3).of("bytes");
    Ok(rows.into_iter().map(in_micros).collect())
}

/// Returns the type of the file system of a directory, where Linux tells it.
fn file_system(dir: &Path) -> Option<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let dir = dir.canonicalize().ok()?;
    let fields = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>());
    let holds = fields.filter_map(|fields| {
        let (path, kind) = (*fields.get(1)?, *fields.get(2)?);
        dir.starts_with(path)
            .then_some((path.len(), kind.to_owned()))
    });
    holds.max_by_key(|(len, _)| *len).map(|(_, kind)| kind)
}
