//! `cargo xtask demo-kill --seed N`: kills the demo again and again, and checks that it recovers.
//!
//! The instant of a kill is a number of lines of progress, and then a number of microseconds. So the same seed kills at
//! about the same points of the work on a fast machine and on a slow one.
//!
//! What must hold in the end:
//! - the report equals that of a demo that was not killed, byte for byte (it ran in another directory, so the report has no
//!   path);
//! - a job that succeeded according to the log did not run again: each partition became live once;
//! - the log could be read after each kill;
//! - the last run built the partitions that were missing, and a run after it builds nothing;
//! - no run left a directory behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::demo::{Counts, Demo, counts};
use crate::rng::Rng;

/// Runs the check with a seed and at most so many kills.
pub fn run(seed: u64, kills_max: u32) -> Result<()> {
    kill_and_check(seed, kills_max).with_context(|| {
        format!("the demo did not recover from a kill; repeat with `cargo xtask demo-kill --seed {seed} --kills {kills_max}`")
    })
}

fn kill_and_check(seed: u64, kills_max: u32) -> Result<()> {
    let undisturbed = Demo::new()?;
    let (_, output) = undisturbed.run()?;
    let expected = undisturbed.report()?;
    let all = undisturbed.partitions()?;
    // Each line reports one event. A kill comes within the first half of them, so that several kills are needed.
    let lines = output.stderr.iter().filter(|b| **b == b'\n').count() as u64;

    let demo = Demo::new()?;
    let mut rng = Rng::new(seed);
    let mut kills = 0;
    let last = loop {
        if kills == kills_max {
            break demo.run()?.0;
        }
        let instant = (rng.below(lines / 2), Duration::from_micros(rng.below(4000)));
        match killed(&demo, instant)? {
            Some(counts) => break counts,
            None => kills += 1,
        }
        let live = if demo.out.join("store").exists() {
            live(&demo)?.len()
        } else {
            0
        };
        println!(
            "killed after {:>2} lines and {:>4} µs: {live:>2} of {all} live",
            instant.0,
            instant.1.as_micros()
        );
    };

    ensure!(
        last.built + last.reused == all,
        "{last:?} do not add up to {all}"
    );
    ensure!(
        demo.report()? == expected,
        "the report differs from that of a demo that was not killed"
    );
    let live = live(&demo)?;
    ensure!(
        live.len() == all,
        "{} partitions became live, expected {all}",
        live.len()
    );
    let again: Vec<_> = live.iter().filter(|(_, times)| **times != 1).collect();
    ensure!(
        again.is_empty(),
        "these became live more than once: {again:?}"
    );
    ensure!(
        demo.show("status")?
            .starts_with(&format!("partitions: {all} = {all} Live\n")),
        "not all partitions are live:\n{}",
        demo.show("status")?
    );
    let (idle, _) = demo.run()?;
    ensure!(
        idle == Counts {
            built: 0,
            reused: all
        },
        "a further run: {idle:?}, expected {all} reused"
    );
    ensure!(
        demo.report()? == expected,
        "a further run has changed the report"
    );
    let left = fs::read_dir(demo.out.join("runs"))?.count();
    ensure!(left == 0, "{left} directories of runs remain");
    println!(
        "seed {seed}: {kills} kills, then {} built and {} reused; everything was recovered",
        last.built, last.reused
    );
    Ok(())
}

/// Starts the demo and kills it at an instant. Returns its counts if it finished before.
///
/// Only databuild is killed. Its jobs continue as orphans, as they would after a crash.
fn killed(demo: &Demo, (lines, then): (u64, Duration)) -> Result<Option<Counts>> {
    let mut child = demo
        .command()?
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(stderr) = child.stderr.take() {
        let mut stderr = BufReader::new(stderr);
        for _ in 0..lines {
            let mut line = Vec::new();
            if stderr.read_until(b'\n', &mut line)? == 0 {
                break;
            }
        }
        std::thread::sleep(then);
        child.kill()?;
    }
    let output = child.wait_with_output()?;
    if output.status.code().is_none() {
        return Ok(None);
    }
    counts(&output).map(Some)
}

/// How often each partition became live, by the facts in the log.
fn live(demo: &Demo) -> Result<BTreeMap<String, u32>> {
    let mut live = BTreeMap::new();
    for fact in demo.show("log")?.split(['\n', ';']) {
        // `move Partition "manifest" Building -> Live`; the second instance is `Partition "manifest" #2`.
        let mut words = fact.split_whitespace().rev();
        if words.next() == Some("Live") && words.next() == Some("->") {
            let partition = words.skip(1).find(|word| !word.starts_with('#'));
            let partition = partition.context("a move without a subject")?;
            *live.entry(partition.to_owned()).or_insert(0) += 1;
        }
    }
    Ok(live)
}
