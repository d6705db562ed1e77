//! Tables of pages behave as vectors do, and their clones as clones of vectors.

use super::*;

/// A table and clones of it behave as vectors and their clones do.
fn as_a_vector<T: Clone + Send + Sync + PartialEq + std::fmt::Debug + 'static>(
    value: fn(u32) -> T,
) {
    let mut seed = 1u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    let mut versions: Vec<(Vec<T>, Pages<T>)> = vec![(Vec::new(), Pages::default())];
    for round in 0..40 {
        let from = (random() as usize % versions.len()).max(random() as usize % versions.len());
        let (mut vector, mut pages) = versions[from].clone();
        // Now and then across the capacity of a level.
        let grow = if round % 4 == 0 { 6_000 } else { 70 };
        for _ in 0..grow {
            match random() % 8 {
                0 => {
                    vector.pop();
                    pages.pop();
                }
                1 | 2 if !vector.is_empty() => {
                    let i = random() as usize % vector.len();
                    vector[i] = value(random());
                    *pages.at_mut(i) = vector[i].clone();
                }
                _ => {
                    vector.push(value(random()));
                    pages.push(vector[vector.len() - 1].clone());
                }
            }
        }
        versions.push((vector, pages));
    }
    for (vector, pages) in &versions {
        assert_eq!(pages.len(), vector.len());
        (0..vector.len()).for_each(|i| assert_eq!(*pages.at(i), vector[i]));
        let mut runs = Vec::new();
        while runs.len() < vector.len() {
            let run = pages.run(runs.len());
            assert!(!run.is_empty());
            runs.extend_from_slice(run);
        }
        assert_eq!(runs, *vector);
        assert!(pages.run(vector.len()).is_empty());
    }
    assert!(versions.iter().any(|(vector, _)| vector.len() > 4_096));
    for pair in versions.windows(2) {
        let [(a, pages_a), (b, pages_b)] = pair else {
            continue;
        };
        let mut seen = std::collections::HashSet::new();
        pages_a.differing(pages_b, &mut |i| _ = seen.insert(i));
        let differs = (0..a.len().max(b.len())).filter(|i| a.get(*i) != b.get(*i));
        differs.for_each(|i| assert!(seen.contains(&i), "{i} differs"));
        pages_a.differing(&pages_a.clone(), &mut |i| panic!("{i} is the same"));
    }
}

#[test]
fn a_clone_is_never_changed_by_its_descendants() {
    as_a_vector(|n| n);
    as_a_vector(|n| n.to_string());
    as_a_vector(|n| [u64::from(n); 32]);
}

#[test]
fn a_table_grows_over_the_edges_of_its_levels() {
    let mut pages = Pages::default();
    let mut before = Vec::new();
    let levels = [0, BITS, 2 * BITS].map(|bits| 1usize << (leaf_bits::<usize>() + bits));
    for i in 0..levels[2] + 100 {
        if levels.contains(&i) {
            before.push((i, pages.clone()));
        }
        pages.push(i);
    }
    (0..pages.len()).for_each(|i| assert_eq!(*pages.at(i), i));
    for (len, pages) in before {
        assert_eq!((pages.len(), *pages.at(len - 1)), (len, len - 1));
    }
}

#[test]
#[should_panic = "entry 1 of a table of 1"]
fn what_was_popped_is_out_of_range() {
    let mut pages = Pages::default();
    pages.push(1);
    pages.push(2);
    pages.pop();
    pages.at(1);
}

#[test]
fn entries_beside_the_pages_have_room_for_two_and_then_for_all() {
    let mut pages = Pages::<u64>::default();
    (0..100).for_each(|n| pages.push(n));
    let _shared = pages.clone();
    let rooms: Vec<usize> = (0..4)
        .map(|i| {
            *pages.at_mut(i * 10) = 7;
            pages.beside.as_ref().map_or(0, |beside| beside.len())
        })
        .collect();
    let all = beside_max::<u64>();
    assert_eq!(rooms, [BESIDE_FIRST, BESIDE_FIRST, all, all]);
    assert!((0..4).all(|i| *pages.at(i * 10) == 7));
}
