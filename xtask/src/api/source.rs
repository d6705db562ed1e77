//! Reads the modules of a crate: their items, imports and implementations, with macros of the crate expanded.
//!
//! What is compiled only for tests is left out. Other conditions (`#[cfg(feature = "..")]`) are kept as text, so that a
//! listing can show them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use quote::ToTokens;
use syn::{Attribute, Item, Visibility};

use super::expand::Rules;

/// What `#[cfg(..)]` attributes demand, as text.
pub type Conditions = BTreeSet<String>;

/// The modules of a crate; the first is its root.
#[derive(Debug)]
pub struct Source {
    /// The name of the crate, as code writes it.
    pub name: String,
    /// All modules, each after its parent.
    pub modules: Vec<Module>,
}

/// One module.
#[derive(Debug, Default)]
pub struct Module {
    /// The module that declares this one; the root is its own parent.
    pub parent: usize,
    /// Structs, functions and whatever else has a name and is no module.
    pub items: Vec<Named>,
    /// The modules that this one declares.
    pub children: Vec<Child>,
    /// What `use` brings into scope.
    pub uses: Vec<Use>,
    /// Implementations, which belong to their type wherever they stand.
    pub impls: Vec<(syn::ItemImpl, Conditions)>,
}

/// How far a name can be seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `pub`, without a restriction.
    pub public: bool,
    /// `#[doc(hidden)]`.
    pub hidden: bool,
    /// Those of the declaration and of the modules around it.
    pub conditions: Conditions,
}

/// An item with a name.
#[derive(Debug)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// How far it can be seen.
    pub seen: Seen,
    /// The item.
    pub item: Item,
}

/// A module that another one declares.
#[derive(Debug)]
pub struct Child {
    /// Its name.
    pub name: String,
    /// How far it can be seen.
    pub seen: Seen,
    /// Where it is in [`Source::modules`].
    pub module: usize,
}

/// One name of a `use`.
#[derive(Debug)]
pub struct Use {
    /// The name in this module; none for `*`.
    pub name: Option<String>,
    /// The path that is imported.
    pub path: Vec<String>,
    /// How far it can be seen.
    pub seen: Seen,
}

impl Source {
    /// Reads a crate from the file of its root.
    pub fn read(name: &str, root: &Path) -> Result<Self> {
        let mut reader = Reader::default();
        let dir = root.parent().unwrap_or(root).to_owned();
        reader.file(root, &dir, 0, &Conditions::new())?;
        Ok(Self {
            name: name.to_owned(),
            modules: reader.modules,
        })
    }

    /// Reads a crate that is one text without modules in other files.
    #[cfg(test)]
    pub fn of_text(name: &str, text: &str) -> Result<Self> {
        let mut reader = Reader::default();
        let file = syn::parse_file(text)?;
        reader.modules.push(Module::default());
        reader.items(file.items, Path::new(""), 0, &Conditions::new())?;
        Ok(Self {
            name: name.to_owned(),
            modules: reader.modules,
        })
    }
}

#[derive(Default)]
struct Reader {
    modules: Vec<Module>,
    /// The macros that are in scope, by name. Scopes of macros are not followed: names are used once in a crate.
    macros: BTreeMap<String, Rules>,
}

impl Reader {
    /// Reads a file as a module whose own modules are in `dir`.
    fn file(
        &mut self,
        file: &Path,
        dir: &Path,
        parent: usize,
        conditions: &Conditions,
    ) -> Result<usize> {
        let text =
            fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let parsed =
            syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        let module = self.add(parent);
        self.items(parsed.items, dir, module, conditions)
            .with_context(|| format!("in {}", file.display()))?;
        Ok(module)
    }

    fn add(&mut self, parent: usize) -> usize {
        self.modules.push(Module {
            parent,
            ..Module::default()
        });
        self.modules.len() - 1
    }

    fn items(
        &mut self,
        items: Vec<Item>,
        dir: &Path,
        module: usize,
        around: &Conditions,
    ) -> Result<()> {
        for item in items {
            let attrs = attributes(&item);
            if is_for_tests(attrs) {
                continue;
            }
            let mut conditions = around.clone();
            conditions.extend(conditions_of(attrs));
            let seen = Seen {
                public: matches!(visibility(&item), Some(Visibility::Public(_))),
                hidden: is_hidden(attrs),
                conditions,
            };
            self.item(item, dir, module, seen)?;
        }
        Ok(())
    }

    fn item(&mut self, item: Item, dir: &Path, module: usize, mut seen: Seen) -> Result<()> {
        match item {
            Item::Mod(declared) => {
                let name = declared.ident.to_string();
                let child = match declared.content {
                    Some((_, items)) => {
                        let child = self.add(module);
                        self.items(items, &dir.join(&name), child, &seen.conditions)?;
                        child
                    }
                    None => {
                        let file = file_of(dir, &name)?;
                        self.file(&file, &dir.join(&name), module, &seen.conditions)?
                    }
                };
                self.modules[module].children.push(Child {
                    name,
                    seen,
                    module: child,
                });
            }
            Item::Use(used) => {
                let mut uses = Vec::new();
                flatten(&used.tree, &mut Vec::new(), &seen, &mut uses);
                self.modules[module].uses.extend(uses);
            }
            Item::Impl(block) => {
                self.modules[module].impls.push((block, seen.conditions));
            }
            Item::Macro(call) => match &call.ident {
                Some(name) => {
                    let name = name.to_string();
                    let rules = Rules::parse(call.mac.tokens.clone())
                        .with_context(|| format!("in macro `{name}`"))?;
                    self.macros.insert(name.clone(), rules);
                    // An exported macro is an item of the root.
                    if has_attribute(&call.attrs, "macro_export") {
                        seen.public = true;
                        let item = Item::Macro(call);
                        self.modules[0].items.push(Named { name, seen, item });
                    }
                }
                None => {
                    let path = &call.mac.path;
                    let name = path.segments.last().map(|s| s.ident.to_string());
                    // The standard library's only macro for items; what it declares here is private.
                    if name.as_deref() == Some("thread_local") {
                        return Ok(());
                    }
                    let Some(rules) = name.as_ref().and_then(|name| self.macros.get(name)) else {
                        bail!("macro `{}` is not of this crate", path.to_token_stream());
                    };
                    let tokens = rules
                        .expand(call.mac.tokens.clone())
                        .with_context(|| format!("cannot expand `{}`", path.to_token_stream()))?;
                    let file: syn::File = syn::parse2(tokens)
                        .with_context(|| format!("what `{}` gives", path.to_token_stream()))?;
                    self.items(file.items, dir, module, &seen.conditions)?;
                }
            },
            item => {
                if let Some(name) = name_of(&item) {
                    self.modules[module].items.push(Named { name, seen, item });
                }
            }
        }
        Ok(())
    }
}

fn file_of(dir: &Path, name: &str) -> Result<PathBuf> {
    let file = dir.join(format!("{name}.rs"));
    let folder = dir.join(name).join("mod.rs");
    [file, folder]
        .into_iter()
        .find(|path| path.exists())
        .with_context(|| format!("no file of module `{name}` in {}", dir.display()))
}

/// The names that a tree of `use` brings.
fn flatten(tree: &syn::UseTree, path: &mut Vec<String>, seen: &Seen, uses: &mut Vec<Use>) {
    let mut push = |name: Option<String>, path: Vec<String>| {
        uses.push(Use {
            name,
            path,
            seen: seen.clone(),
        });
    };
    match tree {
        syn::UseTree::Path(step) => {
            path.push(step.ident.to_string());
            flatten(&step.tree, path, seen, uses);
            path.pop();
        }
        syn::UseTree::Name(leaf) if leaf.ident == "self" => {
            push(path.last().cloned(), path.clone());
        }
        syn::UseTree::Name(leaf) => {
            let name = leaf.ident.to_string();
            let full = path.iter().cloned().chain([name.clone()]).collect();
            push(Some(name), full);
        }
        syn::UseTree::Rename(leaf) => {
            let mut full = path.clone();
            if leaf.ident != "self" {
                full.push(leaf.ident.to_string());
            }
            push(Some(leaf.rename.to_string()), full);
        }
        syn::UseTree::Glob(_) => push(None, path.clone()),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, seen, uses);
            }
        }
    }
}

/// The attributes of an item.
pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::ExternCrate(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Union(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn visibility(item: &Item) -> Option<&Visibility> {
    Some(match item {
        Item::Const(i) => &i.vis,
        Item::Enum(i) => &i.vis,
        Item::Fn(i) => &i.vis,
        Item::Mod(i) => &i.vis,
        Item::Static(i) => &i.vis,
        Item::Struct(i) => &i.vis,
        Item::Trait(i) => &i.vis,
        Item::Type(i) => &i.vis,
        Item::Union(i) => &i.vis,
        Item::Use(i) => &i.vis,
        _ => return None,
    })
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(i) => &i.ident,
        Item::Enum(i) => &i.ident,
        Item::Fn(i) => &i.sig.ident,
        Item::Static(i) => &i.ident,
        Item::Struct(i) => &i.ident,
        Item::Trait(i) => &i.ident,
        Item::Type(i) => &i.ident,
        Item::Union(i) => &i.ident,
        _ => return None,
    };
    (name != "_").then(|| name.to_string())
}

/// Whether one of the attributes has this name.
pub fn has_attribute(attrs: &[Attribute], name: &str) -> bool {
    attrs.iter().any(|attr| attr.path().is_ident(name))
}

/// Whether the attributes have `#[doc(hidden)]`.
pub fn is_hidden(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let list = attr.meta.require_list();
        attr.path().is_ident("doc") && list.is_ok_and(|list| list.tokens.to_string() == "hidden")
    })
}

/// Whether the attributes leave an item out of all builds but those of tests.
pub fn is_for_tests(attrs: &[Attribute]) -> bool {
    let only = ["test", "doctest"];
    conditions_of(attrs).any(|condition| only.contains(&&*condition))
}

/// The conditions of the attributes, as text.
pub fn conditions_of(attrs: &[Attribute]) -> impl Iterator<Item = String> {
    let conditions = attrs.iter().filter(|attr| attr.path().is_ident("cfg"));
    conditions.filter_map(|attr| {
        let list = attr.meta.require_list().ok()?;
        Some(list.tokens.to_string())
    })
}
