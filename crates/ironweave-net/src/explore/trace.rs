//! The shortest firings that lead to a marking. The search keeps no predecessors, to save memory; they are found by a second one.

use std::collections::HashMap;

use super::kernel::{Kernel, Marking};
use super::layout::Layout;
use super::{Step, unpacked};
use crate::net::{Net, TransitionIx};

/// Returns the shortest firings from the initial marking to another, which is reachable. Time and memory O(markings that are at most
/// as far away).
pub(super) fn path<const W: usize>(
    net: &Net,
    kernel: &Kernel<W>,
    layout: &Layout,
    initial: Marking<W>,
    target: &Marking<W>,
) -> Vec<Step> {
    // For each marking, the position of the marking before it, and the transition.
    let mut order: Vec<(Marking<W>, u32, u32)> = vec![(initial, 0, 0)];
    let mut known: HashMap<Marking<W>, u32> = HashMap::from([(initial, 0)]);
    let mut enabled = vec![0; kernel.set_words];
    let mut at = 0;
    while !known.contains_key(target) && at < order.len() {
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
                known.entry(next).or_insert_with(|| {
                    order.push((next, at as u32, transition));
                    order.len() as u32 - 1
                });
            }
        }
        at += 1;
    }
    let mut steps = Vec::new();
    let mut at = known.get(target).copied().unwrap_or(0);
    while at != 0 {
        let (marking, before, transition) = order[at as usize];
        steps.push(Step {
            transition: TransitionIx(kernel.of_net[transition as usize]),
            marking: unpacked(net, layout, &marking),
        });
        at = before;
    }
    steps.reverse();
    steps
}
