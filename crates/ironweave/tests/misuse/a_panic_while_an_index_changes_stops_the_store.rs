//! User code that panics while an index changes or a rollback runs stops the store and leaves its log whole.

use super::*;

#[test]
fn user_code_that_panics_while_an_index_changes_stops_the_store_and_leaves_its_log_whole() {
    let touchy = |text: &str| Touchy(text.to_owned());
    let mut panics = 0;
    for patience in 0..600 {
        let (dir, mut store) = stores().swap_remove(0);
        for name in ["a", "b", "c"] {
            let (name, rank) = (touchy(name), touchy("r"));
            store.step(Built { name, rank });
        }
        let shelf = store.place::<Shelf, Any>().next().unwrap();
        let work = |store: &mut Store<desk::Model>| -> Result<(), StepError> {
            let (name, rank) = (touchy("d"), touchy("s"));
            store.try_step(Built { name, rank })?;
            for (rank, careful) in [("t", true), ("u", false)] {
                let rank = touchy(rank);
                store.try_step(Ranked {
                    shelf,
                    rank,
                    careful,
                })?;
            }
            let mut t = store.begin();
            let point = t.savepoint();
            t.apply(Burnt { shelf })?;
            let back = catch_unwind(AssertUnwindSafe(|| t.rollback_to(point)));
            t.apply(Ranked {
                shelf,
                rank: touchy("v"),
                careful: false,
            })?;
            if back.is_err() {
                assert!(
                    t.commit().is_err(),
                    "a rollback that was not done is never written"
                );
                return Ok(());
            }
            t.commit().map(drop)
        };
        PATIENCE.set(Some(patience));
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut store)));
        let patient = PATIENCE.take().is_some();
        panics += u32::from(!patient);
        let seq = store.seq();
        match store.try_step(Opened { number: 1 }) {
            Ok(_) => assert_consistent(&store),
            Err(e) => {
                assert!(e.is_stopped(), "{e}");
                assert!(!patient && store.seq() == seq);
                drop(store);
                let store = Store::<desk::Model>::open(dir.path()).expect("its log is whole");
                assert_eq!((store.seq(), store.check()), (seq, vec![]));
                continue;
            }
        }
        drop(store);
        let store = Store::<desk::Model>::open(dir.path()).expect("its log is whole");
        assert_consistent(&store);
        if patient {
            done.expect("nothing panicked")
                .expect("all of it can be done");
            break;
        }
    }
    assert!((100..599).contains(&panics), "{panics}");
}
