//! The torn tail of a log is cut and kept beside it; a strict open refuses it.

use ironweave::prelude::*;

use crate::harness::temp_dir;
use crate::lamps::{Lamps, hall, lamps};

#[test]
fn a_strict_open_refuses_the_torn_tail_that_an_open_cuts() {
    let dir = temp_dir();
    let mut store = Lamps::open(dir.path()).expect("the store opens");
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
