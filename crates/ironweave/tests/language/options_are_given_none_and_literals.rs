//! An arc gives `None` and literals to optional fields.

use ironweave::prelude::*;

use crate::shed::{self, state::*, *};

#[test]
fn none_and_literals_are_given_to_options() {
    let (mut store, saw) = with_saw();
    let of = |store: &Store<shed::Model>| (saw.note(store).clone(), *saw.fee(store));
    assert_eq!(of(&store), (None, Some(3)));
    store.step(Lending {
        tool: saw.in_state::<Here>(&store).expect("the tool is here"),
        to: Some("ann".into()),
        at: Timestamp::from_secs(1),
        fee: None,
        due: Timestamp::from_secs(2),
        witnesses: Vec::new(),
    });
    assert_eq!(of(&store), (Some("lent".into()), None));
    assert_eq!(saw.lent_to(&store).as_deref(), Some("ann"));
    store.step(Return {
        tool: "saw".into(),
        others: Vec::new(),
        seen: None,
    });
    assert_eq!(of(&store), (Some("back".into()), Some(7)));
    assert_eq!(saw.lent_to(&store), &None);
}
