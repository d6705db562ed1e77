//! A model that puts one value wherever a value can go: fields of events, of entities, data of states and of links,
//! by arcs and by a handler.

use std::cell::RefCell;

use archive::*;
use ironweave::prelude::*;

use crate::kinds::Body;

#[ironweave::model]
pub mod archive {
    use ironweave::prelude::*;

    use crate::kinds::own::Duration;
    use crate::kinds::{Body, Name, Preset};

    #[entity]
    pub struct Doc {
        pub body: Option<Body>,
        #[edge(data = Body)]
        pub refs: Many<Doc>,
        #[inverse(Doc::refs)]
        pub referred: Many<Doc>,
    }
    #[states(Doc)]
    pub enum DocState {
        #[initial]
        #[to(Kept)]
        Draft,
        #[terminal]
        Kept { last: Body },
    }

    /// Its key is of a type of our own.
    #[entity]
    pub struct Named {
        #[key]
        pub name: Name,
    }

    /// Its key is two fields, one of a type of our own.
    #[entity]
    pub struct Numbered {
        #[key]
        pub name: Name,
        #[key]
        pub number: u32,
    }

    /// What it is given is lost.
    #[entity]
    pub struct Preselected {
        #[default]
        pub preset: Preset,
    }

    /// Its value is of a type of our own, which has the name of a known one.
    #[entity]
    pub struct Timer {
        pub lasts: Duration,
    }

    #[event]
    pub struct Waited {
        pub lasts: Duration,
    }

    #[event]
    #[create(timer: Timer { lasts })]
    pub struct Timed {
        pub lasts: Duration,
    }

    #[event]
    #[create(doc: Doc)]
    pub struct Drafted {}

    /// The value is in the event only.
    #[event]
    #[create(doc: Doc)]
    pub struct Said {
        pub body: Body,
    }

    /// The value is in an optional field of the event only.
    #[event]
    #[create(doc: Doc)]
    pub struct Mentioned {
        pub body: Option<Body>,
    }

    #[event]
    #[create(doc: Doc { body })]
    pub struct Made {
        pub body: Option<Body>,
    }

    #[event]
    #[set(doc.body = body)]
    pub struct Edited {
        pub doc: Doc,
        pub body: Option<Body>,
    }

    #[event]
    #[moves(doc: Draft -> Kept { last })]
    pub struct Closed {
        pub doc: Doc,
        pub last: Body,
    }

    #[event]
    #[link(doc.refs += other { data = body })]
    pub struct Linked {
        pub doc: Doc,
        pub other: Doc,
        pub body: Body,
    }

    /// Its handler does with the value of [`give`](super::give) what `how` says.
    #[event]
    #[may(create Doc, set Doc.body, Doc: Draft -> Kept, link Doc.refs, relink Doc.refs)]
    pub struct Handled {
        pub doc: Doc,
        pub other: Doc,
        pub how: String,
    }

    #[event]
    pub struct Noted {
        pub named: Ensure<Named>,
    }

    #[event]
    pub struct Counted {
        pub numbered: Ensure<Numbered>,
    }

    #[event]
    #[may(ensure Numbered)]
    pub struct CountedByHandler {}

    #[event]
    #[create(it: Preselected)]
    pub struct Preselect {}
}

thread_local! {
    static GIVEN: RefCell<Option<Body>> = const { RefCell::new(None) };
}

/// Sets the value that the handler of [`Handled`] writes from now on.
pub fn give(body: &Body) {
    GIVEN.with(|given| *given.borrow_mut() = Some(body.clone()));
}

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let body = GIVEN.with(|given| given.borrow().clone().expect("a body"));
        match self.how.as_str() {
            "create" => tx.create(NewDoc { body: Some(body) }).map(|_| ()),
            "set" => bound.doc.set_body(tx, Some(body)),
            "move" => {
                let draft = bound.doc.in_state::<state::Draft>(tx).expect("a draft");
                draft.to_kept(tx, body).map(|_| ())
            }
            "link" => bound.doc.link_refs(tx, &bound.other, body),
            "relink" => bound.doc.relink_refs(tx, &bound.other, body),
            other => unreachable!("{other}"),
        }
    }
}

impl Apply for CountedByHandler {
    fn apply(&self, _: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let lossy = crate::kinds::Name {
            text: "a".into(),
            hidden: 7,
        };
        tx.ensure::<Numbered>((lossy, 1)).map(|_| ())
    }
}
