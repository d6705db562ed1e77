//! The grammar of `choose(..)`, and of the order of an immediate event.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::{Lit, Result, Token};

use super::arcs::states;
use super::ast::{
    Arc, CandidateColumn, CandidateWhere, Choose, ChosenOrder, FiringOrder, Path, Take,
};
use super::values::sum;

/// `choose(name: 3 of path in A | B where field == value, field <= value by field desc, field)`.
pub fn choose(input: ParseStream<'_>) -> Result<Arc> {
    let name: Ident = input.parse()?;
    if !input.peek(Token![:]) {
        return Err(input.error(format!(
            "`choose` names what it chooses: write `choose({name}: path in State)`"
        )));
    }
    input.parse::<Token![:]>()?;
    let take = take(input)?;
    let from: Path = input.parse()?;
    if !input.peek(Token![in]) {
        let message = format!("a candidate is in a state: write `choose({name}: {from} in State)`");
        return Err(syn::Error::new(from.last().span(), message));
    }
    input.parse::<Token![in]>()?;
    let states = states(input)?;
    let conditions = match input.parse::<Option<Token![where]>>()? {
        Some(_) => conditions(input)?,
        None => Vec::new(),
    };
    let order = match begins_order(input) {
        true => {
            input.parse::<Ident>()?;
            orders(input)?
        }
        false => Vec::new(),
    };
    if input.is_empty() {
        return Ok(Arc::Choose(Box::new(Choose {
            name,
            take,
            from,
            states,
            conditions,
            order,
        })));
    }
    let message = match (input.peek(Token![where]), order.is_empty()) {
        (true, false) => "`by` comes last: write `where field == value by field`",
        (false, false) => {
            "expected `desc`, `,` and another field, or the end: the smallest value is chosen first, unless `desc` follows"
        }
        (_, true) => "expected `where field == value`, `by field`, or the end",
    };
    Err(input.error(message))
}

/// Whether the next word is the `by` before an order, and not a field that is called so.
fn begins_order(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    fork.parse::<Ident>().is_ok_and(|word| word == "by") && fork.peek(syn::Ident)
}

/// `3 of`, `n of`, `up to n of`, or nothing.
fn take(input: ParseStream<'_>) -> Result<Take> {
    let fork = input.fork();
    let word = |fork: ParseStream<'_>, expected: &str| {
        let word = fork.parse::<Ident>();
        word.is_ok_and(|word| word == expected)
    };
    let up_to = word(&fork, "up") && word(&fork, "to");
    if up_to {
        input.parse::<Ident>()?;
        input.parse::<Ident>()?;
    }
    let fork = input.fork();
    let counts = up_to || input.peek(Lit) || sum(&fork).is_ok() && word(&fork, "of");
    if !counts {
        return Ok(Take::One);
    }
    let at = input.span();
    let number = sum(input)?;
    let fork = input.fork();
    if !word(&fork, "of") {
        return Err(input
            .error("write `of` between a number and the candidates, as in `3 of path in State`"));
    }
    input.parse::<Ident>()?;
    Ok(match up_to {
        true => Take::UpTo(at, number),
        false => Take::Exactly(at, number),
    })
}

/// Conditions between commas.
fn conditions(input: ParseStream<'_>) -> Result<Vec<CandidateWhere>> {
    let mut all = vec![input.parse()?];
    while input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        if input.is_empty() || begins_order(input) {
            break;
        }
        all.push(input.parse()?);
    }
    Ok(all)
}

impl Parse for CandidateWhere {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if !input.peek(syn::Ident) {
            return Err(input.error(
                "`where` compares a field of a candidate with a value: write the field at the left",
            ));
        }
        Ok(Self {
            column: input.parse()?,
            compared: input.parse()?,
        })
    }
}

impl Parse for CandidateColumn {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let path: Path = input.parse()?;
        match path.hops.as_slice() {
            [] => Ok(Self {
                state: None,
                name: path.root,
            }),
            [name] if path.root.to_string().starts_with(char::is_uppercase) => Ok(Self {
                state: Some(path.root.clone()),
                name: name.clone(),
            }),
            _ => Err(syn::Error::new(
                path.root.span(),
                format!(
                    "a candidate is described by its own fields: write `{}`, or `State.{0}` for data of a state",
                    path.last()
                ),
            )),
        }
    }
}

/// Orders between commas.
fn orders(input: ParseStream<'_>) -> Result<Vec<ChosenOrder>> {
    let mut all = vec![order(input)?];
    while input.peek(Token![,]) {
        input.parse::<Token![,]>()?;
        if input.is_empty() {
            break;
        }
        all.push(order(input)?);
    }
    Ok(all)
}

/// `field`, `field desc`.
fn order(input: ParseStream<'_>) -> Result<ChosenOrder> {
    Ok(ChosenOrder {
        column: input.parse()?,
        descending: descending(input)?,
    })
}

/// `desc`, or nothing.
pub fn descending(input: ParseStream<'_>) -> Result<bool> {
    if !input.peek(syn::Ident) {
        return Ok(false);
    }
    let word: Ident = input.parse()?;
    match word.to_string().as_str() {
        "desc" => Ok(true),
        "asc" => Err(syn::Error::new(
            word.span(),
            "the smallest value is the first one already: remove `asc`",
        )),
        _ => Err(syn::Error::new(
            word.span(),
            "expected `desc`, or the end: the smallest value is the first one, unless `desc` follows",
        )),
    }
}

/// `by = name.field desc`.
pub fn firing_order(input: ParseStream<'_>) -> Result<FiringOrder> {
    let word: Ident = input.parse()?;
    if word != "by" {
        return Err(syn::Error::new(
            word.span(),
            "an immediate event takes nothing but an order: write `immediate(by = name.field)`",
        ));
    }
    input.parse::<Token![=]>()?;
    let mut path: Path = input.parse()?;
    let (Some(name), true) = (path.hops.pop(), path.hops.len() < 2) else {
        let root = path.root;
        return Err(syn::Error::new(
            root.span(),
            format!("an order names the field of the entity: write `by = {root}.field`"),
        ));
    };
    Ok(FiringOrder {
        root: path.root,
        order: ChosenOrder {
            column: CandidateColumn {
                state: path.hops.pop(),
                name,
            },
            descending: descending(input)?,
        },
    })
}
