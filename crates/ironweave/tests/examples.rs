//! The examples do what the texts beside them say. After a change:
//! `cargo run --example order_desk > crates/ironweave/examples/order_desk.txt`.

use std::error::Error;
use std::io::Write;

#[path = "../examples/control_plane.rs"]
mod control_plane;
#[path = "../examples/document_workflow.rs"]
mod document_workflow;
#[cfg(feature = "draw")]
#[path = "drawn/mod.rs"]
mod drawn;
#[path = "../examples/hospital.rs"]
mod hospital;
#[path = "../examples/migration.rs"]
mod migration;
#[path = "../examples/order_book.rs"]
mod order_book;
#[path = "../examples/order_desk.rs"]
mod order_desk;
#[path = "../examples/time_travel.rs"]
mod time_travel;
#[path = "../examples/ward_service.rs"]
mod ward_service;

fn check(run: impl FnOnce(&mut dyn Write) -> Result<(), Box<dyn Error>>, expected: &str) {
    let mut out = Vec::new();
    run(&mut out).expect("it ends well");
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn orders_are_delivered_in_part_and_canceled() {
    check(order_desk::run, include_str!("../examples/order_desk.txt"));
}

#[test]
fn patients_get_beds_and_what_waits_goes_on() {
    check(hospital::run, include_str!("../examples/hospital.txt"));
}

#[test]
fn bids_and_asks_are_matched_by_price_and_time() {
    check(order_book::run, include_str!("../examples/order_book.txt"));
}

#[test]
fn a_bid_takes_more_asks_than_an_event_may_fire_by_default() {
    use ironweave::LoopLimit;
    use ironweave::prelude::*;
    use order_book::book::{Ask, AskPlaced, BidPlaced, BookOpened, Model, state::Filled};

    for limit in [64, 100] {
        let mut store = Store::<Model>::options().firings_max(limit).memory();
        let symbol = || "IRON".to_owned();
        store.step(BookOpened { symbol: symbol() });
        for price in 0..100 {
            let (book, open) = (symbol().into(), 1);
            store.step(AskPlaced { book, price, open });
        }
        let (book, price, open) = (symbol().into(), 1_000, 100);
        match store.try_step(BidPlaced { book, price, open }) {
            Ok(_) => assert_eq!((limit, store.count::<Ask, Filled>()), (100, 100)),
            Err(StepError::Loop { limit: reached, .. }) => {
                assert_eq!((limit, reached), (64, LoopLimit::Firings(64)));
                assert_eq!(store.count::<Ask, Filled>(), 0);
            }
            Err(other) => panic!("{other}"),
        }
        store.verify().expect("it agrees");
    }
}

#[test]
fn pods_of_a_dead_node_are_placed_again() {
    check(
        control_plane::run,
        include_str!("../examples/control_plane.txt"),
    );
}

#[test]
fn documents_are_published_when_two_approve() {
    check(
        document_workflow::run,
        include_str!("../examples/document_workflow.txt"),
    );
}

#[test]
fn releases_are_looked_at_as_they_were_and_as_they_would_be() {
    check(
        time_travel::run,
        include_str!("../examples/time_travel.txt"),
    );
}

#[test]
fn a_ward_is_served_to_several_threads() {
    check(
        ward_service::run,
        include_str!("../examples/ward_service.txt"),
    );
}

#[test]
fn a_library_changes_its_model_twice() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    check(
        |out| migration::run(dir.path(), out),
        include_str!("../examples/migration.txt"),
    );
}
