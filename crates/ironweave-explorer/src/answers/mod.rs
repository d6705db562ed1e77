//! The answers of the API: one file for each subject. They know nothing of HTTP.

mod diff;
mod entities;
mod graph;
mod history;
mod log;
mod net;
mod places;
mod what_if;

pub(crate) use diff::diff;
pub(crate) use entities::{entities, entity, links};
pub(crate) use history::history;
pub(crate) use log::{log, transaction};
pub(crate) use net::{Nets, marking, net};
pub(crate) use places::{LinkCounts, places, store};
pub(crate) use what_if::{TrialQuestion, events, what_if};
