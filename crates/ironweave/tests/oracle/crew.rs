//! A model whose events have each kind of compiled arc: crews and their ships.

pub use model::*;

use ironweave::prelude::*;

#[ironweave::model]
pub mod model {
    use ironweave::prelude::*;

    #[entity]
    pub struct Ship {
        #[key]
        pub fleet: u32,
        #[key]
        pub name: String,
        #[index]
        pub class: u16,
        #[index(ordered)]
        #[default(7)]
        pub rank: i64,
        #[default]
        pub note: String,
        pub seen_by: Option<String>,
        pub cause: Option<u64>,
        pub captain: Option<Sailor>,
        #[edge(max = 3, data = u32)]
        pub crew: Many<Sailor>,
        #[edge(acyclic)]
        pub follows: Many<Ship>,
        #[inverse(Ship::follows)]
        pub followed_by: Many<Ship>,
        #[edge(data = String)]
        pub meets: Many<Sailor>,
    }
    #[states(Ship)]
    pub enum ShipState {
        #[initial]
        #[to(AtSea, Docked)]
        Docked,
        #[to(Docked, AtSea, Lost)]
        AtSea {
            since: Timestamp,
            by: Option<String>,
            knots: u8,
        },
        #[terminal]
        Lost,
    }

    #[entity]
    pub struct Sailor {
        #[key]
        pub name: String,
        #[default]
        pub age: u8,
        #[inverse(Ship::captain)]
        pub commands: Option<Ship>,
        #[inverse(Ship::crew)]
        pub ship: Option<Ship>,
        #[inverse(Ship::meets)]
        pub met: Many<Ship>,
    }
    #[states(Sailor)]
    pub enum SailorState {
        #[initial]
        #[to(Tired)]
        Fresh,
        #[to(Fresh)]
        Tired,
    }

    #[event]
    #[create(ship: Ship { fleet, name, class = 3, cause = meta.causation, seen_by = meta.actor })]
    pub struct Built {
        pub fleet: u32,
        pub name: String,
    }

    #[event]
    #[create(ship: Ship { fleet, name, class, rank = 1 })]
    #[create(sailor: Sailor { name = title })]
    #[link(ship.crew += sailor { data = class_of })]
    #[relink(ship.captain += sailor)]
    pub struct BuiltWithCaptain {
        pub fleet: u32,
        pub name: String,
        pub title: String,
        pub class: u16,
        pub class_of: u32,
    }

    #[event]
    #[set(sailor.age = age)]
    pub struct Signed {
        pub sailor: Ensure<Sailor>,
        pub age: u8,
    }

    #[event]
    #[relink(ship.crew += sailor { data = pay })]
    pub struct Moved {
        pub ship: Key<Ship>,
        pub sailor: Ensure<Sailor>,
        pub pay: u32,
    }

    #[event]
    #[set(ship.crew[sailor] = pay)]
    #[set(ship.note = "paid")]
    pub struct Paid {
        pub ship: Ship,
        pub sailor: Sailor,
        pub pay: u32,
    }

    #[event]
    #[relink(ship.captain += sailor)]
    #[moves(sailor: Fresh -> Tired)]
    pub struct Promoted {
        pub ship: Ship<Docked>,
        pub sailor: Sailor,
    }

    #[event]
    #[link(ship.meets += sailor { data = word })]
    pub struct Met {
        pub ship: Ship,
        pub sailor: Sailor,
        pub word: String,
    }

    #[event]
    #[link(ship.follows += leader)]
    pub struct Followed {
        pub ship: Ship,
        pub leader: Ship,
    }

    #[event]
    #[moves(ship: Docked -> AtSea { since = meta.time, by = meta.correlation, knots })]
    #[guard(crate::crew::may_sail)]
    pub struct Sailed {
        pub ship: Ship,
        pub knots: u8,
    }

    #[event]
    #[set(ship.AtSea.knots = knots)]
    #[set(ship.rank = rank)]
    #[set(ship.class = class)]
    pub struct Hurried {
        pub ship: Ship,
        pub knots: u8,
        pub rank: i64,
        pub class: u16,
    }

    #[event]
    #[moves(ship: AtSea | Docked -> Docked)]
    #[set(ship.seen_by = None)]
    pub struct Returned {
        pub ship: Ship,
    }

    #[event]
    #[moves(sailor: Tired -> Fresh)]
    #[may(set Sailor.age, Ship: Docked -> AtSea)]
    pub struct Slept {
        pub sailor: Sailor,
        pub years: u8,
    }

    #[event]
    pub struct Waved {
        pub ship: Ship,
    }

    #[event]
    #[delete(sailor)]
    pub struct Drowned {
        pub sailor: Sailor,
    }

    #[immediate]
    #[when(any ship.crew in Tired)]
    #[moves(ship: AtSea -> Lost)]
    pub struct Foundered {
        pub ship: Ship,
    }

    #[invariant(Ship, crate::crew::not_too_high)]
    pub struct NotTooHigh;
}

pub fn may_sail(event: &Sailed, db: &Guarded<'_, Sailed>) -> Result<(), Reject> {
    if event.knots > 3 || db.named().ship.crew_count(db) > 2 {
        return Err(Reject::new("too fast or too full"));
    }
    Ok(())
}

pub fn not_too_high(ship: Ship, db: &impl Db) -> Result<(), Reject> {
    if ship.rank(db) == 4 {
        return Err(Reject::new("four"));
    }
    Ok(())
}

impl Apply for Slept {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        if self.years == 4 {
            return Err(Reject::new("too long"));
        }
        let age = bound.sailor.age(tx);
        bound.sailor.set_age(tx, age.wrapping_add(self.years))
    }
}
