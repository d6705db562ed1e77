//! Random histories of the README's model are what a naive oracle says after every step: steps, rejections, batches,
//! transactions that are committed, dropped or partly rolled back, what-ifs, and stores that are opened again.
//!
//! `IRONWEAVE_SEEDS=n` runs n histories, `IRONWEAVE_SEED=s` runs one. A failure prints its seed and the history.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use ironweave::Seq;
use ironweave::prelude::*;

use crate::harness::random::Random;
use crate::harness::{assert_consistent, assert_sound, temp_dir, unsynced};
use crate::readme::build::Model;
use crate::readme::oracle::{Ev, Oracle, any, compare, fire, variant};

const HISTORIES: u64 = 60;
const STEPS: usize = 90;

struct Walk {
    random: Random,
    oracle: Oracle,
    history: Vec<String>,
    frames: u64,
}

impl Walk {
    /// Applies an event to the store and to the oracle, and asserts that the outcomes are equal.
    fn apply(&mut self, t: &mut Transaction<'_, Model>, oracle: &mut Oracle) {
        let event: Ev = self.random.event(oracle);
        self.history.push(format!("  {event:?}"));
        let expected = oracle.clone().apply(&event);
        let found = fire(t, &event, oracle).map_err(|e| variant(&e));
        assert_eq!(found, expected.map_err(str::to_owned));
        oracle.apply(&event).ok();
        compare(t, oracle);
    }

    /// Fires a batch. Its events are made and rejected one after the other, as if each were fired alone.
    fn batch(&mut self, store: &mut Store<Model>, oracle: &mut Oracle) {
        let (mut events, mut expected) = (Vec::new(), Vec::new());
        for _ in 0..self.random.below(12) {
            let event = self.random.event(oracle);
            self.history.push(format!("  {event:?}"));
            expected.push(oracle.apply(&event).map_err(str::to_owned));
            events.push(any(&event));
        }
        let before = store.seq();
        let results = store.step_all_any(&events);
        let found = results.iter().map(|result| match result {
            Ok(_) => Ok(()),
            Err(e) => Err(variant(e)),
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
        let seqs: Vec<_> = results
            .iter()
            .flatten()
            .map(|receipt| receipt.seq)
            .collect();
        let first = before.map_or(Seq::ZERO, |seq| seq + 1);
        let next = seqs.iter().zip(0..).all(|(seq, i)| *seq == first + i);
        assert!(next, "{seqs:?} after {before:?}");
        self.frames += seqs.len() as u64;
    }

    /// Fires a batch in a store that is open for reading only, so that its log accepts none of it.
    fn refused_batch(&mut self, store: &mut Store<Model>) {
        let mut oracle = self.oracle.clone();
        let events: Vec<_> = (0..12)
            .map(|_| {
                let event = self.random.event(&oracle);
                oracle.apply(&event).ok();
                any(&event)
            })
            .collect();
        let before = (store.seq(), store.fingerprint());
        let accepted = |result: &Result<_, StepError>| match result {
            Err(StepError::ReadOnly) => false,
            Err(e) => {
                assert!(e.is_rejection(), "{e}");
                false
            }
            Ok(_) => true,
        };
        assert!(!store.step_all_any(&events).iter().any(accepted));
        assert_eq!((store.seq(), store.fingerprint()), before);
        compare(store, &self.oracle);
        assert_consistent(store);
    }

    /// Takes one random step: a transaction that is committed or dropped, a batch, or a what-if.
    fn step(&mut self, store: &mut Store<Model>) {
        let fingerprint = store.fingerprint();
        let mut oracle = self.oracle.clone();
        let kind = self.random.below(12);
        self.history.push(format!("{kind}:"));
        match kind {
            // A transaction of one event or several, with savepoints, that is committed.
            0..=6 => {
                let mut t = store.begin();
                for _ in 0..if kind < 4 {
                    1
                } else {
                    1 + self.random.below(4)
                } {
                    self.apply(&mut t, &mut oracle);
                    if self.random.chance(20) {
                        let (point, then) = (t.savepoint(), oracle.clone());
                        for _ in 0..self.random.below(4) {
                            self.apply(&mut t, &mut oracle);
                        }
                        if self.random.chance(60) {
                            t.rollback_to(point)
                                .expect("a savepoint of this transaction");
                            self.history
                                .push("  rolled back to the savepoint".to_owned());
                            oracle = then;
                            compare(&t, &oracle);
                        }
                    }
                }
                t.check()
                    .expect("no event of this model breaks an invariant");
                t.commit().expect("the commit succeeds");
                self.frames += u64::from(oracle != self.oracle);
                self.oracle = oracle;
            }
            // A transaction that is dropped.
            7 => {
                let mut t = store.begin();
                for _ in 0..self.random.below(5) {
                    self.apply(&mut t, &mut oracle);
                }
                drop(t);
                assert_eq!(store.fingerprint(), fingerprint);
            }
            8 | 9 => {
                self.batch(store, &mut oracle);
                self.oracle = oracle;
            }
            // A what-if.
            _ => {
                let answer = store.what_if(|t| -> Result<_, StepError> {
                    for _ in 0..self.random.below(5) {
                        let event = self.random.event(&oracle);
                        let found = fire(t, &event, &oracle).map_err(|e| variant(&e));
                        assert_eq!(found, oracle.apply(&event).map_err(str::to_owned));
                        compare(t, &oracle);
                    }
                    Ok(oracle.wants.len())
                });
                assert_eq!(answer.expect("nothing to reject"), oracle.wants.len());
                assert_eq!(store.fingerprint(), fingerprint);
            }
        }
        compare(store, &self.oracle);
        assert_consistent(store);
    }
}

fn history(seed: u64) {
    let dir = temp_dir();
    let open = || {
        let options = unsynced::<Model>().segment_bytes_max(4_096);
        // One history in four runs on a paranoid store.
        let options = if seed % 4 == 1 {
            options.paranoid()
        } else {
            options
        };
        options.open(dir.path()).expect("the store opens")
    };
    let mut walk = Walk {
        random: Random(seed),
        oracle: Oracle::default(),
        history: Vec::new(),
        frames: 0,
    };
    let mut store = open();
    let walked = catch_unwind(AssertUnwindSafe(|| {
        for i in 0..STEPS {
            walk.step(&mut store);
            if i % 30 == 29 {
                let fingerprint = store.fingerprint();
                let mut beside =
                    Store::<Model>::open_read_only(dir.path()).expect("it opens beside the writer");
                compare(&beside, &walk.oracle);
                walk.refused_batch(&mut beside);
                drop(std::mem::replace(&mut store, Store::memory()));
                store = open();
                walk.history.push("opened again".to_owned());
                assert_eq!(store.fingerprint(), fingerprint);
                compare(&store, &walk.oracle);
                let agreed = assert_sound(&store);
                // A transaction whose events change nothing is a frame too.
                assert!(
                    agreed >= walk.frames,
                    "{agreed} frames, and {} changes",
                    walk.frames
                );
            }
        }
    }));
    if let Err(panic) = walked {
        eprintln!(
            "seed {seed} (IRONWEAVE_SEED={seed} runs it alone):\n{}",
            walk.history.join("\n")
        );
        resume_unwind(panic);
    }
}

/// A history gives the same graph with a log and without one.
#[test]
fn a_store_without_a_log_has_the_same_graph() {
    for seed in 1_000..1_020 {
        let walked = |mut store: Store<Model>| {
            let mut walk = Walk {
                random: Random(seed),
                oracle: Oracle::default(),
                history: Vec::new(),
                frames: 0,
            };
            (0..STEPS).for_each(|_| walk.step(&mut store));
            store
        };
        let (logged, unlogged) = (walked(Store::memory()), walked(Store::unlogged()));
        assert_eq!(
            logged.fingerprint(),
            unlogged.fingerprint(),
            "seed {seed} gives two graphs"
        );
    }
}

#[test]
fn every_history_matches_the_oracle() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text: String| text.parse::<u64>().ok())
    };
    if let Some(seed) = number("IRONWEAVE_SEED") {
        return history(seed);
    }
    for seed in 0..number("IRONWEAVE_SEEDS").unwrap_or(HISTORIES) {
        history(seed);
    }
}
