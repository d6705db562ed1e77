//! Random lives of a log, each of a seed: it is opened, written and closed, the process is killed at any change, and the power
//! fails at any change, also while the log recovers from an earlier failure.
//!
//! `cargo xtask crash --seeds N` runs N of them. `IRONWEAVE_CRASH_SEEDS=n` does so too, and `IRONWEAVE_CRASH_SEED=s` runs the
//! one that a failure names.

use super::faults::{Change, Faults};
use super::power::{Model, Random};
use super::*;

/// How many seeds a plain `cargo test` runs.
const SEEDS: u64 = 60;

/// How one process ended that had the log open.
#[derive(Debug, PartialEq)]
enum End {
    Closed,
    Killed,
    PowerCut,
}

/// What was reported about a log.
#[derive(Clone, Copy, Default)]
struct Reported {
    /// The number of frames that were durable.
    durable: u64,
    /// The number of frames that were written.
    written: u64,
}

/// A process that has the log open: the changes that it made, and what it reported after how many of them.
struct Life {
    changes: Vec<Change>,
    reported: Vec<(usize, Reported)>,
    is_killed: bool,
}

impl Life {
    fn run(random: &mut Random, dir: &Path, options: LogOptions, at_least: Reported) -> Self {
        // Some processes are killed while they recover, and some not at all.
        let kill_at = [3, 10, 60, usize::MAX][random.below(4) as usize];
        let kill_at = random.below(kill_at.min(1 << 20) as u64) as usize;
        let faults = Faults::dead_from(kill_at);
        let mut reported = vec![(0, at_least)];
        let opened = open_on(&faults, dir, options);
        if let Ok(mut log) = opened {
            let mut note = |log: &FileLog| {
                let count = |seq: Option<Seq>| seq.map_or(0, |seq| seq.get() + 1);
                let now = Reported {
                    durable: count(log.durable()),
                    written: count(log.head().map(|head| head.seq)),
                };
                reported.push((faults.changes().len(), now));
                now.written
            };
            let next = note(&log);
            assert!(next >= at_least.written, "{next} of {}", at_least.written);
            for seq in next..next + random.below(9) {
                if commit(&mut log, seq, random.below(3) > 0).is_err() {
                    break;
                }
                note(&log);
            }
            // Closing makes changes too, which may fail.
            drop(log);
        } else {
            assert!(faults.failed(), "{:?}", opened.err());
        }
        let is_killed = faults.failed();
        let mut changes = faults.changes();
        if is_killed {
            changes.truncate(kill_at + 1);
            // Half of a write that was interrupted was made.
            if let Some(Change::Write(path, offset, bytes)) = changes.pop() {
                let half = bytes[..bytes.len() / 2].to_vec();
                changes.push(Change::Write(path, offset, half));
            }
        }
        Self {
            changes,
            reported,
            is_killed,
        }
    }

    /// What had been reported when so many changes were made.
    fn reported_by(&self, changes: usize) -> Reported {
        let after = self.reported.partition_point(|(at, _)| *at <= changes);
        self.reported[after - 1].1
    }
}

/// Returns how each process ended.
fn lives(seed: u64) -> Vec<End> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let options = LogOptions {
        segment_bytes_max: 300 + random.below(1_000),
        spare_bytes_max: [0, 200, 5_000][random.below(3) as usize],
        ..LogOptions::default()
    };
    let mut dir = scratch();
    let mut model = Model::default();
    let mut known = Reported::default();
    let mut ends = Vec::new();
    for _ in 0..2 + random.below(6) {
        let options = LogOptions {
            new_timeline: random.below(6) == 0,
            ..options
        };
        let life = Life::run(&mut random, dir.path(), options, known);
        if random.below(2) == 0 {
            // The process and the system are there no more. The disk has what was synced, and anything of the rest.
            let at = random.below(life.changes.len() as u64 + 1) as usize;
            life.changes[..at].iter().for_each(|c| model.change(c));
            let durable = life.reported_by(at).durable.max(known.durable);
            let after = scratch();
            model.cut(&mut random, dir.path(), after.path());
            dir = after;
            model = Model::of(dir.path());
            known = Reported {
                durable,
                written: durable,
            };
            ends.push(End::PowerCut);
        } else {
            life.changes.iter().for_each(|c| model.change(c));
            known = life.reported_by(usize::MAX);
            ends.push(if life.is_killed {
                End::Killed
            } else {
                End::Closed
            });
        }
        match ReadOnlyLog::open(dir.path()) {
            Ok(log) => {
                let found = check(log.read(Seq::ZERO).unwrap(), 0);
                assert!(found >= known.written, "{found} of {}", known.written);
            }
            Err(error) => assert!(error.is_not_found() && known.written == 0, "{error}"),
        }
    }
    let found = reopen(dir.path(), options).unwrap_or_else(|error| panic!("{error}"));
    assert!(found >= known.written, "{found} of {}", known.written);
    ends
}

/// The first seed that found it was 284: a writer was killed between the rename of a segment and the sync of the directory.
#[test]
fn the_name_of_a_segment_is_durable_before_a_frame_in_it() {
    for kill_at in 0.. {
        let dir = scratch();
        let mut model = Model::default();
        let killed = Faults::dead_from(kill_at);
        if let Ok(mut log) = open_on(&killed, dir.path(), small()) {
            let _ = (0..8).try_for_each(|seq| commit(&mut log, seq, true));
        }
        let mut changes = killed.changes();
        changes.truncate(kill_at);
        let next = std::sync::Arc::new(Faults::default());
        let mut log = open_on(&next, dir.path(), small()).unwrap();
        let seq = log.head().map_or(Seq::ZERO, |head| head.seq + 1);
        append(&mut log, seq);
        changes.extend(next.changes());
        changes.iter().for_each(|change| model.change(change));
        assert!(model.has_durable_segments(), "killed at change {kill_at}");
        if !killed.failed() {
            assert!(kill_at > 30);
            break;
        }
    }
}

#[test]
fn after_any_crashes_everything_that_was_reported_is_there() {
    let number = |name| std::env::var(name).ok().map(|n| n.parse::<u64>().unwrap());
    let seeds = match number("IRONWEAVE_CRASH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("IRONWEAVE_CRASH_SEEDS").unwrap_or(SEEDS),
    };
    let many = seeds.end - seeds.start >= SEEDS;
    let mut ends = Vec::new();
    for seed in seeds {
        let lived = std::panic::catch_unwind(|| lives(seed));
        ends.extend(lived.unwrap_or_else(|panic| {
            eprintln!("repeat with IRONWEAVE_CRASH_SEED={seed}");
            std::panic::resume_unwind(panic);
        }));
    }
    for end in [End::Closed, End::Killed, End::PowerCut] {
        let times = ends.iter().filter(|e| **e == end).count();
        assert!(times > 20 || !many, "{end:?} {times} times");
    }
}
