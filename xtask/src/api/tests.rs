//! The list is current, the rules of the public API hold, and comparing and listing do what they say.

use std::collections::BTreeSet;
use std::fs;

use super::compare::compare;
use super::source::Source;
use super::surface::{Surface, list};
use super::{FILE, Listed, root, text};

fn listed() -> Listed {
    super::list().expect("the crates can be listed")
}

fn surface(code: &str) -> Surface {
    let source = Source::of_text("krate", code).expect("it is Rust");
    list(&source, &["other".to_owned()])
}

fn lines(code: &str) -> Vec<String> {
    surface(code).lines.into_iter().collect()
}

#[test]
fn the_list_is_current() {
    let kept = fs::read_to_string(root().join(FILE)).unwrap_or_default();
    let current = text(&listed());
    let changed = |a: &str, b: &str, mark: char| -> Vec<String> {
        let b: BTreeSet<&str> = b.lines().collect();
        let only = a.lines().filter(|line| !b.contains(line));
        only.map(|line| format!("{mark} {line}")).collect()
    };
    let mut all = changed(&kept, &current, '-');
    all.extend(changed(&current, &kept, '+'));
    assert!(
        kept == current,
        "the public API has changed: run `cargo xtask api` and commit {FILE}\n{}",
        all.join("\n")
    );
}

/// What breaks a rule, in all crates.
fn found(rule: impl Fn(&Surface) -> &BTreeSet<String>) -> Vec<String> {
    let crates = listed();
    let found = crates.values().flat_map(|(_, surface)| rule(surface));
    found.cloned().collect()
}

#[test]
fn every_public_type_has_debug() {
    assert_eq!(found(|surface| &surface.without_debug), [""; 0]);
}

#[test]
fn no_hidden_item_stands_in_a_public_signature() {
    assert_eq!(found(|surface| &surface.hidden_in_signature), [""; 0]);
}

#[test]
fn items_are_listed_by_the_path_that_users_write() {
    let code = "
        mod inner {
            /// Documentation is left out.
            #[derive(Clone, Debug)]
            pub struct Point { pub x: u32, y: u32 }
            impl Point {
                pub fn new(x: u32, y: u32) -> Self { Self { x, y } }
                pub(crate) fn private(&self) {}
                #[doc(hidden)]
                pub fn hidden(&self) {}
            }
            pub struct NotExported;
        }
        pub mod shapes { pub use super::inner::Point; }
        pub use inner::Point;
        pub use other::Thing;
        #[cfg(test)]
        pub fn only_in_tests() {}
    ";
    let expected = [
        "krate::Point  impl Clone for Point",
        "krate::Point  impl Debug for Point",
        "krate::Point  struct Point { .. }",
        "krate::Point::new  fn new(x: u32, y: u32) -> Self",
        "krate::Point::x  field x: u32",
        "krate::Thing  use other::Thing",
        "krate::shapes  mod",
        "krate::shapes::Point  use krate::Point",
    ];
    assert_eq!(lines(code), expected);
}

#[test]
fn traits_enums_and_implementations_are_listed() {
    let code = "
        pub trait Shape: Sized { const SIDES: u32; type Unit: Copy; fn area(&self) -> u64; fn name(&self) -> &str { \"\" } }
        #[non_exhaustive]
        pub enum Form { Square(u32), Oblong { width: u32, height: u32 } }
        impl Shape for Form { const SIDES: u32 = 4; type Unit = u8; fn area(&self) -> u64 { 0 } }
        impl<'a> From<&'a Form> for String { fn from(form: &'a Form) -> Self { String::new() } }
        trait Private {}
        impl Private for Form {}
        #[cfg(feature = \"wide\")]
        pub fn wide<T>(with: impl Fn(T) -> bool) where T: Shape {}
    ";
    let expected = [
        "krate::Form  #[non_exhaustive] enum Form",
        "krate::Form  impl Shape for Form { type Unit = u8; }",
        "krate::Form  impl<'a> From<&'a Form> for String",
        "krate::Form::Oblong  variant Oblong { width: u32, height: u32 }",
        "krate::Form::Square  variant Square(u32)",
        "krate::Shape  trait Shape: Sized",
        "krate::Shape::SIDES  required const SIDES: u32",
        "krate::Shape::Unit  required type Unit: Copy",
        "krate::Shape::area  required fn area(&self) -> u64",
        "krate::Shape::name  provided fn name(&self) -> &str",
        "krate::wide  fn wide<T>(with: impl Fn(T) -> bool) where T: Shape  #[cfg(feature = \"wide\")]",
    ];
    assert_eq!(lines(code), expected);
}

#[test]
fn items_that_a_macro_writes_are_listed() {
    let code = "
        macro_rules! ids {
            ($($(#[$doc:meta])* $name:ident($inner:ty)),*) => {
                $($(#[$doc])* pub struct $name(pub $inner);
                impl From<$inner> for $name { fn from(id: $inner) -> Self { Self(id) } })*
            };
        }
        ids!(/** One. */ A(u32), B(Vec<u8>));
    ";
    let expected = [
        "krate::A  impl From<u32> for A",
        "krate::A  struct A",
        "krate::A::0  field 0: u32",
        "krate::B  impl From<Vec<u8>> for B",
        "krate::B  struct B",
        "krate::B::0  field 0: Vec<u8>",
    ];
    assert_eq!(lines(code), expected);
}

#[test]
fn a_hidden_item_in_a_public_signature_is_found() {
    let code = "
        #[doc(hidden)]
        pub mod plumbing { pub struct Pipe; pub struct Bolt; }
        mod inner { pub struct Unreachable; }
        use plumbing::Pipe;
        pub struct Tap { pub pipe: Pipe }
        impl Tap {
            pub fn new(pipe: plumbing::Pipe) -> Option<inner::Unreachable> { None }
            #[doc(hidden)]
            pub fn bolt(&self) -> plumbing::Bolt { plumbing::Bolt }
        }
        pub trait Flow { type Of; fn of<Pipe>(pipe: Pipe); }
        // No part of the public API.
        impl From<plumbing::Bolt> for Tap { fn from(_: plumbing::Bolt) -> Self { loop {} } }
        impl Flow for Tap { type Of = plumbing::Bolt; fn of<Pipe>(pipe: Pipe) {} }
    ";
    let found = surface(code);
    let hidden: Vec<_> = found.hidden_in_signature.into_iter().collect();
    let expected = [
        "krate::Tap as Flow  plumbing::Bolt",
        "krate::Tap::new  inner::Unreachable",
        "krate::Tap::new  plumbing::Pipe",
        "krate::Tap::pipe  Pipe",
    ];
    assert_eq!(hidden, expected);
    assert_eq!(
        found.without_debug.into_iter().collect::<Vec<_>>(),
        ["krate::Tap"]
    );
}

const OLD: &str = "\
# krate 0.1.0
krate::Form  enum Form
krate::Open  #[non_exhaustive] enum Open
krate::Point  struct Point { .. }
krate::Point::new  fn new(x: u32) -> Self
krate::Point::x  field x: u32
krate::Shape  trait Shape
krate::gone  fn gone()
";

#[test]
fn what_is_added_is_compatible() {
    let new = format!(
        "{OLD}krate::Open::New  variant New\nkrate::Point::y  field y: u32\nkrate::Shape::name  provided fn name(&self)\n"
    );
    let changes = compare(OLD, &new).expect("lists");
    assert!(changes.breaking.is_empty(), "{changes:?}");
    assert_eq!(changes.compatible.len(), 3);
    assert!(changes.refused.is_empty());
}

#[test]
fn the_name_of_an_argument_may_change() {
    let new = OLD.replace("(x: u32)", "(left: u32)");
    let changes = compare(OLD, &new).expect("lists");
    assert!(
        changes.breaking.is_empty() && changes.compatible.is_empty(),
        "{changes:?}"
    );
}

#[test]
fn what_is_removed_or_changed_breaks_unless_the_version_is_raised() {
    let new = OLD
        .replace("krate::gone  fn gone()\n", "")
        .replace("(x: u32) -> Self", "(x: u64) -> Self");
    let changes = compare(OLD, &new).expect("lists");
    let expected = [
        "changed: krate::Point::new  fn new(x: u32) -> Self\n     to: fn new(x: u64) -> Self",
        "removed: krate::gone  fn gone()",
    ];
    assert_eq!(changes.breaking, expected);
    assert_eq!(changes.refused.len(), 1);
    for (version, is_refused) in [("0.1.1", true), ("0.2.0", false), ("1.0.0", false)] {
        let new = new.replace("0.1.0", version);
        let changes = compare(OLD, &new).expect("lists");
        assert_eq!(changes.breaking.len(), 2, "{version}");
        assert_eq!(!changes.refused.is_empty(), is_refused, "{version}");
    }
    // From 1.0 on, only the first number may break.
    let old = OLD.replace("0.1.0", "1.0.0");
    let new = new.replace("0.1.0", "1.1.0");
    assert_eq!(compare(&old, &new).expect("lists").refused.len(), 1);
}

#[test]
fn what_code_must_mention_breaks_when_it_is_added() {
    let new = format!(
        "{OLD}krate::Form::New  variant New\nkrate::Shape::area  required fn area(&self) -> u64\n"
    );
    let changes = compare(OLD, &new).expect("lists");
    assert_eq!(changes.breaking.len(), 2, "{changes:?}");
}
