//! Steps that would not end, and what a rejection tells.
#![allow(missing_docs)]

mod endless;
mod rejections;
