//! `cargo xtask demo-kill --seed N`: the demo, killed again and again.
//!
//! An instant is told in terms of what databuild does: after so many lines of progress, and so many microseconds.
//! So the same seed kills at about the same points of the work on any machine, however fast.
//!
//! What must hold in the end:
//! - the report is the one of a demo that nobody disturbed, byte for byte (in another directory, so no path is in it);
//! - what the log says has succeeded has not run again: each partition became live once;
//! - the log can be read after each kill;
//! - the last databuild built what was not there yet, and one after it builds nothing;
//! - no run has left a directory.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::demo::{Counts, Demo, counts};
use crate::rng::Rng;

/// Runs it.
pub fn run(seed: u64, kills_max: u32) -> Result<()> {
    kill_and_check(seed, kills_max).with_context(|| {
        format!("a killed demo went wrong; again: `cargo xtask demo-kill --seed {seed} --kills {kills_max}`")
    })
}

fn kill_and_check(seed: u64, kills_max: u32) -> Result<()> {
    let undisturbed = Demo::new()?;
    let (_, output) = undisturbed.run()?;
    let expected = undisturbed.report()?;
    let all = undisturbed.partitions()?;
    // Each line tells of one event; half of them at most, so that it takes several kills.
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
        "the report is not the one of a demo that was not disturbed"
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
        "one more databuild: {idle:?}, expected {all} reused"
    );
    ensure!(
        demo.report()? == expected,
        "one more databuild has changed the report"
    );
    let left = fs::read_dir(demo.out.join("runs"))?.count();
    ensure!(left == 0, "{left} directories of runs are left");
    println!(
        "seed {seed}: {kills} kills, then {} built and {} reused; all is as it should be",
        last.built, last.reused
    );
    Ok(())
}

/// Starts the demo and kills it at an instant; its counts, if it was done before.
///
/// Only databuild is killed: its jobs live on as orphans, as they would if it crashed.
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
        // `move Partition/3 Building -> Live`
        let mut words = fact.split_whitespace().rev();
        if words.next() == Some("Live") && words.next() == Some("->") {
            let partition = words.nth(1).context("a move without a subject")?;
            *live.entry(partition.to_owned()).or_insert(0) += 1;
        }
    }
    Ok(live)
}
