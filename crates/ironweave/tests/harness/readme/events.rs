//! Random events of the README's model.

use super::oracle::{Ev, Oracle};
use crate::harness::random::Random;

impl Random {
    /// An index that mostly is valid, and sometimes lies just past the end.
    fn index(&mut self, len: usize) -> usize {
        if self.chance(97) && len > 0 {
            self.below(len)
        } else {
            len + self.below(3)
        }
    }

    /// Some indexes, mostly without repetition.
    fn some_indexes(
        &mut self,
        len: usize,
        at_most: usize,
        from: impl Fn(usize) -> bool,
    ) -> Vec<usize> {
        let fitting: Vec<usize> = (0..len).filter(|i| from(*i)).collect();
        let mut chosen = Vec::new();
        for _ in 0..self.below(at_most + 1) {
            let i = if self.chance(85) && !fitting.is_empty() {
                fitting[self.below(fitting.len())]
            } else {
                self.index(len)
            };
            if self.chance(3) || !chosen.contains(&i) {
                chosen.push(i);
            }
        }
        chosen
    }

    /// An index that mostly fits.
    fn one(&mut self, len: usize, fits: impl Fn(usize) -> bool) -> usize {
        let fitting: Vec<usize> = (0..len).filter(|i| fits(*i)).collect();
        if self.chance(85) && !fitting.is_empty() {
            fitting[self.below(fitting.len())]
        } else {
            self.index(len)
        }
    }

    /// An event that mostly is not rejected.
    pub fn event(&mut self, o: &Oracle) -> Ev {
        let run = |self_: &mut Self, states: &[&str]| {
            self_.one(o.runs.len(), |i| states.contains(&o.runs[i].state))
        };
        match self.below(100) {
            0..=17 => {
                let names = (0..self.below(4) + usize::from(self.chance(90)))
                    .map(|_| format!("p{}", self.below(14)))
                    .collect::<Vec<_>>();
                let mut unique = names.clone();
                unique.sort();
                unique.dedup();
                Ev::WantCreated(if self.chance(95) { unique } else { names })
            }
            18..=22 => Ev::WantCanceled(self.one(o.wants.len(), |i| {
                matches!(o.wants[i].state, "Idle" | "Building")
            })),
            23..=47 => Ev::JobQueued(
                format!("job {}", self.below(5)),
                self.some_indexes(o.partitions.len(), 4, |i| {
                    matches!(o.partitions[i].state, "Missing" | "Failed")
                }),
                self.some_indexes(o.wants.len(), 3, |_| true),
            ),
            48..=67 => Ev::JobStarted(run(self, &["Queued"])),
            68..=85 => Ev::JobSucceeded(run(self, &["Running"]), self.below(1_000) as i64),
            _ => Ev::JobFailed(run(self, &["Queued", "Running"]), self.below(5) as i32),
        }
    }
}
