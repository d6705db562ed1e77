//! The arcs of an event: its effects and conditions, with the paths and values that they are made of.

use crate::{ColumnIx, EdgeIx, EntityIx, FieldIx, FunctionIx, NameIx, Raw, StateIx};

/// A path: the entities that a name is bound to, or the entities that are reached from these over edges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// Index into [`EventDef::names`](crate::EventDef::names).
    pub root: NameIx,
    /// The edges to follow, in order.
    pub hops: Vec<Hop>,
}

/// One step of a path along an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The edge.
    pub edge: EdgeIx,
    /// `true` from the declaring end to the inverse end, `false` from the inverse end to the declaring end.
    pub forward: bool,
}

/// A field of the metadata of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaField {
    /// The principal that initiated the transaction, an `Option<String>`.
    Actor,
    /// The correlation id of the request, an `Option<String>`.
    Correlation,
    /// The sequence of the transaction that caused this one, an `Option<u64>`.
    Causation,
}

/// The source of a value that an arc writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The field of the event with this index.
    Field(FieldIx),
    /// The time of the step.
    #[default]
    Time,
    /// A field of the metadata of the transaction.
    Meta(MetaField),
    /// A literal in the arc.
    Literal {
        /// The index of the literal among the values of the event. The literals follow the fields.
        index: FieldIx,
        /// The literal as written.
        text: String,
    },
    /// A field of an entity that the event binds, or data of its state, with its value before the arcs took effect.
    Entity {
        /// Index into [`EventDef::names`](crate::EventDef::names) of a name that is bound to one entity.
        name: NameIx,
        /// The column.
        column: ColumnIx,
    },
    /// The sum or the difference of two values. The event is rejected if it overflows.
    Calculated {
        /// The operation.
        operator: Arithmetic,
        /// The left operand.
        left: Box<Source>,
        /// The right operand.
        right: Box<Source>,
        /// The function that calculates it.
        function: FunctionIx,
    },
}

/// An operation on two values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arithmetic {
    /// The sum.
    #[default]
    Add,
    /// The difference.
    Subtract,
}

/// A comparison of two values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    #[default]
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A value for a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assign {
    /// The column.
    pub column: ColumnIx,
    /// The value.
    pub source: Source,
}

/// Which of the entities that a path reaches an arc moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of them; each must be in a source state (`each`, and a path to one entity).
    #[default]
    Each,
    /// Only the entities that are in a source state.
    Those,
}

/// How many of the entities that the path of a `when` reaches must be in one of its states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quantifier {
    /// All of them. The condition holds if there are none.
    #[default]
    All,
    /// At least one.
    Any,
    /// None.
    None,
}

/// The entities among which a `choose` arc chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChooseFrom {
    /// All entities of the type of the name.
    Place,
    /// The entities that a path reaches.
    Path(Path),
}

/// A condition on a candidate of a `choose` arc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChooseWhere {
    /// The column of the candidate, which is the left operand. A candidate without the value does not meet the condition.
    pub column: ColumnIx,
    /// The comparison.
    pub comparison: Comparison,
    /// The right operand.
    pub with: Source,
    /// The function that compares them.
    pub function: FunctionIx,
}

/// An order of entities by a column; entities with equal values are in the order of their slots. Entities without the value,
/// because they are in another state, come last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SortBy {
    /// The column.
    pub column: ColumnIx,
    /// Whether the entity with the greatest value is the first one.
    pub descending: bool,
    /// The function that compares two values of the column.
    pub function: FunctionIx,
}

/// How many candidates a `choose` arc binds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// One. The name is bound to one entity.
    #[default]
    One,
    /// As many as a value of an integer type says. The name is bound to a set. The event is not enabled if there are fewer.
    Exactly {
        /// The number.
        number: Source,
        /// The function that gives the number as an integer.
        function: FunctionIx,
    },
    /// All candidates, but at most as many as a value of an integer type says. The name is bound to a set.
    UpTo {
        /// The number.
        number: Source,
        /// The function that gives the number as an integer.
        function: FunctionIx,
    },
}

/// An arc: one effect or condition of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arc {
    /// Creates an entity and binds a name to it.
    Create {
        /// Index into [`EventDef::names`](crate::EventDef::names).
        name: NameIx,
        /// The first state of the entity.
        state: StateIx,
        /// The values of its fields and of the data of that state.
        values: Vec<Assign>,
    },
    /// Moves entities from one of the `from` states to `to`.
    Move {
        /// Which of the entities that the path reaches are moved.
        scope: Scope,
        /// The entities.
        path: Path,
        /// Source states.
        from: Vec<StateIx>,
        /// Target state.
        to: StateIx,
        /// The data of the target state.
        data: Vec<Assign>,
    },
    /// Links each of `path` with each of `with` by the edge that `hop` names, seen from `path`.
    Link {
        /// The entities at the near ends.
        path: Path,
        /// The edge, seen from `path`.
        hop: Hop,
        /// The entities at the far ends.
        with: Path,
        /// The data of the links, if the edge has data.
        data: Option<Source>,
    },
    /// Removes the existing links between `path` and `with`.
    Unlink {
        /// The entities at the near ends.
        path: Path,
        /// The edge, seen from `path`.
        hop: Hop,
        /// The entities at the far ends.
        with: Path,
    },
    /// Links like `Link`, but first removes the existing link of an end that can hold only one.
    Relink {
        /// The entities at the near ends.
        path: Path,
        /// The edge, seen from `path`.
        hop: Hop,
        /// The entities at the far ends.
        with: Path,
        /// The data of the links, if the edge has data.
        data: Option<Source>,
    },
    /// Sets a field of each entity, or data of a state. Each entity must be in that state.
    Set {
        /// The entities.
        path: Path,
        /// The column and the value.
        value: Assign,
    },
    /// Sets the data of the links between `path` and `with`. All of these links must exist.
    SetLink {
        /// The entities at the near ends.
        path: Path,
        /// The edge, seen from `path`.
        hop: Hop,
        /// The entities at the far ends.
        with: Path,
        /// The value.
        data: Source,
    },
    /// Deletes entities. The `on_delete` policies of their ends apply.
    Delete {
        /// The entities.
        path: Path,
    },
    /// Requires that all, any or none of the entities are in one of the states.
    When {
        /// How many of the entities: all, any or none.
        quantifier: Quantifier,
        /// The entities.
        path: Path,
        /// The states.
        states: Vec<StateIx>,
    },
    /// Requires that the number of entities that a path reaches compares so with a value.
    Count {
        /// The entities. Each is counted once.
        path: Path,
        /// The states in one of which an entity must be to be counted; empty if the state does not matter.
        states: Vec<StateIx>,
        /// The comparison. The number is its left operand.
        comparison: Comparison,
        /// The right operand, a value of an integer type.
        with: Source,
        /// The function that gives the right operand as an integer.
        function: FunctionIx,
    },
    /// Requires that two values compare so. It does not hold if one of them does not exist, because an entity is in another
    /// state.
    Compare {
        /// The left operand.
        left: Source,
        /// The comparison.
        comparison: Comparison,
        /// The right operand.
        right: Source,
        /// The function that compares them.
        function: FunctionIx,
    },
    /// Binds a name to one or several of some candidates: to the first ones in an order. The event is not enabled if there are
    /// too few.
    Choose {
        /// Index into [`EventDef::names`](crate::EventDef::names).
        name: NameIx,
        /// The entities among which it chooses.
        from: ChooseFrom,
        /// The states in one of which a candidate must be.
        states: Vec<StateIx>,
        /// Further conditions on a candidate. All must hold.
        conditions: Vec<ChooseWhere>,
        /// The order: by the first column, of equal values by the second and so on, then by slot.
        order: Vec<SortBy>,
        /// How many candidates it binds.
        take: Take,
    },
    /// An arc of a newer version.
    Unknown(Raw),
}

/// A permission of the handler of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum May {
    /// Create an entity.
    Create(EntityIx),
    /// Find an entity by key or create it.
    Ensure(EntityIx),
    /// Move an entity.
    Move {
        /// The entity type.
        entity: EntityIx,
        /// The source state.
        from: StateIx,
        /// The target state.
        to: StateIx,
    },
    /// Link by an edge.
    Link(EdgeIx),
    /// Unlink by an edge.
    Unlink(EdgeIx),
    /// Relink by an edge.
    Relink(EdgeIx),
    /// Set a field or state data.
    Set(ColumnIx),
    /// Set the data of links of an edge.
    SetLink(EdgeIx),
    /// Delete an entity.
    Delete(EntityIx),
    /// A permission of a newer version.
    Unknown(Raw),
}
