//! Models and programs that must not compile, and the messages of the compiler for them: one behaviour for each file in
//! `tests/ui`. Programs that must compile are in `tests/ui/pass`.
//!
//! A case begins with the text that its message must contain: `// says: ` with a sentence of ironweave, or `// rustc: ` with an
//! error code for a message of rustc alone. The complete messages are those of the toolchain of `rust-version`
//! (`TRYBUILD=overwrite` writes them). On another toolchain, and with `IRONWEAVE_UI=sentences`, only these first lines are compared.
//!
//! The comparison of sentences and the cases that must compile use rustc and the library that this test was linked with.
//! (Trybuild would build all dependencies again, and compile the cases one after the other.)

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustc::{compiler, libraries, rustc};

#[path = "harness/rustc.rs"]
mod rustc;

// A module, so that `cargo xtask test` can tell these tests from the others by name.
mod ui {
    use super::*;

    #[test]
    fn what_must_not_compile_is_refused_in_the_words_of_the_model() {
        let sentences = std::env::var_os("IRONWEAVE_UI").is_some_and(|ask| ask == "sentences");
        if sentences || !is_toolchain_of_the_texts() {
            eprintln!("only the sentences are looked for, not the whole texts");
            return assert_all(&cases("tests/ui"), refused);
        }
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    }

    #[test]
    fn what_must_compile_does_and_runs() {
        let cases = cases("tests/ui/pass");
        assert!(cases.len() >= 12, "only {} cases were found", cases.len());
        assert_all(&cases, passes);
    }

    #[test]
    fn every_case_has_a_sentence_and_its_text_says_it() {
        let cases = cases("tests/ui");
        assert!(cases.len() >= 45, "only {} cases were found", cases.len());
        assert_all(&cases, |case| {
            let text =
                fs::read_to_string(case.with_extension("stderr")).map_err(|e| e.to_string())?;
            says(case, &text)
        });
    }

    #[test]
    fn on_another_toolchain_the_sentences_are_looked_for() {
        let of_ours = Path::new("tests/ui/a_lifecycle_has_an_initial_state.rs");
        let of_rustc = Path::new("tests/ui/a_token_can_be_used_once.rs");
        assert_eq!(refused(of_ours), Ok(()));
        assert_eq!(refused(of_rustc), Ok(()));
        // What compiles is no such case, and neither is one that says something else.
        let compiles = refused(&cases("tests/ui/pass")[0]);
        assert!(compiles.is_err_and(|why| why.contains("it compiles")));
        assert!(says(of_ours, "error: something else").is_err());
    }
}

/// Whether this is the toolchain whose texts are in the `.stderr` files.
fn is_toolchain_of_the_texts() -> bool {
    let output = Command::new(rustc()).arg("--version").output();
    let version = output.map(|o| o.stdout).unwrap_or_default();
    let expected = concat!("rustc ", env!("CARGO_PKG_RUST_VERSION"), ".");
    version.starts_with(expected.as_bytes())
}

/// The cases of a directory, in order.
fn cases(dir: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("the cases are there");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .collect();
    cases.sort();
    cases
}

/// Checks all cases, and fails with what is wrong with any.
fn assert_all(cases: &[PathBuf], check: impl Fn(&Path) -> Result<(), String> + Sync) {
    rustc::assert_all(cases, |case| {
        check(case).map_err(|why| format!("{}: {why}", case.display()))
    });
}

/// Whether a case does not compile, with its sentences in the output.
fn refused(case: &Path) -> Result<(), String> {
    let (compiled, text) = compile(case, "metadata")?;
    if compiled {
        return Err("it compiles".to_owned());
    }
    says(case, &text)
}

/// Whether a case compiles without a warning, and runs.
fn passes(case: &Path) -> Result<(), String> {
    let (compiled, text) = compile(case, "link")?;
    if !compiled || text.contains("warning") {
        return Err(text);
    }
    let status = Command::new(output_of(case, "link"))
        .status()
        .map_err(|e| e.to_string())?;
    status
        .success()
        .then_some(())
        .ok_or(format!("it ended with {status}"))
}

/// Whether a text has what a case announces.
fn says(case: &Path, text: &str) -> Result<(), String> {
    let source = fs::read_to_string(case).map_err(|e| e.to_string())?;
    let announced = source
        .lines()
        .take_while(|line| line.starts_with("// "))
        .filter_map(|line| {
            let code = line.strip_prefix("// rustc: ");
            let code = code.map(|code| format!("error[{code}]"));
            code.or(line.strip_prefix("// says: ").map(str::to_owned))
        });
    let announced: Vec<String> = announced.collect();
    if announced.is_empty() {
        return Err("it has no line `// says: ..`".to_owned());
    }
    match announced.iter().find(|sentence| !text.contains(*sentence)) {
        Some(missing) => Err(format!("`{missing}` is not said in:\n{text}")),
        None => Ok(()),
    }
}

/// What comes of a case that is compiled. Two tests may compile one case at the same time, to different ends: neither
/// overwrites what the other is about to run.
fn output_of(case: &Path, emit: &str) -> PathBuf {
    let name = case.file_stem().expect("a case has a name");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(emit);
    fs::create_dir_all(&dir).expect("a directory for what is compiled");
    dir.join(name)
}

/// Compiles a case: whether that went well, and what was said.
fn compile(case: &Path, emit: &str) -> Result<(bool, String), String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = compiler(&libraries()[0])
        // Where cargo compiled the library, or rustc would not find its lines to quote.
        .current_dir(here.join("../.."))
        .args(["--crate-name=case", "--emit", emit, "-o"])
        .arg(output_of(case, emit))
        .arg(here.join(case))
        .output()
        .map_err(|e| format!("cannot start rustc: {e}"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.success(), text))
}
