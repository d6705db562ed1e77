//! Events at random, from a seed: mostly such as can happen, some that cannot.

use crate::by_hand::{Databuild, Event, PartitionId, PartitionKind, RunId, RunKind, WantId};

const NAMES: usize = 9;

/// SplitMix64, with words for what is drawn.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 32) as usize % end
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Up to `max` of these; now and then one of them twice.
    fn some<T: Clone>(&mut self, mut of: Vec<T>, max: usize) -> Vec<T> {
        let mut some = Vec::new();
        for _ in 0..self.below(max + 1) {
            if of.is_empty() {
                break;
            }
            let at = self.below(of.len());
            some.push(if self.chance(1) {
                of[at].clone()
            } else {
                of.swap_remove(at)
            });
        }
        some
    }

    fn names(&mut self) -> Vec<String> {
        self.some((0..NAMES).map(|i| format!("p{i}")).collect(), 4)
    }

    /// Partitions in one of these states; now and then in any.
    fn partitions(
        &mut self,
        db: &Databuild,
        kinds: &[PartitionKind],
        max: usize,
    ) -> Vec<PartitionId> {
        let any = self.chance(3);
        let fits = |id: &PartitionId| any || kinds.contains(&db.partitions[id].state.kind());
        let of = db.partitions.keys().copied().filter(fits).collect();
        self.some(of, max)
    }

    /// What a run has read: live, or stale by now.
    fn read(&mut self, db: &Databuild) -> (Vec<PartitionId>, Vec<PartitionId>) {
        let mut kinds = vec![PartitionKind::Live];
        if self.chance(15) {
            kinds.push(PartitionKind::Stale);
        }
        let reads = self.partitions(db, &kinds, 4);
        let fits = |id: &PartitionId| kinds.contains(&db.partitions[id].state.kind());
        let of = db.partitions.keys().copied().filter(fits).collect();
        // An input of which there is no content belongs to one instance here, and to all instances by hand.
        let inputs = self.some(of, 3);
        (reads, inputs)
    }

    /// A run in one of these states; now and then any.
    fn run(&mut self, db: &Databuild, kinds: &[RunKind]) -> Option<RunId> {
        let any = self.chance(3);
        let fits = |id: &RunId| any || kinds.contains(&db.runs[id].state.kind());
        let of: Vec<RunId> = db.runs.keys().copied().filter(fits).collect();
        (!of.is_empty()).then(|| of[self.below(of.len())])
    }

    fn try_event(&mut self, db: &Databuild) -> Option<Event> {
        use PartitionKind::{Failed, Live, Missing, Stale, UpForRetry, UpstreamFailed};
        use RunKind::{Queued, Running};
        Some(match self.below(100) {
            0..12 => Event::WantCreated {
                partitions: self.names(),
            },
            12..36 => Event::JobQueued {
                label: format!("run {}", db.runs.len()),
                partitions: self.partitions(db, &[Missing, UpForRetry, Stale], 2),
                wants: {
                    let wants: Vec<WantId> = db.wants.keys().copied().collect();
                    self.some(wants, 3)
                },
            },
            36..58 => Event::JobStarted {
                run: self.run(db, &[Queued])?,
                pid: self.below(30_000) as u32,
            },
            58..76 => {
                let (reads, inputs) = self.read(db);
                Event::JobSucceeded {
                    run: self.run(db, &[Running])?,
                    digest: format!("d{}", self.below(1000)),
                    reads,
                    inputs,
                }
            }
            76..86 => {
                let (reads, inputs) = self.read(db);
                Event::DepMissed {
                    run: self.run(db, &[Running])?,
                    missed: self.names(),
                    reads,
                    inputs,
                }
            }
            86..90 => Event::JobFailed {
                run: self.run(db, &[Queued, Running])?,
                exit: self.below(200) as i32,
                reason: format!("because {}", self.below(1000)),
            },
            90..93 => Event::RunLost {
                run: self.run(db, &[Queued, Running])?,
            },
            93..96 => Event::SourcesChanged {
                partitions: self.partitions(db, &[Live, Failed], 2),
            },
            // One: what it blocks is not blocked any more.
            _ => Event::PartitionsRetried {
                partitions: self.partitions(db, &[Failed, UpstreamFailed], 1),
            },
        })
    }

    /// The next event.
    pub fn event(&mut self, db: &Databuild) -> Event {
        loop {
            if let Some(event) = self.try_event(db) {
                return event;
            }
        }
    }
}
