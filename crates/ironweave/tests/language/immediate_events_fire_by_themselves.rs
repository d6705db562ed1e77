//! An immediate event fires in the step that makes its conditions hold.

use super::*;

#[ironweave::model]
pub mod follow {
    use ironweave::prelude::*;

    #[entity]
    pub struct Case {
        pub notes: Many<Note>,
    }
    #[states(Case)]
    pub enum CaseState {
        #[initial]
        #[to(Noted)]
        Open,
        #[to(Closed)]
        Noted,
        #[terminal]
        Closed,
    }

    #[entity]
    pub struct Note {
        #[inverse(Case::notes)]
        pub case: Case,
    }
    #[states(Note)]
    pub enum NoteState {
        #[to(Filed)]
        Held,
        #[terminal]
        Filed,
        #[initial]
        #[to(Held)]
        Fresh,
    }

    #[event]
    #[create(case: Case)]
    pub struct Opened {}

    /// `Fresh` has the same number as `Closed`: the state of the note is no condition on the case.
    #[immediate]
    #[create(note: Note)]
    #[link(case.notes += note)]
    #[moves(case: Open -> Noted)]
    #[moves(note: Fresh -> Held)]
    pub struct NoteTaken {
        pub case: Case,
    }

    #[immediate]
    #[moves(those case: Noted -> Closed)]
    #[moves(each case.notes: Held -> Filed)]
    pub struct NotesFiled {
        pub case: Case,
    }
}

#[test]
fn an_immediate_event_writes_literals() {
    let mut store = store();
    let order = order(&mut store, "ada", 1);
    let screw = line(&mut store, 1, "screw", 10);
    store.step(Packing { line: screw });
    let paid = order.in_state::<Paid>(&store).expect("all is packed");
    assert_eq!((paid.by(&store), paid.beats(&store)), ("packed", 7));
    assert_sound(&store);
}

#[test]
fn the_state_of_a_created_entity_is_no_condition_of_an_immediate_event() {
    use follow::state::{Closed, Filed};
    let mut store = Store::<follow::Model>::paranoid();
    let case = store.step(follow::Opened {}).created.case;
    assert!(case.is::<Closed>(&store));
    assert_eq!(store.count::<follow::Note, Filed>(), 1);
    assert_consistent(&store);
}

#[test]
fn an_immediate_event_that_moves_those_is_enabled_where_it_moves_its_own() {
    // Otherwise it would fire on closed cases too, until the limit rejects the step.
    let mut store = Store::<follow::Model>::paranoid();
    for _ in 0..3 {
        store.step(follow::Opened {});
    }
    assert_eq!(store.count::<follow::Case, follow::state::Closed>(), 3);
    store.verify().expect("the same facts again");
}
