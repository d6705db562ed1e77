//! `ironweave net`: what it prints of nets in PNML, and its messages.

use std::fs;

use crate::{Log, expect};

/// Three philosophers, each with two states, between three forks.
fn philosophers() -> String {
    let mut nodes = String::new();
    let arc = |nodes: &mut String, from: &str, to: &str| {
        let id = nodes.len();
        *nodes += &format!("<arc id=\"a{id}\" source=\"{from}\" target=\"{to}\"/>\n");
    };
    for i in 0..3 {
        for (place, tokens) in [("fork", 1), ("think", 1), ("one", 0), ("eat", 0)] {
            nodes += &format!(
                "<place id=\"{place}{i}\"><initialMarking><text>{tokens}</text></initialMarking></place>\n"
            );
        }
        for transition in ["first", "second", "end"] {
            nodes += &format!("<transition id=\"{transition}{i}\"/>\n");
        }
    }
    for i in 0..3 {
        let (left, right) = (format!("fork{i}"), format!("fork{}", (i + 1) % 3));
        for (transition, inputs, outputs) in [
            (
                "first",
                vec![format!("think{i}"), left.clone()],
                vec![format!("one{i}")],
            ),
            (
                "second",
                vec![format!("one{i}"), right.clone()],
                vec![format!("eat{i}")],
            ),
            (
                "end",
                vec![format!("eat{i}")],
                vec![format!("think{i}"), left, right],
            ),
        ] {
            let transition = format!("{transition}{i}");
            inputs
                .iter()
                .for_each(|place| arc(&mut nodes, place, &transition));
            outputs
                .iter()
                .for_each(|place| arc(&mut nodes, &transition, place));
        }
    }
    let ty = "http://www.pnml.org/version-2009/grammar/ptnet";
    format!("<pnml><net id=\"three\" type=\"{ty}\"><page id=\"p\">\n{nodes}</page></net></pnml>")
}

/// The output without the line of the speed.
fn without_speed(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("states per second: "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_net_is_counted_and_explored() {
    let log = Log::nothing();
    fs::write(log.path("net.pnml"), philosophers()).unwrap();
    let mut text = String::new();
    for (command, code) in [
        (&["net", "stat", "net.pnml", "--invariants"][..], 0),
        (&["net", "explore", "net.pnml", "--threads", "1"], 0),
        (
            &[
                "net",
                "explore",
                "net.pnml",
                "--threads",
                "1",
                "--always",
                "eat0 + eat1 + eat2 <= 1",
                "--ever",
                "one0 == 1 and one1 == 1 and one2 == 1",
                "--always",
                "fork0 > 0",
            ],
            1,
        ),
    ] {
        let ran = log.run_with(command);
        assert_eq!((ran.code, &*ran.err), (Some(code), ""), "{ran:?}");
        text += &format!(
            "$ ironweave {}\n{}\n",
            command.join(" "),
            without_speed(&ran.out)
        );
    }
    expect("net.txt", &text);
    let json = log.run("net explore net.pnml --json --ever eat0==1").ok();
    let lines: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["states"], 14);
    assert_eq!(lines[1]["path"], serde_json::json!(["first0", "second0"]));
}

#[test]
fn a_limit_is_said() {
    let log = Log::nothing();
    fs::write(log.path("net.pnml"), philosophers()).unwrap();
    let out = log
        .run("net explore net.pnml --limit 5 --always eat0<9")
        .ok();
    assert!(out.contains("complete up to depth: "), "{out}");
    assert!(out.contains("always eat0<9: holds so far"), "{out}");
}

#[test]
fn bad_files_and_properties_have_one_message() {
    let log = Log::nothing();
    fs::write(log.path("net.pnml"), philosophers()).unwrap();
    fs::write(log.path("text"), "this is no net").unwrap();
    fs::write(log.path("cut.pnml"), &philosophers()[..200]).unwrap();
    for (command, code, message) in [
        ("net stat missing", 2, "missing: No such file or directory"),
        ("net stat text", 1, "text: line 1: this is not PNML"),
        ("net explore cut.pnml", 1, "cut.pnml: line 3: "),
        (
            "net explore net.pnml --always eat",
            2,
            "`eat`: at character 1: the net has no place `eat`; a similar name is `eat0`",
        ),
        (
            "net explore net.pnml --ever eat0",
            2,
            "`eat0`: at character 5: expected one of",
        ),
        (
            "net explore net.pnml --threads x",
            2,
            "invalid value 'x' for '--threads <N>'",
        ),
        (
            "net explore net.pnml --threads 0",
            2,
            "invalid value '0' for '--threads <N>': 0 is not in 1..=1024",
        ),
    ] {
        let err = log.run(command).failed(code);
        assert!(err.contains(message), "{command}: {err}");
    }
}

#[test]
fn siphons_and_traps_show_a_deadlock() {
    let log = Log::nothing();
    fs::write(log.path("net.pnml"), philosophers()).unwrap();
    let out = log.run("net stat net.pnml --structure").ok();
    for line in [
        "free choice: no",
        "siphons without a marked trap: 1",
        "transition invariants: 3",
        "siphons and traps do not decide liveness",
        // All are empty if each philosopher has taken the first fork.
        "siphon fork0, eat0, fork1, eat1, fork2, eat2 (no marked trap)",
    ] {
        assert!(out.lines().any(|other| other == line), "{line}: {out}");
    }
    let json = log.run("net stat net.pnml --structure --json").ok();
    let line = json.lines().nth(1).unwrap();
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["commoner"], "unknown");
}

#[test]
fn a_model_is_unfolded_and_explored() {
    let log = Log::of("databuild");
    let one_each = "--entities Want=1 --entities Partition=1 --entities JobRun=1";
    let refused = log.run(&format!("schema pnml store {one_each}")).failed(1);
    for line in [
        "ironweave: the model cannot be unfolded:",
        "  the invariant LiveWasBuilt is `crate::rules::live_means_a_run_that_succeeded`, which is code of the program",
        "  the invariant WaitingHasACause is `crate::rules::waiting_means_something_missed`, which is code of the program",
        "add --over-approximate to leave these out, so that the net can do more than the program",
    ] {
        assert!(refused.lines().any(|other| other == line), "{refused}");
    }
    let command = format!("schema pnml store {one_each} --over-approximate");
    let size = log.run(&format!("{command} -o net.pnml")).ok();
    assert!(size.starts_with("places: "), "{size}");
    assert!(
        size.contains("\nleft out: the invariant LiveWasBuilt is"),
        "{size}"
    );
    let printed = log.run(&command).ok();
    assert_eq!(printed, fs::read_to_string(log.path("net.pnml")).unwrap());
    assert!(
        printed.contains("build at Want=1, Partition=1, JobRun=1 (over-approximated, without: ")
    );
    let explored = log.run_with(&[
        "net",
        "explore",
        "net.pnml",
        "--always",
        "'Want' + 'no Want' == 1 and 'Want.partitions' == 'Want'",
        "--ever",
        "'Want::Successful' == 1",
    ]);
    let out = explored.ok();
    assert!(out.starts_with("states: 46\nedges: 156\n"), "{out}");
    assert!(out.contains("== 'Want': holds"), "{out}");
    assert!(out.contains("== 1: is reached"), "{out}");
    assert!(out.contains("WantCreated(partitions={new0})"), "{out}");
}

#[test]
fn a_scope_that_is_not_right_has_one_message() {
    let log = Log::of("databuild");
    for (arguments, code, message) in [
        (
            "--entities Want=2",
            2,
            "the number of entities is missing for Partition, JobRun; add --entities Partition=2 --entities JobRun=2",
        ),
        (
            "--entities Wnat=2",
            2,
            "there is no type `Wnat`; did you mean `Want`?",
        ),
        (
            "--entities Want=1 --entities Want=2",
            2,
            "--entities Want is given twice; give it once",
        ),
        (
            "--entities Want",
            2,
            "write a type and a number, such as `Want=2`",
        ),
        (
            "--entities Want=-1",
            2,
            "`-1` is not a number from 0 to 4294967295, as in `Want=2`",
        ),
        (
            "--over-approximate --entities Want=4000000000 --entities Partition=1 --entities JobRun=0",
            1,
            "places or more, and the limit is 100000; use fewer entities or a higher limit, with --places-max",
        ),
        (
            "--over-approximate --entities Want=9 --entities Partition=9 --entities JobRun=9 --transitions-max 99",
            1,
            "the net would have more than 99 transitions, most of them perhaps of WantCreated; use fewer entities or a higher limit, with --transitions-max",
        ),
    ] {
        let error = log
            .run(&format!("schema pnml store {arguments}"))
            .failed(code);
        assert!(error.contains(message), "{arguments}: {error}");
    }
    let nowhere = log.run(
        "schema pnml store --over-approximate --entities Want=0 --entities Partition=0 --entities JobRun=0 -o no/where",
    );
    assert!(nowhere.failed(1).contains("cannot write no/where: "));
}
