//! How long a store takes to open, from its log and from a checkpoint, and the first questions about its past.
//!
//! ```text
//! cargo run --release --bin opening -- 1000000 1000000
//! ```
//!
//! The arguments are the number of tasks, a tenth as many workers, and the number of steps after these were created, each of
//! which is a transaction of three facts.

use std::time::Instant;

#[path = "../log/tasks.rs"]
mod tasks;

use tasks::{fill, options};

fn timed<R>(what: &str, act: impl FnOnce() -> R) -> R {
    let began = Instant::now();
    let result = act();
    println!("{what}: {:.3} s", began.elapsed().as_secs_f64());
    result
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().and_then(|n| n.parse().ok());
    let count: usize = number().unwrap_or(100_000).max(10);
    let steps: usize = number().unwrap_or(count);
    let dir = std::env::current_exe()?.with_file_name(format!("opening-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let outcome = run(&dir, count, steps);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

fn run(
    dir: &std::path::Path,
    count: usize,
    steps: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut store = options().open(dir)?;
    let (task, facts) = timed("write", || fill(&mut store, count, steps))?;
    drop(store);
    println!("facts: {facts}");
    let began = Instant::now();
    let mut store = options().open(dir)?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "open from the log: {seconds:.3} s, {:.2} M facts/s",
        facts as f64 / seconds / 1e6
    );
    let print = store.fingerprint();
    let middle = store.seq().map_or(0, |seq| seq.get() / 2);
    let history = timed("first history", || store.history(task))?.len();
    let then = timed("first as_of, in the middle", || store.as_of(middle))?.fingerprint();
    println!("entries of the history: {history}");
    let checkpoint = timed("write a checkpoint", || store.checkpoint())?;
    println!("bytes of the checkpoint: {}", checkpoint.bytes());
    drop(store);
    let store = timed("open from the checkpoint", || options().open(dir))?;
    assert_eq!(store.opened_from().checkpoint(), Some(checkpoint.seq()));
    assert_eq!(store.fingerprint(), print);
    let again = timed("as_of, in the middle", || store.as_of(middle))?.fingerprint();
    assert_eq!(again, then);
    let last = store.seq().map_or(0, |seq| seq.get() - 1);
    timed("as_of, at the end", || store.as_of(last))?;
    Ok(())
}
