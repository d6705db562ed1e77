//! Place invariants (semiflows): weighted sums of tokens that no firing changes.
//!
//! The algorithm is that of Farkas, as in J. Martínez and M. Silva, "A simple and fast algorithm to obtain all invariants of a
//! generalised Petri net" (1982): it begins with one row for each place, removes one transition after the other by adding pairs of
//! rows in which the transition has opposite signs, and keeps only rows of minimal support. The number of rows may grow
//! exponentially, so it is limited.

use std::collections::{BTreeSet, HashMap};

use crate::plain::{Net, PlaceIx};

/// A place invariant: in every reachable marking, the tokens of its places, each times its weight, add up to its total.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Invariant {
    /// The places with their weights, in order of the places.
    pub weights: Vec<(PlaceIx, u64)>,
    /// The sum in the initial marking, and so in each reachable one.
    pub total: u64,
}

/// A row of the tableau: the weights of places, and what a firing of each remaining transition changes their sum by.
#[derive(Clone)]
struct Row {
    places: Vec<(u32, u64)>,
    change: Vec<(u32, i128)>,
    /// One bit for each place, which differ for most pairs of rows.
    signature: u64,
}

/// How many steps the computation may take for each row that it may keep. A step reads about one number.
const STEPS_PER_ROW: u64 = 100_000;
/// How many steps it may take at all, which is some seconds.
const STEPS_MAX: u64 = 500_000_000;

/// Returns the place invariants with non-negative weights and minimal support, in order, and whether these are all.
///
/// With `total_max`, only invariants with at most this total are looked for, which are usually much fewer.
///
/// All of them may be exponentially many. While they are computed, at most `rows_max` rows are kept, or as many as the net has places if
/// these are more; and the computation ends after some seconds at most, by counting its steps. If that does not suffice, some invariants are
/// left out, those that are returned need not have minimal support, and the second value is `false`.
///
/// ```
/// use ironweave_net::plain::{Net, invariants};
///
/// let mut net = Net::default();
/// let (free, held) = (net.place("free", 2), net.place("held", 0));
/// net.transition("take", [(free, 1)], [(held, 1)]);
/// let (found, complete) = invariants(&net, 1_000, None);
/// assert_eq!((found[0].weights.clone(), found[0].total), (vec![(free, 1), (held, 1)], 2));
/// assert!(complete);
/// ```
#[must_use]
pub fn invariants(net: &Net, rows_max: usize, total_max: Option<u64>) -> (Vec<Invariant>, bool) {
    let rows_max = rows_max.max(net.places.len());
    let steps_max = (rows_max as u64)
        .saturating_mul(STEPS_PER_ROW)
        .min(STEPS_MAX);
    computed(net, rows_max, steps_max, total_max)
}

fn computed(
    net: &Net,
    rows_max: usize,
    mut steps: u64,
    total_max: Option<u64>,
) -> (Vec<Invariant>, bool) {
    let mut rows: Vec<Row> = (0..net.places.len() as u32)
        .map(|place| Row {
            places: vec![(place, 1)],
            change: Vec::new(),
            signature: signature(&[(place, 1)]),
        })
        .collect();
    for (t, transition) in net.transitions.iter().enumerate() {
        for (place, change) in transition.effect() {
            rows[place.0 as usize].change.push((t as u32, change));
        }
    }
    // Each weight is at least 1 at the end, when common divisors are removed.
    let tokens = |(place, _): &(u32, u64)| u128::from(net.places[*place as usize].tokens);
    let least = |row: &Row| row.places.iter().map(tokens).sum::<u128>();
    let within = |row: &Row| total_max.is_none_or(|most| least(row) <= u128::from(most));
    rows.retain(within);
    let mut columns = Columns::of(&rows);
    let mut complete = true;
    while let Some(column) = columns.cheapest() {
        let sign = |row: &Row| {
            let found = row.change.binary_search_by_key(&column, |&(t, _)| t);
            found.map_or(0, |at| row.change[at].1)
        };
        if !spend(&mut steps, rows.len()) {
            complete = false;
            break;
        }
        let (touched, mut kept): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| sign(row) != 0);
        touched.iter().for_each(|row| columns.remove(row));
        let (plus, minus): (Vec<&Row>, Vec<&Row>) = touched.iter().partition(|row| sign(row) > 0);
        'pairs: for a in &plus {
            for b in &minus {
                let size = a.size() + b.size();
                if kept.len() >= rows_max || !spend(&mut steps, size + kept.len()) {
                    complete = false;
                    break 'pairs;
                }
                let Some(row) = combined(a, b, sign(a), sign(b)) else {
                    complete = false;
                    continue;
                };
                if !within(&row) || kept.iter().any(|other| is_subset(other, &row)) {
                    continue;
                }
                kept.retain(|other| {
                    let is_minimal = !is_subset(&row, other);
                    if !is_minimal {
                        columns.remove(other);
                    }
                    is_minimal
                });
                columns.add(&row);
                kept.push(row);
            }
        }
        rows = kept;
    }
    // Without more steps, the rows that are invariants already remain.
    rows.retain(|row| row.change.is_empty());
    let total = |&(p, weight): &(u32, u64)| u128::from(weight) * tokens(&(p, weight));
    let mut found: Vec<Invariant> = Vec::with_capacity(rows.len());
    for row in rows {
        let total = (row.places.iter().map(total)).try_fold(0, u128::checked_add);
        let Some(total) = total.and_then(|total| u64::try_from(total).ok()) else {
            complete &= total_max.is_some();
            continue;
        };
        if total_max.is_none_or(|most| total <= most) {
            let weights = row.places.into_iter().map(|(p, n)| (PlaceIx(p), n));
            found.push(Invariant {
                weights: weights.collect(),
                total,
            });
        }
    }
    found.sort_unstable();
    (found, complete)
}

/// Takes steps from those that are left, if there are enough.
fn spend(steps: &mut u64, n: usize) -> bool {
    match steps.checked_sub(n as u64) {
        Some(rest) => {
            *steps = rest;
            true
        }
        None => {
            *steps = 0;
            false
        }
    }
}

/// How many rows have a positive and a negative sign in each transition that remains, and the transitions by the rows that their
/// removal makes.
#[derive(Default)]
struct Columns {
    signs: HashMap<u32, (usize, usize)>,
    by_cost: BTreeSet<(i128, u32)>,
}

impl Columns {
    fn of(rows: &[Row]) -> Self {
        let mut columns = Self::default();
        rows.iter().for_each(|row| columns.add(row));
        columns
    }

    /// Returns the transition whose removal makes the fewest new rows.
    fn cheapest(&self) -> Option<u32> {
        self.by_cost.first().map(|&(_, t)| t)
    }

    fn add(&mut self, row: &Row) {
        self.count(row, |n| *n += 1);
    }

    fn remove(&mut self, row: &Row) {
        self.count(row, |n| *n -= 1);
    }

    fn count(&mut self, row: &Row, by: impl Fn(&mut usize)) {
        let cost = |(plus, minus): (usize, usize)| {
            (plus as i128 * minus as i128) - (plus as i128 + minus as i128)
        };
        for &(t, change) in &row.change {
            let signs = self.signs.entry(t).or_default();
            self.by_cost.remove(&(cost(*signs), t));
            by(if change > 0 {
                &mut signs.0
            } else {
                &mut signs.1
            });
            if *signs != (0, 0) {
                self.by_cost.insert((cost(*signs), t));
            }
        }
    }
}

impl Row {
    fn size(&self) -> usize {
        self.places.len() + self.change.len()
    }
}

/// Returns the sum of two rows in which a transition has opposite signs, multiplied so that it vanishes, or `None` if a number
/// gets too large.
fn combined(a: &Row, b: &Row, of_a: i128, of_b: i128) -> Option<Row> {
    let (of_a, of_b) = (of_a.unsigned_abs(), of_b.unsigned_abs());
    let gcd = gcd(of_a, of_b);
    let (times_a, times_b) = (of_b / gcd, of_a / gcd);
    let wide = |row: &[(u32, u64)]| -> Vec<(u32, i128)> {
        row.iter().map(|&(p, n)| (p, i128::from(n))).collect()
    };
    let (times_a, times_b) = (i128::try_from(times_a).ok()?, i128::try_from(times_b).ok()?);
    let places = added(&wide(&a.places), &wide(&b.places), times_a, times_b)?;
    let change = added(&a.change, &b.change, times_a, times_b)?;
    let all = places.iter().chain(&change);
    let divisor = all.fold(0, |d, &(_, n)| self::gcd(d, n.unsigned_abs()));
    let divisor = i128::try_from(divisor.max(1)).ok()?;
    let places = places
        .into_iter()
        .map(|(p, n)| Some((p, u64::try_from(n / divisor).ok()?)));
    let change = change.into_iter().map(|(t, n)| (t, n / divisor));
    let places: Vec<(u32, u64)> = places.collect::<Option<_>>()?;
    Some(Row {
        signature: signature(&places),
        places,
        change: change.collect(),
    })
}

fn added(a: &[(u32, i128)], b: &[(u32, i128)], of_a: i128, of_b: i128) -> Option<Vec<(u32, i128)>> {
    let (mut i, mut j) = (0, 0);
    let mut sum = Vec::with_capacity(a.len() + b.len());
    while i < a.len() || j < b.len() {
        let (at_a, at_b) = (
            a.get(i).map_or(u32::MAX, |x| x.0),
            b.get(j).map_or(u32::MAX, |x| x.0),
        );
        let at = at_a.min(at_b);
        let mut n = 0i128;
        if at_a == at {
            n = n.checked_add(a[i].1.checked_mul(of_a)?)?;
            i += 1;
        }
        if at_b == at {
            n = n.checked_add(b[j].1.checked_mul(of_b)?)?;
            j += 1;
        }
        if n != 0 {
            sum.push((at, n));
        }
    }
    Some(sum)
}

fn signature(places: &[(u32, u64)]) -> u64 {
    places
        .iter()
        .fold(0, |all, (place, _)| all | 1 << (place % 64))
}

/// Returns whether the places of one row are among those of another.
fn is_subset(small: &Row, large: &Row) -> bool {
    if small.signature & !large.signature != 0 {
        return false;
    }
    let mut rest = large.places.iter();
    small.places.len() <= large.places.len()
        && (small.places.iter()).all(|(p, _)| rest.any(|(q, _)| q == p))
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutex_is_an_invariant() {
        let mut net = Net::default();
        let lock = net.place("lock", 1);
        for i in 0..2 {
            let idle = net.place(format!("idle{i}"), 1);
            let busy = net.place(format!("busy{i}"), 0);
            net.transition(format!("enter{i}"), [(idle, 1), (lock, 1)], [(busy, 1)]);
            net.transition(format!("leave{i}"), [(busy, 1)], [(idle, 1), (lock, 1)]);
        }
        let (found, complete) = invariants(&net, 1_000, None);
        assert!(complete);
        let supports: Vec<Vec<u32>> = (found.iter())
            .map(|i| i.weights.iter().map(|w| w.0.0).collect())
            .collect();
        assert_eq!(supports, [vec![0, 2, 4], vec![1, 2], vec![3, 4]]);
        assert!(found.iter().all(|i| i.total == 1));
    }

    #[test]
    fn weights_are_the_smallest() {
        // 2 a -> 3 b -> 2 a: 3 a + 2 b is constant.
        let mut net = Net::default();
        let (a, b) = (net.place("a", 4), net.place("b", 0));
        net.transition("there", [(a, 2)], [(b, 3)]);
        net.transition("back", [(b, 3)], [(a, 2)]);
        let (found, _) = invariants(&net, 10, None);
        let expected = Invariant {
            weights: vec![(a, 3), (b, 2)],
            total: 12,
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn an_invariant_whose_weights_have_a_divisor_on_the_way_is_within_its_total() {
        // The row of `a` and `b` has a weight of 2 at a token, before the divisor 2 is removed with the last transition.
        let mut net = Net::default();
        let places: Vec<_> = (0..4)
            .map(|i| net.place(format!("{i}"), u64::from(i == 0)))
            .collect();
        net.transition("s", [(places[0], 1)], [(places[1], 2)]);
        net.transition("t", [(places[1], 2)], [(places[2], 1)]);
        net.transition("u", [(places[2], 3)], [(places[3], 3)]);
        let (all, _) = invariants(&net, 100, None);
        let small: Vec<_> = all.into_iter().filter(|found| found.total <= 2).collect();
        assert_eq!(invariants(&net, 100, Some(2)), (small.clone(), true));
        assert_eq!(small.len(), 1);
    }

    /// A net with exponentially many invariants: one for each choice of one of two places in each of `n` steps of a ring.
    fn ring(n: usize) -> Net {
        let mut net = Net::default();
        let places: Vec<_> = (0..2 * n)
            .map(|i| net.place(format!("{i}"), u64::from(i < 2)))
            .collect();
        for i in 0..n {
            let (at, to) = (2 * i, 2 * ((i + 1) % n));
            let outputs = [(places[to], 1), (places[to + 1], 1)];
            net.transition(
                format!("t{i}"),
                [(places[at], 1), (places[at + 1], 1)],
                outputs,
            );
        }
        net
    }

    fn is_invariant(net: &Net, invariant: &Invariant) -> bool {
        let weight = |place: PlaceIx| {
            let found = invariant.weights.iter().find(|(p, _)| *p == place);
            found.map_or(0, |(_, n)| i128::from(*n))
        };
        net.transitions.iter().all(|transition| {
            let changes = transition.effect().into_iter();
            changes.map(|(place, n)| weight(place) * n).sum::<i128>() == 0
        })
    }

    #[test]
    fn exponentially_many_are_cut_off_by_rows_and_by_steps() {
        assert_eq!(invariants(&ring(5), 1_000, None).0.len(), 32);
        let net = ring(40);
        let (found, complete) = invariants(&net, 200, None);
        assert!(!complete && found.len() <= 200);
        assert!(found.iter().all(|found| is_invariant(&net, found)));
        for steps in [0, 1, 100, 10_000] {
            let (found, complete) = computed(&ring(8), 1_000, steps, None);
            assert!(!complete && found.len() < 256, "{steps}");
            assert!(found.iter().all(|found| is_invariant(&ring(8), found)));
        }
    }

    #[test]
    fn a_net_with_more_places_than_rows_keeps_its_invariants() {
        let mut net = Net::default();
        for i in 0..500 {
            let (a, b) = (net.place(format!("a{i}"), 1), net.place(format!("b{i}"), 0));
            net.transition(format!("there{i}"), [(a, 1)], [(b, 1)]);
            net.transition(format!("back{i}"), [(b, 1)], [(a, 1)]);
        }
        let (found, complete) = invariants(&net, 10, None);
        assert_eq!((found.len(), complete), (500, true));
    }

    #[test]
    fn numbers_that_are_too_large_leave_invariants_out() {
        let mut net = Net::default();
        let places: Vec<_> = (0..5).map(|i| net.place(format!("{i}"), 1)).collect();
        for (at, pair) in places.windows(2).enumerate() {
            let large = u64::MAX - 2 * at as u64;
            net.transition(format!("{at}"), [(pair[0], large)], [(pair[1], large - 1)]);
        }
        let (found, complete) = invariants(&net, 100, None);
        assert!(!complete && found.is_empty(), "{found:?}");
    }

    #[test]
    fn random_nets_have_all_invariants_of_minimal_support_with_the_smallest_weights() {
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut below = |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random >> 16) % n
        };
        for _ in 0..300 {
            let mut net = Net::default();
            let places: Vec<_> = (0..4 + below(4))
                .map(|i| net.place(format!("p{i}"), 1))
                .collect();
            for t in 0..2 + below(3) {
                let mut arcs = || {
                    let mut arc = || (places[below(places.len() as u64) as usize], 1 + below(2));
                    [arc(), arc(), arc()]
                };
                let (inputs, outputs) = (arcs(), arcs());
                net.transition(format!("t{t}"), inputs, outputs);
            }
            let (found, complete) = invariants(&net, 1_000, None);
            assert!(complete);
            let weights_of = |invariant: &Invariant| {
                let mut weights = vec![0; places.len()];
                for (place, weight) in &invariant.weights {
                    weights[place.0 as usize] = *weight;
                }
                weights
            };
            let supports: Vec<Vec<u64>> = found.iter().map(weights_of).collect();
            let is_within = |small: &[u64], large: &[u64]| {
                small
                    .iter()
                    .zip(large)
                    .all(|(small, large)| *small == 0 || *large > 0)
            };
            for (i, weights) in supports.iter().enumerate() {
                assert!(is_invariant(&net, &found[i]), "{net:?}: {weights:?}");
                let divisor = weights.iter().fold(0, |d, &n| gcd(d, n.into()));
                assert_eq!(divisor, 1, "{net:?}: {weights:?}");
                let mut others = (supports.iter().enumerate()).filter(|(other, _)| *other != i);
                assert!(
                    !others.any(|(_, other)| is_within(other, weights)),
                    "{net:?}: {supports:?}"
                );
            }
            // Each invariant with small weights has the places of one that was found, and perhaps more.
            for number in 1..3u64.pow(places.len() as u32) {
                let weight = |at: u32| number / 3u64.pow(at) % 3;
                let weights: Vec<u64> = (0..places.len() as u32).map(weight).collect();
                let all = places.iter().copied().zip(weights.iter().copied());
                let invariant = Invariant {
                    weights: all.filter(|(_, weight)| *weight > 0).collect(),
                    total: 0,
                };
                if is_invariant(&net, &invariant) {
                    assert!(
                        supports.iter().any(|found| is_within(found, &weights)),
                        "{net:?}: {weights:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn places_that_only_grow_have_none() {
        let mut net = Net::default();
        let a = net.place("a", 0);
        net.transition("make", [], [(a, 1)]);
        assert_eq!(invariants(&net, 10, None), (Vec::new(), true));
    }
}
