/// Found by the checker: "every want can end" can never hold again.
pub fn every_want_can_end() {
    use crate::build::no_retry::*;
    use ironweave::prelude::*;

    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros(0));
    let mut store = Store::<Model>::options().clock(clock).memory();
    store.step(WantCreated { partitions: vec!["a".into()] });
    let partition = store.find::<Partition>("a").expect("it was created");
    let run = store.step(JobQueued { partitions: vec![partition] }).created.run;
    store.step(JobFailed { run, exit: 1 });
    assert!(crate::build::all_end_no_retry(&store), "every want can end: no event can make this true again");
}
