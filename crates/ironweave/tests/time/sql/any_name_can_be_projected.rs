//! A model can be projected whatever its names are: these are as bad for SQL as Rust allows.

use std::path::Path;

use ironweave::Store;
use ironweave::prelude::*;
use rusqlite::Connection;

use super::{asked, int, text};
use bad::{Made, Model, Moved, ORDER, Order};

use crate::harness::temp_dir;

#[allow(non_camel_case_types, non_snake_case, clippy::upper_case_acronyms)]
#[ironweave::model]
pub mod bad {
    use ironweave::prelude::*;

    /// A keyword, with fields that are called as columns of every table, and as state data.
    #[entity]
    pub struct Order {
        #[key]
        pub group: u32,
        pub slot: u32,
        pub rowid: u32,
        pub r#type: String,
        pub sent_at: u32,
        pub ID: u32,
        pub hand: Many<Order>,
        pub hand_to: Many<ORDER>,
        pub view: Many<ORDER>,
        #[inverse(Order::hand)]
        pub held_by: Many<Order>,
    }
    #[states(Order)]
    pub enum OrderState {
        #[initial]
        #[to(Sent)]
        Open,
        #[terminal]
        Sent { at: u32 },
    }
    /// The same to SQLite.
    #[entity]
    pub struct ORDER {
        #[key]
        pub a: u32,
        #[key]
        pub b: u32,
        #[inverse(Order::hand_to)]
        pub handed_by: Many<Order>,
        #[inverse(Order::view)]
        pub viewed_by: Many<Order>,
    }
    /// The name of the registry.
    #[entity]
    pub struct Ironweave {
        /// And with this, of its other table.
        #[inverse(Sqlite::master)]
        pub sqlite: Many<Sqlite>,
        pub objects: Many<Sqlite>,
    }
    /// With its edges, names that SQLite keeps for itself.
    #[entity]
    pub struct Sqlite {
        pub master: Many<Ironweave>,
        #[inverse(Ironweave::objects)]
        pub object_of: Many<Ironweave>,
        pub from_slot: u32,
        pub data: u32,
    }
    /// A name without letters of ASCII, and one that is only `_`-ish.
    #[entity]
    pub struct Größe {
        pub größe: u32,
        pub GRÖSSEN: u32,
        pub _2: u32,
    }

    #[event]
    #[create(first: Order { group = 1, slot = 2, rowid = 3, r#type = "t", sent_at = 4, ID = 5 })]
    #[create(second: ORDER { a = 6, b = 7 })]
    #[create(third: Ironweave)]
    #[create(fourth: Sqlite { from_slot = 8, data = 9 })]
    #[create(fifth: Größe { größe = 10, GRÖSSEN = 11, _2 = 12 })]
    #[link(first.hand += first)]
    #[link(first.hand_to += second)]
    #[link(first.view += second)]
    #[link(fourth.master += third)]
    #[link(third.objects += fourth)]
    pub struct Made {}

    #[event]
    #[moves(order: Open -> Sent { at = 13 })]
    pub struct Moved {
        pub order: Order,
    }
}

#[test]
fn a_model_can_be_projected_whatever_its_names_are() {
    let dir = temp_dir();
    let path = dir.path().join("bad.sqlite");
    let mut store = Store::<Model>::memory();
    let made = store.step(Made {}).created;
    let mut tables = store
        .project_into_sqlite(&path)
        .expect("the store or the database opens");
    tables.catch_up().expect("the tables catch up");
    store.step(Moved { order: made.first });
    tables.catch_up().expect("the tables catch up");
    let client = Connection::open(&path).expect("the store or the database opens");
    let ints = |numbers: &[u32]| numbers.iter().map(|n| int(*n)).collect::<Vec<_>>();
    for (sql, expect) in [
        (
            "SELECT slot, \"group\", slot_2, rowid, sent_at, ID_2, Sent_at_2 FROM \"Order\" WHERE type = 't'",
            ints(&[0, 1, 2, 3, 4, 5, 13]),
        ),
        ("SELECT a, b FROM ORDER_2", ints(&[6, 7])),
        ("SELECT slot FROM Ironweave_2", ints(&[0])),
        ("SELECT slot, from_slot, data FROM Sqlite", ints(&[0, 8, 9])),
        ("SELECT größe, GRÖSSEN, _2 FROM Größe", ints(&[10, 11, 12])),
        ("SELECT from_slot, to_slot FROM Order_hand", ints(&[0, 0])),
        (
            "SELECT from_slot, to_slot FROM Order_hand_to",
            ints(&[0, 0]),
        ),
        ("SELECT from_slot, to_slot FROM Order_view", ints(&[0, 0])),
        (
            "SELECT from_slot, to_slot FROM _Sqlite_master",
            ints(&[0, 0]),
        ),
        (
            "SELECT from_slot, to_slot FROM Ironweave_objects_2",
            ints(&[0, 0]),
        ),
        (
            "SELECT \"group\", slot_2, rowid, sent_at, ID_2, Sent_at_2 FROM Order_view_2 WHERE state = 'Sent'",
            ints(&[1, 2, 3, 4, 5, 13]),
        ),
        ("SELECT a, b FROM ORDER_2_view", ints(&[6, 7])),
        (
            "SELECT from_group, to_group FROM Order_hand_view",
            ints(&[1, 1]),
        ),
        (
            "SELECT from_group, to_a, to_b FROM Order_hand_to_view",
            ints(&[1, 6, 7]),
        ),
        (
            "SELECT from_id, to_id FROM _Sqlite_master_view",
            vec![text("0.1"), text("0.1")],
        ),
    ] {
        assert_eq!(asked(&client, sql), [expect], "{sql}");
    }
    let sql = "SELECT kind, stands_for, name FROM ironweave_objects WHERE name LIKE 'Order\\_view%' ESCAPE '\\'";
    let row = |kind, stands_for, name| vec![text(kind), text(stands_for), text(name)];
    let expect = [
        row("index", "Order.view", "Order_view_to"),
        row("table", "Order.view", "Order_view"),
        row("view", "Order", "Order_view_2"),
        row("view", "Order.view", "Order_view_view"),
    ];
    assert_eq!(asked(&client, sql), expect);
    again(&path, &store);
}

/// A second time it finds its own.
fn again(path: &Path, store: &Store<Model>) {
    let client = Connection::open(path).expect("the store or the database opens");
    let made_anew = "UPDATE ironweave SET shape = ''";
    client
        .execute_batch(made_anew)
        .expect("the statement is valid SQL");
    let all = "SELECT type, name, sql FROM sqlite_schema";
    let before = asked(&client, all);
    let mut tables = store
        .project_into_sqlite(path)
        .expect("the store or the database opens");
    assert_eq!(tables.catch_up().expect("the tables catch up"), 2);
    assert_eq!(asked(&client, all), before);
    assert_eq!(store.count::<Order, Any>() + store.count::<ORDER, Any>(), 2);
}
