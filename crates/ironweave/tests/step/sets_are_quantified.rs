//! `each` and `all` demand all elements of a set, `those` takes the ones that fit, `any` demands one and `none` none.

use super::*;

#[test]
fn each_demands_that_all_are_in_the_source_and_those_moves_the_ones_that_are() {
    let (mut store, ann, _, tasks) = pool();
    store.step(Given {
        worker: "ann".into(),
        tasks: tasks[..2].to_vec(),
    });
    store.step(SomeDone { worker: ann });
    let done = tasks[0].in_state::<Done>(&store).expect("it is done");
    assert_eq!(done.by(&store), "any worker");
    let text = rejected(
        &mut store,
        AllDone {
            worker: ann,
            by: "me".into(),
        },
    );
    assert_eq!(text, "AllDone: Task/0.1 is Done, not Ready");
    store.step(SomeDone { worker: ann });
}

#[test]
fn over_no_elements_each_those_all_and_none_hold_and_any_does_not() {
    let (mut store, ann, bob, _) = pool();
    store.step(AllDone {
        worker: ann,
        by: "me".into(),
    });
    store.step(SomeDone { worker: ann });
    store.step(BothWoken { a: ann, b: bob });
    store.step(Rested { worker: ann });
    let text = rejected(&mut store, RestedAfterWork { worker: bob });
    assert_eq!(
        text,
        "RestedAfterWork: `when(any worker.tasks in Done)` does not hold"
    );
}
