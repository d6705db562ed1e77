//! A log with right checksums and wrong content is refused with file, frame and offset, or behaves as any log. Reading it
//! neither panics nor hangs, and takes no more memory than its length.
#![allow(missing_docs)]

#[path = "../harness/mod.rs"]
mod harness;

mod a_decoder_of_the_page_agrees;
mod cbor;
mod each_damage_has_its_message;
mod each_error_of_a_frame_has_its_place;
mod forge;
mod inn;
mod other_schemas_are_mapped_by_name;
mod random_changes_do_no_harm;
mod records;
mod scripts_of_the_page_agree;
mod what_a_script_writes_is_continued;
mod what_is_reserved_for_later_versions;
mod what_is_written_today_agrees;
mod wrong_choices_and_due_times_are_refused;
mod wrong_chosen_entities_are_refused;
mod wrong_firings_are_refused;
mod wrong_frames_are_refused;
mod wrong_records_are_refused;
mod wrong_schemas_are_refused;

#[path = "../logs/describe.rs"]
mod describe;
#[path = "../logs/graphs.rs"]
mod graphs;
#[path = "../logs/models.rs"]
mod models;

use std::path::{Path, PathBuf};

use harness::scratch_dir;

/// A log that is committed; see `tests/logs/main.rs`.
fn committed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/logs")
        .join(name)
}
