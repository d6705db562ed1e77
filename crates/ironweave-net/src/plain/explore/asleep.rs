//! Which firings the search leaves out, because firing the same transitions in another order leads to the same marking.
//!
//! Let the search have reached a marking `s` first by firing `t` on a marking `p`. It leaves out `u` on `s` if
//! - `u` comes before `t` in the net,
//! - `u` is enabled on `p`, and
//! - `t` is enabled after `u` is fired on `p`.
//!
//! Firing `u` and then `t` on `p` then leads to the same marking as firing `u` on `s`. In a net whose transitions are mostly
//! independent of each other, all markings are found with one or two firings each, instead of one for each enabled transition.
//!
//! No marking is missed, and each is reached with the fewest firings. Assume that all markings at distances below `d` are, and let `x` be at
//! distance `d`. Then `x` is a successor of markings at distance `d - 1`. Take of all transitions that lead from one of these to `x`
//! a last one in the order of the net, `u`, from `s`. If it is left out, then `s` was reached by firing some `t` on some `p`, and `p` is at
//! distance `d - 2`. Firing `u` on `p` leads to a marking `q` from which `t` leads to `x`. The distance of `q` is `d - 1`, because it is
//! at most that, and `x` is not nearer than `d`. So `t` leads from a marking at distance `d - 1` to `x`, and it comes after `u`, which
//! contradicts that `u` is a last one. The proof does not depend on which of several firings reached a marking first, so it holds for
//! threads that race.
//!
//! These are sleep sets (P. Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter 5) that are not
//! passed on from marking to marking. Those that are passed on need a depth-first search, or must be kept with each marking.

use super::layout::{Home, Layout};
use crate::plain::{Net, PlaceIx};

/// How many words all sets may have together. If they would have more, no firing is left out.
const SETS_WORDS_MAX: usize = 1 << 22;
/// How long all lists of pairs that depend on the marking may be together.
const PAIRS_MAX: usize = 1 << 22;

/// For each transition which others are left out after it was fired, if they are enabled. Transitions have the positions that they have
/// in the kernel.
pub(super) struct Asleep {
    set_words: usize,
    /// For each transition the set of those that are left out on each marking that it leads to. Empty if there are too many.
    always: Vec<u64>,
    /// For each transition those that are left out only if there were enough tokens for both.
    perhaps: Vec<Vec<u32>>,
}

impl Asleep {
    /// `of_net` has the positions of the transitions in the net, and `reads` for each place the transitions that consume its tokens.
    pub fn new(net: &Net, layout: &Layout, of_net: &[u32], reads: &[Vec<u32>]) -> Self {
        let set_words = of_net.len().div_ceil(64).max(1);
        if of_net.len() * set_words > SETS_WORDS_MAX {
            return Self {
                set_words,
                always: Vec::new(),
                perhaps: Vec::new(),
            };
        }
        let effects: Vec<_> = (of_net.iter())
            .map(|at| net.transitions[*at as usize].effect())
            .collect();
        let mut lowers: Vec<Vec<u32>> = vec![Vec::new(); net.places.len()];
        for (effect, t) in effects.iter().zip(0..) {
            for (place, _) in effect.iter().filter(|(_, n)| *n < 0) {
                lowers[place.0 as usize].push(t);
            }
        }
        let mut always = vec![0; of_net.len() * set_words];
        let mut perhaps = Vec::with_capacity(of_net.len());
        let mut pairs_left = PAIRS_MAX;
        let sets = always.chunks_exact_mut(set_words);
        for (((set, effect), at), t) in sets.zip(&effects).zip(of_net).zip(0u32..) {
            for u in 0..t {
                set[u as usize / 64] |= 1 << (u % 64);
            }
            // The transitions that may disable this one, and those that it may have enabled.
            let inputs = net.transitions[*at as usize].inputs.iter();
            let disabling = inputs.map(|(place, _)| (*place, &lowers[place.0 as usize]));
            let raised = effect.iter().filter(|(_, n)| *n > 0);
            let enabled = raised.map(|(place, _)| (*place, &reads[place.0 as usize]));
            let mut meets: Vec<(u32, bool)> = Vec::new();
            for (place, others) in disabling.chain(enabled) {
                let before = others.iter().copied().take_while(|u| *u < t);
                meets.extend(before.map(|u| (u, has_one_token(layout, place))));
            }
            for (u, _) in &meets {
                set[*u as usize / 64] &= !(1 << (u % 64));
            }
            // A place with at most one token has none for both.
            meets.sort_unstable_by_key(|(u, for_one)| (*u, !for_one));
            meets.dedup_by_key(|(u, _)| *u);
            meets.retain(|(_, for_one)| !for_one);
            meets.truncate(pairs_left);
            pairs_left -= meets.len();
            perhaps.push(meets.into_iter().map(|(u, _)| u).collect());
        }
        Self {
            set_words,
            always,
            perhaps,
        }
    }

    /// Returns the set of the transitions that are left out on each marking that a transition leads to, and the list of those for which
    /// the marking decides.
    #[inline]
    pub fn after(&self, t: u32) -> (&[u64], &[u32]) {
        let from = t as usize * self.set_words;
        match self.always.get(from..from + self.set_words) {
            Some(always) => (always, &self.perhaps[t as usize]),
            None => (&[], &[]),
        }
    }
}

/// Whether a place has at most one token.
fn has_one_token(layout: &Layout, place: PlaceIx) -> bool {
    match layout.homes[place.0 as usize] {
        Home::OneOf { .. } => true,
        Home::Count(field) => field.bits == 1,
        Home::Guarded(_) | Home::Constant(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::Structure;
    use super::super::kernel::{Kernel, Marking, NO_TRANSITION};
    use super::super::tests::{Random, philosophers, random_net};
    use super::*;

    const W: usize = 2;

    /// Returns the markings at each distance up to that at which there are more than 1,200, and how many firings were needed, or `None`
    /// if a place gets too many tokens. The order of the markings of a level and of the transitions is random, so any of several firings reaches a marking first.
    fn levels(
        net: &Net,
        leave_out: bool,
        random: &mut Random,
    ) -> Option<(Vec<BTreeSet<Marking<W>>>, usize)> {
        let structure = Structure::of(net);
        let layout = Layout::new(net, &structure, &vec![3; net.places.len()]).unwrap();
        let kernel = Kernel::<W>::new(net, &layout);
        let mut initial = [0; W];
        let packed = layout.pack(|place| net.places[place.0 as usize].tokens);
        initial[..packed.len()].copy_from_slice(&packed);
        let mut known = BTreeSet::from([initial]);
        let mut level = BTreeMap::from([(initial, NO_TRANSITION)]);
        let (mut levels, mut firings) = (Vec::new(), 0);
        let mut set = vec![0; kernel.set_words];
        while !level.is_empty() && known.len() < 1_200 {
            levels.push(level.keys().copied().collect());
            let mut tried = Vec::new();
            for (marking, fired) in std::mem::take(&mut level) {
                kernel.enabled(&marking, &mut set);
                if leave_out {
                    kernel.leave_out(fired, &marking, &mut set);
                }
                let to_fire = (0..64 * set.len() as u32)
                    .filter(|t| set[*t as usize / 64] >> (t % 64) & 1 == 1);
                for t in to_fire {
                    tried.push((kernel.fire(t, &marking)?, t));
                }
            }
            firings += tried.len();
            for at in (1..tried.len()).rev() {
                tried.swap(at, random.below(at as u64 + 1) as usize);
            }
            for (next, t) in tried {
                if known.insert(next) {
                    level.insert(next, t);
                }
            }
        }
        Some((levels, firings))
    }

    #[test]
    fn each_marking_is_reached_at_its_distance() {
        let mut random = Random(7);
        let (mut with, mut without, mut explored) = (0, 0, 0);
        for seed in 0..1_000 {
            let net = random_net(seed);
            if net.places.len() > 20 {
                continue;
            }
            let Some((expected, all)) = levels(&net, false, &mut random) else {
                continue;
            };
            let (found, some) = levels(&net, true, &mut random).unwrap();
            assert_eq!(found, expected, "seed {seed}");
            explored += 1;
            with += some;
            without += all;
        }
        assert!(explored > 100, "{explored}");
        assert!(3 * with < 2 * without, "{with} of {without}");
    }

    fn firings(net: &Net) -> (usize, usize) {
        let (levels, firings) = levels(net, true, &mut Random(1)).unwrap();
        (levels.iter().map(BTreeSet::len).sum(), firings)
    }

    #[test]
    fn independent_transitions_reach_each_marking_once() {
        let mut net = Net::default();
        for i in 0..5 {
            let (a, b) = (net.place(format!("a{i}"), 3), net.place(format!("b{i}"), 0));
            net.transition(format!("t{i}"), [(a, 1)], [(b, 1)]);
        }
        assert_eq!(firings(&net), (1_024, 1_023));
        assert!(firings(&philosophers(6)).1 < 2 * 729);
    }

    #[test]
    fn transitions_that_share_tokens_are_left_out_if_there_are_enough() {
        let mut net = Net::default();
        let pool = net.place("pool", 3);
        for i in 0..2 {
            let taken = net.place(format!("taken{i}"), 0);
            net.transition(format!("take{i}"), [(pool, 1)], [(taken, 1)]);
        }
        assert_eq!(firings(&net), (10, 9));
    }
}
