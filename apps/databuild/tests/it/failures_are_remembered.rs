//! A failure is remembered until it is retried, or until what it is made from changes. A job may be tried several times before.

use crate::support::Place;

/// `top` reads `a`, `b` and `c`. The scripts of these are files, and each run of one adds a line to `runs`.
const JOBS: &str = r#"
[[job]]
partitions = "top"
command = ["sh", "-c", '''
    for p in a b c; do
        if [ -d "$DATABUILD_DATA/$p" ]; then echo "{\"input\": \"$p\"}"; else echo "{\"missed\": \"$p\"}"; fi
    done
''']
[[job]]
partitions = "?"
command = ["sh", "-c", "echo $PARTITION >> \"$DATABUILD_JOBS/runs\"; . \"$DATABUILD_JOBS/$PARTITION.sh\""]
"#;

/// A place in which `a` and `b` fail.
fn place() -> Place {
    let job = JOBS.split("[[job]]").nth(2).expect("the second job");
    let each: String = ["a", "b", "c"]
        .map(|name| format!("[[job]]{}", job.replace("\"?\"", &format!("\"{name}\""))))
        .concat();
    let top = JOBS.split("[[job]]").nth(1).expect("the first job");
    let place = Place::with_jobs(&format!("[[job]]{top}{each}"));
    place.write("a.sh", "exit 3");
    place.write("b.sh", "exit 4");
    place.write("c.sh", "");
    place
}

/// The partitions for which runs have begun, sorted, since some begin at the same time.
fn runs(place: &Place) -> Vec<String> {
    let mut runs: Vec<String> = place.read("runs").lines().map(str::to_owned).collect();
    runs.sort();
    runs
}

#[test]
fn until_somebody_retries_it() {
    let place = place();
    place.run(&["top"]).refused(&["a failed", "b failed"]);
    assert_eq!(runs(&place), ["a", "b", "c"]);
    // Nothing runs, and the failures are printed.
    let earlier = "    (in an earlier run; nothing that it is made from has changed since: `databuild retry a` forgets it)\n";
    let seen = place.run(&["top"]).refused(&[
        "a failed:\n    it ended with exit status 3\n",
        earlier,
        "top is blocked by a, b",
    ]);
    assert_eq!(seen.counts(), (0, 1));
    place.write("a.sh", "");
    let seen = place.run(&["a"]).refused(&["a failed", earlier]);
    assert!(!seen.stderr.contains("b failed"), "of others: {seen:?}");
    assert_eq!(runs(&place), ["a", "b", "c"]);
    assert!(
        place
            .status()
            .contains("failed: a: it ended with exit status 3")
    );

    let seen = place.databuild(&["retry", "a"]).success();
    assert_eq!(seen.stdout, "to be built again when they are wanted: a\n");
    assert!(
        place
            .status()
            .contains("1 Missing + 1 Live + 1 Failed + 1 UpstreamFailed")
    );
    assert_eq!(place.run(&["a"]).success().counts(), (1, 0));
    // What waits for it names it too.
    place.write("b.sh", "");
    let args = ["run", "--jobs", "jobs.toml", "retry", "top"];
    assert_eq!(place.databuild(&args).success().counts(), (2, 2));
    assert_eq!(runs(&place), ["a", "a", "b", "b", "c"]);

    for (args, words) in [
        (
            &["retry", "top"][..],
            "`top` has not failed, nor has what it waits for: it is Live",
        ),
        (&["retry", "x"], "`x` was never wanted"),
        (&["retry", "--all"], "no partition has failed"),
    ] {
        place.databuild(args).refused(&[words]);
    }
}

#[test]
fn until_all_are_retried() {
    let place = place();
    place.run(&["top"]).refused(&["a failed", "b failed"]);
    place.write("a.sh", "");
    place.write("b.sh", "exit 5");
    let args = ["run", "--jobs", "jobs.toml", "retry", "--all"];
    let seen = place.databuild(&args);
    // `top` was not among those that had failed.
    let seen = seen.refused(&[
        "b failed:\n    it ended with exit status 5",
        "not built: b\n",
    ]);
    assert_eq!(seen.counts(), (1, 0));
}

#[test]
fn until_what_it_is_made_from_changes() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "source"
command = ["sh", "-c", "cat \"$DATABUILD_JOBS/source\" | tee x | sed 's/.*/{\"digest\": \"&\"}/'"]
digest = ["sh", "-c", "sed 's/.*/{\"partition\": \"source\", \"digest\": \"&\"}/' \"$DATABUILD_JOBS/source\""]
[[job]]
partitions = "sum"
command = ["sh", "-c", '''
    echo run >> "$DATABUILD_JOBS/runs"
    if ! [ -d "$DATABUILD_DATA/source" ]; then echo '{"missed": "source"}'; exit; fi
    echo '{"input": "source"}'
    grep -q good "$DATABUILD_DATA/source/x"
''']
[[job]]
partitions = "direct"
command = ["sh", "-c", "sed 's/.*/{\"digest\": \"&\"}/' \"$DATABUILD_JOBS/source\"; grep -q good \"$DATABUILD_JOBS/source\""]
digest = ["sh", "-c", "sed 's/.*/{\"partition\": \"direct\", \"digest\": \"&\"}/' \"$DATABUILD_JOBS/source\""]
"#,
    );
    place.write("source", "bad\n");
    place
        .run(&["sum", "direct"])
        .refused(&["sum failed", "direct failed"]);
    let runs = place.read("runs");
    place
        .run(&["sum", "direct"])
        .refused(&["not built: sum, direct"]);
    assert_eq!(place.read("runs"), runs);
    // An input of one, and the digest of the other.
    place.write("source", "good\n");
    assert_eq!(place.run(&["sum", "direct"]).success().counts(), (3, 0));
}

#[test]
fn until_the_version_of_its_job_changes() {
    let jobs = |command: &str, version: &str| {
        format!("[[job]]\npartitions = 'a'\ncommand = [{command}]\n{version}\n")
    };
    let place = Place::with_jobs(&jobs("'false'", ""));
    place.run(&["a"]).refused(&["a failed"]);
    place.run(&["a"]).refused(&["(in an earlier run"]);
    // A changed command, for what has failed and for what is live.
    place.write("jobs.toml", &jobs("'true'", ""));
    assert_eq!(place.run(&["a"]).success().counts(), (1, 0));
    assert_eq!(place.run(&["a"]).success().counts(), (0, 1));
    place.write("jobs.toml", &jobs("'touch', 'x'", "version = '1'"));
    assert_eq!(place.run(&["a"]).success().counts(), (1, 0));
    // If a version is given, the command may change.
    place.write("jobs.toml", &jobs("'touch', 'y'", "version = '1'"));
    assert_eq!(place.run(&["a"]).success().counts(), (0, 1));
    place.write("jobs.toml", &jobs("'touch', 'y'", "version = '2'"));
    assert_eq!(place.run(&["a"]).success().counts(), (1, 0));
    assert!(place.path("out/data/a/y").exists());
}

/// A job that fails as often as the file `fail` has lines.
const FLAKY: &str = r#"
[[job]]
partitions = "a"
command = ["sh", "-c", '''
    echo run >> "$DATABUILD_JOBS/runs"
    [ "$(wc -l < "$DATABUILD_JOBS/runs")" -gt "$(wc -l < "$DATABUILD_JOBS/fail")" ]
''']
retries = 2
backoff = "20ms"
"#;

#[test]
fn a_job_is_tried_again() {
    let place = Place::with_jobs(FLAKY);
    place.write("fail", "1\n2\n");
    let seen = place.run(&["a"]).success();
    assert_eq!(seen.counts(), (1, 0));
    for words in [
        "(attempt 1 of 3, the next one in 20 ms)",
        "(attempt 2 of 3, the next one in 40 ms)",
    ] {
        assert!(seen.stderr.contains(words), "{seen:?}");
    }
    let place = Place::with_jobs(FLAKY);
    place.write("fail", "1\n2\n3\n");
    place
        .run(&["a"])
        .refused(&["a failed:\n    it ended with exit status 1"]);
    assert_eq!(place.read("runs").lines().count(), 3);
    let status = place.status();
    assert!(status.contains("runs: 3 = 3 Failed"), "{status}");
    // A retry counts again from 1.
    place
        .databuild(&["run", "--jobs", "jobs.toml", "retry", "a"])
        .success();
    assert_eq!(place.read("runs").lines().count(), 4);
}

#[test]
fn a_run_that_takes_too_long_fails() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['sh', '-c', 'trap \"\" TERM; sleep 60 & wait; sleep 60']\ntimeout = '100ms'\n\
         [[job]]\npartitions = 'b'\ncommand = ['sleep', '60']\ntimeout = '100ms'\n\
         [[job]]\npartitions = 'c'\ncommand = ['true']\ntimeout = '60s'\n",
    );
    let seen = place.run(&["a", "b", "c"]).refused(&[
        "a failed:\n    it did not end within 100 ms, its timeout",
        "b failed:\n    it did not end within 100 ms, its timeout",
        "not built: a, b\n",
    ]);
    assert_eq!(seen.counts(), (1, 0));
}
