//! The fingerprint depends on the graph only, and not on its history.

use super::*;

#[test]
fn equal_graphs_have_equal_fingerprints_whatever_their_history() {
    let build = |order: [&str; 2], first: u64| {
        let mut store = Pool::paranoid();
        let ann = store
            .step(Hired {
                workers: vec!["ann".into()],
            })
            .bound
            .workers[0];
        let tasks: Vec<Task> = (0..2)
            .map(|_| store.step(Added { size: first }).created.task)
            .collect();
        for name in order {
            let task = tasks[usize::from(name == "b")];
            store.step(Given {
                worker: "ann".into(),
                tasks: vec![task],
            });
        }
        store.step(Resized {
            worker: ann,
            size: 5,
        });
        let ready = ann.in_state::<Asleep>(&store).expect("asleep");
        store.step(Woken { worker: ready });
        store.fingerprint()
    };
    assert_eq!(build(["a", "b"], 1), build(["b", "a"], 2));
}
