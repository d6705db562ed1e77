//! The explorer beside a naive one, which keeps tokens in vectors, on nets with known numbers and on random ones.

use std::collections::{HashSet, VecDeque};

use super::*;

pub(super) fn philosophers(n: usize) -> Net {
    let mut net = Net::default();
    let forks: Vec<_> = (0..n).map(|i| net.place(format!("fork{i}"), 1)).collect();
    for i in 0..n {
        let (left, right) = (forks[i], forks[(i + 1) % n]);
        let think = net.place(format!("think{i}"), 1);
        let one = net.place(format!("left{i}"), 0);
        let other = net.place(format!("right{i}"), 0);
        let eat = net.place(format!("eat{i}"), 0);
        net.transition(format!("take_left{i}"), [(think, 1), (left, 1)], [(one, 1)]);
        net.transition(
            format!("take_right{i}"),
            [(think, 1), (right, 1)],
            [(other, 1)],
        );
        net.transition(format!("then_right{i}"), [(one, 1), (right, 1)], [(eat, 1)]);
        net.transition(format!("then_left{i}"), [(other, 1), (left, 1)], [(eat, 1)]);
        let both = [(think, 1), (left, 1), (right, 1)];
        net.transition(format!("end{i}"), [(eat, 1)], both);
    }
    net
}

/// The numbers of states, edges, deadlocks, most tokens of a place and of a marking.
type Numbers = (u64, u64, u64, u64, u64);

fn numbers(found: &Found) -> Numbers {
    (
        found.states,
        found.edges,
        found.deadlocks,
        found.place_max,
        found.marking_max,
    )
}

/// Returns the numbers, or `None` if there are more than `limit` states.
fn naive(net: &Net, limit: usize) -> Option<Numbers> {
    let initial: Vec<u64> = net.places.iter().map(|place| place.tokens).collect();
    let mut known = HashSet::from([initial.clone()]);
    let mut queue = VecDeque::from([initial]);
    let mut numbers = (0, 0, 0, 0, 0);
    while let Some(marking) = queue.pop_front() {
        numbers.0 += 1;
        numbers.3 = numbers.3.max(marking.iter().copied().max().unwrap_or(0));
        numbers.4 = numbers.4.max(marking.iter().sum());
        let mut enabled = 0;
        for transition in &net.transitions {
            let mut next = marking.clone();
            let fires = transition.inputs.iter().all(|(place, n)| {
                let tokens = &mut next[place.0 as usize];
                let has = *tokens >= *n;
                *tokens = tokens.wrapping_sub(*n);
                has
            });
            if !fires {
                continue;
            }
            for (place, n) in &transition.outputs {
                next[place.0 as usize] += n;
            }
            enabled += 1;
            if known.insert(next.clone()) {
                queue.push_back(next);
            }
        }
        numbers.1 += enabled;
        numbers.2 += u64::from(enabled == 0);
        if known.len() > limit {
            return None;
        }
    }
    Some(numbers)
}

#[test]
pub(super) fn philosophers_have_the_published_numbers() {
    let found = Explorer::new(&philosophers(5)).run().unwrap();
    assert_eq!(numbers(&found), (243, 945, 2, 1, 10));
    let found = Explorer::new(&philosophers(10)).threads(3).run().unwrap();
    assert_eq!(found.states, 3u64.pow(10));
    assert_eq!(found.deadlocks, 2);
}

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % n
    }
}

pub(super) fn random_net(seed: u64) -> Net {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut net = Net::default();
    let places = match random.below(3) {
        0 => 2 + random.below(4),
        1 => 4 + random.below(12),
        _ => 60 + random.below(90),
    };
    let tokens = 1 + random.below(3);
    let density = 1 + random.below(4);
    for i in 0..places {
        let marked = random.below(density) == 0;
        net.place(
            format!("p{i}"),
            if marked { random.below(tokens + 1) } else { 0 },
        );
    }
    let conserving = random.below(3) > 0;
    for i in 0..2 + random.below(places + 3) {
        let width = 1 + random.below(3);
        let most = 1 + random.below(2);
        let arcs = |random: &mut Random, width: u64| -> Vec<(PlaceIx, u64)> {
            let arc = |_| (PlaceIx(random.below(places) as u32), 1 + random.below(most));
            (0..width).map(arc).collect()
        };
        let inputs = arcs(&mut random, width);
        let out = if conserving {
            width
        } else {
            random.below(width + 1)
        };
        let outputs = arcs(&mut random, out);
        net.transition(format!("t{i}"), inputs, outputs);
    }
    net
}

#[test]
pub(super) fn random_nets_agree_with_the_naive_explorer() {
    let mut explored = 0;
    let mut wide = 0;
    for seed in 0..600 {
        let net = random_net(seed);
        let Some(expected) = naive(&net, 2_000) else {
            continue;
        };
        explored += 1;
        wide += u64::from(net.places.len() > 60);
        let threads = 1 + (seed % 3) as usize;
        let found = Explorer::new(&net).threads(threads).run().unwrap();
        assert_eq!(numbers(&found), expected, "seed {seed}");
        assert!(found.complete);
    }
    assert!(explored > 200 && wide > 20, "{explored} {wide}");
}

#[test]
fn a_shortest_path_to_a_violation_is_returned() {
    let net = philosophers(4);
    let never_two = Property::parse("eat0 + eat2 <= 1", &net).unwrap();
    let ever_stuck = Property::parse("left0 + left1 + left2 + left3 == 4", &net).unwrap();
    let impossible = Property::parse("eat0 + eat1 == 2", &net).unwrap();
    let explorer = Explorer::new(&net)
        .always(never_two)
        .ever(ever_stuck)
        .ever(impossible);
    let found = explorer.run().unwrap();
    let [
        Verdict::Reached(two),
        Verdict::Reached(stuck),
        Verdict::NotFound,
    ] = &found.verdicts[..]
    else {
        panic!("{:?}", found.verdicts);
    };
    assert_eq!((two.len(), stuck.len()), (4, 4));
    // The path can be fired.
    for path in [two, stuck] {
        let mut marking: Vec<u64> = net.places.iter().map(|place| place.tokens).collect();
        for step in path {
            let transition = &net.transitions[step.transition.0 as usize];
            for (place, n) in &transition.inputs {
                marking[place.0 as usize] = marking[place.0 as usize].checked_sub(*n).unwrap();
            }
            for (place, n) in &transition.outputs {
                marking[place.0 as usize] += n;
            }
            assert_eq!(marking, step.marking);
        }
    }
}

#[test]
fn a_limit_ends_the_search_after_a_level() {
    let net = philosophers(8);
    let found = Explorer::new(&net).limit(100).run().unwrap();
    assert!(!found.complete);
    assert!(found.states >= 100 && found.states < 6_561, "{found:?}");
}

#[test]
fn an_unbounded_net_ends_at_the_limit_or_with_an_error() {
    let mut net = Net::default();
    let a = net.place("a", 0);
    net.transition("make", [], [(a, 1 << 30)]);
    let found = Explorer::new(&net).limit(100).run().unwrap();
    assert_eq!((found.states, found.complete), (100, false));
    let error = Explorer::new(&net).run().unwrap_err();
    assert!(
        matches!(error, ExploreError::TooManyTokens { .. }),
        "{error}"
    );
}

#[test]
fn small_nets_of_each_kind_are_explored() {
    // No place and no transition.
    let empty = Explorer::new(&Net::default()).run().unwrap();
    assert_eq!(numbers(&empty), (1, 0, 1, 0, 0));
    // Places without transitions.
    let mut net = Net::default();
    net.place("a", 7);
    net.place("b", 0);
    let found = Explorer::new(&net).threads(0).run().unwrap();
    assert_eq!((numbers(&found), found.depth), ((1, 0, 1, 7, 7), 0));
    // A constant place that enables a transition, a constant place that does not, and a transition that changes nothing.
    let (on, off, count) = (
        net.place("on", 2),
        net.place("off", 1),
        net.place("count", 3),
    );
    net.transition("down", [(on, 2), (count, 1)], [(on, 2)]);
    net.transition("never", [(off, 2), (count, 1)], [(off, 2)]);
    net.transition("idle", [(on, 1)], [(on, 1)]);
    let found = Explorer::new(&net).threads(usize::MAX).run().unwrap();
    assert_eq!(Some(numbers(&found)), naive(&net, 100));
    assert_eq!(numbers(&found), (4, 7, 0, 7, 13));
    // A transition without inputs, whose place is emptied by nothing.
    let mut net = Net::default();
    let a = net.place("a", 0);
    net.transition("make", [], [(a, 1)]);
    let found = Explorer::new(&net).limit(0).run().unwrap();
    assert_eq!((found.states, found.depth, found.complete), (2, 0, false));
}

#[test]
fn many_threads_find_what_one_finds() {
    let net = philosophers(9);
    let violated = || Property::parse("eat0 + eat2 + eat4 <= 2", &net).unwrap();
    let one = Explorer::new(&net).always(violated()).run().unwrap();
    for threads in [2, 16, 64] {
        let explorer = Explorer::new(&net).threads(threads).always(violated());
        let found = explorer.run().unwrap();
        assert_eq!(numbers(&found), numbers(&one));
        assert_eq!(found.verdicts, one.verdicts);
    }
}

#[test]
fn a_property_that_the_initial_marking_decides_has_an_empty_path() {
    let net = philosophers(3);
    let violated = Property::parse("fork0 == 0", &net).unwrap();
    let reached = Property::parse("fork0 == 1", &net).unwrap();
    let found = Explorer::new(&net).always(violated).ever(reached).run();
    assert_eq!(
        found.unwrap().verdicts,
        vec![Verdict::Reached(Vec::new()); 2]
    );
}

#[test]
fn places_in_several_invariants_have_one_home() {
    // Each lock is in an invariant of its own, which shares the busy places with those of the other lock and of the workers.
    let mut net = Net::default();
    let locks = [net.place("lock0", 1), net.place("lock1", 1)];
    for i in 0..4 {
        let (idle, busy) = (
            net.place(format!("idle{i}"), 1),
            net.place(format!("busy{i}"), 0),
        );
        let both = [(idle, 1), (locks[0], 1), (locks[1], 1)];
        net.transition(format!("enter{i}"), both, [(busy, 1)]);
        net.transition(format!("leave{i}"), [(busy, 1)], both);
    }
    let found = Explorer::new(&net).threads(2).run().unwrap();
    assert_eq!(Some(numbers(&found)), naive(&net, 100));
    assert_eq!(found.states, 5);
}

#[test]
fn a_field_has_a_number_for_none_of_its_places() {
    // Processes that go round four places each. The last needs the lock that all share, so it is in two invariants, and has its home in
    // the field of the lock. The field of the other three has a number for the time when the process holds the lock.
    let mut net = Net::default();
    let lock = net.place("lock", 1);
    for i in 0..6 {
        let [idle, thinks, waits, holds] = ["idle", "thinks", "waits", "holds"]
            .map(|name| net.place(format!("{name}{i}"), u64::from(name == "idle")));
        net.transition(format!("think{i}"), [(idle, 1)], [(thinks, 1)]);
        net.transition(format!("ask{i}"), [(thinks, 1)], [(waits, 1)]);
        net.transition(format!("take{i}"), [(waits, 1), (lock, 1)], [(holds, 1)]);
        net.transition(format!("free{i}"), [(holds, 1)], [(idle, 1), (lock, 1)]);
    }
    let found = Explorer::new(&net).run().unwrap();
    assert_eq!(Some(numbers(&found)), naive(&net, 5_000));
}

#[test]
fn tables_tell_which_transitions_are_enabled() {
    for seed in 0..80 {
        let net = random_net(seed);
        let structure = Structure::of(&net);
        // Fields of 4 bits with their guards, which are in tables, and of 8, which are not.
        let guessed = vec![if seed % 2 == 0 { 3 } else { 7 }; net.places.len()];
        let layout = Layout::new(&net, &structure, &guessed).unwrap();
        const W: usize = 32;
        assert!(layout.words <= W);
        let kernels = [usize::MAX, 300, 0].map(|max| Kernel::<W>::with_tables(&net, &layout, max));
        let mut marking = [0; W];
        let packed = layout.pack(|place| net.places[place.0 as usize].tokens);
        marking[..packed.len()].copy_from_slice(&packed);
        let mut random = Random(seed + 1);
        for _ in 0..50 {
            let mut set = vec![0; kernels[0].set_words];
            let tokens = unpacked(&net, &layout, &marking);
            let is_enabled = |at: &u32| {
                let inputs = &net.transitions[*at as usize].inputs;
                inputs
                    .iter()
                    .all(|(place, n)| tokens[place.0 as usize] >= *n)
            };
            let all = 0..net.transitions.len() as u32;
            let expected: Vec<u32> = all.filter(is_enabled).collect();
            for kernel in &kernels {
                kernel.enabled(&marking, &mut set);
                let is_set = |t: &usize| set[t / 64] >> (t % 64) & 1 == 1;
                let found = (0..64 * set.len()).filter(is_set);
                let found: Vec<u32> = found.map(|t| kernel.of_net[t]).collect();
                assert_eq!(found, expected, "seed {seed}");
            }
            if expected.is_empty() {
                break;
            }
            let fired = expected[random.below(expected.len() as u64) as usize];
            let of_net = kernels[0].of_net.iter();
            let at = of_net.take_while(|at| **at != fired).count();
            let Some(next) = kernels[0].fire(at as u32, &marking) else {
                break;
            };
            marking = next;
        }
    }
}

#[test]
fn markings_of_many_words_are_told_apart() {
    // Counters of 42 bits each. There are n markings at distance 1, and n * (n + 1) / 2 at distance 2.
    for (counters, threads) in [(2, 1), (4, 2), (9, 1), (50, 2), (60, 3)] {
        let mut net = Net::default();
        for i in 0..counters {
            let counter = net.place(format!("counter{i}"), 0);
            net.transition(format!("count{i}"), [], [(counter, 1 << 35)]);
        }
        let states = 1 + counters + counters * (counters + 1) / 2;
        let explorer = Explorer::new(&net).threads(threads);
        let found = explorer.limit(states).run().unwrap();
        assert_eq!((found.states, found.depth), (states, 1));
    }
}

#[test]
fn a_marking_takes_few_bytes() {
    let net = philosophers(9);
    for threads in [1, 2] {
        let found = Explorer::new(&net).threads(threads).run().unwrap();
        assert!(found.bytes as u64 <= 24 * found.states, "{found:?}");
    }
    // 60 places of 4 bits each, so a marking has four words.
    let mut net = Net::default();
    for i in 0..5 {
        let places: Vec<_> = (0..12)
            .map(|at| net.place(format!("p{i}_{at}"), if at < 6 { 9 } else { 0 }))
            .collect();
        let (from, to) = places.split_at(6);
        let one = |place: &PlaceIx| (*place, 1);
        net.transition(format!("t{i}"), from.iter().map(one), to.iter().map(one));
    }
    let found = Explorer::new(&net).threads(2).run().unwrap();
    assert_eq!(found.states, 100_000);
    assert!(found.bytes as u64 <= 24 * found.states, "{found:?}");
}

#[test]
fn large_nets_are_prepared_in_time() {
    // Each transition is live only after the next in the list, and there are too many places that nothing bounds.
    let mut net = Net::default();
    let places: Vec<_> = (0..50_000)
        .map(|i| net.place(format!("p{i}"), u64::from(i == 49_999)))
        .collect();
    for pair in places.windows(2) {
        net.transition(
            format!("t{}", pair[0].0),
            [(pair[1], 1)],
            [(pair[0], 1), (pair[1], 2)],
        );
    }
    let error = Explorer::new(&net).run().unwrap_err();
    assert!(
        matches!(error, ExploreError::TooWide { words, .. } if words > 1_000),
        "{error}"
    );
    assert!(
        error.to_string().contains("at most 64 are supported"),
        "{error}"
    );
}

#[test]
fn numbers_beyond_the_fields_are_refused_or_never_fire() {
    let mut net = Net::default();
    let (a, b) = (net.place("a", 1), net.place("b", 0));
    net.transition("grow", [(a, 1)], [(a, 2)]);
    net.transition("huge", [(a, u64::MAX)], [(b, 1)]);
    net.transition("also", [(a, u64::MAX), (b, u64::MAX)], [(b, 1)]);
    let found = Explorer::new(&net).limit(10).run().unwrap();
    assert_eq!((found.states, found.place_max), (10, 10));
    net.transition("fill", [], [(b, 1 << 41)]);
    let error = Explorer::new(&net).run().unwrap_err().to_string();
    assert!(
        error.starts_with("the place `b` gets more than 1099511627775 tokens"),
        "{error}"
    );
}
