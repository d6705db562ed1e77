//! Unfolded nets beside a program that executes the model.

mod compare;
mod models;
