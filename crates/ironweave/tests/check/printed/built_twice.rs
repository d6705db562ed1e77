/// Found by the checker: "nothing is built twice at once" does not hold of Partition "a".
pub fn nothing_is_built_twice_at_once() {
    use crate::build::built_twice::*;
    use ironweave::prelude::*;

    let clock = ironweave::ManualClock::starting_at(Timestamp::from_micros(0));
    let mut store = Store::<Model>::options().clock(clock).memory();
    store.step(WantCreated { partitions: vec!["a".into()] });
    let partition = store.find::<Partition>("a").expect("it was created");
    store.step(JobQueued { partitions: vec![partition] });
    store.step(JobQueued { partitions: vec![partition] });
    for entity in store.place::<Partition, Any>() {
        assert!(crate::build::built_once_twice(entity, &store), "nothing is built twice at once");
    }
}
