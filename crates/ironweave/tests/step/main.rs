//! What a step does: one file for each rule, and the model that most of them share ([`pool`]).
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod an_end_of_one_is_linked_once;
mod bindings_name_entities;
mod choices_in_an_index_match_a_naive_chooser;
mod choices_match_a_naive_chooser;
mod clinic;
mod every_step_ends;
mod fingerprints_follow_from_the_graph;
mod immediate_events_fire_in_order;
mod large_graphs_step;
mod links_stay_within_bounds;
mod naive_clinic;
mod paths_reach_each_entity_once;
mod pool;
mod rejections_name_entities_and_causes;
mod sets_are_quantified;
mod stores_without_a_log_step;
mod time_does_not_decrease;
mod transactions_are_whole;
mod two_arcs_on_one_entity_reject;
mod user_code_rejects_or_panics;
mod watched_conditions_match_a_naive_loop;

use harness::assert_consistent;
use ironweave::prelude::*;
use pool::state::{Asleep, Awake, Done, Ready};
use pool::*;
