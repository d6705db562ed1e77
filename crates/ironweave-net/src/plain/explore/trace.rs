//! The shortest firings that lead to markings. The search keeps no predecessors, to save memory; they are found by a second one.

use std::collections::{HashMap, HashSet};

use super::kernel::{Kernel, Marking};
use super::layout::Layout;
use super::{Step, unpacked};
use crate::plain::{Net, TransitionIx};

/// Returns the shortest firings from the initial marking to each of several others, which are reachable. Time and memory O(markings
/// that are at most as far away as the farthest of these), and more memory for each of them than the search takes.
pub(super) fn paths<const W: usize>(
    net: &Net,
    kernel: &Kernel<W>,
    layout: &Layout,
    initial: Marking<W>,
    targets: &HashSet<Marking<W>>,
) -> HashMap<Marking<W>, Vec<Step>> {
    let mut missing = targets.clone();
    missing.remove(&initial);
    // For each marking, the position of the marking before it, and the transition.
    let mut order: Vec<(Marking<W>, usize, u32)> = vec![(initial, 0, 0)];
    let mut known: HashSet<Marking<W>> = HashSet::from([initial]);
    let mut ends = HashMap::from([(initial, 0)]);
    let mut enabled = vec![0; kernel.set_words];
    let mut at = 0;
    while !missing.is_empty() && at < order.len() {
        let marking = order[at].0;
        kernel.enabled(&marking, &mut enabled);
        for (word, base) in enabled.iter().zip((0..).step_by(64)) {
            let mut left = *word;
            while left != 0 {
                let transition = base + left.trailing_zeros();
                left &= left - 1;
                let Some(next) = kernel.fire(transition, &marking) else {
                    continue;
                };
                if known.insert(next) {
                    if missing.remove(&next) {
                        ends.insert(next, order.len());
                    }
                    order.push((next, at, transition));
                }
            }
        }
        at += 1;
    }
    let path = |mut at: usize| {
        let mut steps = Vec::new();
        while at != 0 {
            let (marking, before, transition) = order[at];
            steps.push(Step {
                transition: TransitionIx(kernel.of_net[transition as usize]),
                marking: unpacked(net, layout, &marking),
            });
            at = before;
        }
        steps.reverse();
        steps
    };
    ends.into_iter().map(|(end, at)| (end, path(at))).collect()
}
