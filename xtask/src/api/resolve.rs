//! Resolves names to definitions, and finds under which public paths an item can be reached.

use std::collections::BTreeMap;

use super::source::{Conditions, Source};

/// The definition of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Def {
    /// The module and the number of the item in it.
    Item(usize, usize),
    Module(usize),
    /// A path into another crate of the workspace.
    Foreign(String),
}

/// How far `use` declarations that name each other are followed.
const DEPTH_MAX: usize = 32;

/// A public path, with the conditions under which it is there.
pub type Path = (String, Conditions);

/// What is public of a crate.
#[derive(Debug, Default)]
pub struct Public {
    /// The paths of each item, the shortest first.
    pub items: BTreeMap<(usize, usize), Vec<Path>>,
    /// The paths of each module, the shortest first.
    pub modules: BTreeMap<usize, Vec<Path>>,
    /// Items of other crates that this one gives out under paths of its own.
    pub foreign: Vec<(Path, String)>,
}

impl Source {
    /// Resolves a path in a module. Returns nothing for items of crates outside of the workspace.
    pub fn resolve(&self, module: usize, path: &[String], others: &[String]) -> Option<Def> {
        self.follow(module, path, others, 0)
    }

    fn follow(
        &self,
        module: usize,
        path: &[String],
        others: &[String],
        depth: usize,
    ) -> Option<Def> {
        if depth > DEPTH_MAX {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let begin = match first.as_str() {
            "crate" => Def::Module(0),
            "self" => Def::Module(module),
            "super" => Def::Module(self.modules[module].parent),
            name => match self.named(module, name, others, depth) {
                Some(def) => def,
                None if name == self.name => Def::Module(0),
                None if others.iter().any(|other| other == name) => Def::Foreign(name.to_owned()),
                None => return None,
            },
        };
        rest.iter().try_fold(begin, |def, name| match def {
            Def::Module(module) if name == "super" => {
                Some(Def::Module(self.modules[module].parent))
            }
            Def::Module(module) => self.named(module, name, others, depth),
            // A variant or an associated item: its type is what counts.
            Def::Item(..) => Some(def),
            Def::Foreign(path) => Some(Def::Foreign(format!("{path}::{name}"))),
        })
    }

    /// Resolves a name in the scope of a module.
    fn named(&self, module: usize, name: &str, others: &[String], depth: usize) -> Option<Def> {
        let scope = &self.modules[module];
        if let Some(item) = scope.items.iter().position(|item| item.name == name) {
            return Some(Def::Item(module, item));
        }
        if let Some(child) = scope.children.iter().find(|child| child.name == name) {
            return Some(Def::Module(child.module));
        }
        let is_it = |used: &&super::source::Use| used.name.as_deref() == Some(name);
        if let Some(used) = scope.uses.iter().find(is_it) {
            // `use name;` would find itself.
            let itself = used.path.len() == 1 && used.path[0] == name;
            if itself {
                return others
                    .contains(&name.to_owned())
                    .then(|| Def::Foreign(name.to_owned()));
            }
            return self.follow(module, &used.path, others, depth + 1);
        }
        let mut globs = scope.uses.iter().filter(|used| used.name.is_none());
        globs.find_map(
            |glob| match self.follow(module, &glob.path, others, depth + 1)? {
                Def::Module(other) if other != module && depth < DEPTH_MAX => {
                    self.named(other, name, others, depth + 1)
                }
                _ => None,
            },
        )
    }

    /// All that can be reached from outside of the crate without passing a hidden module or name.
    pub fn public(&self, others: &[String]) -> Public {
        let mut public = Public::default();
        let root = (self.name.clone(), Conditions::new());
        self.walk(0, &root, others, &mut public, 0);
        let shortest_first = |paths: &mut Vec<Path>| {
            paths.sort_by_key(|(path, conditions)| {
                (
                    path.contains("::prelude::"),
                    path.split("::").count(),
                    path.clone(),
                    conditions.clone(),
                )
            });
            paths.dedup();
        };
        public.items.values_mut().for_each(shortest_first);
        public.modules.values_mut().for_each(shortest_first);
        public
    }

    fn walk(&self, module: usize, at: &Path, others: &[String], public: &mut Public, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        public.modules.entry(module).or_default().push(at.clone());
        let below = |name: &str, conditions: &Conditions| {
            let all = at.1.union(conditions).cloned().collect();
            (format!("{}::{name}", at.0), all)
        };
        let scope = &self.modules[module];
        for (i, item) in scope.items.iter().enumerate() {
            if item.seen.public && !item.seen.hidden {
                let path = below(&item.name, &item.seen.conditions);
                public.items.entry((module, i)).or_default().push(path);
            }
        }
        for child in &scope.children {
            if child.seen.public && !child.seen.hidden {
                let path = below(&child.name, &child.seen.conditions);
                self.walk(child.module, &path, others, public, depth + 1);
            }
        }
        for used in scope
            .uses
            .iter()
            .filter(|used| used.seen.public && !used.seen.hidden)
        {
            let def = self.resolve(module, &used.path, others);
            match (&used.name, def) {
                (Some(name), Some(Def::Item(m, i))) => {
                    let item = &self.modules[m].items[i];
                    if !item.seen.hidden {
                        let conditions = used.seen.conditions.union(&item.seen.conditions);
                        let path = below(name, &conditions.cloned().collect());
                        public.items.entry((m, i)).or_default().push(path);
                    }
                }
                (Some(name), Some(Def::Module(other))) => {
                    let path = below(name, &used.seen.conditions);
                    self.walk(other, &path, others, public, depth + 1);
                }
                (None, Some(Def::Module(other))) => {
                    // The items of the other module, as if they stood here.
                    self.walk(
                        other,
                        &(at.0.clone(), at.1.clone()),
                        others,
                        public,
                        depth + 1,
                    );
                }
                (name, foreign) => {
                    let target = match foreign {
                        Some(Def::Foreign(target)) => target,
                        _ => used.path.join("::"),
                    };
                    let name = name.as_deref().unwrap_or("*");
                    let path = below(name, &used.seen.conditions);
                    public.foreign.push((path, target));
                }
            }
        }
    }
}
