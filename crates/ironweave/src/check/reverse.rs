//! Which states can reach one of some states: a search backward over all events that fired.

use crate::check::states::NOTHING;

/// The events that fired, as pairs of states: for each state that was explored the states after it.
#[derive(Default)]
pub(super) struct Successors {
    /// Where the successors of each explored state end.
    ends: Vec<usize>,
    all: Vec<u32>,
}

impl Successors {
    /// Adds a successor of the state that is being explored.
    pub(super) fn push(&mut self, state: u32) {
        self.all.push(state);
    }

    /// Ends the successors of the state that is being explored. The next one is that of the next number.
    pub(super) fn end(&mut self) {
        self.ends.push(self.all.len());
    }

    pub(super) fn bytes(&self) -> usize {
        self.ends.capacity() * size_of::<usize>() + self.all.capacity() * size_of::<u32>()
    }

    /// Returns the pairs of states, the earlier one first.
    fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        let mut before = 0;
        (0..).zip(&self.ends).flat_map(move |(state, end)| {
            let successors = self.all.get(before..*end).unwrap_or_default();
            before = *end;
            successors.iter().map(move |successor| (state, *successor))
        })
    }

    /// Returns the first of the states that can reach none of those that are marked; `None` if there is none.
    pub(super) fn first_that_cannot_reach(&self, mut reaches: Vec<bool>) -> Option<u32> {
        let states = reaches.len();
        // The predecessors of each state, in one list.
        let mut starts = vec![0usize; states + 1];
        for (_, to) in self.pairs() {
            starts[to as usize + 1] += 1;
        }
        for i in 0..states {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut predecessors = vec![NOTHING; self.all.len()];
        for (from, to) in self.pairs() {
            let at = &mut next[to as usize];
            predecessors[*at] = from;
            *at += 1;
        }
        let mut queue: Vec<u32> = (0..states as u32)
            .filter(|state| reaches[*state as usize])
            .collect();
        while let Some(state) = queue.pop() {
            let state = state as usize;
            for from in &predecessors[starts[state]..starts[state + 1]] {
                if !std::mem::replace(&mut reaches[*from as usize], true) {
                    queue.push(*from);
                }
            }
        }
        (0..)
            .zip(&reaches)
            .find(|(_, reaches)| !**reaches)
            .map(|(state, _)| state)
    }
}
