//! Expands a module in three steps: parse, check, generate.
//!
//! Errors never stop the expansion: the types are emitted beside every `compile_error!`, so that the
//! rest of the user's crate still resolves, also in rust-analyzer.

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;
use crate::{check, generate, parse};

/// Expands `#[ironweave::model] mod name { .. }`, given the tokens of the module.
#[cfg(test)]
pub fn expand(item: TokenStream) -> TokenStream {
    expand_with(TokenStream::new(), item)
}

/// Expands the attribute with its (empty) arguments and the module under it.
pub fn expand_with(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if !arguments.is_empty() {
        errors.at(&arguments, "`#[ironweave::model]` takes no arguments");
    }
    let Some(ast) = parse::module(item, &mut errors) else {
        return errors.to_tokens();
    };
    let mut model = check::model(ast, &mut errors);
    model.broken = errors.len() > 0;
    let module = generate::model(&model);
    let errors = errors.to_tokens();
    quote! { #module #errors }
}
