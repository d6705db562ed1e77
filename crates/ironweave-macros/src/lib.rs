//! The `#[model]` attribute of ironweave.
//!
//! This file only declares the attribute. `expand` calls parse → check → generate, each of which is a pure
//! function with its own tests. This crate knows nothing of storage and of the runtime.

mod check;
mod errors;
mod expand;
mod generate;
mod parse;

/// Turns an inline module of entities, states, events and invariants into a model.
///
/// The crate `ironweave` re-exports this attribute and documents the contents of the module.
#[proc_macro_attribute]
pub fn model(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand::expand_with(arguments.into(), item.into()).into()
}
