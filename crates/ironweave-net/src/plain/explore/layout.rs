//! How a marking is packed into words: places of which at most one has a token share a number, and other places have as many
//! bits as their tokens need.

use std::collections::BinaryHeap;

use super::ExploreError;
use crate::plain::invariants::invariants;
use crate::plain::{Net, PlaceIx};

/// How many rows the computation of invariants may have, if the net does not have more places.
const ROWS_MAX: usize = 1_000;
/// How many transitions a net may have for its invariants to be computed.
const TRANSITIONS_MAX: usize = 20_000;

/// A range of bits in a packed marking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub word: usize,
    pub shift: u32,
    pub bits: u32,
}

impl Field {
    /// The largest number that the field holds.
    pub fn max(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    pub fn mask(self) -> u64 {
        self.max() << self.shift
    }

    pub fn get(self, marking: &[u64]) -> u64 {
        (marking[self.word] >> self.shift) & self.max()
    }
}

/// Where the tokens of a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// The place always has this number of tokens.
    Constant(u64),
    /// The place has a token if the field has this number. The places of a field are never marked at the same time.
    OneOf { field: Field, code: u64 },
    /// The field is the number of tokens.
    Count(Field),
    /// As `Count`, with a bit above the field that is set if the number has become too large.
    Guarded(Field),
}

/// The packing of the markings of a net.
#[derive(Debug)]
pub(super) struct Layout {
    pub homes: Vec<Home>,
    /// For each transition whether it may fire at all.
    pub live: Vec<bool>,
    pub words: usize,
    /// The bits of all guards, by word.
    pub guards: Vec<u64>,
}

/// What is known of a net before it is explored, from its structure.
pub(super) struct Structure {
    live: Vec<bool>,
    changing: Vec<bool>,
    /// Sets of places of which exactly one has a token.
    one_of: Vec<Vec<PlaceIx>>,
    /// The most tokens that a place can have, if an invariant bounds it.
    bounds: Vec<Option<u64>>,
}

impl Structure {
    pub fn of(net: &Net) -> Self {
        let live = live_transitions(net);
        let mut changing = vec![false; net.places.len()];
        for (transition, _) in net.transitions.iter().zip(&live).filter(|(_, live)| **live) {
            for (place, _) in transition.effect() {
                changing[place.0 as usize] = true;
            }
        }
        let mut bounds = vec![None; net.places.len()];
        let mut one_of = Vec::new();
        if net.transitions.len() <= TRANSITIONS_MAX {
            let reduced = Net {
                places: net.places.clone(),
                transitions: (net.transitions.iter().zip(&live))
                    .filter(|(_, live)| **live)
                    .map(|(transition, _)| transition.clone())
                    .collect(),
            };
            let (ones, _) = invariants(&reduced, ROWS_MAX, Some(1));
            let (all, _) = invariants(&reduced, ROWS_MAX, None);
            for found in ones.iter().chain(&all) {
                for &(place, weight) in &found.weights {
                    let bound = &mut bounds[place.0 as usize];
                    let most = found.total / weight;
                    *bound = Some(bound.map_or(most, |b: u64| b.min(most)));
                }
            }
            let ones = ones.into_iter().filter(|found| found.total == 1);
            one_of = ones
                .map(|found| found.weights.into_iter().map(|(p, _)| p).collect())
                .collect();
        }
        Self {
            live,
            changing,
            one_of,
            bounds,
        }
    }
}

/// Returns for each transition whether it could ever fire if firing consumed nothing.
fn live_transitions(net: &Net) -> Vec<bool> {
    let mut readers: Vec<Vec<(u32, u64)>> = vec![Vec::new(); net.places.len()];
    // How many inputs of each transition have too few tokens.
    let mut missing = vec![0u32; net.transitions.len()];
    for ((transition, missing), t) in net.transitions.iter().zip(&mut missing).zip(0..) {
        for &(place, n) in &transition.inputs {
            readers[place.0 as usize].push((t, n));
            *missing += u32::from(n > net.places[place.0 as usize].tokens);
        }
    }
    let mut live: Vec<bool> = missing.iter().map(|missing| *missing == 0).collect();
    let mut found: Vec<usize> = (0..live.len()).filter(|&t| live[t]).collect();
    while let Some(t) = found.pop() {
        for (place, change) in net.transitions[t].effect() {
            if change <= 0 {
                continue;
            }
            // It can fire again and again, so the place can have any number of tokens.
            for (reader, n) in std::mem::take(&mut readers[place.0 as usize]) {
                let reader = reader as usize;
                missing[reader] -= u32::from(n > net.places[place.0 as usize].tokens);
                if missing[reader] == 0 && !live[reader] {
                    live[reader] = true;
                    found.push(reader);
                }
            }
        }
    }
    live
}

fn bits_for(max: u64) -> u32 {
    64 - max.leading_zeros()
}

impl Layout {
    /// Returns a packing. Places that no invariant bounds get `guessed` bits each.
    ///
    /// # Errors
    /// If a marking takes more words than are supported.
    pub fn new(net: &Net, structure: &Structure, guessed: &[u32]) -> Result<Self, ExploreError> {
        let mut homes: Vec<Option<Home>> = (net.places.iter().zip(&structure.changing))
            .map(|(place, changing)| (!changing).then_some(Home::Constant(place.tokens)))
            .collect();
        // The fields with the places that they hold, before they have positions.
        let mut fields: Vec<(u32, Vec<(PlaceIx, Home)>)> = Vec::new();
        let nowhere = Field {
            word: 0,
            shift: 0,
            bits: 1,
        };
        let mut groups = Groups::of(&structure.one_of, &homes);
        while let Some((places, has_none)) = groups.next(&homes) {
            let codes = places.len() as u64 - u64::from(!has_none);
            let homes_of = places.iter().zip(u64::from(has_none)..).map(|(&p, code)| {
                let field = nowhere;
                homes[p.0 as usize] = Some(Home::OneOf { field, code });
                (p, Home::OneOf { field, code })
            });
            fields.push((bits_for(codes), homes_of.collect()));
        }
        for (at, home) in homes.iter().enumerate() {
            if home.is_some() {
                continue;
            }
            let place = PlaceIx(at as u32);
            match structure.bounds[at] {
                Some(bound) => {
                    fields.push((bits_for(bound).max(1), vec![(place, Home::Count(nowhere))]))
                }
                None => {
                    let bits = guessed[at].max(bits_for(net.places[at].tokens)).max(1);
                    fields.push((bits + 1, vec![(place, Home::Guarded(nowhere))]));
                }
            }
        }
        let least = (1 + fields.iter().map(|(bits, _)| *bits as usize).sum::<usize>()).div_ceil(64);
        if least > super::WORDS_MAX {
            return Err(ExploreError::TooWide {
                words: least,
                max: super::WORDS_MAX,
            });
        }
        // The highest bit of the first word is free, because the table tells roots from empty slots by it. All words have about the
        // same number of bits, and places that are beside each other in the net are probably in the same word, so that words occur in
        // many markings.
        fields.sort_by_key(|(_, places)| places.iter().map(|(place, _)| *place).min());
        let total: u32 = fields.iter().map(|(bits, _)| bits).sum();
        let share = total.div_ceil(least as u32);
        let mut used: Vec<u32> = vec![1];
        let mut guards = vec![0];
        for (bits, places) in fields {
            let last = used.len() - 1;
            if used[last] + bits > 64 || used[last] > share && used.len() < least {
                used.push(0);
                guards.push(0);
            }
            let word = used.len() - 1;
            let base = if word == 0 { 1 } else { 0 };
            let shift = used[word] - base;
            used[word] += bits;
            for (place, home) in places {
                let field = Field { word, shift, bits };
                homes[place.0 as usize] = Some(match home {
                    Home::OneOf { code, .. } => Home::OneOf { field, code },
                    Home::Guarded(_) => {
                        guards[word] |= 1 << (shift + bits - 1);
                        Home::Guarded(Field {
                            bits: bits - 1,
                            ..field
                        })
                    }
                    Home::Count(_) | Home::Constant(_) => Home::Count(field),
                });
            }
        }
        Ok(Self {
            homes: (homes.into_iter().zip(&net.places))
                .map(|(home, place)| home.unwrap_or(Home::Constant(place.tokens)))
                .collect(),
            live: structure.live.clone(),
            words: used.len(),
            guards,
        })
    }

    /// Returns the tokens of a place in a packed marking.
    pub fn tokens(&self, place: PlaceIx, marking: &[u64]) -> u64 {
        match self.homes[place.0 as usize] {
            Home::Constant(tokens) => tokens,
            Home::OneOf { field, code } => u64::from(field.get(marking) == code),
            Home::Count(field) | Home::Guarded(field) => field.get(marking),
        }
    }

    /// Packs a marking.
    pub fn pack(&self, tokens: impl Fn(PlaceIx) -> u64) -> Vec<u64> {
        let mut marking = vec![0; self.words];
        for (home, at) in self.homes.iter().zip(0..) {
            let tokens = tokens(PlaceIx(at));
            match *home {
                Home::Constant(_) => {}
                Home::OneOf { field, code } => {
                    marking[field.word] |= (code * tokens.min(1)) << field.shift;
                }
                Home::Count(field) | Home::Guarded(field) => {
                    marking[field.word] |= tokens << field.shift;
                }
            }
        }
        marking
    }
}

/// Sets of places of which exactly one has a token, by how many bits they save.
struct Groups<'s> {
    groups: &'s [Vec<PlaceIx>],
    /// What each saved when it was last looked at. It saves less when its places get homes in other groups.
    by_saved: BinaryHeap<(u32, usize)>,
}

impl<'s> Groups<'s> {
    fn of(groups: &'s [Vec<PlaceIx>], homes: &[Option<Home>]) -> Self {
        let saved = |(at, group): (usize, &Vec<PlaceIx>)| (saved_by(&rest_of(group, homes)), at);
        Self {
            groups,
            by_saved: groups.iter().enumerate().map(saved).collect(),
        }
    }

    /// Takes the set of places that saves the most bits, without the places that have a home already. The second value is whether
    /// possibly none of them is marked.
    fn next(&mut self, homes: &[Option<Home>]) -> Option<(Vec<PlaceIx>, bool)> {
        while let Some((before, at)) = self.by_saved.pop() {
            let rest = rest_of(&self.groups[at], homes);
            match saved_by(&rest) {
                0 => {}
                saved if saved == before => return Some(rest),
                saved => self.by_saved.push((saved, at)),
            }
        }
        None
    }
}

fn rest_of(group: &[PlaceIx], homes: &[Option<Home>]) -> (Vec<PlaceIx>, bool) {
    let free = |place: &&PlaceIx| homes[place.0 as usize].is_none();
    let free: Vec<PlaceIx> = group.iter().filter(free).copied().collect();
    let has_none = free.len() < group.len();
    (free, has_none)
}

fn saved_by((places, has_none): &(Vec<PlaceIx>, bool)) -> u32 {
    let codes = (places.len() as u64).saturating_sub(u64::from(!has_none));
    (places.len() as u32).saturating_sub(bits_for(codes))
}
