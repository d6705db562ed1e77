//! Comparisons and calculations: their types, how the oracle does them, and the functions that the model under test has for
//! them. The functions are found in the arcs of an event, as its literals are.

use std::cmp::Ordering;

use ironweave::plumbing::{self, ValueFunction};
use ironweave::schema::{
    Arc, Arithmetic, Assign, ChooseWhere, Comparison, EventDef, FieldIx, FunctionIx, Hop, Schema,
    Source, Take,
};

use crate::values::{Ty, Val, column_ty, literal, ty, with_type};

/// A function of an event.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    Compare(Ty),
    Equal(Ty),
    Calculate(Arithmetic, Ty, Ty),
    Number,
}

/// What an event has beside its fields.
#[derive(Default)]
struct Found {
    literals: Vec<(FieldIx, Val)>,
    functions: Vec<(FunctionIx, Function)>,
}

/// The literals of an event, by index minus the number of its fields.
pub fn literals(schema: &Schema, def: &EventDef) -> Vec<Val> {
    let mut found = Found::of(schema, def).literals;
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, value)| value).collect()
}

/// The functions of an event, by index.
pub fn functions(schema: &Schema, def: &EventDef) -> Vec<Function> {
    let mut found = Found::of(schema, def).functions;
    found.sort_by_key(|(index, _)| *index);
    found.into_iter().map(|(_, function)| function).collect()
}

/// The type of a value; of a literal it is the type of what stands beside it.
fn type_of(schema: &Schema, def: &EventDef, source: &Source) -> Option<Ty> {
    match source {
        Source::Field(field) => Some(ty(&def.fields[usize::from(*field)].ty)),
        Source::Time => Some(Ty::T),
        Source::Literal { .. } => None,
        Source::Meta(_) => unreachable!("no random model has a value of the metadata"),
        Source::Entity { column, .. } => Some(column_ty(schema, *column)),
        Source::Calculated {
            operator,
            left,
            right,
            ..
        } => Some(match (operator, operands(schema, def, left, right)) {
            (Arithmetic::Subtract, (Ty::T, Ty::T)) => Ty::D,
            (_, (left, _)) => left,
        }),
    }
}

fn operands(schema: &Schema, def: &EventDef, left: &Source, right: &Source) -> (Ty, Ty) {
    let (a, b) = (type_of(schema, def, left), type_of(schema, def, right));
    let known = a.or(b).unwrap_or(Ty::U);
    (a.unwrap_or(known), b.unwrap_or(known))
}

/// The function of a comparison.
fn comparing(comparison: Comparison, of: Ty) -> Function {
    match comparison {
        Comparison::Equal | Comparison::NotEqual => Function::Equal(of),
        _ => Function::Compare(of),
    }
}

impl Found {
    fn of(schema: &Schema, def: &EventDef) -> Self {
        let mut found = Self::default();
        for arc in &def.arcs {
            found.arc(schema, def, arc);
        }
        if let Some(order) = &def.order {
            let of = column_ty(schema, order.column);
            found
                .functions
                .push((order.function, Function::Compare(of)));
        }
        found
    }

    fn arc(&mut self, schema: &Schema, def: &EventDef, arc: &Arc) {
        let on = |hop: &Hop| {
            let data = &schema.edges[usize::from(hop.edge)].data;
            ty(data.as_ref().expect("an edge with data"))
        };
        match arc {
            Arc::Create { values: list, .. } | Arc::Move { data: list, .. } => {
                for value in list {
                    self.assign(schema, def, value);
                }
            }
            Arc::Set { value, .. } => self.assign(schema, def, value),
            Arc::Link { hop, data, .. } | Arc::Relink { hop, data, .. } => {
                if let Some(data) = data {
                    self.source(schema, def, on(hop), data);
                }
            }
            Arc::SetLink { hop, data, .. } => self.source(schema, def, on(hop), data),
            Arc::Count { with, function, .. } => {
                self.functions.push((*function, Function::Number));
                self.source(schema, def, Ty::U, with);
            }
            Arc::Compare {
                left,
                comparison,
                right,
                function,
            } => {
                let (a, b) = operands(schema, def, left, right);
                self.functions.push((*function, comparing(*comparison, a)));
                self.source(schema, def, a, left);
                self.source(schema, def, b, right);
            }
            Arc::Choose {
                conditions,
                order,
                take,
                ..
            } => {
                for ChooseWhere {
                    column,
                    comparison,
                    with,
                    function,
                } in conditions
                {
                    let of = column_ty(schema, *column);
                    self.functions.push((*function, comparing(*comparison, of)));
                    self.source(schema, def, of, with);
                }
                for order in order {
                    let of = column_ty(schema, order.column);
                    self.functions.push((order.function, Function::Compare(of)));
                }
                if let Take::Exactly { number, function } | Take::UpTo { number, function } = take {
                    self.functions.push((*function, Function::Number));
                    self.source(schema, def, Ty::U, number);
                }
            }
            Arc::Unlink { .. } | Arc::Delete { .. } | Arc::When { .. } | Arc::Unknown(_) => {}
        }
    }

    fn assign(&mut self, schema: &Schema, def: &EventDef, assign: &Assign) {
        let of = column_ty(schema, assign.column);
        self.source(schema, def, of, &assign.source);
    }

    fn source(&mut self, schema: &Schema, def: &EventDef, of: Ty, source: &Source) {
        match source {
            Source::Literal { index, text } => self.literals.push((*index, literal(of, text))),
            Source::Calculated {
                operator,
                left,
                right,
                function,
            } => {
                let (a, b) = operands(schema, def, left, right);
                let calculate = Function::Calculate(*operator, a, b);
                self.functions.push((*function, calculate));
                self.source(schema, def, a, left);
                self.source(schema, def, b, right);
            }
            _ => {}
        }
    }
}

impl Function {
    /// The function that the macro would write for it.
    pub fn real(self) -> ValueFunction {
        use std::time::Duration;

        use ironweave::Timestamp;
        use ironweave::plumbing::{difference, sum};
        match self {
            Self::Compare(of) => with_type!(of, T => plumbing::compare::<T, T>()),
            Self::Equal(of) => with_type!(of, T => plumbing::equal::<T, T>()),
            Self::Number => plumbing::number::<u64>(),
            Self::Calculate(operator, a, b) => match (operator, a, b) {
                (Arithmetic::Add, Ty::U, Ty::U) => sum::<u64, u64, u64>(),
                (Arithmetic::Add, Ty::D, Ty::D) => sum::<Duration, Duration, Duration>(),
                (Arithmetic::Add, Ty::T, Ty::D) => sum::<Timestamp, Duration, Timestamp>(),
                (Arithmetic::Subtract, Ty::U, Ty::U) => difference::<u64, u64, u64>(),
                (Arithmetic::Subtract, Ty::D, Ty::D) => {
                    difference::<Duration, Duration, Duration>()
                }
                (Arithmetic::Subtract, Ty::T, Ty::D) => {
                    difference::<Timestamp, Duration, Timestamp>()
                }
                (Arithmetic::Subtract, Ty::T, Ty::T) => {
                    difference::<Timestamp, Timestamp, Duration>()
                }
                other => unreachable!("no random model calculates {other:?}"),
            },
        }
    }
}

/// The sum or difference of two values, if it is one of their type.
pub fn calculate(operator: Arithmetic, left: &Val, right: &Val) -> Option<Val> {
    const NANOS_MAX: u128 = u64::MAX as u128 * 1_000_000_000 + 999_999_999;
    let wide = |n: u128| i128::try_from(n).expect("less than 2^127");
    let (a, b) = match (left, right) {
        (Val::U(a), Val::U(b)) => (i128::from(*a), i128::from(*b)),
        (Val::D(a), Val::D(b)) => (wide(*a), wide(*b)),
        (Val::T(a), Val::D(b)) => (i128::from(*a), wide(*b / 1_000)),
        (Val::T(a), Val::T(b)) => (i128::from(*a) * 1_000, i128::from(*b) * 1_000),
        other => unreachable!("no random model calculates with {other:?}"),
    };
    let result = match operator {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
    };
    match (left, right) {
        (Val::U(_), _) => u64::try_from(result).ok().map(Val::U),
        (Val::T(_), Val::D(_)) => i64::try_from(result).ok().map(Val::T),
        _ => {
            let nanos = u128::try_from(result).ok();
            nanos.filter(|n| *n <= NANOS_MAX).map(Val::D)
        }
    }
}

/// Whether an ordering is the one of a comparison.
pub fn holds(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
    }
}
