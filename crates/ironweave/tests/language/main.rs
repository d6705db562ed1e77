//! What the language of models can say: one file for each behaviour, and the models that they share ([`shop`],
//! [`shed`]).
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod acyclic_edges_reject_cycles;
mod an_entity_without_states_exists;
mod choices_in_transactions;
mod choices_use_indexes;
mod deletes_follow_on_delete;
mod encodings_are_those_of_the_types;
mod events_are_read_from_json;
mod events_choose_entities;
mod fields_have_defaults;
mod filters_combine_places_and_edges;
mod guards_see_what_their_event_names;
mod handlers_do_what_may_permits;
mod handles_parse_as_they_print;
mod immediate_events_choose;
mod immediate_events_count_and_compare;
mod immediate_events_fire_by_themselves;
mod immediate_events_have_handlers;
mod indexes_find_entities;
mod indexes_on_entities_have_an_order;
mod indexes_on_entities_match_lists;
mod keys_are_unique;
mod links_have_data;
mod options_are_given_none_and_literals;
mod shed;
mod shop;
mod slots_are_reused;
mod states_have_data;
mod the_log_restores_every_construct;
mod times_are_rfc_3339_in_json;
mod values_are_calculated_and_compared;
mod values_come_from_bound_entities;

use harness::{assert_consistent, assert_sound, reopened, temp_dir};
use ironweave::prelude::*;
use shop::state::*;
use shop::*;
