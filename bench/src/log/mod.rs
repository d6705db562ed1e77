//! The rows about the log on disk, which `--only log` runs together: durable appends, opening, bytes, and histories.
//!
//! | row | what |
//! |---|---|
//! | `log_fsync` | the file system, and the latency of one `write` and `fdatasync`, which bounds all durable appends |
//! | `log_append` | durable appends by one caller and by 64, beside plain files, SQLite, redb and fjall |
//! | `log_open` | opening from the log and from a checkpoint, and the first questions about the past |
//! | `log_bytes` | the bytes of an event in the log, beside its JSON |
//! | `log_history` | the history of an entity with 1,000 versions, beside a history table of SQLite |
//!
//! The directories are on a real file system (`--scratch`), since figures of a file system in memory would mean nothing.

pub mod append;
pub mod bytes;
pub mod callers;
pub mod disk;
pub mod history;
pub mod open;
pub mod raw;
pub mod tasks;

use std::fmt::Write as _;

use crate::harness::Row;

/// The table that is printed: each contender with its figure in the unit of its row.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let value = row.value.unwrap_or(row.ns_per_op);
        let digits = if value < 100.0 { 2 } else { 0 };
        let unit = row.unit.unwrap_or("ns");
        let _ = writeln!(
            text,
            "{:<26}{:>12} {:<10}{value:>14.digits$} {unit}",
            row.contender, row.entities, row.sizes
        );
    }
    text
}
