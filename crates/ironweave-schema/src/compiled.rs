//! Compiled arcs: the arcs of an event as numbers that the macro writes into the program.
//!
//! The macro derives them from the schema (`generate/compile.rs` of `ironweave-macros`). When a store opens, the runtime
//! derives them from its plan of the event, which is what the interpreter executes, and compares both (`step/compile.rs` of
//! `ironweave`). Both derivations use what this module has, but each decides for itself which events can be compiled, so
//! that a mistake in one of them is found.
//!
//! Each arc is one `u128`, so that the table costs the compiler of a model nearly nothing; the runtime unpacks it in a
//! constant and executes it without reading the schema.
//!
//! | bits | |
//! |---|---|
//! | 0–7 | the kind of the arc |
//! | 8–15, 16–23 | names of the event |
//! | 24–39 | an entity type, an edge or a column |
//! | 40–55 | a state, where the value comes from ([`Given`]), or a flag |
//! | 64–127 | a set of states |

use crate::{
    Arc, Cardinality, ColumnIx, EdgeIx, EntityIx, MetaField, NameIx, Schema, Source, StateIx,
};

/// An arc of an event that acts on entities that the event names or creates, each by one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompiledArc {
    /// Creates an entity and binds the name to it.
    Create {
        /// The name.
        name: NameIx,
        /// The type of the entity.
        entity: EntityIx,
        /// Its first state.
        state: StateIx,
    },
    /// Requires the entity to be in one of the states.
    Require {
        /// The name of the entity.
        name: NameIx,
        /// Its type.
        entity: EntityIx,
        /// Bit `n` is set if it may be in state `n`.
        states: u64,
    },
    /// Links two entities; an end that can hold only one loses the link that it has.
    Relink {
        /// The edge.
        edge: EdgeIx,
        /// The entity at the declaring end.
        from: NameIx,
        /// The entity at the inverse end.
        to: NameIx,
    },
    /// As `Relink`, over an edge one end of which holds lists and the other end at most one link.
    TakeOver {
        /// The edge.
        edge: EdgeIx,
        /// The entity at the end that holds lists.
        holder: NameIx,
        /// The entity at the other end.
        held: NameIx,
        /// Whether the declaring end is the one that holds lists.
        forward: bool,
    },
    /// Links two entities.
    Link {
        /// The edge.
        edge: EdgeIx,
        /// The entity at the declaring end.
        from: NameIx,
        /// The entity at the inverse end.
        to: NameIx,
    },
    /// Sets the data of a link.
    SetLink {
        /// The edge.
        edge: EdgeIx,
        /// The entity at the declaring end.
        from: NameIx,
        /// The entity at the inverse end.
        to: NameIx,
        /// The value.
        given: Given,
    },
    /// Sets a field, or data of a state.
    Set {
        /// The name of the entity.
        name: NameIx,
        /// The column.
        column: ColumnIx,
        /// The value.
        given: Given,
    },
    /// Asks the guards of the event.
    Guards,
    /// Moves an entity to a state. It must be in one of the states in `from`.
    Move {
        /// The name of the entity.
        name: NameIx,
        /// Its type.
        entity: EntityIx,
        /// Bit `n` is set if it may be in state `n`.
        from: u64,
        /// The target state.
        to: StateIx,
    },
}

/// Where the value that a compiled arc writes comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The value of the event with this index: the fields, followed by the literals.
    Value(u16),
    /// The time of the step.
    Time,
    /// A field of the metadata of the transaction.
    Meta(MetaField),
    /// The default of the field.
    Default,
}

impl Given {
    /// The indexes of values that can be packed are below this number.
    const VALUES_MAX: u16 = u16::MAX - 4;

    /// Where the value of an arc comes from; `None` if only the interpreter can find it.
    #[must_use]
    pub fn of(source: &Source) -> Option<Self> {
        match source {
            Source::Field(index) | Source::Literal { index, .. } => {
                (index.get() < Self::VALUES_MAX).then_some(Self::Value(index.get()))
            }
            Source::Time => Some(Self::Time),
            Source::Meta(field) => Some(Self::Meta(*field)),
            Source::Entity { .. } | Source::Calculated { .. } => None,
        }
    }

    const fn pack(self) -> u16 {
        match self {
            Self::Value(index) => index,
            Self::Default => u16::MAX - 4,
            Self::Meta(MetaField::Actor) => u16::MAX - 3,
            Self::Meta(MetaField::Correlation) => u16::MAX - 2,
            Self::Meta(MetaField::Causation) => u16::MAX - 1,
            Self::Time => u16::MAX,
        }
    }

    const fn unpack(packed: u16) -> Self {
        match u16::MAX - packed {
            0 => Self::Time,
            1 => Self::Meta(MetaField::Causation),
            2 => Self::Meta(MetaField::Correlation),
            3 => Self::Meta(MetaField::Actor),
            4 => Self::Default,
            _ => Self::Value(packed),
        }
    }
}

const CREATE: u8 = 1;
const REQUIRE: u8 = 2;
const RELINK: u8 = 3;
const LINK: u8 = 4;
const SET_LINK: u8 = 5;
const SET: u8 = 6;
const MOVE: u8 = 7;
const GUARDS: u8 = 8;
const TAKE_OVER: u8 = 9;

/// An event whose arcs are compiled has at most this number of names.
pub const NAMES_MAX: usize = 8;
/// An event whose arcs are compiled has at most this number of them.
pub const ARCS_MAX: usize = 24;

/// The order in which the arcs of an event act, compiled or not: those of a lower phase first.
#[must_use]
pub const fn phase(arc: &Arc) -> u8 {
    match arc {
        Arc::Create { .. } => 0,
        Arc::Choose { .. } => 1,
        Arc::When { .. } | Arc::Count { .. } | Arc::Compare { .. } => 2,
        Arc::Unlink { .. } => 3,
        Arc::Relink { .. } => 4,
        Arc::Link { .. } => 5,
        Arc::SetLink { .. } => 6,
        Arc::Set { .. } => 7,
        Arc::Move { .. } => 8,
        Arc::Delete { .. } => 9,
        // Of a newer version, which a program of this one does not have.
        Arc::Unknown(_) => 10,
    }
}

const fn packed(kind: u8, names: [NameIx; 2], index: u16, then: u16, states: u64) -> u128 {
    // Names are below `NAMES_MAX`.
    let [a, b] = [names[0].get() as u8, names[1].get() as u8];
    kind as u128
        | (a as u128) << 8
        | (b as u128) << 16
        | (index as u128) << 24
        | (then as u128) << 40
        | (states as u128) << 64
}

impl CompiledArc {
    /// The arc that links two entities, and replaces the link of an end that can hold only one.
    #[must_use]
    pub fn relink(schema: &Schema, edge: EdgeIx, from: NameIx, to: NameIx) -> Self {
        let def = &schema[edge];
        let [from_many, to_many] =
            [&def.from, &def.to].map(|end| end.cardinality == Cardinality::Many);
        if from_many == to_many {
            return Self::Relink { edge, from, to };
        }
        let (holder, held) = if from_many { (from, to) } else { (to, from) };
        Self::TakeOver {
            edge,
            holder,
            held,
            forward: from_many,
        }
    }

    /// Returns the arc as a number.
    #[must_use]
    pub const fn pack(self) -> u128 {
        const NO_NAME: NameIx = NameIx::new(0);
        match self {
            Self::Create {
                name,
                entity,
                state,
            } => packed(CREATE, [name, NO_NAME], entity.get(), state.get() as u16, 0),
            Self::Require {
                name,
                entity,
                states,
            } => packed(REQUIRE, [name, NO_NAME], entity.get(), 0, states),
            Self::Relink { edge, from, to } => packed(RELINK, [from, to], edge.get(), 0, 0),
            Self::TakeOver {
                edge,
                holder,
                held,
                forward,
            } => packed(TAKE_OVER, [holder, held], edge.get(), forward as u16, 0),
            Self::Link { edge, from, to } => packed(LINK, [from, to], edge.get(), 0, 0),
            Self::SetLink {
                edge,
                from,
                to,
                given,
            } => packed(SET_LINK, [from, to], edge.get(), given.pack(), 0),
            Self::Set {
                name,
                column,
                given,
            } => packed(SET, [name, NO_NAME], column.get(), given.pack(), 0),
            Self::Guards => packed(GUARDS, [NO_NAME; 2], 0, 0, 0),
            Self::Move {
                name,
                entity,
                from,
                to,
            } => packed(MOVE, [name, NO_NAME], entity.get(), to.get() as u16, from),
        }
    }

    /// Returns the arc that [`pack`](Self::pack) returned as this number; `None` for a number of another version.
    #[must_use]
    pub const fn unpack(packed: u128) -> Option<Self> {
        let (a, b) = (
            NameIx::new((packed >> 8) as u8 as u16),
            NameIx::new((packed >> 16) as u8 as u16),
        );
        let (index, then) = ((packed >> 24) as u16, (packed >> 40) as u16);
        let states = (packed >> 64) as u64;
        Some(match packed as u8 {
            CREATE => Self::Create {
                name: a,
                entity: EntityIx::new(index),
                state: StateIx::new(then as u8),
            },
            REQUIRE => Self::Require {
                name: a,
                entity: EntityIx::new(index),
                states,
            },
            RELINK => Self::Relink {
                edge: EdgeIx::new(index),
                from: a,
                to: b,
            },
            TAKE_OVER => Self::TakeOver {
                edge: EdgeIx::new(index),
                holder: a,
                held: b,
                forward: then == 1,
            },
            LINK => Self::Link {
                edge: EdgeIx::new(index),
                from: a,
                to: b,
            },
            SET_LINK => Self::SetLink {
                edge: EdgeIx::new(index),
                from: a,
                to: b,
                given: Given::unpack(then),
            },
            SET => Self::Set {
                name: a,
                column: ColumnIx::new(index),
                given: Given::unpack(then),
            },
            MOVE => Self::Move {
                name: a,
                entity: EntityIx::new(index),
                from: states,
                to: StateIx::new(then as u8),
            },
            GUARDS => Self::Guards,
            _ => return None,
        })
    }
}
