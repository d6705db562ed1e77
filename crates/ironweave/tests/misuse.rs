//! The strangest legal sequences of calls: stale savepoints, leaked transactions, errors that a handler ignores, user code
//! that panics in the middle of a call. None of them harms the store, and each log that they write opens again.
#![allow(missing_docs)]

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use desk::state::*;
use desk::*;
use ironweave::prelude::*;
use serde::{Deserialize, Serialize, Serializer};

/// A value that cannot be written while it is told so, or panics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Fussy(pub String);

thread_local! {
    static MOOD: Cell<Mood> = const { Cell::new(Mood::Good) };
}

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Good,
    Refuses,
    Panics,
}

impl Serialize for Fussy {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match MOOD.get() {
            Mood::Good => self.0.serialize(s),
            Mood::Refuses => Err(serde::ser::Error::custom("it is not in the mood")),
            Mood::Panics => panic!("it is in a bad mood"),
        }
    }
}

/// A value whose `Hash`, `Eq` and `Ord` panic when they have been called so many times more.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Touchy(pub String);

thread_local! {
    static PATIENCE: Cell<Option<u32>> = const { Cell::new(None) };
}

fn touch() {
    if let Some(left) = PATIENCE.get() {
        PATIENCE.set(left.checked_sub(1));
        assert!(left > 0, "it was touched too often");
    }
}

impl Hash for Touchy {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        touch();
        self.0.hash(hasher);
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        touch();
        self.0 == other.0
    }
}

impl Eq for Touchy {}

impl PartialOrd for Touchy {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Touchy {
    fn cmp(&self, other: &Self) -> Ordering {
        touch();
        self.0.cmp(&other.0)
    }
}

#[ironweave::model]
pub mod desk {
    use ironweave::prelude::*;

    #[entity]
    pub struct Label {
        #[key]
        pub name: String,
        pub note: crate::Fussy,
        #[inverse(Ticket::labels)]
        pub on: Many<Ticket>,
        #[inverse(Ticket::main)]
        pub main_of: Option<Ticket>,
    }
    #[states(Label)]
    pub enum LabelState {
        #[initial]
        #[to(Used)]
        Fresh,
        #[to(Used)]
        Used { by: crate::Fussy, at: crate::Fussy },
    }

    #[entity]
    pub struct Ticket {
        #[key]
        pub number: u64,
        #[edge(data = crate::Fussy)]
        pub labels: Many<Label>,
        #[edge(data = crate::Fussy)]
        pub main: Option<Label>,
        #[edge(on_delete = cascade)]
        pub parts: Many<Part>,
    }

    #[entity]
    pub struct Part {
        #[inverse(Ticket::parts)]
        pub ticket: Option<Ticket>,
        #[edge(on_delete = restrict)]
        pub holds: Many<Part>,
        #[inverse(Part::holds)]
        pub held_by: Option<Part>,
    }

    #[entity]
    pub struct Shelf {
        #[key]
        pub name: crate::Touchy,
        #[index(ordered)]
        pub rank: crate::Touchy,
        #[index]
        pub kind: crate::Touchy,
    }

    #[event]
    #[create(shelf: Shelf { name, rank, kind = rank })]
    pub struct Built {
        pub name: crate::Touchy,
        pub rank: crate::Touchy,
    }

    #[event]
    #[set(shelf.rank = rank)]
    #[may(set Shelf.kind)]
    pub struct Ranked {
        pub shelf: Shelf,
        pub rank: crate::Touchy,
        pub careful: bool,
    }

    #[event]
    #[delete(shelf)]
    pub struct Burnt {
        pub shelf: Shelf,
    }

    /// Fires for a label that is on some ticket in state `Open`.
    #[states(Ticket)]
    pub enum TicketState {
        #[initial]
        #[to(Done)]
        Open,
        #[terminal]
        Done,
    }

    #[event]
    #[create(label: Label { name, note })]
    pub struct Labelled {
        pub name: String,
        pub note: crate::Fussy,
    }

    #[event]
    #[create(ticket: Ticket { number })]
    pub struct Opened {
        pub number: u64,
    }

    #[event]
    #[create(part: Part)]
    #[link(part.ticket += ticket)]
    pub struct PartAdded {
        pub ticket: Ticket,
    }

    #[event]
    #[link(part.held_by += by)]
    pub struct Held {
        pub part: Part,
        pub by: Part,
    }

    /// Does what the number says, and ignores what comes of it.
    #[event]
    #[may(create Label, delete Ticket)]
    #[may(Label: Fresh | Used -> Used)]
    #[may(link Ticket.labels, relink Ticket.labels, unlink Ticket.labels, relink Ticket.main, link Ticket.main)]
    #[may(set Label.note, set Label.Used.by)]
    pub struct Tried {
        pub what: u32,
        pub ticket: Ticket,
        pub label: Label,
    }

    /// Moves a label, which lets the ticket be finished, and then ignores that a call fails.
    #[event]
    #[link(ticket.labels += label { data = note })]
    #[may(Label: Fresh -> Used)]
    #[may(create Label)]
    pub struct UsedAndTried {
        pub ticket: Ticket,
        pub label: Label<Fresh>,
        pub note: crate::Fussy,
    }

    #[immediate]
    #[when(any ticket.labels in Used)]
    #[moves(ticket: Open -> Done)]
    pub struct Finished {
        pub ticket: Ticket,
    }
}

fn fussy(text: &str) -> Fussy {
    Fussy(text.to_owned())
}

/// Does something while values have a mood.
fn in_a_mood<R>(mood: Mood, act: impl FnOnce() -> R) -> R {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            MOOD.set(Mood::Good);
        }
    }
    let _back = Back;
    MOOD.set(mood);
    act()
}

impl Apply for Tried {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let (label, ticket) = (bound.label, bound.ticket);
        let mood = if self.what >= 100 {
            Mood::Panics
        } else {
            Mood::Refuses
        };
        let failed = catch_unwind(AssertUnwindSafe(|| match self.what % 100 {
            0 => {
                // The key is taken.
                let name = label.name(tx).to_owned();
                let note = fussy("");
                tx.create(NewLabel { name, note }).is_err()
            }
            1 => in_a_mood(mood, || {
                let (name, note) = ("new".to_owned(), fussy(""));
                tx.create(NewLabel { name, note }).is_err()
            }),
            2 => match label.state(tx) {
                LabelState::Fresh(fresh) => {
                    in_a_mood(mood, || fresh.to_used(tx, fussy("a"), fussy("b")).is_err())
                }
                LabelState::Used(used) => {
                    in_a_mood(mood, || used.to_used(tx, fussy("a"), fussy("b")).is_err())
                }
            },
            3 => in_a_mood(mood, || ticket.link_labels(tx, &label, fussy("x")).is_err()),
            4 => in_a_mood(mood, || {
                ticket.relink_labels(tx, &label, fussy("x")).is_err()
            }),
            5 => in_a_mood(mood, || ticket.relink_main(tx, &label, fussy("x")).is_err()),
            6 => ticket.delete(tx).is_err(),
            7 => in_a_mood(mood, || label.set_note(tx, fussy("x")).is_err()),
            _ => false,
        }));
        match failed {
            Ok(true) | Err(_) => Ok(()),
            Ok(false) => Err(Reject::new("it was to fail")),
        }
    }
}

impl Apply for UsedAndTried {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let name = bound.label.name(tx).to_owned();
        bound.label.to_used(tx, fussy("a"), fussy("b"))?;
        let note = fussy("");
        assert!(tx.create(NewLabel { name, note }).is_err());
        Ok(())
    }
}

impl Apply for Ranked {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let mut set = || bound.shelf.set_kind(tx, self.rank.clone());
        if self.careful {
            // It does not care what comes of it.
            let _ = catch_unwind(AssertUnwindSafe(&mut set));
            Ok(())
        } else {
            set()
        }
    }
}

/// What is left of a store when it is opened again.
fn opened_again(dir: &tempfile::TempDir, store: Store<desk::Model>) -> Store<desk::Model> {
    let (print, seq) = (store.fingerprint(), store.seq());
    assert_eq!(store.check(), [""; 0]);
    drop(store);
    let store = Store::<desk::Model>::open(dir.path()).expect("what was written can be read");
    assert_eq!((store.fingerprint(), store.seq()), (print, seq));
    assert_eq!(store.check(), [""; 0]);
    store.verify().expect("the events give the same again");
    store
}

fn stores() -> Vec<(tempfile::TempDir, Store<desk::Model>)> {
    let open = |paranoid: bool| {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Store::<desk::Model>::options().durability(Durability::Os);
        let options = if paranoid {
            options.paranoid()
        } else {
            options
        };
        let store = options.open(dir.path()).expect("a store");
        (dir, store)
    };
    vec![open(false), open(true)]
}

fn stale(result: Result<(), StepError>) {
    assert!(
        matches!(result, Err(StepError::StaleSavepoint)),
        "{result:?}"
    );
}

#[test]
fn a_savepoint_that_an_outer_rollback_has_undone_is_refused_and_the_transaction_goes_on() {
    for (dir, mut store) in stores() {
        let mut t = store.begin();
        let first = t.savepoint();
        t.apply(Opened { number: 1 }).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        let second = t.savepoint();
        t.rollback_to(first).unwrap();
        t.apply(Opened { number: 3 }).unwrap();
        stale(t.rollback_to(second));
        assert_eq!(t.count::<Ticket, Any>(), 1);
        t.commit().unwrap();
        let store = opened_again(&dir, store);
        assert!(store.find::<Ticket>(&3).is_some());
        assert_eq!(store.count::<Ticket, Any>(), 1);
    }
}

#[test]
fn a_savepoint_can_be_gone_back_to_several_times() {
    for (dir, mut store) in stores() {
        let mut t = store.begin();
        t.apply(Opened { number: 1 }).unwrap();
        let point = t.savepoint();
        for number in 2..5 {
            t.apply(Opened { number }).unwrap();
            let inner = t.savepoint();
            t.rollback_to(point).unwrap();
            stale(t.rollback_to(inner));
            assert_eq!(t.count::<Ticket, Any>(), 1);
        }
        t.apply(Opened { number: 9 }).unwrap();
        t.commit().unwrap();
        assert_eq!(opened_again(&dir, store).count::<Ticket, Any>(), 2);
    }
}

#[test]
fn a_savepoint_of_another_transaction_or_store_is_refused() {
    for (dir, mut store) in stores() {
        let mut t = store.begin();
        t.apply(Opened { number: 1 }).unwrap();
        let committed = t.savepoint();
        t.commit().unwrap();
        let mut t = store.begin();
        let dropped = t.savepoint();
        drop(t);
        let mut asked = None;
        store
            .what_if(|t| {
                asked = Some(t.savepoint());
                Ok(())
            })
            .unwrap();
        let mut other = Store::<desk::Model>::memory();
        let mut t = other.begin();
        let foreign = t.savepoint();
        drop(t);
        let mut t = store.begin();
        t.apply(Opened { number: 2 }).unwrap();
        for point in [committed, dropped, asked.unwrap(), foreign] {
            stale(t.rollback_to(point));
        }
        t.apply(Opened { number: 3 }).unwrap();
        t.commit().unwrap();
        assert_eq!(opened_again(&dir, store).count::<Ticket, Any>(), 3);
    }
}

#[test]
fn a_leaked_transaction_never_joins_the_next() {
    for (dir, mut store) in stores() {
        store.step(Opened { number: 1 });
        let (print, seq) = (store.fingerprint(), store.seq());
        let meta = Meta::new().actor("ann").idempotency_key("leaked");
        let mut t = store.begin_with(meta.clone()).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        let leaked = t.savepoint();
        std::mem::forget(t);
        // Whatever comes next takes it back first.
        let mut t = store.begin();
        stale(t.rollback_to(leaked));
        assert_eq!(t.count::<Ticket, Any>(), 1);
        t.commit().unwrap();
        assert_eq!((store.fingerprint(), store.seq()), (print, seq));
        let mut t = store.begin();
        t.apply(Opened { number: 2 }).unwrap();
        std::mem::forget(t);
        let receipt = store.step(Opened { number: 2 });
        assert_eq!(Some(receipt.seq), seq.map(|seq| seq + 1));
        // Nor has it used up its key, or lent its metadata.
        let frame = store.frames(receipt.seq).unwrap().next().unwrap().unwrap();
        assert_eq!((frame.meta, frame.firings.len()), (Meta::new(), 1));
        let again = store.try_step_with(meta, Opened { number: 3 }).unwrap();
        assert!(!again.repeated);
        std::mem::forget(store.begin());
        assert_eq!(opened_again(&dir, store).count::<Ticket, Any>(), 3);
    }
}

#[test]
fn no_snapshot_shows_a_leaked_transaction() {
    for (_dir, mut store) in stores() {
        store.step(Opened { number: 1 });
        store.step(Labelled {
            name: "a".into(),
            note: fussy("n"),
        });
        let label = store.find::<Label>("a").unwrap();
        let ticket = store.find::<Ticket>(&1).unwrap();
        let print = store.fingerprint();
        let mut t = store.begin();
        t.apply(Opened { number: 2 }).unwrap();
        t.apply(Labelled {
            name: "b".into(),
            note: fussy("n"),
        })
        .unwrap();
        t.apply(Tried {
            what: 0,
            ticket,
            label,
        })
        .unwrap();
        t.apply(PartAdded { ticket }).unwrap();
        std::mem::forget(t);
        let snapshot = store.snapshot();
        assert_eq!((snapshot.fingerprint(), snapshot.check()), (print, vec![]));
        assert_eq!(snapshot.count::<Ticket, Any>(), 1);
        // And those after it show what is written.
        store.step(Opened { number: 5 });
        let snapshot = store.snapshot();
        assert_eq!(
            (snapshot.fingerprint(), snapshot.check()),
            (store.fingerprint(), vec![])
        );
        assert_eq!(store.count::<Ticket, Any>(), 2);
    }
}

#[test]
fn a_leaked_transaction_of_a_reader_is_taken_back_before_it_refreshes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::<desk::Model>::open(dir.path()).unwrap();
    store.step(Opened { number: 1 });
    let mut reader = Store::<desk::Model>::open_read_only(dir.path()).unwrap();
    let mut t = reader.begin();
    t.apply(Opened { number: 2 }).unwrap();
    std::mem::forget(t);
    store.step(Opened { number: 3 });
    reader.refresh().unwrap();
    assert_eq!(reader.fingerprint(), store.fingerprint());
    assert_eq!(reader.check(), [""; 0]);
}

#[test]
fn a_call_that_fails_in_a_handler_does_nothing_even_where_its_error_is_ignored() {
    for what in (0..8).chain(101..106).chain([107]) {
        for (dir, mut store) in stores() {
            let ticket = store.step(Opened { number: 1 }).created.ticket;
            let other = store.step(Opened { number: 2 }).created.ticket;
            let note = fussy("n");
            let label = store
                .step(Labelled {
                    name: "a".into(),
                    note,
                })
                .created
                .label;
            // The delete of the ticket would cascade to a part that another part forbids to go.
            let part = store.step(PartAdded { ticket }).created.part;
            let holder = store.step(PartAdded { ticket: other }).created.part;
            let by = holder;
            store.step(Held { part: by, by: part });
            let (print, next) = (store.fingerprint(), store.seq());
            store.step(Tried {
                what,
                ticket,
                label,
            });
            assert_eq!(store.fingerprint(), print, "call {what}");
            assert!(store.seq() > next, "the event itself fired");
            assert_eq!(store.count::<Label, Any>(), 1);
            assert!(ticket.alive(&store) && label.is::<Fresh>(&store));
            let store = opened_again(&dir, store);
            assert_eq!(label.note(&store), &fussy("n"));
            assert_eq!(ticket.labels(&store).count(), 0);
        }
    }
}

#[test]
fn immediate_events_that_were_enabled_before_a_failed_call_still_fire() {
    let mut store = Store::<desk::Model>::paranoid();
    let ticket = store.step(Opened { number: 1 }).created.ticket;
    let note = fussy("n");
    let label = store
        .step(Labelled {
            name: "a".into(),
            note,
        })
        .created
        .label;
    let (label, note) = (label.in_state::<Fresh>(&store).unwrap(), fussy("n"));
    store.step(UsedAndTried {
        ticket,
        label,
        note,
    });
    assert!(ticket.is::<Done>(&store));
}

#[test]
fn a_repeated_transaction_gives_its_first_receipts_whatever_it_tried() {
    for (dir, mut store) in stores() {
        store.step(Opened { number: 1 });
        let time = Timestamp::now();
        let attempt = |store: &mut Store<desk::Model>| -> Result<_, StepError> {
            let meta = Meta::new().idempotency_key("k").time(time);
            let mut t = store.begin_with(meta)?;
            let a = t.apply(Opened { number: 2 })?;
            // It is rejected, and that is ignored.
            let rejected = t.apply(Opened { number: 1 }).err().unwrap().to_string();
            let point = t.savepoint();
            let b = t.apply(Opened { number: 3 })?;
            t.rollback_to(point)?;
            let c = t.apply(Opened { number: 4 })?;
            let now = t.time();
            t.commit()?;
            let seqs = [a.seq, b.seq, c.seq];
            let tickets = [a.created.ticket, b.created.ticket, c.created.ticket];
            Ok((
                seqs,
                tickets,
                now,
                rejected,
                [a.repeated, b.repeated, c.repeated],
            ))
        };
        let first = attempt(&mut store).unwrap();
        assert_eq!(first.4, [false; 3]);
        // The time has gone on since.
        let later = Timestamp::from_micros(time.as_micros() + 1_000_000);
        let meta = Meta::new().time(later);
        store.try_step_with(meta, Opened { number: 9 }).unwrap();
        let print = store.fingerprint();
        let mut store = opened_again(&dir, store);
        for _ in 0..2 {
            let again = attempt(&mut store).unwrap();
            assert_eq!((again.0, again.1, again.2), (first.0, first.1, first.2));
            assert!(again.3.contains(&first.3), "{}", again.3);
            assert_eq!(again.4, [true; 3]);
            assert_eq!(store.fingerprint(), print);
        }
        // Other events are another transaction, also where the first time they would have been tried in vain.
        let meta = || Meta::new().idempotency_key("k");
        let mut t = store.begin_with(meta()).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        let other = t.apply(Opened { number: 7 });
        assert!(matches!(other, Err(StepError::KeyReused { .. })));
        drop(t);
        let mut t = store.begin_with(meta()).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        assert!(matches!(t.commit(), Err(StepError::KeyReused { .. })));
    }
}

#[test]
fn a_stale_savepoint_of_a_repeated_transaction_is_refused_too() {
    let mut store = Store::<desk::Model>::paranoid();
    let meta = || Meta::new().idempotency_key("k");
    store.try_step_with(meta(), Opened { number: 1 }).unwrap();
    let mut t = store.begin_with(meta()).unwrap();
    let first = t.savepoint();
    t.apply(Opened { number: 1 }).unwrap();
    let second = t.savepoint();
    t.rollback_to(first).unwrap();
    stale(t.rollback_to(second));
    t.commit().unwrap();
    assert_eq!(store.count::<Ticket, Any>(), 1);
}

#[test]
fn user_code_that_panics_while_an_index_changes_stops_the_store_and_leaves_its_log_whole() {
    let touchy = |text: &str| Touchy(text.to_owned());
    let mut panics = 0;
    for patience in 0..200 {
        let (dir, mut store) = stores().swap_remove(0);
        for name in ["a", "b", "c"] {
            let (name, rank) = (touchy(name), touchy("r"));
            store.step(Built { name, rank });
        }
        let shelf = store.place::<Shelf, Any>().next().unwrap();
        let work = |store: &mut Store<desk::Model>| -> Result<(), StepError> {
            let (name, rank) = (touchy("d"), touchy("s"));
            store.try_step(Built { name, rank })?;
            for (rank, careful) in [("t", true), ("u", false)] {
                let rank = touchy(rank);
                store.try_step(Ranked {
                    shelf,
                    rank,
                    careful,
                })?;
            }
            let mut t = store.begin();
            let point = t.savepoint();
            t.apply(Burnt { shelf })?;
            let back = catch_unwind(AssertUnwindSafe(|| t.rollback_to(point)));
            t.apply(Ranked {
                shelf,
                rank: touchy("v"),
                careful: false,
            })?;
            if back.is_err() {
                assert!(
                    t.commit().is_err(),
                    "a rollback that was not done is never written"
                );
                return Ok(());
            }
            t.commit()
        };
        PATIENCE.set(Some(patience));
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut store)));
        let patient = PATIENCE.take().is_some();
        panics += u32::from(!patient);
        let seq = store.seq();
        match store.try_step(Opened { number: 1 }) {
            Ok(_) => assert_eq!(store.check(), [""; 0]),
            Err(e) => {
                assert_eq!(e.kind(), ironweave::ErrorKind::Stopped, "{e}");
                assert!(!patient && store.seq() == seq);
                drop(store);
                let store = Store::<desk::Model>::open(dir.path()).expect("its log is whole");
                assert_eq!((store.seq(), store.check()), (seq, vec![]));
                continue;
            }
        }
        drop(store);
        let store = Store::<desk::Model>::open(dir.path()).expect("its log is whole");
        assert_eq!(store.check(), [""; 0]);
        if patient {
            done.expect("nothing panicked")
                .expect("all of it can be done");
            break;
        }
    }
    assert!((20..199).contains(&panics), "{panics}");
}
