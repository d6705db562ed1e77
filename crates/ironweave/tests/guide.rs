//! Checks of the documentation beyond its doctests: pages and link targets exist, excerpts of models are
//! from models that compile, quoted messages are those of the compiler, the tests and files that
//! `docs/semantics.md` and `ARCHITECTURE.md` name exist, and no text has a phrase that is to be avoided.
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

/// The files of a directory whose names end in `end`, with their texts.
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

/// The code blocks of a page: the language, and the text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
    parts
        .into_iter()
        .map(|block| block.split_once('\n').unwrap_or((block, "")))
        .collect()
}

/// The targets of links, outside of code blocks.
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
    links_of(&root().join("docs/guide/src"), pages());
    links_of(&root().join("docs"), files(&root().join("docs"), ".md"));
    links_of(&root(), files(&root(), ".md"));
}

fn links_of(dir: &Path, pages: Vec<(String, String)>) {
    for (name, page) in pages {
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
    let services = files(&root().join("apps/ward/src"), ".rs");
    let databuild = files(&root().join("apps/databuild/src"), "/model.rs");
    let daemon = files(&root().join("apps/databuild/src/serve"), ".rs");
    let examples = files(&root().join("crates/ironweave/examples"), ".rs");
    let models: Vec<String> = (models
        .iter()
        .chain(&services)
        .chain(&databuild)
        .chain(&daemon)
        .chain(&examples))
    .map(|(_, text)| words(text))
    .collect();
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

/// Messages of rustc that are in no test of ours.
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
    // No ui test has the model of the README, so names are ignored in the comparison of its messages.
    let unnamed = |text: &str| -> String { text.trim().split('`').step_by(2).collect() };
    let of_any_model: BTreeSet<String> = shown
        .iter()
        .flat_map(|(_, text)| text.lines().map(unnamed))
        .collect();
    let is_message = |line: &&str| {
        line.starts_with("error") || line.contains("= note") || line.contains("^ expected")
    };
    let readme = ("README.md".to_owned(), read(&root().join("README.md")));
    for (name, page) in pages().into_iter().chain([readme]) {
        for (_, block) in blocks(&page).iter().filter(|(fence, _)| *fence == "text") {
            for line in block.lines().filter(is_message) {
                // A message about the depot, which no ui test has.
                let of_depot = line.contains("`Van::carries`");
                let of_readme = name == "README.md" && of_any_model.contains(&unnamed(line));
                assert!(of_depot || of_readme || said(line), "{name}: {line}");
            }
        }
    }
}

/// The paths of all Rust files in a directory, relative to it.
fn sources(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        let entries = fs::read_dir(&next).unwrap_or_else(|e| panic!("{}: {e}", next.display()));
        for entry in entries {
            let path = entry.expect("it is listed").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let path = path.strip_prefix(dir).expect("it is below");
                found.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found
}

/// The names of the functions with `#[test]` in a file.
fn tests_of(text: &str) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" {
            marked = true;
        } else if let Some(name) = line.strip_prefix("fn ").filter(|_| marked) {
            tests.extend(name.split('(').next());
            marked = false;
        }
    }
    tests
}

/// The text in backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tests of this crate in the file or folder that a page calls `name`: below `tests` or `src`.
fn tests_in(name: &str) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for base in ["tests", "src"] {
        let dir = root().join("crates/ironweave").join(base);
        let (file, folder) = (format!("{name}.rs"), format!("{name}/"));
        for path in sources(&dir) {
            if path == file || path.starts_with(&folder) {
                tests.extend(
                    tests_of(&read(&dir.join(path)))
                        .into_iter()
                        .map(str::to_owned),
                );
            }
        }
    }
    tests
}

/// The error in the name of a test on a page: `folder::name_of_the_test`, which may be a file too, or a folder or file
/// for all tests in it.
fn wrong_test(named: &str) -> Option<String> {
    let (file, test) = named.rsplit_once("::").unwrap_or((named, ""));
    let tests = tests_in(&file.replace("::", "/"));
    if tests.is_empty() {
        return Some(format!("`{named}`: no file or folder `{file}` has a test"));
    }
    (!test.is_empty() && !tests.contains(test))
        .then(|| format!("`{named}`: no test of that name in `{file}`"))
}

#[test]
fn a_test_that_does_not_exist_is_found() {
    assert_eq!(
        wrong_test("guide::a_test_that_does_not_exist_is_found"),
        None
    );
    assert_eq!(wrong_test("guide"), None);
    assert_eq!(wrong_test("oracle"), None);
    assert!(wrong_test("guide::wrong_test").is_some(), "no test");
    assert!(wrong_test("guid").is_some(), "no file");
    assert!(wrong_test("ui/support").is_some(), "no test in it");
}

#[test]
fn each_rule_of_semantics_names_tests_that_exist() {
    let page = read(&root().join("docs/semantics.md"));
    let mut wrong = Vec::new();
    for line in page.lines() {
        let row = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"));
        let row = row.filter(|row| row.starts_with(|c: char| c.is_ascii_digit()));
        if let Some((rule, tests)) = row.and_then(|row| row.rsplit_once(" | ")) {
            if code(tests).next().is_none() {
                wrong.push(format!("no test: {rule}"));
            }
            wrong.extend(code(tests).filter_map(wrong_test));
        } else {
            let named = code(line).filter(|code| code.contains("::"));
            wrong.extend(named.filter_map(wrong_test));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_is_two_screens_long() {
    let page = read(&root().join("ARCHITECTURE.md"));
    assert!(
        page.lines().count() <= 120,
        "measurements and reasons belong in docs/"
    );
    for (i, line) in page.lines().enumerate() {
        assert!(line.chars().count() <= 140, "line {} is too long", i + 1);
    }
}

#[test]
fn the_walk_of_a_step_names_functions_that_exist_in_at_most_twelve_stations() {
    let page = read(&root().join("ARCHITECTURE.md"));
    let (_, walk) = page.split_once("## The life of a step").expect("the walk");
    let (walk, _) = walk.split_once("\n## ").expect("a section after it");
    let mut stations: Vec<String> = Vec::new();
    for line in walk.lines().skip(1) {
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            stations.push(line.to_owned());
        } else if let Some(last) = stations.last_mut() {
            last.push_str(line);
        }
    }
    assert!((8..=12).contains(&stations.len()), "{}", stations.len());
    for station in &stations {
        // `Type::function` (`file.rs`), or `function` (`file.rs`).
        let spans: Vec<&str> = code(station).collect();
        for pair in spans.windows(2).filter(|pair| pair[1].ends_with(".rs")) {
            let file = read(&root().join("crates/ironweave/src").join(pair[1]));
            let function = pair[0].rsplit("::").next().unwrap_or(pair[0]);
            let declared = ["(", "<"].map(|end| format!("fn {function}{end}"));
            assert!(
                pair[0].contains(".rs") || declared.iter().any(|text| file.contains(text)),
                "`{}` has no function `{}`",
                pair[1],
                pair[0]
            );
        }
    }
}

#[test]
fn the_map_names_files_that_exist_and_each_part_of_the_crates() {
    let page = read(&root().join("ARCHITECTURE.md"));
    let mut files = Vec::new();
    for part in ["crates", "apps", "bench", "xtask"] {
        let below = sources(&root().join(part));
        files.extend(below.into_iter().map(|path| format!("/{part}/{path}")));
    }
    let named: BTreeSet<&str> = page.lines().flat_map(code).collect();
    for name in named.iter().filter(|name| name.ends_with(".rs")) {
        let end = format!("/{}", name.trim_start_matches(".../"));
        let there = files.iter().any(|file| file.ends_with(&end));
        assert!(there, "there is no file `{name}`");
    }
    for path in sources(&root().join("crates/ironweave/src")) {
        // A folder, or the module whose folder it is.
        let (part, module) = match path.split_once('/') {
            Some((folder, _)) => (format!("/{folder}/"), format!("/{folder}.rs")),
            None => (format!("/{path}"), String::new()),
        };
        let is_it =
            |name: &&str| name.ends_with(&part) || !module.is_empty() && name.ends_with(&module);
        let skipped = ["lib.rs", "prelude.rs"].contains(&&*path);
        assert!(
            skipped || named.iter().any(is_it),
            "the map does not name `...{part}`"
        );
    }
}

/// The folders and files whose English is kept by `avoided_phrases_do_not_come_back`. Extend it as more of them are revised.
const REVISED: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "xtask/src",
    "bench/src",
    "CHANGELOG.md",
    "docs",
    "apps/databuild",
    "apps/ward",
    "crates/ironweave-cli",
    "crates/ironweave-macros/src",
    "crates/ironweave-net",
    "crates/ironweave-schema",
    "crates/ironweave/examples",
    "crates/ironweave/tests/check",
    "crates/ironweave/tests/crafted",
    "crates/ironweave/tests/examples.rs",
    "crates/ironweave/tests/harness",
    "crates/ironweave/tests/language",
    "crates/ironweave/tests/layers.rs",
    "crates/ironweave/tests/logs",
    "crates/ironweave/tests/misuse",
    "crates/ironweave/tests/oracle",
    "crates/ironweave/tests/record",
    "crates/ironweave/tests/recovery",
    "crates/ironweave/tests/step",
    "crates/ironweave/tests/store",
    "crates/ironweave/tests/time",
    "crates/ironweave/tests/values",
    "crates/ironweave/src/asynchronous",
    "crates/ironweave/src/base",
    "crates/ironweave/src/check",
    "crates/ironweave/src/db",
    "crates/ironweave/src/graph",
    "crates/ironweave/src/guide.rs",
    "crates/ironweave/src/history",
    "crates/ironweave/src/lib.rs",
    "crates/ironweave/src/log",
    "crates/ironweave/src/plumbing",
    "crates/ironweave/src/prelude.rs",
    "crates/ironweave/src/project",
    "crates/ironweave/src/snapshot",
    "crates/ironweave/src/step",
    "crates/ironweave/src/store",
    "crates/ironweave/src/subscribe",
    "crates/ironweave/src/value",
];

/// Parts of these that are not revised yet.
const NOT_REVISED: [&str; 1] = ["logs/models.rs"];

/// Phrases to avoid, in lower case, and what to write instead. Systems are not persons, and a sentence has a subject.
const AVOIDED: [(&str, &str); 29] = [
    ("anew", "again"),
    ("and its kin", "the names"),
    ("goes round", "a cycle"),
    ("holds up", "blocks"),
    ("for ever", "forever, or what never happens"),
    ("in vain", "blocked"),
    ("is told", "the verb of what happens: `returns`, `reports`"),
    ("are told", "the verb of what happens: `returns`, `reports`"),
    ("larger matter", "correlation id"),
    ("larger story", "correlation id"),
    (
        "none are expected",
        "an empty list means that the store is consistent",
    ),
    (
        "nobody",
        "the subject: `no other thread`, `never blocks the writer`",
    ),
    ("says of itself", "the noun: `metadata`"),
    ("somebody", "the subject: `a person`, `another transaction`"),
    ("stands for", "`is`, `represents`"),
    ("takes back", "rolls back"),
    ("taken back", "rolled back"),
    ("the system likes", "the operating system decides"),
    ("round in circles", "in a cycle"),
    ("stands twice", "occurs twice"),
    ("told apart", "distinguished"),
    ("knows better", "the condition"),
    ("its kin", "the names"),
    ("was faster", "another transaction committed first"),
    ("what came of", "the noun: `the result`"),
    ("what there is", "the noun"),
    ("what became of", "the noun: `the result`"),
    ("who asks", "the principal"),
    ("whoever", "the subject: `the caller`"),
];

/// The phrases to avoid in a text, with their lines. The text in backticks of a page is code, such as the name of a test.
fn avoided(name: &str, text: &str) -> Vec<String> {
    let is_page = name.ends_with(".md");
    let mut found = Vec::new();
    let mut in_block = false;
    for (number, line) in text.lines().enumerate() {
        in_block ^= is_page && line.starts_with("```");
        let prose: String = match is_page && !in_block {
            true => line.split('`').step_by(2).collect::<Vec<_>>().join(" "),
            false => line.to_owned(),
        };
        for (phrase, instead) in AVOIDED {
            let mut capital = phrase.to_owned();
            capital[..1].make_ascii_uppercase();
            for form in [phrase, &capital] {
                let of_word = |c: char| c.is_alphanumeric() || c == '_';
                let whole = |(at, _): &(usize, &str)| {
                    !prose[..*at].ends_with(of_word)
                        && !prose[at + form.len()..].starts_with(of_word)
                };
                if prose.match_indices(form).any(|hit| whole(&hit)) {
                    let number = number + 1;
                    found.push(format!("{name}:{number}: \"{form}\"; write {instead}"));
                }
            }
        }
    }
    found
}

#[test]
fn avoided_phrases_do_not_come_back() {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = REVISED.iter().map(|part| root().join(part)).collect();
    let mut files = 0;
    while let Some(path) = open.pop() {
        let name = path.strip_prefix(root()).unwrap_or(&path);
        let name = name.to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
            open.extend(entries.map(|entry| entry.expect("a directory entry").path()));
            continue;
        }
        let is_text = [".rs", ".md", ".txt", ".toml", ".sh"]
            .iter()
            .any(|end| name.ends_with(end));
        if is_text && !NOT_REVISED.iter().any(|end| name.ends_with(end)) {
            files += 1;
            found.extend(avoided(&name, &read(&path)));
        }
    }
    assert!(files > 100, "only {files} files were checked");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_avoided_phrase_is_found_as_a_whole_word_outside_of_code() {
    let text = "Nobody waits. `nobody` and a_test_that_disturbs_nobody are names.\n";
    assert_eq!(avoided("page.md", text).len(), 1);
    assert_eq!(
        avoided("page.md", "anewt, renobody\n"),
        Vec::<String>::new()
    );
    assert_eq!(avoided("lib.rs", "/// Made `anew`.\n").len(), 1);
}
