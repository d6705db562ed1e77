//! Edges are undone exactly, whatever their shape.

use super::*;
use crate::graph::paged::Paged;
use crate::graph::storage::Flat;

/// The number of entities at each end.
const ENTITIES: u32 = 40;

/// How many entities hold the lists of a fan, so that some lists become long.
const HOLDERS: u32 = 2;

/// Both ends of all links, in the order of their lists.
fn picture<S: Storage>(edge: &Edge<S>) -> Vec<Vec<u32>> {
    (0..ENTITIES)
        .flat_map(|i| [edge.slots(true, i).to_vec(), edge.slots(false, i).to_vec()])
        .collect()
}

/// Each link has its positions in both lists.
fn assert_positions<S: Storage>(edge: &Edge<S>) {
    for from in 0..ENTITIES {
        for (at, to) in edge.slots(true, from).iter().enumerate() {
            let noted = edge.noted(from, *to).expect("it is linked");
            assert_eq!(noted.from as usize, at);
            let back = edge.slots(false, *to);
            assert_eq!(back.get(noted.to as usize), Some(&from));
        }
    }
}

enum Done {
    Linked,
    Unlinked(Positions),
    TakenOver(Relinked),
}

/// Every sequence of changes, undone in reverse order, restores both directions with their order.
#[test]
fn undo_is_exact_for_every_shape() {
    use Cardinality::{Many, Option};
    for (from, to) in [
        (Many, Many),
        (Many, Option),
        (Option, Many),
        (Option, Option),
    ] {
        let mut edge = Edge::<Flat>::new(from, to, None);
        for _ in 0..ENTITIES {
            edge.grow(true);
            edge.grow(false);
        }
        let mut seed = 7u32;
        let (mut done, mut taken_over) = (vec![], vec![]);
        let mut longest = 0;
        for round in 0..4_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (mut a, mut b) = (seed >> 8 & 63, seed >> 16 & 63);
            if a >= ENTITIES || b >= ENTITIES {
                continue;
            }
            match edge.fan() {
                Some(true) => a %= HOLDERS,
                Some(false) => b %= HOLDERS,
                None => (a, b) = (a % 5, b % 5),
            }
            if let Some(forward) = edge.fan() {
                longest = longest.max(edge.degree(forward, if forward { a } else { b }));
            }
            if round % 16 == 0 {
                assert_positions(&edge);
                let copy = edge.copy::<Paged>(None);
                assert_positions(&copy);
                assert_positions(&copy.copy::<Flat>(None));
                assert_eq!(picture(&copy), picture(&edge));
            }
            let before = picture(&edge);
            let free = |c, n: usize| c == Many || n == 0;
            if let Some(forward) = edge.fan()
                && seed >> 24 & 1 == 1
            {
                let taken = if forward {
                    edge.take_over::<true>(a, b)
                } else {
                    edge.take_over::<false>(b, a)
                };
                if let Some(links) = taken {
                    taken_over.push(links.old != NONE);
                    done.push((before, a, b, Done::TakenOver(links)));
                }
                continue;
            }
            if edge.linked(a, b) {
                done.push((before, a, b, Done::Unlinked(edge.unlink(a, b))));
            } else if free(from, edge.slots(true, a).len()) && free(to, edge.slots(false, b).len())
            {
                edge.link(a, b);
                done.push((before, a, b, Done::Linked));
            }
        }
        assert!(done.len() > 200);
        assert!(edge.fan().is_none() || longest > 20, "{longest}");
        if edge.fan().is_some() {
            let whole = taken_over.iter().filter(|gone| **gone).count();
            assert!(whole > 50 && whole < taken_over.len());
        }
        while let Some((before, a, b, what)) = done.pop() {
            match what {
                Done::Unlinked(positions) => edge.undo_unlink(a, b, positions),
                Done::Linked => edge.undo_link(a, b),
                Done::TakenOver(links) if links.old == NONE => edge.undo_link(a, b),
                Done::TakenOver(links) => edge.undo_take_over(links),
            }
            assert_eq!(picture(&edge), before);
            if done.len() % 16 == 0 {
                assert_positions(&edge);
            }
        }
    }
}
