//! Random choices from a seed.

pub use crate::harness::random::Random as Rng;

impl Rng {
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let i = self.below(of.len());
        of.get(i)
    }

    /// Some of them, at least one where there is one, in order.
    pub fn some<T: Clone>(&mut self, of: &[T], percent: usize) -> Vec<T> {
        let sure = self.below(of.len());
        let mut all = of.iter().cloned().enumerate().collect::<Vec<_>>();
        all.retain(|(i, _)| *i == sure || self.chance(percent));
        all.into_iter().map(|(_, x)| x).collect()
    }
}
