/// Found by the checker: "it is low" does not hold of Machine "press".
pub fn it_is_low() {
    use crate::machine::machine::{state::*, *};
    use ironweave::prelude::*;

    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros(43200000000));
    let mut store = Store::<Model>::options().clock(clock).memory();
    let machine = store.step(Built { name: "press".into() }).created.machine;
    // Here the exploration begins.
    store.step(SwitchedOn { machine: "press".into(), since: Timestamp::from_micros(43200000000) });
    store.step(Raised { machine: machine.in_state::<On>(&store).expect("On"), by: crate::machine::Step { by: 1 } });
    store.step(Raised { machine: machine.in_state::<On>(&store).expect("On"), by: crate::machine::Step { by: 1 } });
    // The condition is the closure at crates/ironweave/tests/check/code_of_the_program_runs.rs:.
    panic!("it is low");
}
