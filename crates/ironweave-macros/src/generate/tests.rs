//! The expansion parses, and that of a small model is compared with a snapshot.

mod broken;

use proc_macro2::TokenStream;

use crate::errors::Errors;
use crate::expand::expand;
use crate::{check, parse};

fn tokens(text: &str) -> TokenStream {
    let file: syn::File = syn::parse_str(text).expect("the test input parses");
    let mut module = file.items.into_iter().next();
    if let Some(syn::Item::Mod(module)) = &mut module {
        module.attrs.retain(|attr| attr.path().is_ident("doc"));
    }
    quote::quote!(#module)
}

fn pretty(text: &str) -> String {
    let expanded = expand(tokens(text)).to_string();
    let file: syn::File = syn::parse_str(&expanded).expect("the expansion parses");
    prettyplease::unparse(&file)
}

#[test]
fn the_model_of_the_design_expands_without_errors() {
    let code = pretty(include_str!("../../tests/models/design.rs"));
    assert!(!code.contains("compile_error"), "{code}");
}

#[test]
fn the_model_of_databuild_expands_without_errors() {
    let code = pretty(include_str!("../../tests/models/databuild.rs"));
    assert!(!code.contains("compile_error"), "{code}");
}

#[test]
fn types_are_emitted_beside_the_errors() {
    let code = pretty(
        "mod m {
            #[entity] pub struct A { pub x: u8 }
            #[states(A)] pub enum AState { #[initial] #[to(Missing)] One }
            #[event] #[moves(a: One -> Tow)] pub struct E { pub a: A }
        }",
    );
    for part in [
        "compile_error",
        "pub struct A<",
        "pub enum AState",
        "pub struct E",
        "fn x<",
    ] {
        assert!(code.contains(part), "{part} is not in {code}");
    }
}

#[test]
fn a_model_of_two_entities_expands_like_this() {
    let code = pretty(include_str!("../../tests/models/small.rs"));
    insta::assert_snapshot!("small", code);
}

#[test]
fn the_schema_of_a_model_of_two_entities_is_this() {
    let mut errors = Errors::default();
    let ast = parse::module(
        tokens(include_str!("../../tests/models/small.rs")),
        &mut errors,
    );
    let model = check::model(ast.expect("it parses"), &mut errors);
    let text = model.schema.to_json().replace("},{", "},\n{");
    insta::assert_snapshot!("small_schema", text);
}

#[test]
fn raw_identifiers_lose_their_prefix_inside_names() {
    let code = pretty(
        "mod m {
            #[entity] pub struct r#type { pub r#fn: u8, pub r#loop: Many<r#type>,
                #[inverse(r#type::r#loop)] pub r#in: Many<r#type> }
            #[states(r#type)] pub enum State { #[initial] #[terminal] r#move }
        }",
    );
    for part in ["set_fn", "link_loop", "in_count", "Linktype", "Settype"] {
        assert!(code.contains(part), "{part} is not in {code}");
    }
}
