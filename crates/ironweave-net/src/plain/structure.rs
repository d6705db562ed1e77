//! Siphons, traps and transition invariants: what the structure of a net says of its behaviour.
//!
//! A *siphon* is a set of places into which no transition puts a token without taking one out: once it is empty, it stays empty. A
//! *trap* is a set out of which no transition takes a token without putting one in: once it has a token, it keeps one. See T. Murata,
//! "Petri Nets: Properties, Analysis and Applications" (1989).

use std::collections::BTreeSet;

use crate::plain::places::Places;
use crate::plain::{Net, PlaceIx, Transition, TransitionIx, invariants};

/// How many steps the enumeration of siphons takes for each that it may return. A step reads about one number.
const STEPS_PER_SIPHON: u64 = 1_000_000;
/// How many steps it takes at all, which is some seconds.
const STEPS_MAX: u64 = 500_000_000;

/// A transition invariant: if each of its transitions fires as often as its weight, in whatever order, the marking is as before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TransitionInvariant {
    /// The transitions with their weights, in order of the transitions.
    pub weights: Vec<(TransitionIx, u64)>,
}

/// Finds the transition invariants of minimal support, and returns whether these are all. `rows_max` limits the computation as for
/// [`invariants`], whose algorithm it is, with places and transitions exchanged.
#[must_use]
pub fn transition_invariants(net: &Net, rows_max: usize) -> (Vec<TransitionInvariant>, bool) {
    let mut dual = Net::default();
    for transition in &net.transitions {
        dual.place(&*transition.name, 0);
    }
    let mut changes = vec![(Vec::new(), Vec::new()); net.places.len()];
    for (t, transition) in (0..).zip(&net.transitions) {
        for (place, n) in transition.effect() {
            let (takes, puts) = &mut changes[place.0 as usize];
            let of = if n < 0 { takes } else { puts };
            of.push((
                PlaceIx(t),
                u64::try_from(n.unsigned_abs()).unwrap_or(u64::MAX),
            ));
        }
    }
    for (place, (takes, puts)) in net.places.iter().zip(changes) {
        dual.transition(&*place.name, takes, puts);
    }
    let (found, complete) = invariants(&dual, rows_max, None);
    let of = |(place, n): (PlaceIx, u64)| (TransitionIx(place.0), n);
    let found = found.into_iter().map(|invariant| TransitionInvariant {
        weights: invariant.weights.into_iter().map(of).collect(),
    });
    (found.collect(), complete)
}

/// Finds minimal siphons, and returns whether these are all. A place that no transition puts a token into is a siphon of its own.
///
/// Their number may grow exponentially with the net, so at most `max` are returned, and the computation ends after some seconds.
///
/// ```
/// use ironweave_net::plain::{Net, siphons};
///
/// let mut net = Net::default();
/// let (free, held) = (net.place("free", 1), net.place("held", 0));
/// net.transition("take", [(free, 1)], [(held, 1)]);
/// net.transition("release", [(held, 1)], [(free, 1)]);
/// assert_eq!(siphons(&net, 10), (vec![vec![free, held]], true));
/// ```
#[must_use]
pub fn siphons(net: &Net, max: usize) -> (Vec<Vec<PlaceIx>>, bool) {
    let arcs = net.transitions.iter().map(|t| Flow {
        takes: places(&t.inputs),
        puts: places(&t.outputs),
    });
    minimal(net, arcs.collect(), max)
}

/// Finds minimal traps, as [`siphons`] finds siphons.
#[must_use]
pub fn traps(net: &Net, max: usize) -> (Vec<Vec<PlaceIx>>, bool) {
    // The traps of a net are the siphons of the net whose arcs are reversed.
    let arcs = net.transitions.iter().map(|t| Flow {
        takes: places(&t.outputs),
        puts: places(&t.inputs),
    });
    minimal(net, arcs.collect(), max)
}

/// Returns the largest trap among some places, which may be empty. O(places * arcs).
#[must_use]
pub fn largest_trap(net: &Net, among: &[PlaceIx]) -> Vec<PlaceIx> {
    let mut trap: BTreeSet<PlaceIx> = among.iter().copied().collect();
    loop {
        let len = trap.len();
        for transition in &net.transitions {
            if !transition.outputs.iter().any(|(p, _)| trap.contains(p)) {
                for (place, _) in &transition.inputs {
                    trap.remove(place);
                }
            }
        }
        if trap.len() == len {
            return trap.into_iter().collect();
        }
    }
}

/// Returns whether the net is a free-choice net: all weights are 1, and transitions with a common input place have the same input
/// places. O(size of the net).
#[must_use]
pub fn is_free_choice(net: &Net) -> bool {
    let mut inputs_of: Vec<Option<&Transition>> = vec![None; net.places.len()];
    is_ordinary(net)
        && net.transitions.iter().all(|transition| {
            transition.inputs.iter().all(|(place, _)| {
                let first = inputs_of[place.0 as usize].get_or_insert(transition);
                first.inputs == transition.inputs
            })
        })
}

/// Returns whether all weights of arcs are 1.
fn is_ordinary(net: &Net) -> bool {
    let arcs = net
        .transitions
        .iter()
        .flat_map(|t| t.inputs.iter().chain(&t.outputs));
    arcs.into_iter().all(|(_, weight)| *weight == 1)
}

/// What Commoner's property shows: that each siphon has a trap with a token in the initial marking, so that no siphon becomes empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Commoner {
    /// The net is a free-choice net with the property: from each reachable marking, each transition can fire again.
    Live,
    /// The net has the property, and all weights are 1: in each reachable marking, some transition is enabled, if there is any.
    DeadlockFree,
    /// The net is a free-choice net without the property: some transition may never be able to fire again.
    NotLive,
    /// Nothing.
    Unknown,
}

/// Decides Commoner's property of a net with its minimal siphons, which must be all of them. O(siphons * places * arcs).
#[must_use]
pub fn commoner(net: &Net, siphons: &[Vec<PlaceIx>]) -> Commoner {
    let is_marked = |place: &PlaceIx| net.places[place.0 as usize].tokens > 0;
    // A place without arcs is a siphon that no transition depends on.
    let is_used = |siphon: &&Vec<PlaceIx>| {
        let mut takes = net.transitions.iter().flat_map(|t| &t.inputs);
        takes.any(|(place, _)| siphon.contains(place))
    };
    let mut used = siphons.iter().filter(is_used);
    let has_property = used.all(|siphon| largest_trap(net, siphon).iter().any(is_marked));
    match (has_property, is_ordinary(net), is_free_choice(net)) {
        (true, _, true) => Commoner::Live,
        (true, true, false) => Commoner::DeadlockFree,
        (false, _, true) => Commoner::NotLive,
        _ => Commoner::Unknown,
    }
}

/// The places that a transition takes tokens from and puts tokens into.
struct Flow {
    takes: Vec<PlaceIx>,
    puts: Vec<PlaceIx>,
}

fn places(arcs: &[(PlaceIx, u64)]) -> Vec<PlaceIx> {
    arcs.iter().map(|(place, _)| *place).collect()
}

/// The search for siphons: those that have all places of `set` and none of `without`.
struct Open {
    set: Places,
    without: Places,
}

/// Finds the minimal siphons. Those with each place as their first one are searched one after the other. A transition that puts a
/// token into the set, and takes none, must take one from a further place, and each choice of it is searched.
fn minimal(net: &Net, flows: Vec<Flow>, max: usize) -> (Vec<Vec<PlaceIx>>, bool) {
    let mut producers = vec![Vec::new(); net.places.len()];
    for (t, flow) in flows.iter().enumerate() {
        for place in &flow.puts {
            producers[place.0 as usize].push(t);
        }
    }
    let mut steps = (max.max(1) as u64)
        .saturating_mul(STEPS_PER_SIPHON)
        .min(STEPS_MAX);
    let words = Places::none(net.places.len()).words();
    let mut found: Vec<Places> = Vec::new();
    let mut before = Places::none(net.places.len());
    for first in (0..net.places.len() as u32).map(PlaceIx) {
        let mut set = Places::none(net.places.len());
        set.insert(first);
        let without = before.clone();
        before.insert(first);
        let mut stack = vec![Open { set, without }];
        while let Some(open) = stack.pop() {
            // The set is compared with each that was found.
            let cost = 1 + words * (2 + found.len());
            if found.len() > max || steps < cost as u64 {
                return (result(found, max), false);
            }
            steps -= cost as u64;
            if found.iter().any(|siphon| siphon.is_subset(&open.set)) {
                continue;
            }
            let all_producers = |place: PlaceIx| &producers[place.0 as usize];
            let open_flow = open.set.iter().flat_map(all_producers).find(|t| {
                let takes = &flows[**t].takes;
                steps = steps.saturating_sub(1 + takes.len() as u64);
                !takes.iter().any(|place| open.set.contains(*place))
            });
            let Some(t) = open_flow else {
                found.retain(|siphon| !open.set.is_subset(siphon));
                found.push(open.set);
                continue;
            };
            let mut without = open.without;
            for place in &flows[*t].takes {
                if without.contains(*place) {
                    continue;
                }
                steps = steps.saturating_sub(2 * words as u64);
                let mut set = open.set.clone();
                set.insert(*place);
                stack.push(Open {
                    set,
                    without: without.clone(),
                });
                without.insert(*place);
            }
        }
    }
    let complete = found.len() <= max;
    (result(found, max), complete)
}

fn result(found: Vec<Places>, max: usize) -> Vec<Vec<PlaceIx>> {
    let mut found: Vec<Vec<PlaceIx>> = found.iter().map(|places| places.iter().collect()).collect();
    found.sort();
    found.truncate(max);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::random::Random;

    fn random_net(random: &mut Random) -> Net {
        let mut net = Net::default();
        let places: Vec<PlaceIx> = (0..1 + random.below(6))
            .map(|at| net.place(format!("p{at}"), random.below(2) as u64))
            .collect();
        for at in 0..random.below(7) {
            let arcs = |random: &mut Random| {
                let n = random.below(3);
                (0..n)
                    .map(|_| (*random.pick(&places), 1))
                    .collect::<Vec<_>>()
            };
            let (inputs, outputs) = (arcs(random), arcs(random));
            net.transition(format!("t{at}"), inputs, outputs);
        }
        net
    }

    /// All minimal siphons or traps, found among all sets of places.
    fn among_all_sets(net: &Net, reversed: bool) -> Vec<Vec<PlaceIx>> {
        let n = net.places.len() as u32;
        let has = |set: u32, arcs: &[(PlaceIx, u64)]| arcs.iter().any(|(p, _)| set >> p.0 & 1 == 1);
        let is = |set: &u32| {
            net.transitions.iter().all(|t| {
                let (from, to) = if reversed {
                    (&t.outputs, &t.inputs)
                } else {
                    (&t.inputs, &t.outputs)
                };
                !has(*set, to) || has(*set, from)
            })
        };
        let all: Vec<u32> = (1..1 << n).filter(is).collect();
        let is_minimal = |set: &&u32| {
            !all.iter()
                .any(|other| other != *set && other & **set == *other)
        };
        let places = |set: &u32| (0..n).filter(|p| set >> p & 1 == 1).map(PlaceIx).collect();
        let mut minimal: Vec<Vec<PlaceIx>> = all.iter().filter(is_minimal).map(places).collect();
        minimal.sort();
        minimal
    }

    #[test]
    fn random_nets_have_the_siphons_and_traps_that_are_among_all_sets() {
        let (mut several, mut marked_traps) = (0, 0);
        for seed in 0..3_000 {
            let net = random_net(&mut Random(seed));
            let (found, complete) = siphons(&net, 100);
            assert!(complete);
            assert_eq!(found, among_all_sets(&net, false), "{net:?}");
            several += u32::from(found.len() > 2);
            assert_eq!(traps(&net, 100).0, among_all_sets(&net, true), "{net:?}");
            // The largest trap has the places of all traps among them.
            for siphon in &found {
                let trap = largest_trap(&net, siphon);
                let within = |trap: &&Vec<PlaceIx>| trap.iter().all(|p| siphon.contains(p));
                let all = among_all_sets(&net, true);
                let union: BTreeSet<PlaceIx> =
                    all.iter().filter(within).flatten().copied().collect();
                assert!(union.iter().all(|p| trap.contains(p)), "{net:?}");
                assert_eq!(trap.is_empty(), union.is_empty(), "{net:?}");
                marked_traps += u32::from(!trap.is_empty());
            }
        }
        assert!(
            several > 100 && marked_traps > 100,
            "{several} {marked_traps}"
        );
    }

    #[test]
    fn random_nets_have_the_transition_invariants_of_small_weights() {
        for seed in 0..300 {
            let net = random_net(&mut Random(seed));
            let (found, complete) = transition_invariants(&net, 1_000);
            assert!(complete);
            let supports: Vec<BTreeSet<u32>> = found
                .iter()
                .map(|invariant| invariant.weights.iter().map(|(t, _)| t.0).collect())
                .collect();
            let is_invariant = |weight: &dyn Fn(u32) -> i128| {
                let mut sums = vec![0; net.places.len()];
                for (t, transition) in (0..).zip(&net.transitions) {
                    for (place, n) in transition.effect() {
                        sums[place.0 as usize] += n * weight(t);
                    }
                }
                sums.iter().all(|sum| *sum == 0)
            };
            for invariant in &found {
                let weight = |t: u32| {
                    let of = invariant.weights.iter().find(|(ix, _)| ix.0 == t);
                    of.map_or(0, |(_, n)| i128::from(*n))
                };
                assert!(is_invariant(&weight), "{net:?}: {invariant:?}");
            }
            for number in 1..3i128.pow(net.transitions.len() as u32) {
                let weight = |t: u32| number / 3i128.pow(t) % 3;
                if is_invariant(&weight) {
                    let is_within =
                        |support: &BTreeSet<u32>| support.iter().all(|t| weight(*t) > 0);
                    assert!(supports.iter().any(is_within), "{net:?}: {number}");
                }
            }
        }
    }

    #[test]
    fn commoners_property_agrees_with_all_reachable_markings() {
        let (mut live, mut not_live) = (0, 0);
        for seed in 0..3_000 {
            let net = random_net(&mut Random(seed));
            let Some(markings) = reachable(&net) else {
                continue;
            };
            let enabled = |marking: &[u64]| -> Vec<usize> {
                let is_enabled = |t: &usize| {
                    let mut inputs = net.transitions[*t].inputs.iter();
                    inputs.all(|(p, n)| marking[p.0 as usize] >= *n)
                };
                (0..net.transitions.len()).filter(is_enabled).collect()
            };
            let is_live = markings.iter().all(|marking| {
                let later = reachable_from(&net, marking.clone()).unwrap_or_default();
                let fired: BTreeSet<usize> = later.iter().flat_map(|m| enabled(m)).collect();
                fired.len() == net.transitions.len()
            });
            match commoner(&net, &siphons(&net, 100).0) {
                Commoner::Live => {
                    live += 1;
                    assert!(is_live, "{net:?}");
                }
                Commoner::NotLive => {
                    not_live += 1;
                    assert!(!is_live, "{net:?}");
                }
                Commoner::DeadlockFree if !net.transitions.is_empty() => {
                    assert!(markings.iter().all(|m| !enabled(m).is_empty()), "{net:?}");
                }
                _ => {}
            }
        }
        assert!(live > 20 && not_live > 20, "{live} {not_live}");
    }

    #[test]
    fn a_mutex_has_no_deadlock() {
        let mut net = Net::default();
        let mutex = net.place("mutex", 1);
        for at in 0..2 {
            let (idle, critical) = (
                net.place(format!("idle{at}"), 1),
                net.place(format!("critical{at}"), 0),
            );
            net.transition(
                format!("enter{at}"),
                [(idle, 1), (mutex, 1)],
                [(critical, 1)],
            );
            net.transition(
                format!("leave{at}"),
                [(critical, 1)],
                [(idle, 1), (mutex, 1)],
            );
        }
        let found = siphons(&net, 100).0;
        assert_eq!(found.len(), 3);
        assert_eq!(commoner(&net, &found), Commoner::DeadlockFree);
        net.places[mutex.0 as usize].tokens = 0;
        assert_eq!(commoner(&net, &found), Commoner::Unknown);
    }

    fn reachable(net: &Net) -> Option<BTreeSet<Vec<u64>>> {
        reachable_from(net, net.places.iter().map(|place| place.tokens).collect())
    }

    /// The markings that can be reached from one, if there are few.
    fn reachable_from(net: &Net, initial: Vec<u64>) -> Option<BTreeSet<Vec<u64>>> {
        let mut seen = BTreeSet::from([initial.clone()]);
        let mut open = vec![initial];
        while let Some(marking) = open.pop() {
            for t in &net.transitions {
                if !t.inputs.iter().all(|(p, n)| marking[p.0 as usize] >= *n) {
                    continue;
                }
                let mut next = marking.clone();
                t.inputs.iter().for_each(|(p, n)| next[p.0 as usize] -= n);
                t.outputs.iter().for_each(|(p, n)| next[p.0 as usize] += n);
                if seen.insert(next.clone()) {
                    open.push(next);
                }
            }
            if seen.len() > 200 {
                return None;
            }
        }
        Some(seen)
    }

    #[test]
    fn many_siphons_are_cut_off() {
        let mut net = Net::default();
        // Each of many steps can be undone in two ways: the siphons are exponentially many.
        let places: Vec<_> = (0..60).map(|at| net.place(format!("p{at}"), 1)).collect();
        for at in 0..30 {
            let inputs = [places[2 * at], places[2 * at + 1]].map(|place| (place, 1));
            let next =
                [places[(2 * at + 2) % 60], places[(2 * at + 3) % 60]].map(|place| (place, 1));
            net.transition(format!("t{at}"), inputs, next);
        }
        let (found, complete) = siphons(&net, 50);
        assert_eq!((found.len(), complete), (50, false));
        assert_eq!(siphons(&net, 0), (Vec::new(), false));
    }
}
