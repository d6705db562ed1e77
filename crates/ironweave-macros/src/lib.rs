//! The `#[model]` attribute of ironweave.
//!
//! This file is only the door: what happens is in `expand`, as parse → check → generate, each a pure
//! function with its own tests. Nothing here knows how a model is stored or run.

mod check;
mod errors;
mod expand;
mod generate;
mod parse;

/// Turns an inline module of entities, states, events and invariants into a model.
///
/// What may stand in the module is told in the crate `ironweave`, which re-exports this attribute.
#[proc_macro_attribute]
pub fn model(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand::expand_with(arguments.into(), item.into()).into()
}
