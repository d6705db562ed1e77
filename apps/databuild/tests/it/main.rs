//! Integration tests of the databuild program, with real jobs and directories.

mod support;

#[path = "../../../../crates/ironweave/tests/harness/mod.rs"]
mod harness;
#[path = "../../../../crates/ironweave/tests/harness/rustc.rs"]
mod rustc;

mod a_daemon_answers_commands_that_read;
mod a_daemon_answers_over_http;
mod a_daemon_goes_on_while_digests_are_asked;
mod a_daemon_is_described;
mod a_daemon_is_joined_by_run;
mod a_daemon_tells_events;
mod a_daemon_that_is_killed_loses_nothing;
mod a_log_of_an_earlier_version_is_read;
mod a_partition_has_a_story;
mod a_plan_is_what_is_built;
mod a_run_has_a_command;
mod a_store_of_before_a_want_kept_going_is_opened;
mod a_store_of_before_is_migrated;
mod a_value_is_never_a_script;
mod an_interrupted_build_resumes;
mod answers_by_name;
mod bad_input_gives_one_message;
mod checked;
mod compiled_arcs_do_what_the_interpreter_does;
mod contents_come_out_the_same;
mod daemon;
mod described;
mod digest_commands;
mod failures_are_remembered;
mod failures_are_reported;
mod histories_keep_the_rules;
mod jobs_have_settings;
mod jobs_of_users_are_run;
mod log_and_status_can_be_read_beside_a_writer;
mod misbehaving_jobs_fail_alone;
mod model_of_then;
mod no_cost_grows_with_the_store;
mod pages;
mod planted_bugs_are_found;
mod quick_runs_are_queued_ahead;
mod the_demo_reports_on_a_workspace;
mod the_model_is_checked;
mod the_model_is_drawn;
mod the_model_is_symmetric;
mod the_past_and_speculation_can_be_queried;
mod the_schema_is_reviewed;
mod the_time_of_a_build_is_predicted;
mod times_are_kept;
mod wants_end;
mod wants_have_a_source_and_a_priority;
mod what_is_live_is_compared_alone;
mod wrong_data_is_tainted;

use model_of_then::rules;
