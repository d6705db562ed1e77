//! The grammar of values in arcs, and of comparisons of values.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::{Lit, Result, Token};

use crate::errors::did_you_mean;

use super::ast::{Arithmetic, Compared, Comparison, MetaField, Path, Value};

/// The message for an expression in place of a value.
const PLAIN_VALUE: &str = "a value is a field of the event, `meta.time`, `name.field` of a bound entity, \
     a literal, or a sum or difference of these: for any other, add a field with the result to the event, or compute it in a \
     handler (`#[may(set Entity.field)]`)";

impl Parse for Value {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let begins = input.span();
        let value = sum(input)?;
        let ends = input.is_empty() || input.peek(Token![,]);
        if !ends && !input.peek(syn::Ident) && !input.peek(Lit) {
            let at = begins.join(input.span()).unwrap_or(begins);
            return Err(syn::Error::new(at, PLAIN_VALUE));
        }
        Ok(value)
    }
}

/// Values with `+` and `-` between them.
pub fn sum(input: ParseStream<'_>) -> Result<Value> {
    let mut value = operand(input)?;
    loop {
        let at = input.span();
        let operator = if input.peek(Token![+]) && !input.peek(Token![+=]) {
            input.parse::<Token![+]>()?;
            Arithmetic::Add
        } else if input.peek(Token![-]) && !input.peek(Token![-=]) && !input.peek(Token![->]) {
            input.parse::<Token![-]>()?;
            Arithmetic::Subtract
        } else {
            return Ok(value);
        };
        let operands = Box::new([value, operand(input)?]);
        value = Value::Calculated {
            operator,
            at,
            operands,
        };
    }
}

/// A value of which no other is calculated here, or one in parentheses.
fn operand(input: ParseStream<'_>) -> Result<Value> {
    if input.peek(syn::token::Paren) {
        let content = parenthesized(input)?;
        let value = sum(&content)?;
        if !content.is_empty() {
            return Err(content.error(PLAIN_VALUE));
        }
        return Ok(value);
    }
    if input.peek(Token![-]) || input.peek(Lit) {
        return literal(input).map(|(minus, literal)| Value::Literal(minus, literal));
    }
    if input.peek(syn::Ident) {
        return named_value(input);
    }
    Err(input.error(PLAIN_VALUE))
}

impl Parse for Compared {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let at = input.span();
        let comparison = comparison(input)?;
        let with = sum(input)?;
        Ok(Self {
            comparison,
            at,
            with,
        })
    }
}

/// An operator that compares.
fn comparison(input: ParseStream<'_>) -> Result<Comparison> {
    macro_rules! try_each {
        ($($token:tt => $comparison:ident;)*) => {
            $(if input.peek(Token![$token]) {
                input.parse::<Token![$token]>()?;
                return Ok(Comparison::$comparison);
            })*
        };
    }
    try_each! {
        == => Equal;
        != => NotEqual;
        <= => LessOrEqual;
        >= => GreaterOrEqual;
        < => Less;
        > => Greater;
    }
    if input.peek(Token![=]) {
        return Err(input.error("a comparison is written `==`"));
    }
    Err(input.error("expected a comparison: `==`, `!=`, `<`, `<=`, `>` or `>=`"))
}

/// A comparison of two values.
pub fn compared(input: ParseStream<'_>) -> Result<(Value, Compared)> {
    Ok((sum(input)?, input.parse()?))
}

/// A literal, perhaps after a minus.
fn literal(input: ParseStream<'_>) -> Result<(Option<Token![-]>, Lit)> {
    let minus = input.parse()?;
    if !input.peek(Lit) {
        return Err(input.error(PLAIN_VALUE));
    }
    Ok((minus, input.parse()?))
}

/// A value that begins with a name.
fn named_value(input: ParseStream<'_>) -> Result<Value> {
    let fork = input.fork();
    let word: Ident = fork.parse()?;
    if word == "None" {
        return Ok(Value::None(input.parse()?));
    }
    if word == "Some" && fork.peek(syn::token::Paren) {
        let (word, content) = (input.parse()?, parenthesized(input)?);
        let (minus, literal) = literal(&content).map_err(|error| {
            let message =
                "`Some(..)` takes a literal here: add a field with the whole `Option` to the event";
            syn::Error::new(error.span(), message)
        })?;
        return Ok(Value::Some(word, minus, literal));
    }
    value_of(input.parse()?)
}

/// `( .. )`.
fn parenthesized(input: ParseStream<'_>) -> Result<syn::parse::ParseBuffer<'_>> {
    let content;
    syn::parenthesized!(content in input);
    Ok(content)
}

/// Interprets a path as a value.
fn value_of(path: Path) -> Result<Value> {
    match path.hops.as_slice() {
        [] => Ok(Value::Field(path.root)),
        [time] if path.root == "meta" && time == "time" => Ok(Value::Time),
        [field] if path.root == "meta" => {
            let text = field.to_string();
            Ok(Value::Meta(match text.as_str() {
                "actor" => MetaField::Actor,
                "correlation" => MetaField::Correlation,
                "causation" => MetaField::Causation,
                _ => {
                    let known = ["time", "actor", "correlation", "causation"];
                    let hint = did_you_mean(&text, known);
                    let message = format!("`meta` has no field `{text}`{hint}");
                    return Err(syn::Error::new(field.span(), message));
                }
            }))
        }
        [field] => Ok(Value::Of(path.root.clone(), None, field.clone())),
        [state, field] if begins_upper(state) => Ok(Value::Of(
            path.root.clone(),
            Some(state.clone()),
            field.clone(),
        )),
        [.., end, _] => {
            let text = path.to_string();
            let entity = text.rsplit_once('.').map_or(&*text, |(entity, _)| entity);
            let message = format!(
                "a value is `name.field` of a bound entity, but `{path}` follows an edge: bind that entity in a field of the \
                 event, or with `#[choose({end}: {entity} in State)]`, also in an immediate event"
            );
            Err(syn::Error::new(path.last().span(), message))
        }
    }
}

/// Whether a name is written like that of a state.
fn begins_upper(name: &Ident) -> bool {
    name.to_string().starts_with(char::is_uppercase)
}
