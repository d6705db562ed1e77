//! Histories in a program that declares the items of the model in another order.

use super::*;

/// The club, declared in another order, so that its items have other indexes.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod again {
    use crate::prelude::*;

    #[event]
    #[relink(room.people += person)]
    pub struct Entered {
        pub person: Person,
        pub room: Room,
    }
    #[event]
    #[unlink(a.knows -= b)]
    pub struct Forgot {
        pub a: Person,
        pub b: Person,
    }
    #[event]
    #[link(a.knows += b { data = since })]
    pub struct Met {
        pub a: Person,
        pub b: Person,
        pub since: u64,
    }
    #[event]
    #[set(person.note = note)]
    pub struct Noted {
        pub person: Person,
        pub note: u64,
    }
    #[event]
    #[delete(person)]
    pub struct Went {
        pub person: Person,
    }
    #[event]
    #[create(person: Person { name, note = 0 })]
    pub struct Came {
        pub name: u64,
    }
    #[event]
    #[create(room: Room { floor, number })]
    pub struct Built {
        pub floor: u64,
        pub number: u64,
    }

    #[entity]
    pub struct Room {
        #[key]
        pub number: u64,
        #[key]
        pub floor: u64,
        pub people: Many<Person>,
    }
    #[entity]
    pub struct Person {
        #[inverse(Room::people)]
        #[edge(on_delete = unlink)]
        pub room: Option<Room>,
        #[edge(data = u64)]
        pub knows: Many<Person>,
        pub note: u64,
        #[key]
        pub name: u64,
        #[edge(on_delete = unlink)]
        #[inverse(Person::knows)]
        pub known_by: Many<Person>,
    }
}

#[test]
fn an_index_serves_a_program_that_declares_the_model_in_another_order() {
    let dir = scratch();
    let mut store = open(dir.path());
    let mut random = Random(12);
    for _ in 0..60 {
        step(&mut store, &mut random, 5);
    }
    same(&store, "as it was written");
    let seen = look_at_all(&store);
    let room = store.find::<Room>(&(1, 0)).unwrap();
    let expected = lines(store.history(room).unwrap());
    drop(store);
    let options = Store::<again::Model>::options();
    let store = options.open(dir.path()).unwrap();
    assert_ne!(again::Person::INDEX, Person::INDEX);
    let (mut asked, mut own) = (0, 0);
    // The whole last segment is read.
    store.history(again::Room::from_id(room.id())).unwrap();
    let (frames, _, ()) = reads(|| {
        // Floor and number are in another order too.
        let had = store.history_of_key::<again::Room>(&(0, 1)).unwrap();
        assert_eq!(had.len(), 1);
        own += had[0].1.len() + 1;
        assert_eq!(lines(had.into_iter().next().unwrap().1), expected);
        for ((_, id), expected) in seen.of.iter().filter(|(w, _)| w.0 == Person::INDEX) {
            let past = store.history(again::Person::from_id(*id)).unwrap();
            assert_eq!(lines(past), *expected);
            (asked, own) = (asked + 1, own + expected.len());
        }
    });
    // No index was made again.
    assert!(
        frames <= own + asked * 2 + 2,
        "{frames} for {own} facts of {asked}"
    );
}
