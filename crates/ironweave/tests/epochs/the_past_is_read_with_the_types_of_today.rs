//! A graph of an earlier epoch becomes one of the model of today: as the log would be continued from there, if that needs no code.

use std::path::Path;

use ironweave::dynamic::Dynamic;
use ironweave::prelude::*;
use ironweave::{MigrationError, ReadError, Seq, Snapshot, UpgradeError, raw_log};

use crate::harness::named::contents;
use crate::harness::{assert_consistent, temp_dir};
use crate::hospital::{First, v1, write_first};
use crate::the_past_is_that_of_earlier_epochs::v2;

/// The model without what [`write_first`] makes at last: a bed that is being cleaned, and a patient.
#[ironweave::model]
pub mod v3 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        pub weight: u32,
        pub note: String,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Broken)]
        Free,
        #[to(Free)]
        Broken,
    }

    #[event]
    #[create(bed: Bed { number, weight, note })]
    pub struct Bought {
        pub number: u32,
        pub weight: u32,
        pub note: String,
    }
}

/// Returns the graph that a store of today begins its epoch with if the log ends with a frame.
fn continued_from(dir: &Path, seq: Seq) -> (u128, String) {
    let scratch = temp_dir();
    let until = scratch.path().join("until");
    raw_log::restore(dir, &until, Some(seq), |_, _| {}).expect("the frame is in the log");
    let store = Store::<v2::Model>::open(&until).expect("the changes are taken");
    (store.fingerprint(), contents(store.by_name()))
}

#[test]
fn a_graph_of_then_is_what_the_program_of_today_would_continue_with() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let expected: Vec<_> = (0..=last.get())
        .map(|seq| continued_from(dir.path(), Seq::new(seq)))
        .collect();
    let old = First::open_read_only(dir.path()).expect("the store opens");
    let mut store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    store.step(v2::Bought {
        number: 9,
        weight: 1,
        remark: "r".into(),
    });
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("any log can be read");
    let reader = store.reader();
    for (seq, (fingerprint, text)) in expected.iter().enumerate() {
        let seq = Seq::new(seq as u64);
        // With the types of then, without types, and by a store of today.
        for by_name in [
            old.as_of_by_name(seq),
            dynamic.as_of(seq),
            store.as_of_by_name(seq),
            reader.as_of_by_name(seq),
        ] {
            let by_name = by_name.expect("a frame of the log");
            let then = by_name.upgrade::<v2::Model>().expect("it needs no code");
            assert_consistent(&then);
            assert_eq!(&contents(then.by_name()), text, "frame {seq}");
            assert_eq!(then.fingerprint(), *fingerprint, "frame {seq}");
            assert_eq!((then.seq(), then.time()), (Some(seq), by_name.time()));
            assert_eq!(then.position(), by_name.position());
        }
    }

    // It is a snapshot like any other.
    let then: Snapshot<v2::Model> = (store.as_of_by_name(last).expect("a frame of the log"))
        .upgrade()
        .expect("it needs no code");
    let bed = then.find::<v2::Bed>(&4).expect("the bed");
    assert_eq!((bed.floor(&then), bed.weight(&then)), (3, 40));
    assert_eq!(bed.remark(&then), "bed 4");
    let guest = bed.guest(&then).expect("the patient of then");
    assert_eq!(guest.name(&then), "ann");
    assert!(then.find::<v2::Bed>(&9).is_none());
    let now = store.snapshot();
    let changes = then
        .diff(&now)
        .expect("they are of one store and one model");
    let created = changes.facts().created::<v2::Bed>();
    assert_eq!(created, [store.find::<v2::Bed>(&9).expect("the new bed")]);
    assert_eq!(changes.facts().len(), 5, "{changes}");
    let sold = v2::Sold {
        bed: Key::new(1u32),
    };
    let without = then.with(sold).expect("it fires").snapshot;
    assert!(without.find::<v2::Bed>(&1).is_none());
    let mut branch = then.into_store();
    branch.step(v2::Sold {
        bed: Key::new(2u32),
    });
    assert_consistent(&branch);
}

#[test]
fn a_graph_that_has_the_types_already_is_as_that_of_as_of() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let mut store = Store::<v2::Model>::open(dir.path()).expect("the changes are taken");
    let migrated = store.seq().expect("frames");
    assert_eq!(migrated, last + 2);
    store.step(v2::Sold {
        bed: Key::new(1u32),
    });
    for seq in [migrated, migrated + 1] {
        let typed = store.as_of(seq).expect("it has the types");
        let by_name = store.as_of_by_name(seq).expect("a frame of the log");
        let upgraded = by_name.upgrade::<v2::Model>().expect("it is typed");
        assert_eq!(upgraded.fingerprint(), typed.fingerprint());
        assert_eq!(upgraded.fingerprint(), by_name.fingerprint());
        assert_eq!(contents(upgraded.by_name()), contents(typed.by_name()));
        assert_consistent(&upgraded);
    }
    // What is no graph of the model is one of neither.
    let e = store.as_of(last).expect_err("it has another shape");
    assert!(matches!(e, ReadError::OtherShape { seq } if seq == last));
    assert!(e.to_string().contains("`upgrade`"), "{e}");
    let within = last + 1;
    store.as_of(within).expect_err("its defaults are missing");
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("any log can be read");
    for by_name in [store.as_of_by_name(within), dynamic.as_of(within)] {
        let by_name = by_name.expect("a frame of the log").clone();
        let e = by_name.upgrade::<v2::Model>().expect_err("it is not whole");
        assert!(matches!(e, UpgradeError::WithinMigration { seq } if seq == within));
        assert!(e.to_string().contains("after its last frame"), "{e}");
        by_name.upgrade::<Dynamic>().expect("it has no types");
    }
}

#[test]
fn what_needs_code_is_listed_if_the_graph_of_then_has_it() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let options = Store::<v3::Model>::options().migrate(|old, new| {
        for bed in old.entity_type("Bed")?.entities() {
            if bed.state() == "Cleaning" {
                new.move_to(bed, "Free", &[])?;
            }
        }
        Ok::<_, MigrationError>(())
    });
    let store = options.open(dir.path()).expect("the code moves the bed");
    let upgraded = |seq: u64| {
        let then = store.as_of_by_name(seq).expect("a frame of the log");
        then.upgrade::<v3::Model>()
    };
    for seq in 0..7 {
        let then = upgraded(seq).expect("nothing was in use that the model does not have");
        assert_consistent(&then);
        assert_eq!(
            then.count::<v3::Bed, Any>() as u64,
            [0, 1, 2, 3, 4, 3, 4][seq as usize]
        );
    }
    let e = upgraded(7).expect_err("a bed is being cleaned");
    let state = "state `Bed::Cleaning` was removed: 1 entity is in it, first `Bed 3`";
    assert_eq!(e.differences().len(), 1, "{e}");
    assert!(e.to_string().contains(state), "{e}");
    assert!(
        e.to_string()
            .starts_with("the graph after frame 7 cannot be"),
        "{e}"
    );
    assert!(e.to_string().contains("read it by name"), "{e}");
    let e = upgraded(last.get()).expect_err("there is a patient, too");
    assert!(e.to_string().contains(state), "{e}");
    assert!(e.to_string().contains("`Patient \"ann\"`"), "{e}");
    assert_eq!(e.differences().len(), 2, "{e}");
    // The model of then has it all.
    let then = store.as_of_by_name(last).expect("a frame of the log");
    let old = then
        .upgrade::<v1::Model>()
        .expect("it is the model of then");
    assert!(old.find::<v1::Patient>("ann").is_some());
    assert_eq!(old.fingerprint(), then.fingerprint());
    assert_consistent(&old);
}
