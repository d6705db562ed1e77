//! Edges are undone exactly, whatever their shape.

use super::*;
use crate::graph::storage::Flat;

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
        for _ in 0..5 {
            edge.grow(true);
            edge.grow(false);
        }
        let picture = |edge: &Edge<Flat>| -> Vec<Vec<u32>> {
            (0..5)
                .flat_map(|i| [edge.slots(true, i).to_vec(), edge.slots(false, i).to_vec()])
                .collect()
        };
        let mut seed = 7u32;
        let (mut done, mut taken_over) = (vec![], vec![]);
        for _ in 0..2_000 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (a, b) = (seed >> 8 & 7, seed >> 16 & 7);
            if a >= 5 || b >= 5 {
                continue;
            }
            let before = picture(&edge);
            edge.fetch(a, b);
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
        }
    }
}
