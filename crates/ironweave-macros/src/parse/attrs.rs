//! Which attributes are ours, and how those in front of fields and states read.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Attribute, LitInt, Meta, Result, Token};

use super::ast::{EdgeOptions, To};
use crate::errors::{Errors, list};

/// Attributes of ironweave, wherever they may stand.
const OURS: [&str; 21] = [
    "entity",
    "states",
    "event",
    "immediate",
    "invariant",
    "key",
    "inverse",
    "edge",
    "index",
    "renamed",
    "initial",
    "terminal",
    "to",
    "create",
    "delete",
    "moves",
    "link",
    "unlink",
    "relink",
    "set",
    "when",
];

/// The rest of them (an array of its own only because `may` and `guard` are for handlers).
const OURS_FOR_CODE: [&str; 2] = ["may", "guard"];

/// Whether the attribute belongs to ironweave's syntax.
pub fn is_ours(name: &str) -> bool {
    OURS.contains(&name) || OURS_FOR_CODE.contains(&name)
}

/// An attribute of ours, taken off an item.
pub struct Ours {
    /// Its name.
    pub name: Ident,
    /// The whole attribute.
    pub attr: Attribute,
}

impl Ours {
    /// Parses what stands in the parentheses; the error goes to `errors`.
    pub fn parse<T>(
        &self,
        errors: &mut Errors,
        parser: impl FnOnce(ParseStream<'_>) -> Result<T>,
    ) -> Option<T> {
        match self.attr.parse_args_with(parser) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                errors.add(error);
                None
            }
        }
    }

    /// Reports arguments where there should be none.
    pub fn bare(&self, errors: &mut Errors) {
        if !matches!(self.attr.meta, Meta::Path(_)) {
            errors.at(
                &self.attr.meta,
                format!("`#[{}]` takes no arguments", self.name),
            );
        }
    }
}

/// Splits the attributes of an item into ours and the others, and refuses those of ours that do not
/// belong at this `place`, the ones that are not there yet, and `cfg`.
pub fn split(
    attrs: Vec<Attribute>,
    place: &str,
    allowed: &[&str],
    errors: &mut Errors,
) -> (Vec<Ours>, Vec<Attribute>) {
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for attr in attrs {
        let name = attr.path().get_ident().cloned();
        let Some(name) = name else {
            others.push(attr);
            continue;
        };
        let text = name.to_string();
        if allowed.contains(&text.as_str()) {
            ours.push(Ours { name, attr });
        } else if ["index", "renamed"].contains(&text.as_str()) {
            errors.at(&attr.meta, format!("`#[{text}]` is not supported yet"));
        } else if text == "delete" && place == "an event" {
            errors.at(&attr.meta, "`delete(..)` arcs are not supported yet");
        } else if text.starts_with("cfg") {
            errors.at(
                &attr.meta,
                format!(
                    "`#[{text}]` cannot stand on {place}: the model is the same in every build \
                     (put the whole module under it)"
                ),
            );
        } else if is_ours(&text) {
            let hint = if allowed.is_empty() {
                String::new()
            } else {
                let allowed: Vec<String> = allowed.iter().map(|a| format!("#[{a}]")).collect();
                let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
                format!("; there, ironweave knows {}", list(&allowed))
            };
            errors.at(
                &attr.meta,
                format!("`#[{text}]` does not belong on {place}{hint}"),
            );
        } else {
            others.push(attr);
        }
    }
    (ours, others)
}

/// `#[inverse(Entity::field)]`.
pub fn inverse(input: ParseStream<'_>) -> Result<(Ident, Ident)> {
    let entity = input.parse()?;
    input.parse::<Token![::]>()?;
    Ok((entity, input.parse()?))
}

/// `#[edge(min = n, max = n)]`.
pub fn edge(word: Ident, input: ParseStream<'_>) -> Result<EdgeOptions> {
    let mut options = EdgeOptions {
        word,
        min: None,
        max: None,
    };
    while !input.is_empty() {
        let name: Ident = input.parse()?;
        let text = name.to_string();
        let slot = match text.as_str() {
            "min" => &mut options.min,
            "max" => &mut options.max,
            "data" | "acyclic" | "counted" | "on_delete" => {
                return Err(syn::Error::new(
                    name.span(),
                    format!("`{text}` is not supported yet"),
                ));
            }
            _ => {
                return Err(syn::Error::new(
                    name.span(),
                    format!("`{text}` is not an option of `#[edge(..)]`: there is `min` and `max`"),
                ));
            }
        };
        if slot.is_some() {
            return Err(syn::Error::new(
                name.span(),
                format!("`{text}` is given twice"),
            ));
        }
        input.parse::<Token![=]>()?;
        *slot = Some(input.parse::<LitInt>()?.base10_parse()?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(options)
}

/// `#[to(B, verb -> C)]`.
pub fn to(input: ParseStream<'_>) -> Result<Vec<To>> {
    let entry = |input: ParseStream<'_>| {
        let first: Ident = input.parse()?;
        if input.peek(Token![->]) {
            input.parse::<Token![->]>()?;
            let target = input.parse()?;
            return Ok(To {
                verb: Some(first),
                target,
            });
        }
        Ok(To {
            verb: None,
            target: first,
        })
    };
    Ok(input
        .parse_terminated(entry, Token![,])?
        .into_iter()
        .collect())
}
