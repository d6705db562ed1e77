//! The number of links at an end is within its bounds after every event.

use super::*;

#[test]
fn bounds_on_links_hold_after_every_event() {
    let (mut store, ann, bob, tasks) = pool();
    let text = rejected(
        &mut store,
        Given {
            worker: "ann".into(),
            tasks: tasks.clone(),
        },
    );
    assert_eq!(
        text,
        "Given: Worker \"ann\" would have 3 links at Worker.tasks, and 0 to 2 are allowed"
    );
    store.step(Given {
        worker: "ann".into(),
        tasks: tasks[..2].to_vec(),
    });
    let text = rejected(
        &mut store,
        Given {
            worker: "bob".into(),
            tasks: tasks[..1].to_vec(),
        },
    );
    assert!(
        text.starts_with("Given: Task/0.1 would have 2 links at Task.worker, and at most one"),
        "{text}"
    );
    let text = rejected(&mut store, AddedWithoutALog {});
    assert_eq!(
        text,
        "AddedWithoutALog: Task/3.1 would have 0 links at Task.log, and exactly one is required"
    );
    let text = rejected(
        &mut store,
        Given {
            worker: "ann".into(),
            tasks: tasks[..1].to_vec(),
        },
    );
    assert_eq!(
        text,
        "Given: Worker \"ann\" and Task/0.1 are already linked by Worker.tasks; use `relink` if that is allowed"
    );
    store.step(HandedOver { from: ann, to: bob });
    assert_eq!((ann.tasks_count(&store), bob.tasks_count(&store)), (0, 2));
    assert_eq!(tasks[0].worker(&store), Some(bob));
}

#[test]
fn unlink_removes_links() {
    let (mut store, ann, _, tasks) = pool();
    store.step(Given {
        worker: "ann".into(),
        tasks: tasks[..2].to_vec(),
    });
    store.step(Taken {
        worker: ann,
        tasks: tasks[1..].to_vec(),
    });
    assert_eq!(ann.tasks(&store).collect::<Vec<_>>(), tasks[..1]);
    store.step(Taken {
        worker: ann,
        tasks: vec![],
    });
}
