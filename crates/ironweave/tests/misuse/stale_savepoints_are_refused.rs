//! A savepoint that was undone, or is of another transaction or store, is refused, and the transaction continues.

use super::*;

#[test]
fn a_savepoint_that_an_outer_rollback_has_undone_is_refused_and_the_transaction_continues() {
    for (dir, mut store) in stores() {
        let mut t = store.begin();
        let first = t.savepoint();
        t.apply(Opened { number: 1 }).unwrap();
        t.apply(Opened { number: 2 }).unwrap();
        let second = t.savepoint();
        t.rollback_to(first).unwrap();
        t.apply(Opened { number: 3 }).unwrap();
        stale(t.rollback_to(second));
        assert_eq!(t.count::<Ticket, Any>(), 1);
        t.commit().unwrap();
        let store = reopened(dir.path(), store);
        assert!(store.find::<Ticket>(&3).is_some());
        assert_eq!(store.count::<Ticket, Any>(), 1);
    }
}

#[test]
fn a_savepoint_can_be_rolled_back_to_several_times() {
    for (dir, mut store) in stores() {
        let mut t = store.begin();
        t.apply(Opened { number: 1 }).unwrap();
        let point = t.savepoint();
        for number in 2..5 {
            t.apply(Opened { number }).unwrap();
            let inner = t.savepoint();
            t.rollback_to(point).unwrap();
            stale(t.rollback_to(inner));
            assert_eq!(t.count::<Ticket, Any>(), 1);
        }
        t.apply(Opened { number: 9 }).unwrap();
        t.commit().unwrap();
        assert_eq!(reopened(dir.path(), store).count::<Ticket, Any>(), 2);
    }
}

#[test]
fn a_savepoint_of_another_transaction_or_store_is_refused() {
    for (dir, mut store) in stores() {
        let mut t = store.begin();
        t.apply(Opened { number: 1 }).unwrap();
        let committed = t.savepoint();
        t.commit().unwrap();
        let mut t = store.begin();
        let dropped = t.savepoint();
        drop(t);
        let mut asked = None;
        store
            .what_if(|t| -> Result<_, StepError> {
                asked = Some(t.savepoint());
                Ok(())
            })
            .unwrap();
        let mut other = Store::<desk::Model>::memory();
        let mut t = other.begin();
        let foreign = t.savepoint();
        drop(t);
        let mut t = store.begin();
        t.apply(Opened { number: 2 }).unwrap();
        for point in [committed, dropped, asked.unwrap(), foreign] {
            stale(t.rollback_to(point));
        }
        t.apply(Opened { number: 3 }).unwrap();
        t.commit().unwrap();
        assert_eq!(reopened(dir.path(), store).count::<Ticket, Any>(), 3);
    }
}
