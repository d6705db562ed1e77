//! databuild as its users run it: the program, real jobs, real directories.

mod support;

mod a_log_of_an_earlier_version_is_read;
mod a_value_is_never_a_script;
mod bad_input_is_told_in_one_message;
mod jobs_of_a_stranger_are_run;
mod jobs_of_a_stranger_do_no_harm;
mod log_and_status_can_be_read_beside_a_writer;
mod the_demo_reports_on_a_workspace;
mod the_past_and_what_would_be_can_be_asked;
mod what_a_digest_command_says;
mod what_breaks_off_goes_on;
mod what_fails_is_told;
