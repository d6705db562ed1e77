//! The whole message for each kind of damage: what is wrong, in which file, at which offset and frame, and what to do. The table
//! is `messages.txt`.

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::prelude::*;
use ironweave::{Fold, Model, Options};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::describe::copy;
use crate::models::first::bank;
use crate::scratch_dir;
use crate::what_is_written_today_agrees::team;

/// Counts tasks.
#[derive(Default, Serialize, Deserialize)]
struct Tasks(u64);

impl Fold<team::Model> for Tasks {
    type Error = ironweave::StorageError;
    const VERSION: u32 = 1;

    fn fold(&mut self, _: &ironweave::Record<team::Model>) -> Result<(), Self::Error> {
        self.0 += 1;
        Ok(())
    }
}

/// A log of three segments with a frame each in the first two, which is closed.
pub fn log(dir: &Path) {
    use team::*;
    let options = Options::<Model>::default().segment_bytes_max(4_000);
    let mut store = options.open(dir).expect("the store opens");
    let worker = store.step(Hired {}).created.worker;
    let mut number = 0;
    while segments(dir).len() < 3 {
        number += 1;
        store.step(Added {
            worker,
            name: "task".repeat(50),
            number,
            value: -1,
            weight: 0.5,
            done: true,
            first: None,
        });
    }
    let mut subscription = store.subscribe_as("mail").expect("a subscription");
    let seq = subscription.try_next().expect("it is read");
    let seq = seq.expect("there is one").seq();
    subscription.acknowledge(seq).expect("it is written");
    let mut tasks = store
        .project_into::<Tasks>(dir.join("tasks"))
        .expect("a fold");
    tasks.catch_up(|_| ()).expect("it is folded");
    tasks.save().expect("it is written");
}

/// The segments in a directory, in order.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).expect("a directory");
    let files = files.map(|file| file.expect("a file").path());
    let mut segments: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    segments.sort();
    segments
}

/// A log that is damaged by a case.
pub struct Log {
    pub dir: PathBuf,
    /// The segments, in order.
    pub segments: Vec<PathBuf>,
}

impl Log {
    fn head(&self) -> PathBuf {
        self.dir.join("HEAD")
    }

    fn cursor(&self) -> PathBuf {
        self.dir.join("cursors/mail")
    }

    fn last(&self) -> &Path {
        self.segments.last().expect("a segment")
    }
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).expect("the file");
    change(&mut bytes);
    fs::write(path, bytes).expect("the file");
}

fn flip(path: &Path, at: usize) {
    change(path, |bytes| bytes[at] ^= 1);
}

/// Changes a block, with a right checksum.
fn change_block(path: &Path, at: usize, to: &[u8]) {
    change(path, |bytes| {
        bytes[at..at + to.len()].copy_from_slice(to);
        let checksum = xxh3_64(&bytes[..56]);
        bytes[56..64].copy_from_slice(&checksum.to_le_bytes());
    });
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes")) as usize
}

/// The offsets of the frames of a segment, and that of their end.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut at = vec![64];
    while let Some(last) = at.last().filter(|at| bytes.get(**at) == Some(&0xfc)) {
        let next = last + (56 + number(bytes, last + 4)).next_multiple_of(8);
        at.push(next);
    }
    at
}

/// Changes the nth frame of a segment, with a right checksum.
pub fn change_frame(path: &Path, n: usize, at: usize, to: &[u8]) {
    change(path, |bytes| {
        let ends = frames(bytes);
        let store = u64::from_le_bytes(bytes[40..48].try_into().expect("8 bytes"));
        let frame = &mut bytes[ends[n]..ends[n + 1]];
        frame[at..at + to.len()].copy_from_slice(to);
        let seed = store ^ u64::from_le_bytes(frame[..8].try_into().expect("8 bytes"));
        let checksum = xxh3_64_with_seed(&frame[16..], seed);
        frame[8..16].copy_from_slice(&checksum.to_le_bytes());
    });
}

/// Moves HEAD away, as if the store had never been closed, and removes later segments.
fn unclosed(log: &Log) {
    fs::remove_file(log.head()).expect("HEAD");
    for segment in &log.segments[1..] {
        fs::remove_file(segment).expect("a segment");
    }
}

type Case = (&'static str, fn(&Log));

const OPENED: &[Case] = &[
    ("a byte of a frame in a sealed segment", |log| {
        flip(&log.segments[0], 150)
    }),
    ("a byte of a frame in the last segment", |log| {
        flip(log.last(), 130)
    }),
    ("a byte of the magic of a frame", |log| flip(log.last(), 64)),
    ("a frame of zeros in a sealed segment", |log| {
        change(&log.segments[1], |bytes| {
            let ends = frames(bytes);
            bytes[ends[1]..ends[2]].fill(0);
        });
    }),
    ("a byte of a durable frame, without HEAD", |log| {
        unclosed(log);
        flip(&log.segments[0], 150);
    }),
    ("bytes behind the frames of a sealed segment", |log| {
        change(&log.segments[0], |bytes| bytes.extend([0, 0, 0, 7]));
    }),
    ("the first segment is missing", |log| {
        fs::remove_file(&log.segments[0]).expect("a file");
    }),
    ("a segment in the middle is missing", |log| {
        fs::remove_file(&log.segments[1]).expect("a file");
    }),
    ("the last segment is missing", |log| {
        fs::remove_file(log.last()).expect("a file");
    }),
    ("all segments are missing", |log| {
        for segment in &log.segments {
            fs::remove_file(segment).expect("a file");
        }
    }),
    ("a sealed segment lost its last frame", |log| {
        change(&log.segments[1], |bytes| {
            let ends = frames(bytes);
            bytes.truncate(ends[ends.len() - 2]);
        });
    }),
    ("the last segment lost its last frame", |log| {
        change(log.last(), |bytes| {
            let ends = frames(bytes);
            bytes.truncate(ends[ends.len() - 2]);
        });
    }),
    ("the last segment lost half a frame", |log| {
        change(log.last(), |bytes| bytes.truncate(bytes.len() - 20));
    }),
    ("the last segment lost all frames", |log| {
        change(log.last(), |bytes| bytes.truncate(64));
    }),
    ("HEAD is short", |log| {
        change(&log.head(), |bytes| bytes.truncate(12))
    }),
    ("HEAD has another magic", |log| flip(&log.head(), 0)),
    ("a byte of HEAD", |log| flip(&log.head(), 20)),
    ("HEAD is of a newer version", |log| {
        change_block(&log.head(), 8, &[9])
    }),
    ("HEAD is of an older version", |log| {
        change_block(&log.head(), 8, &[1])
    }),
    ("HEAD has flags", |log| change_block(&log.head(), 10, &[1])),
    ("HEAD is of another store", |log| {
        change_block(&log.head(), 40, &[1; 8])
    }),
    ("HEAD has another fingerprint", |log| {
        change_block(&log.head(), 24, &[1; 16])
    }),
    ("a byte of the header of a sealed segment", |log| {
        flip(&log.segments[1], 20)
    }),
    ("a byte of the header of the last segment", |log| {
        flip(log.last(), 20)
    }),
    ("the header of the last segment, without frames", |log| {
        flip(log.last(), 20);
        change(log.last(), |bytes| bytes.truncate(64));
    }),
    ("a header of a newer version", |log| {
        change_block(&log.segments[1], 8, &[9])
    }),
    ("a header with flags", |log| {
        change_block(&log.segments[1], 10, &[1])
    }),
    ("a header of another segment", |log| {
        change_block(&log.segments[1], 16, &[77])
    }),
    ("a header of another store", |log| {
        change_block(&log.segments[1], 40, &[1; 8])
    }),
    ("a header of another history", |log| {
        change_block(&log.segments[1], 24, &[1; 16])
    }),
    ("a frame of a newer version", |log| {
        change_frame(log.last(), 0, 16, &[9])
    }),
    ("a frame of an older version", |log| {
        change_frame(log.last(), 0, 16, &[1])
    }),
    ("a frame of an unknown kind", |log| {
        change_frame(log.last(), 0, 17, &[9])
    }),
    ("a migration", |log| change_frame(log.last(), 0, 17, &[3])),
    ("a frame with flags", |log| {
        change_frame(log.last(), 0, 18, &[4])
    }),
    ("a frame of another epoch", |log| {
        change_frame(log.last(), 0, 20, &[4])
    }),
    ("a frame with another sequence", |log| {
        change_frame(log.last(), 0, 24, &[99])
    }),
    ("a frame that records itself as durable", |log| {
        change_frame(log.last(), 0, 32, &[99])
    }),
    ("a frame with another fingerprint", |log| {
        change_frame(log.last(), 0, 40, &[0; 16])
    }),
    ("a transaction with flags", |log| {
        change_frame(log.last(), 0, 56 + 8, &[1])
    }),
    ("a transaction of another length", |log| {
        change_frame(log.last(), 0, 56 + 28, &[1])
    }),
    ("an event that the schema does not have", |log| {
        change_frame(log.last(), 0, 56 + 32, &[99])
    }),
    ("a schema that is no schema", |log| {
        change_frame(&log.segments[0], 0, 56, &[0])
    }),
];

pub fn damaged(scratch: &Path, case: usize) -> Log {
    let dir = scratch.join(case.to_string());
    copy(&scratch.join("log"), &dir).expect("a copy");
    let segments = segments(&dir);
    assert_eq!(segments.len(), 3);
    Log { dir, segments }
}

fn opened<M: Model>(dir: &Path) -> Result<Store<M>, ironweave::OpenError> {
    Store::<M>::open_read_only(dir)
}

#[test]
fn each_damage_has_its_message() {
    let scratch = scratch_dir();
    log(&scratch.path().join("log"));
    let mut table = String::new();
    let mut add = |name: &str, dir: &Path, message: String| {
        let message = message.replace(&dir.display().to_string(), "DIR");
        table += &format!("# {name}\n{message}\n\n");
    };
    for (case, (name, damage)) in OPENED.iter().enumerate() {
        let log = damaged(scratch.path(), case);
        damage(&log);
        let Err(e) = opened::<team::Model>(&log.dir) else {
            panic!("{name}: it was opened");
        };
        assert!(e.segment().is_some() && e.offset().is_some(), "{name}: {e}");
        add(name, &log.dir, e.to_string());
    }
    let log = damaged(scratch.path(), 1_000);

    // What was never durable is torn, and a strict open refuses that.
    change(log.last(), |bytes| bytes.extend([0xfc; 12]));
    let e = Store::<team::Model>::options().open_strict(&log.dir);
    let e = e.expect_err("a torn tail");
    assert!(e.is_torn() && e.segment().is_some() && e.offset().is_some());
    add("a torn tail, in a strict open", &log.dir, e.to_string());
    change(log.last(), |bytes| bytes.truncate(bytes.len() - 12));

    let e = opened::<bank::Model>(&log.dir).expect_err("another model");
    assert!(e.segment().is_some() && e.offset() == Some(64));
    let first = e.to_string().lines().take(2).collect::<Vec<_>>().join("\n");
    add("a log of another model", &log.dir, first);

    // While the store is open, its log becomes another.
    let store = opened::<team::Model>(&log.dir).expect("it opens");
    let bytes = fs::read(&log.segments[1]).expect("the file");
    flip(&log.segments[1], 100);
    let e = store.frames(0).expect("it is there").find_map(Result::err);
    add(
        "a byte of a frame, after the open",
        &log.dir,
        e.expect("an error").to_string(),
    );
    fs::remove_file(&log.segments[1]).expect("the file");
    let e = store.frames(0).expect("it is there").find_map(Result::err);
    add(
        "a missing segment, after the open",
        &log.dir,
        e.expect("an error").to_string(),
    );
    fs::write(&log.segments[1], bytes).expect("the file");
    drop(store);

    // The files beside the log: they are not said to be damage of the log.
    let mut store = Store::<team::Model>::open(&log.dir).expect("it opens");
    let cursor = fs::read(log.cursor()).expect("the cursor");
    let cursors: [Case; 5] = [
        ("a short cursor", |log| {
            change(&log.cursor(), |bytes| bytes.truncate(9))
        }),
        ("a cursor with another magic", |log| flip(&log.cursor(), 0)),
        ("a byte of a cursor", |log| flip(&log.cursor(), 20)),
        ("a cursor of a newer version", |log| {
            change_block(&log.cursor(), 8, &[9])
        }),
        ("a cursor that is ahead of the log", |log| {
            change_block(&log.cursor(), 16, &[99])
        }),
    ];
    for (name, damage) in cursors {
        damage(&log);
        let e = store.subscribe_as("mail").expect_err("it is broken");
        assert!(!e.to_string().contains("log is damaged"), "{e}");
        assert!(e.storage().is_none_or(|e| !e.is_damage()), "{e}");
        // A position has the id of the store.
        let message = e.to_string();
        let message = match message.split_once("the position ") {
            Some((before, after)) => {
                let (_, after) = after.split_once(',').unwrap_or_default();
                format!("{before}the position POSITION,{after}")
            }
            None => message,
        };
        add(name, &log.dir, message);
        fs::write(log.cursor(), &cursor).expect("the cursor");
    }
    flip(&log.dir.join("tasks"), 20);
    let e = store.project_into::<Tasks>(log.dir.join("tasks"));
    add(
        "a byte of the table of a fold",
        &log.dir,
        e.expect_err("it is broken").to_string(),
    );
    store.step(team::Hired {});

    let e = Store::<team::Model>::open(&log.dir).expect_err("it is locked");
    let message = e
        .to_string()
        .replace(&std::process::id().to_string(), "PID");
    add("a store that is open elsewhere", &log.dir, message);
    let absent = log.dir.join("absent");
    let e = opened::<team::Model>(&absent).expect_err("it is absent");
    add("no directory", &log.dir, e.to_string());
    fs::create_dir(&absent).expect("a directory");
    let e = opened::<team::Model>(&absent).expect_err("it is empty");
    add("no store", &log.dir, e.to_string());

    // If a message changes on purpose, commit this file.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("messages.txt");
    fs::write(kept, &table).expect("a file");
    let expected = include_str!("messages.txt");
    for (said, expected) in table.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(said, expected);
    }
    assert_eq!(table.len(), expected.len());
}
