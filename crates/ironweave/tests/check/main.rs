//! The checker explores what a model can do within bounds. One file is one behaviour.
#![cfg(feature = "check")]
#![allow(missing_docs)]

mod build;
mod crew;
mod machine;
mod naive;
mod orbits;
mod plain;
mod ward;

mod all_states_are_found;
mod an_event_creates_several_with_keys;
mod an_event_makes_room;
mod arcs_tell_entities_apart;
mod code_of_the_program_runs;
mod domains_are_shared;
mod due_events_are_tried_in_any_order;
mod handlers_of_immediate_events_run;
mod invariants_are_checked_once;
mod limits_end_an_exploration;
mod symmetry_is_sampled;
mod symmetry_merges_what_is_alike;
mod unfolded_nets_have_the_same_states;
mod violations_are_shown_as_tests;
mod what_is_missing_is_listed;
