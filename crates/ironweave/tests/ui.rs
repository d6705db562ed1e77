//! What does not compile, and what the compiler says then: one behaviour a file, in `tests/ui`.
//!
//! The texts are those of the toolchain of `rust-version`; `TRYBUILD=overwrite` writes them anew.

use std::process::Command;

#[test]
fn what_must_not_compile_is_refused_in_the_words_of_the_model() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .map(|o| o.stdout)
        .unwrap_or_default();
    let version = String::from_utf8_lossy(&version).into_owned();
    let expected = format!("rustc {}.", env!("CARGO_PKG_RUST_VERSION"));
    if !version.starts_with(&expected) {
        eprintln!("not compared: the texts are of {expected}x, and this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
