//! Handlers of immediate events run as they are, and their calls are counted.

use ironweave::check::Checker;
use ironweave::prelude::*;

use bell::state::*;
use bell::*;

#[ironweave::model]
pub mod bell {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bell {
        #[default]
        pub rung: u8,
    }
    #[states(Bell)]
    pub enum BellState {
        #[initial]
        #[to(Ringing)]
        Still,
        #[to(Still)]
        Ringing,
    }

    /// It counts, which no arc does without a limit.
    #[immediate]
    #[moves(bell: Ringing -> Still)]
    #[may(set Bell.rung)]
    pub struct Faded {
        pub bell: Bell,
    }

    #[event]
    #[create(bell: Bell {})]
    pub struct Hung {}

    #[event]
    #[moves(bell: Still -> Ringing)]
    pub struct Rang {
        pub bell: Bell,
    }
}

impl Apply for Faded {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let bell: Bell<Still> = bound.bell;
        match bell.rung(tx) {
            2 => Err(Reject::new("it may ring twice")),
            rung => bell.set_rung(tx, rung + 1),
        }
    }
}

#[test]
fn a_handler_of_an_immediate_event_runs_in_the_checker_and_is_counted() {
    let report = Checker::<Model>::new()
        .entities::<Bell>(1)
        .check()
        .expect("all domains are given");
    // No bell, and one that has rung 0, 1 or 2 times.
    assert_eq!((report.states(), report.fired()), (4, 3));
    let rang = report.event("Rang").expect("an event");
    assert_eq!((rang.tried, rang.fired, rang.rejected), (3, 2, 1));
    assert!(report.handler_calls() >= rang.tried, "{report}");
}
