//! Terms over colours: the multisets of markings and arcs, and the conditions of transitions.

use std::collections::{BTreeMap, HashMap};

use super::sorts::{Sort, Sorts};
use super::xml::Element;
use super::{Limits, PnmlError};

/// A multiset of colours of one sort, in which variables may occur.
#[derive(Clone, Debug)]
pub(super) enum Multiset {
    One(Colour),
    /// Each colour of a sort of this size.
    All(u64),
    Sum(Vec<Multiset>),
    /// Colours of which fewer are there than are subtracted are left out.
    Minus(Box<Multiset>, Box<Multiset>),
    Times(u64, Box<Multiset>),
    /// For each component its number of colours and its colours.
    Tuple(Vec<(u64, Multiset)>),
}

/// A colour, which variables may determine.
#[derive(Clone, Debug)]
pub(super) enum Colour {
    Constant(u64),
    Variable(usize),
    /// The colour that follows, or precedes, another in a cycle of this size.
    Shifted(Box<Colour>, bool, u64),
}

/// A condition on variables.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    Compare(Colour, Order, Colour),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Colour {
    pub fn value(&self, binding: &[u64]) -> u64 {
        match self {
            Self::Constant(colour) => *colour,
            Self::Variable(at) => binding[*at],
            Self::Shifted(colour, up, size) => {
                let colour = colour.value(binding);
                match (up, colour) {
                    (true, colour) if colour + 1 == *size => 0,
                    (true, colour) => colour + 1,
                    (false, 0) => size - 1,
                    (false, colour) => colour - 1,
                }
            }
        }
    }

    fn shifts(&self) -> u64 {
        match self {
            Self::Constant(_) | Self::Variable(_) => 0,
            Self::Shifted(colour, ..) => 1 + colour.shifts(),
        }
    }

    fn variable_max(&self) -> Option<usize> {
        match self {
            Self::Constant(_) => None,
            Self::Variable(at) => Some(*at),
            Self::Shifted(colour, ..) => colour.variable_max(),
        }
    }
}

impl Condition {
    pub fn holds(&self, binding: &[u64]) -> bool {
        match self {
            Self::Compare(a, order, b) => {
                let (a, b) = (a.value(binding), b.value(binding));
                match order {
                    Order::Equal => a == b,
                    Order::NotEqual => a != b,
                    Order::Less => a < b,
                    Order::LessOrEqual => a <= b,
                    Order::Greater => a > b,
                    Order::GreaterOrEqual => a >= b,
                }
            }
            Self::All(all) => all.iter().all(|part| part.holds(binding)),
            Self::Any(any) => any.iter().any(|part| part.holds(binding)),
            Self::Not(part) => !part.holds(binding),
        }
    }

    /// Returns the last variable that the condition reads.
    pub fn variable_max(&self) -> Option<usize> {
        match self {
            Self::Compare(a, _, b) => a.variable_max().max(b.variable_max()),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().filter_map(Self::variable_max).max()
            }
            Self::Not(part) => part.variable_max(),
        }
    }

    /// Returns the number of terms, as a measure of how long it takes to evaluate the condition.
    pub fn terms(&self) -> u64 {
        match self {
            Self::Compare(a, _, b) => 1 + a.shifts() + b.shifts(),
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::terms).sum::<u64>(),
            Self::Not(part) => 1 + part.terms(),
        }
    }

    /// Splits a conjunction into its parts.
    pub fn parts(self) -> Vec<Self> {
        match self {
            Self::All(all) => all.into_iter().flat_map(Self::parts).collect(),
            other => vec![other],
        }
    }
}

impl Multiset {
    pub fn empty() -> Self {
        Self::Sum(Vec::new())
    }

    /// One token of the only colour of a sort.
    pub fn one() -> Self {
        Self::One(Colour::Constant(0))
    }

    /// Adds the multiset, so many times, to a list of colours with their numbers. `left` is how many terms and colours may be
    /// evaluated.
    pub fn add_to(
        &self,
        times: u64,
        binding: &[u64],
        left: &mut u64,
        to: &mut Vec<(u64, u64)>,
    ) -> Result<(), TooLarge> {
        let mut take = |n: u64| {
            *left = left.checked_sub(n).ok_or(TooLarge::Evaluation)?;
            Ok(())
        };
        take(1)?;
        match self {
            Self::One(colour) => to.push((colour.value(binding), times)),
            Self::All(size) => {
                take(*size)?;
                to.extend((0..*size).map(|colour| (colour, times)));
            }
            Self::Sum(parts) => {
                for part in parts {
                    part.add_to(times, binding, left, to)?;
                }
            }
            Self::Minus(a, b) => {
                let (mut some, mut fewer) = (Vec::new(), Vec::new());
                a.add_to(1, binding, left, &mut some)?;
                b.add_to(1, binding, left, &mut fewer)?;
                let mut rest = added_up(some)?;
                for (colour, n) in added_up(fewer)? {
                    if let Some(rest) = rest.get_mut(&colour) {
                        *rest = rest.saturating_sub(n);
                    }
                }
                for (colour, n) in rest.into_iter().filter(|(_, n)| *n > 0) {
                    to.push((colour, n.checked_mul(times).ok_or(TooLarge::Number)?));
                }
            }
            Self::Times(n, part) => {
                let times = times.checked_mul(*n).ok_or(TooLarge::Number)?;
                part.add_to(times, binding, left, to)?;
            }
            Self::Tuple(parts) => {
                let mut all = vec![(0u64, times)];
                for (size, part) in parts {
                    let mut colours = Vec::new();
                    part.add_to(1, binding, left, &mut colours)?;
                    let pairs = (all.len() as u64).saturating_mul(colours.len() as u64);
                    *left = left.checked_sub(pairs).ok_or(TooLarge::Evaluation)?;
                    let mut next = Vec::with_capacity(pairs as usize);
                    for (colour, n) in &all {
                        for (digit, m) in &colours {
                            let n = n.checked_mul(*m).ok_or(TooLarge::Number)?;
                            next.push((colour * size + digit, n));
                        }
                    }
                    all = next;
                }
                to.extend(all);
            }
        }
        Ok(())
    }
}

/// Adds up the numbers of equal colours.
pub(super) fn added_up(colours: Vec<(u64, u64)>) -> Result<BTreeMap<u64, u64>, TooLarge> {
    let mut sums: BTreeMap<u64, u64> = BTreeMap::new();
    for (colour, n) in colours {
        let sum = sums.entry(colour).or_default();
        *sum = sum.checked_add(n).ok_or(TooLarge::Number)?;
    }
    Ok(sums)
}

/// Why a multiset is not evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooLarge {
    /// A number of tokens exceeds 64 bits.
    Number,
    /// More terms and colours would be evaluated than are allowed.
    Evaluation,
}

/// Reads the terms of one transition, or of a place, and collects the variables that they use.
pub(super) struct Scope<'a> {
    sorts: &'a Sorts,
    limits: &'a Limits,
    used: Vec<(&'a str, usize)>,
    positions: HashMap<&'a str, usize>,
}

impl<'a> Scope<'a> {
    pub fn new(sorts: &'a Sorts, limits: &'a Limits) -> Self {
        Self {
            sorts,
            limits,
            used: Vec::new(),
            positions: HashMap::new(),
        }
    }

    /// Returns the sorts of the variables that were used, in the order of their positions.
    pub fn variables(&self) -> Vec<(&'a str, usize)> {
        self.used.clone()
    }

    fn variable(&mut self, term: &Element) -> Result<(usize, usize), PnmlError> {
        let id = term.start.required("refvariable")?;
        let Some((id, sort)) = self.sorts.variables.get_key_value(id) else {
            return Err(term.error(format!("the variable `{id}` is not declared")));
        };
        let at = *self.positions.entry(id).or_insert_with(|| {
            self.used.push((id, *sort));
            self.used.len() - 1
        });
        Ok((at, *sort))
    }

    /// Reads a term that is one colour, with its sort. A term of a range of integers has the sort that is expected.
    fn colour(
        &mut self,
        term: &Element,
        expected: Option<usize>,
    ) -> Result<(Colour, usize), PnmlError> {
        let (colour, sort) = match term.name() {
            "variable" => {
                let (at, sort) = self.variable(term)?;
                (Colour::Variable(at), sort)
            }
            "dotconstant" => (Colour::Constant(0), 0),
            "useroperator" => {
                let id = term.start.required("declaration")?;
                let Some((sort, colour)) = self.sorts.constants.get(id) else {
                    return Err(term.error(format!("the constant `{id}` is not declared")));
                };
                (Colour::Constant(*colour), *sort)
            }
            "finiteintrangeconstant" => {
                let text = term.start.required("value")?;
                let Some(sort) = expected else {
                    return Err(term.error("the range of the constant is not known here"));
                };
                let value = match (self.sorts.sort_of(sort), text.parse::<i64>()) {
                    (Sort::Range { first, last }, Ok(n)) if (first..=last).contains(&&n) => {
                        (n - first) as u64
                    }
                    _ => return Err(term.error(format!("`{text}` is not in the range"))),
                };
                (Colour::Constant(value), sort)
            }
            shift @ ("successor" | "predecessor") => {
                let (colour, sort) = self.colour(subterm(term)?, expected)?;
                if !matches!(
                    self.sorts.sort_of(sort),
                    Sort::Enumeration {
                        is_cyclic: true,
                        ..
                    }
                ) {
                    return Err(term.error(format!("`<{shift}>` needs a cyclic enumeration")));
                }
                let size = self.sorts.size(sort);
                (
                    Colour::Shifted(Box::new(colour), shift == "successor", size),
                    sort,
                )
            }
            "subterm" => return self.colour(subterm(term)?, expected),
            other => {
                return Err(term.error(format!("`<{other}>` is not supported as a colour")));
            }
        };
        match expected {
            Some(expected) if expected != sort => {
                Err(term.error("the term has another sort than its place"))
            }
            _ => Ok((colour, sort)),
        }
    }

    /// Reads a term that is a multiset of colours of a sort.
    pub fn multiset(&mut self, term: &Element, sort: usize) -> Result<Multiset, PnmlError> {
        match term.name() {
            "subterm" => self.multiset(subterm(term)?, sort),
            "all" => {
                let used = self.sorts.used(term)?;
                if used != sort {
                    return Err(term.error("`<all>` is of another sort than its place"));
                }
                Ok(Multiset::All(self.sorts.size(sort)))
            }
            "empty" => Ok(Multiset::empty()),
            "add" => {
                let parts = term.children.iter().map(|part| self.multiset(part, sort));
                Ok(Multiset::Sum(parts.collect::<Result<_, _>>()?))
            }
            "subtract" => {
                let mut parts = term.children.iter().map(|part| self.multiset(part, sort));
                let Some(first) = parts.next() else {
                    return Err(term.error("`<subtract>` has no operand"));
                };
                let minus = parts.collect::<Result<_, _>>()?;
                Ok(Multiset::Minus(
                    Box::new(first?),
                    Box::new(Multiset::Sum(minus)),
                ))
            }
            "numberof" | "scalarproduct" => {
                let (count, of) = match &*term.children {
                    [count, of] => (Some(subterm_of(count)?), of),
                    [of] => (None, of),
                    _ => return Err(term.error("expected a number and a term")),
                };
                let times = match count {
                    None => 1,
                    Some(count) => {
                        let is_number = count.name() == "numberconstant";
                        let text = is_number.then(|| count.start.required("value"));
                        let number = text.and_then(|text| text.ok()?.parse::<u64>().ok());
                        let Some(number) = number else {
                            return Err(count.error("expected `<numberconstant>` with a number"));
                        };
                        super::net::checked(number, count.line(), self.limits)?
                    }
                };
                Ok(Multiset::Times(times, Box::new(self.multiset(of, sort)?)))
            }
            "tuple" => {
                let sorts = self.sorts;
                let Sort::Product(parts) = sorts.sort_of(sort) else {
                    return Err(term.error("a tuple is used where the sort is not a product"));
                };
                if parts.len() != term.children.len() {
                    let (has, needs) = (term.children.len(), parts.len());
                    let what = format!("the tuple has {has} components, and its sort has {needs}");
                    return Err(term.error(what));
                }
                let components = parts.iter().zip(&term.children).map(|(part, component)| {
                    Ok((sorts.size(*part), self.multiset(component, *part)?))
                });
                Ok(Multiset::Tuple(components.collect::<Result<_, _>>()?))
            }
            _ => Ok(Multiset::One(self.colour(term, Some(sort))?.0)),
        }
    }

    /// Reads the condition of a transition.
    pub fn condition(&mut self, term: &Element) -> Result<Condition, PnmlError> {
        let order = match term.name() {
            "subterm" => return self.condition(subterm(term)?),
            "and" | "or" => {
                let parts = term.children.iter().map(|part| self.condition(part));
                let parts = parts.collect::<Result<_, _>>()?;
                return Ok(match term.name() {
                    "and" => Condition::All(parts),
                    _ => Condition::Any(parts),
                });
            }
            "not" => return Ok(Condition::Not(Box::new(self.condition(subterm(term)?)?))),
            "imply" => {
                let [a, b] = &*term.children else {
                    return Err(term.error("`<imply>` has two operands"));
                };
                let not = Condition::Not(Box::new(self.condition(a)?));
                return Ok(Condition::Any(vec![not, self.condition(b)?]));
            }
            "booleanconstant" => {
                return match term.start.required("value")? {
                    "true" => Ok(Condition::All(Vec::new())),
                    "false" => Ok(Condition::Any(Vec::new())),
                    other => Err(term.error(format!("`{other}` is not a truth value"))),
                };
            }
            "equality" => Order::Equal,
            "inequality" => Order::NotEqual,
            "lessthan" => Order::Less,
            "lessthanorequal" => Order::LessOrEqual,
            "greaterthan" => Order::Greater,
            "greaterthanorequal" => Order::GreaterOrEqual,
            other => {
                return Err(term.error(format!("`<{other}>` is not supported in a condition")));
            }
        };
        let [a, b] = &*term.children else {
            return Err(term.error(format!("`<{}>` has two operands", term.name())));
        };
        let (a, b) = (subterm_of(a)?, subterm_of(b)?);
        // A constant of a range has the sort of the other operand.
        let is_untyped = |term: &Element| term.name() == "finiteintrangeconstant";
        let (a, b) = if is_untyped(a) {
            let (b, sort) = self.colour(b, None)?;
            (self.colour(a, Some(sort))?.0, b)
        } else {
            let (a, sort) = self.colour(a, None)?;
            (a, self.colour(b, Some(sort))?.0)
        };
        Ok(Condition::Compare(a, order, b))
    }
}

/// Returns the only operand of a term.
fn subterm(term: &Element) -> Result<&Element, PnmlError> {
    match &*term.children {
        [only] if only.name() == "subterm" => subterm(only),
        [only] => Ok(only),
        _ => Err(term.error(format!("`<{}>` has one operand", term.name()))),
    }
}

fn subterm_of(term: &Element) -> Result<&Element, PnmlError> {
    match term.name() {
        "subterm" => subterm(term),
        _ => Ok(term),
    }
}
