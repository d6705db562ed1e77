//! A step on a graph of many pages does what it does on a small graph.

use super::*;

#[test]
fn a_large_graph_steps_as_a_small_one() {
    let mut store = Store::<pool::Model>::unlogged();
    let mut t = store.begin();
    let tasks: Vec<Task> = (0..17_000)
        .map(|i| {
            t.apply(Added { size: i % 50 })
                .expect("the event fires")
                .created
                .task
        })
        .collect();
    t.commit().expect("no giants");
    let (a, b) = (tasks[0], tasks[16_999]);
    let answer = store.what_if(|t| -> Result<_, StepError> {
        t.apply(BothResized { a, b, size: 70 })?;
        Ok(a.size(t) + b.size(t))
    });
    assert_eq!(answer.expect("they are two"), 140);
    store.step(BothResized { a, b, size: 71 });
    let new = store.step(Added { size: 5 }).created;
    assert_eq!((a.size(&store), b.size(&store)), (71, 71));
    assert!(new.task.log(&store) == new.log);
    assert_consistent(&store);
}
