//! Histories of a shared store while a writer steps concurrently.

use std::sync::Mutex;

use super::super::super::disk::{Op, Probe};
use super::*;
use crate::store::SharedStore;

/// A disk that adds a person to the store while the index of a segment is written.
#[derive(Default)]
struct Comes {
    store: Mutex<Option<SharedStore<club::Model>>>,
}

impl Probe for Comes {
    fn before(&self, op: &Op<'_>) -> Result<(), (usize, std::io::Error)> {
        if let Op::Rename { to, .. } = op
            && to.extension().is_some_and(|e| e == "index")
        {
            let store = self.store.lock().unwrap().take();
            if let Some(store) = store {
                store.step(Came { name: 99 });
            }
        }
        Ok(())
    }
}

#[test]
fn a_writer_steps_while_a_history_is_made() {
    let dir = scratch();
    let probe = Arc::new(Comes::default());
    let disk = Disk {
        probe: Some(Arc::clone(&probe) as Arc<dyn Probe>),
    };
    let options = LogOptions {
        segment_bytes_max: 900,
        ..small()
    };
    let log = FileLog::open_on(disk, dir.path(), options).unwrap();
    let store = Club::options()
        .durability(Durability::Os)
        .over_log(Box::new(log))
        .unwrap()
        .share();
    let first = store.step(Came { name: 0 }).created.person;
    for name in 1..40 {
        store.step(Came { name });
    }
    *probe.store.lock().unwrap() = Some(store.clone());
    // It is the first, so that the indexes of all segments are written.
    let history = store.history(first).unwrap();
    assert!(
        probe.store.lock().unwrap().is_none(),
        "no index was written"
    );
    assert!(!history.is_empty());
    assert!(
        !indexes(dir.path()).is_empty(),
        "they lie beside their segments"
    );
    let people = store.read(|db| db.count::<Person, crate::db::entity::Any>());
    assert_eq!(people.unwrap(), 41);
    // Each handle gives what the store gives, and so do later ones.
    let of_store = store.read(|db| db.history(first).unwrap()).unwrap();
    assert_eq!(
        super::lines(store.history(first).unwrap()),
        super::lines(of_store)
    );
    let [(last, _)] = &store.history_of_key::<Person>(&99).unwrap()[..] else {
        panic!("one person has the key");
    };
    assert!(!store.history(*last).unwrap().is_empty());
}
