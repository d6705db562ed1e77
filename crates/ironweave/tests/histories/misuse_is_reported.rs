//! What cannot work is a message that says what to write, and not an empty history.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ironweave::check::{Domains, histories};
use ironweave::prelude::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use crate::machine::{Step, machine};
use crate::ward::ward::{self, Arrived, Bed, BedAdded, Doctor, Patient};
use crate::{cases, events, of_the_ward, refused, runner, tree};

#[test]
fn a_missing_domain() {
    let text = refused(&histories::<machine::Model>(1..9));
    assert_eq!(
        text,
        "the strategy of histories does not know what to try:\n  \
         how many `Machine` may exist: .entities::<Machine>(2)\n  \
         the values of `Raised.by`, which is a `crate::machine::Step`: .values::<Raised, _>(\"by\", [..])"
    );
    // As a user sees it.
    let result = TestRunner::new(cases(1)).run(&histories::<machine::Model>(1..9), |_| Ok(()));
    assert!(matches!(result, Err(TestError::Abort(reason)) if reason.message() == text));
}

#[test]
fn an_empty_range_of_lengths() {
    #[allow(clippy::reversed_empty_ranges)]
    for len in [5..5, 7..3] {
        let text = format!("the range of lengths {}..{} is empty", len.start, len.end);
        assert_eq!(refused(&of_the_ward(len)), text);
    }
    assert!(tree(&of_the_ward(0), 1).current().is_empty());
    assert_eq!(tree(&of_the_ward(7), 1).current().len(), 7);
    assert_eq!(tree(&of_the_ward(7..=7), 1).current().len(), 7);
}

#[test]
fn weights_and_shares_that_are_none() {
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            refused(&of_the_ward(1).weight::<Arrived>(weight)),
            format!(
                "the weight of Arrived is {weight}; it must be a finite number that is not negative"
            )
        );
    }
    for share in [-0.1, 1.1, f64::NAN] {
        assert_eq!(
            refused(&of_the_ward(1).rejected(share)),
            format!("the share of rejected events is {share}; it must be from 0.0 to 1.0")
        );
    }
    // Sums of weights may be as large as they like.
    let huge = of_the_ward(20)
        .weight::<Arrived>(f64::MAX)
        .weight::<BedAdded>(f64::MAX);
    let events = events(&tree(&huge, 1).current());
    assert!(
        events.iter().any(|event| event.starts_with("Arrived")),
        "{events:?}"
    );
    assert!(
        events.iter().any(|event| event.starts_with("BedAdded")),
        "{events:?}"
    );
    // Where everything fires, nothing can be rejected.
    let all = tree(&of_the_ward(20).rejected(1.0), 1).current();
    assert!(
        all.steps().iter().filter(|step| step.is_rejected()).count() > 15,
        "{all:?}"
    );
}

#[test]
fn a_model_in_which_nothing_can_fire() {
    let nothing = "no event of ward can fire in the first state; give another one by .start(|store| ..), or other values";
    let empty = histories::<ward::Model>(1..9)
        .entities::<Bed>(0)
        .entities::<Patient>(0)
        .entities::<Doctor>(0);
    assert_eq!(refused(&empty), nothing);
    let without_weights = of_the_ward(1..9)
        .weight::<Arrived>(0.0)
        .weight::<BedAdded>(0.0)
        .weight::<ward::Hired>(0.0);
    assert_eq!(refused(&without_weights), nothing);
    // The empty history is asked for.
    let none = histories::<ward::Model>(0..9).within(Domains::new());
    let none = none
        .entities::<Bed>(0)
        .entities::<Patient>(0)
        .entities::<Doctor>(0);
    assert!(tree(&none, 1).current().is_empty());
}

#[test]
fn a_strategy_for_a_field_of_another_type_or_name() {
    let text = refused(&of_the_ward(1).strategy::<Arrived, _>("name", 0..9));
    assert!(
        text.contains("\n  a value of `Arrived.name` is not of type `String`: "),
        "{text}"
    );
    let text = refused(&of_the_ward(1).strategy::<Arrived, _>("nam", "[a-z]"));
    assert!(
        text.ends_with("\n  `Arrived` has no field `nam`; it has name, urgent"),
        "{text}"
    );
    // The first value is a number of a bed, and a later one is not.
    let numbers = (0..10u64).prop_map(|n| if n % 3 == 2 { u64::MAX } else { n });
    let text = refused(
        &of_the_ward(40..50)
            .entities::<Bed>(40)
            .strategy::<BedAdded, _>("number", numbers),
    );
    assert!(
        text.starts_with("a binding of BedAdded cannot be decoded: "),
        "{text}"
    );
    let never = any::<bool>().prop_filter("it is never right", |_| false);
    let text = refused(&of_the_ward(1).strategy::<Arrived, _>("urgent", never));
    assert!(text.contains("a value of `Arrived.urgent`: "), "{text}");
    let unused = of_the_ward(1)
        .bindings::<Arrived>(|_| Vec::new())
        .strategy::<Arrived, _>("urgent", any::<bool>());
    assert_eq!(
        refused(&unused),
        "a function gives all fields of Arrived, so that the strategy for Arrived.urgent would not be used; remove .strategy or \
         .bindings::<Arrived>"
    );
    // The last one counts.
    let last = of_the_ward(1..30)
        .strategy::<Arrived, _>("name", "[a-z]{4}")
        .values::<Arrived, _>("name", ["Ada"]);
    let text = events(&tree(&last, 3).current()).join("\n");
    assert_eq!(
        text.matches("name:").count(),
        text.matches("name: \"Ada\"").count()
    );
}

#[test]
fn a_store_on_which_something_has_happened() {
    let history = tree(&of_the_ward(3), 1).current();
    let mut store = Store::memory();
    store
        .what_if(|t| t.apply(BedAdded { number: 7 }).map(drop))
        .expect("it would fire");
    let replay = |store: &mut Store<ward::Model>| history.replay(store, |_, _| Ok(()));
    replay(&mut store).expect("nothing has happened");
    let error = replay(&mut store).expect_err("it has entities").to_string();
    assert!(
        error.starts_with("Case failed: the store on which a history is replayed must be empty"),
        "{error}"
    );
    let mut store = Store::memory();
    let bed = store.step(BedAdded { number: 7 }).created.bed;
    let bed = bed
        .in_state::<ward::state::Free>(&store)
        .expect("it is free");
    store.step(ward::BedRemoved { bed });
    let error = replay(&mut store).expect_err("it had entities").to_string();
    assert!(error.contains("has or had entities of type Bed"), "{error}");
}

#[test]
fn a_guard_that_does_not_say_the_same_each_time() {
    use crate::library::BOOKS_MAX;
    use crate::library::library::{Book, Borrowed, Bought, Model, Shelf};
    let strategy = histories::<Model>(60)
        .entities::<Book>(20)
        .entities::<Shelf>(2)
        .values::<Bought, _>("tags", [Vec::<String>::new()])
        .weight::<Borrowed>(4.0)
        .rejected(0.3);
    let replay = |seed| {
        let history = tree(&strategy, seed).current();
        history.replay(&mut Store::memory(), |_, _| Ok(()))?;
        Ok::<_, TestCaseError>(history)
    };
    let histories: Vec<_> = (0..20)
        .map(|seed| replay(seed).expect("it is as it was"))
        .collect();
    BOOKS_MAX.set(0);
    let errors = histories
        .iter()
        .filter_map(|history| history.replay(&mut Store::memory(), |_, _| Ok(())).err());
    let errors: Vec<String> = errors.map(|error| error.to_string()).collect();
    BOOKS_MAX.set(3);
    let error = errors.first().expect("the guard says otherwise");
    assert!(error.contains(" of the history, Borrowed {"), "{error}");
    assert!(error.contains(" books are too many."), "{error}");
}

#[test]
fn a_handler_that_does_not_do_the_same_each_time() {
    let strategy = histories::<machine::Model>(1..60)
        .entities::<machine::Machine>(1)
        .values::<machine::Raised, _>("by", [Step { by: 0 }])
        .weight::<machine::Drifted>(9.0);
    // A handler of the model counts in a static, and sets the level by it: the same events lead to other graphs, which is no error.
    let history = tree(&strategy, 2).current();
    history
        .replay(&mut Store::memory(), |_, _| Ok(()))
        .expect("events still fire");
}

#[test]
fn code_of_the_model_that_panics_is_a_failing_history() {
    let strategy = histories::<machine::Model>(1..60)
        .entities::<machine::Machine>(2)
        .values::<machine::Raised, _>("by", [Step { by: 2 }])
        .weight::<machine::Drifted>(0.0);
    let mut runner = TestRunner::new_with_rng(cases(30), runner(1).rng().clone());
    let result = runner.run(&strategy, |history| {
        history.replay(&mut Store::memory(), |_, _| Ok(()))
    });
    let Err(TestError::Fail(reason, history)) = result else {
        panic!("{result:?}");
    };
    assert_eq!(reason.message(), "level 4 is too high");
    assert_eq!(history.len(), 4, "{history:?}");
    // The test that is printed panics too.
    let text = format!("{history:?}");
    assert_eq!(text.matches("store.step(Raised {").count(), 2, "{text}");
    let replay = || history.replay(&mut Store::memory(), |_, _| Ok(()));
    catch_unwind(AssertUnwindSafe(replay)).expect_err("it panics");
}
