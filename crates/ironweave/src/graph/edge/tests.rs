//! Edges are undone exactly, whatever their shape.

use super::*;
use crate::base::id::Id;
use crate::base::image::{ImageError, ImageSource};
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

/// The lists of both ends of an edge as an image has them.
struct Image(Vec<u8>, usize);

impl Image {
    fn of(ends: [&[Vec<u32>]; 2]) -> Self {
        let mut bytes = Vec::new();
        for lists in ends {
            let counts = lists.iter().map(|list| list.len() as u32);
            let numbers = counts.chain(lists.iter().flatten().copied());
            numbers.for_each(|n| bytes.extend_from_slice(&n.to_le_bytes()));
        }
        Self(bytes, 0)
    }
}

impl ImageSource for Image {
    fn take(&mut self, len: usize) -> Result<&[u8], ImageError> {
        let at = self.1;
        self.1 += len;
        (self.0.get(at..self.1)).ok_or_else(|| ImageError::content("it ends too early"))
    }

    fn left(&self) -> u64 {
        (self.0.len() - self.1) as u64
    }
}

/// An edge with these lists, whose positions are unknown.
fn read<S: Storage>(from: &[Vec<u32>], to: &[Vec<u32>]) -> Result<Edge<S>, String> {
    let slots = [from.len() as u32, to.len() as u32];
    let mut edge = Edge::<S>::new(Cardinality::Many, Cardinality::Many, None);
    edge.make_room(true, from.len());
    edge.make_room(false, to.len());
    let id = |declaring: bool, slot: u32| {
        let exists = slot < slots[usize::from(!declaring)];
        exists.then_some(Id {
            slot,
            generation: 1,
        })
    };
    let links = edge.read_links(slots, &mut Image::of([from, to]));
    match links.and_then(|links| edge.put_links(slots, id, 7, links)) {
        Ok(_) => Ok(edge),
        Err(ImageError::Content(what)) => Err(what),
        Err(e) => Err(format!("{e:?}")),
    }
}

#[test]
fn the_ends_of_an_edge_in_an_image_have_the_same_links_each_once() {
    let there = [vec![0, 1], vec![1]];
    let read = |from: &[Vec<u32>], to: &[Vec<u32>]| read::<Flat>(from, to).map(drop);
    assert_eq!(read(&there, &[vec![0], vec![1, 0]]), Ok(()));
    for (from, to, expect) in [
        (&there, [vec![0], vec![1]], "different numbers"),
        (&there, [vec![1], vec![1, 0]], "different links"),
        (&there, [vec![0, 1], vec![1]], "different links"),
        (
            &there,
            [vec![0], vec![1, 1]],
            "slot 1 of the inverse end: it has a link that cannot be",
        ),
        (
            &[vec![0, 0], vec![1]],
            [vec![0, 0], vec![1]],
            "slot 0 of the declaring end: it has a link that cannot be",
        ),
        (
            &there,
            [vec![0], vec![1, 2]],
            "slot 2 of the declaring end: it is linked",
        ),
        (
            &[vec![0, 2], vec![1]],
            [vec![0], vec![1, 0]],
            "slot 2 of the inverse end: it is linked",
        ),
    ] {
        let error = read(from, &to).expect_err(expect);
        assert!(error.contains(expect), "{error}");
    }
}

/// An edge that is read from an image, whose positions are unknown, is read and changed as the one that was written.
#[test]
fn an_edge_of_an_image_is_changed_as_the_one_that_was_written() {
    fn check<S: Storage>() {
        let mut edge = Edge::<S>::new(Cardinality::Many, Cardinality::Many, None);
        edge.make_room(true, ENTITIES as usize);
        edge.make_room(false, ENTITIES as usize);
        let mut seed = 11u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((seed >> 8) % ENTITIES, (seed >> 16) % ENTITIES)
        };
        for _ in 0..5 {
            for _ in 0..300 {
                let (a, b) = next();
                match edge.linked(a, b) {
                    true => drop(edge.unlink(a, b)),
                    false => edge.link(a, b),
                }
            }
            let lists = |end| -> Vec<Vec<u32>> {
                (0..ENTITIES).map(|i| edge.slots(end, i).to_vec()).collect()
            };
            let mut again = read::<S>(&lists(true), &lists(false)).expect("it is as written");
            assert_eq!(again.pairs(), edge.pairs());
            assert_positions(&again);
            let copy = again.copy::<Flat>(None);
            assert_positions(&copy);
            let mut done = Vec::new();
            for _ in 0..300 {
                let (a, b) = next();
                assert_eq!(again.linked(a, b), edge.linked(a, b));
                if edge.linked(a, b) {
                    let at = edge.unlink(a, b);
                    assert_eq!(again.unlink(a, b), at);
                    done.push((a, b, Some(at)));
                } else {
                    edge.link(a, b);
                    again.link(a, b);
                    done.push((a, b, None));
                }
            }
            assert_eq!(picture(&again), picture(&edge));
            assert_positions(&again);
            while let Some((a, b, at)) = done.pop() {
                for edge in [&mut edge, &mut again] {
                    match at {
                        Some(at) => edge.undo_unlink(a, b, at),
                        None => edge.undo_link(a, b),
                    }
                }
            }
            assert_eq!(picture(&again), picture(&edge));
            // The copy has the same links, whose positions are computed by the first change.
            let mut copy = copy;
            assert_eq!(picture(&copy), picture(&again));
            let (a, b) = next();
            if copy.linked(a, b) {
                copy.unlink(a, b);
                assert_positions(&copy);
            }
        }
    }
    check::<Flat>();
    check::<Paged>();
}
