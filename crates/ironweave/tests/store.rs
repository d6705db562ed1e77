//! What a store promises beyond its steps: one writer, readers beside it, its model, its log.
#![allow(missing_docs)]

use ironweave::prelude::*;
use ironweave::{Difference, VerifyError};

/// A model, and the same with a difference.
macro_rules! lamps {
    ($module:ident, $($arc:meta)*, $field:ident: $ty:ty, { $($states:tt)* }) => {
        #[ironweave::model]
        pub mod $module {
            use ironweave::prelude::*;

            #[entity]
            pub struct Lamp {
                #[key]
                pub room: String,
                pub $field: $ty,
            }
            #[states(Lamp)]
            pub enum LampState {
                $($states)*
                #[terminal]
                Broken,
            }

            #[event]
            #[create(lamp: Lamp { room, $field })]
            pub struct Hung {
                pub room: String,
                pub $field: $ty,
            }

            #[event]
            $(#[$arc])*
            #[set(lamp.$field = $field)]
            pub struct Switched {
                pub lamp: Lamp,
                pub $field: $ty,
            }
        }
    };
}

lamps!(lamps, moves(lamp: Off | On -> On), watts: u32, { #[initial] #[to(Off, On, Broken)] Off, #[to(On, Off, Broken)] On, });
// The same shape, declared in another order, with another rule.
lamps!(other_rule, moves(lamp: Off | On -> Broken), watts: u32, { #[to(On, Off, Broken)] On, #[initial] #[to(Off, On, Broken)] Off, });
lamps!(other_shape, moves(lamp: Off | On -> On), lumens: u32, { #[initial] #[to(Off, On, Broken)] Off, #[to(On, Off, Broken)] On, });

#[ironweave::model]
pub mod chase {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ball {
        pub nearby: Many<Ball>,
        #[inverse(Ball::nearby)]
        pub near_to: Many<Ball>,
    }
    #[states(Ball)]
    pub enum BallState {
        #[initial]
        #[to(Left)]
        Still,
        #[to(Right, Caught)]
        Left,
        #[to(Left)]
        Right,
        #[terminal]
        Caught,
    }

    #[event]
    #[create(ball: Ball)]
    pub struct Made {}

    #[event]
    #[link(ball.nearby += near)]
    #[moves(ball: Still -> Left)]
    pub struct Kicked {
        pub ball: Ball,
        pub near: Vec<Ball>,
    }

    #[immediate]
    #[when(any ball.nearby in Still)]
    #[moves(ball: Left -> Caught)]
    pub struct CaughtAtOnce {
        pub ball: Ball,
    }

    #[immediate]
    #[when(any ball.nearby in Left | Right)]
    #[moves(ball: Left -> Right)]
    pub struct BouncedRight {
        pub ball: Ball,
    }

    #[immediate]
    #[when(any ball.nearby in Left | Right)]
    #[moves(ball: Right -> Left)]
    pub struct BouncedLeft {
        pub ball: Ball,
    }
}

type Lamps = Store<lamps::Model>;

fn hall(store: &mut Lamps) -> lamps::Lamp {
    store
        .step(lamps::Hung {
            room: "hall".into(),
            watts: 40,
        })
        .created
        .lamp
}

#[test]
fn one_writer_at_a_time_and_readers_beside_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = Lamps::open(dir.path()).expect("it opens");
    let lamp = hall(&mut writer);
    let second = Lamps::open(dir.path()).map(|_| ()).expect_err("locked");
    assert!(
        second.is_locked() && second.to_string().contains(&std::process::id().to_string()),
        "{second}"
    );

    let mut reader = Lamps::open_read_only(dir.path()).expect("it opens");
    assert_eq!(lamp.watts(&reader), 40);
    writer.step(lamps::Switched { lamp, watts: 60 });
    assert_eq!(lamp.watts(&reader), 40, "a reader sees what was there");
    assert_eq!(reader.refresh().expect("it reads"), writer.seq());
    assert_eq!(lamp.watts(&reader), 60, "until it looks again");
    let refused = reader
        .try_step(lamps::Switched { lamp, watts: 1 })
        .map(|_| ())
        .expect_err("read only");
    assert!(refused.to_string().contains("read only"), "{refused}");
    assert_eq!(lamp.watts(&reader), 60);
    assert_eq!(reader.check(), Vec::<String>::new());
}

#[test]
fn where_there_is_no_store_there_is_nothing_to_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let e = Lamps::open_read_only(dir.path().join("nowhere"))
        .map(|_| ())
        .expect_err("nothing");
    assert!(e.is_not_found(), "{e}");
}

#[test]
fn a_store_of_another_shape_is_refused_with_the_difference() {
    let dir = tempfile::tempdir().expect("a directory");
    hall(&mut Lamps::open(dir.path()).expect("it opens"));
    for e in [
        Store::<other_shape::Model>::open(dir.path()).map(|_| ()),
        Store::<other_shape::Model>::open_read_only(dir.path()).map(|_| ()),
    ] {
        let e = e.expect_err("another model");
        assert!(e.is_schema(), "{e}");
        assert!(
            e.to_string()
                .contains("the store has the field `Lamp.watts: u32`, the program does not"),
            "{e}"
        );
    }
    assert_eq!(Lamps::open(dir.path()).expect("untouched").seq(), Some(1));
}

#[test]
fn a_replica_sees_each_transaction_once_where_the_rules_change_between_two() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Lamps::open(dir.path()).expect("it opens");
    hall(&mut store);
    let mut reader = Store::<other_rule::Model>::open_read_only(dir.path()).expect("it reads");
    assert_eq!(reader.snapshot().fingerprint(), store.fingerprint());
    let lamp = store.find::<lamps::Lamp>("hall").expect("it hangs");
    store.step(lamps::Switched { lamp, watts: 60 });
    drop(store);
    let mut store = Store::<other_rule::Model>::open(dir.path()).expect("the same shape");
    let lamp = store.find::<other_rule::Lamp>("hall").expect("it hangs");
    store.step(other_rule::Switched { lamp, watts: 7 });
    reader.refresh().expect("it reads on");
    assert_eq!(reader.snapshot().fingerprint(), store.fingerprint());
    assert_eq!(lamp.watts(&reader.snapshot()), 7);
}

#[test]
fn changed_rules_do_not_rewrite_history_and_verify_tells_where_they_differ() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Lamps::open(dir.path()).expect("it opens");
    let lamp = hall(&mut store);
    store.step(lamps::Switched { lamp, watts: 60 });
    assert_eq!(store.verify().expect("it agrees"), 2);
    let print = store.fingerprint();
    drop(store);

    // The order of states is another, so the log is read by name.
    let mut store = Store::<other_rule::Model>::open(dir.path()).expect("the same shape");
    assert_eq!(store.fingerprint(), print);
    assert_eq!(store.count::<other_rule::Lamp, other_rule::state::On>(), 1);
    let lamp = store.find::<other_rule::Lamp>("hall").expect("it hangs");
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
            assert_eq!((seq, event.as_str()), (2, "Switched"));
            // `set` comes before `moves`, so that agrees.
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

#[test]
fn immediate_events_that_go_round_in_circles_are_stopped_and_named() {
    use chase::{Kicked, Made};
    let mut store = Store::<chase::Model>::paranoid();
    let balls: Vec<_> = (0..2).map(|_| store.step(Made {}).created.ball).collect();
    store.step(Kicked {
        ball: balls[0],
        near: vec![],
    });
    let print = store.fingerprint();
    let e = store
        .try_step(Kicked {
            ball: balls[1],
            near: vec![balls[0]],
        })
        .map(|_| ())
        .expect_err("endless");
    let text = "Kicked → BouncedRight → BouncedLeft → BouncedRight → ...: these immediate events go round in circles; on \
                Ball/1.1 the last has fired 64 times in this step, which is the limit; let their conditions exclude each other";
    assert_eq!(e.to_string(), text);
    assert_eq!(store.fingerprint(), print);
    assert_eq!(store.check(), Vec::<String>::new());
}

#[test]
fn of_two_enabled_immediate_events_the_one_declared_first_fires() {
    use chase::state::Caught;
    use chase::{Ball, Kicked, Made};
    let mut store = Store::<chase::Model>::paranoid();
    let balls: Vec<_> = (0..3).map(|_| store.step(Made {}).created.ball).collect();
    store.step(Kicked {
        ball: balls[0],
        near: vec![],
    });
    store.step(Kicked {
        ball: balls[1],
        near: vec![balls[0], balls[2]],
    });
    assert_eq!(
        store
            .place::<Ball, Caught>()
            .map(|b| b.any())
            .collect::<Vec<_>>(),
        [balls[1]]
    );
    let last = store
        .frames(0)
        .expect("a log")
        .last()
        .expect("a frame")
        .expect("read");
    let fired: Vec<(&str, bool)> = last
        .firings
        .iter()
        .map(|f| (f.event.as_str(), f.immediate))
        .collect();
    assert_eq!(fired, [("Kicked", false), ("CaughtAtOnce", true)]);
    assert_eq!(
        last.firings[1].to_string(),
        "CaughtAtOnce { ball: Ball/1.1 } => move Ball/1 Left -> Caught"
    );
}

#[test]
fn a_store_can_be_sent_to_another_thread() {
    let mut store = Lamps::paranoid();
    let lamp = hall(&mut store);
    let store = std::thread::spawn(move || {
        store.step(lamps::Switched { lamp, watts: 100 });
        store
    });
    assert_eq!(lamp.watts(&store.join().expect("no panic")), 100);
}

#[test]
fn a_strict_open_refuses_what_an_open_cuts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Lamps::open(dir.path()).expect("it opens");
    hall(&mut store);
    let segment = dir.path().join("00000000000000000000.log");
    let spare = std::fs::read(&segment).expect("a segment");
    drop(store);
    let closed = std::fs::read(&segment).expect("a segment");
    std::fs::remove_file(dir.path().join("HEAD")).expect("removed");
    let mut torn = closed.clone();
    torn.extend_from_slice(&closed[closed.len() - 16..]);
    assert!(spare.len() > torn.len());
    std::fs::write(&segment, &torn).expect("written");
    let e = Lamps::options()
        .open_strict(dir.path())
        .map(|_| ())
        .expect_err("torn");
    assert!(e.is_torn(), "{e}");
    let store = Lamps::open(dir.path()).expect("cut");
    let tail = store.recovered().expect("it tells");
    assert_eq!(tail.offset, closed.len() as u64);
    assert!(tail.kept.exists());
    assert_eq!(store.count::<lamps::Lamp, lamps::state::Off>(), 1);
}
