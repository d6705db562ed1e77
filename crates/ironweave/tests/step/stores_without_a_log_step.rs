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
