//! Unfolding: the net of a model as a place/transition net, for a number of entities of each type.

mod build;
mod choices;
mod choose;
mod fire;
mod free;
mod immediates;
mod known;
mod model;
mod refused;
mod states;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use ironweave_schema::{EntityIx, EventIx};

use build::Execution;
use choices::Choices;
use fire::Step;
use known::{Known, Stop};
use model::Model;

use crate::net::Net;
use crate::plain;

pub use refused::{NotUnfolded, Unsupported};

/// The numbers of entities at which a model is [unfolded](Net::unfold), and limits.
#[derive(Clone, Debug)]
pub struct Scope {
    entities: BTreeMap<String, u32>,
    over_approximate: bool,
    places_max: u64,
    transitions_max: u64,
}

impl Default for Scope {
    fn default() -> Self {
        Self {
            entities: BTreeMap::new(),
            over_approximate: false,
            places_max: 100_000,
            transitions_max: 200_000,
        }
    }
}

impl Scope {
    /// Returns a scope without numbers. Each entity type needs one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many entities of a type may exist at the same time. 0 is allowed: no event can create one.
    #[must_use]
    pub fn entities(mut self, name: impl Into<String>, max: u32) -> Self {
        self.entities.insert(name.into(), max);
        self
    }

    /// Leaves out guards, invariants, the uniqueness of keys, overflows, and conditions on values of events that are not
    /// immediate, instead of refusing them. The net can then do more than the model, and
    /// what is never reached in the net is never reached by the program either. [`Unfolded::left_out`] lists what was left out.
    #[must_use]
    pub fn over_approximate(mut self) -> Self {
        self.over_approximate = true;
        self
    }

    /// Sets the most places of the net. Default: 100,000.
    #[must_use]
    pub fn places_max(mut self, max: u64) -> Self {
        self.places_max = max;
        self
    }

    /// Sets the most transitions of the net. Default: 200,000.
    #[must_use]
    pub fn transitions_max(mut self, max: u64) -> Self {
        self.transitions_max = max;
        self
    }

    /// Returns the number of entities of each type, or what is wrong with the names.
    fn slots(&self, net: &Net) -> Result<Vec<u32>, NotUnfolded> {
        let is_known = |name: &&String| net.entities.iter().any(|entity| entity.name == **name);
        let unknown: Vec<String> = (self.entities.keys())
            .filter(|name| !is_known(name))
            .cloned()
            .collect();
        let number = |entity: &crate::Entity| self.entities.get(&entity.name).copied();
        let missing = net
            .entities
            .iter()
            .filter(|entity| number(entity).is_none());
        let missing: Vec<String> = missing.map(|entity| entity.name.clone()).collect();
        match unknown.is_empty() && missing.is_empty() {
            true => Ok(net.entities.iter().filter_map(number).collect()),
            false => Err(NotUnfolded::Entities { unknown, missing }),
        }
    }
}

/// A model that was unfolded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unfolded {
    /// The net.
    pub net: plain::Net,
    /// The event of each transition.
    pub events: Vec<EventIx>,
    /// What the net does not consider, since the scope [over-approximates](Scope::over_approximate).
    pub left_out: Vec<Unsupported>,
    /// The entity types of which an event would have had more than the scope allows. These events were cut.
    pub cut: Vec<EntityIx>,
}

/// How many executions may be tried for each transition that the net may have. Most of those without a transition are rejected.
const TRIED_PER_TRANSITION: u64 = 50;

impl Net {
    /// Unfolds the net of a model: returns a place/transition net that does what the model does as long as there are no more than a
    /// number of entities of each type.
    ///
    /// ```
    /// use ironweave_net::unfold::Scope;
    /// use ironweave_net::Net;
    /// # use ironweave_schema::{Arc, BindBy, EntityDef, EventDef, NameDef, NameIx, Schema, StateDef, StateIx};
    /// # let state = |name: &str| StateDef { name: name.into(), ..StateDef::default() };
    /// # let bed = EntityDef { name: "Bed".into(), states: vec![state("Free")], ..EntityDef::default() };
    /// # let name = NameDef { name: "bed".into(), by: BindBy::Created, ..NameDef::default() };
    /// # let create = Arc::Create { name: NameIx::new(0), state: StateIx::new(0), values: vec![] };
    /// # let bought = EventDef { name: "Bought".into(), names: vec![name], arcs: vec![create], ..EventDef::default() };
    /// # let schema = Schema { name: "beds".into(), entities: vec![bed], events: vec![bought], ..Schema::default() };
    /// let net = Net::of(&schema)?;
    /// let unfolded = net.unfold(&Scope::new().entities("Bed", 2))?;
    /// let names: Vec<_> = unfolded.net.transitions.iter().map(|t| &*t.name).collect();
    /// assert_eq!(names, ["Bought()", "Bought()#2"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Places
    ///
    /// An entity is a slot from 0 on. In each reachable marking, a place is marked exactly if:
    ///
    /// | place | is marked if |
    /// |---|---|
    /// | `Want::Idle(0)` | the entity in slot 0 is in the state |
    /// | `no Want(0)`, `Want(0)` | there is no entity in slot 0, or there is one |
    /// | `Want.partitions(0,2)` | both are linked |
    /// | `no Want.partitions(0,2)` | they are not, or do not exist |
    /// | `Want::Idle\|Building(0)` | slot 0 is in one of several states, of which `none` is that there is no entity |
    /// | `next Want(1)` | the next entity gets slot 1; `none` is that all slots are in use |
    /// | `next Want after(1,0)` | slot 1 is free, and slot 0 is used after it |
    ///
    /// The last kind exists if an event deletes entities of the type.
    ///
    /// # Transitions
    ///
    /// A transition is one event of the program with all immediate events that follow, such as `JobStarted(run=0)`. If what it does
    /// depends on the marking, there are several, of which at most one is enabled: `JobStarted(run=0)#2`. So the markings that are
    /// reachable are the states after the transactions of a program with one event each, and the enabled transitions are the events
    /// that are not rejected.
    ///
    /// Choices among entities that their states and links alone tell apart, and counts that are compared with literals, are unfolded
    /// exactly: each transition requires as much of the marking as decides them. An event that is due at a time can fire at any time,
    /// since the program can fire it as it fires others.
    ///
    /// The net begins without entities. The values of fields are not part of it: an event is taken to have values with which it is not
    /// rejected, such as a key that no entity has. An event during which there would be more entities of a type than the scope
    /// allows is cut: there is no transition. If one event deletes several entities of a type that it finds over an edge, their slots
    /// become free in order; in the program the order is that of the links.
    ///
    /// # Cost
    ///
    /// The number of transitions of an event is the number of its bindings times the number of ways in which what it reads
    /// can be. Both can be exponential in the numbers of entities, and are limited.
    ///
    /// # Errors
    /// If the scope does not have a number for exactly the entity types of the model, if parts of the model cannot be unfolded, which
    /// are all listed, or if the net would be larger than the limits.
    pub fn unfold(&self, scope: &Scope) -> Result<Unfolded, NotUnfolded> {
        let slots = scope.slots(self)?;
        let left_out = refused::check(self, scope.over_approximate)?;
        let model = Model::new(self, slots);
        let places = places(&model);
        if places > u128::from(scope.places_max) {
            let max = scope.places_max;
            return Err(NotUnfolded::Places { places, max });
        }
        let mut executions = Vec::new();
        let mut cut = BTreeSet::new();
        for event in EventIx::all(self.transitions.len()) {
            if !self[event].is_immediate() {
                self.unfold_event(event, (&model, scope), &mut executions, &mut cut)?;
            }
        }
        let (net, events) = build::build(&model, executions);
        if net.places.len() as u64 > scope.places_max {
            let (places, max) = (net.places.len() as u128, scope.places_max);
            return Err(NotUnfolded::Places { places, max });
        }
        Ok(Unfolded {
            net,
            events,
            left_out,
            cut: cut.into_iter().collect(),
        })
    }

    fn unfold_event(
        &self,
        event: EventIx,
        (model, scope): (&Model<'_>, &Scope),
        executions: &mut Vec<Execution>,
        cut: &mut BTreeSet<EntityIx>,
    ) -> Result<(), NotUnfolded> {
        let name = || self[event].name.clone();
        let tried_max = scope.transitions_max.saturating_mul(TRIED_PER_TRANSITION);
        let mut choices = Choices::default();
        for tried in 0.. {
            let mut step = Step {
                known: Known::new(model, &mut choices),
                ignores_cycles: scope.over_approximate,
                pending: BTreeMap::new(),
                binding: String::new(),
            };
            match step.fire_any(&self[event]) {
                Ok(()) => executions.push(Execution::of(event, step)),
                Err(Stop::Rejected) => {}
                Err(Stop::Full(entity)) => _ = cut.insert(entity),
                Err(Stop::Endless) => return Err(NotUnfolded::Endless { event: name() }),
            }
            if executions.len() as u64 > scope.transitions_max || tried >= tried_max {
                let max = scope.transitions_max;
                return Err(NotUnfolded::Transitions { event: name(), max });
            }
            if !choices.next() {
                break;
            }
        }
        Ok(())
    }
}

/// Returns how many places there are at most, without those of several states.
fn places(model: &Model<'_>) -> u128 {
    let net = model.net;
    let slots = |entity: EntityIx| u128::from(model.slots(entity));
    let of_entity = |entity: EntityIx| {
        let n = slots(entity);
        let states = n.saturating_mul(net[entity].states.len() as u128 + 1);
        let stack = match (model.is_created(entity), model.is_deleted(entity)) {
            (true, true) => (n + 1).saturating_mul(n + 1),
            (true, false) => n + 1,
            (false, _) => 0,
        };
        states.saturating_add(stack)
    };
    let of_edge =
        |edge: &crate::Edge| slots(edge.from.entity).saturating_mul(slots(edge.to.entity));
    let entities = EntityIx::all(net.entities.len()).map(of_entity);
    let edges = net.edges.iter().map(of_edge);
    (entities.chain(edges)).fold(0, u128::saturating_add)
}
