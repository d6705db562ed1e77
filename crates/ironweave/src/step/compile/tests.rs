//! A program whose compiled arcs do not follow from its schema is refused.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Store;
use crate::plumbing::{EventMaker, EventVisitor};
use crate::schema::compiled::CompiledArc;
use crate::step::any_event::AnyEvent;
use crate::step::model::{Binding, Model};
use crate::step::plan::Plan;

/// A model with each kind of compiled arc.
#[crate::model]
#[allow(dead_code, missing_docs)]
mod ships {
    use crate::prelude::*;

    #[entity]
    pub struct Ship {
        #[key]
        pub name: String,
        #[default]
        pub note: String,
        pub captain: Option<Sailor>,
        pub crew: Many<Sailor>,
        #[edge(data = u64)]
        pub meets: Many<Sailor>,
    }
    #[states(Ship)]
    pub enum ShipState {
        #[initial]
        #[to(AtSea)]
        Docked,
        #[to(Docked)]
        AtSea {
            since: Timestamp,
            by: Option<String>,
            knots: u8,
        },
    }

    #[entity]
    pub struct Sailor {
        #[inverse(Ship::captain)]
        pub commands: Option<Ship>,
        #[inverse(Ship::crew)]
        pub ship: Option<Ship>,
        #[inverse(Ship::meets)]
        pub met: Many<Ship>,
    }

    #[event]
    #[create(ship: Ship { name })]
    #[create(sailor: Sailor {})]
    #[relink(ship.captain += sailor)]
    #[guard(super::may_be_built)]
    pub struct Built {
        pub name: String,
    }

    #[event]
    #[relink(ship.crew += sailor)]
    #[link(ship.meets += sailor { data = pay })]
    pub struct Hired {
        pub ship: Ship,
        pub sailor: Sailor,
        pub pay: u64,
    }

    #[event]
    #[set(ship.meets[sailor] = pay)]
    #[set(ship.AtSea.knots = 3)]
    #[set(ship.note = "paid")]
    pub struct Paid {
        pub ship: Ship,
        pub sailor: Sailor,
        pub pay: u64,
    }

    #[event]
    #[moves(ship: Docked -> AtSea { since = meta.time, by = meta.actor, knots })]
    pub struct Sailed {
        pub ship: Ship,
        pub knots: u8,
    }

    #[event]
    #[delete(ship)]
    pub struct Sunk {
        pub ship: Ship,
    }
}

fn may_be_built(_: &ships::Built, _: &impl crate::Db) -> Result<(), crate::Reject> {
    Ok(())
}

/// The binding of the model, but the compiled arcs of one event are these.
fn binding(event: usize, arcs: &[u128]) -> Binding {
    let mut binding = ships::Model::binding();
    binding.events[event].arcs = Some(arcs.to_vec().leak());
    binding
}

fn check(event: usize, arcs: &[u128]) -> Result<(), String> {
    Plan::new(binding(event, arcs)).check_compiled()
}

/// Compiled arcs that differ from the given ones in one bit, or that lack or repeat an arc.
fn variants(arcs: &[u128]) -> Vec<Vec<u128>> {
    let mut variants = Vec::new();
    for at in 0..arcs.len() {
        for bit in 0..u128::BITS {
            let mut other = arcs.to_vec();
            other[at] ^= 1 << bit;
            // Not every kind of arc uses every bit.
            if CompiledArc::unpack(other[at]) != CompiledArc::unpack(arcs[at]) {
                variants.push(other);
            }
        }
        let (before, after) = arcs.split_at(at);
        variants.push([before, &after[1..]].concat());
        variants.push([before, &after[..1], after].concat());
    }
    variants
}

#[test]
fn compiled_arcs_that_do_not_follow_from_the_schema_are_found() {
    let model = ships::Model::binding();
    let mut compiled = 0;
    for (event, ty) in model.events.iter().enumerate() {
        let Some(arcs) = ty.arcs else { continue };
        compiled += 1;
        let name = &model.schema.events[event].name;
        assert_eq!(check(event, arcs), Ok(()));
        for other in variants(arcs) {
            let error = check(event, &other).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
    }
    assert_eq!(compiled, 4);
}

#[test]
fn an_event_that_must_be_interpreted_has_no_compiled_arcs() {
    let error = check(4, &[]).expect_err("a delete is interpreted");
    assert!(
        error.contains("event `Sunk` has compiled arcs, but the interpreter"),
        "{error}"
    );
}

/// The model with other compiled arcs in one event. No event of it can be made.
struct Misfit;

enum Never {}

impl Model for Misfit {
    const NAME: &'static str = ships::Model::NAME;
    type Event = Never;

    fn binding() -> Binding {
        binding(3, &[])
    }
}

impl AnyEvent for Never {
    type Model = Misfit;
    const NAMES: &'static [&'static str] = &[];

    fn accept<'e, V: EventVisitor<'e>>(&'e self, _: V) -> V::Output {
        match *self {}
    }

    fn make<M: EventMaker>(_: usize, maker: M) -> Result<Self, M::Error> {
        Err(maker.no_such_event())
    }
}

impl Serialize for Never {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        match *self {}
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("there is no event"))
    }
}

#[test]
fn a_store_of_other_compiled_arcs_does_not_open() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let error = Store::<Misfit>::open(dir.path()).expect_err("it must not open");
    assert!(error.to_string().contains("event `Sailed`"), "{error}");
}
