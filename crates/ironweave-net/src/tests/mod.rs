//! Models for tests, written as text or random, and a program that executes them.

pub(crate) mod model;
pub(crate) mod program;
pub(crate) mod random;
