//! A step refuses a value that would be read back from the log as another one, with the field and the reason, and leaves the
//! store as it was.
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod kinds;
mod model;
mod nodes;
mod random_values_are_kept_or_refused;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use harness::{rejected, reopened_with, temp_dir, unsynced};
use ironweave::prelude::*;
use ironweave::{Options, StepError};
use kinds::*;
use model::archive::{self, *};
use model::give;
use serde_json::{Value, json};

type Archive = Store<archive::Model>;

/// A store with two drafts in it.
struct Place {
    dir: tempfile::TempDir,
    store: Archive,
    doc: Doc,
    other: Doc,
}

fn options() -> Options<archive::Model> {
    unsynced().paranoid()
}

fn open(dir: &tempfile::TempDir) -> Archive {
    options().open(dir.path()).expect("the log can be read")
}

impl Place {
    fn new() -> Self {
        let dir = temp_dir();
        let mut store = open(&dir);
        let doc = store.step(Drafted {}).created.doc;
        let other = store.step(Drafted {}).created.doc;
        Self {
            dir,
            store,
            doc,
            other,
        }
    }

    /// Asserts that an event is refused and changes nothing. The result has the field and the reason.
    fn refused<E: Event<Model = archive::Model>>(mut self, event: E) -> (Self, String, String) {
        let error = rejected(&mut self.store, event);
        let StepError::Unwritable { what, reason, .. } = &error else {
            panic!("{error}");
        };
        let refused = (what.to_string(), reason.clone());
        (self, refused.0, refused.1)
    }

    /// Closes the store and opens it again.
    fn reopened(mut self) -> Self {
        self.store = reopened_with(options(), self.dir.path(), self.store);
        self
    }
}

/// Puts a value in every place of a value, and asserts that each is refused for the same reason, which is the result.
fn refusal(body: &Body) -> String {
    give(body);
    let place = Place::new();
    let (doc, other) = (place.doc, place.other);
    let handled = |how: &str| Handled {
        doc,
        other,
        how: how.into(),
    };
    let some = || Some(body.clone());
    let mut whys = BTreeSet::new();
    let mut see = |(place, at, why): (Place, String, String), expected: &str| {
        assert_eq!(at, expected, "{why}");
        whys.insert(why);
        place
    };
    let place = see(place.refused(Said { body: body.clone() }), "Said.body");
    let place = see(place.refused(Mentioned { body: some() }), "Mentioned.body");
    let place = see(place.refused(Made { body: some() }), "Doc.body");
    let place = see(place.refused(Edited { doc, body: some() }), "Doc.body");
    let closed = Closed {
        doc,
        last: body.clone(),
    };
    let place = see(place.refused(closed), "Doc.Kept.last");
    let linked = Linked {
        doc,
        other,
        body: body.clone(),
    };
    let place = see(place.refused(linked), "Doc.refs");
    let place = see(place.refused(handled("create")), "Doc.body");
    let place = see(place.refused(handled("set")), "Doc.body");
    let place = see(place.refused(handled("move")), "Doc.Kept.last");
    let place = see(place.refused(handled("link")), "Doc.refs");
    let mut place = see(place.refused(handled("relink")), "Doc.refs");
    // A what-if refuses it as well.
    let tried = place
        .store
        .what_if(|t| t.apply(Said { body: body.clone() }).map(|_| ()));
    assert!(tried.is_err());
    let snapshot = place.store.snapshot();
    assert!(snapshot.with(Said { body: body.clone() }).is_err());
    let mut unlogged = Store::<archive::Model>::unlogged();
    assert!(unlogged.try_step(Said { body: body.clone() }).is_err());
    place.reopened();
    assert_eq!(whys.len(), 1, "{whys:?}");
    whys.pop_first().expect("a reason")
}

/// Puts a value in every place of a value, and asserts that each is the same after the store was opened again.
fn comes_back(body: &Body) {
    give(body);
    let Place {
        dir,
        mut store,
        doc,
        other,
    } = Place::new();
    let handled = |doc, how: &str| Handled {
        doc,
        other,
        how: how.into(),
    };
    store.step(Said { body: body.clone() });
    let some = || Some(body.clone());
    let made = store.step(Made { body: some() }).created.doc;
    store.step(Edited { doc, body: some() });
    let last = body.clone();
    store.step(Closed { doc, last });
    store.step(Linked {
        doc,
        other,
        body: body.clone(),
    });
    store.step(handled(other, "set"));
    store.step(handled(made, "move"));
    store.step(handled(made, "link"));
    let store = reopened_with(options(), dir.path(), store);
    // NaN is not equal to itself, and a hash table is printed in any order.
    let same = |found: Option<&Body>| {
        let equal = found == Some(body) || format!("{found:?}") == format!("{:?}", Some(body));
        assert!(equal, "{found:?} and {body:?}");
    };
    for doc in [doc, other, made] {
        same(doc.body(&store).as_ref());
    }
    for doc in [doc, made] {
        let kept = doc.in_state::<state::Kept>(&store).expect("it was kept");
        same(Some(kept.last(&store)));
        same(doc.refs_data(&store, &other));
    }
}

#[test]
fn null_in_json_would_come_back_as_an_empty_list() {
    let why = refusal(&Body::Json(json!({"a": [1, null]})));
    assert!(why.contains("would be read back as a sequence"), "{why}");
    comes_back(&Body::Json(
        json!({"a": [1, -1, 1.5, "b", true, {}], "b": {"c": []}}),
    ));
}

#[test]
fn some_none_would_come_back_as_none() {
    let why = refusal(&Body::Twice(Some(None)));
    assert_eq!(why, "`Some` at `Twice` would be read back as `None`");
    comes_back(&Body::Twice(None));
    comes_back(&Body::Twice(Some(Some(0))));
}

#[test]
fn values_that_serde_cannot_buffer_would_not_be_read_back() {
    for body in [
        Body::Internal(Internal::Wide { n: u128::MAX }),
        Body::Internal(Internal::Letter { c: 'x' }),
        Body::Internal(Internal::Nothing { unit: () }),
        Body::Untagged(Untagged::Wide(u128::MAX)),
        Body::Flat(Flat {
            name: "a".into(),
            rest: BTreeMap::from([("b".into(), u128::MAX)]),
        }),
    ] {
        let why = refusal(&body);
        assert!(why.starts_with("it could not be read back: "), "{why}");
    }
}

#[test]
fn an_untagged_variant_would_come_back_as_one_that_takes_it_first() {
    let why = refusal(&Body::Untagged(Untagged::Large(5)));
    assert_eq!(why, "a `u64` at `Untagged` would be read back as a `u8`");
    let why = refusal(&Body::Untagged(Untagged::Letter('x')));
    assert!(why.contains("would be read back as a `u8`"), "{why}");
    let why = refusal(&Body::Units(Units::Feet(Feet(3))));
    assert_eq!(
        why,
        "the newtype `Feet` at `Units` would be read back as the newtype `Meters`"
    );
    comes_back(&Body::Untagged(Untagged::Large(300)));
    comes_back(&Body::Units(Units::Meters(Meters(3))));
}

#[test]
fn a_field_that_is_not_serialized_is_found_by_equality() {
    let why = refusal(&Body::Hidden(Hidden {
        shown: 1,
        hidden: 2,
    }));
    assert!(why.contains("not equal"), "{why}");
    let why = refusal(&Body::Alike(Alike::Height(1)));
    assert!(why.contains("not equal"), "{why}");
    comes_back(&Body::Hidden(Hidden {
        shown: 1,
        hidden: 0,
    }));
}

#[test]
fn a_field_that_is_left_out_and_has_no_default_would_be_missing() {
    let sparse = |note: &str, list: &[u8]| {
        Body::Sparse(Sparse {
            note: note.into(),
            list: list.into(),
        })
    };
    let why = refusal(&sparse("", &[1]));
    assert_eq!(
        why,
        "it could not be read back: missing field `note`; give the field a `#[serde(default)]`"
    );
    comes_back(&sparse("a", &[]));
}

#[test]
fn a_value_nested_too_deep_is_refused_and_others_come_back() {
    // More than the stack of this thread would hold of it, if it were written.
    let why = std::thread::Builder::new()
        .stack_size(256 << 20)
        .spawn(|| {
            let deep = Body::Tree(Tree::deep(10_000));
            let some = (0..10_000).fold(None, |tree, _| Some(Box::new(Tree::Some(tree))));
            let list = (0..10_000).fold(json!([]), |list, _| Value::Array(vec![list]));
            [deep, Body::Tree(Tree::Some(some)), Body::Json(list)].map(|body| refusal(&body))
        })
        .expect("a thread")
        .join()
        .expect("no panic");
    for why in why {
        assert!(why.contains("more than 128 levels deep"), "{why}");
    }
    comes_back(&Body::Tree(Tree::deep(120)));
    comes_back(&Body::Json(
        (0..120).fold(json!(1), |list, _| json!([list])),
    ));
}

#[test]
fn a_number_that_is_written_as_a_smaller_one_would_be_another() {
    let why = refusal(&Body::Narrow(Narrow { n: 0.1 }));
    assert!(why.contains("not equal"), "{why}");
}

#[test]
fn a_hash_table_is_refused_however_few_are_in_it() {
    for len in [0u8, 1, 2, 9] {
        let map = (0..len).map(|n| (n.to_string(), n)).collect();
        let why = refusal(&Body::Hashed(Hashed::Map(map)));
        assert!(why.contains("use a `BTreeMap`"), "{why}");
        let set = (0..len).collect();
        let why = refusal(&Body::Hashed(Hashed::Set { set }));
        assert_eq!(
            why,
            "the `HashSet` at `Hashed.set` has no fixed order; use a `BTreeSet`"
        );
    }
}

#[test]
fn a_flattened_hash_table_is_refused_for_its_order() {
    let rest: HashMap<String, u8> = (0..20).map(|n| (n.to_string(), n)).collect();
    let why = refusal(&Body::FlatHash(FlatHash {
        name: "a".into(),
        rest,
    }));
    assert!(why.contains("in another order"), "{why}");
}

#[test]
fn a_hash_table_that_is_written_in_order_comes_back() {
    let map = (0..20).map(|n| (n.to_string(), n)).collect();
    comes_back(&Body::Sorted(Sorted { map }));
}

#[test]
fn a_hash_table_that_is_written_one_by_one_is_refused_whatever_its_order_is() {
    let mut out = Vec::new();
    // With two in it every second one would come back in the same order.
    for _ in 0..20 {
        let set = Iterated { set: [1, 2].into() };
        assert_eq!(
            refusal(&Body::Iterated(set)),
            "the `HashSet` at `Iterated.set` has no fixed order; use a `BTreeSet`"
        );
        for body in [
            ByHand::Map([(1, 1), (2, 2)].into()),
            ByHand::Set([1, 2].into()),
        ] {
            let mut store = Archive::unlogged();
            let body = Body::ByHand(body);
            out.push(store.try_step(Said { body }).is_err());
        }
    }
    // A hash table of two entries can keep its order by chance.
    let refused = out.iter().filter(|refused| **refused).count();
    assert!(refused > out.len() - 4, "{refused} of {}", out.len());
}

#[test]
fn a_type_of_ones_own_that_has_the_name_of_a_known_one_is_compared_too() {
    let mut store = Archive::memory();
    for (hidden, good) in [(0, true), (1, false)] {
        let lasts = kinds::own::Duration { shown: 1, hidden };
        assert_eq!(store.try_step(Waited { lasts }).is_ok(), good);
        assert_eq!(store.try_step(Timed { lasts }).is_ok(), good);
    }
}

#[test]
fn a_value_that_states_a_wrong_length_or_reads_part_of_itself_is_refused() {
    refusal(&Body::TooLong(TooLong(vec![1, 2])));
    refusal(&Body::TooShort(TooShort(vec![1, 2])));
    refusal(&Body::Greedy(Greedy));
}

#[test]
fn a_value_that_refuses_to_be_written_is_rejected_with_its_own_message() {
    assert_eq!(
        refusal(&Body::Refusing(Refusing {})),
        "not today at `Refusing`"
    );
}

#[test]
fn every_bit_of_a_float_comes_back() {
    let double = f64::from_bits(0x7ff8_0000_dead_beef);
    let body = Body::Floats {
        single: f32::from_bits(0x7fc0_0123),
        double,
    };
    comes_back(&body);
    let mut place = Place::new();
    let made = place.store.step(Made { body: Some(body) }).created.doc;
    drop(place.store);
    let store = open(&place.dir);
    let Some(Body::Floats { single, double: d }) = made.body(&store) else {
        panic!("it is there");
    };
    assert_eq!(
        (single.to_bits(), d.to_bits()),
        (0x7fc0_0123, double.to_bits())
    );
}

#[test]
fn values_that_serde_restores_come_back() {
    comes_back(&Body::Good(Good {
        wide: (u128::MAX, i128::MIN),
        letter: '\u{10ffff}',
        unit: (),
        some_unit: Some(()),
        list: vec![None, Some(vec![]), Some(vec![1])],
        keys: BTreeMap::from([((1, true), BTreeSet::from(["a".into()]))]),
        duration: Duration::new(u64::MAX, 999_999_999),
        path: PathBuf::from("/tmp/ä"),
        address: [127, 0, 0, 1].into(),
        array: [1, 2, 3],
        internal: Internal::Fine { text: "a".into() },
        untagged: vec![Untagged::Small(1), Untagged::Text("bb".into())],
        json: json!({"a": [true, "b", 1.5, u64::MAX, i64::MIN]}),
    }));
}

#[test]
fn a_field_that_equality_ignores_is_not_compared() {
    // The guide says so.
    let blind = |hidden| Some(Body::Blind(Blind { shown: 1, hidden }));
    let mut place = Place::new();
    let made = place.store.step(Made { body: blind(2) }).created.doc;
    drop(place.store);
    let found = open(&place.dir);
    assert_eq!(
        format!("{:?}", made.body(&found)),
        format!("{:?}", blind(0))
    );
}

#[test]
fn a_key_that_would_come_back_as_another_creates_nothing() {
    let name = |hidden| Name {
        text: "a".into(),
        hidden,
    };
    let named = Ensure::new(name(7));
    let (place, what, _) = Place::new().refused(Noted { named });
    assert_eq!(what, "Named.name");
    let numbered = Ensure::new((name(7), 1));
    let (place, what, _) = place.refused(Counted { numbered });
    assert_eq!(what, "Numbered.(name, number)");
    let (mut place, what, _) = place.refused(CountedByHandler {});
    assert_eq!(what, "Numbered.(name, number)");
    let tried = place.store.what_if(|t| -> Result<_, StepError> {
        let numbered = Ensure::new((name(7), 1));
        t.apply(Counted { numbered }).map(|_| ())
    });
    assert!(tried.is_err());

    place.store.step(Noted {
        named: Ensure::new(name(0)),
    });
    place.store.step(Counted {
        numbered: Ensure::new((name(0), 1)),
    });
    let print = place.store.fingerprint();
    drop(place.store);
    let store = open(&place.dir);
    assert_eq!(store.fingerprint(), print);
    assert!(store.find::<Numbered>(&(name(0), 1)).is_some());
}

#[test]
fn a_default_that_would_come_back_as_another_is_refused() {
    let (_, what, why) = Place::new().refused(Preselect {});
    assert_eq!(what, "Preselected.preset");
    assert!(why.contains("not equal"), "{why}");
}

#[test]
fn a_transaction_continues_after_a_value_was_refused() {
    let mut place = Place::new();
    let mut t = place.store.begin();
    t.apply(Drafted {}).expect("the event fires");
    let bad = Some(Body::Twice(Some(None)));
    assert!(t.apply(Made { body: bad }).is_err());
    let good = Some(Body::Twice(None));
    let made = t
        .apply(Made { body: good.clone() })
        .expect("the event fires")
        .created
        .doc;
    t.commit().expect("the event fires");
    let print = place.store.fingerprint();
    drop(place.store);
    let store = open(&place.dir);
    assert_eq!(store.fingerprint(), print);
    assert_eq!(*made.body(&store), good);
    assert_eq!(store.count::<Doc, Any>(), 4);
}
