//! Items as one line of Rust, without what does not belong to a signature: bodies, attributes, documentation.

use quote::ToTokens;
use syn::{Fields, Item, Visibility, parse_quote};

/// One line, as rustfmt would space it.
fn line(item: Item) -> String {
    let text = prettyplease::unparse(&syn::File {
        shebang: None,
        attrs: Vec::new(),
        items: vec![item],
        frontmatter: None,
    });
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // Where a list was broken into lines.
    for (broken, whole) in [
        ("( ", "("),
        (", )", ")"),
        (" )", ")"),
        ("< ", "<"),
        (", >", ">"),
        (" >", ">"),
        ("-> ", "->"),
        (" ->", "->"),
        ("->", " -> "),
        (", {", " {"),
    ] {
        line = line.replace(broken, whole);
    }
    without_modules(&line)
}

/// Without the modules of this crate in front of names: a type that moves to another module stays the same type.
fn without_modules(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((at, root)) = ["crate::", "super::", "self::"]
        .iter()
        .filter_map(|root| rest.find(root).map(|at| (at, root)))
        .min()
    {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        rest = &after[root.len()..];
        while let Some((module, name)) = rest.split_once("::")
            && module.chars().all(|c| c.is_lowercase() || c == '_')
        {
            rest = name;
        }
    }
    text + rest
}

/// A line without a body that stands at its end.
fn without(line: &str, end: &str) -> String {
    line.strip_suffix(end)
        .unwrap_or(line)
        .trim_end_matches([' ', ','])
        .to_owned()
}

/// `fn name(..) -> ..`.
pub fn function(signature: &syn::Signature) -> String {
    let mut signature = signature.clone();
    for input in &mut signature.inputs {
        match input {
            // Whether the body changes an argument that it owns is no part of the signature.
            syn::FnArg::Receiver(receiver) if matches!(receiver.kind, syn::ReceiverKind::Value) => {
                receiver.mutability = None;
            }
            syn::FnArg::Typed(argument) => {
                if let syn::Pat::Ident(name) = &mut *argument.pat {
                    name.mutability = None;
                }
            }
            syn::FnArg::Receiver(_) => {}
        }
    }
    let text = line(Item::Fn(syn::ItemFn {
        attrs: Vec::new(),
        vis: Visibility::Inherited,
        modifiers: Default::default(),
        sig: signature,
        block: parse_quote!({}),
    }));
    without(&text, "{}")
}

/// A type.
pub fn ty(ty: &syn::Type) -> String {
    let text = line(parse_quote!(type T = #ty;));
    without(text.strip_prefix("type T = ").unwrap_or(&text), ";")
}

/// `struct Name<..>`, `enum Name<..>` or `union Name<..>`, without fields.
fn header(keyword: &str, name: &syn::Ident, generics: &syn::Generics) -> String {
    let text = line(Item::Struct(syn::ItemStruct {
        attrs: Vec::new(),
        vis: Visibility::Inherited,
        struct_token: Default::default(),
        ident: name.clone(),
        generics: generics.clone(),
        fields: Fields::Unit,
        semi_token: Some(Default::default()),
    }));
    let text = without(&text, ";");
    text.replacen("struct", keyword, 1)
}

/// `trait Name<..>: ..`.
fn trait_header(item: &syn::ItemTrait) -> String {
    let mut item = item.clone();
    item.attrs.clear();
    item.items.clear();
    item.vis = Visibility::Inherited;
    without(&line(Item::Trait(item)), "{}")
}

/// `impl Trait for Type`, with the types that it associates.
pub fn implementation(block: &syn::ItemImpl) -> String {
    let mut block = block.clone();
    block.attrs.clear();
    block
        .items
        .retain(|item| matches!(item, syn::ImplItem::Type(_)));
    for item in &mut block.items {
        if let syn::ImplItem::Type(item) = item {
            item.attrs.clear();
        }
    }
    without(&line(Item::Impl(block)), "{}")
}

/// A variant, with its fields.
pub fn variant(variant: &syn::Variant) -> String {
    let mut variant = variant.clone();
    variant.attrs.clear();
    variant.discriminant = None;
    variant
        .fields
        .iter_mut()
        .for_each(|field| field.attrs.clear());
    let text = line(parse_quote!(enum E { #variant }));
    let text = text.strip_prefix("enum E {").unwrap_or(&text);
    without(text.trim_start(), "}").replace(", }", " }")
}

/// An item without its fields, variants or members.
pub fn item(item: &Item) -> String {
    match item {
        Item::Const(i) => format!("const {}: {}", i.ident, ty(&i.ty)),
        Item::Static(i) => format!("static {}: {}", i.ident, ty(&i.ty)),
        Item::Enum(i) => header("enum", &i.ident, &i.generics),
        Item::Struct(i) => header("struct", &i.ident, &i.generics),
        Item::Union(i) => header("union", &i.ident, &i.generics),
        Item::Fn(i) => function(&i.sig),
        Item::Trait(i) => trait_header(i),
        Item::Type(i) => {
            let mut alias = i.clone();
            alias.attrs.clear();
            alias.vis = Visibility::Inherited;
            without(&line(Item::Type(alias)), ";")
        }
        Item::Macro(i) => {
            let name = i.ident.as_ref().map(ToString::to_string);
            format!("macro {}!", name.unwrap_or_default())
        }
        other => other.to_token_stream().to_string(),
    }
}

/// A member of a trait, marked by whether an implementation must have it.
pub fn member(item: &syn::TraitItem) -> Option<(String, String)> {
    let marked = |given: bool| if given { "provided" } else { "required" };
    Some(match item {
        syn::TraitItem::Fn(f) => {
            let mark = marked(f.default.is_some());
            (
                f.sig.ident.to_string(),
                format!("{mark} {}", function(&f.sig)),
            )
        }
        syn::TraitItem::Const(c) => {
            let mark = marked(c.default.is_some());
            (
                c.ident.to_string(),
                format!("{mark} const {}: {}", c.ident, ty(&c.ty)),
            )
        }
        syn::TraitItem::Type(t) => {
            let mut item = t.clone();
            item.attrs.clear();
            let text = line(parse_quote!(trait T { #item }));
            let text = text.strip_prefix("trait T {").unwrap_or(&text).trim();
            (
                t.ident.to_string(),
                format!("required {}", without(&without(text, "}"), ";")),
            )
        }
        _ => return None,
    })
}
