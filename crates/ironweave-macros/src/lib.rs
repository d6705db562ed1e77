//! The `#[model]` attribute of ironweave.
//!
//! This file only declares the attribute. `expand` calls parse → check → generate, each of which is a pure
//! function with its own tests. This crate knows nothing of storage and of the runtime.

mod check;
mod draw;
mod errors;
mod expand;
mod generate;
mod parse;

/// Depend on the crate `ironweave`, which re-exports and documents this attribute. Its generated code refers to
/// `::ironweave`.
#[proc_macro_attribute]
pub fn model(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand::expand_with(arguments.into(), item.into()).into()
}

/// Draws a picture for the documentation of a model. Generated code calls it, only when documentation is built.
#[doc(hidden)]
#[proc_macro]
pub fn draw(description: proc_macro::TokenStream) -> proc_macro::TokenStream {
    draw::draw(description.into()).into()
}
