//! Keyframes: values of the graph that are kept in memory, close together near the present and further apart the
//! further back. Each holds the pages that have changed since, so that there are few, and none of a store that was
//! never asked what it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::log::Seq;
use crate::snapshot::State;

/// How many are kept.
const KEPT: usize = 16;
/// One is made for every so many frames that a graph goes through.
pub(crate) const SPACING: Seq = 512;

/// Values of the graph, by the frame that they stand at.
#[derive(Default)]
pub(crate) struct Keyframes {
    kept: Mutex<Vec<Arc<State>>>,
    /// Whether somebody has asked for the past.
    wanted: AtomicBool,
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
    pub(crate) fn keep(&self, state: Arc<State>) {
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

    /// The last one that stands where it may.
    pub(crate) fn last(&self, may: impl Fn(&State) -> bool) -> Option<Arc<State>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().find(|state| may(state)).map(Arc::clone)
    }

    /// Where they stand.
    #[cfg(test)]
    pub(crate) fn seqs(&self) -> Vec<Seq> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().map(|k| k.at.next()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::graph::Graph;
    use crate::schema::Schema;
    use crate::snapshot::At;
    use crate::step::plan::Plan;

    #[test]
    fn they_lie_further_apart_the_further_back_they_are() {
        let plan = Arc::new(Plan::new(Schema::default(), Vec::new(), Vec::new()));
        let keyframes = Keyframes::default();
        let frames = 1_000;
        for i in 0..frames {
            keyframes.keep(Arc::new(State {
                plan: Arc::clone(&plan),
                graph: Graph::new(Arc::clone(&plan.layout), &[], &[]),
                at: At {
                    seq: Some(i * SPACING),
                    time: Timestamp::default(),
                },
                paranoid: false,
            }));
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
