//! The parts of the plan of an event.

use crate::base::error::{Chain, Name};
use crate::graph::choice::plan::ChoosePlan;
use crate::graph::layout::StateSet;
use crate::schema::compiled::CompiledArc;
use crate::schema::{
    Assign, ColumnIx, Comparison, EntityIx, FunctionIx, Hop, NameIx, Path, Quantifier, Source,
    StateIx,
};

/// An event, ready to run: its arcs, sorted by the stage that executes them.
pub(crate) struct EventPlan {
    pub name: Name,
    /// The chain of a rejection of this event when the program fired it: made once, since a rejection shares it.
    pub alone: Chain,
    pub names: Vec<NamePlan>,
    pub guards: Vec<Name>,
    pub creates: Vec<CreatePlan>,
    /// What the event chooses, in written order.
    pub chooses: Vec<ChoosePlan>,
    pub conditions: Vec<ConditionPlan>,
    /// Fields of bound entities that arcs after `create` copy elsewhere: name and column.
    pub copied: Vec<(NameIx, ColumnIx)>,
    /// What arcs calculate.
    pub calculated: Vec<CalculatedPlan>,
    /// The paths that lead over edges, which are walked before any arc acts.
    pub walks: Vec<Walk>,
    /// The states that entities must be in before any arc acts.
    pub source_states: Vec<SourceStates>,
    /// The other arcs, in order of execution.
    pub effects: Vec<Effect>,
    /// What [`Effect::Delete`] deletes.
    pub deletes: Vec<DeletePlan>,
    /// Whether two moves, a move and a delete, or two sets of one field, could meet in one entity.
    pub may_meet: bool,
    /// Whether its links could compete for an end that holds one: see `arcs/conflicts.rs`.
    pub may_compete: bool,
    /// Whether it can break a bound on links or close a cycle.
    pub bounded: bool,
    /// How many fields it has.
    pub fields: u16,
    /// Whether it has a handler.
    pub handler: bool,
    /// Whether it writes, compares or calculates with the time of the transaction.
    pub timed: bool,
    /// The compiled arcs that follow from the plan, if the event can have any.
    pub compiled: Option<Vec<CompiledArc>>,
    /// Whether the event has compiled arcs, and creates nothing before source states are checked: see [`Core::refusal`].
    ///
    /// [`Core::refusal`]: crate::step::Core::refusal
    pub refused_early: bool,
}

/// The entities that an arc acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The entity at this index among all that the event binds.
    At(u16),
    /// The entities that a name is bound to.
    Named(u16),
    /// The entities that a path leads to, by its index in [`EventPlan::walks`].
    Walked(u16),
}

/// A path over edges.
pub(crate) struct Walk {
    pub path: Path,
    /// If given, only the entities that are in these states.
    pub those: Option<(EntityIx, StateSet)>,
}

/// Some entities and the states in one of which each of them must be before any arc acts.
pub(crate) struct SourceStates {
    pub at: Reach,
    pub entity: EntityIx,
    pub states: StateSet,
    /// The states for errors: `Idle | Busy`.
    pub text: Name,
}

/// What an arc does to the entities that it acts on.
pub(crate) enum Effect {
    Link(LinkPlan),
    Set(SetPlan),
    Move(MovePlan),
    /// Deletes all that the event deletes.
    Delete,
}

/// What happens to links.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkKind {
    Unlink,
    Relink,
    Link,
    /// The link stays and gets other data.
    Keep,
}

impl Effect {
    /// Whether two arcs may not both act on one entity.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Set(a), Self::Set(b)) => a.value.column == b.value.column,
            (Self::Move(a), Self::Move(b)) => a.entity == b.entity,
            _ => false,
        }
    }
}

pub(crate) struct NamePlan {
    pub name: Name,
    pub entity: EntityIx,
}

pub(crate) struct CreatePlan {
    pub entity: EntityIx,
    pub state: StateIx,
    pub values: Vec<Assign>,
    /// Fields that are not given a value.
    pub defaults: Vec<ColumnIx>,
}

/// A condition of an event.
pub(crate) struct ConditionPlan {
    pub requires: Requirement,
    /// The condition for errors: `all want.partitions in Live`.
    pub text: Name,
}

/// What a condition requires.
pub(crate) enum Requirement {
    /// That the entities of a path are in some states.
    States {
        quantifier: Quantifier,
        path: Path,
        entity: EntityIx,
        states: StateSet,
    },
    /// That the number of entities of a path compares so with a value.
    Count {
        path: Path,
        entity: EntityIx,
        states: StateSet,
        comparison: Comparison,
        with: Source,
        function: FunctionIx,
    },
    /// That two values compare so.
    Compare {
        left: Source,
        comparison: Comparison,
        right: Source,
        function: FunctionIx,
    },
}

/// A value that an arc calculates.
pub(crate) struct CalculatedPlan {
    pub source: Source,
    /// The function that calculates it, by which arcs refer to it.
    pub function: FunctionIx,
    /// Whether it is calculated before the arcs act. One of a `create` is calculated when the entity is created.
    pub is_before: bool,
    /// The calculation for errors: `meta.time + hold`.
    pub text: Name,
}

pub(crate) struct MovePlan {
    pub at: Reach,
    pub entity: EntityIx,
    pub to: StateIx,
    pub data: Vec<Assign>,
}

pub(crate) struct LinkPlan {
    pub kind: LinkKind,
    pub at: Reach,
    pub hop: Hop,
    pub with: Reach,
    /// Whether `with` is the end itself, `unlink(a.links -= a.links)`: then all links go.
    pub all: bool,
    pub data: Option<Source>,
}

pub(crate) struct SetPlan {
    pub at: Reach,
    pub entity: EntityIx,
    pub value: Assign,
}

pub(crate) struct DeletePlan {
    pub at: Reach,
    pub entity: EntityIx,
}
