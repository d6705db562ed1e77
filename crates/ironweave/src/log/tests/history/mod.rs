//! Histories that are read with the segment indexes equal those from a scan of every frame, in any state of the indexes,
//! and read a bounded number of frames.

mod background;
mod cost;
mod harm;
mod order;
mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::scan::FRAMES_READ;
use super::super::segment_index::PAGES_READ;
use super::faults::Faults;
use super::segment_index::Random;
use super::*;
use crate::Db as _;
use crate::Entity as _;
use crate::base::id::Id;
use crate::base::meta::Meta;
use crate::schema::EntityIx;
use crate::store::{Durability, FactEntity, FactKind, Store};

/// Who knows whom.
#[crate::model]
#[allow(dead_code, missing_docs)]
pub(super) mod club {
    use crate::prelude::*;

    #[entity]
    pub struct Person {
        #[key]
        pub name: u64,
        pub note: u64,
        #[edge(data = u64)]
        pub knows: Many<Person>,
        #[inverse(Person::knows)]
        #[edge(on_delete = unlink)]
        pub known_by: Many<Person>,
        #[inverse(Room::people)]
        #[edge(on_delete = unlink)]
        pub room: Option<Room>,
    }
    #[entity]
    pub struct Room {
        #[key]
        pub floor: u64,
        #[key]
        pub number: u64,
        pub people: Many<Person>,
    }

    #[event]
    #[create(room: Room { floor, number })]
    pub struct Built {
        pub floor: u64,
        pub number: u64,
    }
    #[event]
    #[create(person: Person { name, note = 0 })]
    pub struct Came {
        pub name: u64,
    }
    #[event]
    #[delete(person)]
    pub struct Went {
        pub person: Person,
    }
    #[event]
    #[set(person.note = note)]
    pub struct Noted {
        pub person: Person,
        pub note: u64,
    }
    #[event]
    #[link(a.knows += b { data = since })]
    pub struct Met {
        pub a: Person,
        pub b: Person,
        pub since: u64,
    }
    #[event]
    #[unlink(a.knows -= b)]
    pub struct Forgot {
        pub a: Person,
        pub b: Person,
    }
    #[event]
    #[relink(room.people += person)]
    pub struct Entered {
        pub person: Person,
        pub room: Room,
    }
}

use club::{Built, Came, Entered, Forgot, Met, Noted, Person, Room, Went};

type Club = Store<club::Model>;

/// Opens a store whose indexes are made by questions alone.
fn open(dir: &Path) -> Club {
    let options = Club::options().durability(Durability::Os);
    let options = options.segment_bytes_max(900).index_segments(false);
    options.open(dir).unwrap()
}

/// A log on a disk that a test can damage.
fn open_over(faults: &Arc<Faults>, dir: &Path) -> Club {
    let options = LogOptions {
        segment_bytes_max: 900,
        ..small()
    };
    let log = open_on(faults, dir, options).unwrap();
    Club::options()
        .durability(Durability::Os)
        .over_log(Box::new(log))
        .unwrap()
}

fn indexes(dir: &Path) -> Vec<PathBuf> {
    let mut files = files(dir);
    files.retain(|path| path.extension().is_some_and(|e| e == "index"));
    files
}

/// Takes one or more steps: people come, go and meet, and others reuse their slots, at times within one transaction.
fn step(store: &mut Club, random: &mut Random, names: u64) {
    if store.count::<Room, crate::db::entity::Any>() == 0 {
        for number in 0..2 {
            store.step(Built { floor: 1, number });
        }
    }
    let mut t = store.begin();
    for _ in 0..1 + random.next() % 3 {
        let people: Vec<Person> = t.place::<Person, crate::db::entity::Any>().collect();
        let rooms: Vec<Room> = t.place::<Room, crate::db::entity::Any>().collect();
        let any = |n: u64| people[n as usize % people.len()];
        let (a, b) = (random.next(), random.next());
        // An impossible event is rejected, and the transaction continues.
        let _ = match random.next() % 8 {
            _ if people.is_empty() => t.apply(Came { name: a % names }).map(drop),
            0 | 1 => t.apply(Came { name: a % names }).map(drop),
            2 => t.apply(Went { person: any(a) }).map(drop),
            3 => t
                .apply(Noted {
                    person: any(a),
                    note: b % 100,
                })
                .map(drop),
            4 | 5 => t
                .apply(Met {
                    a: any(a),
                    b: any(b),
                    since: a % 100,
                })
                .map(drop),
            6 => t
                .apply(Forgot {
                    a: any(a),
                    b: any(b),
                })
                .map(drop),
            _ => {
                let room = rooms[b as usize % rooms.len()];
                t.apply(Entered {
                    person: any(a),
                    room,
                })
                .map(drop)
            }
        };
    }
    t.commit().unwrap();
}

/// A fact of a frame, rendered as text.
type Line = (Seq, String);
/// An entity: its type and id.
type Who = (EntityIx, Id);

/// The histories that a scan of every frame returns.
#[derive(Default)]
struct Seen {
    of: BTreeMap<Who, Vec<Line>>,
    between: BTreeMap<(Who, Who), Vec<Line>>,
    /// By name.
    people: BTreeMap<u64, Vec<Id>>,
}

fn look_at_all(store: &Club) -> Seen {
    let mut seen = Seen::default();
    let mut at: BTreeMap<(EntityIx, u32), Id> = BTreeMap::new();
    for record in store.tx_range(..).unwrap() {
        let record = record.unwrap();
        for fact in record.facts() {
            let index = |e: FactEntity<'_>| match e.type_name() {
                <Person as crate::Entity>::NAME => Person::INDEX,
                _ => Room::INDEX,
            };
            let entity = fact.entity();
            if let Some(id) = entity.id().filter(|_| fact.kind() == FactKind::Create) {
                at.insert((index(entity), entity.slot()), id);
            }
            let who = [Some(entity), fact.other()].map(|who| {
                let who = who?;
                Some((index(who), at[&(index(who), who.slot())]))
            });
            let line = (record.seq(), fact.to_string());
            if fact.kind() == FactKind::Set && line.1.contains(".name = ") {
                let name = line.1.rsplit(' ').next().unwrap().parse().unwrap();
                let list = seen.people.entry(name).or_default();
                list.push(who[0].unwrap().1);
            }
            if let [Some(a), Some(b)] = who {
                let pair = (a.min(b), a.max(b));
                seen.between.entry(pair).or_default().push(line.clone());
            }
            let mut who: Vec<Who> = who.into_iter().flatten().collect();
            who.dedup();
            for who in who {
                seen.of.entry(who).or_default().push(line.clone());
            }
        }
    }
    seen
}

fn lines<M: crate::Model>(history: Vec<crate::HistoryEntry<M>>) -> Vec<Line> {
    let line = |entry: &crate::HistoryEntry<M>| (entry.seq(), entry.fact().to_string());
    history.iter().map(line).collect()
}

fn history(store: &Club, (entity, id): Who) -> Vec<Line> {
    let history = match entity {
        Person::INDEX => store.history(Person::from_id(id)),
        _ => store.history(Room::from_id(id)),
    };
    lines(history.unwrap())
}

/// Compares every history with a scan of every frame.
fn same(store: &Club, what: &str) {
    let seen = look_at_all(store);
    for (who, expected) in &seen.of {
        assert_eq!(history(store, *who), *expected, "{what}: {who:?}");
    }
    // Pairs that were linked at some time, and some that were not, the dead among them.
    let people: Vec<Who> = (seen.of.keys().copied())
        .filter(|(entity, _)| *entity == Person::INDEX)
        .collect();
    let strangers = people.iter().rev().zip(&people).step_by(3);
    let linked = seen.between.keys().step_by(2).map(|(a, b)| (a, b));
    for (a, b) in linked.chain(strangers) {
        if (a.0, b.0) != (Person::INDEX, Person::INDEX) {
            continue;
        }
        let (x, y) = (Person::from_id(a.1), Person::from_id(b.1));
        let between = lines(store.history_between(x, y).unwrap());
        let expected = seen.between.get(&(*a.min(b), *a.max(b)));
        let expected = expected.cloned().unwrap_or_default();
        assert_eq!(between, expected, "{what}: {a:?} {b:?}");
    }
    for (name, ids) in &seen.people {
        let had = store.history_of_key::<Person>(name).unwrap();
        let who: Vec<Id> = had.iter().map(|(who, _)| who.id()).collect();
        assert_eq!(who, *ids, "{what}: {name}");
        for (who, past) in had {
            assert_eq!(lines(past), seen.of[&(Person::INDEX, who.id())], "{what}");
        }
    }
    let had = store.history_of_key::<Room>(&(1, 1)).unwrap();
    assert_eq!(had.len(), 1, "{what}: the second room");
    // An entity that never existed has no history.
    let never_created = Id {
        slot: 0,
        generation: 0xff_ffff,
    };
    assert_eq!(history(store, (Person::INDEX, never_created)), []);
    let past = store.history_of_key::<Person>(&u64::MAX).unwrap();
    assert!(past.is_empty(), "{what}");
}

/// Returns how many frames and index pages `ask` reads, and its result.
fn reads<R>(ask: impl FnOnce() -> R) -> (usize, usize, R) {
    let before = (FRAMES_READ.get(), PAGES_READ.get());
    let result = ask();
    let (frames, pages) = (FRAMES_READ.get(), PAGES_READ.get());
    (frames - before.0, pages - before.1, result)
}

#[test]
fn histories_are_what_a_look_at_every_frame_gives() {
    for seed in 0..4 {
        let mut random = Random(seed);
        let dir = scratch();
        let mut store = open(dir.path());
        for round in 0..8 {
            for _ in 0..random.next() % 30 {
                step(&mut store, &mut random, 6);
            }
            // Asked along the way, at once, or after it was opened again; or by who may not write.
            match random.next() % 4 {
                0 => {}
                1 => same(&store, "it goes on"),
                2 => {
                    drop(store);
                    store = open(dir.path());
                    same(&store, "it was opened again");
                }
                _ => {
                    let beside = Club::open_read_only(dir.path()).unwrap();
                    same(&beside, "beside");
                }
            }
            assert_eq!(store.check(), [], "{seed}, {round}");
        }
        same(&store, "in the end");
        let segments = segment_files(dir.path()).len();
        assert!(segments > 8, "{segments}");
        assert_eq!(indexes(dir.path()).len(), segments - 1);
        let mut memory = Club::memory();
        let mut random = Random(seed);
        for _ in 0..100 {
            step(&mut memory, &mut random, 6);
        }
        same(&memory, "in memory");
        // The history of a log that begins with a snapshot begins at that snapshot.
        let mut later = memory.snapshot().into_store();
        for _ in 0..30 {
            let alive: Vec<Person> = later.place::<Person, crate::db::entity::Any>().collect();
            let had: Vec<_> = alive.iter().map(|p| later.history(*p).unwrap()).collect();
            let before = later.seq().unwrap();
            step(&mut later, &mut random, 6);
            let seq = later.seq().unwrap();
            if seq == before {
                continue;
            }
            for (person, had) in alive.iter().zip(had) {
                let now = lines(later.history(*person).unwrap());
                let new = now.iter().filter(|(s, _)| *s == seq).count();
                assert_eq!(now[..now.len() - new], lines(had));
                let record = later.tx_range(seq..).unwrap().next().unwrap().unwrap();
                let touched = record.facts().touches(*person);
                // It may have begun and ended in a transaction of others at its slot, but it was alive before.
                assert_eq!(touched, new > 0, "{person:?}");
            }
        }
    }
}

#[test]
fn a_reader_beside_a_writer_who_makes_indexes_sees_histories_of_what_it_has_seen() {
    let dir = scratch();
    let mut store = open(dir.path());
    step(&mut store, &mut Random(11), 5);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut random = Random(11);
            for i in 0..100 {
                step(&mut store, &mut random, 5);
                if i % 20 == 0 {
                    let who = store.history_of_key::<Person>(&1).unwrap();
                    drop(who);
                }
            }
            store
        });
        let mut beside = Club::open_read_only(dir.path()).unwrap();
        while !writer.is_finished() {
            beside.refresh().unwrap();
            let seen = look_at_all(&beside).of;
            for (who, expected) in seen.iter().rev().take(3).chain(seen.iter().take(3)) {
                assert_eq!(history(&beside, *who), *expected);
            }
        }
        let store = writer.join().unwrap();
        beside.refresh().unwrap();
        same(&store, "the writer");
        same(&beside, "the reader");
    });
}

#[test]
fn metadata_and_events_come_with_each_fact() {
    let dir = scratch();
    let mut store = open(dir.path());
    let by = |who: &str| Meta::new().with_actor(who);
    let came = store.try_step_with(by("ann"), Came { name: 1 }).unwrap();
    let person = came.created.person;
    for note in 0..50 {
        store
            .try_step_with(by("bob"), Noted { person, note })
            .unwrap();
    }
    assert!(segment_files(dir.path()).len() > 3);
    let past = store.history(person).unwrap();
    let actors: Vec<_> = past.iter().map(|p| p.meta().actor().unwrap()).collect();
    assert_eq!(actors, [["ann"; 3].as_slice(), &["bob"; 50]].concat());
    assert_eq!(past[2].event(), "Came");
    assert_eq!(past[52].fact().value::<u64>(), Some(49));
    assert!(past.is_sorted_by_key(|p| (p.seq(), p.time())));
}

#[test]
fn a_reader_that_outlives_its_store_writes_no_index() {
    let dir = scratch();
    let mut store = open(dir.path());
    let person = store.step(Came { name: 1 }).created.person;
    (0..60).for_each(|note| {
        store.step(Noted { person, note });
    });
    let reader = store.reader();
    drop(store);
    // Another process may write to the directory now.
    assert_eq!(indexes(dir.path()), Vec::<PathBuf>::new());
    assert!(reader.history(person).unwrap().len() > 60);
    assert_eq!(indexes(dir.path()), Vec::<PathBuf>::new());
    let store = open(dir.path());
    assert!(store.history(person).unwrap().len() > 60);
    assert!(!indexes(dir.path()).is_empty());
}
