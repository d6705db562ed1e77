//! One transaction, seen from the log, a subscription, a history, a speculation, and after reopening.

use ironweave::prelude::*;
use ironweave::{Fold, Record, RecordedEvent};
use serde_json::Value;

use crate::model::{
    Admitted, Bed, Bought, Cleaned, Left, Model, Placed, Sold, Ward, admitted, opened, state, ward,
};

/// The content of a record without its position, which the record of a tried event does not have.
fn content(record: &Record<Model>) -> (Value, String, Vec<String>, u128) {
    let mut json = serde_json::to_value(record).expect("it is JSON");
    json.as_object_mut().expect("an object").remove("position");
    let firings = record.firings().map(|firing| firing.to_string());
    (
        json,
        record.to_string(),
        firings.collect(),
        record.fingerprint(),
    )
}

/// Checks check_typed_access access to the record of the transaction that admits ann.
fn check_typed_access(record: &Record<Model>) {
    let admissions: Vec<Admitted> = record
        .events::<Admitted>()
        .collect::<Result<_, _>>()
        .expect("they can be read");
    assert_eq!(admissions.len(), 1);
    assert_eq!(admissions[0].patient, "ann");
    assert_eq!(record.events::<Cleaned>().count(), 0);
    let all: Vec<RecordedEvent<Model>> = record
        .all_events()
        .collect::<Result<_, _>>()
        .expect("they can be read");
    let names: Vec<&str> = all.iter().map(|event| event.name()).collect();
    assert_eq!(names, ["Admitted", "Filled"]);
    assert!(
        matches!(&all[1], RecordedEvent::Immediate { entity, .. } if &*entity.entity == "Ward")
    );
    assert!(
        all.into_iter()
            .next()
            .and_then(RecordedEvent::into_applied)
            .is_some()
    );
    let last = record.firings().last().expect("two fired");
    assert!(last.is_immediate());
    assert_eq!(last.name(), "Filled");
    assert!(last.fired_on::<Ward>().is_some());
    assert_eq!(last.fired_on::<Bed>(), None);
    assert_eq!(last.facts().len(), 2);
    assert_eq!(record.facts().len(), 5);
    assert_eq!(record.entered::<Bed, state::Taken>().len(), 1);
    assert_eq!(record.left::<Bed, state::Free>().len(), 1);
    assert_eq!(record.entered::<Ward, state::Full>().len(), 1);
    assert_eq!(record.meta().actor(), Some("eve"));
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Last(Option<String>);

impl Fold<Model> for Last {
    const VERSION: u32 = 1;
    type Error = StorageError;

    fn fold(&mut self, record: &Record<Model>) -> Result<(), StorageError> {
        self.0 = Some(format!("{:?}", content(record)));
        Ok(())
    }
}

#[test]
fn one_transaction_has_one_record_wherever_it_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut store = Store::<Model>::open(dir.path()).expect("it opens");
    let (ward, [bed, _]) = opened(&mut store);
    store.step(Placed { ward, bed, day: 3 });
    let mut coming = store
        .subscribe(store.seq().expect("there is one") + 1)
        .expect("it reads");
    let mut around = store.subscribe_after(store.snapshot()).expect("it reads");
    let before = store.snapshot();
    let meta = || {
        let meta = Meta::new().with_time(Timestamp::from_secs(4_000_000_000));
        meta.with_actor("eve")
            .with_correlation("case 7")
            .with_causation(1)
    };
    let tried = before
        .with_meta(meta(), admitted(bed, "ann"))
        .expect("it fires");
    let seq = store
        .try_step_with(meta(), admitted(bed, "ann"))
        .expect("it fires")
        .seq;

    let from_log = store.frames(seq).expect("it reads").next();
    let expected = from_log.expect("it is there").expect("it reads");
    check_typed_access(&expected);
    let reports = store.since(seq - 1).expect("it reads");
    let mut all: Vec<Record<Model>> = reports.map(|r| r.expect("it reads")).collect();
    all.extend(store.tx_range(seq..).expect("it reads").flatten());
    // A subscription from before the transaction, one with graphs, and one that reads the log.
    all.extend(coming.try_next().expect("it reads"));
    all.extend(around.try_next().expect("it reads"));
    all.extend(
        store
            .subscribe(seq)
            .expect("it reads")
            .try_next()
            .expect("it reads"),
    );
    all.push(tried.record.clone());
    let (tried_after, real) = (&tried.snapshot, store.snapshot());
    assert_eq!(tried_after.fingerprint(), real.fingerprint());
    // Each entry of the histories has the record.
    let of_bed = store.history(bed).expect("it reads");
    let of_ward = store.history(ward).expect("it reads");
    let entries = of_bed
        .iter()
        .chain(&of_ward)
        .filter(|entry| entry.seq() == seq);
    let entries: Vec<_> = entries.collect();
    assert_eq!(entries.len(), 5);
    assert!(
        entries
            .iter()
            .all(|entry| ["Admitted", "Filled"].contains(&entry.event()))
    );
    all.extend(entries.iter().map(|entry| entry.record().clone()));
    // Records can be sent to another thread, and reopening the store returns the same records.
    all = std::thread::spawn(move || all).join().expect("no panic");
    let mut folded = store.project::<Last>().expect("it reads");
    folded.catch_up(|_| {}).expect("it folds");
    assert_eq!(folded.table().0, Some(format!("{:?}", content(&expected))));
    drop(store);
    let store = Store::<Model>::open(dir.path()).expect("it opens");
    all.extend(store.frames(seq).expect("it reads").flatten());
    for (i, record) in all.iter().enumerate() {
        assert_eq!(content(record), content(&expected), "source {i}");
        assert!(record.facts() == expected.facts(), "source {i}");
        check_typed_access(record);
        let is_tried = record.position().is_none();
        assert!(
            is_tried || record.position() == expected.position(),
            "source {i}"
        );
    }
    assert_eq!(
        all.iter()
            .filter(|record| record.position().is_none())
            .count(),
        1
    );
}

#[test]
fn a_speculation_records_what_a_store_would_write_whatever_the_event() {
    let mut store = Store::<Model>::paranoid();
    let (ward, [bed, other]) = opened(&mut store);
    for event in [
        ward::AnyEvent::from(Placed { ward, bed, day: 3 }),
        admitted(bed, "ann").into(),
        Cleaned { bed }.into(),
        Sold { bed }.into(),
        Bought { number: 9 }.into(),
        Placed {
            ward,
            bed: other,
            day: 0,
        }
        .into(),
    ] {
        let time = Timestamp::from_secs(4_000_000_000);
        let meta = || Meta::new().with_time(time);
        let tried = (store.snapshot().with_any(meta(), &event))
            .expect("it fires")
            .record;
        let mut t = store.begin_with(meta()).expect("it begins");
        assert!(t.facts().is_empty());
        t.apply_any(&event).expect("it fires");
        assert!(t.facts() == tried.facts());
        t.commit().expect("it is written");
        let record = store.frames(tried.seq()).expect("it reads").next();
        let record = record.expect("it is there").expect("it reads");
        assert_eq!(content(&record), content(&tried));
    }
}

#[test]
fn records_and_their_views_can_be_sent_and_shared() {
    fn shared<T: Send + Sync>() {}
    shared::<Record<Model>>();
    shared::<ironweave::Firing<'_, Model>>();
    shared::<ironweave::Facts<'_, Model>>();
    shared::<ironweave::Fact<'_>>();
    shared::<ironweave::Changes<Model>>();
    shared::<ironweave::HistoryEntry<Model>>();
    shared::<ironweave::Occupant<Bed>>();
}

#[test]
fn a_record_names_the_entity_of_each_fact_by_id() {
    let mut store = Store::<Model>::memory();
    let (_, [bed, _]) = opened(&mut store);
    store.step(Sold { bed });
    let bed = store.step(Bought { number: 1 }).created.bed;
    assert_eq!(bed.id().generation(), 2);
    let mut around = store.subscribe_after(store.snapshot()).expect("it reads");
    let tried = store
        .snapshot()
        .with(admitted(bed, "ann"))
        .expect("it fires");
    store.step(admitted(bed, "ann"));
    let known = around.try_next().expect("it reads").expect("it is there");
    let from_log = store.frames(known.seq()).expect("it reads").next();
    let from_log = from_log.expect("it is there").expect("it reads");
    let entity = |record: &Record<Model>| {
        let fact = record.facts().get(0).expect("a fact");
        (fact.entity().to_string(), fact.entity().id())
    };
    let by_id = ("Bed/0.2".to_owned(), Some(bed.id()));
    assert_eq!(entity(&known), by_id);
    assert_eq!(entity(&tried.record), by_id);
    assert_eq!(entity(&from_log), by_id);
    let [occupant] = from_log.entered::<Bed, state::Taken>()[..] else {
        panic!("one entered");
    };
    assert_eq!(
        (occupant.handle(), occupant.resolve(&store)),
        (Some(bed), Some(bed))
    );
    assert_eq!(known.entered::<Bed, state::Taken>()[0].handle(), Some(bed));
    let after = known.after().expect("it has the graphs");
    assert!(bed.is::<state::Taken>(&after));
    assert!(
        known
            .before()
            .is_some_and(|before| bed.is::<state::Free>(&before))
    );
    assert!(from_log.before().is_none() && from_log.after().is_none());
    // The store deletes the entity; the graph after the transaction still has it.
    store.step(Sold { bed });
    assert_eq!(
        (occupant.resolve(&store), occupant.resolve(&after)),
        (None, Some(bed))
    );
}

/// A frame names each entity by its id, also where a transaction uses a slot several times. A paranoid store replays the frame,
/// and a replay refuses another generation than the entity at the slot has.
#[test]
fn a_slot_that_a_transaction_uses_again_has_another_generation_in_each_fact() {
    let mut store = Store::<Model>::paranoid();
    let (ward, [first, _]) = opened(&mut store);
    store.step(Placed {
        ward,
        bed: first,
        day: 1,
    });
    let mut t = store.begin();
    t.apply(admitted(first, "ann")).expect("it is free");
    t.apply(Sold { bed: first }).expect("it exists");
    let second = t
        .apply(Bought { number: 1 })
        .expect("no bed has it")
        .created
        .bed;
    let (bed, day) = (second, 2);
    t.apply(Placed { ward, bed, day }).expect("it is not there");
    t.apply(Left { bed }).expect("it is free");
    t.apply(Sold { bed }).expect("it exists");
    let third = t
        .apply(Bought { number: 1 })
        .expect("no bed has it")
        .created
        .bed;
    let (bed, day) = (third, 3);
    t.apply(Placed { ward, bed, day }).expect("it is not there");
    t.apply(admitted(third, "bob")).expect("it is free");
    t.commit().expect("the log takes it");
    // Later transactions use it too.
    store.step(Left { bed: third });
    store.step(Sold { bed: third });
    let fourth = store.step(Bought { number: 1 }).created.bed;
    store.step(admitted(fourth, "eve"));
    let all = [first, second, third, fourth];
    assert_eq!(all.map(|bed| bed.id().slot()), [0; 4]);
    assert_eq!(all.map(|bed| bed.id().generation()), [1, 2, 3, 4]);
    let mut named = Vec::new();
    let mut dirty = Vec::new();
    for record in store.frames(4).expect("it reads") {
        let record = record.expect("it reads");
        for firing in record.firings() {
            let facts = firing.facts().iter();
            let entities = facts.flat_map(|fact| [Some(fact.entity()), fact.other()]);
            let beds = entities.flatten().filter_map(|e| e.occupant::<Bed>());
            let mut beds: Vec<Option<Bed>> = beds.map(|bed| bed.handle()).collect();
            beds.dedup();
            named.extend(beds);
            let dirtied = firing.facts().entered::<Bed, state::Dirty>();
            dirty.extend(dirtied.iter().map(|bed| bed.handle()));
        }
        for bed in all {
            let is_named = serde_json::to_string(&record).expect("it is JSON");
            let is_named = is_named.contains(&format!("{bed}\""));
            assert_eq!(record.facts().touches(bed), is_named, "{bed} in {record:?}");
        }
    }
    let [first, second, third, fourth] = all.map(Some);
    let expected = [
        vec![first; 3],
        vec![second; 4],
        vec![third; 5],
        vec![fourth; 2],
    ];
    assert_eq!(named, expected.concat());
    assert_eq!(dirty, [second, third]);
    let [.., third, fourth] = all;
    assert!(fourth.alive(&store) && !third.alive(&store));
    store.verify().expect("the same facts");
    assert_eq!(store.check(), []);
}
