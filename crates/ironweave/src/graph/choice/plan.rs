//! The plan of a `choose` arc: how its candidates are found.
//!
//! | candidates | are found | cost |
//! |---|---|---|
//! | that an index finds ([`Search`]), in the order that is wanted | until enough fit | O(log n + entities before the last that fits) |
//! | that an index finds, in the order of the first columns of it | until enough fit, and those that are equal in these | the same, and these |
//! | that an index finds, in another order | all of them | O(log n + entities that the index finds) |
//! | of a path, without an index that begins with its last edge | by walking the path | O(entities that it reaches) |
//! | of a place, without an order | by slot, until enough fit | O(entities before the last that fits) |
//! | of a place, otherwise | by slot | O(entities in the states) |

use crate::base::error::Name;
use crate::graph::choice::search::{Limit, Search, Sought};
use crate::graph::layout::{Layout, StateSet, reverse};
use crate::schema::{
    Arc as ArcDef, ChooseFrom, ChooseWhere, EntityIx, EventDef, FunctionIx, NameIx, Path, SortBy,
    Source, StateIx, Take,
};

/// A `choose` arc.
pub(crate) struct ChoosePlan {
    pub name: NameIx,
    pub entity: EntityIx,
    pub states: StateSet,
    pub conditions: Vec<ChooseWhere>,
    pub order: Vec<SortBy>,
    pub take: TakePlan,
    pub from: Candidates,
    /// The conditions as limits of the searches.
    pub limits: Vec<Limit>,
    /// The ways to find the candidates in an index, the best one first. Each but the last is left only if a value of the event is of
    /// another type than the column.
    pub searches: Vec<Search>,
    /// The arc for errors: `choose(bed: ward.beds in Free by number)`.
    pub text: Name,
}

/// The entities among which an event chooses.
pub(crate) enum Candidates {
    /// Those that a path reaches.
    Path(Path),
    /// Those in some states.
    Place(Vec<StateIx>),
}

/// How many candidates are chosen.
pub(crate) enum TakePlan {
    One,
    /// A set of at least `at_least` of the number: all, or none.
    Many {
        number: Source,
        function: FunctionIx,
        exactly: bool,
    },
}

impl ChoosePlan {
    pub(crate) fn new(layout: &Layout, def: &EventDef, arc: &ArcDef) -> Option<Self> {
        let ArcDef::Choose {
            name,
            from,
            states,
            conditions,
            order,
            take,
        } = arc
        else {
            return None;
        };
        let many = |number: &Source, function: &FunctionIx, exactly| TakePlan::Many {
            number: number.clone(),
            function: *function,
            exactly,
        };
        let limit = |condition: &ChooseWhere| Limit {
            column: condition.column,
            comparison: condition.comparison,
        };
        let entity = def.names[usize::from(*name)].entity;
        let limits: Vec<Limit> = conditions.iter().map(limit).collect();
        let near = match from {
            ChooseFrom::Place => None,
            ChooseFrom::Path(path) => path.hops.last().map(|hop| reverse(*hop)),
        };
        let sought = Sought {
            entity,
            near,
            states,
            limits: &limits,
            order,
        };
        Some(Self {
            name: *name,
            entity,
            states: StateSet::of(states),
            conditions: conditions.clone(),
            order: order.clone(),
            take: match take {
                Take::One => TakePlan::One,
                Take::Exactly { number, function } => many(number, function, true),
                Take::UpTo { number, function } => many(number, function, false),
            },
            searches: match (from, near) {
                (ChooseFrom::Path(_), None) => Vec::new(),
                _ => sought.searches(layout),
            },
            from: match from {
                ChooseFrom::Place => Candidates::Place(states.clone()),
                ChooseFrom::Path(path) => Candidates::Path(path.clone()),
            },
            limits,
            text: layout.schema.arc_text(def, arc).into(),
        })
    }
}

impl ChoosePlan {
    /// Whether an index finds the candidates.
    pub(crate) fn uses_index(&self) -> bool {
        !self.searches.is_empty()
    }
}
