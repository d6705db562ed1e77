//! A log whose first segments are in an archive answers everything as before. One whose first frames were dropped says so where they
//! are needed, and answers the rest.

use std::fs;
use std::path::{Path, PathBuf};

use ironweave::dynamic::Dynamic;
use ironweave::raw_log::RawLog;
use ironweave::{Retention, RetentionPlan};

use ironweave::prelude::*;

use crate::lamps::lamps::{Hung, Lamp, Model, Switched};

const STEPS: u64 = 60;

struct Place {
    _root: tempfile::TempDir,
    dir: PathBuf,
    archive: PathBuf,
}

fn open(dir: &Path) -> Store<Model> {
    let options = Store::<Model>::options().segment_bytes_max(1_200);
    options.open(dir).unwrap()
}

/// A store with several segments and checkpoints in the middle and near the end. The lamp `old` was created before all of them.
fn filled() -> (Place, Store<Model>) {
    let root = tempfile::tempdir().unwrap();
    let place = Place {
        dir: root.path().join("store"),
        archive: root.path().join("archive"),
        _root: root,
    };
    let mut store = open(&place.dir);
    let hung = |room: String| Hung { room, watts: 1 };
    let old = store.step(hung("old".into())).created.lamp;
    for n in 2..=STEPS {
        match n % 5 {
            0 => drop(store.step(hung(format!("lamp {n}")))),
            _ => drop(store.step(Switched {
                lamp: old,
                watts: n as u32,
            })),
        }
        if [30, 40, 50].contains(&n) {
            store.checkpoint().unwrap();
        }
    }
    (place, store)
}

/// What a store answers about the past from a frame on.
fn answers(store: &Store<Model>, from: u64) -> Vec<String> {
    let old = store.find::<Lamp>("old").unwrap();
    let mut answers = Vec::new();
    for seq in from..=STEPS {
        let then = store.as_of(seq).unwrap();
        answers.push(format!("{seq}: {:032x}", then.fingerprint()));
    }
    let history = store.history(old).unwrap();
    let history = history
        .iter()
        .filter(|entry| entry.record().seq().get() >= from);
    answers.extend(history.map(|entry| format!("{} {}", entry.record().seq(), entry.fact())));
    for record in store.frames(from).unwrap() {
        answers.push(format!("{:?}", record.unwrap()));
    }
    answers
}

/// The names of the files whose names begin with the number of a frame.
fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let numbered = |name: &String| name.starts_with(|c: char| c.is_ascii_digit());
    let mut names: Vec<String> = names.filter(numbered).collect();
    names.sort();
    names
}

fn execute(plan: RetentionPlan) {
    assert!(!plan.is_empty(), "{plan}");
    plan.execute(|_, _| {}).unwrap();
}

#[cfg(feature = "archive")]
#[test]
fn an_archived_log_answers_as_before() {
    let (place, store) = filled();
    let before = answers(&store, 1);
    let plan = store.retention().unwrap().archive(&place.archive).unwrap();
    let until = plan.until().unwrap();
    assert!(until.get() > 5, "{plan}");
    let retained = plan.execute(|_, _| {}).unwrap();
    assert!(
        retained.archived_bytes > 0 && retained.segments > 2,
        "{retained:?}"
    );
    // The open store, which knows nothing of it.
    assert_eq!(answers(&store, 1), before);
    drop(store);
    let store = open(&place.dir);
    assert_eq!(store.opened_from().checkpoint(), Some(50.into()));
    assert_eq!(answers(&store, 1), before);
    assert_eq!(store.verify().unwrap(), STEPS);
    let dynamic = Store::<Dynamic>::open_read_only(&place.dir).unwrap();
    assert_eq!(dynamic.fingerprint(), store.fingerprint());
    assert_eq!(dynamic.verify().unwrap(), STEPS);
    for seq in [1, until.get(), 45, STEPS] {
        let then = dynamic.as_of(seq).unwrap();
        assert_eq!(then.fingerprint(), store.as_of(seq).unwrap().fingerprint());
    }
    assert_eq!(
        RawLog::open(&place.dir).unwrap().frames(0).unwrap().count() as u64,
        STEPS + 1
    );
    // It can be written, and later segments archived.
    drop((store, dynamic));
    let mut store = open(&place.dir);
    for n in 0..40 {
        store.step(Hung {
            room: format!("new {n}"),
            watts: 1,
        });
    }
    store.checkpoint().unwrap();
    store.checkpoint().unwrap();
    let plan = store.retention().unwrap().archive(&place.archive).unwrap();
    assert_eq!(plan.first(), Some(until));
    execute(plan);
    assert!(
        store
            .retention()
            .unwrap()
            .archive(&place.archive)
            .unwrap()
            .is_empty()
    );
    let fingerprint = store.fingerprint();
    drop(store);
    // Without a checkpoint, the archive is replayed.
    for entry in fs::read_dir(&place.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "checkpoint") {
            fs::remove_file(path).unwrap();
        }
    }
    let store = open(&place.dir);
    assert_eq!(store.opened_from().checkpoint(), None);
    assert_eq!(store.fingerprint(), fingerprint);
}

#[cfg(feature = "archive")]
#[test]
fn without_its_archive_a_store_opens_and_names_it_where_it_is_needed() {
    let (place, store) = filled();
    let before = answers(&store, 1);
    execute(store.retention().unwrap().archive(&place.archive).unwrap());
    drop(store);
    let moved = place.archive.with_extension("moved");
    fs::rename(&place.archive, &moved).unwrap();
    let store = open(&place.dir);
    assert_eq!(store.as_of(45).unwrap().seq(), Some(45.into()));
    let name = place.archive.join("00000000000000000000.log.zst");
    let old = store.find::<Lamp>("old").unwrap();
    let errors = [
        store.as_of(3).err().unwrap(),
        store.history(old).err().unwrap(),
        store.frames(0).err().unwrap(),
    ];
    for e in errors {
        // The history needs segments of the archive from the first one on that has the lamp.
        let text = e.to_string();
        assert!(text.contains(place.archive.to_str().unwrap()), "{text}");
        assert!(
            text.contains(".log.zst is missing, so the frames"),
            "{text}"
        );
        assert!(text.contains("--archives"), "{text}");
    }
    drop(store);
    let options = Store::<Model>::options().archives(&moved);
    let store = options.open(&place.dir).unwrap();
    assert_eq!(answers(&store, 1), before);
    drop(store);
    // Without a checkpoint, the store cannot be opened either.
    for seq in [30, 40, 50] {
        let _ = fs::remove_file(place.dir.join(format!("{seq:020}.checkpoint")));
    }
    let e = Store::<Model>::open(&place.dir).unwrap_err();
    assert!(e.to_string().contains(name.to_str().unwrap()), "{e}");
}

/// Drops the first segments. Returns the first frame that is left.
fn dropped(archived: bool) -> (Place, u64, Vec<String>) {
    let (place, store) = filled();
    if archived {
        execute(store.retention().unwrap().archive(&place.archive).unwrap());
    }
    let plan = store.retention().unwrap().before(35).drop_frames().unwrap();
    let kept = plan.until().unwrap().get();
    assert!((10..=35).contains(&kept), "{kept}");
    let oldest = plan.oldest_graph().unwrap().0.get();
    let before = answers(&store, oldest);
    for end in [".log", ".index", ".checkpoint"]
        .iter()
        .skip(usize::from(archived))
    {
        let first = names(&place.dir)
            .into_iter()
            .find(|name| name.ends_with(end));
        assert!(first < Some(format!("{kept:020}")), "{end}: {first:?}");
    }
    execute(plan);
    // The store that is open.
    assert_eq!(answers(&store, oldest), before);
    assert!(store.as_of(kept - 1).is_err() && store.frames(kept - 1).is_err());
    assert!(store.subscribe(0).is_err());
    (place, kept, before)
}

#[test]
fn a_dropped_past_is_refused_and_the_rest_is_answered() {
    for archived in [false, cfg!(feature = "archive")] {
        let (place, kept, before) = dropped(archived);
        let archived = fs::read_dir(&place.archive).map_or(0, |entries| {
            let named = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string();
            let gone = format!("{kept:020}");
            entries
                .filter_map(|e| named(e).ok())
                .filter(|name| *name < gone)
                .count()
        });
        assert_eq!(archived, 0, "what was dropped is in no archive");
        let gone = |name: &String| {
            name.get(..20)
                .is_some_and(|digits| *digits < *format!("{kept:020}"))
        };
        let left = names(&place.dir).into_iter().filter(gone);
        assert_eq!(
            left.collect::<Vec<_>>(),
            [""; 0],
            "segments, indexes or checkpoints"
        );
        let mut store = open(&place.dir);
        let oldest = store.as_of(kept).err().map_or(kept, |e| {
            assert!(
                e.to_string().contains("was dropped") || e.to_string().contains("were dropped"),
                "{e}"
            );
            40
        });
        assert_eq!(answers(&store, oldest), before);
        let e = store.as_of(kept - 1).err().unwrap();
        assert!(
            e.to_string()
                .contains(&format!("before {kept} were dropped")),
            "{e}"
        );
        let time = store.frames(kept).unwrap().next().unwrap().unwrap().time();
        let earlier = Timestamp::from_micros(time.as_micros() - 1_000_000);
        let e = store.as_of(earlier).err().unwrap();
        assert!(e.to_string().contains("were dropped"), "{e}");
        for e in [
            store.frames(kept - 1).err().unwrap(),
            store.frames(0).err().unwrap(),
            store.locate(kept - 1).err().unwrap(),
            store.subscribe(0).err().unwrap(),
        ] {
            let text = e.to_string();
            assert!(
                text.contains(&format!("begins with frame {kept}")),
                "{text}"
            );
        }
        // The lamp was created before, and its history begins with the first frame that is left.
        let old = store.find::<Lamp>("old").unwrap();
        let history = store.history(old).unwrap();
        assert!(
            history
                .iter()
                .all(|entry| entry.record().seq().get() >= kept)
        );
        assert!(history.len() > 10);
        let by_key = store.history_of_key::<Lamp>("old").unwrap();
        assert_eq!(by_key.len(), 1);
        assert_eq!((by_key[0].0, by_key[0].1.len()), (old, history.len()));
        // The oldest graph has some of those that were created since.
        for n in (kept.next_multiple_of(5)..=STEPS).step_by(5) {
            let found = store.history_of_key::<Lamp>(&*format!("lamp {n}")).unwrap();
            assert_eq!(found.len(), 1, "{n}");
        }
        let new = store.history_of_key::<Lamp>("lamp 45").unwrap();
        assert_eq!((new.len(), new[0].1.len() > 1), (1, true), "{new:?}");
        let verified = store.verify().unwrap();
        assert!(
            verified < STEPS - kept + 1 && verified >= STEPS - 40,
            "{verified}"
        );
        let dynamic = Store::<Dynamic>::open_read_only(&place.dir).unwrap();
        assert_eq!(dynamic.fingerprint(), store.fingerprint());
        assert_eq!(dynamic.verify().unwrap(), verified);
        assert_eq!(
            dynamic.as_of(45).unwrap().fingerprint(),
            store.as_of(45).unwrap().fingerprint()
        );
        dynamic.as_of(kept - 1).err().unwrap();
        let raw = RawLog::open(&place.dir).unwrap();
        assert_eq!(raw.first().get(), kept);
        assert_eq!(raw.frames(kept).unwrap().count() as u64, STEPS + 1 - kept);
        assert_eq!(raw.schemas().unwrap().len(), 1);
        assert!(raw.frames(0).err().unwrap().is_dropped());
        // Checkpoints thin out, and the oldest one stays.
        for n in 0..40 {
            store.step(Hung {
                room: format!("new {n}"),
                watts: 1,
            });
            store.checkpoint().unwrap();
        }
        assert_eq!(store.as_of(oldest).unwrap().seq(), Some(oldest.into()));
    }
}

#[test]
fn after_a_drop_a_store_needs_a_checkpoint_and_says_why_none_can_be_used() {
    let (place, kept, _) = dropped(false);
    for entry in fs::read_dir(&place.dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "checkpoint") {
            let mut bytes = fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(path, bytes).unwrap();
        }
    }
    for e in [
        Store::<Model>::open(&place.dir).map(|_| ()).unwrap_err(),
        Store::<Dynamic>::open_read_only(&place.dir)
            .map(|_| ())
            .unwrap_err(),
    ] {
        let text = e.to_string();
        assert!(
            text.contains(&format!("the frames before {kept} of the log")),
            "{text}"
        );
        assert!(
            text.contains("00000000000000000050.checkpoint was ignored"),
            "{text}"
        );
        assert!(
            text.contains("restore a checkpoint from a backup"),
            "{text}"
        );
    }
}

#[test]
fn a_plan_says_what_can_no_longer_be_answered_and_changes_nothing() {
    let (place, mut store) = filled();
    let files = || {
        let names = fs::read_dir(&place.dir)
            .unwrap()
            .map(|e| e.unwrap().file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let mut subscription = store.subscribe_as("mailer").unwrap();
    let first = subscription.next().unwrap().unwrap();
    subscription.acknowledge(first.seq()).unwrap();
    drop(subscription);
    let before = files();
    let plan = store.retention().unwrap().drop_frames().unwrap();
    let text = plan.to_string();
    let until = plan.until().unwrap();
    for part in [
        &*format!("drop the frames 0 to {}", until.get() - 1),
        "can no longer be answered",
        &*format!("the frames before {until}"),
        "the graph before frame 40 (",
        "`verify` begins after frame 40",
        "opens only from a checkpoint",
        "the subscription mailer has acknowledged frame",
        "one of the newest two checkpoints follows frame 40",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(files(), before);
    // The newest two checkpoints stay usable.
    assert!(until.get() <= 40);
    assert_eq!(plan.oldest_graph().unwrap().0, 40);
    let time = store.frames(20).unwrap().next().unwrap().unwrap().time();
    let earlier = store
        .retention()
        .unwrap()
        .before(time)
        .drop_frames()
        .unwrap();
    assert!(earlier.until() <= Some(20.into()), "{earlier}");
    let none = store.retention().unwrap().before(0).drop_frames().unwrap();
    assert!(
        none.is_empty() && none.to_string().contains("given point"),
        "{none}"
    );
    execute(store.retention().unwrap().before(20).drop_frames().unwrap());
    // What a plan of before knows is compared again.
    plan.execute(|_, _| {}).unwrap();
    store.step(Hung {
        room: "later".into(),
        watts: 3,
    });
}

#[test]
fn a_position_of_another_store_is_no_limit_of_what_is_dropped() {
    let (place, store) = filled();
    let (_other, stranger) = filled();
    let plan = |of: &Store<Model>| {
        let position = of.locate(35).unwrap();
        Retention::of(&place.dir).before(position).drop_frames()
    };
    let e = plan(&stranger).unwrap_err();
    assert!(e.is_replaced() && e.seq() == Some(35.into()), "{e}");
    let until = plan(&store).unwrap().until().unwrap();
    assert!(until.get() <= 35, "{until}");
    // Without a segment to drop, the position does not matter.
    let position = stranger.locate(0).unwrap();
    let none = Retention::of(&place.dir).before(position).drop_frames();
    assert!(none.unwrap().is_empty());
}

#[test]
fn without_checkpoints_nothing_is_taken_and_the_reason_is_given() {
    let root = tempfile::tempdir().unwrap();
    let mut store = open(root.path());
    for n in 0..40 {
        store.step(Hung {
            room: format!("lamp {n}"),
            watts: 1,
        });
    }
    let plan = |drop: bool| {
        let retention = Retention::of(root.path());
        match drop {
            true => retention.drop_frames().unwrap(),
            false => retention.archive(root.path().join("archive")).unwrap(),
        }
    };
    for drop in [true, false] {
        let plan = plan(drop);
        assert!(
            plan.is_empty() && plan.to_string().contains("no valid checkpoint"),
            "{plan}"
        );
    }
    store.checkpoint().unwrap();
    assert!(!plan(false).is_empty(), "what is archived can be replayed");
    assert!(
        plan(true).to_string().contains("dropping needs two"),
        "{}",
        plan(true)
    );
    store.step(Hung {
        room: "more".into(),
        watts: 1,
    });
    store.checkpoint().unwrap();
    assert!(!plan(true).is_empty());
    // A checkpoint that is damaged does not count.
    let path = root
        .path()
        .join(format!("{:020}.checkpoint", store.seq().unwrap().get()));
    let mut bytes = fs::read(&path).unwrap();
    bytes[90] ^= 1;
    fs::write(path, bytes).unwrap();
    let plan = plan(true);
    assert!(
        plan.is_empty() && plan.to_string().contains("cannot be used"),
        "{plan}"
    );
}

#[test]
fn a_plan_is_not_executed_if_the_checkpoints_that_it_needs_are_gone() {
    let (place, store) = filled();
    let (plan, again) = (
        store.retention().unwrap().drop_frames().unwrap(),
        store.retention().unwrap().drop_frames().unwrap(),
    );
    assert!(!plan.is_empty());
    let path = place.dir.join(format!("{:020}.checkpoint", 50));
    let away = path.with_extension("away");
    fs::rename(&path, &away).unwrap();
    let before = names(&place.dir);
    let e = plan.execute(|_, _| {}).unwrap_err();
    assert!(
        e.is_replaced() && e.to_string().contains("plan again"),
        "{e}"
    );
    assert_eq!(names(&place.dir), before);
    fs::rename(&away, &path).unwrap();
    execute(again);
}
