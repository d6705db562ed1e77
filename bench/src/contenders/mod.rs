//! The contenders: three ways to write the work by hand, one of them also with a log, and ironweave.

pub mod flat;
pub mod ironweave;
pub mod logged;
pub mod maps;
pub mod persistent;

use crate::work::{Contender, Keeps, Op, Picture, operations};

/// Does the work. Every third event is first done and rolled back with the two that follow it, and every third event is tried once
/// more and rejected.
pub fn worked<C: Contender>(tasks: usize, keeps: Keeps, seed: u64) -> Picture {
    let mut contender = C::new(tasks, keeps);
    let ops = operations(tasks, 3_000, seed);
    for (i, op) in ops.iter().enumerate() {
        let facts = contender.facts();
        if i % 3 == 0 {
            let before = contender.picture();
            let next = &ops[i..ops.len().min(i + 3)];
            let events: Vec<C::Event> = next.iter().map(|op| contender.event(*op)).collect();
            contender.step_and_undo(&events);
            assert_eq!(contender.picture(), before, "{}: not rolled back", C::NAME);
        }
        contender.step(contender.event(*op));
        let kept = if keeps == Keeps::Facts { 4 } else { 0 };
        assert_eq!(contender.facts(), facts + kept, "{}: its facts", C::NAME);
        if i % 3 == 1 {
            let before = contender.picture();
            contender.reject(contender.event(Op { value: 7, ..*op }));
            assert_eq!(contender.picture(), before, "{}: not rejected", C::NAME);
            assert_eq!(contender.facts(), facts + kept, "{}: its facts", C::NAME);
        }
    }
    contender.picture()
}

/// Sees to it that all do the same work and can take it back.
///
/// # Panics
/// Where one does not.
pub fn compare(tasks: usize, seed: u64) {
    for keeps in [Keeps::Nothing, Keeps::Facts, Keeps::Log] {
        let flat = worked::<flat::Flat>(tasks, keeps, seed);
        assert!(!flat.running.is_empty() && flat.running.len() < tasks);
        assert_eq!(worked::<maps::fxhash::Maps>(tasks, keeps, seed), flat);
        assert_eq!(worked::<maps::btree::Maps>(tasks, keeps, seed), flat);
        assert_eq!(worked::<ironweave::Ours>(tasks, keeps, seed), flat);
    }
    let flat = worked::<flat::Flat>(tasks, Keeps::Log, seed);
    assert_eq!(
        worked::<logged::FxHashLogged>(tasks, Keeps::Log, seed),
        flat
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_do_the_same_work_and_can_take_it_back() {
        for (tasks, seed) in [(20, 1), (57, 2), (200, 3)] {
            super::compare(tasks, seed);
        }
    }
}
