//! The structure of models: those of the examples are sound, and what is wrong with another one is said in full sentences.
#![allow(missing_docs)]

use std::panic::catch_unwind;

use ironweave::assert_model_is_sound;

#[allow(dead_code)]
#[path = "../examples/control_plane.rs"]
mod control_plane;
#[allow(dead_code)]
#[path = "../examples/document_workflow.rs"]
mod document_workflow;
#[allow(dead_code)]
#[path = "../examples/order_desk.rs"]
mod order_desk;
#[allow(dead_code)]
#[path = "../examples/time_travel.rs"]
mod time_travel;
#[allow(dead_code)]
#[path = "../examples/ward_service.rs"]
mod ward_service;

#[test]
fn the_models_of_the_examples_are_sound() {
    assert_model_is_sound!(control_plane::cluster::Model);
    assert_model_is_sound!(document_workflow::workflow::Model);
    assert_model_is_sound!(order_desk::desk::Model);
    assert_model_is_sound!(time_travel::releases::Model);
    assert_model_is_sound!(ward_service::ward::Model);
}

#[ironweave::model]
pub mod beds {
    use ironweave::prelude::*;

    #[entity]
    pub struct Bed {
        pub number: u32,
    }
    #[states(Bed)]
    pub enum BedState {
        #[initial]
        #[to(Occupied)]
        Free,
        #[to(Cleaning)]
        Occupied,
        #[to(Free)]
        Cleaning,
    }

    #[event]
    #[create(bed: Bed { number })]
    pub struct Bought {
        pub number: u32,
    }

    #[event]
    #[moves(bed: Free -> Occupied)]
    pub struct Admitted {
        pub bed: Bed<Free>,
    }

    #[event]
    #[moves(bed: Occupied -> Cleaning)]
    pub struct Left {
        pub bed: Bed,
    }
}

fn message(assertion: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panicked = catch_unwind(assertion).expect_err("the assertion fails");
    *panicked.downcast().expect("the message is text")
}

#[test]
fn all_findings_are_in_the_message_with_the_way_to_accept_them() {
    assert_eq!(
        message(|| assert_model_is_sound!(beds::Model)),
        "the model `beds` has 1 finding\n\
         certain for the program:\n  \
         - Bed::Cleaning cannot be left: no event moves a Bed out of it, and it is not #[terminal]\n\
         to accept them, write `allow = [\"state_never_left Bed::Cleaning\"]`\n"
    );
}

#[test]
fn an_accepted_finding_does_not_fail_and_must_still_be_one() {
    assert_model_is_sound!(beds::Model, allow = ["state_never_left Bed::Cleaning"]);
    assert_eq!(
        message(|| {
            assert_model_is_sound!(
                beds::Model,
                allow = [
                    "state_never_left Bed::Cleaning",
                    "state_never_left Bed::Free"
                ]
            );
        }),
        "\"state_never_left Bed::Free\" is accepted, but is not a finding; remove it from `allow`\n"
    );
}
