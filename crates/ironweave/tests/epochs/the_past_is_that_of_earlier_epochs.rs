//! Records, histories and graphs of earlier epochs, read by a store whose model is another one.

use ironweave::prelude::*;
use ironweave::{Meta, Seq};

use crate::harness::temp_dir;
use crate::hospital::{First, continued, v1, write_first};

#[ironweave::model]
pub mod v2 {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        #[key]
        pub number: u32,
        #[default(3u16)]
        pub floor: u16,
        pub weight: u64,
        #[inverse(Guest::bed)]
        pub guest: Option<Guest>,
        #[renamed(from = "note")]
        pub remark: String,
    }
    #[states(Bed)]
    pub enum BedState {
        #[to(Free)]
        Broken,
        #[initial]
        #[to(Cleaning, Broken)]
        Free,
        #[to(Free)]
        Cleaning { by: String },
    }

    #[entity]
    pub struct Ward {
        #[key]
        pub name: String,
    }

    #[entity]
    #[renamed(from = "Patient")]
    pub struct Guest {
        #[key]
        pub name: String,
        pub age: u16,
        pub bed: Option<Bed>,
    }

    #[event]
    #[create(bed: Bed { number, weight, remark })]
    pub struct Bought {
        pub number: u32,
        pub weight: u64,
        #[renamed(from = "note")]
        pub remark: String,
    }

    #[event]
    #[delete(bed)]
    pub struct Sold {
        pub bed: Key<Bed>,
    }
}

type Second = Store<v2::Model>;

#[test]
fn records_show_what_happened_by_the_names_of_then() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let store = Second::open(dir.path()).expect("the changes are taken");
    let records: Vec<_> = store
        .frames(0)
        .expect("a log")
        .collect::<Result<_, _>>()
        .expect("it reads");
    let names: Vec<Vec<&str>> = (records.iter())
        .map(|record| record.firings().map(|firing| firing.name()).collect())
        .collect();
    assert_eq!(names[0], ["Bought"]);
    assert_eq!(names[7], ["Admitted"]);
    assert!(names[8].is_empty() && records[8].is_migration());
    let bought = &records[0];
    let first = bought.firings().next().expect("an event");
    assert_eq!(
        first
            .fields()
            .iter()
            .map(|field| field.name())
            .collect::<Vec<_>>(),
        ["number", "weight", "note"]
    );
    // The model reads it by the names of its fields, so that no reader of typed events misses it.
    let decoded = first.decode::<v2::Bought>().expect("the event");
    assert_eq!(decoded.expect("it is decoded").number, 1);
    assert_eq!(first.event().expect("it is decoded").name(), "Bought");
    // Facts are of the entities of today.
    let bed = store.find::<v2::Bed>(&1).expect("the bed");
    assert_eq!(bought.facts().created::<v2::Bed>(), [bed]);
    assert_eq!(
        bought.facts().entered::<v2::Bed, v2::state::Free>().len(),
        1
    );
    assert!(
        bought
            .facts()
            .entered::<v2::Bed, v2::state::Broken>()
            .is_empty()
    );
    assert!(bought.facts().touches(bed));
    let guest = store.find::<v2::Guest>("ann").expect("the guest");
    let admitted = &records[7];
    assert_eq!(admitted.facts().created::<v2::Guest>(), [guest]);
    assert!(admitted.facts().created::<v2::Ward>().is_empty());
    let linked = admitted.facts().linked::<v2::Guest, v2::Bed>("bed");
    assert_eq!(linked.expect("the edge exists").len(), 1);
    let changes = admitted.facts().to_changes();
    assert!(
        changes.to_string().contains("create Guest/0.1"),
        "{changes}"
    );

    let verified = store.verify_all().expect("the log is right");
    assert_eq!(verified.agreed, 0);
    let names: Vec<&str> = verified.not_fired.iter().map(|e| &*e.event).collect();
    assert_eq!(names, ["Admitted", "Bought", "Emptied", "Sold"]);
    assert_eq!(verified.not_fired[1].transactions, 5);
    assert_eq!(verified.not_fired[1].first, Seq::new(1));
    assert_eq!(last, Seq::new(8));
}

#[test]
fn the_graph_of_an_earlier_epoch_has_another_shape() {
    let dir = temp_dir();
    let (last, _) = write_first(dir.path());
    let mut store = continued::<v2::Model>(dir.path());
    let now = store.seq().expect("frames");
    store.step(v2::Bought {
        number: 9,
        weight: 1,
        remark: "r".into(),
    });
    for seq in [Seq::new(0), Seq::new(3), last, last + 1] {
        let e = store.as_of(seq).expect_err("it is of another shape");
        assert!(
            e.to_string()
                .contains("read it by name from a `Store<Dynamic>`"),
            "{e}"
        );
    }
    let then = store.as_of(now).expect("the migration is whole");
    assert!(then.find::<v2::Bed>(&9).is_none());
    assert_eq!(then.find::<v2::Bed>(&3).expect("the bed").floor(&then), 3);
    let snapshot = store.snapshot();
    assert_eq!(snapshot.fingerprint(), store.fingerprint());
    let bed = store.find::<v2::Bed>(&2).expect("the bed");
    assert_eq!(store.history(bed).expect("a log").len(), 5);
    let found = store.history_of_key::<v2::Bed>(&2).expect("a log");
    assert_eq!(found.len(), 2);
    let all = store.subscribe(0).expect("a log");
    drop(store);
    assert_eq!(all.count(), 10);
}

#[test]
fn a_request_of_an_earlier_epoch_is_not_repeated_as_a_new_one() {
    let dir = temp_dir();
    let mut store = First::open(dir.path()).expect("the store opens");
    let key = || Meta::default().with_idempotency_key("k");
    let bought = v1::Bought {
        number: 1,
        weight: 2,
        note: "n".into(),
    };
    let first = store.try_step_with(key(), bought).expect("it fires");
    let sold = Meta::default().with_idempotency_key("sold");
    store.step(v1::Bought {
        number: 2,
        weight: 2,
        note: "n".into(),
    });
    let there = store
        .try_step_with(
            sold.clone(),
            v1::Sold {
                bed: Key::new(2u32),
            },
        )
        .expect("it fires");
    drop(store);
    let mut store = Second::open(dir.path()).expect("the changes are taken");
    let bought = v2::Bought {
        number: 1,
        weight: 2,
        remark: "n".into(),
    };
    let again = store.try_step_with(key(), bought).expect("it is repeated");
    assert!(again.repeated);
    assert_eq!(again.seq, first.seq);
    assert_eq!(again.created.bed.id(), first.created.bed.id());
    let again = store
        .try_step_with(
            sold,
            v2::Sold {
                bed: Key::new(2u32),
            },
        )
        .expect("it is repeated");
    assert_eq!((again.repeated, again.seq), (true, there.seq));
}
