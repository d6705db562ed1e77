//! The functions by which a model compares and calculates values. The core knows no Rust types, so the macro makes one for
//! each comparison and calculation of an event.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::schema::{ColumnIx, Comparison, FunctionIx, NameIx, Source};
use crate::value::arithmetic::{CheckedAdd, CheckedSub};

/// A function on values without their types.
#[derive(Clone, Copy)]
pub enum ValueFunction {
    /// Compares two values of types that have an order.
    Compare(fn(&dyn Any, &dyn Any) -> Option<Ordering>),
    /// Whether two values are equal.
    Equate(fn(&dyn Any, &dyn Any) -> bool),
    /// Calculates a value from two others; `None` if it overflows.
    Calculate(fn(&dyn Any, &dyn Any) -> Option<CalculatedValue>),
    /// An integer; a greater one than this type has is its greatest.
    Number(fn(&dyn Any) -> i128),
}

/// A value that an arc calculates.
pub type CalculatedValue = Box<dyn Any + Send + Sync>;

/// Gives the functions of an event, by number.
pub type ValueFunctions = fn(u16) -> ValueFunction;

/// Gives the literals of an event, by index.
pub type Literals = fn(u16) -> &'static dyn Any;

/// The literals and the functions of an immediate event, which has no value of a Rust type.
#[derive(Clone)]
pub(crate) enum ImmediateCode {
    /// What the macro has written into the program.
    OfProgram {
        literals: Literals,
        functions: ValueFunctions,
    },
    /// What follows from the schema of a log.
    OfSchema(Arc<dyn SchemaValues>),
}

/// The literals and the functions of an event that follow from its schema.
pub(crate) trait SchemaValues: Send + Sync {
    /// A literal, by its index.
    fn literal(&self, index: u16) -> &dyn Any;

    /// A function, by its index.
    fn function(&self, index: u16) -> ValueFunction;
}

impl ImmediateCode {
    /// The code of an event without literals and functions.
    pub(crate) const NONE: Self = Self::OfProgram {
        literals: no_such_value,
        functions: no_such_function,
    };

    #[inline]
    pub(crate) fn literal(&self, index: u16) -> &dyn Any {
        match self {
            Self::OfProgram { literals, .. } => literals(index),
            Self::OfSchema(values) => values.literal(index),
        }
    }

    #[inline]
    pub(crate) fn function(&self, index: u16) -> ValueFunction {
        match self {
            Self::OfProgram { functions, .. } => functions(index),
            Self::OfSchema(values) => values.function(index),
        }
    }
}

/// Panics: the schema and the event come from the same macro, so that each value that is asked for exists.
#[cold]
#[must_use]
pub fn no_such_value(index: u16) -> &'static dyn Any {
    unreachable!("the schema asks for value {index}, which the event does not have")
}

/// Panics: the schema and the event come from the same macro, so that each function that is asked for exists.
#[cold]
#[must_use]
pub fn no_such_function(index: u16) -> ValueFunction {
    unreachable!("the schema asks for function {index}, which the event does not have")
}

/// A value of the type for which the macro has made a function.
fn typed<T: 'static>(value: &dyn Any) -> &T {
    let value = value.downcast_ref();
    value.expect("a value of the type that the macro has given")
}

/// Compares values in their order.
#[must_use]
pub fn compare<A: PartialOrd<B> + 'static, B: 'static>() -> ValueFunction {
    ValueFunction::Compare(|a, b| typed::<A>(a).partial_cmp(typed::<B>(b)))
}

/// Compares values by `==`.
#[must_use]
pub fn equal<A: PartialEq<B> + 'static, B: 'static>() -> ValueFunction {
    ValueFunction::Equate(|a, b| typed::<A>(a) == typed::<B>(b))
}

/// Compares values of one type, all of which are in an order.
#[must_use]
pub fn sorted<T: Ord + 'static>() -> ValueFunction {
    ValueFunction::Compare(|a, b| Some(typed::<T>(a).cmp(typed::<T>(b))))
}

/// Adds values.
#[must_use]
pub fn sum<A: CheckedAdd<B, Output = T> + 'static, B: 'static, T: Send + Sync + 'static>()
-> ValueFunction {
    ValueFunction::Calculate(|a, b| {
        let sum = typed::<A>(a).checked_sum(typed::<B>(b))?;
        Some(Box::new(sum))
    })
}

/// Subtracts values.
#[must_use]
pub fn difference<A: CheckedSub<B, Output = T> + 'static, B: 'static, T: Send + Sync + 'static>()
-> ValueFunction {
    ValueFunction::Calculate(|a, b| {
        let difference = typed::<A>(a).checked_difference(typed::<B>(b))?;
        Some(Box::new(difference))
    })
}

/// Reads an integer.
#[must_use]
pub fn number<T: Whole>() -> ValueFunction {
    ValueFunction::Number(|value| typed::<T>(value).whole())
}

/// An integer, as a number of entities is.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an integer, as a number of entities is",
    label = "not an integer",
    note = "`count` is compared with an integer, and `choose` takes an integer number of candidates"
)]
pub trait Whole: 'static {
    /// The integer, or the greatest one that is representable.
    fn whole(&self) -> i128;
}

macro_rules! integers {
    ($($ty:ty)*) => {$(
        impl Whole for $ty {
            fn whole(&self) -> i128 {
                i128::try_from(*self).unwrap_or(i128::MAX)
            }
        }
    )*};
}

integers! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize }

impl ValueFunction {
    /// Whether two values compare so. Values without an order to each other, as of `f64::NAN`, are only unequal.
    pub(crate) fn holds(self, comparison: Comparison, a: &dyn Any, b: &dyn Any) -> bool {
        match (self, comparison) {
            (Self::Equate(equal), Comparison::Equal) => equal(a, b),
            (Self::Equate(equal), Comparison::NotEqual) => !equal(a, b),
            (Self::Compare(compare), _) => ordered(comparison, compare(a, b)),
            _ => self.is_another(),
        }
    }

    /// The order of two values of one type.
    pub(crate) fn compare(self, a: &dyn Any, b: &dyn Any) -> Ordering {
        match self {
            Self::Compare(compare) => compare(a, b).unwrap_or(Ordering::Equal),
            _ => self.is_another(),
        }
    }

    /// The sum or difference of two values; `None` if it overflows.
    pub(crate) fn calculate(self, a: &dyn Any, b: &dyn Any) -> Option<CalculatedValue> {
        match self {
            Self::Calculate(calculate) => calculate(a, b),
            _ => self.is_another(),
        }
    }

    /// A value as an integer.
    pub(crate) fn number(self, value: &dyn Any) -> i128 {
        match self {
            Self::Number(number) => number(value),
            _ => self.is_another(),
        }
    }

    #[cold]
    fn is_another(self) -> ! {
        unreachable!("the schema asks for a function of another kind than the event has")
    }
}

/// Whether an ordering is what a comparison requires.
pub(crate) fn ordered(comparison: Comparison, ordering: Option<Ordering>) -> bool {
    match comparison {
        Comparison::Equal => ordering == Some(Ordering::Equal),
        Comparison::NotEqual => ordering != Some(Ordering::Equal),
        Comparison::Less => ordering == Some(Ordering::Less),
        Comparison::LessOrEqual => ordering.is_some_and(Ordering::is_le),
        Comparison::Greater => ordering == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => ordering.is_some_and(Ordering::is_ge),
    }
}

/// What the values of an event are taken from before any of its arcs acts.
pub(crate) trait Operands {
    /// A value that is not calculated; `None` if an entity does not have it in its state.
    fn given(&self, source: &Source) -> Option<&dyn Any>;

    /// One of the functions of the event.
    fn function(&self, index: FunctionIx) -> ValueFunction;
}

/// A value without its type.
pub(crate) enum Operand<'v> {
    Given(&'v dyn Any),
    Calculated(CalculatedValue),
}

impl Operand<'_> {
    pub(crate) fn get(&self) -> &dyn Any {
        match self {
            Self::Given(value) => *value,
            Self::Calculated(value) => &**value,
        }
    }
}

/// Why there is no value.
pub(crate) enum NoValue {
    /// An entity does not have it in its state.
    Absent(NameIx, ColumnIx),
    /// The calculation overflows.
    Overflow,
}

/// A calculation overflows.
pub(crate) struct Overflows;

/// Returns a value; O(1).
pub(crate) fn value<'v>(from: &'v impl Operands, source: &Source) -> Result<Operand<'v>, NoValue> {
    match source {
        Source::Calculated {
            left,
            right,
            function,
            ..
        } => {
            let (a, b) = (value(from, left)?, value(from, right)?);
            let calculated = from.function(*function).calculate(a.get(), b.get());
            calculated.map(Operand::Calculated).ok_or(NoValue::Overflow)
        }
        _ => match (from.given(source), source) {
            (Some(value), _) => Ok(Operand::Given(value)),
            (None, Source::Entity { name, column }) => Err(NoValue::Absent(*name, *column)),
            (None, _) => unreachable!("only an entity may not have a value"),
        },
    }
}

/// Whether two values compare so. They do not if one of them does not exist.
pub(crate) fn compares(
    from: &impl Operands,
    (left, comparison, right): (&Source, Comparison, &Source),
    function: FunctionIx,
) -> Result<bool, Overflows> {
    let left = value(from, left);
    match left.and_then(|left| Ok((left, value(from, right)?))) {
        Ok((left, right)) => {
            let function = from.function(function);
            Ok(function.holds(comparison, left.get(), right.get()))
        }
        Err(none) => none.holds(),
    }
}

/// Whether a number of entities compares so with a value. It does not if the value does not exist.
pub(crate) fn number_compares(
    from: &impl Operands,
    (number, comparison, with): (usize, Comparison, &Source),
    function: FunctionIx,
) -> Result<bool, Overflows> {
    match value(from, with) {
        Ok(with) => {
            let with = from.function(function).number(with.get());
            Ok(ordered(comparison, Some((number as i128).cmp(&with))))
        }
        Err(none) => none.holds(),
    }
}

impl NoValue {
    /// Whether a condition on the value holds.
    fn holds(self) -> Result<bool, Overflows> {
        match self {
            Self::Absent(..) => Ok(false),
            Self::Overflow => Err(Overflows),
        }
    }
}
