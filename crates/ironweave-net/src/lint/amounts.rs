//! How many entities a path reaches at least and at most, and the counts and choices that this rules out.

use ironweave_schema::{BindBy, Cardinality, Path};

use crate::{Amount, Inscription, PlaceIx, Read, Take, Tokens};

use super::States;
use super::reach::{Reach, existed, is_new};

/// The least and the most entities; no most if it is not bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    min: u64,
    max: Option<u64>,
}

impl Range {
    const NONE: Self = Self {
        min: 0,
        max: Some(0),
    };

    /// Whether all conditions hold of some number in the range. A condition on a value may hold.
    fn has(self, amounts: &[&Amount]) -> bool {
        // Between two of these numbers, the conditions do not tell the numbers apart.
        let literals = amounts.iter().filter_map(|amount| amount.number.literal);
        let near = literals.flat_map(|n| [n.saturating_sub(1), n, n.saturating_add(1)]);
        let near = near.filter_map(|n| u64::try_from(n).ok());
        let mut numbers = near.chain([self.min]).chain(self.max);
        numbers.any(|n| {
            let is_within = n >= self.min && self.max.is_none_or(|max| n <= max);
            is_within && amounts.iter().all(|of| of.holds(n) != Some(false))
        })
    }
}

impl Reach<'_> {
    /// Returns why a transition never finds as many entities as it counts or chooses, with the places that are marked so far.
    pub(super) fn never_enough(&self, at: usize) -> Option<String> {
        self.never_counted(at).or_else(|| self.never_chosen(at))
    }

    fn never_counted(&self, at: usize) -> Option<String> {
        let transition = &self.net.transitions[at];
        let counted = |read: &&Read| read.inscription == Inscription::Counted;
        let reads: Vec<&Read> = transition.reads.iter().filter(counted).collect();
        reads.iter().find_map(|read| {
            let Tokens::Entities(path) = &read.tokens else {
                return None;
            };
            let same = reads
                .iter()
                .filter(|other| (&other.tokens, &other.places) == (&read.tokens, &read.places));
            let amounts: Vec<&Amount> = same.filter_map(|read| read.amount.as_ref()).collect();
            let range = self.range(at, path, &read.places);
            if range.has(&amounts) {
                return None;
            }
            let texts = amounts.iter().map(|amount| amount.text());
            let texts = texts.collect::<Vec<_>>().join(" and ");
            let counted = self.net.counted_text(transition, read);
            let why = match range {
                Range { min: 0, max: None } => String::new(),
                Range {
                    min: 0,
                    max: Some(max),
                } => format!(": there are at most {max}"),
                Range { min, max: None } => format!(": there are at least {min}"),
                Range {
                    min,
                    max: Some(max),
                } if min == max => format!(": there are always {min}"),
                Range {
                    min,
                    max: Some(max),
                } => format!(": there are {min} to {max}"),
            };
            Some(format!("`{counted} {texts}` never holds{why}"))
        })
    }

    fn never_chosen(&self, at: usize) -> Option<String> {
        let transition = &self.net.transitions[at];
        transition.choices.iter().find_map(|choice| {
            let path = choice.from.as_ref()?;
            let needed = match &choice.take {
                Take::One => 1,
                Take::Exactly(number) => number.literal?,
                Take::UpTo(_) => return None,
            };
            let max = self.range(at, path, &choice.places).max?;
            if i128::from(max) >= needed {
                return None;
            }
            let text = self.net.path_text(transition, path);
            let states = self.net.states_text(&choice.places);
            Some(match max {
                0 => format!("it chooses one of `{text}` in {states}, and there never is one"),
                _ => format!("it chooses {needed} of `{text}`, and there are at most {max}"),
            })
        })
    }

    /// Returns how many entities a path reaches that are in some places.
    fn range(&self, at: usize, path: &Path, places: &[PlaceIx]) -> Range {
        let transition = &self.net.transitions[at];
        let root = &transition[path.root];
        let literal = |number: Option<i128>| number.and_then(|n| u64::try_from(n).ok());
        let mut range = match (root.count, transition.choice(path.root).map(|c| &c.take)) {
            (_, Some(Take::Exactly(number))) => {
                let literal = literal(number.literal);
                Range {
                    min: literal.unwrap_or(0),
                    max: literal,
                }
            }
            (_, Some(Take::UpTo(number))) => Range {
                min: 0,
                max: literal(number.literal),
            },
            (Cardinality::One, _) => Range {
                min: 1,
                max: Some(1),
            },
            (Cardinality::Option, _) => Range {
                min: 0,
                max: Some(1),
            },
            (Cardinality::Many, _) => Range { min: 0, max: None },
        };
        if path.hops.is_empty() && is_new(root) {
            // Its state is considered elsewhere.
            return Range { min: 0, ..range };
        }
        // Nothing is linked with a new entity before the arcs act.
        if !path.hops.is_empty() && root.by == BindBy::Created || !self.may_reach(at, path) {
            return Range::NONE;
        }
        for hop in &path.hops {
            let end = self.net[hop.edge].near(*hop);
            // Different entities may lead to the same ones.
            let may_be_new = !existed(transition, root);
            range.min = match range.min == 0 || may_be_new {
                true => 0,
                false => u64::from(end.min),
            };
            let max = end.max.map(u64::from);
            range.max = range.max.zip(max).map(|(n, max)| n.saturating_mul(max));
        }
        let entity = self.net.reached(transition, path);
        let states: States = match self.path(at, path) {
            Some(of) => of.states.clone(),
            None => self.net[entity].states.iter().copied().collect(),
        };
        let possible = self.marked_of(&states);
        if !places.iter().any(|place| possible.contains(place)) {
            return Range::NONE;
        }
        if !possible.iter().all(|place| places.contains(place)) {
            range.min = 0;
        }
        range
    }
}
