//! A guard, handler or invariant that rejects or panics takes its step back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

#[test]
fn guards_handlers_and_invariants_reject_with_a_reason() {
    let (mut store, ann, _, tasks) = pool();
    for (how, why) in [
        ("guard", "Handled: guard fine: the guard said so"),
        ("reject", "Handled: the handler said so"),
        (
            "link twice",
            "Handled: Worker \"ann\" and Task/0.1 are already linked by Worker.tasks; use `relink` if that is allowed",
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
            // The invariant is checked at commit, when the task has been set.
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
            assert_eq!(
                tasks[1].size(&store),
                2,
                "the whole transaction is rolled back"
            );
        }
        let why = why.replace("BothResized", "Handled");
        assert_eq!(rejected(&mut store, event), why);
    }
    let event = handled(&store, tasks[0], ann, "fine");
    store.step(event);
    assert_eq!(tasks[0].worker(&store), Some(ann));
}

#[test]
fn a_panic_of_user_code_rolls_the_step_back_and_the_store_remains_usable() {
    let (mut store, ann, _, tasks) = pool();
    let print = store.fingerprint();
    for how in ["panic", "guard panic"] {
        let event = handled(&store, tasks[0], ann, how);
        assert!(catch_unwind(AssertUnwindSafe(|| store.try_step(event).is_ok())).is_err());
        assert_eq!(store.fingerprint(), print);
        assert_consistent(&store);
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
