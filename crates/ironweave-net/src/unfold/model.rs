//! A model at a scope, prepared for the executions.

use std::collections::BTreeSet;

use ironweave_schema::{Comparison, EdgeIx, EntityIx, Hop, Path};

use super::states::{FREE, States};
use crate::net::{Action, Inscription, Net, PlaceIx, PlaceKind, Read, Tokens, Transition, compare};

/// A net with the number of slots of each entity type.
pub(super) struct Model<'n> {
    pub net: &'n Net,
    slots: Vec<u32>,
    /// By entity type, whether an event creates and deletes entities.
    created: Vec<bool>,
    deleted: Vec<bool>,
    /// By entity type, all of its states.
    states: Vec<States>,
    /// In order of their priority.
    pub immediates: Vec<Immediate>,
}

/// An immediate event.
pub(super) struct Immediate {
    /// The position of the transition in the net.
    pub transition: usize,
    pub entity: EntityIx,
    /// The states in which an entity must be.
    pub from: States,
    pub conditions: Vec<Condition>,
    /// Whether it creates entities.
    pub creates: bool,
    /// What its choices depend on, and its conditions over several edges, if it has some.
    pub watched: Option<Watched>,
}

/// The entity types and edges whose changes can change whether an event is enabled.
#[derive(Default)]
pub(super) struct Watched {
    pub entities: BTreeSet<EntityIx>,
    pub edges: BTreeSet<EdgeIx>,
}

/// A condition of an immediate event on the neighbours of its entity.
#[derive(Clone, Copy)]
pub(super) struct Condition {
    /// `All`, `Any`, `None` or `Counted`.
    pub quantifier: Inscription,
    pub hop: Hop,
    pub states: States,
    /// What the number of neighbours in these states is compared with, if they are counted.
    pub count: Count,
}

/// A condition on a number; `None` if there is no such condition.
pub(super) type Count = Option<(Comparison, i128)>;

impl<'n> Model<'n> {
    pub(super) fn new(net: &'n Net, slots: Vec<u32>) -> Self {
        let states = |entity: &crate::net::Entity| States::all(entity.states.len());
        let mut model = Self {
            created: vec![false; slots.len()],
            deleted: vec![false; slots.len()],
            states: net.entities.iter().map(states).collect(),
            immediates: Vec::new(),
            net,
            slots,
        };
        let actions = net.transitions.iter().flat_map(|t| &t.arcs);
        for action in actions.map(|arc| &arc.action) {
            match action {
                Action::Create { to } | Action::Ensure { to } => {
                    let entity = net[*to].entity().unwrap_or_default();
                    model.created[entity.index()] = true;
                }
                Action::Delete { from } => {
                    let entity = from.first().and_then(|place| net[*place].entity());
                    model.deleted[entity.unwrap_or_default().index()] = true;
                }
                _ => {}
            }
        }
        for (at, transition) in net.transitions.iter().enumerate() {
            if transition.is_immediate() {
                model.immediates.push(immediate(net, at, transition));
            }
        }
        model
    }

    pub(super) fn slots(&self, entity: EntityIx) -> u32 {
        self.slots[entity.index()]
    }

    pub(super) fn is_created(&self, entity: EntityIx) -> bool {
        self.created[entity.index()]
    }

    pub(super) fn is_deleted(&self, entity: EntityIx) -> bool {
        self.deleted[entity.index()]
    }

    /// All states of a type.
    pub(super) fn alive(&self, entity: EntityIx) -> States {
        self.states[entity.index()]
    }

    /// All states of a type, and that of a free slot.
    pub(super) fn any_state(&self, entity: EntityIx) -> States {
        self.alive(entity).or(States::one(FREE))
    }

    /// The entity type to which a hop leads.
    pub(super) fn far(&self, hop: Hop) -> EntityIx {
        self.net[hop.edge].far(hop).entity
    }
}

/// The states of some places of one type.
pub(super) fn states_of(net: &Net, places: &[PlaceIx]) -> States {
    States::of(places.iter().filter_map(|place| state_of(net, *place)))
}

/// The state whose entities a place has.
pub(super) fn state_of(net: &Net, place: PlaceIx) -> Option<u8> {
    match net[place].kind {
        PlaceKind::State { state, .. } => Some(state.get()),
        PlaceKind::Edge(_) => None,
    }
}

/// Whether a read is a condition on entities, and not a requirement of an arc.
pub(super) fn is_condition(inscription: Inscription) -> bool {
    matches!(
        inscription,
        Inscription::All | Inscription::Any | Inscription::None | Inscription::Counted
    )
}

/// An event is enabled on an entity where its conditions hold and one of its moves moves the entity. A move of all neighbours is
/// a condition too.
fn immediate(net: &Net, at: usize, transition: &Transition) -> Immediate {
    let entity = transition.variables.first().map(|v| v.entity);
    let entity = entity.unwrap_or_default();
    let mut from = States::all(net[entity].states.len());
    let mut moved = States::NONE;
    let mut conditions = Vec::new();
    for arc in &transition.arcs {
        let (Action::Move { from: places, .. }, Tokens::Entities(path)) =
            (&arc.action, &arc.tokens)
        else {
            continue;
        };
        let states = states_of(net, places);
        let is_all = arc.inscription != Inscription::Those;
        match path.hops.as_slice() {
            _ if path.root.index() != 0 => {}
            [] => {
                moved = moved.or(states);
                from = if is_all { from.and(states) } else { from };
            }
            [hop] if is_all => conditions.push(Condition {
                quantifier: Inscription::All,
                hop: *hop,
                states,
                count: None,
            }),
            _ => {}
        }
    }
    for read in transition
        .reads
        .iter()
        .filter(|r| is_condition(r.inscription))
    {
        let Tokens::Entities(path) = &read.tokens else {
            continue;
        };
        let states = states_of(net, &read.places);
        match path.hops.as_slice() {
            // What it creates does not exist before it fires.
            _ if path.root.index() != 0 => {}
            [] if read.inscription == Inscription::Counted => {
                // The entity itself is the only one that is counted.
                let holds = |n| count(read).is_none_or(|(by, with)| compare(n, by, with));
                let inside = if holds(1) { states } else { States::NONE };
                let all = States::all(net[entity].states.len());
                let outside = if holds(0) {
                    all.without(states)
                } else {
                    States::NONE
                };
                from = from.and(inside.or(outside));
            }
            [] if read.inscription == Inscription::None => from = from.without(states),
            [] => from = from.and(states),
            [hop] => conditions.push(Condition {
                quantifier: read.inscription,
                hop: *hop,
                states,
                count: count(read),
            }),
            // It is evaluated by itself.
            _ => {}
        }
    }
    let is_watched = !transition.choices.is_empty() || transition.reads.iter().any(is_far);
    Immediate {
        transition: at,
        entity,
        from: from.and(moved),
        conditions,
        watched: is_watched.then(|| watched(net, transition)),
        creates: (transition.arcs.iter()).any(|arc| matches!(arc.action, Action::Create { .. })),
    }
}

/// The comparison of a read that counts.
pub(super) fn count(read: &Read) -> Count {
    let amount = read.amount.as_ref()?;
    Some((amount.comparison, amount.number.literal?))
}

/// Whether a read is a condition over several edges.
pub(super) fn is_far(read: &Read) -> bool {
    let is_far = matches!(&read.tokens, Tokens::Entities(path) if path.hops.len() > 1);
    is_far && is_condition(read.inscription)
}

/// What the choices and conditions of an event depend on.
fn watched(net: &Net, transition: &Transition) -> Watched {
    let mut watched = Watched::default();
    let mut add = |path: &Path| {
        watched.edges.extend(path.hops.iter().map(|hop| hop.edge));
        watched.entities.insert(net.reached(transition, path));
    };
    for choice in &transition.choices {
        add(&Path {
            root: choice.variable,
            hops: Vec::new(),
        });
        choice.from.iter().for_each(&mut add);
    }
    for read in &transition.reads {
        if let Tokens::Entities(path) = &read.tokens {
            add(path);
        }
    }
    watched
}
