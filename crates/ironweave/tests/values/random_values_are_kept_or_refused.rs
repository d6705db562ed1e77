//! Random values in random places: a step acknowledges those that another implementation of CBOR brings back, and no
//! others, and whatever it acknowledged is there when the store is opened again.

use crate::harness::{assert_consistent, temp_dir};
use crate::kinds::Body;
use crate::model::archive::*;
use crate::model::give;
use crate::nodes::{Draw, comes_back};
use crate::open;

/// A document, as the test knows it.
struct Known {
    doc: Doc,
    /// Of its field, of its state, of its link.
    values: [Option<Body>; 3],
}

#[test]
fn acknowledged_values_are_read_back_and_refused_ones_leave_nothing() {
    let (mut kept, mut refused) = (0, 0);
    for seed in 0..40 {
        let mut draw = Draw(seed);
        let dir = temp_dir();
        let mut store = open(&dir);
        let other = store.step(Drafted {}).created.doc;
        let mut known: Vec<Known> = Vec::new();
        for _ in 0..30 {
            let node = draw.node(4);
            let good = comes_back(&node);
            let body = Body::Node(node);
            give(&body);
            let before = (store.fingerprint(), store.seq());
            let at = draw.below(known.len().max(1));
            let how = if known.is_empty() { 0 } else { draw.below(7) };
            let doc = known.get(at).map_or(other, |known| known.doc);
            let handled = |how: &str| Handled {
                doc,
                other,
                how: how.into(),
            };
            let draft = doc.is::<state::Draft>(&store);
            let fresh = known.get(at).is_some_and(|known| known.values[2].is_none());
            let (value, some) = (body.clone(), Some(body.clone()));
            // What the value is now, if it is acknowledged.
            let mut created = None;
            let (done, place) = match how {
                1 => (done(store.try_step(Edited { doc, body: some })), 0),
                2 => (done(store.try_step(handled("set"))), 0),
                3 if draft => (done(store.try_step(Closed { doc, last: value })), 1),
                4 if draft => (done(store.try_step(handled("move"))), 1),
                5 if fresh => {
                    let body = value;
                    (done(store.try_step(Linked { doc, other, body })), 2)
                }
                6 => (done(store.try_step(handled("relink"))), 2),
                _ => {
                    let made = store.try_step(Made { body: some });
                    created = made.as_ref().ok().map(|receipt| receipt.created.doc);
                    (done(made), 0)
                }
            };
            assert_eq!(done.is_ok(), good, "seed {seed}: {done:?} {body:?}");
            if done.is_err() {
                assert_eq!((store.fingerprint(), store.seq()), before);
                refused += 1;
                continue;
            }
            kept += 1;
            let at = match created {
                Some(doc) => {
                    known.push(Known {
                        doc,
                        values: [None, None, None],
                    });
                    known.len() - 1
                }
                None => at,
            };
            known[at].values[place] = Some(body);
        }
        let print = store.fingerprint();
        drop(store);
        let store = open(&dir);
        assert_eq!(store.fingerprint(), print);
        assert_consistent(&store);
        for Known { doc, values } in &known {
            let kept = doc.in_state::<state::Kept>(&store);
            let found = [
                doc.body(&store).as_ref(),
                kept.as_ref().map(|kept| kept.last(&store)),
                doc.refs_data(&store, &other),
            ];
            for (value, found) in values.iter().zip(found) {
                assert_eq!(format!("{:?}", value.as_ref()), format!("{found:?}"));
            }
        }
    }
    assert!(kept > 100 && refused > 100, "{kept} and {refused}");
}

fn done<T>(result: Result<T, ironweave::StepError>) -> Result<(), String> {
    result.map(|_| ()).map_err(|e| e.to_string())
}
