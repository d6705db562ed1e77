//! User code that panics while a store reads its log leaves the store as before the transaction that is being read.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::prelude::*;
use meters::{Meter, Model, Mounted, Read};
use serde::{Deserialize, Deserializer, Serialize};

use crate::harness::{assert_same_state, temp_dir, unsynced};

#[ironweave::model]
pub mod meters {
    use ironweave::prelude::*;

    #[entity]
    pub struct Meter {
        #[key]
        pub number: u64,
        #[default]
        pub value: crate::a_panic_while_a_log_is_read_changes_nothing::Reading,
    }
    #[event]
    #[create(meter: Meter { number })]
    pub struct Mounted {
        pub number: u64,
    }
    #[event]
    #[set(meter.value = value)]
    pub struct Read {
        pub meter: Meter,
        pub value: crate::a_panic_while_a_log_is_read_changes_nothing::Reading,
    }
}

/// A value whose `Deserialize` panics after as many calls as `PATIENCE` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reading(pub u64);

thread_local! {
    static PATIENCE: Cell<Option<u32>> = const { Cell::new(None) };
}

impl<'de> Deserialize<'de> for Reading {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if let Some(left) = PATIENCE.get() {
            PATIENCE.set(left.checked_sub(1));
            assert!(left > 0, "it was read too often");
        }
        u64::deserialize(from).map(Self)
    }
}

#[test]
fn a_refresh_in_which_a_value_panics_shows_no_part_of_a_transaction() {
    let dir = temp_dir();
    let mut writer = unsynced::<Model>().open(dir.path()).expect("it opens");
    let meter = writer.step(Mounted { number: 1 }).created.meter.any();
    let mut reader = Store::<Model>::open_read_only(dir.path()).expect("it opens");
    let before = reader.snapshot();
    writer
        .transaction(|t| {
            let other = t.apply(Mounted { number: 2 })?.created.meter.any();
            for meter in [meter, other, meter] {
                let value = Reading(meter.number(t) + 5);
                t.apply(Read { meter, value })?;
            }
            Ok::<_, StepError>(())
        })
        .expect("it is written");
    for patience in 0..3 {
        PATIENCE.set(Some(patience));
        let refreshed = catch_unwind(AssertUnwindSafe(|| reader.refresh()));
        PATIENCE.set(None);
        assert!(refreshed.is_err(), "a value panicked");
        assert_eq!(
            (reader.seq(), reader.count::<Meter, Any>()),
            (before.seq(), 1)
        );
        assert_same_state(&reader, &before);
        assert_eq!(reader.check(), []);
        assert_eq!(reader.since(0).expect("it reads").count(), 1);
    }
    assert_eq!(reader.refresh().expect("no value panics"), writer.seq());
    assert_same_state(&reader, &writer);
}
