//! The net changes of a record are the difference of the graphs before and after its transaction.

use std::collections::{BTreeMap, BTreeSet};

use ironweave::prelude::*;
use ironweave::{Facts, Occupant, Snapshot};

use crate::model::{
    Bed, Bought, Cleaned, Left, Model, Opened, Placed, Removed, Sold, Ward, admitted, state,
};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// Returns a random entity of a type.
fn any<T>(db: &impl Db, random: &mut Random) -> Option<T>
where
    T: Entity,
    Any: ironweave::Place<T, Item = T>,
{
    let all: Vec<T> = db.place::<T, Any>().collect();
    (!all.is_empty()).then(|| all[random.below(all.len())])
}

/// Applies a random event. Returns `None` if it was rejected.
fn apply(t: &mut Transaction<'_, Model>, random: &mut Random) -> Option<()> {
    let what = random.below(16);
    let number = random.below(12) as u64;
    if what < 4 {
        return t.apply(Bought { number }).ok().map(drop);
    }
    if what == 4 {
        let name = format!("ward {}", random.below(3));
        return t.apply(Opened { name }).ok().map(drop);
    }
    let bed = any::<Bed>(t, random)?;
    match what {
        5..7 => t.apply(admitted(bed, "ann")).ok().map(drop),
        7..9 => t.apply(Left { bed }).ok().map(drop),
        9..11 => t.apply(Cleaned { bed }).ok().map(drop),
        11..13 => t.apply(Sold { bed }).ok().map(drop),
        _ => {
            let ward = any::<Ward>(t, random)?;
            match what {
                13 => t.apply(Removed { ward, bed }).ok().map(drop),
                _ => t.apply(Placed { ward, bed, day: 1 }).ok().map(drop),
            }
        }
    }
}

/// Returns the entities in a place.
fn place<T: Entity + Ord, S: ironweave::Place<T>>(db: &Snapshot<Model>) -> BTreeSet<T> {
    use ironweave::Handle;
    db.place::<T, S>()
        .map(|item| T::from_id(item.id()))
        .collect()
}

fn links(db: &Snapshot<Model>) -> BTreeSet<(Ward, Bed)> {
    let wards = db.place::<Ward, Any>();
    let of = |ward: Ward| {
        ward.beds(db)
            .map(move |bed| (ward, bed))
            .collect::<Vec<_>>()
    };
    wards.flat_map(of).collect()
}

/// Returns the handles of occupants whose generations are all known.
fn known<T: Entity + Ord>(occupants: &[Occupant<T>]) -> BTreeSet<T> {
    let all: BTreeSet<T> = occupants
        .iter()
        .map(|occupant| occupant.handle().expect("the graph is known"))
        .collect();
    assert_eq!(all.len(), occupants.len(), "each once");
    all
}

/// Compares net changes with the difference of two graphs.
fn compare(facts: Facts<'_, Model>, before: &Snapshot<Model>, after: &Snapshot<Model>, what: &str) {
    macro_rules! places {
        ($entity:ty: $($state:ty),*) => {
            let (was, is) = (place::<$entity, Any>(before), place::<$entity, Any>(after));
            let created: BTreeSet<$entity> = facts.created().into_iter().collect();
            let deleted: BTreeSet<$entity> = facts.deleted().into_iter().collect();
            assert_eq!(created, &is - &was, "{what}: created");
            assert_eq!(deleted, &was - &is, "{what}: deleted");
            $(
                let (was, is) = (place::<$entity, $state>(before), place::<$entity, $state>(after));
                let entered = facts.entered::<$entity, $state>();
                let left = facts.left::<$entity, $state>();
                assert_eq!(known(&entered), &is - &was, "{what}: entered {}", stringify!($state));
                assert_eq!(known(&left), &was - &is, "{what}: left {}", stringify!($state));
            )*
        };
    }
    places!(Bed: state::Free, state::Taken, state::Dirty, (state::Free, state::Dirty), Any);
    places!(Ward: state::Open, state::Full);
    let (was, is) = (links(before), links(after));
    let pairs = |pairs: Option<Vec<(Occupant<Ward>, Occupant<Bed>)>>| {
        let pairs = pairs.expect("there is such an edge");
        let handle = |(a, b): &(Occupant<Ward>, Occupant<Bed>)| {
            (a.handle().expect("known"), b.handle().expect("known"))
        };
        let all: BTreeSet<(Ward, Bed)> = pairs.iter().map(handle).collect();
        assert_eq!(all.len(), pairs.len(), "each once");
        all
    };
    assert_eq!(
        pairs(facts.linked::<Ward, Bed>("beds")),
        &is - &was,
        "{what}: linked"
    );
    assert_eq!(
        pairs(facts.unlinked::<Ward, Bed>("beds")),
        &was - &is,
        "{what}: unlinked"
    );
    // The other end of the edge has the same pairs.
    let from_the_other_end = facts
        .linked::<Bed, Ward>("wards")
        .expect("there is such an edge");
    assert_eq!(from_the_other_end.len(), (&is - &was).len());
    assert!(facts.linked::<Ward, Ward>("beds").is_none());
    assert!(facts.linked::<Ward, Bed>("chairs").is_none());
}

#[test]
fn net_changes_are_the_difference_of_the_graphs_before_and_after() {
    let mut touched = BTreeMap::<&str, usize>::new();
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut store = Store::<Model>::memory();
        let mut around = store.subscribe_after(store.snapshot()).expect("it reads");
        let start = store.snapshot();
        let mut all = store.begin().facts().to_changes();
        let mut all_opened = all.clone();
        for step in 0..12 {
            let mut t = store.begin();
            for _ in 0..random.below(14) {
                apply(&mut t, &mut random);
            }
            let open = t.facts().to_changes();
            all_opened.append(t.facts());
            t.commit().expect("it is written");
            let Some(record) = around.try_next().expect("it reads") else {
                continue;
            };
            let what = format!("seed {seed}, transaction {step}: {record:?}");
            let (before, after) = (record.before(), record.after());
            let (before, after) = before.zip(after).expect("it has the graphs");
            compare(record.facts(), &before, &after, &what);
            *touched.entry("deleted").or_default() += record.deleted::<Bed>().len();
            *touched.entry("created").or_default() += record.created::<Bed>().len();
            let both = record.facts().iter();
            let creates = both.filter(|f| f.kind() == ironweave::FactKind::Create);
            *touched.entry("all").or_default() += creates.count();
            // A record from the log has the entities too, and so have the facts of the transaction while it was open.
            let logged = store.frames(record.seq()).expect("it reads").next();
            let logged = logged.expect("it is there").expect("it reads");
            compare(logged.facts(), &before, &after, &what);
            compare(open.facts(), &before, &after, &what);
        }
        // The same holds for the difference of two snapshots, and for the facts of all transactions.
        let end = store.snapshot();
        let diff = start.diff(&end).expect("of one store");
        compare(
            diff.facts(),
            &start,
            &end,
            &format!("seed {seed}: {diff:?}"),
        );
        for record in store.frames(0).expect("it reads") {
            all.append(record.expect("it reads").facts());
        }
        let what = format!("seed {seed}: {all:?}");
        compare(all.facts(), &start, &end, &what);
        compare(all_opened.facts(), &start, &end, &what);
        assert_eq!(format!("{all_opened:?}"), format!("{all:?}"));
    }
    // Slots were reused, also within a transaction.
    assert!(
        touched["all"] > touched["created"] && touched["deleted"] > 50,
        "{touched:?}"
    );
}

#[test]
fn an_entity_enters_only_its_last_state_and_leaves_only_its_first() {
    let mut store = Store::<Model>::memory();
    let bed = store.step(Bought { number: 1 }).created.bed;
    let mut t = store.begin();
    t.apply(admitted(bed, "ann")).expect("it is free");
    t.apply(Left { bed }).expect("it is taken");
    // An entity that is created and deleted is in no net change.
    let other = t
        .apply(Bought { number: 2 })
        .expect("it is new")
        .created
        .bed;
    t.apply(Sold { bed: other }).expect("it is there");
    let entered = t.facts().entered::<Bed, state::Dirty>();
    assert_eq!(entered.len(), 1);
    assert!(t.facts().entered::<Bed, state::Taken>().is_empty());
    assert!(t.facts().left::<Bed, state::Taken>().is_empty());
    assert_eq!(t.facts().left::<Bed, state::Free>(), entered);
    assert!(t.facts().created::<Bed>().is_empty() && t.facts().deleted::<Bed>().is_empty());
    assert!(t.facts().touches(bed) && t.facts().touches(other));
    // The list has all facts.
    assert_eq!(t.facts().len(), 3 + 1 + 2 + 1);
    assert_eq!(entered[0].resolve(&t), Some(bed));
    t.commit().expect("it is written");
}

#[test]
fn changes_have_the_entities_of_all_facts_that_were_appended() {
    let mut store = Store::<Model>::memory();
    let ward = store.step(Opened { name: "icu".into() }).created.ward.any();
    let bed = store.step(Bought { number: 1 }).created.bed.any();
    let mut changes = store.begin().facts().to_changes();
    // Of an open transaction, of a record, of an event that was tried, and of one of its firings.
    let mut t = store.begin();
    t.apply(admitted(bed, "ann")).expect("it is free");
    changes.append(t.facts());
    t.commit().expect("it is written");
    let placed = store.step(Placed { ward, bed, day: 1 });
    let record = store.frames(placed.seq).expect("it reads").next();
    changes.append(record.expect("a record").expect("it reads").facts());
    let left = store.snapshot().with(Left { bed }).expect("it is taken");
    changes.append(left.record.facts());
    let cleaned = left.snapshot.with(Cleaned { bed }).expect("it is dirty");
    let firing = cleaned.record.firings().next().expect("it fired");
    changes.append(firing.facts());
    for fact in changes.facts() {
        for entity in [Some(fact.entity()), fact.other()].into_iter().flatten() {
            assert!(entity.id().is_some(), "{fact}");
            let found = entity.occupant::<Bed>();
            assert!(
                found.is_none_or(|found| found.handle() == Some(bed)),
                "{fact}"
            );
        }
    }
    let linked = changes
        .facts()
        .linked::<Ward, Bed>("beds")
        .expect("an edge");
    assert_eq!(linked[0].0.handle(), Some(ward));
    assert!(changes.facts().entered::<Bed, state::Taken>().is_empty());
}

#[test]
fn a_firing_names_the_entities_of_its_own_time() {
    let mut store = Store::<Model>::memory();
    let ward = store.step(Opened { name: "icu".into() }).created.ward.any();
    let old = store.step(Bought { number: 1 }).created.bed.any();
    let snapshot = store.snapshot();
    // The new bed takes the slot of the old one.
    let (new, _) = store
        .transaction(|t| {
            t.apply(admitted(old, "ann"))?;
            let bed = old;
            t.apply(Placed { ward, bed, day: 1 })?;
            t.apply(Sold { bed })?;
            let new = t.apply(Bought { number: 2 })?.created.bed.any();
            t.apply(admitted(new, "bob"))?;
            Ok::<_, StepError>(new)
        })
        .expect("it is written");
    assert_eq!(old.id().slot(), new.id().slot());
    let records = store
        .subscribe_after(snapshot)
        .expect("it reads")
        .try_next();
    let with_graph = records.expect("it reads").expect("a record");
    let from_log = (store.frames(with_graph.seq()).expect("it reads").next()).expect("a record");
    for record in [with_graph, from_log.expect("it reads")] {
        let firings: Vec<Facts<'_, Model>> = record.firings().map(|f| f.facts()).collect();
        let entered = |i: usize| firings[i].entered::<Bed, state::Taken>()[0].handle();
        assert_eq!(entered(0), Some(old));
        let linked = firings[1].linked::<Ward, Bed>("beds").expect("an edge");
        assert_eq!(linked[0].1.handle(), Some(old));
        let unlinked = firings.iter().find_map(|facts| {
            let unlinked = facts.unlinked::<Ward, Bed>("beds").expect("an edge");
            unlinked.first().and_then(|pair| pair.1.handle())
        });
        assert_eq!(unlinked, Some(old));
        let last = firings.len() - 1;
        assert_eq!(entered(last), Some(new));
        assert!(firings[0].touches(old) && !firings[0].touches(new));
        assert!(firings[last].touches(new) && !firings[last].touches(old));
        assert!(record.facts().touches(old) && record.facts().touches(new));
        assert_eq!(record.facts().created::<Bed>(), [new]);
        assert_eq!(record.facts().deleted::<Bed>(), [old]);
    }
}
