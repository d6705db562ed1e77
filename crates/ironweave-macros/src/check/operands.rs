//! Resolves values that arcs compare and calculate, with their types.
//!
//! The macro knows types only as they are written, so each comparison and each calculation becomes a function of its operands'
//! types, which rustc checks. An error is reported at the operator.

use ironweave_schema::{Arc, Arithmetic, Comparison, FunctionIx, Source};
use proc_macro2::{Ident, Span};
use syn::Type;

use super::events::Scope;
use super::model::ValueFunction;
use super::table::Ix as _;
use super::values::{entity_field, event_field, literal, meta_type};
use super::{paths, state, types};
use crate::errors::Errors;
use crate::parse::ast::{self, Compared, Value};

/// A value, and its type as tokens.
pub type Operand = (Source, Type);

/// Adds a function to the code of the event: one that a function of the runtime makes from types.
pub fn function<const N: usize>(
    scope: &mut Scope<'_>,
    make: &'static str,
    types: [&Type; N],
    at: Span,
) -> FunctionIx {
    scope.functions.push(ValueFunction {
        make,
        types: types.map(Clone::clone).into(),
        at,
    });
    FunctionIx::at(scope.functions.len() - 1)
}

/// Resolves two values, of which a literal has the type of the other one.
fn both(
    scope: &mut Scope<'_>,
    [left, right]: [&Value; 2],
    at: Span,
    errors: &mut Errors,
) -> Option<[Operand; 2]> {
    if is_literal(left) && is_literal(right) {
        let message = "both values are literals: write the result, or a field of the event";
        errors.add(syn::Error::new(at, message));
        return None;
    }
    if is_literal(left) {
        let right = operand(scope, right, None, errors);
        let ty = right.as_ref().map(|(_, ty)| ty.clone());
        let left = operand(scope, left, Some(&ty?), errors);
        return Some([left?, right?]);
    }
    let left = operand(scope, left, None, errors);
    let ty = left.as_ref().map(|(_, ty)| ty);
    // If the left one is wrong, a literal at the right is not resolved, and other values are.
    let right = match (ty, is_literal(right)) {
        (None, true) => None,
        (ty, _) => operand(scope, right, ty, errors),
    };
    Some([left?, right?])
}

fn is_literal(value: &Value) -> bool {
    matches!(value, Value::Literal(..) | Value::None(_) | Value::Some(..))
}

/// Resolves a value of any type. A literal gets the type `other`.
pub fn operand(
    scope: &mut Scope<'_>,
    value: &Value,
    other: Option<&Type>,
    errors: &mut Errors,
) -> Option<Operand> {
    Some(match value {
        Value::Time => (Source::Time, syn::parse_quote!(::ironweave::Timestamp)),
        Value::Meta(field) => (Source::Meta(*field), meta_type(*field)),
        Value::Of(root, state, field) => {
            let (name, column) = entity_field(scope, root, state.as_ref(), field, errors)?;
            let ty = scope.resolved.columns[column].ty.clone();
            (Source::Entity { name, column }, ty)
        }
        Value::Field(field) => {
            let add = |hint: &str| match scope.def.names.first().filter(|_| scope.def.immediate) {
                Some(own) => format!(
                    ": an immediate event has only its entity, so compare a literal or a field of it, `{}.{field}`",
                    own.name
                ),
                None => hint.to_owned(),
            };
            let number = event_field(scope, field, add, errors)?;
            (Source::Field(number), scope.fields[number].ty.clone())
        }
        Value::Literal(..) | Value::None(_) | Value::Some(..) => {
            let ty = other?;
            (literal(scope, ty, value, None, errors)?, ty.clone())
        }
        Value::Calculated {
            operator,
            at,
            operands,
        } => calculated(scope, (*operator, *at), operands, None, errors)?,
    })
}

/// Resolves a sum or a difference; of the type `wanted`, or of any.
fn calculated(
    scope: &mut Scope<'_>,
    (operator, at): (Arithmetic, Span),
    [left, right]: &[Value; 2],
    wanted: Option<&Type>,
    errors: &mut Errors,
) -> Option<Operand> {
    let [(left, a), (right, b)] = both(scope, [left, right], at, errors)?;
    let result: Type = match (wanted, operator) {
        (Some(wanted), _) => wanted.clone(),
        // An integer, so that a literal beside the result can have its type.
        (None, _) if types::by_value(&a) => a.clone(),
        (None, Arithmetic::Add) => syn::parse_quote!(<#a as ::ironweave::CheckedAdd<#b>>::Output),
        (None, Arithmetic::Subtract) => {
            syn::parse_quote!(<#a as ::ironweave::CheckedSub<#b>>::Output)
        }
    };
    let make = match operator {
        Arithmetic::Add => "sum",
        Arithmetic::Subtract => "difference",
    };
    let source = Source::Calculated {
        operator,
        left: Box::new(left),
        right: Box::new(right),
        function: function(scope, make, [&a, &b, &result], at),
    };
    Some((source, result))
}

/// Resolves a sum or a difference that is written to something of a type.
pub fn calculated_source(
    scope: &mut Scope<'_>,
    ty: &Type,
    (operator, at): (Arithmetic, Span),
    operands: &[Value; 2],
    errors: &mut Errors,
) -> Option<Source> {
    calculated(scope, (operator, at), operands, Some(ty), errors).map(|(source, _)| source)
}

/// Resolves `when(value < value)`.
pub fn compare(
    scope: &mut Scope<'_>,
    left: &Value,
    compared: &Compared,
    errors: &mut Errors,
) -> Option<Arc> {
    let Compared {
        comparison,
        at,
        with,
    } = compared;
    let [(left, a), (right, b)] = both(scope, [left, with], *at, errors)?;
    let make = match comparison {
        Comparison::Equal | Comparison::NotEqual => "equal",
        _ => "compare",
    };
    Some(Arc::Compare {
        left,
        comparison: *comparison,
        right,
        function: function(scope, make, [&a, &b], *at),
    })
}

/// Resolves `when(count path in A | B >= value)`.
pub fn count(
    scope: &mut Scope<'_>,
    written: &ast::Path,
    states: &[Ident],
    compared: &Compared,
    errors: &mut Errors,
) -> Option<Arc> {
    let reached = paths::path(scope, written, errors);
    let before = errors.len();
    let states: Vec<_> = match &reached {
        Some(reached) => (states.iter())
            .filter_map(|name| state(scope.resolved, reached.entity, name, errors))
            .collect(),
        None => Vec::new(),
    };
    let number: Type = syn::parse_quote!(u64);
    let (with, ty) = operand(scope, &compared.with, Some(&number), errors)?;
    let function = function(scope, "number", [&ty], compared.at);
    (errors.len() == before).then_some(Arc::Count {
        path: reached?.path,
        states,
        comparison: compared.comparison,
        with,
        function,
    })
}
