//! Models for tests, written as text.

pub(crate) mod model;
