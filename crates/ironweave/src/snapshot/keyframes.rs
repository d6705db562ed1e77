//! Keyframes: versions of the graph that are kept in memory for queries of the past. They are close together near the present
//! and further apart with age. Each keyframe holds the pages that have changed since, so their number is bounded. A
//! store whose past is not queried keeps none.
//!
//! The versions after each of the last transactions are also kept, if the replica makes them. They share most pages.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::position::Seq;
use crate::store::version::{At, Version};

/// The number of keyframes that are kept.
const KEPT: usize = 16;
/// The minimum number of frames from one keyframe to the next.
pub(crate) const SPACING: u64 = 512;

/// The number of the last frames that have a keyframe each.
pub(crate) const RECENT: usize = 128;
/// The maximum number of facts of the recent frames together. Each fact may have copied a page.
const RECENT_FACTS: usize = 1 << 13;

/// Versions of the graph, in order of their frames.
#[derive(Default)]
pub(crate) struct Keyframes {
    kept: Mutex<Vec<Arc<Version>>>,
    recent: Mutex<Recent>,
    /// Whether the past was queried.
    enabled: AtomicBool,
}

/// The versions after the last frames, in order. The search reads only `at`, which is contiguous, since the versions are all
/// over the memory.
#[derive(Default)]
struct Recent {
    at: VecDeque<At>,
    states: VecDeque<RecentVersion>,
    facts: usize,
}

struct RecentVersion {
    /// The last frame of the version.
    seq: Seq,
    version: Arc<Version>,
    /// The number of facts of the frame.
    facts: usize,
}

impl Keyframes {
    /// Returns whether the past was queried, so that keyframes are to be kept.
    pub(crate) fn enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Records that the past was queried.
    pub(crate) fn enable(&self) {
        self.enabled.store(true, Ordering::Relaxed);
    }

    /// Keeps a version. If there are too many, removes the one with the smallest gap between its neighbours, relative to its
    /// distance from the latest.
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
            // Shifted, so that the quotients of integers differ.
            (gap << 20) / (back + SPACING)
        };
        if let Some(i) = (1..kept.len() - 1).min_by_key(crowded) {
            kept.remove(i);
        }
    }

    /// Keeps the version after one of the last frames, which has a number of facts.
    pub(crate) fn keep_recent(&self, state: Arc<Version>, facts: usize) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seq) = state.at.seq else {
            return;
        };
        if (recent.states.back()).is_some_and(|last| last.seq >= seq) {
            return;
        }
        recent.at.push_back(state.at);
        recent.states.push_back(RecentVersion {
            seq,
            version: state,
            facts,
        });
        recent.facts += facts;
        while recent.states.len() > RECENT || recent.facts > RECENT_FACTS {
            let Some(oldest) = recent.states.pop_front() else {
                break;
            };
            recent.at.pop_front();
            recent.facts -= oldest.facts;
        }
    }

    /// Returns the version after a frame, if it is one of the last and there is no gap after it. O(1).
    pub(crate) fn recent(&self, seq: Seq) -> Option<Arc<Version>> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let back = recent.states.back()?.seq.frames_since(seq)?;
        let back = usize::try_from(back).ok()?;
        let index = recent.states.len().checked_sub(back)?.checked_sub(1)?;
        let found = recent.states.get(index).filter(|found| found.seq == seq)?;
        Some(Arc::clone(&found.version))
    }

    /// Returns the last version for which `may` is true. If `may` is true for a version, it must be true for all earlier ones.
    pub(crate) fn last(&self, may: impl Fn(At) -> bool) -> Option<Arc<Version>> {
        let near = {
            let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let after = recent.at.partition_point(|at| may(*at));
            let found = after.checked_sub(1).and_then(|i| recent.states.get(i));
            let found = found.map(|found| Arc::clone(&found.version));
            let next = recent.at.get(after).and_then(|at| at.seq);
            // No version can be later than one that is followed by the version after the next frame.
            if (found.as_ref()).is_some_and(|state| Some(state.at.next()) == next) {
                return found;
            }
            found
        };
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let far = (kept.iter().rev().find(|state| may(state.at))).map(Arc::clone);
        near.into_iter()
            .chain(far)
            .max_by_key(|state| state.at.next())
    }

    /// Returns the frame after each keyframe.
    #[cfg(test)]
    pub(crate) fn seqs(&self) -> Vec<u64> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|k| k.at.next().get()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Timestamp;
    use crate::graph::Graph;
    use crate::schema::Schema;
    use crate::step::plan::Plan;

    /// Returns an empty version after a frame.
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
    fn each_of_the_last_frames_is_kept_while_they_have_few_facts() {
        let plan = Arc::new(Plan::of_log(Schema::default()));
        let keyframes = Keyframes::default();
        keyframes.keep(state(&plan, 3));
        let at = |seq: u64| {
            let last = keyframes.last(|at| at.seq <= Some(Seq::new(seq)));
            last.and_then(|s| s.at.seq).map(Seq::get)
        };
        (0..1_000).for_each(|seq| keyframes.keep_recent(state(&plan, seq), 4));
        assert_eq!(at(2_000), Some(999));
        let recent = |seq: u64| {
            let version = keyframes.recent(Seq::new(seq));
            version.and_then(|version| version.at.seq).map(Seq::get)
        };
        for seq in 1_000 - RECENT as u64..1_000 {
            assert_eq!((at(seq), recent(seq)), (Some(seq), Some(seq)));
        }
        for seq in [0, 3, 999 - RECENT as u64, 1_000, u64::MAX] {
            assert_eq!(recent(seq), None);
        }
        assert_eq!(at(999 - RECENT as u64), Some(3));
        assert_eq!(at(2), None);
        // An earlier version is not kept again, and versions with many facts leave room for few.
        keyframes.keep_recent(state(&plan, 500), 4);
        assert_eq!(at(600), Some(3));
        (1_000..1_010).for_each(|seq| keyframes.keep_recent(state(&plan, seq), RECENT_FACTS / 2));
        assert_eq!(at(1_008), Some(1_008));
        assert_eq!(at(1_007), Some(3));
        // A version before a gap is found by the search only.
        keyframes.keep_recent(state(&plan, 1_020), 1);
        assert_eq!(
            (recent(1_020), recent(1_009), at(1_009)),
            (Some(1_020), None, Some(1_009))
        );
    }

    #[test]
    fn gaps_grow_with_age() {
        let plan = Arc::new(Plan::of_log(Schema::default()));
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
            // The gap is at most a fraction of the distance from the latest.
            assert!(gap <= back.max(SPACING * 2), "{seqs:?}");
            assert!(
                gap <= back / 2 + SPACING * 2 || pair[0] < SPACING,
                "{seqs:?}"
            );
        }
    }
}
