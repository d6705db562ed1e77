//! The sorts, constants and variables that a symmetric net declares.

use std::collections::HashMap;

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

pub(super) struct Sorts {
    sorts: Vec<(Sort, u64)>,
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
            sorts: vec![(Sort::Dot, 1)],
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
        // A sort may be declared after one that uses it.
        while !named.is_empty() {
            let before = named.len();
            let mut rest = Vec::new();
            for item in named {
                let id = item.start.required("id")?;
                let Some(definition) = item.children.first() else {
                    return Err(item.error("the sort has no definition"));
                };
                if sorts.uses_unknown(definition)? {
                    rest.push(item);
                    continue;
                }
                let sort = sorts.sort(definition, limits)?;
                if sorts.by_id.insert(id.to_owned(), sort).is_some() {
                    return Err(item.error(format!("a second sort has the id `{id}`")));
                }
            }
            if rest.len() == before {
                let what = "the sort uses a sort that is not declared, or itself";
                return Err(rest[0].error(what));
            }
            named = rest;
        }
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

    fn uses_unknown(&self, definition: &Element) -> Result<bool, PnmlError> {
        let is_unknown = |used: &Element| -> Result<bool, PnmlError> {
            let is_used = used.name() == "usersort";
            Ok(is_used && !self.by_id.contains_key(used.start.required("declaration")?))
        };
        let mut unknown = is_unknown(definition)?;
        for child in &definition.children {
            unknown |= is_unknown(child)?;
        }
        Ok(unknown)
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
            .filter(|size| *size <= limits.unfolded)
            .ok_or_else(|| {
                let most = limits.unfolded;
                definition.error(format!(
                    "the sort has more colours than the limit of {most}"
                ))
            })?;
        if size == 0 {
            return Err(definition.error("the sort has no colour"));
        }
        self.sorts.push((sort, size));
        let at = self.sorts.len() - 1;
        for (element, id, value) in constants {
            if self.constants.insert(id.to_owned(), (at, value)).is_some() {
                return Err(element.error(format!("a second constant has the id `{id}`")));
            }
        }
        Ok(at)
    }

    pub fn sort_of(&self, sort: usize) -> &Sort {
        &self.sorts[sort].0
    }

    pub fn size(&self, sort: usize) -> u64 {
        self.sorts[sort].1
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
