//! The sorts, constants and variables that a symmetric net declares.

use std::collections::{HashMap, HashSet};

use super::xml::Element;
use super::{Limits, PnmlError};

/// A finite sort. The colours of a sort are the numbers below its size.
pub(super) enum Sort {
    Dot,
    Enumeration {
        names: Vec<String>,
        is_cyclic: bool,
    },
    Range {
        first: i64,
        last: i64,
    },
    /// The first component is the most significant digit of a colour.
    Product(Vec<usize>),
}

/// The most components of a tuple, with those of the tuples in it.
const COMPONENTS_MAX: u64 = 1_000;

struct Sized {
    sort: Sort,
    /// How many colours it has.
    size: u64,
    /// How many components a colour has, with those of products in products.
    components: u64,
    /// How deeply products nest in it.
    depth: usize,
}

pub(super) struct Sorts {
    sorts: Vec<Sized>,
    /// Sorts by the ids of their declarations.
    by_id: HashMap<String, usize>,
    /// The constants of enumerations, with their sorts.
    pub constants: HashMap<String, (usize, u64)>,
    /// The variables with their sorts.
    pub variables: HashMap<String, usize>,
}

impl Sorts {
    pub fn read(declarations: &[Element], limits: &Limits) -> Result<Self, PnmlError> {
        let mut sorts = Self {
            sorts: vec![Sized {
                sort: Sort::Dot,
                size: 1,
                components: 1,
                depth: 0,
            }],
            by_id: HashMap::new(),
            constants: HashMap::new(),
            variables: HashMap::new(),
        };
        let mut named: Vec<&Element> = Vec::new();
        let mut variables: Vec<&Element> = Vec::new();
        for declaration in declarations {
            let structure = declaration.child("structure").unwrap_or(declaration);
            let lists = structure
                .children
                .iter()
                .filter(|child| child.name() == "declarations");
            for item in lists.flat_map(|list| &list.children) {
                match item.name() {
                    "namedsort" => named.push(item),
                    "variabledecl" => variables.push(item),
                    "text" => {}
                    other => {
                        let what =
                            format!("declarations of the kind `<{other}>` are not supported");
                        return Err(item.error(what));
                    }
                }
            }
        }
        sorts.read_named(&named, limits)?;
        for item in variables {
            let id = item.start.required("id")?;
            let Some(sort) = item.children.first() else {
                return Err(item.error("the variable has no sort"));
            };
            let sort = sorts.sort(sort, limits)?;
            if sorts.variables.insert(id.to_owned(), sort).is_some() {
                return Err(item.error(format!("a second variable has the id `{id}`")));
            }
        }
        Ok(sorts)
    }

    /// Reads the sorts that have names. One may be declared after another that uses it, so each waits for those that it uses.
    fn read_named(&mut self, named: &[&Element], limits: &Limits) -> Result<(), PnmlError> {
        let mut waiting: Vec<usize> = Vec::with_capacity(named.len());
        let mut used_by: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut ids = HashSet::new();
        for (at, item) in named.iter().enumerate() {
            let id = item.start.required("id")?;
            if !ids.insert(id) {
                return Err(item.error(format!("a second sort has the id `{id}`")));
            }
            let Some(definition) = item.children.first() else {
                return Err(item.error("the sort has no definition"));
            };
            let mut used = HashSet::new();
            uses(definition, &mut used)?;
            waiting.push(used.len());
            for other in used {
                used_by.entry(other).or_default().push(at);
            }
        }
        let mut ready: Vec<usize> = (0..named.len()).filter(|&at| waiting[at] == 0).collect();
        while let Some(at) = ready.pop() {
            let id = named[at].start.required("id")?;
            let sort = self.sort(&named[at].children[0], limits)?;
            self.by_id.insert(id.to_owned(), sort);
            for user in used_by.remove(id).unwrap_or_default() {
                waiting[user] -= 1;
                if waiting[user] == 0 {
                    ready.push(user);
                }
            }
        }
        match waiting.iter().position(|waiting| *waiting > 0) {
            Some(at) => {
                Err(named[at].error("the sort uses a sort that is not declared, or itself"))
            }
            None => Ok(()),
        }
    }

    /// Returns the sort that a structure uses.
    pub fn used(&self, structure: &Element) -> Result<usize, PnmlError> {
        let Some(sort) = structure
            .children
            .iter()
            .find(|child| child.name() != "text")
        else {
            return Err(structure.error("no sort is given"));
        };
        match sort.name() {
            "usersort" => self.user_sort(sort),
            "dot" => Ok(0),
            other => Err(sort.error(format!(
                "the sort `<{other}>` is not supported here; declare it as a `namedsort`"
            ))),
        }
    }

    pub fn user_sort(&self, sort: &Element) -> Result<usize, PnmlError> {
        let id = sort.start.required("declaration")?;
        let found = self.by_id.get(id).copied();
        found.ok_or_else(|| sort.error(format!("the sort `{id}` is not declared")))
    }

    fn sort(&mut self, definition: &Element, limits: &Limits) -> Result<usize, PnmlError> {
        let mut constants = Vec::new();
        let sort = match definition.name() {
            "usersort" => return self.user_sort(definition),
            "dot" => return Ok(0),
            kind @ ("finiteenumeration" | "cyclicenumeration") => {
                let mut names = Vec::new();
                for constant in &definition.children {
                    let id = constant.start.required("id")?;
                    constants.push((constant, id, names.len() as u64));
                    names.push(constant.start.attribute("name").unwrap_or(id).to_owned());
                }
                // The names of unfolded places are made of these, and must differ.
                if names.iter().collect::<HashSet<_>>().len() < names.len() {
                    names = constants
                        .iter()
                        .map(|(_, id, _)| (*id).to_owned())
                        .collect();
                }
                let is_cyclic = kind == "cyclicenumeration";
                Sort::Enumeration { names, is_cyclic }
            }
            "finiteintrange" => {
                let bound = |name: &str| {
                    let text = definition.start.required(name)?;
                    let number = text.parse::<i64>();
                    number.map_err(|_| definition.error(format!("`{text}` is not an integer")))
                };
                let (first, last) = (bound("start")?, bound("end")?);
                Sort::Range { first, last }
            }
            "productsort" => {
                let parts = definition
                    .children
                    .iter()
                    .map(|part| self.sort(part, limits));
                Sort::Product(parts.collect::<Result<_, _>>()?)
            }
            other => {
                return Err(definition.error(format!("the sort `<{other}>` is not supported")));
            }
        };
        let size = match &sort {
            Sort::Dot => Some(1),
            Sort::Enumeration { names, .. } => Some(names.len() as u64),
            Sort::Range { first, last } => (last.checked_sub(*first))
                .and_then(|n| n.checked_add(1))
                .map(|n| n.max(0) as u64),
            Sort::Product(parts) => {
                (parts.iter()).try_fold(1u64, |all, part| all.checked_mul(self.size(*part)))
            }
        };
        let size = size
            .filter(|size| *size <= limits.unfolded_max())
            .ok_or_else(|| {
                let most = limits.unfolded_max();
                definition.error(format!(
                    "the sort has more colours than the limit of {most}"
                ))
            })?;
        if size == 0 {
            return Err(definition.error("the sort has no colour"));
        }
        let (components, depth) = match &sort {
            Sort::Product(parts) => {
                let parts = || parts.iter().map(|part| &self.sorts[*part]);
                let components = parts().map(|part| part.components);
                let depth = parts().map(|part| part.depth).max().unwrap_or(0);
                (components.fold(0, u64::saturating_add), depth + 1)
            }
            _ => (1, 0),
        };
        // Sorts with one colour, or of one component, nest without a larger number of colours.
        if components > COMPONENTS_MAX || depth > limits.depth {
            let what = format!(
                "the sort has more than {COMPONENTS_MAX} components, or nests deeper than the limit of {}",
                limits.depth
            );
            return Err(definition.error(what));
        }
        self.sorts.push(Sized {
            sort,
            size,
            components,
            depth,
        });
        let at = self.sorts.len() - 1;
        for (element, id, value) in constants {
            if self.constants.insert(id.to_owned(), (at, value)).is_some() {
                return Err(element.error(format!("a second constant has the id `{id}`")));
            }
        }
        Ok(at)
    }

    pub fn sort_of(&self, sort: usize) -> &Sort {
        &self.sorts[sort].sort
    }

    pub fn size(&self, sort: usize) -> u64 {
        self.sorts[sort].size
    }

    /// Writes the name of a colour.
    pub fn name(&self, sort: usize, colour: u64, to: &mut String) {
        match self.sort_of(sort) {
            Sort::Dot => to.push_str("dot"),
            Sort::Enumeration { names, .. } => to.push_str(&names[colour as usize]),
            Sort::Range { first, .. } => to.push_str(&(first + colour as i64).to_string()),
            Sort::Product(parts) => {
                let mut rest = self.size(sort);
                let mut colour = colour;
                for (i, part) in parts.iter().enumerate() {
                    rest /= self.size(*part);
                    if i > 0 {
                        to.push(',');
                    }
                    self.name(*part, colour / rest, to);
                    colour %= rest;
                }
            }
        }
    }
}

/// Collects the ids of the sorts that a definition uses.
fn uses<'e>(definition: &'e Element, to: &mut HashSet<&'e str>) -> Result<(), PnmlError> {
    if definition.name() == "usersort" {
        to.insert(definition.start.required("declaration")?);
    }
    definition
        .children
        .iter()
        .try_for_each(|part| uses(part, to))
}
