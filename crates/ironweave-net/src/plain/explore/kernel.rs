//! The transitions of a net, compiled for packed markings.

use super::asleep::Asleep;
use super::enabling::{Enabling, TABLES_WORDS_MAX};
use super::layout::{Field, Home, Layout};
use crate::plain::Net;

/// A packed marking.
pub(super) type Marking<const W: usize> = [u64; W];

/// In the place of the transition that led to the initial marking.
pub(super) const NO_TRANSITION: u32 = u32::MAX;

/// A transition on packed markings.
pub(super) struct Firing<const W: usize> {
    /// It is enabled only if these bits have these values.
    pub mask: Marking<W>,
    pub value: Marking<W>,
    /// And only if these fields are at least as large.
    pub at_least: Vec<(Field, u64)>,
    /// What a firing adds to each word.
    delta: Marking<W>,
    /// Whether a firing may set a guard.
    grows: bool,
    /// By how much a firing changes the number of tokens.
    tokens: i64,
    /// The fields that a firing makes larger.
    raises: Vec<Field>,
    /// Whether a firing gives a token to a place that has at most one.
    marks: bool,
}

/// All live transitions of a net, on packed markings of `W` words.
pub(super) struct Kernel<const W: usize> {
    firings: Vec<Firing<W>>,
    /// The positions of the transitions in the net.
    pub of_net: Vec<u32>,
    guards: Marking<W>,
    enabling: Enabling,
    asleep: Asleep,
    pub conserves_tokens: bool,
    /// How many words a set of transitions has.
    pub set_words: usize,
}

fn widened<const W: usize>(words: &[u64]) -> Marking<W> {
    let mut all = [0; W];
    all[..words.len()].copy_from_slice(words);
    all
}

impl<const W: usize> Kernel<W> {
    pub fn new(net: &Net, layout: &Layout) -> Self {
        Self::with_tables(net, layout, TABLES_WORDS_MAX)
    }

    /// Makes tables of so many words at most.
    pub(super) fn with_tables(net: &Net, layout: &Layout, words_max: usize) -> Self {
        let mut of_net = Vec::new();
        let mut firings: Vec<Firing<W>> = Vec::new();
        let mut reads: Vec<Vec<u32>> = vec![Vec::new(); net.places.len()];
        let live = net.transitions.iter().zip(&layout.live).zip(0..);
        for ((transition, _), at) in live.filter(|((_, live), _)| **live) {
            let Some(mut firing) = compiled(transition, layout) else {
                continue;
            };
            let effect = transition.effect();
            let change: i128 = effect.iter().map(|(_, n)| n).sum();
            // A firing that changes more tokens than 64 bits count exceeds the fields of its places.
            firing.tokens = change.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            for &(place, _) in &transition.inputs {
                reads[place.0 as usize].push(firings.len() as u32);
            }
            of_net.push(at);
            firings.push(firing);
        }
        Self {
            conserves_tokens: firings.iter().all(|firing| firing.tokens == 0),
            set_words: firings.len().div_ceil(64).max(1),
            enabling: Enabling::new(&firings, words_max),
            asleep: Asleep::new(net, layout, &of_net, &reads),
            firings,
            of_net,
            guards: widened(&layout.guards),
        }
    }

    pub(super) fn is_enabled(&self, t: usize, marking: &Marking<W>) -> bool {
        let firing = &self.firings[t];
        let mut differs = 0;
        for ((word, mask), value) in marking.iter().zip(&firing.mask).zip(&firing.value) {
            differs |= (word & mask) ^ value;
        }
        differs == 0 && (firing.at_least.iter()).all(|&(field, least)| field.get(marking) >= least)
    }

    /// Writes the set of the transitions that are enabled.
    #[inline]
    pub fn enabled(&self, marking: &Marking<W>, set: &mut [u64]) {
        (self.enabling).enabled(marking, set, |t| self.is_enabled(t, marking));
    }

    /// Removes from the set of enabled transitions of a marking those that need not be fired on it, because the search reached it first
    /// by firing `t`.
    pub fn leave_out(&self, t: u32, marking: &Marking<W>, set: &mut [u64]) {
        if t == NO_TRANSITION {
            return;
        }
        let (always, perhaps) = self.asleep.after(t);
        for (word, asleep) in set.iter_mut().zip(always) {
            *word &= !asleep;
        }
        if perhaps.is_empty() {
            return;
        }
        let mut before = *marking;
        for (word, delta) in before.iter_mut().zip(&self.firings[t as usize].delta) {
            *word = word.wrapping_sub(*delta);
        }
        for &u in perhaps {
            let at = u as usize;
            let is_set = set[at / 64] >> (at % 64) & 1 == 1;
            if is_set
                && self.is_enabled(at, &before)
                && (self.fire(u, &before)).is_some_and(|other| self.is_enabled(t as usize, &other))
            {
                set[at / 64] &= !(1 << (at % 64));
            }
        }
    }

    /// Returns the marking after a firing, or `None` if a place has more tokens than its field can hold.
    #[inline]
    pub fn fire(&self, t: u32, marking: &Marking<W>) -> Option<Marking<W>> {
        let firing = &self.firings[t as usize];
        let mut next = *marking;
        for (word, delta) in next.iter_mut().zip(&firing.delta) {
            *word = word.wrapping_add(*delta);
        }
        let mut guards = next.iter().zip(&self.guards);
        if firing.grows && guards.any(|(word, guard)| word & guard != 0) {
            return None;
        }
        Some(next)
    }

    /// Returns by how much a firing changes the number of all tokens.
    #[inline]
    pub fn tokens(&self, t: u32) -> i64 {
        self.firings[t as usize].tokens
    }

    /// Returns the most tokens in one of the places that a firing gave tokens.
    #[inline]
    pub fn most_after(&self, t: u32, marking: &Marking<W>) -> u64 {
        let firing = &self.firings[t as usize];
        let raised = firing.raises.iter().map(|field| field.get(marking));
        raised.fold(u64::from(firing.marks), u64::max)
    }
}

/// Returns the transition on packed markings, or `None` if it can never fire.
fn compiled<const W: usize>(
    transition: &crate::plain::Transition,
    layout: &Layout,
) -> Option<Firing<W>> {
    let mut firing = Firing {
        mask: [0; W],
        value: [0; W],
        at_least: Vec::new(),
        delta: [0; W],
        grows: false,
        tokens: 0,
        raises: Vec::new(),
        marks: false,
    };
    for &(place, tokens) in &transition.inputs {
        match layout.homes[place.0 as usize] {
            Home::Constant(has) if has < tokens => return None,
            Home::Constant(_) => {}
            Home::OneOf { field, code } => {
                let value = code << field.shift;
                let known = firing.mask[field.word] & field.mask() != 0;
                if tokens > 1 || known && firing.value[field.word] & field.mask() != value {
                    return None;
                }
                firing.mask[field.word] |= field.mask();
                firing.value[field.word] |= value;
            }
            Home::Count(field) if field.bits == 1 => {
                if tokens > 1 {
                    return None;
                }
                firing.mask[field.word] |= field.mask();
                firing.value[field.word] |= field.mask();
            }
            Home::Count(field) | Home::Guarded(field) => {
                if tokens > field.max() {
                    // Wider fields are tried if the place is not bounded by an invariant.
                    if matches!(layout.homes[place.0 as usize], Home::Count(_)) {
                        return None;
                    }
                }
                firing.at_least.push((field, tokens));
            }
        }
    }
    for (place, change) in transition.effect() {
        let add = |delta: &mut Marking<W>, field: Field, n: u64| {
            let word = &mut delta[field.word];
            *word = word.wrapping_add(n << field.shift);
        };
        let amount = change as i64 as u64;
        match layout.homes[place.0 as usize] {
            Home::Constant(_) => {}
            Home::OneOf { field, code } => {
                let n = if change > 0 {
                    code
                } else {
                    code.wrapping_neg()
                };
                add(&mut firing.delta, field, n);
                firing.marks |= change > 0;
            }
            Home::Count(field) => {
                add(&mut firing.delta, field, amount);
                if change > 0 && field.bits > 1 {
                    firing.raises.push(field);
                }
                firing.marks |= change > 0;
            }
            Home::Guarded(field) => {
                add(&mut firing.delta, field, amount);
                if change > 0 {
                    firing.raises.push(field);
                    firing.grows = true;
                }
            }
        }
    }
    Some(firing)
}
