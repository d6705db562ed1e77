//! What each command prints.

use std::fs;

use crate::{Log, check_on, expect};

/// Runs commands on a committed log, and compares what they print.
#[track_caller]
fn check(name: &str, log: &str, commands: &[&str]) {
    check_on(name, &Log::of(log), commands);
}

const CONSTRUCTS: &str = "version3/constructs";

#[test]
fn log_show() {
    check(
        "log-show.txt",
        CONSTRUCTS,
        &[
            "log show store --to 4",
            "log show store --to 4 --full",
            "log show store --type Order --key 2026,1 --last 2",
            "log show store --entity Line/0.1 --from 5",
            "log show store --event Payment --event AllPacked --from 2026-09-21T14:13:28Z --to 9",
            "log show store --actor ann --last 1",
            "log show store --actor eve",
            "log show store --from 4 --to 4 --json",
        ],
    );
}

#[test]
fn log_show_of_databuild() {
    check(
        "databuild-log.txt",
        "databuild",
        &["log show store --last 12"],
    );
}

#[test]
fn log_tail() {
    check(
        "log-tail.txt",
        CONSTRUCTS,
        &[
            "log tail store -n 2",
            "log tail store --event Payment --json",
        ],
    );
}

#[test]
fn log_verify() {
    check(
        "log-verify.txt",
        CONSTRUCTS,
        &["log verify store", "log verify store --json"],
    );
}

#[test]
fn log_stat() {
    check(
        "log-stat.txt",
        "databuild",
        &["log stat store", "log stat store --json"],
    );
}

#[test]
fn schema_draw() {
    check(
        "schema-draw.txt",
        "databuild",
        &[
            "schema draw store --entity Partition --format mermaid",
            "schema draw store --entity Partition --format mermaid --as-of 4",
            "schema draw store --entity JobRun --format dot --no-counts",
            "schema draw store --edges --format mermaid",
            "schema draw store --entity JobRun",
            "schema draw store --entity JobRun --json",
        ],
    );
    check(
        "schema-draw-constructs.txt",
        CONSTRUCTS,
        &[
            "schema draw store --format mermaid",
            "schema draw store --net --format mermaid",
            "schema draw store --json",
        ],
    );
}

#[test]
fn schema_draw_writes_a_file() {
    let log = Log::of(CONSTRUCTS);
    assert_eq!(log.run("schema draw store --net -o net.svg").ok(), "");
    let written = std::fs::read_to_string(log.path("net.svg")).expect("a picture");
    let printed = log.run("schema draw store --net").ok();
    assert_eq!(written, printed);
    assert!(written.starts_with("<svg ") && written.contains("Net of shop"));
}

#[test]
fn schema_draw_reads_a_schema_file() {
    let log = Log::of(CONSTRUCTS);
    let schema = log.run("schema json store").ok();
    std::fs::write(log.path("schema.json"), schema).expect("a file");
    for of in ["", " --net", " --entity Order", " --json"] {
        let of_file = log.run(&format!("schema draw schema.json{of}")).ok();
        let of_store = log.run(&format!("schema draw store{of} --no-counts")).ok();
        assert_eq!(of_file, of_store, "{of}");
    }
    log.run("schema draw schema.json --json -o net.json").ok();
    let written = std::fs::read_to_string(log.path("net.json")).expect("a file");
    assert!(written.starts_with("{\"title\":"), "{written}");
    for (command, message) in [
        (
            "schema draw schema.json --as-of 3",
            "--as-of is for the directory of a store, and schema.json is a file",
        ),
        (
            "schema draw schema.json --archives store",
            "--archives is for the directory of a store",
        ),
        (
            "schema draw store --json --format dot",
            "leave out --format, or --json",
        ),
    ] {
        let error = log.run(command).failed(2);
        assert!(error.contains(message), "{command}: {error}");
    }
    std::fs::write(log.path("schema.json"), "{}").expect("a file");
    let error = log.run("schema draw schema.json").failed(2);
    assert!(error.contains("cannot read schema.json"), "{error}");
    let error = log.run("schema draw nothing").failed(1);
    assert!(
        error.contains("there is no file or directory nothing"),
        "{error}"
    );
}

#[test]
fn schema() {
    check("schema.txt", "databuild", &["schema show store"]);
    check(
        "schema-constructs.txt",
        CONSTRUCTS,
        &["schema show store", "schema diff store store"],
    );
}

/// A model that chooses, counts and compares, has due events, and an index with several parts.
#[test]
fn schema_of_a_model_that_chooses() {
    let log = Log::nothing();
    let model = include_str!("../../../ironweave-net/tests/draw/models/ward.json");
    fs::write(log.path("ward.json"), model).expect("a file");
    let other = model
        .replace("\"descending\":true", "\"descending\":false")
        .replace("\"GreaterOrEqual\"", "\"Greater\"");
    fs::write(log.path("other.json"), other).expect("a file");
    check_on(
        "schema-choices.txt",
        &log,
        &[
            "schema show ward.json",
            "schema diff ward.json other.json",
            "schema draw ward.json --net --format mermaid",
            "schema lint ward.json --notes",
            "schema pnml ward.json --entities Ward=1 --entities Bed=1 --entities Patient=1",
        ],
    );
}

#[test]
fn schema_lint() {
    check(
        "schema-lint.txt",
        "databuild",
        &[
            "schema lint store",
            "schema lint store --notes",
            "schema lint store --notes --json",
            "schema lint store --allow nothing",
        ],
    );
    check(
        "schema-lint-constructs.txt",
        CONSTRUCTS,
        &["schema lint store --notes"],
    );
}

#[test]
fn get() {
    check(
        "get.txt",
        CONSTRUCTS,
        &[
            "get store Order 2026,1",
            "get store Order 2026,1 --json",
            "get store Line 0.1 --as-of 5",
            "get store Customer ada --as-of 2026-09-21T14:13:21Z",
            "get store Order 0.1",
        ],
    );
}

#[test]
fn list() {
    check(
        "list.txt",
        CONSTRUCTS,
        &[
            "list store Line",
            "list store Line --json",
            "list store Line Packed --where by=max",
            "list store Order --count",
            "list store Order --as-of 3",
            "list store Line --where sku=none",
        ],
    );
    check(
        "databuild-list.txt",
        "databuild",
        &[
            "list store Partition",
            "list store JobRun Failed",
            "list store Want --count",
        ],
    );
}

#[test]
fn edges() {
    check(
        "edges.txt",
        CONSTRUCTS,
        &[
            "edges store Order 2026,1",
            "edges store Order 2026,1 --json",
        ],
    );
    check(
        "databuild-edges.txt",
        "databuild",
        &["edges store Partition sum", "edges store JobRun 5.1"],
    );
}

#[test]
fn history() {
    check(
        "history.txt",
        CONSTRUCTS,
        &[
            "history store Order 2026,1",
            "history store Line 0.1 --as-of 7",
            "history store Line 0.1 --json --as-of 5",
        ],
    );
}

#[test]
fn why() {
    check(
        "why.txt",
        "databuild",
        &["why store Partition sum", "why store Want 1.1 --json"],
    );
    // Frame 4 was caused by frame 1.
    check(
        "why-causation.txt",
        CONSTRUCTS,
        &["why store Line 0.1", "why store Line 0.1 --json"],
    );
}

#[test]
fn diff() {
    check(
        "diff.txt",
        CONSTRUCTS,
        &["diff store 3 6", "diff store 6 3 --json", "diff store 3 3"],
    );
}

#[cfg(feature = "sqlite")]
#[test]
fn sql() {
    let log = Log::of(CONSTRUCTS);
    let count = "SELECT count(*) AS lines FROM Line";
    assert_eq!(log.run_with(&["sql", "store", count]).ok(), "lines\n3\n");
    let then = log
        .run_with(&["sql", "store", count, "--as-of", "6", "--json"])
        .ok();
    assert_eq!(then, "{\"lines\":4}\n");
    let wrong = log
        .run_with(&["sql", "store", "SELECT x FROM Line"])
        .failed(2);
    assert!(wrong.contains("no such column: x"), "{wrong}");
}

#[test]
fn help() {
    let log = Log::nothing();
    let help = log.run("--help").ok();
    assert_eq!(help.contains("\n  sql "), cfg!(feature = "sqlite"));
    let lines = help.lines().filter(|line| !line.starts_with("  sql "));
    expect("help.txt", &lines.collect::<Vec<_>>().join("\n"));
    let script = log.run("completions bash").ok();
    assert!(script.contains("ironweave"), "{script}");
}

#[test]
fn colours_are_for_terminals_or_on_request() {
    let log = Log::of("databuild");
    assert!(!log.run("log show store").ok().contains('\u{1b}'));
    let mut command = log.command(&["log", "show", "store", "--color", "always"]);
    let output = command.env_remove("NO_COLOR").output().expect("it starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\u{1b}["));
}
