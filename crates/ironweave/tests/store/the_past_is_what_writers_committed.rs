//! Random writers and readers of the past share a store. What each reader saw is compared with a plain map to which what
//! the writers were given receipts for is applied, in the order of the log.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ironweave::Seq;
use ironweave::prelude::*;

use crate::accounts::*;
use crate::harness::random::Random;
use crate::harness::temp_dir;

/// The balance of each owner.
type Balances = BTreeMap<String, u64>;

/// What a transaction sets.
type Sets = Vec<(String, u64)>;

fn balances(db: &impl Db) -> Balances {
    let one = |account: Account| (account.owner(db).to_owned(), account.balance(db));
    db.place::<Account, Any>().map(one).collect()
}

fn opened(owner: &str) -> Opened {
    Opened {
        owner: owner.into(),
    }
}

/// Opens and sets accounts, also in transactions that are rolled back. Returns what was committed.
fn write(store: &SharedStore<Model>, writer: usize, seed: u64, steps: usize) -> Vec<(Seq, Sets)> {
    let mut random = Random(seed);
    let mut committed = Vec::new();
    let mut own: Vec<(String, Account)> = Vec::new();
    for step in 0..steps {
        if own.len() < 3 || random.chance(10) {
            let owner = format!("{writer}/{step}");
            let receipt = store.step(opened(&owner));
            own.push((owner.clone(), receipt.created.account.any()));
            committed.push((receipt.seq, vec![(owner, 0)]));
            continue;
        }
        let sets: Vec<(usize, u64)> = (0..=random.below(3))
            .map(|_| (random.below(own.len()), random.below(600) as u64))
            .collect();
        let rolled_back = random.chance(20);
        let panics = random.chance(5);
        let done = catch_unwind(AssertUnwindSafe(|| {
            store.transaction(|t| {
                for &(i, balance) in &sets {
                    let account = own[i].1;
                    t.apply(Set { account, balance })?;
                }
                // The same owner twice rejects, and this balance panics.
                if rolled_back {
                    t.apply(opened(&own[0].0))?;
                }
                if panics {
                    let account = own[0].1;
                    t.apply(Set {
                        account,
                        balance: 666,
                    })?;
                }
                Ok::<_, StepError>(())
            })
        }));
        match done {
            Ok(Ok(((), done))) => {
                assert!(!rolled_back && !panics);
                let sets = sets.iter().map(|&(i, balance)| (own[i].0.clone(), balance));
                committed.push((done.seq().expect("it is logged"), sets.collect()));
            }
            Ok(Err(_)) => assert!(rolled_back),
            Err(_) => assert!(panics),
        }
    }
    committed
}

/// Asks about the past until the writers have ended. Returns what it saw, by the frame that it saw it after.
fn read(store: &SharedStore<Model>, seed: u64, ended: &AtomicBool) -> Vec<(Seq, Balances)> {
    let mut random = Random(seed);
    let mut seen = Vec::new();
    let reader = store.reader();
    let mut subscription = store.subscribe(0).expect("it reads");
    let mut next = None;
    while !ended.load(Ordering::Relaxed) {
        let last = store
            .seq()
            .expect("it reads")
            .expect("a log begins with its schema");
        let seq = Seq::new(random.below(last.get() as usize + 1) as u64);
        let snapshot = match random.below(5) {
            0 => store.as_of(seq).expect("it reads"),
            1 => {
                let position = store.locate(seq).expect("it is there");
                store.as_of(position).expect("it reads")
            }
            2 => store.as_of(Timestamp::now()).expect("it reads"),
            3 => store.snapshot().expect("it reads"),
            _ => reader.snapshot(),
        };
        let at = snapshot.seq().expect("a frame");
        // No thread is shown what a power failure could take back.
        assert!(store.durable() >= Some(at), "{at} is not durable");
        seen.push((at, balances(&snapshot)));
        // Records follow one another, up to the end of the log at the time of the call.
        let mut expected = seq;
        for record in store.since(seq).expect("it reads") {
            expected += 1;
            assert_eq!(record.expect("it reads").seq(), expected);
        }
        assert!(expected >= last, "{expected} of {last}");
        assert!(store.durable() >= Some(expected));
        let account = snapshot.place::<Account, Any>().next();
        if let Some(account) = account {
            let history = store.history(account).expect("it reads");
            let seqs: Vec<Seq> = history.iter().map(|entry| entry.record().seq()).collect();
            assert!(seqs.is_sorted() && !seqs.is_empty());
        }
        if let Some(record) = subscription.try_next().expect("it reads") {
            assert!(store.durable() >= Some(record.seq()));
            assert!(next.is_none_or(|next| next == record.seq()));
            next = Some(record.seq() + 1);
        }
    }
    seen
}

fn compare(store: Store<Model>, seed: u64, steps: usize) {
    let store = store.share();
    let ended = AtomicBool::new(false);
    let (mut committed, seen) = thread::scope(|s| {
        let (store, ended) = (&store, &ended);
        let readers = [0, 1].map(|i| s.spawn(move || read(store, seed ^ (i + 1) << 20, ended)));
        let writers = [0, 1, 2].map(|writer| {
            s.spawn(move || write(store, writer, seed ^ (writer as u64 + 1) << 40, steps))
        });
        let committed = writers.map(|writer| writer.join());
        // Before a failure of a writer is passed on.
        ended.store(true, Ordering::Relaxed);
        let committed = committed.map(|sets| sets.expect("a writer"));
        (
            committed.concat(),
            readers
                .map(|reader| reader.join().expect("a reader"))
                .concat(),
        )
    });
    committed.sort_by_key(|(seq, _)| *seq);
    let mut states: Vec<Balances> = vec![Balances::new()];
    for (i, (seq, sets)) in committed.into_iter().enumerate() {
        assert_eq!(seq, i as u64 + 1, "every receipt has a frame of its own");
        let mut state = states.last().expect("there is one").clone();
        state.extend(sets);
        states.push(state);
    }
    for (seq, balances) in seen {
        assert_eq!(
            states.get(seq.get() as usize),
            Some(&balances),
            "after frame {seq}"
        );
    }
    for (seq, state) in (0..).map(Seq::new).zip(&states) {
        assert_eq!(&balances(&store.as_of(seq).expect("it reads")), state);
    }
    assert_eq!(store.verify().expect("it agrees"), states.len() as u64 - 1);
    assert!(store.close().expect("it closes").is_none());
}

#[test]
fn readers_of_the_past_see_what_was_committed_in_memory() {
    for seed in 0..4 {
        compare(Store::memory(), seed, 300);
    }
}

#[test]
fn readers_of_the_past_see_what_was_committed_on_disk() {
    for (seed, durability) in [(10, Durability::Always), (11, Durability::Always)] {
        let dir = temp_dir();
        let options = Store::<Model>::options().durability(durability);
        let store = options.segment_bytes_max(20_000).open(dir.path());
        compare(store.expect("it opens"), seed, 100);
    }
}
