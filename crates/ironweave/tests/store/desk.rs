//! Tickets that record the metadata of their transactions, with user code that breaks its rules.

pub use model::*;

use std::cell::Cell;

use ironweave::prelude::*;
use model::state::*;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ticket {
        #[key]
        pub number: u64,
        pub opened_by: Option<String>,
        pub about: Many<Ticket>,
        #[inverse(Ticket::about)]
        pub mentioned_by: Many<Ticket>,
    }
    #[states(Ticket)]
    pub enum TicketState {
        #[initial]
        #[to(Closed)]
        Open,
        #[to(Open)]
        Closed {
            by: Option<String>,
            matter: Option<String>,
            after: Option<u64>,
            at: Timestamp,
        },
    }

    #[event]
    #[create(ticket: Ticket { number, opened_by = meta.actor })]
    pub struct Opened {
        pub number: u64,
    }

    #[event]
    #[moves(ticket: Open -> Closed { by = meta.actor, matter = meta.correlation, after = meta.causation, at = meta.time })]
    pub struct Shut {
        pub ticket: Ticket,
    }

    #[event]
    #[moves(ticket: Closed -> Open)]
    pub struct Reopened {
        pub ticket: Key<Ticket>,
    }

    #[event]
    #[link(ticket.about += others)]
    pub struct Linked {
        pub ticket: Ticket,
        pub others: Vec<Ticket>,
    }

    #[event]
    #[may(Ticket: Closed -> Open)]
    #[guard(crate::desk::maybe)]
    pub struct Whimsical {
        pub ticket: Ticket,
    }

    #[invariant(Ticket, via = [about], crate::desk::looks_around)]
    pub struct LooksAround;
}

thread_local! {
    pub static CALLS: Cell<u32> = const { Cell::new(0) };
    /// What the invariant reads: 0 its entity, 1 an edge in its `via`, 2 an edge that is not, 3 all entities, 4 counts.
    pub static LOOKS: Cell<u32> = const { Cell::new(0) };
}

pub fn maybe(_: &Whimsical, _: &impl Db) -> Result<(), Reject> {
    let calls = CALLS.with(|c| c.replace(c.get() + 1));
    if calls.is_multiple_of(2) {
        Ok(())
    } else {
        Err(Reject::new("not now"))
    }
}

pub fn looks_around(ticket: Ticket, db: &impl Db) -> Result<(), Reject> {
    let _seen = match LOOKS.with(Cell::get) {
        0 => u64::from(ticket.is::<Open>(db)),
        1 => ticket.about(db).map(|t| t.number(db)).sum(),
        2 => ticket.mentioned_by(db).map(|t| t.number(db)).sum(),
        3 => db.place::<Ticket, Open>().count() as u64,
        _ => (db.count::<Ticket, Open>() + ticket.mentioned_by_count(db)) as u64,
    };
    Ok(())
}

impl Apply for Whimsical {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

pub fn store() -> Store<Model> {
    Store::paranoid()
}

pub fn open(store: &mut Store<Model>, number: u64) -> Ticket {
    store.step(Opened { number }).created.ticket
}
