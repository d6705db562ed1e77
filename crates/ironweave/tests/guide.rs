//! The guide is true where its blocks, which are documentation tests, do not show it: pages and links are there,
//! pieces of models are from a model that compiles, messages are what the compiler says.
#![allow(missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The files of a directory that end in something, by name and text.
fn files(dir: &Path, end: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let paths = entries.map(|entry| entry.expect("it is listed").path());
    let mut files: Vec<(String, String)> = paths
        .filter(|path| path.to_string_lossy().ends_with(end))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy();
            (name.into_owned(), read(&path))
        })
        .collect();
    files.sort();
    files
}

fn pages() -> Vec<(String, String)> {
    files(&root().join("docs/guide/src"), ".md")
}

/// Blocks of a page: what stands behind the fence, and the text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
    parts
        .into_iter()
        .map(|block| block.split_once('\n').unwrap_or((block, "")))
        .collect()
}

/// What stands in the parentheses of `](..)`, outside of blocks.
fn links(page: &str) -> Vec<&str> {
    let prose = page.split("```").step_by(2);
    prose
        .flat_map(|prose| prose.split("](").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
        .collect()
}

/// The anchor that mdBook and GitHub give a heading.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let text = line.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_page_is_in_the_summary_and_among_the_documentation_tests() {
    let summary = read(&root().join("docs/guide/src/SUMMARY.md"));
    let tested = read(&root().join("crates/ironweave/src/guide.rs"));
    for (name, page) in pages() {
        if name == "SUMMARY.md" {
            continue;
        }
        assert!(
            summary.contains(&format!("]({name})")),
            "{name} is in SUMMARY.md"
        );
        let code = blocks(&page)
            .iter()
            .any(|(fence, _)| fence.starts_with("rust"));
        assert!(
            !code || tested.contains(&format!("\"{name}\"")),
            "{name} is in src/guide.rs"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let dir = root().join("docs/guide/src");
    for (name, page) in pages() {
        for link in links(&page).into_iter().filter(|l| !l.starts_with("http")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { &name } else { file };
            let path = dir.join(file);
            assert!(path.exists(), "{name}: {link}");
            assert!(
                anchor.is_empty() || anchors(&read(&path)).contains(anchor),
                "{name}: {link}"
            );
        }
    }
}

#[test]
fn pieces_of_models_are_from_models_that_compile() {
    let models = files(&root().join("docs/guide/src/models"), ".rs");
    let models: Vec<String> = models.iter().map(|(_, text)| words(text)).collect();
    for (name, page) in pages() {
        for (_, block) in blocks(&page)
            .iter()
            .filter(|(fence, _)| *fence == "rust,ignore")
        {
            let piece = words(block);
            assert!(models.iter().any(|m| m.contains(&piece)), "{name}: {block}");
        }
    }
}

/// rustc's own words, which no test of ours shows.
const OF_RUSTC: [&str; 1] = ["error[E0502]: cannot borrow `store` as mutable"];

#[test]
fn messages_are_what_the_compiler_says() {
    let ours = read(&root().join("crates/ironweave-macros/src/check/wrong.txt"));
    let shown = files(&root().join("crates/ironweave/tests/ui"), ".stderr");
    let said = |line: &str| {
        let of_ours = line
            .strip_prefix("error: ")
            .is_some_and(|text| ours.contains(&format!("| {text}\n")));
        of_ours
            || shown.iter().any(|(_, text)| text.contains(line.trim()))
            || OF_RUSTC.iter().any(|known| line.starts_with(known))
    };
    let is_message = |line: &&str| {
        line.starts_with("error") || line.contains("= note") || line.contains("^ expected")
    };
    for (name, page) in pages() {
        for (_, block) in blocks(&page).iter().filter(|(fence, _)| *fence == "text") {
            for line in block.lines().filter(is_message) {
                // Of the depot, which no other test has.
                let of_depot = line.contains("`Van::carries`");
                assert!(of_depot || said(line), "{name}: {line}");
            }
        }
    }
}
