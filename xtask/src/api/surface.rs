//! The public items of a crate as lines, and what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Fields, Generics, ImplItem, Item, Visibility};

use super::render;
use super::resolve::{Def, Public};
use super::source::{
    Conditions, Source, attributes, conditions_of, has_attribute, is_for_tests, is_hidden,
};

/// What a crate promises, and where it breaks the rules for it.
#[derive(Debug, Default)]
pub struct Surface {
    /// A line for each item: its path, two spaces, its signature.
    pub lines: BTreeSet<String>,
    /// Public types without `Debug`, by path.
    pub without_debug: BTreeSet<String>,
    /// Signatures that name an item which users cannot reach: the path of the signature, then the name.
    pub hidden_in_signature: BTreeSet<String>,
}

/// Lists a crate; `others` are the other crates of the workspace.
pub fn list(source: &Source, others: &[String]) -> Surface {
    let mut lister = Lister {
        source,
        others,
        public: source.public(others),
        surface: Surface::default(),
        shown: BTreeSet::new(),
    };
    lister.modules();
    lister.items();
    lister.impls();
    let all = lister.public.items.clone();
    for (def, paths) in all {
        let is_type = matches!(
            source.modules[def.0].items[def.1].item,
            Item::Struct(_) | Item::Enum(_) | Item::Union(_)
        );
        if is_type && !lister.shown.contains(&def) {
            lister.surface.without_debug.insert(paths[0].0.clone());
        }
    }
    lister.surface
}

struct Lister<'s> {
    source: &'s Source,
    others: &'s [String],
    public: Public,
    surface: Surface,
    /// Types that have `Debug`.
    shown: BTreeSet<(usize, usize)>,
}

impl Lister<'_> {
    fn line(&mut self, path: &str, signature: &str, conditions: &Conditions) {
        let mut line = format!("{path}  {signature}");
        for condition in conditions {
            line.push_str(&format!("  #[cfg({condition})]"));
        }
        self.surface.lines.insert(line);
    }

    fn modules(&mut self) {
        for paths in self.public.modules.clone().into_values() {
            let named = paths.iter().filter(|(path, _)| path.contains("::"));
            for (path, conditions) in named {
                self.line(path, "mod", conditions);
            }
        }
        for ((path, conditions), target) in std::mem::take(&mut self.public.foreign) {
            self.line(&path, &format!("use {target}"), &conditions);
        }
    }

    fn items(&mut self) {
        for ((module, i), paths) in self.public.items.clone() {
            let (path, conditions) = &paths[0];
            for (alias, conditions) in &paths[1..] {
                self.line(alias, &format!("use {path}"), conditions);
            }
            let item = &self.source.modules[module].items[i].item;
            self.item((module, i), item, path, conditions);
        }
    }

    fn item(&mut self, def: (usize, usize), item: &Item, path: &str, conditions: &Conditions) {
        let module = def.0;
        let mut text = render::item(item);
        let name = &self.source.modules[def.0].items[def.1].name;
        match item {
            Item::Struct(i) => {
                let open = i
                    .fields
                    .iter()
                    .any(|field| !is_shown(&field.vis, &field.attrs));
                if open {
                    text.push_str(" { .. }");
                }
                self.generics(module, path, &[], &i.generics);
                self.fields(module, path, &i.fields, &i.generics, conditions);
            }
            Item::Union(i) => {
                let fields = Fields::Named(i.fields.clone());
                self.fields(module, path, &fields, &i.generics, conditions);
            }
            Item::Enum(i) => {
                self.generics(module, path, &[], &i.generics);
                for variant in i.variants.iter().filter(|v| !is_hidden(&v.attrs)) {
                    let path = format!("{path}::{}", variant.ident);
                    let own = with(conditions, &variant.attrs);
                    let rendered = format!("variant {}", render::variant(variant));
                    self.line(&path, &prefixed(&rendered, &variant.attrs), &own);
                    let tokens = variant.fields.to_token_stream();
                    self.names(module, &path, &[&i.generics], tokens);
                }
            }
            Item::Trait(i) => {
                self.generics(module, path, &[], &i.generics);
                let supertraits = i.supertraits.to_token_stream();
                self.names(module, path, &[&i.generics], supertraits);
                for member in &i.items {
                    let (attrs, generics, tokens) = match member {
                        syn::TraitItem::Fn(f) => {
                            (&f.attrs, Some(&f.sig.generics), f.sig.to_token_stream())
                        }
                        syn::TraitItem::Const(c) => (&c.attrs, None, c.ty.to_token_stream()),
                        syn::TraitItem::Type(t) => {
                            (&t.attrs, Some(&t.generics), t.bounds.to_token_stream())
                        }
                        _ => continue,
                    };
                    let rendered = render::member(member);
                    if let Some((name, text)) = rendered.filter(|_| !is_hidden(attrs)) {
                        let path = format!("{path}::{name}");
                        self.line(&path, &text, &with(conditions, attrs));
                        let around: Vec<_> = generics.into_iter().chain([&i.generics]).collect();
                        self.names(module, &path, &around, tokens);
                    }
                }
            }
            Item::Fn(i) => self.names(module, path, &[&i.sig.generics], i.sig.to_token_stream()),
            Item::Const(i) => self.names(module, path, &[], i.ty.to_token_stream()),
            Item::Type(i) => self.names(module, path, &[&i.generics], i.ty.to_token_stream()),
            _ => {}
        }
        // A name that was changed on the way.
        let renamed = path.rsplit("::").next().filter(|last| last != name);
        if let Some(renamed) = renamed {
            text = text.replacen(name.as_str(), renamed, 1);
        }
        let attrs = attributes(item);
        self.line(path, &prefixed(&text, attrs), conditions);
        for derived in derives(attrs) {
            if derived == "Debug" {
                self.shown.insert(def);
            }
            self.line(path, &format!("impl {derived} for {name}"), conditions);
        }
    }

    fn fields(
        &mut self,
        module: usize,
        path: &str,
        fields: &Fields,
        generics: &Generics,
        conditions: &Conditions,
    ) {
        for (i, field) in fields.iter().enumerate() {
            if !is_shown(&field.vis, &field.attrs) {
                continue;
            }
            let name = field
                .ident
                .as_ref()
                .map_or(i.to_string(), ToString::to_string);
            let path = format!("{path}::{name}");
            let text = format!("field {name}: {}", render::ty(&field.ty));
            self.line(&path, &text, &with(conditions, &field.attrs));
            self.names(module, &path, &[generics], field.ty.to_token_stream());
        }
    }

    fn impls(&mut self) {
        for (module, scope) in self.source.modules.iter().enumerate() {
            for (block, conditions) in &scope.impls {
                if is_hidden(&block.attrs) {
                    continue;
                }
                match &block.trait_ {
                    None => self.inherent(module, block, conditions),
                    Some((name, _)) => self.of_trait(module, block, name, conditions),
                }
            }
        }
    }

    /// The type that a block is of, where it is one of this crate.
    fn local(&self, module: usize, ty: &syn::Type) -> Option<(usize, usize)> {
        let syn::Type::Path(path) = ty else {
            return None;
        };
        match self
            .source
            .resolve(module, &segments(&path.path), self.others)?
        {
            Def::Item(module, item) => Some((module, item)),
            _ => None,
        }
    }

    fn inherent(&mut self, module: usize, block: &syn::ItemImpl, conditions: &Conditions) {
        let paths = self
            .local(module, &block.self_ty)
            .and_then(|def| self.public.items.get(&def));
        let Some((owner, around)) = paths.map(|paths| paths[0].clone()) else {
            return;
        };
        let around: Conditions = around.union(conditions).cloned().collect();
        for item in &block.items {
            let (vis, attrs, name, text, generics, tokens) = match item {
                ImplItem::Fn(f) => (
                    &f.vis,
                    &f.attrs,
                    &f.sig.ident,
                    render::function(&f.sig),
                    Some(&f.sig.generics),
                    f.sig.to_token_stream(),
                ),
                ImplItem::Const(c) => (
                    &c.vis,
                    &c.attrs,
                    &c.ident,
                    format!("const {}: {}", c.ident, render::ty(&c.ty)),
                    None,
                    c.ty.to_token_stream(),
                ),
                _ => continue,
            };
            if !is_shown(vis, attrs) || is_for_tests(attrs) {
                continue;
            }
            let path = format!("{owner}::{name}");
            self.line(&path, &text, &with(&around, attrs));
            let scope: Vec<_> = generics.into_iter().chain([&block.generics]).collect();
            self.names(module, &path, &scope, tokens);
            self.generics(module, &path, &scope, &block.generics);
        }
    }

    fn of_trait(
        &mut self,
        module: usize,
        block: &syn::ItemImpl,
        name: &syn::Path,
        conditions: &Conditions,
    ) {
        let of = self.local(module, &block.self_ty);
        let implemented = match self.source.resolve(module, &segments(name), self.others) {
            Some(Def::Item(module, item)) => Some((module, item)),
            _ => None,
        };
        let is_debug = name
            .segments
            .last()
            .is_some_and(|last| last.ident == "Debug");
        if let Some(def) = of.filter(|_| is_debug && implemented.is_none()) {
            self.shown.insert(def);
        }
        let is_public = |def: &(usize, usize)| self.public.items.contains_key(def);
        let mut anchors = of.into_iter().chain(implemented);
        if !anchors.clone().all(|def| is_public(&def)) {
            return;
        }
        let Some(anchor) = anchors.next().or_else(|| {
            // `impl From<Ours> for Foreign`.
            let named = self.named_in(module, &[&block.generics], name.to_token_stream());
            named.into_iter().map(|(_, def)| def).find(is_public)
        }) else {
            return;
        };
        // As rustdoc does: `impl From<Hidden> for Public` is of no use to those who cannot name `Hidden`.
        let arguments = self.named_in(module, &[&block.generics], name.to_token_stream());
        if !arguments
            .iter()
            .all(|(_, def)| self.public.items.contains_key(def))
        {
            return;
        }
        let (path, around) = self.public.items[&anchor][0].clone();
        let around: Conditions = around.union(conditions).cloned().collect();
        self.line(&path, &render::implementation(block), &around);
        let scope = [&block.generics];
        let what = format!("{path} as {}", render_path(name));
        self.names(module, &what, &scope, block.self_ty.to_token_stream());
        self.generics(module, &what, &scope, &block.generics);
        for item in &block.items {
            if let ImplItem::Type(item) = item
                && !is_hidden(&item.attrs)
            {
                self.names(module, &what, &scope, item.ty.to_token_stream());
            }
        }
    }

    fn generics(&mut self, module: usize, path: &str, around: &[&Generics], generics: &Generics) {
        let scope: Vec<_> = around.iter().copied().chain([generics]).collect();
        let mut tokens = generics.params.to_token_stream();
        tokens.extend(generics.where_clause.to_token_stream());
        self.names(module, path, &scope, tokens);
    }

    /// Notes each name in a signature that is of this crate and that users cannot reach.
    fn names(&mut self, module: usize, path: &str, scope: &[&Generics], tokens: TokenStream) {
        for (name, def) in self.named_in(module, scope, tokens) {
            if !self.public.items.contains_key(&def) {
                let found = format!("{path}  {name}");
                self.surface.hidden_in_signature.insert(found);
            }
        }
    }

    /// The items of this crate that tokens name.
    fn named_in(
        &self,
        module: usize,
        scope: &[&Generics],
        tokens: TokenStream,
    ) -> Vec<(String, (usize, usize))> {
        let generic: BTreeSet<String> = scope
            .iter()
            .flat_map(|generics| generics.type_params().map(|param| param.ident.to_string()))
            .collect();
        let mut found = Vec::new();
        for path in paths_in(tokens) {
            let (Some(first), Some(last)) = (path.first(), path.last()) else {
                continue;
            };
            // Names of arguments and of lifetimes are in lower case.
            let is_type = last.starts_with(char::is_uppercase);
            if !is_type || first == "Self" || generic.contains(first) {
                continue;
            }
            if let Some(Def::Item(module, item)) = self.source.resolve(module, &path, self.others) {
                found.push((path.join("::"), (module, item)));
            }
        }
        found
    }
}

fn is_shown(vis: &Visibility, attrs: &[Attribute]) -> bool {
    matches!(vis, Visibility::Public(_)) && !is_hidden(attrs)
}

fn with(conditions: &Conditions, attrs: &[Attribute]) -> Conditions {
    conditions
        .iter()
        .cloned()
        .chain(conditions_of(attrs))
        .collect()
}

/// With what an attribute adds to the promise.
fn prefixed(text: &str, attrs: &[Attribute]) -> String {
    if has_attribute(attrs, "non_exhaustive") {
        format!("#[non_exhaustive] {text}")
    } else {
        text.to_owned()
    }
}

fn segments(path: &syn::Path) -> Vec<String> {
    path.segments.iter().map(|s| s.ident.to_string()).collect()
}

fn render_path(path: &syn::Path) -> String {
    segments(path).join("::")
}

fn derives(attrs: &[Attribute]) -> BTreeSet<String> {
    let mut derived = BTreeSet::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("derive")) {
        if let Ok(list) = attr.meta.require_list() {
            let paths = paths_in(list.tokens.clone());
            derived.extend(paths.into_iter().filter_map(|path| path.last().cloned()));
        }
    }
    derived
}

/// The paths that tokens consist of: `a::b`, without generic arguments, which are paths of their own.
fn paths_in(tokens: TokenStream) -> Vec<Vec<String>> {
    let mut paths: Vec<Vec<String>> = Vec::new();
    let (mut colons, mut joins, mut is_lifetime) = (0, false, false);
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => {
                paths.extend(paths_in(group.stream()));
                (colons, joins) = (0, false);
            }
            TokenTree::Ident(name) => {
                let is_binding =
                    matches!(tokens.peek(), Some(TokenTree::Punct(p)) if p.as_char() == '=');
                if is_lifetime || is_binding {
                    (colons, joins) = (0, false);
                } else if colons == 2 && joins {
                    if let Some(last) = paths.last_mut() {
                        last.push(name.to_string());
                    }
                    colons = 0;
                } else if colons == 2 {
                    // `<T as Trait>::Name` or `::krate`: nothing of ours.
                    (colons, joins) = (0, false);
                } else {
                    paths.push(vec![name.to_string()]);
                    (colons, joins) = (0, true);
                }
                is_lifetime = false;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                colons += 1;
                is_lifetime = false;
            }
            TokenTree::Punct(punct) => {
                (colons, joins) = (0, false);
                is_lifetime = punct.as_char() == '\'';
            }
            TokenTree::Literal(_) => (colons, joins) = (0, false),
        }
    }
    paths
}

/// All lines of several crates, as they stand in a file.
pub fn text(crates: &BTreeMap<String, (String, BTreeSet<String>)>) -> String {
    let mut text = String::new();
    for (name, (version, lines)) in crates {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("# {name} {version}\n"));
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}
