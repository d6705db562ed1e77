//! An event that creates an entity and deletes another fires although there are as many entities as there may be.

use ironweave::check::Checker;
use ironweave::prelude::*;

#[ironweave::model]
pub mod shelf {
    use ironweave::prelude::*;

    #[entity]
    pub struct Jar {
        pub batch: u8,
    }

    #[entity]
    pub struct Label {
        #[key]
        pub name: String,
    }

    #[event]
    #[create(jar: Jar { batch = 0 })]
    pub struct Filled {}

    #[event]
    #[create(new: Jar { batch = 1 })]
    #[delete(old)]
    pub struct Replaced {
        pub old: Jar,
    }

    /// It always fires, so that a state has other events than those that create.
    #[event]
    pub struct Opened {
        pub jar: Jar,
    }

    #[event]
    pub struct Printed {
        pub label: Ensure<Label>,
    }

    #[event]
    #[delete(old)]
    pub struct Reprinted {
        pub old: Label,
        pub new: Ensure<Label>,
    }
}

#[ironweave::model]
pub mod desk {
    use ironweave::prelude::*;

    #[entity]
    pub struct Letter {}
    #[states(Letter)]
    pub enum LetterState {
        #[initial]
        #[to(Sent)]
        Written,
        #[terminal]
        Sent,
    }

    #[entity]
    pub struct Stamp {
        #[key]
        pub number: u32,
    }
    #[states(Stamp)]
    pub enum StampState {
        #[initial]
        #[to(Used)]
        New,
        #[terminal]
        Used,
    }

    #[event]
    #[create(letter: Letter {})]
    pub struct LetterWritten {}

    #[event]
    #[moves(stamp: New -> Used)]
    #[moves(letter: Written -> Sent)]
    pub struct LetterSent {
        pub letter: Letter<Written>,
        pub stamp: Ensure<Stamp>,
    }
}

use shelf::*;

#[test]
fn what_is_deleted_makes_room_for_what_is_created() {
    let report = Checker::<Model>::new()
        .entities::<Jar>(2)
        .entities::<Label>(0)
        .sometimes("both jars are new", |db| {
            let new = db.place::<Jar, Any>().filter(|jar| jar.batch(db) == 1);
            new.count() == 2
        })
        .symmetry()
        .assert_properties();
    // No jar, one of either batch, or two jars of the same batch or not.
    assert_eq!(report.states(), 1 + 2 + 3);
    assert!(report.is_complete());
}

#[test]
fn what_is_deleted_makes_room_for_what_is_ensured() {
    let report = Checker::<Model>::new()
        .entities::<Jar>(0)
        .entities::<Label>(1)
        .assert_properties();
    // Another label takes the place of the only one.
    let counts = report.event("Reprinted").expect("an event");
    assert!(
        counts.fired > report.event("Printed").expect("an event").fired,
        "{report}"
    );
}

/// The second letter would need a second stamp, of which there may be only one. That is no deadlock.
#[test]
fn an_event_that_would_ensure_more_than_there_may_be_is_cut() {
    let report = Checker::<desk::Model>::new()
        .entities::<desk::Letter>(2)
        .entities::<desk::Stamp>(1)
        .assert_properties();
    assert!(
        report.event("LetterSent").expect("an event").cut > 0,
        "{report}"
    );
}
