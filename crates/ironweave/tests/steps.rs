//! The rules of a step, one test each.
#![allow(missing_docs)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::prelude::*;
use pool::state::{Asleep, Awake, Done, Ready};
use pool::*;

#[ironweave::model]
pub mod pool {
    use ironweave::prelude::*;

    #[entity]
    pub struct Worker {
        #[key]
        pub name: String,
        #[edge(max = 2)]
        pub tasks: Many<Task>,
        pub friends: Many<Worker>,
        #[inverse(Worker::friends)]
        pub friend_of: Many<Worker>,
    }
    #[states(Worker)]
    pub enum WorkerState {
        #[initial]
        #[to(Awake)]
        Asleep,
        #[to(Asleep, Awake)]
        Awake,
    }

    #[entity]
    pub struct Task {
        pub size: u64,
        #[inverse(Worker::tasks)]
        pub worker: Option<Worker>,
        pub log: Log,
    }
    #[states(Task)]
    pub enum TaskState {
        #[initial]
        #[to(Done, Stuck)]
        Ready,
        #[to(Ready)]
        Done { at: Timestamp, by: String },
        #[to(Ready)]
        Stuck,
    }

    #[entity]
    pub struct Log {
        #[inverse(Task::log)]
        pub tasks: Many<Task>,
    }
    #[states(Log)]
    pub enum LogState {
        #[initial]
        #[terminal]
        Open,
    }

    #[event]
    pub struct Hired {
        pub workers: Vec<Ensure<Worker>>,
    }

    #[event]
    #[create(log: Log)]
    #[create(task: Task { size })]
    #[link(task.log += log)]
    pub struct Added {
        pub size: u64,
    }

    #[event]
    #[create(log: Log)]
    #[may(link Task.log)]
    #[create(task: Task { size = 1 })]
    pub struct AddedWithoutALog {}

    #[event]
    #[link(worker.tasks += tasks)]
    pub struct Given {
        pub worker: Key<Worker>,
        pub tasks: Vec<Task>,
    }

    #[event]
    #[unlink(worker.tasks -= tasks)]
    pub struct Taken {
        pub worker: Worker,
        pub tasks: Vec<Task>,
    }

    #[event]
    #[relink(to.tasks += from.tasks)]
    pub struct HandedOver {
        pub from: Worker,
        pub to: Worker,
    }

    #[event]
    #[moves(each worker.tasks: Ready -> Done { at = meta.time, by })]
    pub struct AllDone {
        pub worker: Worker,
        pub by: String,
    }

    #[event]
    #[moves(those worker.tasks: Ready -> Done { at = meta.time, by = "somebody" })]
    pub struct SomeDone {
        pub worker: Worker,
    }

    #[event]
    #[when(all worker.tasks in Done)]
    #[when(none worker.tasks in Stuck)]
    #[moves(worker: Awake -> Asleep)]
    pub struct Rested {
        pub worker: Worker,
    }

    #[event]
    #[when(any worker.tasks in Done)]
    #[moves(worker: Awake -> Asleep)]
    pub struct RestedAfterWork {
        pub worker: Worker,
    }

    #[event]
    #[moves(worker: Asleep -> Awake)]
    pub struct Woken {
        pub worker: Worker<Asleep>,
    }

    #[event]
    #[moves(a: Asleep -> Awake)]
    #[moves(b: Asleep -> Awake)]
    pub struct BothWoken {
        pub a: Worker,
        pub b: Worker,
    }

    #[event]
    #[set(worker.tasks.size = size)]
    pub struct Resized {
        pub worker: Worker,
        pub size: u64,
    }

    #[event]
    #[set(a.size = size)]
    #[set(b.size = size)]
    pub struct BothResized {
        pub a: Task,
        pub b: Task,
        pub size: u64,
    }

    #[event]
    #[link(a.friends += b)]
    pub struct Befriended {
        pub a: Worker,
        pub b: Option<Worker>,
    }

    #[event]
    #[moves(those worker.friends.friends: Asleep -> Awake)]
    pub struct FriendsOfFriendsWoken {
        pub worker: Worker,
    }

    #[event]
    #[guard(crate::guards::fine)]
    #[may(Task: Ready -> Stuck, set Task.size, link Worker.tasks, unlink Worker.tasks, relink Worker.tasks)]
    pub struct Handled {
        pub task: Task<Ready>,
        pub worker: Worker,
        pub how: String,
    }

    #[invariant(Task, via = [worker], crate::guards::no_giants)]
    pub struct NoGiants;
}

mod guards {
    use super::pool::*;
    use ironweave::prelude::*;

    pub fn fine(event: &Handled, _: &impl Db) -> Result<(), Reject> {
        match event.how.as_str() {
            "guard" => Err(Reject::new("the guard said so")),
            "guard panic" => panic!("in the guard"),
            _ => Ok(()),
        }
    }

    pub fn no_giants(task: Task, db: &impl Db) -> Result<(), Reject> {
        if task.size(db) < 100 {
            Ok(())
        } else {
            Err(Reject::new("too large"))
        }
    }
}

impl Apply for Handled {
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let (task, worker) = (bound.task, bound.worker);
        task.set_size(tx, 50u64)?;
        assert_eq!(task.size(tx), 50, "a handler sees what it did");
        match self.how.as_str() {
            "reject" => return Err(Reject::new("the handler said so")),
            "panic" => panic!("in the handler"),
            "giant" => task.set_size(tx, 100u64)?,
            "link twice" => {
                worker.link_tasks(tx, &task)?;
                worker.link_tasks(tx, &task)?;
            }
            "unlink" => worker.unlink_tasks(tx, &task)?,
            _ => worker.relink_tasks(tx, &task)?,
        }
        task.to_stuck(tx)?;
        Ok(())
    }
}

impl Apply for AddedWithoutALog {
    fn apply(&self, _: Bound<Self>, _: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
}

type Pool = Store<pool::Model>;

/// Two workers, Ann and Bob, and three tasks.
fn pool() -> (Pool, Worker, Worker, Vec<Task>) {
    let mut store = Pool::paranoid();
    let workers = store
        .step(Hired {
            workers: vec!["ann".into(), "bob".into()],
        })
        .bound
        .workers;
    let tasks = (1..=3)
        .map(|size| store.step(Added { size }).created.task)
        .collect();
    (store, workers[0], workers[1], tasks)
}

/// What an event is rejected for; nothing changes.
#[track_caller]
fn rejected<E: Event<Model = pool::Model>>(store: &mut Pool, event: E) -> String {
    let (seq, print) = (store.seq(), store.fingerprint());
    let Err(e) = store.try_step(event) else {
        panic!("{} was not rejected", E::NAME)
    };
    assert_eq!(e.kind(), ironweave::ErrorKind::Rejected);
    assert_eq!((store.seq(), store.fingerprint()), (seq, print));
    assert_eq!(store.check(), Vec::<String>::new());
    e.to_string()
}

#[test]
fn each_demands_all_and_those_takes_what_fits() {
    let (mut store, ann, _, tasks) = pool();
    store.step(Given {
        worker: "ann".into(),
        tasks: tasks[..2].to_vec(),
    });
    store.step(SomeDone { worker: ann });
    let done = tasks[0].in_state::<Done>(&store).expect("it is done");
    assert_eq!(done.by(&store), "somebody");
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

#[test]
fn two_arcs_on_one_entity_reject() {
    let (mut store, ann, bob, tasks) = pool();
    let text = rejected(&mut store, BothWoken { a: ann, b: ann });
    assert_eq!(
        text,
        "BothWoken: two arcs move or delete Worker \"ann\", or set the same field of it; an event does each of these \
         once to an entity"
    );
    store.step(BothWoken { a: ann, b: bob });
    let (a, b) = (tasks[0], tasks[1]);
    assert!(rejected(&mut store, BothResized { a, b: a, size: 7 }).contains("two arcs"));
    store.step(BothResized { a, b, size: 7 });
    assert_eq!((a.size(&store), b.size(&store)), (7, 7));
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
        "Given: Task/1.1 stands twice in `tasks`; name it once"
    );
    let many: Vec<Ensure<Worker>> = (0..40)
        .chain([17])
        .map(|i| format!("w{i}").into())
        .collect();
    assert!(rejected(&mut store, Hired { workers: many }).contains("stands twice in `workers`"));
}

#[test]
fn bindings_reject_what_is_unknown_gone_or_elsewhere() {
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
        "Given: there is no Worker \"eve\"; create it first, or name another"
    );
    let nobody: Worker = serde_json::from_str("\"Worker/9.1\"").expect("a handle");
    assert_eq!(
        rejected(&mut store, Rested { worker: nobody }),
        "Rested: Worker/9.1 does not exist; it was deleted, or its handle is of another store"
    );
    let asleep = ann.in_state::<Asleep>(&store).expect("it is");
    let stale = ann.in_state::<Asleep>(&store).expect("it is");
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
        "Given: Worker \"ann\" and Task/0.1 are already linked by Worker.tasks; use `relink` where that is no mistake"
    );
    store.step(HandedOver { from: ann, to: bob });
    assert_eq!((ann.tasks_count(&store), bob.tasks_count(&store)), (0, 2));
    assert_eq!(tasks[0].worker(&store), Some(bob));
}

#[test]
fn unlinking_takes_away_what_is_linked() {
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

fn handled(store: &Pool, task: Task, worker: Worker, how: &str) -> Handled {
    Handled {
        task: task.in_state::<Ready>(store).expect("it is ready"),
        worker,
        how: how.into(),
    }
}

#[test]
fn guards_handlers_and_invariants_say_why() {
    let (mut store, ann, _, tasks) = pool();
    for (how, why) in [
        ("guard", "Handled: guard fine: the guard said so"),
        ("reject", "Handled: the handler said so"),
        (
            "link twice",
            "Handled: Worker \"ann\" and Task/0.1 are already linked by Worker.tasks; use `relink` where that is no mistake",
        ),
        (
            "unlink",
            "Handled: Worker \"ann\" and Task/0.1 are not linked by Worker.tasks",
        ),
        (
            "giant",
            "BothResized → invariant NoGiants of Task/0.1 does not hold: too large",
        ),
    ] {
        let event = handled(&store, tasks[0], ann, how);
        if how == "giant" {
            // Linked and stuck by then; the invariant is asked at commit.
            let mut t = store.begin();
            t.apply(Resized {
                worker: ann,
                size: 1,
            })
            .expect("it has no tasks yet");
            t.apply(BothResized {
                a: tasks[0],
                b: tasks[1],
                size: 100,
            })
            .expect("not checked yet");
            assert_eq!(t.check().expect_err("too large").to_string(), why);
            assert_eq!(t.commit().expect_err("too large").to_string(), why);
            assert_eq!(tasks[1].size(&store), 2, "all of it is taken back");
        }
        let why = why.replace("BothResized", "Handled");
        assert_eq!(rejected(&mut store, event), why);
    }
    let event = handled(&store, tasks[0], ann, "fine");
    store.step(event);
    assert_eq!(tasks[0].worker(&store), Some(ann));
}

#[test]
fn a_panic_of_user_code_takes_the_step_back_and_the_store_goes_on() {
    let (mut store, ann, _, tasks) = pool();
    let print = store.fingerprint();
    for how in ["panic", "guard panic"] {
        let event = handled(&store, tasks[0], ann, how);
        assert!(catch_unwind(AssertUnwindSafe(|| store.try_step(event).is_ok())).is_err());
        assert_eq!(store.fingerprint(), print);
        assert_eq!(store.check(), Vec::<String>::new());
    }
    assert!(
        catch_unwind(AssertUnwindSafe(|| store.step(Rested { worker: ann }))).is_err(),
        "step panics"
    );
    let asked = catch_unwind(AssertUnwindSafe(|| {
        store.what_if(|t| -> Result<(), StepError> {
            t.apply(BothResized {
                a: tasks[0],
                b: tasks[1],
                size: 8,
            })?;
            panic!("in the question")
        })
    }));
    assert!(asked.is_err());
    assert_eq!(store.fingerprint(), print);
    let event = handled(&store, tasks[0], ann, "fine");
    store.step(event);
}

#[test]
fn an_event_that_fails_leaves_the_transaction_as_it_was_before() {
    let (mut store, ann, _, tasks) = pool();
    let mut t = store.begin();
    t.apply(Given {
        worker: "ann".into(),
        tasks: tasks[..1].to_vec(),
    })
    .expect("applied");
    let task = tasks[0].in_state::<Ready>(&t).expect("it is");
    assert!(
        t.apply(Handled {
            task,
            worker: ann,
            how: "reject".into()
        })
        .is_err()
    );
    assert_eq!(tasks[0].size(&t), 1);
    t.apply(SomeDone { worker: ann }).expect("applied");
    t.commit().expect("kept");
    assert!(tasks[0].is::<Done>(&store));
    assert_eq!(
        store
            .frames(0)
            .expect("a log")
            .last()
            .expect("a frame")
            .expect("read")
            .firings
            .len(),
        2
    );
}

#[test]
fn nothing_is_written_where_nothing_fired() {
    let (mut store, ..) = pool();
    let seq = store.seq();
    store.begin().commit().expect("nothing to fail");
    store.begin().rollback();
    assert_eq!(store.seq(), seq);
}

#[test]
fn time_never_goes_back() {
    let mut store = Pool::paranoid();
    let late = Timestamp::from_secs(20_000_000_000);
    let mut t = store
        .begin_with(Meta::new().time(late))
        .expect("it is later");
    t.apply(Hired {
        workers: vec!["ann".into()],
    })
    .expect("applied");
    t.commit().expect("kept");
    assert_eq!(store.begin().time(), late, "the clock is behind");
    let early = store
        .begin_with(Meta::new().time(Timestamp::from_secs(1)))
        .map(|_| ())
        .expect_err("earlier");
    assert!(
        early.to_string().contains("is before 2603-10-11T11:33:20Z"),
        "{early}"
    );
}

#[test]
fn a_transaction_has_one_time() {
    let mut store = Pool::paranoid();
    let mut t = store.begin();
    t.apply(Hired {
        workers: vec!["ann".into()],
    })
    .expect("applied");
    let time = t.time();
    while Timestamp::now() <= time {
        std::thread::yield_now();
    }
    assert_eq!(t.time(), time);
    t.commit().expect("kept");
    let mut frames = store.frames(1).expect("readable");
    let frame = frames.next().expect("one").expect("whole");
    assert_eq!(frame.time, time);
    drop(frames);
    assert!(store.begin().time() > time, "the next has its own");
}

#[test]
fn a_store_without_a_log_has_nothing_to_read_back() {
    let mut store = Store::<pool::Model>::unlogged();
    let hired = |name: &str| Hired {
        workers: vec![name.into()],
    };
    assert_eq!(store.step(hired("ann")).seq, 0);
    assert_eq!(store.step(hired("eve")).seq, 1);
    assert_eq!(store.durable(), None);
    assert!(store.frames(0).is_err_and(|e| e.is_unlogged()));
    assert!(store.verify().is_err());
    for meta in [Meta::new().idempotency_key("once"), Meta::new().expect(0)] {
        let refused = store.try_step_with(meta, hired("bob")).map(|_| ());
        let Err(StepError::Storage(e)) = refused else {
            panic!("{refused:?}");
        };
        assert!(e.is_unlogged(), "{e}");
    }
    assert_eq!(store.count::<Worker, Any>(), 2);
    assert_eq!(store.check(), Vec::<String>::new());
}

#[test]
fn a_transaction_tells_its_facts() {
    let mut store = Pool::paranoid();
    let mut all = ironweave::Facts::default();
    for name in ["ann", "eve"] {
        let mut t = store.begin();
        t.apply(Hired {
            workers: vec![name.into()],
        })
        .expect("applied");
        all.append(t.facts());
        t.commit().expect("kept");
    }
    assert!(store.begin().facts().as_slice().is_empty());
    // Each is created and named; a text in CBOR is its length and its letters.
    let values: Vec<&[u8]> = (all.as_slice().iter())
        .filter_map(|f| all.value_of(f))
        .collect();
    assert_eq!(values, [b"\x63ann", b"\x63eve"]);
    assert_eq!(all.as_slice().len(), 4);
}

#[test]
fn a_large_graph_steps_as_a_small_one() {
    let mut store = Store::<pool::Model>::unlogged();
    let mut t = store.begin();
    let tasks: Vec<Task> = (0..17_000)
        .map(|i| t.apply(Added { size: i % 50 }).expect("added").created.task)
        .collect();
    t.commit().expect("no giants");
    let (a, b) = (tasks[0], tasks[16_999]);
    let answer = store.what_if(|t| {
        t.apply(BothResized { a, b, size: 70 })?;
        Ok(a.size(t) + b.size(t))
    });
    assert_eq!(answer.expect("they are two"), 140);
    store.step(BothResized { a, b, size: 71 });
    let new = store.step(Added { size: 5 }).created;
    assert_eq!((a.size(&store), b.size(&store)), (71, 71));
    assert!(new.task.log(&store) == new.log);
    assert_eq!(store.check(), Vec::<String>::new());
}

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
