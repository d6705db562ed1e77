//! The command `ironweave`: it reads, checks, copies and explains the log of any store, without the program that wrote it.
//!
//! | module | what it does |
//! |---|---|
//! | `cli` | the arguments, and the text of `--help` |
//! | `commands` | one file for each command |
//! | `output` | text and JSON lines, colours, the pager |
//! | `failure` | errors and exit codes |
//! | `graph` | the graph of a store, now or earlier, by the names in its schema |
//! | `labels`, `values` | entities by their keys, values as text and as JSON |
//! | `names`, `when` | the names and times that a user gives |
//! | `source` | the store that a user names |
//! | `progress`, `interrupt` | the progress bar on a terminal, Ctrl-C |
#![forbid(unsafe_code)]

mod cli;
mod commands;
mod failure;
mod file;
mod graph;
mod interrupt;
mod labels;
mod names;
mod output;
mod progress;
mod source;
mod values;
mod when;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
