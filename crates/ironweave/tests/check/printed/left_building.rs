/// Found by the checker: "a partition in Building has an unfinished run" does not hold of Partition "a": no unfinished run builds it.
pub fn a_partition_in_building_has_an_unfinished_run() {
    use crate::build::left_building::*;
    use ironweave::prelude::*;

    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros(0));
    let mut store = Store::<Model>::options().clock(clock).memory();
    store.step(WantCreated { partitions: vec!["a".into()] });
    let partition = store.find::<Partition>("a").expect("it was created");
    let run = store.step(JobQueued { partitions: vec![partition] }).created.run;
    store.step(JobFailed { run, exit: 1 });
    for entity in store.place::<Partition, Any>() {
        if let Err(e) = crate::build::has_run_left(entity, &store) {
            panic!("{}: {e}", "a partition in Building has an unfinished run");
        }
    }
}
