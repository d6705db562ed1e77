//! Expands the macros that a crate writes items with, so that these are listed too.
//!
//! This covers what `macro_rules!` of such a kind use: fragments, repetitions and literal tokens.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream, Parser};

/// The rules of a macro: patterns and what they become.
#[derive(Debug)]
pub struct Rules(Vec<(TokenStream, TokenStream)>);

/// What a pattern binds.
type Bindings = BTreeMap<String, Bound>;

#[derive(Clone, Debug)]
enum Bound {
    Once(TokenStream),
    /// One set of bindings for each repetition.
    Repeated(Vec<Bindings>),
}

/// A piece of a pattern or of a result.
enum Piece {
    /// `$name` or `$name:fragment`.
    Variable(String, String),
    /// `$( .. ) separator operator`.
    Repetition(TokenStream, Option<TokenTree>),
    Token(TokenTree),
}

impl Rules {
    /// Reads the rules.
    pub fn parse(tokens: TokenStream) -> Result<Self> {
        let mut rules = Vec::new();
        let mut tokens = tokens.into_iter();
        while let Some(pattern) = tokens.next() {
            let arrow = [tokens.next(), tokens.next()];
            let result = tokens.next();
            let (TokenTree::Group(pattern), Some(TokenTree::Group(result)), [Some(_), Some(_)]) =
                (pattern, result, arrow)
            else {
                bail!("a rule is `(pattern) => {{ result }}`");
            };
            rules.push((pattern.stream(), result.stream()));
            // The semicolon.
            tokens.next();
        }
        Ok(Self(rules))
    }

    /// What a call becomes, by the first rule that matches.
    pub fn expand(&self, input: TokenStream) -> Result<TokenStream> {
        for (pattern, result) in &self.0 {
            let mut bindings = Bindings::new();
            if let Some(rest) = matched(pattern, input.clone(), &mut bindings)
                && rest.is_empty()
            {
                return Ok(transcribed(result, &bindings));
            }
        }
        bail!("no rule matches `{input}`");
    }
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Splits a pattern or a result.
fn pieces(tokens: &TokenStream, is_pattern: bool) -> Vec<Piece> {
    let mut tokens = tokens.clone().into_iter().peekable();
    let mut pieces = Vec::new();
    while let Some(token) = tokens.next() {
        if !is_punct(&token, '$') {
            pieces.push(Piece::Token(token));
            continue;
        }
        match tokens.next() {
            Some(TokenTree::Group(group)) => {
                let operator =
                    |token: &TokenTree| ['*', '+', '?'].iter().any(|c| is_punct(token, *c));
                let first = tokens.next();
                let separator = first.filter(|token| !operator(token));
                if separator.is_some() {
                    tokens.next();
                }
                pieces.push(Piece::Repetition(group.stream(), separator));
            }
            Some(TokenTree::Ident(name)) => {
                let mut fragment = String::new();
                if is_pattern && tokens.next_if(|token| is_punct(token, ':')).is_some() {
                    fragment = tokens.next().map(|t| t.to_string()).unwrap_or_default();
                }
                pieces.push(Piece::Variable(name.to_string(), fragment));
            }
            _ => {}
        }
    }
    pieces
}

/// Matches the beginning of the input; gives the rest.
fn matched(
    pattern: &TokenStream,
    mut input: TokenStream,
    bindings: &mut Bindings,
) -> Option<TokenStream> {
    for piece in pieces(pattern, true) {
        match piece {
            Piece::Token(TokenTree::Group(group)) => {
                let (token, rest) = first(input)?;
                let TokenTree::Group(given) = token else {
                    return None;
                };
                if given.delimiter() != group.delimiter() {
                    return None;
                }
                let inner = matched(&group.stream(), given.stream(), bindings)?;
                if !inner.is_empty() {
                    return None;
                }
                input = rest;
            }
            Piece::Token(wanted) => {
                let (token, rest) = first(input)?;
                if token.to_string() != wanted.to_string() {
                    return None;
                }
                input = rest;
            }
            Piece::Variable(name, fragment) => {
                let (tokens, rest) = parsed(&fragment, input)?;
                bindings.insert(name, Bound::Once(tokens));
                input = rest;
            }
            Piece::Repetition(body, separator) => {
                let mut rounds = Vec::new();
                loop {
                    let mut candidate = input.clone();
                    if let Some(separator) = &separator
                        && !rounds.is_empty()
                    {
                        match first(candidate) {
                            Some((token, rest)) if token.to_string() == separator.to_string() => {
                                candidate = rest;
                            }
                            _ => break,
                        }
                    }
                    if candidate.is_empty() {
                        break;
                    }
                    let mut round = Bindings::new();
                    match matched(&body, candidate, &mut round) {
                        Some(rest) => input = rest,
                        None => break,
                    }
                    rounds.push(round);
                }
                for name in names(&body) {
                    bindings.insert(name, Bound::Repeated(rounds.clone()));
                }
            }
        }
    }
    Some(input)
}

fn first(input: TokenStream) -> Option<(TokenTree, TokenStream)> {
    let mut tokens = input.into_iter();
    let token = tokens.next()?;
    Some((token, tokens.collect()))
}

/// Parses a fragment from the beginning of the input; gives it and the rest.
fn parsed(fragment: &str, input: TokenStream) -> Option<(TokenStream, TokenStream)> {
    fn with<T: Parse + ToTokens>(input: TokenStream) -> Option<(TokenStream, TokenStream)> {
        let parser = |stream: ParseStream<'_>| {
            let parsed: T = stream.parse()?;
            Ok((parsed.into_token_stream(), stream.parse()?))
        };
        parser.parse2(input).ok()
    }
    match fragment {
        "ident" => with::<Ident>(input),
        "ty" => with::<syn::Type>(input),
        "path" => with::<syn::Path>(input),
        "expr" => with::<syn::Expr>(input),
        "literal" => with::<syn::Lit>(input),
        "lifetime" => with::<syn::Lifetime>(input),
        "meta" => with::<syn::Meta>(input),
        "vis" => with::<syn::Visibility>(input),
        "block" => with::<syn::Block>(input),
        "item" => with::<syn::Item>(input),
        "tt" => first(input).map(|(token, rest)| (token.into(), rest)),
        _ => None,
    }
}

/// The variables in a pattern or in a result.
fn names(tokens: &TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    for piece in pieces(tokens, true) {
        match piece {
            Piece::Variable(name, _) => found.push(name),
            Piece::Repetition(body, _) => found.extend(names(&body)),
            Piece::Token(TokenTree::Group(group)) => found.extend(names(&group.stream())),
            Piece::Token(_) => {}
        }
    }
    found
}

fn transcribed(result: &TokenStream, bindings: &Bindings) -> TokenStream {
    let mut out = TokenStream::new();
    for piece in pieces(result, false) {
        match piece {
            Piece::Variable(name, _) => match bindings.get(&name) {
                Some(Bound::Once(tokens)) => out.extend(tokens.clone()),
                // `$crate`.
                _ => out.extend([TokenTree::Ident(Ident::new("crate", Span::call_site()))]),
            },
            Piece::Repetition(body, separator) => {
                let rounds = names(&body)
                    .into_iter()
                    .find_map(|name| match bindings.get(&name) {
                        Some(Bound::Repeated(rounds)) => Some(rounds.clone()),
                        _ => None,
                    });
                for (i, round) in rounds.unwrap_or_default().into_iter().enumerate() {
                    if i > 0 {
                        out.extend(separator.clone());
                    }
                    let mut all = bindings.clone();
                    all.extend(round);
                    out.extend(transcribed(&body, &all));
                }
            }
            Piece::Token(TokenTree::Group(group)) => {
                let inner = transcribed(&group.stream(), bindings);
                out.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
            }
            Piece::Token(token) => out.extend([token]),
        }
    }
    out
}
