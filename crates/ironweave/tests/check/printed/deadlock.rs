/// Found by the checker: a deadlock: no event can fire, and Partition/0.1 is Failed, Want/0.1 is Idle.
pub fn deadlock() {
    use crate::build::no_retry::{state::*, *};
    use ironweave::prelude::*;

    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros(0));
    let mut store = Store::<Model>::options().clock(clock).memory();
    store.step(WantCreated { partitions: vec!["a".into()] });
    let partition = store.find::<Partition>("a").expect("it was created");
    let run = store.step(JobQueued { partitions: vec![partition] }).created.run;
    store.step(JobFailed { run, exit: 1 });
    // No event can fire.
    assert!(!partition.is::<Failed>(&store), "Partition/0.1 stays Failed");
}
