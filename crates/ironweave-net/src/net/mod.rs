//! The net of a model: a coloured Petri net as plain data.
//!
//! Its tokens are entities and links. There is a place for each state of each entity type and a place for each edge, so an entity is
//! a token of exactly one place at any time. There is a transition for each event.

mod choice;
mod deletion;
mod derive;
mod requirements;
#[cfg(test)]
mod tests;
mod text;

use std::ops::Index;

use ironweave_schema::{
    BindBy, Cardinality, EdgeIx, EntityIx, EventIx, Hop, NameIx, OnDelete, Path, StateIx,
};

pub(crate) use choice::compare;
pub use choice::{Amount, Choice, Due, Number, Take};

/// The net of a model, which [`Net::of`] derives from a schema. Initially, no place has a token.
///
/// Items are numbered as in the schema: `net[entity]`, `net[edge]` and `net[event]` take the indexes of the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Net {
    /// The name of the model.
    pub name: String,
    /// The entity types, in order of the schema.
    pub entities: Vec<Entity>,
    /// The edges, in order of the schema.
    pub edges: Vec<Edge>,
    /// The places: the states of each entity type in order of declaration, then the edges.
    pub places: Vec<Place>,
    /// The transitions: one for each event, in order of the schema.
    pub transitions: Vec<Transition>,
    /// The invariants of the model, in order of the schema.
    pub invariants: Vec<Invariant>,
}

/// A place of a [`Net`], by its position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceIx(pub u32);

/// An entity type: the colour of the tokens of its states.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entity {
    /// The name of the type.
    pub name: String,
    /// The places of the states, in order of declaration.
    pub states: Vec<PlaceIx>,
    /// The place of a new entity, unless a `create` arc names another state.
    pub initial: PlaceIx,
    /// The fields of the entity, without the data of its states.
    pub fields: Vec<Field>,
    /// The moves that the lifecycle allows. That does not mean that an event makes them.
    pub lifecycle: Vec<Lifecycle>,
}

/// A field of an entity, or an item of the data of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// The name.
    pub name: String,
    /// The Rust type as written in the model.
    pub ty: String,
    /// Whether the field is the key or a part of it.
    pub key: bool,
}

/// A move that the lifecycle of an entity type allows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lifecycle {
    /// The source state.
    pub from: PlaceIx,
    /// The target state.
    pub to: PlaceIx,
    /// The name of the method that makes the move in a handler.
    pub verb: String,
}

/// An edge: a relation, whose links are the tokens of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edge {
    /// The place of the links. Its name is that of the declaring end.
    pub place: PlaceIx,
    /// The declaring end.
    pub from: End,
    /// The inverse end.
    pub to: End,
    /// The Rust type of the data of a link, as written; `None` if links have no data.
    pub data: Option<String>,
    /// Whether the links must not form a cycle.
    pub acyclic: bool,
}

/// One end of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct End {
    /// The entity type at this end.
    pub entity: EntityIx,
    /// The name of the end, which is a field of that type.
    pub name: String,
    /// How many links one entity may have at this end: exactly one, at most one, or any number within the bounds.
    pub cardinality: Cardinality,
    /// The minimum number of links at the end of every event. It is 1 if the cardinality is `One`.
    pub min: u32,
    /// The maximum number of links; `None` if there is none. It is 1 unless the cardinality is `Many`.
    pub max: Option<u32>,
    /// The effect of the deletion of the entity at this end.
    pub on_delete: OnDelete,
    /// Whether the model declares that the linked entities in each state are counted.
    pub counted: bool,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The name, unique in the net: `Bed::Free` for a state, `Ward.beds` for an edge.
    pub name: String,
    /// What its tokens are.
    pub kind: PlaceKind,
}

/// What the tokens of a place are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaceKind {
    /// The entities of a type that are in a state.
    State {
        /// The entity type.
        entity: EntityIx,
        /// The state.
        state: StateIx,
        /// Whether it is the state of a new entity, unless a `create` arc names another state.
        initial: bool,
        /// Whether it is declared `#[terminal]`.
        terminal: bool,
        /// The data of the state.
        data: Vec<Field>,
    },
    /// The links of an edge, which are pairs of entities.
    Edge(EdgeIx),
}

/// A transition: an event, with what binds it, what enables it and what it changes.
///
/// A binding gives entities to each variable. An event is enabled for a binding if the entities exist and are in the states that
/// its reads and arcs require, unless a condition on values does not hold or a guard rejects it. It can still reject at its end, where
/// bounds of edges and invariants are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The name of the event.
    pub name: String,
    /// When it fires.
    pub firing: Firing,
    /// The variables. A [path](Path) refers to them by position.
    pub variables: Vec<Variable>,
    /// How the variables that are [chosen](BindBy::Chosen) are bound, in written order. Each choice sees the former ones.
    pub choices: Vec<Choice>,
    /// The tests: conditions on tokens that stay where they are.
    pub reads: Vec<Read>,
    /// The conditions on values, as text: `order.paid >= order.total`. The net has no values, so each may hold or not.
    pub conditions: Vec<String>,
    /// The declared arcs, in the order of the schema, each followed by what the deletion of an entity implies. An entity that an `Ensure`
    /// creates comes first.
    pub arcs: Vec<Arc>,
    /// The sums and differences that the event calculates, as text: `meta.time + hold`. It is rejected if one overflows.
    pub calculations: Vec<String>,
    /// The paths of the guard functions, as written. Each may reject the event and changes nothing.
    pub guards: Vec<String>,
    /// The handler, if the event has one.
    pub handler: Option<Handler>,
    /// Which of the entities on which an immediate event is enabled it fires on first, as text: `urgency desc`; `None` for the one
    /// with the smallest slot.
    pub order: Option<String>,
    /// When the event is due, if it is so at a time.
    pub due: Option<Due>,
    /// The variables of created entities whose key no field of the event gives: the event is rejected if an entity has this key.
    pub fixed_keys: Vec<NameIx>,
    /// How many arcs and permissions a newer version of ironweave has written that the net does not show.
    pub unknown: usize,
}

/// When a transition fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Firing {
    /// When the program fires the event.
    Requested,
    /// As soon as it is enabled, within the step that enables it.
    Immediate {
        /// Of several enabled transitions, that with the smallest number fires first.
        priority: u32,
    },
}

/// A variable of a transition: a name that is bound to entities while the event fires.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// The name of the event's field or of the `create` or `choose` arc.
    pub name: String,
    /// The type of the entities.
    pub entity: EntityIx,
    /// How many entities are bound: one, at most one, or any number.
    pub count: Cardinality,
    /// How the entities are identified.
    pub by: BindBy,
}

/// Which of the tokens that an arc or a read names it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Inscription {
    /// The only one, which must be there. An `Option` may be bound to none, and then nothing is required.
    Bound,
    /// Each of any number. All of them must be there.
    Each,
    /// Only those of them that are there.
    Those,
    /// Condition: all of them are there. It holds if there are none.
    All,
    /// Condition: at least one of them is there.
    Any,
    /// Condition: none of them is there.
    None,
    /// Condition: how many of them are there compares with a number, which the read has.
    Counted,
    /// All of them are there, since the event has [chosen](Choice) them among the tokens that are.
    Chosen,
}

/// The tokens that an arc or a read names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tokens {
    /// The entities that a path reaches.
    Entities(Path),
    /// Links of an edge.
    Links {
        /// The entities at the near ends.
        near: Path,
        /// The edge, seen from `near`.
        hop: Hop,
        /// The entities at the far ends; `None` for all links of the near entities.
        far: Option<Path>,
    },
}

/// A test: a condition on tokens that stay where they are.
///
/// A condition is evaluated after the event creates entities and before its other arcs act. The condition on links that the policy
/// `restrict` of an edge implies is evaluated at the deletion, after the other arcs, and does not count links with entities that the
/// same event deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Read {
    /// The places, each of which is as good as the others.
    pub places: Vec<PlaceIx>,
    /// Which of the tokens. `Those` requires nothing: it is the reading of the links that a path follows.
    pub inscription: Inscription,
    /// The tokens.
    pub tokens: Tokens,
    /// The condition on their number, if they are `Counted`. Each entity is counted once.
    pub amount: Option<Amount>,
}

/// An arc: one change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arc {
    /// The change.
    pub action: Action,
    /// Which of the tokens are changed: `Bound`, `Each` or `Those`.
    pub inscription: Inscription,
    /// The tokens.
    pub tokens: Tokens,
    /// Whether the arc is not declared, but follows from the deletion of an entity by the policy of an edge.
    pub implied: bool,
}

/// A change of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// An entity is created.
    Create {
        /// Its state.
        to: PlaceIx,
    },
    /// An entity is created if there is none with its key.
    Ensure {
        /// The state of a new one.
        to: PlaceIx,
    },
    /// An entity moves from one of several states to another state, or to the same one with new data.
    Move {
        /// The source states.
        from: Vec<PlaceIx>,
        /// The target state.
        to: PlaceIx,
    },
    /// An entity is deleted, whatever its state.
    Delete {
        /// All states of the entity type.
        from: Vec<PlaceIx>,
    },
    /// A link is added.
    Link {
        /// The place of the edge.
        edge: PlaceIx,
    },
    /// A link is added. Existing links of an end that can hold only one are removed.
    Relink {
        /// The place of the edge.
        edge: PlaceIx,
    },
    /// A link is removed.
    Unlink {
        /// The place of the edge.
        edge: PlaceIx,
    },
    /// A field or an item of state data is set.
    Set {
        /// The entity type.
        entity: EntityIx,
        /// The state to whose data the item belongs; `None` for a field of the entity.
        state: Option<PlaceIx>,
        /// The name of the field or item.
        field: String,
    },
    /// The data of a link is set.
    SetLink {
        /// The place of the edge.
        edge: PlaceIx,
    },
}

/// The handler of an event: code that runs after the declared arcs. It can do what it is permitted, any number of times, on any
/// entities, and may do nothing or reject.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Handler {
    /// The name: `JobFailed::apply`.
    pub name: String,
    /// The changes that it may make, with what the deletion of an entity implies.
    pub permits: Vec<Action>,
}

/// An invariant of the model: a function of the program that holds for each entity of a type after every transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invariant {
    /// The name.
    pub name: String,
    /// The entity type.
    pub entity: EntityIx,
    /// The edges over which the function reads, each from the entity type.
    pub via: Vec<Hop>,
    /// The path of the function, as written.
    pub check: String,
}

impl Net {
    /// Returns the place of a state.
    ///
    /// # Panics
    /// If the net has no such state.
    #[must_use]
    pub fn place_of(&self, entity: EntityIx, state: StateIx) -> PlaceIx {
        self[entity].states[state.index()]
    }

    /// Returns the position of a place by its name, `Bed::Free` or `Ward.beds`. O(places).
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PlaceIx> {
        let at = self.places.iter().position(|place| place.name == name)?;
        Some(PlaceIx(at as u32))
    }

    /// Returns the entity type that a path of a transition reaches.
    ///
    /// # Panics
    /// If the path is not one of the net.
    #[must_use]
    pub fn reached(&self, transition: &Transition, path: &Path) -> EntityIx {
        match path.hops.last() {
            Some(hop) => self[hop.edge].far(*hop).entity,
            None => transition[path.root].entity,
        }
    }
}

impl Edge {
    /// Returns the end from which a hop along this edge starts.
    #[must_use]
    pub fn near(&self, hop: Hop) -> &End {
        if hop.forward { &self.from } else { &self.to }
    }

    /// Returns the end to which a hop along this edge leads.
    #[must_use]
    pub fn far(&self, hop: Hop) -> &End {
        if hop.forward { &self.to } else { &self.from }
    }
}

impl Place {
    /// Returns the edge, if the place has its links.
    #[must_use]
    pub fn edge(&self) -> Option<EdgeIx> {
        match self.kind {
            PlaceKind::Edge(edge) => Some(edge),
            PlaceKind::State { .. } => None,
        }
    }

    /// Returns the entity type, if the place is one of its states.
    #[must_use]
    pub fn entity(&self) -> Option<EntityIx> {
        match self.kind {
            PlaceKind::State { entity, .. } => Some(entity),
            PlaceKind::Edge(_) => None,
        }
    }
}

impl Transition {
    /// Returns whether it fires by itself.
    #[must_use]
    pub fn is_immediate(&self) -> bool {
        matches!(self.firing, Firing::Immediate { .. })
    }

    /// Returns how a variable is chosen, if it is.
    #[must_use]
    pub fn choice(&self, variable: NameIx) -> Option<&Choice> {
        let mut choices = self.choices.iter();
        choices.find(|choice| choice.variable == variable)
    }
}

impl Action {
    /// Returns the places from which the action takes tokens. A move takes a token from one of them. A `Relink` can remove links too.
    #[must_use]
    pub fn takes(&self) -> &[PlaceIx] {
        match self {
            Self::Move { from, .. } | Self::Delete { from } => from,
            Self::Unlink { edge } | Self::Relink { edge } => std::slice::from_ref(edge),
            Self::Create { .. }
            | Self::Ensure { .. }
            | Self::Link { .. }
            | Self::Set { .. }
            | Self::SetLink { .. } => &[],
        }
    }

    /// Returns the place to which the action adds tokens.
    #[must_use]
    pub fn puts(&self) -> Option<PlaceIx> {
        match self {
            Self::Create { to } | Self::Ensure { to } | Self::Move { to, .. } => Some(*to),
            Self::Link { edge } | Self::Relink { edge } => Some(*edge),
            Self::Delete { .. } | Self::Unlink { .. } | Self::Set { .. } | Self::SetLink { .. } => {
                None
            }
        }
    }
}

macro_rules! lookup {
    ($($ix:ty, $of:ident.$list:ident => $item:ident, $at:expr;)*) => {$(
        /// # Panics
        /// If the index is not of this net.
        impl Index<$ix> for $of {
            type Output = $item;

            fn index(&self, ix: $ix) -> &$item {
                let at: fn($ix) -> usize = $at;
                &self.$list[at(ix)]
            }
        }
    )*};
}

lookup! {
    EntityIx, Net.entities => Entity, EntityIx::index;
    EdgeIx, Net.edges => Edge, EdgeIx::index;
    EventIx, Net.transitions => Transition, EventIx::index;
    PlaceIx, Net.places => Place, |ix| ix.0 as usize;
    NameIx, Transition.variables => Variable, NameIx::index;
}
