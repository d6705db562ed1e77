//! The grammar of arcs: the arguments of `create`, `moves`, `link`, `set`, `when`, `may`.

use proc_macro2::Ident;
use syn::parse::{Parse, ParseStream};
use syn::{Result, Token, braced, bracketed};

use crate::check::types::text;

use super::ast::{Arc, Assign, LinkKind, May, Path, Quantifier, Scope, Value, Whole};
use super::values::compared;

/// `root.hop.hop`.
impl Parse for Path {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let root: Ident = input.parse()?;
        if input.peek(syn::Ident) && !continues_choose(input) {
            let rest = rest(input);
            return Err(syn::Error::new(
                root.span(),
                format!(
                    "`{root}` has no meaning here, because a path selects all entities that it leads to: write `{rest}` \
                     (`each` and `those` are for `moves`; `all`, `any` and `none` for `when`)"
                ),
            ));
        }
        let mut hops = Vec::new();
        while input.peek(Token![.]) {
            input.parse::<Token![.]>()?;
            hops.push(input.parse()?);
        }
        Ok(Self { root, hops })
    }
}

/// Whether the next word is one that follows a value or a path in a `choose`.
fn continues_choose(input: ParseStream<'_>) -> bool {
    let word = input.fork().parse::<Ident>();
    word.is_ok_and(|word| {
        ["by", "of", "desc", "asc"]
            .iter()
            .any(|known| word == known)
    })
}

/// The rest of the input, formatted as source text.
fn rest(input: ParseStream<'_>) -> String {
    text(input.cursor().token_stream())
        .replace(" . ", ".")
        .replace(". ", ".")
}

impl Parse for Assign {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.parse()?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            input.parse()?
        } else if input.peek(Token![:]) {
            return Err(input.error(format!("a value is given with `=`: write `{name} = value`")));
        } else {
            Value::Field(name.clone())
        };
        Ok(Self { name, value })
    }
}

/// `{ a, b = expr }`, or nothing.
fn assigns(input: ParseStream<'_>) -> Result<Vec<Assign>> {
    if !input.peek(syn::token::Brace) {
        return Ok(Vec::new());
    }
    let content;
    braced!(content in input);
    Ok(content
        .parse_terminated(Assign::parse, Token![,])?
        .into_iter()
        .collect())
}

/// `A | B`.
pub fn states(input: ParseStream<'_>) -> Result<Vec<Ident>> {
    let mut states = vec![input.parse()?];
    while input.peek(Token![|]) {
        input.parse::<Token![|]>()?;
        states.push(input.parse()?);
    }
    Ok(states)
}

/// `create(..)`.
pub fn create(input: ParseStream<'_>) -> Result<Arc> {
    let name: Ident = input.parse()?;
    input.parse::<Token![:]>()?;
    let entity = input.parse()?;
    let values = assigns(input)?;
    let state = if input.peek(Token![in]) {
        input.parse::<Token![in]>()?;
        Some((input.parse()?, assigns(input)?))
    } else {
        None
    };
    Ok(Arc::Create {
        name,
        entity,
        values,
        state,
    })
}

/// `moves(..)`.
pub fn moves(input: ParseStream<'_>) -> Result<Arc> {
    let mut scope = Scope::Bare;
    if input.peek(syn::Ident) && input.peek2(syn::Ident) {
        let word: Ident = input.parse()?;
        scope = match word.to_string().as_str() {
            "each" => Scope::Each,
            "those" => Scope::Those,
            _ => {
                let path: Path = input.parse()?;
                if !input.peek(Token![:]) {
                    let message =
                        format!("write `:` between a path and its states: `{word}: {path}`");
                    return Err(syn::Error::new(word.span(), message));
                }
                return Err(syn::Error::new(
                    word.span(),
                    format!(
                        "`{word}` is neither `each` nor `those`: write `each {path}` (all of them must be in the source \
                         state) or `those {path}` (move the ones that are); to move one of many, bind it in a field of the event"
                    ),
                ));
            }
        };
    }
    let path = input.parse()?;
    input.parse::<Token![:]>()?;
    let from = states(input)?;
    input.parse::<Token![->]>()?;
    let to = input.parse()?;
    if input.peek(Token![|]) {
        return Err(input.error("a move has one target state: declare an event for each target"));
    }
    let data = assigns(input)?;
    Ok(Arc::Move {
        scope,
        path,
        from,
        to,
        data,
    })
}

/// `link(..)`, `unlink(..)`, `relink(..)`.
pub fn link(kind: LinkKind, input: ParseStream<'_>) -> Result<Arc> {
    let mut path: Path = input.parse()?;
    let Some(edge) = path.hops.pop() else {
        let word = kind.word();
        let root = path.root;
        return Err(syn::Error::new(
            root.span(),
            format!(
                "`{word}` names an edge: write `{word}({root}.edge {} other)`",
                kind.sign()
            ),
        ));
    };
    if kind == LinkKind::Unlink {
        input.parse::<Token![-=]>()?;
    } else {
        input.parse::<Token![+=]>()?;
    }
    let with = input.parse()?;
    let mut given = assigns(input)?.into_iter();
    let data = given.next();
    if let Some(wrong) = data
        .iter()
        .find(|d| d.name != "data")
        .or(given.as_slice().first())
    {
        let message = "a link has one value, its data: write `{ data = value }`";
        return Err(syn::Error::new(wrong.name.span(), message));
    }
    Ok(Arc::Link {
        kind,
        path,
        edge,
        with,
        data,
    })
}

/// `set(..)`.
pub fn set(input: ParseStream<'_>) -> Result<Arc> {
    let mut path: Path = input.parse()?;
    let Some(field) = path.hops.pop() else {
        let root = path.root;
        return Err(syn::Error::new(
            root.span(),
            format!(
                "`set` names an entity and its field: write `set({root}.field = value)`, or `set(name.{root} = value)`"
            ),
        ));
    };
    if input.peek(Token![+=]) || input.peek(Token![-=]) {
        let operator = if input.peek(Token![+=]) { '+' } else { '-' };
        return Err(input.error(format!(
            "`set` assigns with `=`: write `set({path}.{field} = {path}.{field} {operator} value)`. Links change by \
             `link({path}.{field} += path)`"
        )));
    }
    if input.peek(syn::token::Bracket) {
        let content;
        bracketed!(content in input);
        let with = content.parse()?;
        input.parse::<Token![=]>()?;
        let value = input.parse()?;
        return Ok(Arc::SetLink {
            path,
            edge: field,
            with,
            value,
        });
    }
    input.parse::<Token![=]>()?;
    let value = input.parse()?;
    Ok(Arc::Set { path, field, value })
}

/// `delete(..)`.
pub fn delete(input: ParseStream<'_>) -> Result<Arc> {
    Ok(Arc::Delete {
        path: input.parse()?,
    })
}

/// `when(..)`.
pub fn when(input: ParseStream<'_>) -> Result<Arc> {
    let arc = if input.peek(syn::Ident) && input.peek2(syn::Ident) {
        when_entities(input)
    } else {
        let fork = input.fork();
        if fork.parse::<Path>().is_ok() && fork.peek(Token![in]) {
            let word = input.parse()?;
            return Err(no_quantifier(&word, input));
        }
        let (left, compared) = compared(input)?;
        Ok(Arc::Compare(left, compared))
    }?;
    if !input.is_empty() {
        return Err(input.error(
            "a `when` is one condition: write another `#[when(..)]` for the next one, which must hold too, or a `#[guard(path)]`",
        ));
    }
    Ok(arc)
}

/// A `when` about the entities of a path, after its first word.
fn when_entities(input: ParseStream<'_>) -> Result<Arc> {
    let word: Ident = input.parse()?;
    let quantifier = match word.to_string().as_str() {
        "all" => Quantifier::All,
        "any" => Quantifier::Any,
        "none" => Quantifier::None,
        "count" => {
            let path = input.parse()?;
            let states = match input.parse::<Option<Token![in]>>()? {
                Some(_) => states(input)?,
                None => Vec::new(),
            };
            let compared = input.parse()?;
            return Ok(Arc::Count {
                path,
                states,
                compared,
            });
        }
        _ => return Err(no_quantifier(&word, input)),
    };
    let path = input.parse()?;
    input.parse::<Token![in]>()?;
    let states = states(input)?;
    Ok(Arc::When {
        quantifier,
        path,
        states,
    })
}

/// The error for a `when` that begins with another word than a quantifier.
fn no_quantifier(word: &Ident, input: ParseStream<'_>) -> syn::Error {
    let rest = rest(input);
    let message = if input.peek(syn::Ident) {
        format!(
            "`{word}` is not one of `all`, `any`, `none` and `count`: write `when(all {rest})`, or `when(count {rest} >= 1)`"
        )
    } else {
        let separator = if rest.starts_with('.') { "" } else { " " };
        format!(
            "a `when` about states begins with `all`, `any`, `none` or `count`: write `when(all {word}{separator}{rest})`"
        )
    };
    syn::Error::new(word.span(), message)
}

/// One entry of `may(..)`.
impl Parse for May {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let word: Ident = input.parse()?;
        if input.peek(Token![:]) {
            input.parse::<Token![:]>()?;
            let from = states(input)?;
            input.parse::<Token![->]>()?;
            let to = input.parse()?;
            return Ok(Self::Move {
                entity: word,
                from,
                to,
            });
        }
        let text = word.to_string();
        let kind = match text.as_str() {
            "link" => Some(LinkKind::Link),
            "unlink" => Some(LinkKind::Unlink),
            "relink" => Some(LinkKind::Relink),
            "set" => None,
            "create" => return Ok(Self::Whole(Whole::Create, input.parse()?)),
            "ensure" => return Ok(Self::Whole(Whole::Ensure, input.parse()?)),
            "delete" => return Ok(Self::Whole(Whole::Delete, input.parse()?)),
            _ => {
                return Err(syn::Error::new(
                    word.span(),
                    "expected `Entity: A -> B`, `create Entity`, `ensure Entity`, `delete Entity`, \
                     `link Entity.edge`, `unlink Entity.edge`, `relink Entity.edge` or `set Entity.field`",
                ));
            }
        };
        let entity = input.parse()?;
        input.parse::<Token![.]>()?;
        let name: Ident = input.parse()?;
        Ok(match kind {
            Some(kind) => Self::Link(kind, entity, name),
            None if input.peek(Token![.]) => {
                input.parse::<Token![.]>()?;
                Self::Set(entity, Some(name), input.parse()?)
            }
            None => Self::Set(entity, None, name),
        })
    }
}

/// `may(..)`: entries between commas.
pub fn mays(input: ParseStream<'_>) -> Result<Vec<May>> {
    Ok(input
        .parse_terminated(May::parse, Token![,])?
        .into_iter()
        .collect())
}

#[cfg(test)]
mod tests {
    use syn::parse::Parser as _;

    use super::*;

    #[test]
    fn a_move_has_scope_path_sources_target_and_data() {
        let arc = moves
            .parse_str("those run.builds.inputs: A | B -> C { at = meta.time, d, n = -3 }")
            .unwrap();
        let Arc::Move {
            scope,
            path,
            from,
            to,
            data,
        } = arc
        else {
            panic!("a move")
        };
        assert!(scope == Scope::Those);
        assert_eq!(path.to_string(), "run.builds.inputs");
        assert_eq!(from, ["A", "B"]);
        assert_eq!(to, "C");
        assert!(matches!(data[0].value, Value::Time));
        assert!(matches!(&data[1].value, Value::Field(f) if f == "d"));
        assert!(matches!(data[2].value, Value::Literal(Some(_), _)));
    }

    #[test]
    fn a_field_called_each_is_no_quantifier() {
        let arc = moves.parse_str("each: A -> B").unwrap();
        assert!(matches!(arc, Arc::Move { scope: Scope::Bare, path, .. } if path.root == "each"));
    }

    #[test]
    fn create_takes_fields_and_state_data() {
        let arc = create
            .parse_str("x: T { f, g = \"a\" } in S { d }")
            .unwrap();
        let Arc::Create { values, state, .. } = arc else {
            panic!("a create")
        };
        assert_eq!(values.len(), 2);
        assert_eq!(state.unwrap().1.len(), 1);
    }

    #[test]
    fn a_may_lists_several() {
        let list = mays
            .parse_str("T: A | B -> C, link T.e, unlink T.e, relink T.e, set T.f, set T.S.d, create T, ensure T, delete T")
            .unwrap();
        assert_eq!(list.len(), 9);
    }
}
