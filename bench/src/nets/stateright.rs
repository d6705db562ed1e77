//! The nets for Stateright, which knows no nets: a model with a packed marking as its state, as its users would write it.

use std::error::Error;
use std::time::Instant;

use stateright::{Checker as _, Model, Property};

use super::by_hand::{Packed, Word};
use super::{Explored, Task};

impl<W: Word + std::fmt::Debug + 'static, const BITS: usize> Model for Packed<W, BITS> {
    type State = W;
    /// The position of a transition.
    type Action = u32;

    fn init_states(&self) -> Vec<W> {
        vec![self.initial()]
    }

    fn actions(&self, marking: &W, actions: &mut Vec<u32>) {
        actions.extend(self.enabled(*marking));
    }

    fn next_state(&self, marking: &W, action: u32) -> Option<W> {
        Some(self.fired(*marking, action))
    }

    /// Without a property, Stateright ends at once.
    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("every marking is visited", |_, _| true)]
    }
}

/// Visits all markings, breadth first.
pub fn explore(task: &Task, threads: usize) -> Result<Explored, Box<dyn Error>> {
    let Task { net, .. } = task;
    match (task.family.is_safe(), net.places.len()) {
        (false, _) => visit(Packed::<u64, 4>::new(net), threads),
        (true, ..=64) => visit(Packed::<u64, 1>::new(net), threads),
        (true, _) => visit(Packed::<u128, 1>::new(net), threads),
    }
}

fn visit<M>(model: M, threads: usize) -> Result<Explored, Box<dyn Error>>
where
    M: Model<State: std::hash::Hash + Clone + PartialEq + std::fmt::Debug + Send + Sync>
        + Send
        + Sync
        + 'static,
    M::Action: Clone + PartialEq + std::fmt::Debug + Send + Sync,
{
    let began = Instant::now();
    let checker = model.checker().threads(threads).spawn_bfs().join();
    let elapsed = began.elapsed();
    if !checker.discoveries().is_empty() {
        return Err("a property that always holds was violated".into());
    }
    Ok(Explored {
        states: checker.unique_state_count() as u64,
        // It counts the first state and each state that it generates, known or not.
        edges: Some(checker.state_count() as u64 - 1),
        deadlocks: None,
        bytes: None,
        elapsed,
    })
}
