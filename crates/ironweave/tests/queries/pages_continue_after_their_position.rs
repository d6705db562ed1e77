//! Tokens of pages: what they survive, and which are refused.

use ironweave::prelude::*;
use ironweave::query::{PageError, PageToken};

use crate::hospital::state::*;
use crate::hospital::*;

fn patients(ages: &[i64]) -> (Store<Model>, Vec<Patient>) {
    let mut store = Store::<Model>::memory();
    let admit = |age: &i64| {
        let (name, age) = ("p".to_owned(), Some(*age));
        store.step(Admitted { name, age }).created.patient
    };
    let all = ages.iter().map(admit).collect();
    (store, all)
}

fn all() -> Filter<Patient> {
    Patient::in_place::<Any>()
}

#[test]
fn a_token_survives_the_deletion_of_its_entity() {
    let (mut store, p) = patients(&[5, 3, 5, 5, 9]);
    let by_id = all().page(&store, None, 2).expect("a page");
    let sorted = all().order_by(Patient::AGE);
    let by_age = sorted.page(&store, None, 2).expect("a page");
    assert_eq!(
        (by_id.items, &by_age.items),
        (vec![p[0], p[1]], &vec![p[1], p[0]])
    );
    let (by_id, by_age) = (by_id.next.as_ref(), by_age.next.as_ref());
    for gone in [p[0], p[1]] {
        store.step(Discharged { patient: gone });
    }
    let next = all().page(&store, by_id, 2).expect("a page");
    assert_eq!((next.items, next.next.is_some()), (vec![p[2], p[3]], true));
    let next = sorted.page(&store, by_age, 2).expect("a page");
    assert_eq!((next.items, next.next.is_some()), (vec![p[2], p[3]], true));

    // The slots of the deleted ones are before the position.
    let (name, age) = ("new".to_owned(), Some(5));
    let new = store.step(Admitted { name, age }).created.patient;
    assert_eq!(new.id().slot(), p[1].id().slot());
    let next = all().page(&store, by_id, 9).expect("a page");
    assert_eq!((next.items, next.next), (vec![p[2], p[3], p[4]], None));
    let next = sorted.page(&store, by_age, 9).expect("a page");
    assert_eq!((next.items, next.next), (vec![new, p[2], p[3], p[4]], None));
    // An entity that has gone to an earlier position is passed over, and one that has gone to a later one comes again.
    store.step(Aged {
        patient: p[4],
        age: Some(1),
    });
    store.step(Aged {
        patient: p[2],
        age: Some(80),
    });
    let next = sorted.page(&store, by_age, 9).expect("a page");
    assert_eq!(next.items, [new, p[3], p[2]]);
}

#[test]
fn a_token_survives_in_text_in_snapshots_and_in_a_reopened_store() {
    let dir = crate::harness::temp_dir();
    let mut store = Store::<Model>::open(dir.path()).expect("a new store");
    for number in 0..5 {
        let (name, age) = (format!("p{number}"), Some(number));
        store.step(Admitted { name, age });
    }
    let sorted = (!Patient::AGE.eq(2)).order_by(Patient::AGE).descending();
    let first = sorted.page(&store, None, 2).expect("a page");
    let ages = |db: &Store<Model>, of: &[Patient]| -> Vec<Option<i64>> {
        of.iter().map(|patient| *patient.age(db)).collect()
    };
    assert_eq!(ages(&store, &first.items), [Some(4), Some(3)]);
    let token = first.next.expect("there are more");
    let json = serde_json::to_string(&token).expect("it is a text");
    let token: PageToken = serde_json::from_str(&json).expect("it was written");
    let of_snapshot = sorted
        .page(&store.snapshot(), Some(&token), 2)
        .expect("a page");
    drop(store);
    let store = Store::<Model>::open(dir.path()).expect("it is there");
    let next = sorted.page(&store, Some(&token), 2).expect("a page");
    assert_eq!(ages(&store, &next.items), [Some(1), Some(0)]);
    assert_eq!((next.next.clone(), next), (None, of_snapshot));
}

#[test]
fn a_page_has_as_many_entities_as_may_be() {
    let (store, p) = patients(&[3, 2, 1]);
    let sorted = all().order_by(Patient::AGE);
    for most in [3, 4, usize::MAX] {
        let page = all().page(&store, None, most).expect("a page");
        assert_eq!((page.items, page.next), (p.clone(), None));
        let page = sorted.page(&store, None, most).expect("a page");
        assert_eq!((page.items, page.next), (vec![p[2], p[1], p[0]], None));
    }
    assert_eq!(all().page(&store, None, 0), Err(PageError::NoItems));
    assert_eq!(sorted.page(&store, None, 0), Err(PageError::NoItems));
    let empty = Store::<Model>::memory();
    let page = all().page(&empty, None, 1).expect("a page");
    assert_eq!((page.items, page.next), (vec![], None));
}

#[test]
fn a_token_of_another_order_is_refused() {
    let (store, _) = patients(&[1, 2, 3]);
    let token = |page: Result<ironweave::query::Page<Patient>, PageError>| {
        page.expect("a page").next.expect("there are more")
    };
    let up = all().order_by(Patient::AGE);
    let down = up.clone().descending();
    let (by_id, by_age) = (
        token(all().page(&store, None, 1)),
        token(up.page(&store, None, 1)),
    );
    let other = Err(PageError::OtherOrder);
    assert_eq!(all().page(&store, Some(&by_age), 1), other);
    assert_eq!(up.page(&store, Some(&by_id), 1), other);
    assert_eq!(down.page(&store, Some(&by_age), 1), other);
    let wards = Ward::in_place::<Any>().order_by(Ward::RANK);
    assert_eq!(
        wards.page(&store, Some(&by_age), 1),
        Err(PageError::OtherOrder)
    );
    // The value of the position is not one of the field.
    let text = by_age.to_string();
    let (order, rest) = text.split_once('-').expect("it has an order");
    let id = rest.rsplit_once('-').expect("it has an id").1;
    let forged: PageToken = format!("{order}-6161-{id}")
        .parse()
        .expect("it is one in form");
    assert_eq!(up.page(&store, Some(&forged), 1), other);
    // A position after each entity that there can be.
    let last: PageToken = "4294967295.1".parse().expect("an id");
    assert_eq!(
        all().page(&store, Some(&last), 1).expect("a page").items,
        []
    );
}

#[test]
fn a_text_that_is_no_token_is_refused() {
    for text in [
        "",
        "-",
        "1",
        "x.1",
        "1a-ff",
        "1a-f-0.1",
        "1a-fx-0.1",
        "a-00-0.1",
        "1-00-0.1",
        "1x-00-0.1",
        "99999a-00-0.1",
        "1a-+f-0.1",
        "1a-é-0.1",
        "1a-00-0.1-",
    ] {
        let error = text.parse::<PageToken>().expect_err(text);
        assert_eq!(
            error.to_string(),
            format!("{text:?} is not a token of a page")
        );
    }
    for text in ["3.1", "1a-00-0.1", "1d--0.1", "0d-0aff-7.12"] {
        let token: PageToken = text.parse().expect(text);
        assert_eq!(token.to_string(), text);
    }
}

#[test]
fn a_condition_on_the_field_of_the_order_limits_the_pages() {
    let (mut store, p) = patients(&[5, 1, 4, 2, 3, 9]);
    store.step(Aged {
        patient: p[5],
        age: None,
    });
    let within = Patient::AGE.gt(1) & Patient::AGE.le(4);
    let sorted = within.clone().order_by(Patient::AGE);
    let mut next = None;
    for expected in [[p[3]], [p[4]], [p[2]]] {
        let page = sorted.page(&store, next.as_ref(), 1).expect("a page");
        assert_eq!(page.items, expected);
        next = page.next;
    }
    assert_eq!(next, None);
    assert_eq!(sorted.descending().first(&store), Some(p[2]));
    assert_eq!(all().order_by(Patient::AGE).first(&store), Some(p[5]));
    assert_eq!(
        Patient::AGE.eq(3).order_by(Patient::AGE).first(&store),
        Some(p[4])
    );
    let _ = within & Patient::BED.any(Bed::in_place::<Free>());
}
