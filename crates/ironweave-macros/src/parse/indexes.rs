//! The grammar of `#[index(..)]`, on a value and on an entity.

use proc_macro2::Ident;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Meta, Result, Token, bracketed};

use super::ast::{EntityIndex, Index, IndexPart};
use super::attrs::Ours;
use crate::errors::{Errors, did_you_mean};

/// `#[index]` or `#[index(ordered)]`, on a field or on data of a state.
pub fn of_value(mark: &Ours) -> Result<Index> {
    let mut index = Index {
        word: mark.name.clone(),
        ordered: false,
    };
    let Meta::List(list) = &mark.attr.meta else {
        return Ok(index);
    };
    let ordered = |input: ParseStream<'_>| {
        let word: Ident = input.parse()?;
        let message = if OPTIONS[1..].iter().any(|option| word == option) || !input.is_empty() {
            "an index of several fields, or of some states, is written on the entity: \
             `#[index(ordered, fields = [field, field], while = State)]`"
        } else if word == "ordered" {
            return Ok(());
        } else {
            "an index is `#[index]` (equal values) or `#[index(ordered)]` (ranges too)"
        };
        Err(syn::Error::new(word.span(), message))
    };
    ordered.parse2(list.tokens.clone())?;
    index.ordered = true;
    Ok(index)
}

/// The options of an index on an entity.
const OPTIONS: [&str; 4] = ["ordered", "fields", "while", "name"];

/// `#[index(ordered, fields = [field, State.item], while = State | State, name = name)]`, on an entity.
pub fn of_entity(mark: &Ours, errors: &mut Errors) -> Option<EntityIndex> {
    if !matches!(mark.attr.meta, Meta::List(_)) {
        let message = "an index of an entity names its parts: write `#[index(fields = [field, field])]`, or `#[index]` on one field";
        errors.at(&mark.attr.meta, message);
        return None;
    }
    let word = mark.name.clone();
    mark.parse(errors, |input| options(word, input))
}

fn options(word: Ident, input: ParseStream<'_>) -> Result<EntityIndex> {
    let mut index = EntityIndex {
        word: word.clone(),
        ordered: false,
        name: None,
        parts: Vec::new(),
        states: Vec::new(),
    };
    let mut seen: Vec<String> = Vec::new();
    while !input.is_empty() {
        let (span, text) = if input.peek(Token![while]) {
            (input.parse::<Token![while]>()?.span, "while".to_owned())
        } else {
            let option: Ident = input.parse()?;
            (option.span(), option.to_string())
        };
        if seen.contains(&text) {
            return Err(syn::Error::new(span, format!("`{text}` is given twice")));
        }
        if !OPTIONS.contains(&&*text) {
            let hint = did_you_mean(&text, OPTIONS);
            let message = format!("`{text}` is not an option of `#[index(..)]`{hint}");
            return Err(syn::Error::new(span, message));
        }
        if text != "ordered" {
            input.parse::<Token![=]>()?;
        }
        match text.as_str() {
            "ordered" => index.ordered = true,
            "name" => index.name = Some(input.parse()?),
            "while" => {
                let states = Punctuated::<Ident, Token![|]>::parse_separated_nonempty(input)?;
                index.states = states.into_iter().collect();
            }
            _ => {
                let content;
                bracketed!(content in input);
                let parts = content.parse_terminated(part, Token![,])?;
                index.parts = parts.into_iter().collect();
            }
        }
        seen.push(text);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    if index.parts.is_empty() {
        let message = "an index names its parts: add `fields = [field, field]`";
        return Err(syn::Error::new(word.span(), message));
    }
    Ok(index)
}

/// `field` or `State.item`.
fn part(input: ParseStream<'_>) -> Result<IndexPart> {
    let first: Ident = input.parse()?;
    if input.parse::<Option<Token![.]>>()?.is_none() {
        return Ok(IndexPart {
            state: None,
            name: first,
        });
    }
    Ok(IndexPart {
        state: Some(first),
        name: input.parse()?,
    })
}
