//! Values whose `Serialize`, `Hash`, `Eq` and `Ord` fail or panic when a test tells them to.

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize, Serializer};

/// A value that refuses to be serialized, or panics, according to the [`Mood`] of the thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Fussy(pub String);

thread_local! {
    pub static MOOD: Cell<Mood> = const { Cell::new(Mood::Good) };
}

#[derive(Clone, Copy, PartialEq)]
pub enum Mood {
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

pub fn fussy(text: &str) -> Fussy {
    Fussy(text.to_owned())
}

/// Runs a closure while the values of this thread have a mood.
pub fn in_a_mood<R>(mood: Mood, act: impl FnOnce() -> R) -> R {
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

/// A value whose `Hash`, `Eq` and `Ord` panic once, after as many calls as `PATIENCE` says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Touchy(pub String);

thread_local! {
    pub static PATIENCE: Cell<Option<u32>> = const { Cell::new(None) };
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
