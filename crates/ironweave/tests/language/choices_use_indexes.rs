//! What is chosen does not depend on the index that finds it: indexes by equality and values that are equal but stored differently, keys
//! of several fields, due times, and what an event creates or a candidate leaves.

use ironweave::prelude::*;
use serde::{Deserialize, Serialize};

use super::assert_sound;

/// A text in which case does not matter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Caseless(pub String);

impl PartialEq for Caseless {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Caseless {}

#[ironweave::model]
pub mod ward {
    use super::Caseless;
    use ironweave::prelude::*;

    #[entity]
    pub struct Seat {
        #[key]
        pub row: u64,
        #[key]
        pub number: String,
        #[index]
        pub kind: Caseless,
    }
    #[states(Seat)]
    pub enum SeatState {
        #[initial]
        #[to(Held)]
        Free,
        #[to(Free)]
        Held { until: Timestamp },
    }

    #[event]
    #[create(seat: Seat { row, number, kind })]
    pub struct SeatBuilt {
        pub row: u64,
        pub number: String,
        pub kind: Caseless,
    }
    #[event]
    #[choose(seat: Seat in Free where number == number, row == row)]
    #[moves(seat: Free -> Held { until })]
    pub struct SeatHeld {
        pub row: u64,
        pub number: String,
        pub until: Timestamp,
    }
    #[event]
    #[choose(seats: up to 9 of Seat in Free where kind == kind)]
    pub struct OfKind {
        pub kind: Caseless,
    }
    #[event]
    #[choose(seats: 2 of Seat in Held by until)]
    pub struct NextToExpire {}
    #[event]
    #[due(seat.Held.until)]
    #[moves(seat: Held -> Free)]
    pub struct HoldEnded {
        pub seat: Seat,
    }

    #[entity]
    pub struct Part {
        #[index(ordered)]
        pub size: u64,
    }
    #[states(Part)]
    pub enum PartState {
        #[initial]
        #[to(Used)]
        Stored,
        #[terminal]
        Used,
    }
    #[entity]
    pub struct Order {
        pub size: u64,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Done)]
        Open,
        #[terminal]
        Done,
    }

    #[event]
    #[create(part: Part { size })]
    pub struct PartStored {
        pub size: u64,
    }
    #[event]
    #[create(order: Order { size })]
    pub struct Ordered {
        pub size: u64,
    }
    /// What it creates is the first of its candidates.
    #[immediate]
    #[when(order.size > 100)]
    #[create(spare: Part { size = 1 })]
    #[choose(part: Part in Stored by size)]
    #[moves(order: Open -> Done)]
    #[moves(part: Stored -> Used)]
    pub struct Made {
        pub order: Order,
    }

    #[entity]
    pub struct Room {
        pub guests: Many<Guest>,
        pub tables: Many<Table>,
    }
    #[entity]
    #[index(ordered, fields = [room, size])]
    pub struct Table {
        pub size: u64,
        #[inverse(Room::tables)]
        #[edge(on_delete = unlink)]
        pub room: Option<Room>,
        pub lamps: Many<Lamp>,
    }
    #[states(Table)]
    pub enum TableState {
        #[initial]
        #[terminal]
        Standing,
    }
    #[entity]
    pub struct Lamp {
        #[inverse(Table::lamps)]
        pub table: Table,
    }
    #[states(Lamp)]
    pub enum LampState {
        #[initial]
        #[to(On)]
        Off,
        #[terminal]
        On,
    }
    #[entity]
    #[index(ordered, fields = [room, size], while = Waiting)]
    pub struct Guest {
        pub size: u64,
        #[inverse(Room::guests)]
        pub room: Option<Room>,
    }
    #[states(Guest)]
    pub enum GuestState {
        #[initial]
        #[to(Seated)]
        Waiting,
        #[terminal]
        Seated,
    }

    #[event]
    #[create(room: Room)]
    #[create(small: Table { size = 2 })]
    #[create(large: Table { size = 4 })]
    #[create(lamp: Lamp)]
    #[create(guest: Guest { size = 1 })]
    #[link(small.room += room)]
    #[link(large.room += room)]
    #[link(lamp.table += large)]
    #[link(guest.room += room)]
    pub struct Opened {}
    #[event]
    #[unlink(table.room -= table.room)]
    pub struct TableTaken {
        pub table: Table,
    }
    /// The smallest table decides, even if it has no lamp.
    #[immediate]
    #[choose(table: guest.room.tables in Standing where size >= guest.size by size)]
    #[choose(lamp: table.lamps in Off)]
    #[moves(guest: Waiting -> Seated)]
    #[moves(lamp: Off -> On)]
    pub struct Lit {
        pub guest: Guest,
    }
}

use ward::{state::*, *};

fn seat(store: &mut Store<ward::Model>, row: u64, number: &str, kind: &str) -> Seat {
    let (number, kind) = (number.to_owned(), Caseless(kind.to_owned()));
    let built = SeatBuilt { row, number, kind };
    store.step(built).created.seat
}

#[test]
fn a_key_of_several_fields_finds_its_entity() {
    let mut store = Store::<ward::Model>::memory();
    let seats = [(1, "a"), (1, "b"), (2, "a")];
    let seats = seats.map(|(row, number)| seat(&mut store, row, number, "plain"));
    let until = Timestamp::from_micros(5);
    let mut hold = |row, number: &str| {
        let number = number.to_owned();
        let held = store.try_step(SeatHeld { row, number, until });
        held.ok().map(|receipt| receipt.bound.seat.id())
    };
    assert_eq!(hold(2, "a"), Some(seats[2].id()));
    assert_eq!(hold(2, "b"), None);
    assert_eq!(hold(2, "a"), None, "it is held");
    assert_eq!(hold(1, "b"), Some(seats[1].id()));
    assert_sound(&store);
}

#[test]
fn equal_values_that_are_stored_differently_are_chosen_although_there_is_an_index() {
    let mut store = Store::<ward::Model>::memory();
    let seats = ["Wide", "narrow", "WIDE"].map(|kind| seat(&mut store, 1, kind, kind));
    let kind = Caseless("wide".to_owned());
    let chosen = store.step(OfKind { kind }).bound.seats;
    let chosen: Vec<_> = chosen.iter().map(Seat::id).collect();
    assert_eq!(chosen, [seats[0].id(), seats[2].id()]);
}

#[test]
fn a_choice_by_a_due_time_is_in_its_order() {
    let mut store = Store::<ward::Model>::memory();
    let mut held = Vec::new();
    for (number, until) in [("a", 30), ("b", 10), ("c", 20)] {
        held.push(seat(&mut store, 1, number, "plain").id());
        let (number, until) = (number.to_owned(), Timestamp::from_micros(until));
        let row = 1;
        store.step(SeatHeld { row, number, until });
    }
    let chosen = store.step(NextToExpire {}).bound.seats;
    let chosen: Vec<_> = chosen.iter().map(Seat::id).collect();
    assert_eq!(chosen, [held[1], held[2]]);
    assert_sound(&store);
}

#[test]
fn what_an_immediate_event_creates_is_among_its_candidates() {
    let mut store = Store::<ward::Model>::memory();
    let stored = store.step(PartStored { size: 7 }).created.part;
    store.step(Ordered { size: 101 });
    assert!(stored.is::<Stored>(&store), "the spare one is smaller");
    assert_eq!(store.count::<Part, Used>(), 1);
    assert_sound(&store);
}

#[test]
fn a_candidate_that_leaves_may_enable_an_event_that_chooses_from_the_next_one() {
    let mut store = Store::<ward::Model>::memory();
    let opened = store.step(Opened {}).created;
    assert!(
        opened.guest.is::<Waiting>(&store),
        "the small table has no lamp"
    );
    let table = opened.small;
    store.step(TableTaken { table });
    assert!(opened.guest.is::<Seated>(&store));
    assert!(opened.lamp.is::<On>(&store));
    assert_sound(&store);
}
