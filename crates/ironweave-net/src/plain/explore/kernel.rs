//! The transitions of a net, compiled for packed markings.

use super::asleep::Asleep;
use super::layout::{Field, Home, Layout};
use crate::plain::{Net, PlaceIx};

/// A packed marking.
pub(super) type Marking<const W: usize> = [u64; W];

/// In the place of the transition that led to the initial marking.
pub(super) const NO_TRANSITION: u32 = u32::MAX;

/// How long all lists of the transitions that a firing may enable or disable may be together.
const AFFECTS_MAX: usize = 1 << 26;

/// A transition on packed markings.
struct Firing<const W: usize> {
    /// It is enabled only if these bits have these values.
    mask: Marking<W>,
    value: Marking<W>,
    /// And only if these fields are at least as large.
    at_least: Vec<(Field, u64)>,
    /// What a firing adds to each word.
    delta: Marking<W>,
    /// Whether a firing may set a guard.
    grows: bool,
    /// By how much a firing changes the number of tokens.
    tokens: i64,
    /// The transitions that a firing may enable or disable, or `None` if these lists would take too much memory.
    affects: Option<Vec<u32>>,
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
        Self::with_lists(net, layout, AFFECTS_MAX)
    }

    pub(super) fn with_lists(net: &Net, layout: &Layout, affects_max: usize) -> Self {
        let mut of_net = Vec::new();
        let mut firings: Vec<Firing<W>> = Vec::new();
        let mut reads: Vec<Vec<u32>> = vec![Vec::new(); net.places.len()];
        let mut changes: Vec<Vec<PlaceIx>> = Vec::new();
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
            changes.push(effect.into_iter().map(|(place, _)| place).collect());
            of_net.push(at);
            firings.push(firing);
        }
        let mut left = affects_max;
        for (firing, changed) in firings.iter_mut().zip(changes) {
            let lists = || changed.iter().map(|place| &reads[place.0 as usize]);
            if lists().map(Vec::len).sum::<usize>() > left {
                continue;
            }
            let mut affects: Vec<u32> = lists().flatten().copied().collect();
            affects.sort_unstable();
            affects.dedup();
            affects.shrink_to_fit();
            left -= affects.len();
            firing.affects = Some(affects);
        }
        Self {
            conserves_tokens: firings.iter().all(|firing| firing.tokens == 0),
            set_words: firings.len().div_ceil(64).max(1),
            asleep: Asleep::new(net, layout, &of_net, &reads),
            firings,
            of_net,
            guards: widened(&layout.guards),
        }
    }

    fn is_enabled(&self, t: usize, marking: &Marking<W>) -> bool {
        let firing = &self.firings[t];
        let mut differs = 0;
        for ((word, mask), value) in marking.iter().zip(&firing.mask).zip(&firing.value) {
            differs |= (word & mask) ^ value;
        }
        differs == 0 && (firing.at_least.iter()).all(|&(field, least)| field.get(marking) >= least)
    }

    /// Writes the set of the transitions that are enabled.
    pub fn enabled(&self, marking: &Marking<W>, set: &mut [u64]) {
        set.fill(0);
        for t in 0..self.firings.len() {
            set[t / 64] |= u64::from(self.is_enabled(t, marking)) << (t % 64);
        }
    }

    /// Makes the set of enabled transitions of a marking from that of the marking before a firing.
    pub fn enabled_after(&self, t: u32, marking: &Marking<W>, set: &mut [u64]) {
        let Some(affects) = &self.firings[t as usize].affects else {
            return self.enabled(marking, set);
        };
        for &other in affects {
            let other = other as usize;
            let enabled = u64::from(self.is_enabled(other, marking));
            let word = &mut set[other / 64];
            *word = *word & !(1 << (other % 64)) | enabled << (other % 64);
        }
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
        affects: None,
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
