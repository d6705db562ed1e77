//! A model whose handlers panic, or depend on more than the graph.

use std::sync::atomic::{AtomicU8, Ordering};

use ironweave::prelude::*;

#[ironweave::model]
pub mod machine {
    use ironweave::prelude::*;

    #[entity]
    pub struct Machine {
        #[key]
        pub name: String,
        pub level: u8,
    }
    #[states(Machine)]
    pub enum MachineState {
        #[initial]
        #[to(On)]
        Off,
        #[to(Off)]
        On { since: Timestamp },
    }

    #[event]
    #[create(machine: Machine { name, level = 0 })]
    pub struct Built {
        pub name: String,
    }

    #[event]
    #[moves(machine: Off -> On { since })]
    pub struct SwitchedOn {
        pub machine: Key<Machine>,
        pub since: Timestamp,
    }

    #[event]
    #[may(set Machine.level)]
    pub struct Raised {
        pub machine: Machine<On>,
        pub by: crate::machine::Step,
    }

    #[event]
    #[may(set Machine.level)]
    pub struct Drifted {
        pub machine: Machine,
        pub far: bool,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    pub by: u8,
}

impl Apply for machine::Raised {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let level = bound.machine.level(tx) + self.by.by;
        assert!(level < 4, "level {level} is too high");
        bound.machine.set_level(tx, level)
    }
}

static DRIFT: AtomicU8 = AtomicU8::new(0);

impl Apply for machine::Drifted {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        if self.far {
            return Err(Reject::new("it is too far"));
        }
        bound
            .machine
            .set_level(tx, 100 + DRIFT.fetch_add(1, Ordering::Relaxed) % 100)
    }
}
