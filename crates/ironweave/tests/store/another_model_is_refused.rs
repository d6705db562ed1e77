//! A store of another shape is refused, and changed rules do not rewrite the history.

use ironweave::prelude::*;
use ironweave::{Difference, Seq, VerifyError};

use crate::harness::temp_dir;
use crate::lamps::{Lamps, hall, lamps, other_rule, other_shape};

#[test]
fn a_store_of_another_shape_is_refused_with_all_differences() {
    let dir = temp_dir();
    hall(&mut Lamps::open(dir.path()).expect("the store opens"));
    let lumens = "- entity `Lamp` now needs `lumens: u32`: 1 entity exists, first `Lamp \"hall\"`; give `#[default(..)]` or a migration\n";
    let needs = |event| {
        format!(
            "- event `{event}` now needs `lumens: u32`; the events in the log do not have it: give `#[default(..)]`, make it \
             `Option<u32>`, or write `#[upcast(from = \"{event}\", with = ..)]` on `{event}`\n"
        )
    };
    let to_write = [
        "that are not taken:\n",
        "- entity `Lamp` no longer has field `watts: u32`: 1 entity has a value in it, first `Lamp \"hall\"`; if it has another name now, \
         write `#[renamed(from = \"watts\")]` on it; otherwise write a migration\n",
        lumens,
        &needs("Hung"),
        &needs("Switched"),
        "Nothing was written.",
    ];
    // What the model does not know is not shown by a store that only reads.
    let to_read = ["that are not taken:\n", lumens, "Nothing was written."];
    for (e, all) in [
        (
            Store::<other_shape::Model>::open(dir.path()).map(|_| ()),
            to_write.concat(),
        ),
        (
            Store::<other_shape::Model>::open_read_only(dir.path()).map(|_| ()),
            to_read.concat(),
        ),
    ] {
        let e = e.expect_err("another model");
        assert!(e.is_schema(), "{e}");
        assert!(e.to_string().contains(&all), "{e}");
    }
    assert_eq!(
        Lamps::open(dir.path()).expect("untouched").seq(),
        Some(Seq::new(1))
    );
}

#[test]
fn a_reader_applies_each_transaction_once_across_a_change_of_rules() {
    let dir = temp_dir();
    let mut store = Lamps::open(dir.path()).expect("the store opens");
    hall(&mut store);
    let mut reader =
        Store::<other_rule::Model>::open_read_only(dir.path()).expect("the log can be read");
    assert_eq!(reader.snapshot().fingerprint(), store.fingerprint());
    let lamp = store.find::<lamps::Lamp>("hall").expect("the lamp exists");
    store.step(lamps::Switched { lamp, watts: 60 });
    drop(store);
    let mut store = Store::<other_rule::Model>::open(dir.path()).expect("the same shape");
    let lamp = store
        .find::<other_rule::Lamp>("hall")
        .expect("the lamp exists");
    store.step(other_rule::Switched { lamp, watts: 7 });
    reader.refresh().expect("it reads on");
    assert_eq!(reader.snapshot().fingerprint(), store.fingerprint());
    assert_eq!(lamp.watts(&reader.snapshot()), 7);
}

#[test]
fn changed_rules_do_not_rewrite_history_and_verify_reports_where_they_differ() {
    let dir = temp_dir();
    let mut store = Lamps::open(dir.path()).expect("the store opens");
    let lamp = hall(&mut store);
    store.step(lamps::Switched { lamp, watts: 60 });
    assert_eq!(store.verify().expect("the events give the logged facts"), 2);
    let print = store.fingerprint();
    drop(store);

    // The states are declared in another order, so the log is read by name.
    let mut store = Store::<other_rule::Model>::open(dir.path()).expect("the same shape");
    assert_eq!(store.fingerprint(), print);
    assert_eq!(store.count::<other_rule::Lamp, other_rule::state::On>(), 1);
    let lamp = store
        .find::<other_rule::Lamp>("hall")
        .expect("the lamp exists");
    assert_eq!(lamp.watts(&store), 60);
    match store.verify() {
        Err(VerifyError::Differs(d)) => {
            let Difference {
                seq,
                event,
                logged,
                today,
                ..
            } = *d;
            assert_eq!((seq, event.as_str()), (Seq::new(2), "Switched"));
            // `set` acts before `moves` and gives the same fact.
            assert_eq!(logged, "move Lamp/0 Off -> On");
            assert_eq!(today, "move Lamp/0 Off -> Broken");
        }
        other => panic!("{other:?}"),
    }
    store.step(other_rule::Switched { lamp, watts: 7 });
    drop(store);
    let store = Store::<other_rule::Model>::open(dir.path()).expect("two schemas in one log");
    assert_eq!(
        (
            lamp.watts(&store),
            store.count::<other_rule::Lamp, other_rule::state::Broken>()
        ),
        (7, 1)
    );
    drop(store);
    Lamps::open(dir.path()).expect("and back");
}
