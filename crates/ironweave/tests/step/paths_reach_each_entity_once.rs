//! A path follows links over several edges and reaches each entity once.

use super::*;

#[test]
fn paths_go_several_hops_and_reach_each_entity_once() {
    let mut store = Pool::paranoid();
    let names = ["a", "b", "c", "d"];
    let w = store
        .step(Hired {
            workers: names.map(Into::into).to_vec(),
        })
        .bound
        .workers;
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3), (3, 0)] {
        store.step(Befriended {
            a: w[a],
            b: Some(w[b]),
        });
    }
    store.step(Befriended { a: w[0], b: None });
    store.step(FriendsOfFriendsWoken { worker: w[0] });
    let awake: Vec<Worker> = store.place::<Worker, Awake>().map(|w| w.any()).collect();
    assert_eq!(awake, [w[3]]);
    assert_eq!(w[3].friend_of(&store).collect::<Vec<_>>(), [w[1], w[2]]);
}

#[test]
fn a_set_reaches_all_that_its_path_reaches() {
    let (mut store, ann, _, tasks) = pool();
    store.step(Given {
        worker: "ann".into(),
        tasks: tasks[..2].to_vec(),
    });
    store.step(Resized {
        worker: ann,
        size: 9,
    });
    assert_eq!(
        tasks.iter().map(|t| t.size(&store)).collect::<Vec<_>>(),
        [9, 9, 3]
    );
}
