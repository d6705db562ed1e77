//! The plan of a `choose` arc: how its candidates are found.
//!
//! | candidates | are found | cost |
//! |---|---|---|
//! | of a path | by walking the path | O(entities that it reaches) |
//! | of a place, with an `==` on a field with an index | in the index | O(log n + entities with the value) |
//! | of a place, by a field with an ordered index | in the index, in order, until enough fit; bounds on the field limit the range | O(log n + entities before the last that fits) |
//! | of a place, with bounds on a field with an ordered index | in the index | O(log n + entities in the range) |
//! | of a place, otherwise without an order | by slot, until enough fit | O(entities before the last that fits) |
//! | of a place, otherwise | by slot | O(entities in the states) |

use crate::base::error::Name;
use crate::graph::layout::{Layout, StateSet};
use crate::schema::{
    Arc as ArcDef, ChooseFrom, ChooseWhere, ColumnIx, Comparison, EntityIx, EventDef, FunctionIx,
    IndexKind, NameIx, Path, SortBy, Source, StateIx, Take,
};

/// A `choose` arc.
pub(crate) struct ChoosePlan {
    pub name: NameIx,
    pub entity: EntityIx,
    pub states: StateSet,
    pub conditions: Vec<ChooseWhere>,
    pub order: Option<SortBy>,
    pub take: TakePlan,
    pub search: Search,
    /// The arc for errors: `choose(bed: ward.beds in Free by number)`.
    pub text: Name,
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

/// How the candidates are found.
pub(crate) enum Search {
    /// By walking a path.
    Path(Path),
    /// Those in some states, by slot.
    Place(Vec<StateIx>),
    /// Those whose value in an indexed column equals the right operand of a condition.
    Equal {
        condition: usize,
        /// If the index cannot be used, because the operand is of another type than the column.
        otherwise: Vec<StateIx>,
    },
    /// In the order of an ordered index, from the least or the greatest value on.
    Ordered {
        column: ColumnIx,
        descending: bool,
        otherwise: Vec<StateIx>,
    },
    /// Those whose value in a column with an ordered index is in the range that conditions give.
    Range {
        column: ColumnIx,
        otherwise: Vec<StateIx>,
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
        Some(Self {
            name: *name,
            entity: def.names[usize::from(*name)].entity,
            states: StateSet::of(states),
            conditions: conditions.clone(),
            order: *order,
            take: match take {
                Take::One => TakePlan::One,
                Take::Exactly { number, function } => many(number, function, true),
                Take::UpTo { number, function } => many(number, function, false),
            },
            search: search(layout, from, states, conditions, *order),
            text: layout.schema.arc_text(def, arc).into(),
        })
    }
}

fn search(
    layout: &Layout,
    from: &ChooseFrom,
    states: &[StateIx],
    conditions: &[ChooseWhere],
    order: Option<SortBy>,
) -> Search {
    if let ChooseFrom::Path(path) = from {
        return Search::Path(path.clone());
    }
    let otherwise = states.to_vec();
    let columns = &layout.schema;
    let is_ordered = |column: ColumnIx| columns[column].index == Some(IndexKind::Ordered);
    let is_indexed = |column: ColumnIx| {
        columns[column].index.is_some()
            || columns[column].key && !layout.columns[usize::from(column)].composite
    };
    let equal = |c: &ChooseWhere| c.comparison == Comparison::Equal && is_indexed(c.column);
    if let Some(condition) = conditions.iter().position(equal) {
        return Search::Equal {
            condition,
            otherwise,
        };
    }
    // The index of data of a state does not have the candidates in other states.
    let has_all = |column: ColumnIx| columns[column].state.is_none_or(|state| states == [state]);
    if let Some(order) = order.filter(|order| is_ordered(order.column) && has_all(order.column)) {
        return Search::Ordered {
            column: order.column,
            descending: order.descending,
            otherwise,
        };
    }
    let bounds = |c: &&ChooseWhere| c.comparison != Comparison::NotEqual && is_ordered(c.column);
    match conditions.iter().find(bounds) {
        Some(condition) => Search::Range {
            column: condition.column,
            otherwise,
        },
        None => Search::Place(otherwise),
    }
}
