/// Found by the checker: a panic: level 4 is too high.
pub fn panic() {
    use crate::machine::machine::{state::*, *};
    use ironweave::prelude::*;

    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros(0));
    let mut store = Store::<Model>::options().clock(clock).memory();
    let machine = store.step(Built { name: "left".into() }).created.machine;
    store.step(SwitchedOn { machine: "left".into(), since: Timestamp::from_micros(0) });
    store.step(Raised { machine: machine.in_state::<On>(&store).expect("On"), by: crate::machine::Step { by: 2 } });
    store.step(Raised { machine: machine.in_state::<On>(&store).expect("On"), by: crate::machine::Step { by: 2 } });
}
