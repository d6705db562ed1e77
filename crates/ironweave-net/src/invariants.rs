//! Place invariants (semiflows): weighted sums of tokens that no firing changes.
//!
//! The algorithm is that of Farkas, as in J. Martínez and M. Silva, "A simple and fast algorithm to obtain all invariants of a
//! generalised Petri net" (1982): it begins with one row for each place, removes one transition after the other by adding pairs of
//! rows in which the transition has opposite signs, and keeps only rows of minimal support. The number of rows may grow
//! exponentially, so it is limited.

use std::collections::HashMap;

use crate::net::{Net, PlaceIx};

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
}

/// Returns the place invariants with non-negative weights and minimal support, in order, and whether these are all. At most
/// `rows_max` rows are kept while they are computed; if more are needed, some are left out.
///
/// With `total_max`, only invariants with at most this total are looked for, which are usually much fewer.
///
/// Exponential in the number of places in the worst case, and limited by O(transitions × rows_max²).
#[must_use]
pub fn invariants(net: &Net, rows_max: usize, total_max: Option<u64>) -> (Vec<Invariant>, bool) {
    let mut rows: Vec<Row> = (0..net.places.len() as u32)
        .map(|place| Row {
            places: vec![(place, 1)],
            change: Vec::new(),
        })
        .collect();
    for (t, transition) in net.transitions.iter().enumerate() {
        for (place, change) in transition.effect() {
            rows[place.0 as usize].change.push((t as u32, change));
        }
    }
    let total = |places: &[(u32, u64)]| {
        let each = places
            .iter()
            .map(|&(p, weight)| u128::from(weight) * u128::from(net.places[p as usize].tokens));
        each.sum::<u128>()
    };
    let within = |row: &Row| total_max.is_none_or(|most| total(&row.places) <= u128::from(most));
    rows.retain(within);
    let mut complete = true;
    while let Some(column) = cheapest_column(&rows) {
        let sign = |row: &Row| {
            let found = row.change.binary_search_by_key(&column, |&(t, _)| t);
            found.map_or(0, |at| row.change[at].1)
        };
        let (touched, mut kept): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| sign(row) != 0);
        let (plus, minus): (Vec<&Row>, Vec<&Row>) = touched.iter().partition(|row| sign(row) > 0);
        'pairs: for a in &plus {
            for b in &minus {
                let Some(row) = combined(a, b, sign(a), sign(b)) else {
                    complete = false;
                    continue;
                };
                if !within(&row) || kept.iter().any(|other| is_subset(other, &row)) {
                    continue;
                }
                kept.retain(|other| !is_subset(&row, other));
                kept.push(row);
                if kept.len() >= rows_max {
                    complete = false;
                    break 'pairs;
                }
            }
        }
        rows = kept;
    }
    let mut found: Vec<Invariant> = (rows.into_iter())
        .filter_map(|row| {
            Some(Invariant {
                total: u64::try_from(total(&row.places)).ok()?,
                weights: (row.places.into_iter())
                    .map(|(p, n)| (PlaceIx(p), n))
                    .collect(),
            })
        })
        .collect();
    found.sort_unstable();
    (found, complete)
}

/// Returns the transition whose removal makes the fewest new rows.
fn cheapest_column(rows: &[Row]) -> Option<u32> {
    let mut signs: HashMap<u32, (usize, usize)> = HashMap::new();
    for &(t, change) in rows.iter().flat_map(|row| &row.change) {
        let (plus, minus) = signs.entry(t).or_default();
        *(if change > 0 { plus } else { minus }) += 1;
    }
    let cost = |(plus, minus): (usize, usize)| (plus * minus) as i128 - (plus + minus) as i128;
    signs
        .into_iter()
        .min_by_key(|&(t, n)| (cost(n), t))
        .map(|(t, _)| t)
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
    Some(Row {
        places: places.collect::<Option<_>>()?,
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

/// Returns whether the places of one row are among those of another.
fn is_subset(small: &Row, large: &Row) -> bool {
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
    fn places_that_only_grow_have_none() {
        let mut net = Net::default();
        let a = net.place("a", 0);
        net.transition("make", [], [(a, 1)]);
        assert_eq!(invariants(&net, 10, None), (Vec::new(), true));
    }
}
