//! Parts of pictures.

use super::short_type;

#[test]
fn types_are_shown_without_their_modules() {
    for (ty, short) in [
        ("String", "String"),
        ("super::Label", "Label"),
        (
            "std::collections::BTreeMap<i32, super::Label>",
            "BTreeMap<i32, Label>",
        ),
        ("[u8; crate::N]", "[u8; N]"),
        ("Option<(u8, a::b::C<d::E>)>", "Option<(u8, C<E>)>"),
    ] {
        assert_eq!(short_type(ty), short);
    }
}
