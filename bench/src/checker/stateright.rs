//! The model by hand for Stateright.

use std::error::Error;
use std::time::{Duration, Instant};

use stateright::{Checker as _, Model, Property};

use super::Checked;
use super::twin::{ALWAYS, Action, State, Twin};

impl Model for Twin {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        Twin::actions(self, state, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        self.next(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let all = ALWAYS.into_iter();
        all.map(|(name, holds)| Property::always(name, holds))
            .collect()
    }
}

/// Checks the model, breadth first.
pub fn check(scope: [usize; 4], threads: usize) -> Result<(Checked, Duration), Box<dyn Error>> {
    let began = Instant::now();
    let checker = Twin(scope).checker().threads(threads).spawn_bfs().join();
    let elapsed = began.elapsed();
    if let Some((name, path)) = checker.discoveries().iter().next() {
        return Err(format!("{name}: {path:?}").into());
    }
    let checked = Checked {
        states: checker.unique_state_count() as u64,
        // It counts the first state and each state that it generates, known or not.
        fired: checker.state_count() as u64 - 1,
    };
    Ok((checked, elapsed))
}
