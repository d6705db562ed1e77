//! Unfolding a symmetric net to a place/transition net.

use super::net::{ColouredArc, ColouredPlace, ColouredTransition, checked};
use super::sorts::Sorts;
use super::terms::{Condition, Multiset, TooLarge, added_up};
use super::{Limits, PnmlError};
use crate::plain::{Net, PlaceIx};

/// A net of which all places, and the transitions so far, are unfolded.
pub(super) struct Unfolding<'a> {
    sorts: &'a Sorts,
    limits: &'a Limits,
    pub places: Vec<ColouredPlace>,
    /// The position of the first colour of each place.
    first: Vec<u32>,
    pub net: Net,
    /// The places, transitions, arcs and bindings so far.
    size: u64,
}

impl<'a> Unfolding<'a> {
    pub fn new(
        sorts: &'a Sorts,
        places: Vec<ColouredPlace>,
        limits: &'a Limits,
    ) -> Result<Self, PnmlError> {
        let mut unfolding = Self {
            sorts,
            limits,
            places: Vec::new(),
            first: Vec::new(),
            net: Net::default(),
            size: 0,
        };
        let mut total = 0;
        for place in &places {
            let size = sorts.size(place.sort);
            unfolding.grow(size, place.line)?;
            unfolding.first.push(unfolding.net.places.len() as u32);
            let mut tokens = vec![0; size as usize];
            for (colour, n) in unfolding.colours(&place.initial, &[], place.line)? {
                tokens[colour as usize] = n;
                total = checked(u64::saturating_add(total, n), place.line, limits)?;
            }
            for (colour, tokens) in (0..).zip(tokens) {
                let mut name = place.id.clone();
                if size > 1 {
                    name.push('(');
                    sorts.name(place.sort, colour, &mut name);
                    name.push(')');
                }
                unfolding.grow_by_name(&name, place.line)?;
                unfolding.net.place(name, tokens);
            }
        }
        unfolding.places = places;
        Ok(unfolding)
    }

    fn grow(&mut self, by: u64, line: u64) -> Result<(), PnmlError> {
        self.size = self.size.saturating_add(by);
        match self.size > self.limits.unfolded_max() {
            true => Err(self.too_large(line)),
            false => Ok(()),
        }
    }

    /// Long names take memory of their own.
    fn grow_by_name(&mut self, name: &str, line: u64) -> Result<(), PnmlError> {
        self.grow(name.len() as u64 / 64, line)
    }

    fn too_large(&self, line: u64) -> PnmlError {
        let most = self.limits.unfolded_max();
        let what = format!(
            "unfolding the net takes more than the limit of {most} nodes, arcs and bindings"
        );
        PnmlError::at(line, what)
    }

    /// Returns the colours of a multiset with their numbers, in order.
    fn colours(
        &mut self,
        multiset: &Multiset,
        binding: &[u64],
        line: u64,
    ) -> Result<Vec<(u64, u64)>, PnmlError> {
        let mut all = Vec::new();
        let before = self.limits.unfolded_max().saturating_sub(self.size);
        let mut left = before;
        let evaluated = multiset.add_to(1, binding, &mut left, &mut all);
        self.size += before - left;
        let sums = evaluated.and_then(|()| added_up(all));
        let sums = sums.map_err(|e| match e {
            TooLarge::Number => PnmlError::at(line, "a number of tokens is too large"),
            TooLarge::Evaluation => self.too_large(line),
        })?;
        let some = sums.into_iter().filter(|(_, n)| *n > 0);
        some.map(|(colour, n)| Ok((colour, checked(n, line, self.limits)?)))
            .collect()
    }

    /// Adds a transition for each binding of the variables that satisfies the condition.
    pub fn add(
        &mut self,
        transition: &ColouredTransition,
        variables: &[(&str, usize)],
    ) -> Result<(), PnmlError> {
        // The parts of the condition, by the number of variables that must be bound before.
        let mut conditions: Vec<Vec<Condition>> = vec![Vec::new(); variables.len() + 1];
        for part in transition
            .condition
            .clone()
            .into_iter()
            .flat_map(Condition::parts)
        {
            let bound = part.variable_max().map_or(0, |last| last + 1);
            conditions[bound].push(part);
        }
        // Long conditions take time of their own.
        let costs: Vec<u64> = (conditions.iter())
            .map(|parts| 1 + parts.iter().map(Condition::terms).sum::<u64>() / 16)
            .collect();
        let holds = |bound: usize, binding: &[u64]| {
            conditions[bound].iter().all(|part| part.holds(binding))
        };
        let mut binding = vec![0; variables.len()];
        if !holds(0, &binding) {
            return Ok(());
        }
        if variables.is_empty() {
            return self.bound(transition, variables, &binding);
        }
        // The variables before `at` are bound, and the value of that at `at` is tried next.
        let mut at = 0;
        loop {
            if binding[at] == self.sorts.size(variables[at].1) {
                if at == 0 {
                    return Ok(());
                }
                binding[at] = 0;
                at -= 1;
                binding[at] += 1;
                continue;
            }
            self.grow(costs[at + 1], transition.line)?;
            if !holds(at + 1, &binding) {
                binding[at] += 1;
            } else if at + 1 < variables.len() {
                at += 1;
            } else {
                self.bound(transition, variables, &binding)?;
                binding[at] += 1;
            }
        }
    }

    fn bound(
        &mut self,
        transition: &ColouredTransition,
        variables: &[(&str, usize)],
        binding: &[u64],
    ) -> Result<(), PnmlError> {
        let arcs = |unfolding: &mut Self, arcs: &[ColouredArc]| -> Result<Vec<_>, PnmlError> {
            let mut all = Vec::new();
            for arc in arcs {
                for (colour, n) in unfolding.colours(&arc.tokens, binding, arc.line)? {
                    all.push((PlaceIx(unfolding.first[arc.place] + colour as u32), n));
                }
            }
            Ok(all)
        };
        let (inputs, outputs) = (
            arcs(self, &transition.inputs)?,
            arcs(self, &transition.outputs)?,
        );
        self.grow((inputs.len() + outputs.len()) as u64, transition.line)?;
        let mut name = transition.id.clone();
        for (i, ((id, sort), value)) in variables.iter().zip(binding).enumerate() {
            name.push(if i == 0 { '(' } else { ',' });
            name.push_str(id);
            name.push('=');
            self.sorts.name(*sort, *value, &mut name);
        }
        if !variables.is_empty() {
            name.push(')');
        }
        self.grow_by_name(&name, transition.line)?;
        self.net.transition(name, inputs, outputs);
        Ok(())
    }
}
