//! Tickets with labels, parts and shelves, whose values and handlers fail and panic.

pub use model::*;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::prelude::*;

use crate::fussy::{Mood, fussy, in_a_mood};

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Label {
        #[key]
        pub name: String,
        pub note: crate::fussy::Fussy,
        #[inverse(Ticket::labels)]
        pub on: Many<Ticket>,
        #[inverse(Ticket::main)]
        pub main_of: Option<Ticket>,
    }
    #[states(Label)]
    pub enum LabelState {
        #[initial]
        #[to(Used)]
        Fresh,
        #[to(Used)]
        Used {
            by: crate::fussy::Fussy,
            at: crate::fussy::Fussy,
        },
    }

    #[entity]
    pub struct Ticket {
        #[key]
        pub number: u64,
        #[edge(data = crate::fussy::Fussy)]
        pub labels: Many<Label>,
        #[edge(data = crate::fussy::Fussy)]
        pub main: Option<Label>,
        #[edge(on_delete = cascade)]
        pub parts: Many<Part>,
    }

    #[entity]
    pub struct Part {
        #[inverse(Ticket::parts)]
        pub ticket: Option<Ticket>,
        #[edge(on_delete = restrict)]
        pub holds: Many<Part>,
        #[inverse(Part::holds)]
        pub held_by: Option<Part>,
    }

    #[entity]
    #[index(ordered, fields = [kind, rank])]
    pub struct Shelf {
        #[key]
        pub name: crate::fussy::Touchy,
        #[index(ordered)]
        pub rank: crate::fussy::Touchy,
        #[index]
        pub kind: crate::fussy::Touchy,
    }

    #[event]
    #[create(shelf: Shelf { name, rank, kind = rank })]
    pub struct Built {
        pub name: crate::fussy::Touchy,
        pub rank: crate::fussy::Touchy,
    }

    #[event]
    #[set(shelf.rank = rank)]
    #[may(set Shelf.kind)]
    pub struct Ranked {
        pub shelf: Shelf,
        pub rank: crate::fussy::Touchy,
        pub careful: bool,
    }

    #[event]
    #[delete(shelf)]
    pub struct Burnt {
        pub shelf: Shelf,
    }

    /// Fires for a label that is on some ticket in state `Open`.
    #[states(Ticket)]
    pub enum TicketState {
        #[initial]
        #[to(Done)]
        Open,
        #[terminal]
        Done,
    }

    #[event]
    #[create(label: Label { name, note })]
    pub struct Labelled {
        pub name: String,
        pub note: crate::fussy::Fussy,
    }

    #[event]
    #[create(ticket: Ticket { number })]
    pub struct Opened {
        pub number: u64,
    }

    #[event]
    #[create(part: Part)]
    #[link(part.ticket += ticket)]
    pub struct PartAdded {
        pub ticket: Ticket,
    }

    #[event]
    #[link(part.held_by += by)]
    pub struct Held {
        pub part: Part,
        pub by: Part,
    }

    /// Its handler makes the call of that number, and ignores its result.
    #[event]
    #[may(create Label, delete Ticket)]
    #[may(Label: Fresh | Used -> Used)]
    #[may(link Ticket.labels, relink Ticket.labels, unlink Ticket.labels, relink Ticket.main, link Ticket.main)]
    #[may(set Label.note, set Label.Used.by)]
    pub struct Tried {
        pub what: u32,
        pub ticket: Ticket,
        pub label: Label,
    }

    /// Its handler moves a label, so that `Finished` is enabled, and then ignores the error of a call.
    #[event]
    #[link(ticket.labels += label { data = note })]
    #[may(Label: Fresh -> Used)]
    #[may(create Label)]
    pub struct UsedAndTried {
        pub ticket: Ticket,
        pub label: Label<Fresh>,
        pub note: crate::fussy::Fussy,
    }

    #[immediate]
    #[when(any ticket.labels in Used)]
    #[moves(ticket: Open -> Done)]
    pub struct Finished {
        pub ticket: Ticket,
    }
}

impl Apply for Tried {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let (label, ticket) = (bound.label, bound.ticket);
        let mood = if self.what >= 100 {
            Mood::Panics
        } else {
            Mood::Refuses
        };
        let failed = catch_unwind(AssertUnwindSafe(|| match self.what % 100 {
            0 => {
                // The key is taken.
                let name = label.name(tx).to_owned();
                let note = fussy("");
                tx.create(NewLabel { name, note }).is_err()
            }
            1 => in_a_mood(mood, || {
                let (name, note) = ("new".to_owned(), fussy(""));
                tx.create(NewLabel { name, note }).is_err()
            }),
            2 => match label.state(tx) {
                LabelState::Fresh(fresh) => {
                    in_a_mood(mood, || fresh.to_used(tx, fussy("a"), fussy("b")).is_err())
                }
                LabelState::Used(used) => {
                    in_a_mood(mood, || used.to_used(tx, fussy("a"), fussy("b")).is_err())
                }
            },
            3 => in_a_mood(mood, || ticket.link_labels(tx, &label, fussy("x")).is_err()),
            4 => in_a_mood(mood, || {
                ticket.relink_labels(tx, &label, fussy("x")).is_err()
            }),
            5 => in_a_mood(mood, || ticket.relink_main(tx, &label, fussy("x")).is_err()),
            6 => ticket.delete(tx).is_err(),
            7 => in_a_mood(mood, || label.set_note(tx, fussy("x")).is_err()),
            _ => false,
        }));
        match failed {
            Ok(true) | Err(_) => Ok(()),
            Ok(false) => Err(Reject::new("it was to fail")),
        }
    }
}

impl Apply for UsedAndTried {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let name = bound.label.name(tx).to_owned();
        bound.label.to_used(tx, fussy("a"), fussy("b"))?;
        let note = fussy("");
        assert!(tx.create(NewLabel { name, note }).is_err());
        Ok(())
    }
}

impl Apply for Ranked {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let mut set = || bound.shelf.set_kind(tx, self.rank.clone());
        if self.careful {
            // The handler ignores the result.
            let _ = catch_unwind(AssertUnwindSafe(&mut set));
            Ok(())
        } else {
            set()
        }
    }
}
