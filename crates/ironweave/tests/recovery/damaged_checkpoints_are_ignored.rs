//! A checkpoint in which a byte is wrong, that is cut at any byte, or that is of another log is never believed: the store opens
//! by replaying its log, and says what it ignored and why.

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::prelude::*;
use ironweave::{Meta, Seq};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::harness::{copy_dir, scratch_dir, unsynced};
use crate::readme::build::{
    self, JobQueued, JobStarted, JobSucceeded, Partition, Want, WantCreated, state,
};

type BuildStore = Store<build::Model>;

fn open(dir: &Path) -> BuildStore {
    unsynced().open(dir).expect("the store opens")
}

/// Queues and runs a job for each label.
fn run_jobs(store: &mut BuildStore, labels: &[&str]) {
    let want = store
        .try_step_with(
            Meta::new().with_idempotency_key(labels.join(" ")),
            WantCreated {
                partitions: labels.iter().map(|label| (*label).into()).collect(),
            },
        )
        .expect("it fires")
        .created
        .want;
    let partitions: Vec<Partition> = want.partitions(store).collect();
    for (label, partition) in labels.iter().zip(partitions) {
        let queued = JobQueued {
            label: (*label).into(),
            partitions: vec![partition],
            wants: vec![want],
        };
        let run = store.step(queued).created.run;
        let run = run.in_state::<state::Queued>(store).expect("just queued");
        let run = store.step(JobStarted { run }).bound.run;
        store.step(JobSucceeded {
            run,
            at: Timestamp::from_secs(1),
        });
    }
}

/// A store with a checkpoint, the frame that this follows, and the fingerprint of the store.
fn with_checkpoint(dir: &Path) -> (PathBuf, Seq, u128) {
    let mut store = open(dir);
    run_jobs(&mut store, &["a", "b"]);
    let written = store.checkpoint().expect("it can be written");
    assert_eq!(
        fs::metadata(written.path()).expect("a file").len(),
        written.bytes()
    );
    run_jobs(&mut store, &["c"]);
    (written.path().into(), written.seq(), store.fingerprint())
}

/// Opens a store whose only checkpoint cannot be used, and returns the reason.
fn reason(dir: &Path, fingerprint: u128) -> String {
    let store = open(dir);
    assert_eq!(store.fingerprint(), fingerprint);
    let opened = store.opened_from();
    assert_eq!(opened.checkpoint(), None, "{opened}");
    assert_eq!(opened.ignored().len(), 1, "{opened}");
    assert!(opened.ignored()[0].path().is_file());
    opened.ignored()[0].reason().to_owned()
}

#[test]
fn a_checkpoint_with_a_wrong_byte_is_ignored() {
    let dir = scratch_dir();
    let (path, _, fingerprint) = with_checkpoint(dir.path());
    let whole = fs::read(&path).expect("a file");
    let mut bytes = whole.clone();
    for i in 0..bytes.len() {
        for bit in [1, 0x80] {
            bytes[i] ^= bit;
            fs::write(&path, &bytes).expect("it can be written");
            let reason = reason(dir.path(), fingerprint);
            assert!(
                reason.contains("magic") || reason.contains("checksum"),
                "{i}: {reason}"
            );
            bytes[i] ^= bit;
        }
    }
    fs::write(&path, &whole).expect("it can be written");
    assert!(open(dir.path()).opened_from().checkpoint().is_some());
}

#[test]
fn a_checkpoint_that_is_cut_or_longer_is_ignored() {
    let dir = scratch_dir();
    let (path, _, fingerprint) = with_checkpoint(dir.path());
    let whole = fs::read(&path).expect("a file");
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).expect("it can be written");
        let reason = reason(dir.path(), fingerprint);
        assert!(
            reason.contains("bytes") || reason.contains("header"),
            "{len}: {reason}"
        );
    }
    for more in [1, 8, 4_096] {
        let longer = [&whole[..], &vec![0; more]].concat();
        fs::write(&path, &longer).expect("it can be written");
        assert!(reason(dir.path(), fingerprint).contains("bytes"));
    }
}

#[test]
fn a_missing_checkpoint_and_other_files_change_nothing() {
    let dir = scratch_dir();
    let (path, _, fingerprint) = with_checkpoint(dir.path());
    fs::remove_file(&path).expect("it can be removed");
    for name in [
        "x.checkpoint",
        "1.checkpoint",
        "0000000000000000000x.checkpoint",
    ] {
        fs::write(dir.path().join(name), "x").expect("it can be written");
    }
    fs::write(path.with_added_extension("tmp"), "x").expect("it can be written");
    let store = open(dir.path());
    assert_eq!(store.opened_from().to_string(), "from the first frame");
    assert_eq!(store.fingerprint(), fingerprint);
    assert!(
        !path.with_added_extension("tmp").exists(),
        "a writer removes it"
    );
}

#[test]
fn a_checkpoint_of_another_store_is_ignored() {
    let [dir, other] = [scratch_dir(), scratch_dir()];
    let (path, _, fingerprint) = with_checkpoint(dir.path());
    let (of_other, ..) = with_checkpoint(other.path());
    fs::copy(of_other, &path).expect("it can be copied");
    assert_eq!(reason(dir.path(), fingerprint), "it is of another store");
}

#[test]
fn a_checkpoint_of_another_frame_is_ignored() {
    let dir = scratch_dir();
    let (path, seq, fingerprint) = with_checkpoint(dir.path());
    let name = format!("{:020}.checkpoint", (seq - 1).get());
    fs::rename(&path, dir.path().join(name)).expect("it can be renamed");
    let expected = format!("its header names frame {seq}");
    assert_eq!(reason(dir.path(), fingerprint), expected);
}

#[test]
fn a_checkpoint_of_another_history_is_ignored() {
    // Two histories of one store that part at a copy.
    let [dir, copy] = [scratch_dir(), scratch_dir()];
    drop(open(dir.path()));
    copy_dir(dir.path(), copy.path());
    let (path, seq, _) = with_checkpoint(dir.path());
    let mut store = open(copy.path());
    run_jobs(&mut store, &["d", "e"]);
    run_jobs(&mut store, &["f"]);
    let fingerprint = store.fingerprint();
    assert!(store.seq() > Some(seq));
    drop(store);
    fs::copy(&path, copy.path().join(path.file_name().expect("a name"))).expect("it can be copied");
    let reason = reason(copy.path(), fingerprint);
    assert!(reason.starts_with("it is of another history"), "{reason}");
}

#[test]
fn checkpoints_behind_the_end_of_the_log_are_removed_by_the_next_one_and_take_no_place() {
    let [dir, copy] = [scratch_dir(), scratch_dir()];
    let mut store = open(dir.path());
    run_jobs(&mut store, &["a"]);
    drop(store);
    copy_dir(dir.path(), copy.path());
    let mut store = open(dir.path());
    let later: Vec<PathBuf> = ["b", "c", "d"]
        .into_iter()
        .map(|label| {
            run_jobs(&mut store, &[label]);
            let written = store.checkpoint().expect("it can be written");
            let name = written.path().file_name().expect("a name");
            let copied = copy.path().join(name);
            fs::copy(written.path(), &copied).expect("it can be copied");
            copied
        })
        .collect();
    let mut store = open(copy.path());
    let written = store.checkpoint().expect("it can be written");
    assert!(written.path().exists());
    assert!(later.iter().all(|path| !path.exists()));
    drop(store);
    let store = open(copy.path());
    assert_eq!(store.opened_from().checkpoint(), Some(written.seq()));
}

#[test]
fn a_checkpoint_behind_the_end_of_the_log_is_ignored_and_then_of_another_history() {
    let [dir, copy] = [scratch_dir(), scratch_dir()];
    let mut store = open(dir.path());
    run_jobs(&mut store, &["a"]);
    drop(store);
    copy_dir(dir.path(), copy.path());
    let mut store = open(dir.path());
    run_jobs(&mut store, &["b"]);
    let written = store.checkpoint().expect("it can be written");
    let name = written.path().file_name().expect("a name");
    fs::copy(written.path(), copy.path().join(name)).expect("it can be copied");
    let fingerprint = open(copy.path()).fingerprint();
    let expected = format!("the log ends before frame {}", written.seq());
    assert_eq!(reason(copy.path(), fingerprint), expected);
    // A new timeline reaches the frame with another one, even if the same events are fired.
    let mut store: BuildStore = (unsynced().new_timeline().open(copy.path())).expect("it opens");
    run_jobs(&mut store, &["b"]);
    let fingerprint = store.fingerprint();
    drop(store);
    let reason = reason(copy.path(), fingerprint);
    assert!(reason.starts_with("it is of another history"), "{reason}");
}

#[test]
fn an_older_checkpoint_takes_the_place_of_a_damaged_one() {
    let dir = scratch_dir();
    let mut store = open(dir.path());
    run_jobs(&mut store, &["a"]);
    let older = store.checkpoint().expect("it can be written");
    run_jobs(&mut store, &["b"]);
    let newer = store.checkpoint().expect("it can be written");
    let fingerprint = store.fingerprint();
    drop(store);
    fs::write(newer.path(), "damaged").expect("it can be written");
    let store = open(dir.path());
    assert_eq!(store.fingerprint(), fingerprint);
    let opened = store.opened_from();
    assert_eq!(opened.checkpoint(), Some(older.seq()));
    assert_eq!(opened.ignored()[0].path(), newer.path());
    let text = opened.to_string();
    let expected = format!("from the checkpoint after frame {}; ", older.seq());
    assert!(text.starts_with(&expected), "{text}");
    assert!(
        text.ends_with("was ignored: it is shorter than a header"),
        "{text}"
    );
}

#[test]
fn a_store_in_memory_or_open_for_reading_writes_no_checkpoint() {
    let e = BuildStore::memory().checkpoint().expect_err("no directory");
    assert!(e.to_string().contains("in memory"), "{e}");
    let dir = scratch_dir();
    with_checkpoint(dir.path());
    let mut store = BuildStore::open_read_only(dir.path()).expect("it opens");
    assert!(store.opened_from().checkpoint().is_some());
    let e = store.checkpoint().expect_err("it is read only");
    assert!(e.to_string().contains("reading only"), "{e}");
}

#[test]
fn a_leaked_transaction_is_not_in_a_checkpoint() {
    let dir = scratch_dir();
    let mut store = open(dir.path());
    run_jobs(&mut store, &["a"]);
    let mut leaked = store.begin();
    let partitions = vec!["z".into()];
    leaked.apply(WantCreated { partitions }).expect("it fires");
    std::mem::forget(leaked);
    store.checkpoint().expect("it can be written");
    let fingerprint = store.fingerprint();
    drop(store);
    let store = open(dir.path());
    assert!(store.opened_from().checkpoint().is_some());
    assert_eq!(store.fingerprint(), fingerprint);
    assert_eq!(store.check(), []);
}

/// The same checkpoint with right checksums, whatever its content.
fn with_right_checksums(bytes: &mut [u8]) {
    let (header, chunk) = bytes.split_at_mut(88);
    let sum = xxh3_64(&header[..80]);
    header[80..].copy_from_slice(&sum.to_le_bytes());
    assert!(chunk.len() < 1 << 20, "it has one chunk");
    let (content, sum) = chunk.split_at_mut(chunk.len() - 8);
    let right = xxh3_64_with_seed(content, xxh3_64(&header[..72]));
    sum.copy_from_slice(&right.to_le_bytes());
}

#[test]
fn a_checkpoint_with_right_checksums_and_a_wrong_byte_does_no_harm() {
    let dir = scratch_dir();
    let (path, _, fingerprint) = with_checkpoint(dir.path());
    let whole = fs::read(&path).expect("a file");
    let (mut by_fingerprint, mut believed) = (0, 0);
    for i in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut bytes = whole.clone();
            bytes[i] ^= bit;
            with_right_checksums(&mut bytes);
            fs::write(&path, &bytes).expect("it can be written");
            let store = open(dir.path());
            assert_eq!(store.fingerprint(), fingerprint, "{i}");
            assert_eq!(store.check(), [], "{i}");
            match store.opened_from().ignored() {
                [ignored] => {
                    by_fingerprint +=
                        usize::from(ignored.reason().contains("fingerprint of its graph"));
                }
                _ => believed += usize::from(bytes != whole),
            }
        }
    }
    // Values, states and generations are known by the fingerprint. Of the hash of a key nothing but the checksums is known.
    assert!(by_fingerprint > 50, "{by_fingerprint}");
    assert!(believed <= 2 * 16 * 2, "{believed}");
}

/// A store whose checkpoint is large enough for two threads to read its links.
fn with_large_checkpoint(dir: &Path) -> PathBuf {
    let mut store = open(dir);
    let labels: Vec<String> = (0..6_000).map(|i| format!("p{i}")).collect();
    for some in labels.chunks(100) {
        let some: Vec<&str> = some.iter().map(|label| &**label).collect();
        run_jobs(&mut store, &some);
    }
    let written = store.checkpoint().expect("it can be written");
    assert!(written.bytes() > 256 << 10, "{}", written.bytes());
    written.path().into()
}

/// The links of all partitions and wants, in the order of their lists.
fn lists(store: &BuildStore) -> Vec<String> {
    let partitions = store.place::<Partition, Any>().map(|partition| {
        let wants: Vec<_> = partition.wanted_by(store).map(|want| want.id()).collect();
        let run = partition.built_by(store).map(|run| run.id());
        format!("{} {wants:?} {run:?}", partition.id())
    });
    let wants = store.place::<Want, Any>().map(|want| {
        let partitions: Vec<_> = want.partitions(store).map(|p| p.id()).collect();
        format!("{} {partitions:?}", want.id())
    });
    partitions.chain(wants).collect()
}

#[test]
fn the_links_of_a_large_checkpoint_are_as_after_a_replay() {
    let dir = scratch_dir();
    let path = with_large_checkpoint(dir.path());
    let store = open(dir.path());
    assert!(store.opened_from().checkpoint().is_some());
    assert_eq!(store.check(), []);
    let (of_checkpoint, fingerprint) = (lists(&store), store.fingerprint());
    drop(store);
    fs::remove_file(path).expect("it can be removed");
    let store = open(dir.path());
    assert_eq!(store.opened_from().checkpoint(), None);
    assert_eq!(store.fingerprint(), fingerprint);
    assert_eq!(lists(&store), of_checkpoint);
}

#[test]
fn a_large_checkpoint_with_a_wrong_link_is_ignored_and_the_edge_is_named() {
    let dir = scratch_dir();
    let path = with_large_checkpoint(dir.path());
    let whole = fs::read(&path).expect("a file");
    let fingerprint = open(dir.path()).fingerprint();
    // The last third has the links.
    let mut reasons = Vec::new();
    for i in (whole.len() * 2 / 3..whole.len() - 8).step_by(12_301) {
        let mut bytes = whole.clone();
        bytes[i] ^= 0x80;
        with_right_checksums(&mut bytes);
        fs::write(&path, &bytes).expect("it can be written");
        let store = open(dir.path());
        assert_eq!(store.fingerprint(), fingerprint, "{i}");
        let ignored = store.opened_from().ignored().iter();
        reasons.extend(ignored.map(|ignored| ignored.reason().to_owned()));
    }
    let named = |edge: &str| {
        reasons
            .iter()
            .any(|why| why.starts_with(&format!("{edge}: ")))
    };
    assert!(
        named("JobRun.services") && named("Want.partitions"),
        "{reasons:?}"
    );
}

#[test]
fn segments_of_the_same_names_and_lengths_are_not_taken_for_those_of_a_checkpoint_of_another_history()
 {
    let options = || unsynced::<build::Model>().segment_bytes_max(700);
    let [dir, copy] = [scratch_dir(), scratch_dir()];
    drop(options().open(dir.path()).expect("it opens"));
    copy_dir(dir.path(), copy.path());
    let mut written = None;
    for (dir, labels) in [(&dir, ["a", "b", "c"]), (&copy, ["d", "e", "f"])] {
        let options = match labels[0] {
            "a" => options(),
            _ => options().new_timeline(),
        };
        // The same times, so that frames have the same lengths.
        let clock = ironweave::ManualClock::starting_at(Timestamp::from_secs(1_000_000_000));
        let mut store = options.clock(clock).open(dir.path()).expect("it opens");
        for label in labels {
            run_jobs(&mut store, &[label]);
        }
        if labels[0] == "a" {
            written = Some(store.checkpoint().expect("it can be written"));
        }
        run_jobs(&mut store, &["x"]);
    }
    let segments = |dir: &Path| -> Vec<(PathBuf, u64)> {
        let entries = fs::read_dir(dir).expect("a directory");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let logs = paths.filter(|path| path.extension().is_some_and(|end| end == "log"));
        let length = |path: PathBuf| {
            let bytes = fs::metadata(&path).expect("a file").len();
            (PathBuf::from(path.file_name().expect("a name")), bytes)
        };
        let mut all: Vec<_> = logs.map(length).collect();
        all.sort();
        all
    };
    let all = segments(dir.path());
    assert!(all.len() > 5 && all == segments(copy.path()), "{all:?}");
    let positions = || {
        let store = options().open(copy.path()).expect("it opens");
        let seqs = (0..=store.seq().expect("frames").get()).map(|seq| store.locate(seq));
        let positions: Vec<_> = seqs.map(|found| found.expect("it is there")).collect();
        let histories = store.place::<Partition, Any>().map(|partition| {
            let history = store.history(partition).expect("a log");
            history.iter().map(ToString::to_string).collect::<Vec<_>>()
        });
        let histories: Vec<_> = histories.collect();
        (positions, histories, store.opened_from().ignored().len())
    };
    let before = positions();
    let foreign = written.expect("a checkpoint");
    let name = foreign.path().file_name().expect("a name");
    fs::copy(foreign.path(), copy.path().join(name)).expect("it can be copied");
    let after = positions();
    assert_eq!((before.2, after.2), (0, 1));
    assert_eq!((after.0, after.1), (before.0, before.1));
}
