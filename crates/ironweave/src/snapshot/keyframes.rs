//! Keyframes: values of the graph that are kept in memory, close together near the present and further apart the
//! further back. Each holds the pages that have changed since, so that there are few, and none of a store that was
//! never asked what it was.
//!
//! Of the last transactions every one is kept, as far as the replica has followed them: they share nearly all.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::version::Version;

/// How many are kept.
const KEPT: usize = 16;
/// One is made for every so many frames that a graph goes through.
pub(crate) const SPACING: u64 = 512;

/// Of so many frames, the last ones, each is kept.
pub(crate) const RECENT: usize = 128;
/// As long as they have no more facts than this together: each may hold a page of its own.
const RECENT_FACTS: usize = 1 << 13;

/// Values of the graph, by the frame that they stand at.
#[derive(Default)]
pub(crate) struct Keyframes {
    kept: Mutex<Vec<Arc<Version>>>,
    recent: Mutex<Recent>,
    /// Whether somebody has asked for the past.
    wanted: AtomicBool,
}

/// The last ones, in order, each with the number of its facts.
#[derive(Default)]
struct Recent {
    states: VecDeque<(Arc<Version>, usize)>,
    facts: usize,
}

impl Keyframes {
    /// Whether somebody has asked for the past, so that it is worth keeping.
    pub(crate) fn wanted(&self) -> bool {
        self.wanted.load(Ordering::Relaxed)
    }

    /// Somebody asks for the past.
    pub(crate) fn want(&self) {
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Keeps one more. Of too many, that one goes whose neighbours are nearest, as seen from the latest.
    pub(crate) fn keep(&self, state: Arc<Version>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.partition_point(|k| k.at.next() < state.at.next());
        if kept.get(at).is_some_and(|k| k.at == state.at) {
            return;
        }
        kept.insert(at, state);
        if kept.len() <= KEPT {
            return;
        }
        let latest = kept[kept.len() - 1].at.next();
        let crowded = |i: &usize| {
            let gap = kept[i + 1].at.next() - kept[i - 1].at.next();
            let back = latest - kept[*i].at.next();
            // In units that whole numbers can tell apart.
            (gap << 20) / (back + SPACING)
        };
        if let Some(i) = (1..kept.len() - 1).min_by_key(crowded) {
            kept.remove(i);
        }
    }

    /// Keeps the value after one of the last frames, which had so many facts.
    pub(crate) fn follow(&self, state: Arc<Version>, facts: usize) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if (recent.states.back()).is_some_and(|(last, _)| last.at.seq >= state.at.seq) {
            return;
        }
        recent.states.push_back((state, facts));
        recent.facts += facts;
        while recent.states.len() > RECENT || recent.facts > RECENT_FACTS {
            let Some((_, facts)) = recent.states.pop_front() else {
                break;
            };
            recent.facts -= facts;
        }
    }

    /// The last one that stands where it may; what stands before one that may, may too.
    pub(crate) fn last(&self, may: impl Fn(&Version) -> bool) -> Option<Arc<Version>> {
        let near = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let after = recent.states.partition_point(|(state, _)| may(state));
            let found = after.checked_sub(1).map(|i| &recent.states[i].0);
            found.map(Arc::clone)
        };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let far = kept.iter().rev().find(|state| may(state)).map(Arc::clone);
        near.into_iter()
            .chain(far)
            .max_by_key(|state| state.at.next())
    }

    /// Where they stand.
    #[cfg(test)]
    pub(crate) fn seqs(&self) -> Vec<u64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|k| k.at.next().get()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::seq::Seq;
    use crate::base::time::Timestamp;
    use crate::graph::Graph;
    use crate::schema::Schema;
    use crate::step::plan::Plan;
    use crate::store::version::At;

    /// A value without anything in it, after a frame.
    fn state(plan: &Arc<Plan>, seq: u64) -> Arc<Version> {
        Arc::new(Version {
            plan: Arc::clone(plan),
            graph: Graph::new(Arc::clone(&plan.layout), &[], &[]),
            at: At {
                seq: Some(Seq::new(seq)),
                time: Timestamp::default(),
                position: None,
            },
            paranoid: false,
            lineage: 0,
        })
    }

    #[test]
    fn of_the_last_frames_each_is_kept_as_long_as_they_are_small() {
        let plan = Arc::new(Plan::new(Schema::default(), Vec::new(), Vec::new()));
        let keyframes = Keyframes::default();
        keyframes.keep(state(&plan, 3));
        let at = |seq: u64| {
            let last = keyframes.last(|s| s.at.seq <= Some(Seq::new(seq)));
            last.and_then(|s| s.at.seq).map(Seq::get)
        };
        (0..1_000).for_each(|seq| keyframes.follow(state(&plan, seq), 4));
        assert_eq!(at(2_000), Some(999));
        (1_000 - RECENT as u64..1_000).for_each(|seq| assert_eq!(at(seq), Some(seq)));
        assert_eq!(at(999 - RECENT as u64), Some(3));
        assert_eq!(at(2), None);
        // What was before is not kept again, and what is large leaves room for few.
        keyframes.follow(state(&plan, 500), 4);
        assert_eq!(at(600), Some(3));
        (1_000..1_010).for_each(|seq| keyframes.follow(state(&plan, seq), RECENT_FACTS / 2));
        assert_eq!(at(1_008), Some(1_008));
        assert_eq!(at(1_007), Some(3));
    }

    #[test]
    fn they_lie_further_apart_the_further_back_they_are() {
        let plan = Arc::new(Plan::new(Schema::default(), Vec::new(), Vec::new()));
        let keyframes = Keyframes::default();
        let frames = 1_000;
        for i in 0..frames {
            keyframes.keep(state(&plan, i * SPACING));
        }
        let seqs = keyframes.seqs();
        assert_eq!(seqs.len(), KEPT);
        let latest = seqs[KEPT - 1];
        assert_eq!(latest, (frames - 1) * SPACING + 1);
        for pair in seqs.windows(2) {
            let (gap, back) = (pair[1] - pair[0], latest - pair[0]);
            // What lies between two is never more than a part of the way back.
            assert!(gap <= back.max(SPACING * 2), "{seqs:?}");
            assert!(
                gap <= back / 2 + SPACING * 2 || pair[0] < SPACING,
                "{seqs:?}"
            );
        }
    }
}
