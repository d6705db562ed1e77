//! A store without a log takes the same steps and refuses whatever needs the log.

use super::*;

#[test]
fn a_store_without_a_log_refuses_whatever_reads_the_log() {
    let mut store = Store::<pool::Model>::unlogged();
    let hired = |name: &str| Hired {
        workers: vec![name.into()],
    };
    assert_eq!(store.step(hired("ann")).seq, 0);
    assert_eq!(store.step(hired("eve")).seq, 1);
    assert_eq!(store.durable(), None);
    assert!(store.frames(0).is_err_and(|e| e.is_unlogged()));
    assert!(store.verify().is_err());
    for meta in [
        Meta::new().with_idempotency_key("once"),
        Meta::new().expect(0),
    ] {
        let refused = store.try_step_with(meta, hired("bob")).map(|_| ());
        let Err(StepError::Metadata(e)) = refused else {
            panic!("{refused:?}");
        };
        assert!(e.is_unlogged(), "{e}");
    }
    assert_eq!(store.count::<Worker, Any>(), 2);
    assert_consistent(&store);
}

#[ironweave::model]
mod port {
    use ironweave::prelude::*;

    #[entity]
    pub struct Pier {
        pub moored: Many<Ship>,
    }

    #[entity]
    pub struct Ship {
        #[inverse(Pier::moored)]
        pub pier: Option<Pier>,
        pub size: u64,
    }
    #[states(Ship)]
    pub enum ShipState {
        #[initial]
        #[to(Open)]
        Shut,
        #[to(Shut)]
        Open,
    }

    #[event]
    #[create(pier: Pier {})]
    #[create(ship: Ship { size = 0 })]
    pub struct Built {}
    #[event]
    #[delete(ship)]
    pub struct Sunk {
        pub ship: Ship,
    }
    #[event]
    #[relink(pier.moored += ship)]
    pub struct Moored {
        pub pier: Pier,
        pub ship: Ship,
    }
    #[event]
    #[moves(ship: Shut -> Open)]
    pub struct Opened {
        pub ship: Ship,
    }
    #[event]
    #[relink(pier.moored += ship)]
    #[moves(ship: Open -> Shut)]
    pub struct Arrived {
        pub pier: Pier,
        pub ship: Ship,
    }
    #[event]
    #[set(ship.size = size)]
    pub struct Measured {
        pub ship: Ship,
        pub size: u64,
    }
}

use port::{Arrived, Built, Measured, Moored, Opened, Sunk};

type Port = Store<port::Model>;

/// Where no entity was deleted, a handle is checked without the generation at its slot.
#[test]
fn a_handle_of_a_later_generation_names_nothing_where_no_entity_was_deleted() {
    let mut other = Port::unlogged();
    let ship = other.step(Built {}).created.ship;
    other.step(Sunk { ship });
    let later = other.step(Built {}).created.ship;
    let mut store = Port::unlogged();
    let own = store.step(Built {}).created.ship;
    assert_eq!(own.id().slot(), later.id().slot());
    let error = store.try_step(Opened { ship: later }).expect_err("stale");
    assert!(matches!(error, StepError::StaleHandle { .. }), "{error}");
    assert!(!later.is::<Any>(&store));
    let next = store
        .try_step(Built {})
        .expect("it can happen")
        .created
        .ship;
    let mut third = Port::unlogged();
    let first = third.step(Built {}).created.ship;
    assert!(next.is::<Any>(&store) && !next.is::<Any>(&third));
    store.step(Opened { ship: own });
    third.step(Opened { ship: first });
}

/// Relinks and moves need no point to go back to where nothing is recorded. Transactions, savepoints and the facts of an open
/// transaction are the same as with one.
#[test]
fn transactions_of_relinks_and_moves_are_as_with_a_log() {
    let mut seed = 9u32;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let mut stores = [Port::unlogged(), Port::memory()];
    let mut made = Vec::new();
    for _ in 0..24 {
        let [created, _] = stores.each_mut().map(|store| store.step(Built {}).created);
        made.push((created.pier, created.ship));
    }
    let (mut rejected, mut fired, mut rolled_back) = (0, 0, 0);
    for round in 0..400 {
        let mut open = stores.each_mut().map(|store| store.begin());
        let mut savepoints = open.each_mut().map(|t| t.savepoint());
        for _ in 0..random(12) {
            let ((pier, _), (_, ship)) = (made[random(4)], made[random(24)]);
            let (kind, size) = (random(100), random(1_000) as u64);
            let results = open.each_mut().map(|t| match kind {
                0..40 => t.apply(Moored { pier, ship }).map(|_| ()),
                40..60 => t.apply(Opened { ship }).map(|_| ()),
                60..80 => t.apply(Arrived { pier, ship }).map(|_| ()),
                80..88 => t.apply(Measured { ship, size }).map(|_| ()),
                88 if round > 200 => t.apply(Sunk { ship }).map(|_| ()),
                _ => Ok(()),
            });
            let [a, b] = results.map(|result| result.map_err(|e| e.to_string()));
            assert_eq!(a, b);
            fired += usize::from(a.is_ok());
            rejected += usize::from(a.is_err());
            if (89..93).contains(&kind) {
                savepoints = open.each_mut().map(|t| t.savepoint());
            }
            if kind > 95 {
                rolled_back += 1;
                let [one, two] = &mut open;
                one.rollback_to(savepoints[0]).expect("it is valid");
                two.rollback_to(savepoints[1]).expect("it is valid");
            }
            let [a, b] = open.each_ref().map(|t| {
                let facts: Vec<_> = t.facts().iter().collect();
                format!("{facts:?}")
            });
            assert_eq!(a, b);
        }
        let kept = random(3) > 0;
        for t in open.into_iter().filter(|_| kept) {
            t.commit().expect("it is kept");
        }
        let [one, two] = &stores;
        assert_consistent(one);
        let picture = |store: &Port| {
            let of = |(pier, ship): &(port::Pier, port::Ship)| {
                let ships: Vec<_> = pier.moored(store).collect();
                let state = ship.is::<Any>(store).then(|| ship.size(store));
                (ships, state)
            };
            let open: Vec<_> = store.place::<port::Ship, port::state::Open>().collect();
            (made.iter().map(of).collect::<Vec<_>>(), open)
        };
        assert_eq!(picture(one), picture(two));
    }
    assert!(fired > 500 && rejected > 100 && rolled_back > 20);
}
