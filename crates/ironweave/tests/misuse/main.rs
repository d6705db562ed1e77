//! The strangest legal sequences of calls: stale savepoints, leaked transactions, errors that a handler ignores, user code
//! that panics in the middle of a call. None of them harms the store, and each log that they write opens again.
#![allow(missing_docs)]

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

mod handlers;
mod indexes;
mod leaked;
mod repeated;
mod savepoints;

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
