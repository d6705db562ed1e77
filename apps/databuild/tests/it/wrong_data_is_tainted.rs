//! A person says that the data of partitions is wrong.

use serde_json::json;

use crate::daemon::Daemon;
use crate::support::Place;

/// `sum` is made from `source`, whose content is that of the file `source`, and `report` is made from `sum`. Each run adds its partition to `ran`.
const JOBS: &str = r#"
[[job]]
partitions = "source"
command = ["sh", "-c", 'echo source >> "$DATABUILD_JOBS/ran"; cp "$DATABUILD_JOBS/source" .']
[[job]]
partitions = "sum"
inputs = ["source"]
command = ["sh", "-c", 'echo sum >> "$DATABUILD_JOBS/ran"; cp "$DATABUILD_DATA/source/source" .']
[[job]]
partitions = "report"
inputs = ["sum"]
command = ["sh", "-c", 'echo report >> "$DATABUILD_JOBS/ran"; wc -c < "$DATABUILD_DATA/sum/source" > size']
[[job]]
partitions = "bad"
command = ["false"]
"#;

fn built() -> Place {
    let place = Place::with_jobs(JOBS);
    place.write("source", "one");
    place.run(&["report"]).success();
    place.write("ran", "");
    place
}

fn taint(place: &Place, refs: &[&str]) -> crate::support::Seen {
    place.databuild(&[&["taint", "--reason", "scraped the wrong page"], refs].concat())
}

#[test]
fn it_is_built_again_and_nothing_else_if_it_comes_out_the_same() {
    let place = built();
    let seen = taint(&place, &["source"]).success();
    assert_eq!(
        seen.stdout,
        "tainted: source; 2 that are made from them are stale\n"
    );
    let status = place.status();
    assert!(
        status.contains("partitions: 3 = 2 Stale + 1 Tainted\n")
            && status.contains("tainted: source (scraped the wrong page)\n"),
        "{status}"
    );
    let plan = ["plan", "--jobs", "jobs.toml", "want", "report"];
    let plan = place.databuild(&plan).success().stdout;
    assert!(
        plan.contains("tainted: scraped the wrong page")
            && plan.contains("its input source is tainted"),
        "{plan}"
    );
    let why = place.databuild(&["why", "source"]).success().stdout;
    assert!(
        why.contains("source is Tainted\n") && why.contains(": scraped the wrong page\n"),
        "{why}"
    );
    let why = place.databuild(&["why", "report"]).success().stdout;
    assert!(
        why.contains("report \u{2190} sum \u{2190} source, which is tainted\n"),
        "{why}"
    );
    let history = |of: &str| place.databuild(&["history", of]).success().stdout;
    let (source, sum) = (history("source"), history("sum"));
    assert!(
        source.contains("TAINTED, because its data is wrong: scraped the wrong page\n"),
        "{source}"
    );
    assert!(
        sum.contains("STALE, because what it is made from has changed: source was tainted\n"),
        "{sum}"
    );
    assert_eq!(place.run(&["report"]).success().counts(), (1, 2));
    assert_eq!(place.read("ran"), "source\n");
    // Another content is made into what depends on it.
    taint(&place, &["source", "sum"]).success();
    place.write("source", "another");
    assert_eq!(place.run(&["report"]).success().counts(), (3, 0));
    assert_eq!(place.read("ran"), "source\nsource\nsum\nreport\n");
}

#[test]
fn a_selection_is_tainted_as_a_whole_or_not_at_all() {
    let place = built();
    place.run(&["bad"]);
    for (refs, words) in [
        (
            &["source", "bad"][..],
            "`bad` is Failed, so it has no data that could be wrong: nothing was tainted",
        ),
        (&["source", "never"], "`never` was never wanted"),
        (&["no/**"], "no known partition matches `no/**`"),
    ] {
        taint(&place, refs).refused(&[words]);
    }
    assert!(!place.status().contains("Tainted"));
    for reason in ["", " ", "two\nlines"] {
        let seen = place.databuild(&["taint", "--reason", reason, "source"]);
        assert_eq!(seen.code, Some(2), "{seen:?}");
    }
    taint(&place, &["sum+"]).success();
    let status = place.status();
    assert!(
        status.contains("= 1 Live + 1 Failed + 2 Tainted\n"),
        "{status}"
    );
    // What was built before databuild was told of it is not used by what is built now.
    assert_eq!(place.run(&["report"]).success().counts(), (2, 1));
    assert_eq!(place.read("ran"), "sum\nreport\n");
}

#[test]
fn a_daemon_is_told_and_ends_the_runs_that_have_read_it() {
    let place = built();
    place.edit(
        "jobs.toml",
        "wc -c <",
        "echo $$ > \"$DATABUILD_JOBS/there\"; while [ -e \"$DATABUILD_JOBS/wait\" ]; do sleep 0.02; done; wc -c <",
    );
    place.write("wait", "");
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["report"]);
    place.wait_for("there");
    std::fs::remove_file(place.path("there")).expect("a file");
    let (status, answer) = daemon.post("/api/taint", &json!({"refs": ["sum"], "reason": "wrong"}));
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["done"], "tainted: sum");
    // The run of `report` is ended, and begins again when `sum` is built.
    place.wait_for("there");
    assert_eq!(place.read("ran"), "report\nsum\nreport\n");
    std::fs::remove_file(place.path("wait")).expect("a file");
    daemon.wait_for(&want, "Successful");
    let (_, partition) = daemon.get("/api/partitions/sum");
    assert_eq!(
        (&partition["state"], &partition["instances"]),
        (&json!("Live"), &json!(2))
    );
    // By the command line, through the daemon.
    let seen = taint(&place, &["source"]).success();
    assert_eq!(
        seen.stdout,
        "tainted: source; 2 that are made from them are stale\n"
    );
    let (_, partition) = daemon.get("/api/partitions/source");
    assert_eq!(partition["reason"], "scraped the wrong page");
    for (body, words) in [
        (json!({"refs": ["source"]}), "reason"),
        (
            json!({"refs": ["source"], "reason": " "}),
            "the reason is empty",
        ),
        (json!({"refs": [], "reason": "x"}), "`refs` has 0 names"),
        (
            json!({"refs": ["never"], "reason": "x"}),
            "`never` was never wanted",
        ),
    ] {
        let (status, answer) = daemon.post("/api/taint", &body);
        let error = answer["error"].as_str().expect("an error");
        assert!(
            (400..500).contains(&status) && error.contains(words),
            "{status} {answer}"
        );
    }
}
