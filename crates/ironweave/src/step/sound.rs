//! The structure of a model under test: [`assert_model_is_sound!`](crate::assert_model_is_sound) fails with the lints of its net.

use ironweave_net::lint;

use crate::step::model::Model;

/// Looks for mistakes that the structure of a model shows.
///
/// # Panics
/// If there is a finding that is not accepted; see [`assert_model_is_sound!`](crate::assert_model_is_sound).
#[track_caller]
pub fn assert_model_is_sound<M: Model>(allow: &[&str]) {
    if let Some(report) = lint::report(M::NAME, &M::net().lint(), allow) {
        panic!("{report}");
    }
}
