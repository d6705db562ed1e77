//! What a store lists as due is what a scan of all entities finds, after any history: rejected and rolled back transactions,
//! deleted entities, checkpoints, another open, snapshots and the past. What it fires is what a naive loop over that scan fires.

use std::collections::BTreeMap;

use ironweave::prelude::*;
use ironweave::{DueReport, Id, Seq, Snapshot};

use crate::desk::*;
use crate::harness::random::Random;
use crate::harness::{assert_consistent, reopened, temp_dir, unsynced};

/// A due event: its time, the place of its declaration, its name, and the entity.
type Found = (Timestamp, usize, Id);

const NAMES: [&str; 4] = ["Expire", "Miss", "Remind", "Renew"];

/// Scans all entities.
fn scan(db: &impl Db, now: Timestamp) -> Vec<Found> {
    let mut found: Vec<Found> = Vec::new();
    for seat in db.place::<Seat, Any>() {
        if let SeatState::Reserved(reserved) = seat.state(db) {
            found.push((reserved.until(db), 0, seat.id()));
        }
    }
    for task in db.place::<Task, Any>() {
        let state = task.state(db);
        if let (TaskState::Open(_), Some(time)) = (&state, task.deadline(db)) {
            found.push((*time, 1, task.id()));
        }
        if let (TaskState::Open(_) | TaskState::Late(_), Some(time)) = (&state, task.remind_at(db))
        {
            found.push((*time, 2, task.id()));
        }
    }
    for lease in db.place::<Lease, Any>() {
        found.push((lease.renew_at(db), 3, lease.id()));
    }
    found.retain(|(time, ..)| *time <= now);
    found.sort_by_key(|(time, event, id)| (*time, *event, id.slot()));
    found
}

/// What a store or a snapshot lists.
fn listed(due: impl Iterator<Item = ironweave::DueEvent<Model>>) -> Vec<Found> {
    let place = |name| NAMES.iter().position(|known| *known == name).unwrap();
    due.map(|due| (due.time, place(due.event.name()), due.entity.id))
        .collect()
}

fn assert_listed(store: &Store<Model>, now: Timestamp) {
    assert_eq!(listed(store.due(now)), scan(store, now));
    assert_consistent(store);
}

fn time(random: &mut Random) -> Timestamp {
    secs(1000 + random.below(20) as i64)
}

fn maybe(random: &mut Random) -> Option<Timestamp> {
    random.chance(70).then(|| time(random))
}

/// A random event, which is often rejected.
fn event(random: &mut Random) -> AnyEvent {
    let seat = random.below(5) as u64;
    let name = ["a", "b", "c", "d"][random.below(4)];
    let person = ["Ada", "Grace"][random.below(2)];
    match random.below(12) {
        0 | 1 => AnyEvent::Reserve(Reserve {
            seat: seat.into(),
            until: time(random),
            guest: "guest".into(),
        }),
        2 => AnyEvent::Prolong(Prolong {
            seat: seat.into(),
            until: time(random),
        }),
        3 => AnyEvent::Sell(Sell { seat: seat.into() }),
        4 => AnyEvent::Remove(Remove { seat: seat.into() }),
        5 => AnyEvent::Assign(Assign {
            name: name.into(),
            owner: person.into(),
            deadline: maybe(random),
            remind_at: maybe(random),
        }),
        6 => AnyEvent::Plan(Plan {
            task: name.into(),
            deadline: maybe(random),
            remind_at: maybe(random),
        }),
        7 => AnyEvent::Finish(Finish { task: name.into() }),
        8 => AnyEvent::Reopen(Reopen { task: name.into() }),
        9 => AnyEvent::Leave(Leave {
            person: person.into(),
        }),
        10 => AnyEvent::Return(Return {
            person: person.into(),
        }),
        _ => AnyEvent::Grant(Grant {
            client: ["client", "never", "other"][random.below(3)].into(),
            number: random.below(3) as u64 * 100,
            renew_at: time(random),
            period: [1, 7, 0][random.below(3)],
        }),
    }
}

/// Fires what is due by a scan for each event: the first one that was not tried yet.
fn fire_naively(store: &mut Store<Model>, now: Timestamp) -> Vec<(Found, bool)> {
    let mut tried: Vec<(Found, bool)> = Vec::new();
    loop {
        let is_new =
            |found: &Found| (tried.iter()).all(|((_, e, id), _)| (*e, *id) != (found.1, found.2));
        let Some(found) = scan(store, now).into_iter().find(is_new) else {
            return tried;
        };
        let (_, event, id) = found;
        let fired = match event {
            0 => store
                .try_step(Expire {
                    seat: Seat::from_id(id),
                })
                .map(|_| ()),
            1 => {
                let task = Task::<Any>::from_id(id).in_state::<Open>(store).unwrap();
                store.try_step(Miss { task }).map(|_| ())
            }
            2 => {
                let name = Task::<Any>::from_id(id).name(store).to_owned();
                store.try_step(Remind { task: name.into() }).map(|_| ())
            }
            _ => {
                let lease = Lease::<Any>::from_id(id);
                let key = (lease.client(store).to_owned(), lease.number(store));
                let renew = Renew {
                    lease: Key::new(key),
                };
                store.try_step(renew).map(|_| ())
            }
        };
        tried.push((found, fired.is_ok()));
    }
}

/// What a report says, in the order of the naive loop.
fn reported(report: &DueReport<Model>) -> (Vec<Found>, Vec<Found>) {
    let place = |name| NAMES.iter().position(|known| *known == name).unwrap();
    let fired = report.fired.iter();
    let rejected = report.rejected.iter();
    (
        fired
            .map(|f| (f.time, place(f.event), f.entity.id))
            .collect(),
        rejected
            .map(|r| (r.due.time, place(r.due.event.name()), r.due.entity.id))
            .collect(),
    )
}

fn assert_fires_as_the_naive_loop(snapshot: &Snapshot<Model>, now: Timestamp) {
    let (mut store, mut naive) = (snapshot.clone().into_store(), snapshot.clone().into_store());
    let tried = fire_naively(&mut naive, now);
    let (fired, rejected) = reported(&store.fire_due(now).unwrap());
    let expected = |ok: bool| -> Vec<Found> {
        let of = tried.iter().filter(|(_, fired)| *fired == ok);
        of.map(|(found, _)| *found).collect()
    };
    assert_eq!((fired, rejected), (expected(true), expected(false)));
    assert_eq!(store.fingerprint(), naive.fingerprint());
    assert_listed(&store, now);
}

#[test]
fn random_histories_list_and_fire_what_a_scan_finds() {
    for seed in 0..8 {
        history(&mut Random(seed));
    }
}

fn history(random: &mut Random) {
    let dir = temp_dir();
    let mut store = unsynced::<Model>().open(dir.path()).unwrap();
    let mut past: BTreeMap<Seq, Vec<Found>> = BTreeMap::new();
    let mut snapshots: Vec<(Snapshot<Model>, Vec<Found>)> = Vec::new();
    let end = secs(2000);
    for _ in 0..120 {
        match random.below(20) {
            0 => store = reopened(dir.path(), store),
            1 => drop(store.checkpoint().unwrap()),
            2 => snapshots.push((store.snapshot(), scan(&store, end))),
            3 => {
                // Rolled back, wholly or to a savepoint.
                let mut transaction = store.begin();
                for _ in 0..3 {
                    let _ = transaction.apply_any(&event(random));
                }
                let savepoint = transaction.savepoint();
                let _ = transaction.apply_any(&event(random));
                if random.chance(50) {
                    transaction.rollback_to(savepoint).unwrap();
                    transaction.commit().unwrap();
                }
            }
            4 => {
                let tried = event(random);
                let listed = store.what_if(|t| {
                    let _ = t.apply_any(&tried);
                    Ok::<_, StepError>(scan(t, end).len())
                });
                assert!(listed.is_ok());
            }
            5 => {
                let now = time(random);
                assert_fires_as_the_naive_loop(&store.snapshot(), now);
            }
            6 | 7 => {
                let now = time(random);
                let report = store.fire_due(now).unwrap();
                let (fired, _) = reported(&report);
                assert!(fired.iter().all(|(time, ..)| *time <= now));
                // What is tried later is not due earlier than it says.
                let first = scan(&store, end).first().map(|(time, ..)| *time);
                assert!(store.next_due() >= first);
            }
            _ => {
                let _ = store.try_step_any(&event(random));
            }
        }
        assert_listed(&store, end);
        assert_listed(&store, time(random));
        past.insert(store.seq().unwrap(), scan(&store, end));
    }
    for (snapshot, found) in &snapshots {
        assert_eq!(listed(snapshot.due(end)), *found);
    }
    for (seq, found) in past.iter().skip(random.below(3)).step_by(3) {
        let then = store.as_of(*seq).unwrap();
        assert_eq!(listed(then.due(end)), *found);
    }
    store.verify().unwrap();
}
