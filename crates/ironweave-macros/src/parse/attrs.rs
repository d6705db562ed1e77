//! The attributes of ironweave, and the grammar of those on fields and states.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitInt, LitStr, Meta, Result, Token};

use super::ast::{Default, Due, EdgeOptions, OnDelete, To, Upcast};
use super::serde::is_derived;
use crate::check::types::text;
use crate::errors::{Errors, did_you_mean, list, nearest};

/// Attributes of ironweave, on any kind of item.
const OURS: [&str; 25] = [
    "entity",
    "states",
    "event",
    "immediate",
    "invariant",
    "key",
    "inverse",
    "edge",
    "index",
    "default",
    "renamed",
    "upcast",
    "initial",
    "terminal",
    "to",
    "create",
    "choose",
    "delete",
    "moves",
    "link",
    "unlink",
    "relink",
    "set",
    "when",
    "due",
];

/// The attributes that concern handlers and guards.
const OURS_FOR_CODE: [&str; 2] = ["may", "guard"];

/// Whether the attribute belongs to ironweave's syntax.
pub fn is_ours(name: &str) -> bool {
    OURS.contains(&name) || OURS_FOR_CODE.contains(&name)
}

/// Attributes of rustc and serde, which are never reported as misspelt ones of ours.
const NOT_OURS: [&str; 19] = [
    "allow",
    "cfg",
    "cfg_attr",
    "cold",
    "deny",
    "deprecated",
    "derive",
    "doc",
    "expect",
    "forbid",
    "ignore",
    "inline",
    "must_use",
    "non_exhaustive",
    "repr",
    "serde",
    "test",
    "used",
    "warn",
];

/// Reports misspelt attributes of ours, and replaces each by the allowed one that was meant.
pub fn respell(attrs: &mut [Attribute], allowed: &[&str], errors: &mut Errors) {
    for attr in attrs {
        let Some(name) = attr.path().get_ident() else {
            continue;
        };
        let text = name.to_string();
        if is_ours(&text) || NOT_OURS.contains(&text.as_str()) {
            continue;
        }
        if let Some(meant) = nearest(&text, allowed.iter().copied()) {
            errors.at(
                name,
                format!("there is no attribute `{text}`: did you mean `#[{meant}]`?"),
            );
            let meant = Ident::new(meant, name.span());
            match &mut attr.meta {
                Meta::Path(path) => *path = meant.into(),
                Meta::List(list) => list.path = meant.into(),
                Meta::NameValue(value) => value.path = meant.into(),
            }
        }
    }
}

/// An attribute of ours, removed from its item.
pub struct Ours {
    /// Its name.
    pub name: Ident,
    /// The whole attribute.
    pub attr: Attribute,
}

/// The grammar of each attribute that takes arguments, for messages.
const SHAPES: [(&str, &str); 22] = [
    (
        "index",
        "ordered, fields = [field, State.item], while = State | State, name = name",
    ),
    (
        "edge",
        "min = 1, max = 20, counted, on_delete = cascade, data = Type, acyclic",
    ),
    ("default", "value"),
    ("renamed", "from = \"former_name\""),
    (
        "upcast",
        "from = \"LoggedEvent\", with = path::of::function",
    ),
    ("states", "Entity"),
    ("inverse", "Entity::edge"),
    ("to", "State, verb -> State"),
    ("invariant", "Entity, via = [edge], path::of::function"),
    (
        "create",
        "name: Entity { field, field = value } in State { data }",
    ),
    (
        "choose",
        "name: path in State | State where field == value by field",
    ),
    ("immediate", "by = name.field desc"),
    ("delete", "path"),
    (
        "moves",
        "path: State | State -> State { data, data = value }",
    ),
    ("link", "path.edge += path"),
    ("unlink", "path.edge -= path"),
    ("relink", "path.edge += path"),
    ("set", "path.field = value"),
    ("when", "all path in State | State"),
    ("due", "entity.field"),
    ("may", "Entity: State -> State, set Entity.field"),
    ("guard", "path::of::function"),
];

impl Ours {
    /// Parses the arguments; the error goes to `errors`.
    pub fn parse<T>(
        &self,
        errors: &mut Errors,
        parser: impl FnOnce(ParseStream<'_>) -> Result<T>,
    ) -> Option<T> {
        let result = self.attr.parse_args_with(parser);
        errors.take(result.map_err(|error| self.with_shape(error)))
    }

    /// Adds the grammar of the attribute to an error of syn, which names only tokens.
    fn with_shape(&self, error: syn::Error) -> syn::Error {
        let text = error.to_string();
        let shape = SHAPES.iter().find(|(name, _)| self.name == name);
        match shape {
            Some((name, shape))
                if text.starts_with("expected") || text.starts_with("unexpected") =>
            {
                let message = format!("{text}: write `#[{name}({shape})]`");
                syn::Error::new(error.span(), message)
            }
            _ => error,
        }
    }

    /// The attribute on one line, as the user wrote it; `None` if it has no arguments.
    pub fn written(&self) -> Option<String> {
        let Meta::List(list) = &self.attr.meta else {
            return None;
        };
        let source = list.delimiter.span().join().source_text();
        let arguments = source.unwrap_or_else(|| format!("({})", text(&list.tokens)));
        let words: Vec<&str> = arguments.split_whitespace().collect();
        Some(format!("#[{}{}]", self.name, words.join(" ")))
    }

    /// Whether it has no arguments.
    pub fn is_bare(&self) -> bool {
        matches!(self.attr.meta, Meta::Path(_))
    }

    /// Reports arguments of an attribute that takes none.
    pub fn bare(&self, errors: &mut Errors) {
        if !self.is_bare() {
            errors.at(
                &self.attr.meta,
                format!("`#[{}]` takes no arguments", self.name),
            );
        }
    }
}

/// Attributes that may occur only once on an item.
const ONCE: [&str; 13] = [
    "entity",
    "states",
    "event",
    "immediate",
    "invariant",
    "key",
    "inverse",
    "edge",
    "index",
    "default",
    "initial",
    "terminal",
    "due",
];

/// Whether no derive of serde applies to items of this kind, unless the user writes one.
fn serde_means_nothing(place: &str) -> bool {
    [
        "an entity",
        "a field of an entity",
        "state data",
        "an event",
        "a states enum",
        "an invariant",
    ]
    .contains(&place)
}

/// Splits the attributes of an item into ours and the others, and refuses those of ours that do not
/// belong at this `place`, those that are not implemented yet, and `cfg`.
pub fn split(
    mut attrs: Vec<Attribute>,
    place: &str,
    allowed: &[&str],
    errors: &mut Errors,
) -> (Vec<Ours>, Vec<Attribute>) {
    respell(&mut attrs, allowed, errors);
    let derived = is_derived(&attrs);
    let (mut ours, mut others) = (Vec::new(), Vec::new());
    for attr in attrs {
        let name = attr.path().get_ident().cloned();
        let Some(name) = name else {
            others.push(attr);
            continue;
        };
        let text = name.to_string();
        if allowed.contains(&text.as_str()) {
            let once = ONCE.contains(&text.as_str()) && (place, &*text) != ("an entity", "index");
            if once && ours.iter().any(|first: &Ours| first.name == name) {
                errors.at(
                    &attr.meta,
                    format!("`#[{text}]` occurs twice on {place}: remove one"),
                );
                continue;
            }
            ours.push(Ours { name, attr });
        } else if text == "serde" && serde_means_nothing(place) && !derived {
            let instead = match place {
                "an event" => "write it on the fields, which take `default`, `rename` and `alias`",
                _ => {
                    "the type of a value determines how it is serialized, and `#[default]` gives the value of an omitted field"
                }
            };
            errors.at(
                &attr.meta,
                format!("`#[serde(..)]` has no effect on {place}: {instead}"),
            );
        } else if text.starts_with("cfg") {
            errors.at(
                &attr.meta,
                format!(
                    "`#[{text}]` is not allowed on {place}: a model is the same in every build \
                     (put the attribute on the whole module)"
                ),
            );
        } else if is_ours(&text) {
            let hint = if allowed.is_empty() {
                String::new()
            } else {
                let allowed: Vec<String> = allowed.iter().map(|a| format!("#[{a}]")).collect();
                let allowed: Vec<&str> = allowed.iter().map(String::as_str).collect();
                format!(", which takes {}", list(&allowed))
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

/// `#[default]` or `#[default(value)]`.
pub fn default(mark: &Ours) -> Result<Default> {
    let value = match &mark.attr.meta {
        Meta::Path(_) => None,
        _ => Some(mark.attr.parse_args()?),
    };
    Ok(Default {
        word: mark.name.clone(),
        value,
    })
}

/// The former names of an item, by `#[renamed(from = "name", from = "name")]`. An attribute that cannot be read is reported and left out.
pub fn renamed(marks: &[Ours], errors: &mut Errors) -> Vec<LitStr> {
    let one = |input: ParseStream<'_>| {
        let word: Ident = input.parse()?;
        if word != "from" {
            let message = format!("expected `from`, and found `{word}`");
            return Err(syn::Error::new(word.span(), message));
        }
        input.parse::<Token![=]>()?;
        let name: LitStr = input.parse()?;
        // The name in the schema, which of `r#type` is `type`.
        let text = name.value();
        if text.starts_with("r#") || Ident::parse_any.parse_str(&text).is_err() {
            let message = format!("`{text}` is not a name that an item could have had");
            return Err(syn::Error::new(name.span(), message));
        }
        Ok(name)
    };
    let marks = marks.iter().filter(|mark| mark.name == "renamed");
    let all = |input: ParseStream<'_>| {
        let names = Punctuated::<LitStr, Token![,]>::parse_separated_nonempty_with(input, one)?;
        Ok(names.into_iter())
    };
    marks
        .filter_map(|mark| mark.parse(errors, all))
        .flatten()
        .collect()
}

/// `#[upcast(from = "LoggedEvent", with = path::of::function)]`.
pub fn upcast(input: ParseStream<'_>) -> Result<Upcast> {
    let word = |wanted: &str| -> Result<()> {
        let word: Ident = input.parse()?;
        if word != wanted {
            let message = format!("expected `{wanted}`, and found `{word}`");
            return Err(syn::Error::new(word.span(), message));
        }
        input.parse::<Token![=]>()?;
        Ok(())
    };
    word("from")?;
    let from: LitStr = input.parse()?;
    input.parse::<Token![,]>()?;
    word("with")?;
    let with = input.parse()?;
    input.parse::<Option<Token![,]>>()?;
    Ok(Upcast { from, with })
}

/// The options of `#[edge(..)]`.
const EDGE_OPTIONS: [&str; 6] = ["data", "acyclic", "min", "max", "counted", "on_delete"];

/// `#[edge(data = T, acyclic, min = n, max = n, counted, on_delete = policy)]`.
pub fn edge(word: Ident, input: ParseStream<'_>) -> Result<EdgeOptions> {
    let mut options = EdgeOptions {
        word,
        bounds: None,
        min: None,
        max: None,
        data: None,
        acyclic: None,
        counted: None,
        on_delete: None,
    };
    let mut seen: Vec<String> = Vec::new();
    while !input.is_empty() {
        let name: Ident = input.parse()?;
        let text = name.to_string();
        if seen.contains(&text) {
            let message = format!("`{text}` is given twice");
            return Err(syn::Error::new(name.span(), message));
        }
        if !["acyclic", "counted"].contains(&text.as_str()) && EDGE_OPTIONS.contains(&text.as_str())
        {
            input.parse::<Token![=]>()?;
        }
        match text.as_str() {
            "min" | "max" => {
                let number = Some(input.parse::<LitInt>()?.base10_parse()?);
                if text == "min" {
                    options.min = number;
                } else {
                    options.max = number;
                }
                options.bounds.get_or_insert(name);
            }
            "data" => options.data = Some((name, input.parse()?)),
            "acyclic" => options.acyclic = Some(name),
            "counted" => options.counted = Some(name),
            "on_delete" => options.on_delete = Some(on_delete(input)?),
            _ => {
                let hint = did_you_mean(&text, EDGE_OPTIONS);
                let message = format!("`{text}` is not an option of `#[edge(..)]`{hint}");
                return Err(syn::Error::new(name.span(), message));
            }
        }
        seen.push(text);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(options)
}

fn on_delete(input: ParseStream<'_>) -> Result<OnDelete> {
    let policy: Ident = input.parse()?;
    match policy.to_string().as_str() {
        "unlink" => Ok(OnDelete::Unlink),
        "restrict" => Ok(OnDelete::Restrict),
        "cascade" => Ok(OnDelete::Cascade),
        text => {
            let hint = did_you_mean(text, ["unlink", "restrict", "cascade"]);
            let message = format!("`{text}` is not a policy of `on_delete`{hint}");
            Err(syn::Error::new(policy.span(), message))
        }
    }
}

/// `#[due(entity.field)]` or `#[due(entity.State.field)]`.
pub fn due(input: ParseStream<'_>) -> Result<Due> {
    let name = input.parse()?;
    input.parse::<Token![.]>()?;
    let first = input.parse()?;
    if input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        return Ok(Due {
            name,
            state: Some(first),
            field: input.parse()?,
        });
    }
    Ok(Due {
        name,
        state: None,
        field: first,
    })
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
