//! Power cuts. A change that was not synced may be present, absent or partly present after a power cut, in any combination.
//!
//!
//! A run is recorded change by change. For each point of the run, the tests generate directories that may be on the disk
//! after a power cut at that point. Each file has its synced content and any pieces of its later writes (16 bytes represent
//! a sector). The directory has its synced names and any prefix of its later changes. A log must open in each such
//! directory and contain every durable frame.

use std::collections::BTreeMap;

use super::faults::{Change, Faults};
use super::share::things::{self, Added};
use super::*;
use crate::store::{Durability, Store};

#[derive(Default)]
pub(super) struct Model {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// `None` removes.
    pending_names: Vec<Vec<(PathBuf, Option<usize>)>>,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

#[derive(Clone)]
enum Pending {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

fn apply(bytes: &mut Vec<u8>, change: &Pending) {
    match change {
        Pending::Write(offset, piece) => {
            let end = *offset as usize + piece.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[*offset as usize..end].copy_from_slice(piece);
        }
        Pending::SetLen(len) => bytes.resize(*len as usize, 0),
    }
}

pub(super) struct Random(pub u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

impl Model {
    /// Returns the model of a disk on which everything in a directory is durable.
    pub(super) fn of(dir: &Path) -> Self {
        let mut model = Self::default();
        for path in files(dir) {
            model.names.insert(path.clone(), model.files.len());
            model.files.push(File {
                durable: fs::read(path).unwrap(),
                pending: Vec::new(),
            });
        }
        model.durable_names.clone_from(&model.names);
        model
    }

    fn rename(&mut self, changes: Vec<(PathBuf, Option<usize>)>) {
        set_names(&mut self.names, &changes);
        self.pending_names.push(changes);
    }

    /// Returns whether the names of all segments are durable.
    pub(super) fn has_durable_segments(&self) -> bool {
        let mut segments =
            (self.names.iter()).filter(|(path, _)| path.extension().is_some_and(|e| e == "log"));
        segments.all(|(path, file)| self.durable_names.get(path) == Some(file))
    }

    pub(super) fn change(&mut self, change: &Change) {
        match change {
            Change::Create(path) => match self.names.get(path) {
                Some(&file) => self.files[file].pending.push(Pending::SetLen(0)),
                None => {
                    self.files.push(File::default());
                    self.rename(vec![(path.clone(), Some(self.files.len() - 1))]);
                }
            },
            Change::Write(path, offset, bytes) => {
                let pieces = bytes.chunks(16).enumerate();
                let pieces =
                    pieces.map(|(i, piece)| Pending::Write(offset + 16 * i as u64, piece.into()));
                self.files[self.names[path]].pending.extend(pieces);
            }
            Change::SetLen(path, len) => self.files[self.names[path]]
                .pending
                .push(Pending::SetLen(*len)),
            Change::Sync(path) => {
                let file = &mut self.files[self.names[path]];
                for change in file.pending.drain(..) {
                    apply(&mut file.durable, &change);
                }
            }
            Change::Rename(from, to) => self.rename(vec![
                (from.clone(), None),
                (to.clone(), Some(self.names[from])),
            ]),
            Change::Remove(path) => self.rename(vec![(path.clone(), None)]),
            Change::SyncDir(dir) => {
                let (synced, pending): (Vec<_>, Vec<_>) = self
                    .pending_names
                    .drain(..)
                    .partition(|c| c[0].0.parent() == Some(dir));
                self.pending_names = pending;
                for changes in synced {
                    set_names(&mut self.durable_names, &changes);
                }
            }
            // The directory is there in every cut.
            Change::CreateDir => {}
        }
    }

    /// Generates in `dir` a possible state of `root` after a power cut.
    pub(super) fn cut(&self, random: &mut Random, root: &Path, dir: &Path) {
        let mut names = self.durable_names.clone();
        let kept = random.below(self.pending_names.len() as u64 + 1) as usize;
        for changes in &self.pending_names[..kept] {
            set_names(&mut names, changes);
        }
        // Some cuts lose nearly all unsynced changes, and some lose nearly none.
        let chance = [1, 8, 15][random.below(3) as usize];
        for (path, file) in names {
            let file = &self.files[file];
            let mut bytes = file.durable.clone();
            for change in &file.pending {
                if random.below(16) < chance {
                    apply(&mut bytes, change);
                }
            }
            let to = dir.join(path.strip_prefix(root).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
    }
}

fn set_names(names: &mut BTreeMap<PathBuf, usize>, changes: &[(PathBuf, Option<usize>)]) {
    for (path, file) in changes {
        match file {
            Some(file) => names.insert(path.clone(), *file),
            None => names.remove(path),
        };
    }
}

/// Runs a log that is closed, opened and killed at times. Returns its directory, the changes, and pairs of the number of
/// changes and the number of frames that were durable after them.
fn record(
    options: LogOptions,
    synced: bool,
    half: bool,
) -> (PathBuf, Vec<Change>, Vec<(usize, u64)>) {
    let dir = scratch();
    let mut changes = Vec::new();
    let mut durable = vec![(0, 0)];
    for round in 1..=3 {
        let faults = std::sync::Arc::new(Faults::default());
        let before = changes.len();
        let mut log = open_on(&faults, dir.path(), options).unwrap();
        let mut note = |log: &FileLog, faults: &Faults| {
            durable.push((
                before + faults.changes().len(),
                log.durable().map_or(0, |seq| seq.get() + 1),
            ));
        };
        note(&log, &faults);
        for seq in log.head().map_or(0, |head| head.seq.get() + 1)..round * 6 {
            commit(&mut log, seq, synced).unwrap();
            note(&log, &faults);
        }
        if round == 2 {
            // Killed within a frame, so that there is a tail to cut; or before it closes, so that there may be
            // whole frames to sync.
            faults.die_after(0);
            if half {
                let seq = log.head().unwrap().seq + 1;
                let error = log.append(header(seq), &[9; 30]).unwrap_err();
                assert!(!matches!(error, AppendError::Conflict { .. }));
            } else {
                drop(log);
            }
            let mut done = faults.changes();
            if let Some(Change::Write(path, offset, bytes)) = done.pop() {
                let through = bytes[..bytes.len() / 2].to_vec();
                done.push(Change::Write(path, offset, through));
            }
            changes.append(&mut done);
        } else {
            drop(log);
            changes.append(&mut faults.changes());
        }
    }
    (dir.path().to_owned(), changes, durable)
}

#[test]
fn after_a_power_cut_everything_durable_is_there() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut torn = 0;
    for (synced, half, new_timeline) in [
        (true, true, false),
        (true, false, false),
        (false, true, false),
        (false, false, false),
        (true, true, true),
        (false, false, true),
    ] {
        let options = LogOptions {
            new_timeline,
            ..small()
        };
        let (root, changes, durable) = record(options, synced, half);
        let mut model = Model::default();
        for at in 0..=changes.len() {
            let (_, must) = durable[durable.partition_point(|&(after, _)| after <= at) - 1];
            for _ in 0..8 {
                let dir = scratch();
                model.cut(&mut random, &root, dir.path());
                if let Err(error) = ReadOnlyLog::open(dir.path()) {
                    assert!(
                        error.is_not_found() && must == 0,
                        "synced {synced}, cut {at}: {error}"
                    );
                }
                let found = match reopen(dir.path(), options) {
                    Ok(found) => found,
                    Err(error) => panic!("synced {synced}, cut {at}: {error}"),
                };
                assert!(
                    found >= must,
                    "synced {synced}, cut {at}: {found} frames, {must} were durable"
                );
                torn += usize::from(
                    files(dir.path())
                        .iter()
                        .any(|f| f.extension().is_some_and(|e| e == "torn")),
                );
            }
            if let Some(change) = changes.get(at) {
                model.change(change);
            }
        }
    }
    assert!(torn > 100, "{torn} torn tails");
}

/// Runs a store with one subscription that acknowledges at times. Returns the changes, and which frame was acknowledged
/// after how many of them.
fn record_acknowledged(
    dir: &Path,
    options: LogOptions,
    durability: Durability,
) -> (Vec<Change>, Vec<(usize, Seq)>) {
    let faults = std::sync::Arc::new(Faults::default());
    let log = open_on(&faults, dir, options).unwrap();
    let mut store = Store::<things::Model>::options()
        .durability(durability)
        .over_log(Box::new(log))
        .unwrap();
    let mut mailer = store.subscribe_as("mailer").unwrap();
    let mut acknowledged = Vec::new();
    for name in 0..12 {
        store.step(Added { name });
        let delivered = mailer.try_next().unwrap();
        let delivered = delivered.and_then(|record| record.position());
        if let Some(delivered) = delivered.filter(|delivered| delivered.seq().get() % 3 == 0) {
            // The subscription acknowledges on another thread, as a consumer does.
            let mailer = &mut mailer;
            std::thread::scope(|s| s.spawn(move || mailer.acknowledge(delivered)).join())
                .unwrap()
                .unwrap();
            acknowledged.push((faults.changes().len(), delivered.seq()));
        }
    }
    // The changes that are made on closing are not part of the run.
    let changes = faults.changes();
    drop(store);
    (changes, acknowledged)
}

#[test]
fn after_a_power_cut_no_subscription_is_ahead_of_the_log_and_none_passes_over_anything() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut lost = 0;
    for durability in [
        Durability::Always,
        Durability::Os,
        // The background thread is idle for the duration of the test.
        Durability::Every(std::time::Duration::from_secs(3_600)),
    ] {
        let options = LogOptions {
            segment_bytes_max: 2_000,
            ..small()
        };
        let source = scratch();
        let (changes, acknowledged) = record_acknowledged(source.path(), options, durability);
        assert_eq!(acknowledged.len(), 4);
        let mut model = Model::default();
        for at in 0..=changes.len() {
            let before = acknowledged.partition_point(|(after, _)| *after <= at);
            let must = before.checked_sub(1).map_or(0, |i| acknowledged[i].1.get());
            for _ in 0..6 {
                let dir = scratch();
                model.cut(&mut random, source.path(), dir.path());
                let log = FileLog::open(dir.path(), options).unwrap();
                let mut store = Store::<things::Model>::options()
                    .durability(durability)
                    .over_log(Box::new(log))
                    .unwrap();
                let last = store.seq().unwrap();
                let mut mailer = match store.subscribe_as("mailer") {
                    Ok(mailer) => mailer,
                    Err(e) => panic!("{durability:?}, cut {at}: {e}"),
                };
                let next = mailer.next_seq();
                assert!(
                    (must..=last.get()).contains(&next.get().saturating_sub(1)),
                    "{durability:?}, cut {at}: {next} comes next, {must} was acknowledged, {last} is the last"
                );
                lost += usize::from(last < Seq::new(12));
                // The subscription returns each transaction that is written now.
                let seq = store.step(Added { name: 99 }).seq;
                let all = std::iter::from_fn(|| mailer.try_next().unwrap());
                assert_eq!(all.last().map(|report| report.seq()), Some(seq));
            }
            if let Some(change) = changes.get(at) {
                model.change(change);
            }
        }
    }
    assert!(lost > 100, "{lost} cuts lost frames");
}

/// Runs a store whose projected tables are updated at times. Returns the changes, and which frame the tables had reached
/// after how many of them.
#[cfg(feature = "sqlite")]
fn record_projected(
    dir: &Path,
    options: LogOptions,
    durability: Durability,
) -> (Vec<Change>, Vec<(usize, Seq)>) {
    let faults = std::sync::Arc::new(Faults::default());
    let log = open_on(&faults, dir, options).unwrap();
    let mut store = Store::<things::Model>::options()
        .durability(durability)
        .over_log(Box::new(log))
        .unwrap();
    let database = scratch();
    let path = database.path().join("things.sqlite");
    let mut tables = store.project_into_sqlite(path).unwrap();
    let mut committed = Vec::new();
    for name in 0..12 {
        let seq = store.step(Added { name }).seq;
        if name % 3 == 0 {
            tables.catch_up().unwrap();
            committed.push((faults.changes().len(), seq));
        }
    }
    // The changes that are made on closing are not part of the run.
    let changes = faults.changes();
    drop(store);
    (changes, committed)
}

#[cfg(feature = "sqlite")]
#[test]
fn after_a_power_cut_no_tables_are_ahead_of_the_log() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut lost = 0;
    for durability in [
        Durability::Os,
        Durability::Every(std::time::Duration::from_secs(3_600)),
    ] {
        let options = LogOptions {
            segment_bytes_max: 2_000,
            ..small()
        };
        let source = scratch();
        let (changes, committed) = record_projected(source.path(), options, durability);
        assert_eq!(committed.len(), 4);
        let mut model = Model::default();
        for at in 0..=changes.len() {
            let before = committed.partition_point(|(after, _)| *after <= at);
            let must = before.checked_sub(1).map(|i| committed[i].1);
            for _ in 0..6 {
                let dir = scratch();
                model.cut(&mut random, source.path(), dir.path());
                let log = FileLog::open(dir.path(), options).unwrap();
                let last = log.head().map(|head| head.seq);
                assert!(
                    last >= must,
                    "{durability:?}, cut {at}: the tables were at {must:?}, {last:?} is the last frame"
                );
                lost += usize::from(last < Some(Seq::new(12)));
            }
            if let Some(change) = changes.get(at) {
                model.change(change);
            }
        }
    }
    assert!(lost > 100, "{lost} cuts lost frames");
}
