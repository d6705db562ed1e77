//! An error about the content of a frame has the file and the offset of the frame, whatever reads it: a frame that becomes another one
//! while the log is open, a log that a changed program opens, and an event that its type does not read.

use std::path::{Path, PathBuf};

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::raw_log::RawLog;
use ironweave::{HistoryEntry, OpenError, ReadError, Record, Seq, StorageError, VerifyError};

use crate::each_damage_has_its_message::{change_frame, damaged, log};
use crate::scratch_dir;
use crate::what_is_written_today_agrees::team::{Model, Worker};

/// What an error says about its frame.
#[derive(Debug)]
struct Place {
    seq: Option<Seq>,
    segment: Option<PathBuf>,
    offset: Option<u64>,
    message: String,
}

impl Place {
    fn of(e: &StorageError) -> Self {
        Self {
            seq: e.seq(),
            segment: e.segment().map(Path::to_owned),
            offset: e.offset(),
            message: e.to_string(),
        }
    }

    fn of_read(e: &ReadError) -> Self {
        Self::of(e.storage().expect("the log is wrong"))
    }

    fn of_open(e: &OpenError) -> Self {
        Self::of(e.storage().expect("the log is wrong"))
    }

    fn of_verify(e: &VerifyError) -> Self {
        match e {
            VerifyError::Storage(e) => Self::of(e),
            VerifyError::Differs(difference) => {
                let location = difference.location.as_ref();
                Self {
                    seq: Some(difference.seq),
                    segment: location.map(|at| at.segment.to_path_buf()),
                    offset: location.map(|at| at.offset),
                    message: difference.to_string(),
                }
            }
            e => panic!("{e}"),
        }
    }

    #[track_caller]
    fn is(&self, seq: u64, segment: &Path, offset: u64) {
        let Self { message, .. } = self;
        assert_eq!(self.seq, Some(Seq::new(seq)), "{message}");
        assert_eq!(self.segment.as_deref(), Some(segment), "{message}");
        assert_eq!(self.offset, Some(offset), "{message}");
        let place = format!("{} at offset {offset}", segment.display());
        assert!(message.contains(&place), "{message}");
    }
}

/// Returns the first error of the records of a log and of their events.
fn error_of<M: ironweave::Model>(
    records: impl Iterator<Item = Result<Record<M>, StorageError>>,
) -> Option<Place> {
    for record in records {
        let failed = record.map(|record| record.all_events().find_map(Result::err));
        match failed {
            Ok(None) => {}
            Ok(Some(e)) | Err(e) => return Some(Place::of(&e)),
        }
    }
    None
}

/// Returns the records of a subscription that are in the log.
fn delivered<M: ironweave::Model>(
    mut subscription: ironweave::Subscription<M>,
) -> impl Iterator<Item = Result<Record<M>, StorageError>> {
    let mut failed = false;
    std::iter::from_fn(move || {
        let next = (!failed).then(|| subscription.try_next().transpose())?;
        failed = next.as_ref().is_some_and(Result::is_err);
        next
    })
}

/// What reads a log: a store that was opened before a frame became another one.
type Reader = (&'static str, fn(&Store<Model>, &Path) -> Option<Place>);

const READERS: &[Reader] = &[
    ("frames", |store, _| error_of(store.frames(0).ok()?)),
    ("since", |store, _| error_of(store.since(2).ok()?)),
    ("subscribe", |store, _| {
        error_of(delivered(store.subscribe(0).ok()?))
    }),
    ("subscribe_after", |store, _| {
        let snapshot = store.as_of(2).expect("the frames before are right");
        error_of(delivered(store.subscribe_after(snapshot).ok()?))
    }),
    ("as_of", |store, _| {
        store.as_of(4).err().map(|e| Place::of_read(&e))
    }),
    ("as_of_by_name", |store, _| {
        store.as_of_by_name(4).err().map(|e| Place::of_read(&e))
    }),
    ("as_of a time", |store, _| {
        let last = store.snapshot().time();
        let before = store.as_of(last - std::time::Duration::from_nanos(1_000));
        before.err().map(|e| Place::of_read(&e))
    }),
    ("history", |store, _| {
        let worker = store.place::<Worker, Any>().next()?;
        match store.history(worker) {
            Err(e) => Some(Place::of_read(&e)),
            Ok(entries) => {
                let mut firings = entries.iter().filter_map(HistoryEntry::firing);
                let failed = firings.find_map(|firing| firing.event().err());
                failed.map(|e| Place::of(&e))
            }
        }
    }),
    ("verify", |store, _| {
        store.verify().err().map(|e| Place::of_verify(&e))
    }),
    ("open", |_, dir| {
        let opened = Store::<Model>::open_read_only(dir);
        opened.err().map(|e| Place::of_open(&e))
    }),
    ("open without types", |_, dir| {
        let opened = Store::<Dynamic>::open_read_only(dir);
        opened.err().map(|e| Place::of_open(&e))
    }),
    ("a dry run", |_, dir| {
        let report = Store::<Model>::options().migrate_dry_run(dir);
        report.err().map(|e| Place::of_open(&e))
    }),
    ("raw frames", |_, dir| {
        let log = RawLog::open(dir).expect("the checksums are right");
        let failed = log.frames(0).ok()?.find_map(Result::err);
        failed.map(|e| Place::of(&e))
    }),
];

/// A change of a frame: where in it, and to what.
type Change = (&'static str, usize, &'static [u8]);

const CHANGES: &[Change] = &[
    ("another kind, of a migration", 17, &[3]),
    ("another epoch", 20, &[4]),
    ("another fingerprint", 40, &[0; 16]),
    ("flags", 56 + 8, &[1]),
    ("another length", 56 + 28, &[1]),
    ("an event that the schema does not have", 56 + 32, &[99]),
];

#[test]
fn whatever_reads_a_frame_says_where_it_is() {
    let scratch = scratch_dir();
    log(&scratch.path().join("log"));
    let mut noticed = vec![0; READERS.len()];
    for (case, (change, at, to)) in CHANGES.iter().enumerate() {
        let log = damaged(scratch.path(), case);
        let store = Store::<Model>::open_read_only(&log.dir).expect("it opens");
        // Frame 3 is the second one of the second segment.
        change_frame(&log.segments[1], 1, *at, to);
        let mut by = 0;
        for (i, (_, read)) in READERS.iter().enumerate() {
            if let Some(place) = read(&store, &log.dir) {
                place.is(3, &log.segments[1], 864);
                noticed[i] += 1;
                by += 1;
            }
        }
        assert!(by > 1, "{change} is noticed by {by} readers");
    }
    for ((name, _), noticed) in READERS.iter().zip(noticed) {
        assert!(noticed > 0, "{name} notices no change");
    }
}

/// A program before and after a change inside a type that serde serializes, which its schema does not show.
macro_rules! till {
    ($model:ident, $types:ident { $($field:ident: $ty:ty),* }) => {
        pub mod $types {
            use serde::{Deserialize, Serialize};

            #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
            pub struct Amount {
                $(pub $field: $ty),*
            }
        }

        #[ironweave::model]
        pub mod $model {
            use super::$types::Amount;
            use ironweave::prelude::*;

            #[entity]
            pub struct Sale {
                #[key]
                pub number: u32,
            }

            #[event]
            #[create(sale: Sale { number })]
            pub struct Sold {
                pub number: u32,
                pub paid: Amount,
            }
        }
    };
}

till!(before, old { cents: u32 });
till!(
    after,
    new {
        cents: u32,
        currency: String
    }
);

fn sell(store: &mut Store<before::Model>, number: u32) -> Sale {
    let paid = old::Amount { cents: 5 };
    store.step(before::Sold { number, paid }).created.sale
}

use before::Sale;

#[test]
fn an_event_that_its_type_does_not_read_has_its_place() {
    let scratch = scratch_dir();
    let dir = scratch.path().join("log");
    let mut writer = Store::<before::Model>::open(&dir).expect("the store opens");
    sell(&mut writer, 1);
    let mut store = Store::<after::Model>::open_read_only(&dir).expect("no fact has the type");
    let segment = dir.join("00000000000000000000.log");
    let first = error_of(store.frames(0).expect("a log")).expect("it is not read");
    assert!(first.message.contains("currency"), "{}", first.message);
    let offset = first.offset.expect("it has a place");
    first.is(1, &segment, offset);

    let typed = |record: Record<after::Model>| {
        let failed = record.events::<after::Sold>().find_map(Result::err);
        Place::of(&failed.expect("it is not read"))
    };
    let mut records = store.frames(0).expect("a log");
    let record = records.next().expect("it is there");
    typed(record.expect("it is a record")).is(1, &segment, offset);
    drop(records);
    let all = store.subscribe(0).expect("a log");
    (error_of(delivered(all)).expect("it is not read")).is(1, &segment, offset);
    let sale = store.find::<after::Sale>(&1).expect("it was sold");
    let entries = store.history(sale).expect("a log");
    let event = entries[0].firing().expect("an event").event();
    Place::of(&event.map(drop).expect_err("it is not read")).is(1, &segment, offset);
    let verified = store.verify().expect_err("it cannot fire again");
    Place::of_verify(&verified).is(1, &segment, offset);

    // A subscription gets a copy that the store has kept when it read the frame.
    let mut last = store.subscribe(2).expect("a log");
    sell(&mut writer, 2);
    store.refresh().expect("a new frame");
    let record = last.try_next().expect("a record").expect("a new one");
    let place = typed(record);
    let offset = place.offset.expect("it has a place");
    place.is(2, &segment, offset);
    assert!(offset > first.offset.expect("it has a place"));
}
