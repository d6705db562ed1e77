//! An event is bound to entities that exist, once each, in the states that its tokens name.

use super::*;

#[test]
fn an_unknown_key_a_deleted_entity_and_a_stale_token_reject() {
    let (mut store, ann, _, _) = pool();
    let text = rejected(
        &mut store,
        Given {
            worker: "eve".into(),
            tasks: vec![],
        },
    );
    assert_eq!(
        text,
        "Given: there is no Worker \"eve\"; create it first, or use another key"
    );
    let unknown: Worker = serde_json::from_str("\"Worker/9.1\"").expect("a handle");
    assert_eq!(
        rejected(&mut store, Rested { worker: unknown }),
        "Rested: Worker/9.1 does not exist; it was deleted, or its handle is of another store"
    );
    let asleep = ann
        .in_state::<Asleep>(&store)
        .expect("the entity is in that state");
    let stale = ann
        .in_state::<Asleep>(&store)
        .expect("the entity is in that state");
    let awake: Worker<Awake> = store.step(Woken { worker: asleep }).bound.worker;
    assert_eq!(
        rejected(&mut store, Woken { worker: stale }),
        "Woken: Worker \"ann\" is Awake, not Asleep"
    );
    assert_eq!(
        serde_json::to_string(&awake).expect("JSON"),
        "\"Worker/0.1\""
    );
}

#[test]
fn an_entity_that_stands_twice_in_a_set_rejects() {
    let (mut store, _, _, tasks) = pool();
    let event = Given {
        worker: "ann".into(),
        tasks: vec![tasks[1], tasks[0], tasks[1]],
    };
    assert_eq!(
        rejected(&mut store, event),
        "Given: Task/1.1 occurs twice in `tasks`; list it once"
    );
    let many: Vec<Ensure<Worker>> = (0..40)
        .chain([17])
        .map(|i| format!("w{i}").into())
        .collect();
    assert!(rejected(&mut store, Hired { workers: many }).contains("occurs twice in `workers`"));
}
