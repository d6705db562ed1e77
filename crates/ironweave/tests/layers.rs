//! The layers of the crate import one way: each one imports only the layers before it.
//!
//! The test reads every module of `src` that is compiled outside of tests and looks at each path that begins at the
//! root of the crate: `crate::graph::..`, `$crate::graph::..`, `ironweave::graph::..`, and `super::super::graph::..`
//! where that reaches the root. A path that names a re-export of the root hides the layer, so it is a violation too;
//! macros that expand in other crates (`$crate::Entity`) and the prelude have no other choice. What breaks a rule today is listed in [`EXCEPTIONS`] and [`STORE_EXCEPTIONS`]. A new
//! violation fails the test, and so does an exception that is no longer needed: delete its line.
#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};

/// The layers: each one imports only those before it. `log` is narrower, see [`imports`]. The prelude is no layer: it
/// re-exports what `lib.rs` does.
const LAYERS: [&str; 17] = [
    "base",
    "schema",
    "value",
    "graph",
    "db",
    "step",
    "log",
    "store",
    "raw_log",
    "snapshot",
    "history",
    "subscribe",
    "asynchronous",
    "project",
    "check",
    "simulate",
    "plumbing",
];

/// What a path names that begins at the root of the crate and continues with no layer, as `crate::Timestamp` does.
const ROOT: &str = "the crate root";

/// Files, each with a layer that it imports although that layer is not before its own.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// Layers that add methods to `Store`: each in one file, so that a reader finds them at once.
const STORE_LAYERS: [&str; 4] = ["snapshot", "history", "subscribe", "project"];

/// Further files of these layers that have an `impl Store`.
const STORE_EXCEPTIONS: &[&str] = &[];

/// Whether a layer may import another.
fn imports(layer: &str, other: &str) -> bool {
    let at = |name| LAYERS.iter().position(|layer| *layer == name);
    if layer == "log" {
        return ["base", "log"].contains(&other);
    }
    at(other).is_some_and(|other| Some(other) <= at(layer))
}

/// The rule that a layer keeps, for the message.
fn rule(layer: &str, other: &str) -> String {
    if other == ROOT {
        return "within the crate, name the layer instead of a re-export of the crate root".into();
    }
    let before: Vec<&str> = (LAYERS.into_iter())
        .filter(|before| *before != layer && imports(layer, before))
        .collect();
    format!("`{layer}` imports only: {}", before.join(", "))
}

/// A path of the source that begins at the root of the crate.
struct Import {
    line: usize,
    /// It stands in a macro that other crates expand: the path begins with `$crate`.
    exported: bool,
    /// Its first segment below the root; `*` for all of it.
    name: String,
}

/// What one file says.
#[derive(Default)]
struct Found {
    imports: Vec<Import>,
    /// The modules that are files of their own.
    files: Vec<Vec<String>>,
    /// The line of its first `impl<..> Store<..>`.
    impl_store: Option<usize>,
}

fn punct(token: Option<&TokenTree>, ch: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == ch)
}

fn ident(token: Option<&TokenTree>) -> Option<&Ident> {
    match token {
        Some(TokenTree::Ident(name)) => Some(name),
        _ => None,
    }
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<TokenStream> {
    match token {
        Some(TokenTree::Group(g)) if g.delimiter() == delimiter => Some(g.stream()),
        _ => None,
    }
}

/// Whether an attribute removes its item from an ordinary build: `cfg(test)`, `cfg(doctest)`, `cfg(all(test, ..))`.
fn only_in_tests(attribute: &TokenStream) -> bool {
    let text: String = (attribute.to_string().chars())
        .filter(|c| !c.is_whitespace())
        .collect();
    ["cfg(test)", "cfg(doctest)"].contains(&&*text) || text.starts_with("cfg(all(test,")
}

impl Found {
    fn in_text(text: &str, module: &[String]) -> Result<Self, String> {
        let mut found = Self::default();
        let tokens = text.parse::<TokenStream>().map_err(|e| e.to_string())?;
        found.scan(tokens, module);
        Ok(found)
    }

    /// Looks at each token of a stream that stands in a module.
    fn scan(&mut self, tokens: TokenStream, module: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let attribute = punct(Some(token), '#')
                .then(|| group(tokens.get(at + 1), Delimiter::Bracket))
                .flatten();
            if attribute.as_ref().is_some_and(only_in_tests) {
                at = after_item(&tokens, at + 2);
                continue;
            }
            match token {
                TokenTree::Group(inner) => self.scan(inner.stream(), module),
                TokenTree::Ident(word) if word == "mod" => {
                    if let Some(name) = ident(tokens.get(at + 1)) {
                        let mut below = module.to_vec();
                        below.push(name.to_string());
                        if punct(tokens.get(at + 2), ';') {
                            self.files.push(below);
                        } else if let Some(body) = group(tokens.get(at + 2), Delimiter::Brace) {
                            self.scan(body, &below);
                            at += 3;
                            continue;
                        }
                    }
                }
                TokenTree::Ident(word) if word == "impl" && is_impl_store(&tokens[at + 1..]) => {
                    self.impl_store.get_or_insert(word.span().start().line);
                }
                TokenTree::Ident(word) => {
                    // `x::ironweave` is another item, and the second `super` was read with the first.
                    let before = |back: usize| at.checked_sub(back).and_then(|at| tokens.get(at));
                    let first = !(punct(before(1), ':') && punct(before(2), ':'));
                    if let Some(next) = first.then(|| to_root(word, &tokens, at, module)).flatten()
                    {
                        let exported = punct(before(1), '$');
                        self.import(&tokens, next, exported);
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Notes what a path names whose segments below the root of the crate begin here.
    fn import(&mut self, tokens: &[TokenTree], at: usize, exported: bool) {
        if let Some(list) = group(tokens.get(at), Delimiter::Brace) {
            let list: Vec<TokenTree> = list.into_iter().collect();
            for item in list.split(|token| punct(Some(token), ',')) {
                self.import(item, 0, exported);
            }
        } else if let Some(token) = tokens.get(at)
            && (matches!(token, TokenTree::Ident(_)) || punct(Some(token), '*'))
        {
            self.imports.push(Import {
                line: token.span().start().line,
                exported,
                name: token.to_string(),
            });
        }
    }
}

/// Where the segments below the root of the crate begin, if the path that begins at `at` comes from there.
fn to_root(word: &Ident, tokens: &[TokenTree], at: usize, module: &[String]) -> Option<usize> {
    let colons = |at: usize| punct(tokens.get(at), ':') && punct(tokens.get(at + 1), ':');
    if word == "crate" || word == "ironweave" {
        return colons(at + 1).then_some(at + 3);
    }
    let mut up = 0;
    let mut next = at;
    if word == "self" && colons(at + 1) {
        next += 3;
    }
    while ident(tokens.get(next)).is_some_and(|word| word == "super") && colons(next + 1) {
        up += 1;
        next += 3;
    }
    (up > 0 && up == module.len()).then_some(next)
}

/// The position after the item, the field or the statement that begins here.
fn after_item(tokens: &[TokenTree], mut at: usize) -> usize {
    while let Some(token) = tokens.get(at) {
        at += 1;
        let end = punct(Some(token), ';') || punct(Some(token), ',');
        if end || group(Some(token), Delimiter::Brace).is_some() {
            break;
        }
    }
    at
}

/// Whether what follows an `impl` is `<..> Store<..>` and no trait.
fn is_impl_store(tokens: &[TokenTree]) -> bool {
    let end = (tokens.iter())
        .position(|token| group(Some(token), Delimiter::Brace).is_some())
        .unwrap_or(tokens.len());
    let head = &tokens[..end];
    let mut at = 0;
    if punct(head.first(), '<') {
        let mut depth = 0_usize;
        for (i, token) in head.iter().enumerate() {
            // The arrow of `Fn() -> T` closes nothing.
            let arrow = i > 0 && punct(head.get(i - 1), '-');
            if punct(Some(token), '<') {
                depth += 1;
            } else if punct(Some(token), '>') && !arrow {
                depth -= 1;
                if depth == 0 {
                    at = i + 1;
                    break;
                }
            }
        }
    }
    let path: Vec<String> = (head[at..].iter())
        .take_while(|token| !punct(Some(token), '<'))
        .filter_map(|token| ident(Some(token)).map(Ident::to_string))
        .collect();
    let of_trait = head
        .iter()
        .any(|t| ident(Some(t)).is_some_and(|w| w == "for"));
    !of_trait && path.last().is_some_and(|name| name == "Store")
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules that are compiled outside of tests, by the paths of their files below `src`.
fn modules() -> BTreeMap<String, (Vec<String>, Found)> {
    let mut modules = BTreeMap::new();
    let mut open: Vec<Vec<String>> = vec![vec![]];
    while let Some(module) = open.pop() {
        let path = module.join("/");
        let names = match module.is_empty() {
            true => vec!["lib.rs".to_owned()],
            false => vec![format!("{path}.rs"), format!("{path}/mod.rs")],
        };
        let file = names.iter().find(|name| src().join(name).exists());
        let file = file.unwrap_or_else(|| panic!("there is no file of module `{path}`"));
        let text = fs::read_to_string(src().join(file)).expect("the file can be read");
        let found = Found::in_text(&text, &module).unwrap_or_else(|e| panic!("{file}: {e}"));
        open.extend(found.files.iter().cloned());
        modules.insert(file.clone(), (module, found));
    }
    modules
}

/// The layer whose file this is: the name of its folder, or of the file itself at the top.
fn layer(module: &[String]) -> &str {
    module.first().map_or("", String::as_str)
}

#[test]
fn each_layer_imports_only_the_layers_before_it() {
    let mut needed = BTreeSet::new();
    let mut wrong = Vec::new();
    for (file, (module, found)) in &modules() {
        let layer = layer(module);
        if ["", "prelude"].contains(&layer) {
            continue;
        }
        if !LAYERS.contains(&layer) {
            wrong.push(format!("{file}: `{layer}` is no layer; add it to LAYERS"));
        }
        for import in &found.imports {
            let (line, name) = (import.line, import.name.as_str());
            let known = LAYERS.contains(&name);
            let other = if known { name } else { ROOT };
            // A macro with `#[macro_export]` is at the root and nowhere else; those of this crate begin with `__`.
            let public = import.exported || name.starts_with("__");
            if imports(layer, other) || !known && public {
                continue;
            }
            match EXCEPTIONS.iter().find(|known| **known == (file, other)) {
                Some(exception) => {
                    needed.insert(*exception);
                }
                None => wrong.push(format!(
                    "src/{file}:{line}: `crate::{name}`: {}",
                    rule(layer, other)
                )),
            }
        }
    }
    for (file, other) in EXCEPTIONS {
        if !needed.contains(&(*file, *other)) {
            wrong.push(format!(
                "the exception (\"{file}\", \"{other}\") is no longer needed; delete its line"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_layer_above_the_store_adds_methods_to_it_in_one_file() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for layer_name in STORE_LAYERS {
        let mut files = Vec::new();
        for (file, (module, found)) in &modules() {
            let Some(line) = found.impl_store.filter(|_| layer(module) == layer_name) else {
                continue;
            };
            if STORE_EXCEPTIONS.contains(&&**file) {
                needed.insert(file.clone());
            } else {
                files.push(format!("src/{file}:{line}"));
            }
        }
        if files.len() > 1 {
            wrong.push(format!(
                "`{layer_name}` has `impl Store` in {}; merge them into one file",
                files.join(", ")
            ));
        }
    }
    for file in STORE_EXCEPTIONS {
        if !needed.contains(*file) {
            wrong.push(format!(
                "the exception \"{file}\" is no longer needed; delete its line"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What the scan of a text finds in a module: `line name` of each import.
fn imported(text: &str, module: &[&str]) -> Vec<String> {
    let module: Vec<String> = module.iter().map(|&name| name.to_owned()).collect();
    let found = Found::in_text(text, &module).expect("it is Rust");
    let mut imports = found.imports;
    imports.sort_by_key(|import| import.line);
    imports
        .into_iter()
        .map(|import| format!("{} {}", import.line, import.name))
        .collect()
}

#[test]
fn the_scan_sees_every_form_of_a_path_from_the_root() {
    let text = "\
use crate::step::Core;
use crate::{
    graph::Graph,
    Timestamp,
};
fn f() -> crate::log::Seq { ironweave::store::open(a::super_thing, std::crate_thing) }
macro_rules! m { () => { $crate::plumbing::call() } }
use super::super::history::Past;
mod inner { use super::super::super::project::Fold; use super::super::Local; }
use crate::*;
pub(crate) fn g() { h(crate::value::write(&[crate::base::id::Id])) }
";
    assert_eq!(
        imported(text, &["graph", "edge"]),
        [
            "1 step",
            "3 graph",
            "4 Timestamp",
            "6 log",
            "6 store",
            "7 plumbing",
            "8 history",
            "9 project",
            "10 *",
            "11 value",
            "11 base"
        ]
    );
}

#[test]
fn the_scan_passes_over_comments_strings_and_what_only_tests_compile() {
    let text = "\
//! [`crate::store`]
// crate::store
/// [`crate::store::Store`]
pub(in crate::graph) struct S { #[cfg(test)] seen: crate::store::Seen, kept: crate::base::Id }
const TEXT: &str = \"crate::store\";
#[cfg(test)]
use crate::store::Store;
#[cfg(test)]
mod tests { use crate::store::Store; }
#[cfg(all(test, unix))]
fn f() { crate::store::open() }
#[cfg(feature = \"sqlite\")]
use crate::project::sqlite;
use super::sibling::Thing;
";
    assert_eq!(
        imported(text, &["graph", "edge"]),
        ["4 graph", "4 base", "13 project"]
    );
}

#[test]
fn the_scan_tells_an_impl_of_the_store_from_other_impls() {
    let found = |text: &str| {
        let found = Found::in_text(text, &[]).expect("it is Rust");
        found.impl_store.is_some()
    };
    assert!(found("impl<M: Model> Store<M> { fn f() {} }"));
    assert!(found(
        "impl<M, F: Fn() -> Vec<M>> crate::store::Store<M> where M: Model {}"
    ));
    assert!(!found("impl<M: Model> Reader for Store<M> {}"));
    assert!(!found("impl<M: Model> SharedStore<M> {}"));
    assert!(!found("impl<M: Model> Snapshot<Store<M>> {}"));
    assert!(!found("fn f() -> impl Fn(Store<M>) {}"));
}

#[test]
fn only_the_store_and_what_follows_it_imports_the_log() {
    let importers: Vec<&str> = (LAYERS.into_iter())
        .filter(|layer| *layer != "log" && imports(layer, "log"))
        .collect();
    assert_eq!(importers, LAYERS[7..]);
    let imported: Vec<&str> = (LAYERS.into_iter())
        .filter(|other| *other != "log" && imports("log", other))
        .collect();
    assert_eq!(imported, ["base"]);
    assert!(!imports("graph", "step") && imports("step", "graph"));
}
