//! What is made from contents that come out the same is not built again, and what is known to be stale is built before what reads it.
//! Runs are counted: each adds a line to the file `runs`.

use crate::daemon::Daemon;
use crate::support::{Place, Seen, signal, wait_until};

/// `votes/*` are made by a script, which is their digest; `total` is made from three of them, and `report` from `total`. No input is declared.
const JOBS: &str = r#"
[[job]]
partitions = "votes/*"
command = ["sh", "-c", '''
    echo $PARTITION >> "$DATABUILD_JOBS/runs"
    echo "{\"digest\": \"$(cksum < "$DATABUILD_JOBS/votes.sh")\"}"
    . "$DATABUILD_JOBS/votes.sh"
''']
digest = ["sh", "-c", '''
    d=$(cksum < "$DATABUILD_JOBS/votes.sh")
    for p in "$@"; do echo "{\"partition\": \"$p\", \"digest\": \"$d\"}"; done
''', "digest"]
[[job]]
partitions = "total"
command = ["sh", "-c", '''
    echo total >> "$DATABUILD_JOBS/runs"
    for day in $(cat "$DATABUILD_JOBS/days"); do
        if [ -d "$DATABUILD_DATA/votes/$day" ]; then echo "{\"input\": \"votes/$day\"}"; else echo "{\"missed\": \"votes/$day\"}"; fi
    done
    cat "$DATABUILD_DATA"/votes/*/x > x || true
    . "$DATABUILD_JOBS/total.sh"
''']
[[job]]
partitions = "report"
command = ["sh", "-c", '''
    echo report >> "$DATABUILD_JOBS/runs"
    if ! [ -d "$DATABUILD_DATA/total" ]; then echo '{"missed": "total"}'; exit; fi
    echo '{"input": "total"}'
    wc -l < "$DATABUILD_DATA/total/x" > x
''']
"#;

fn place() -> Place {
    let place = Place::with_jobs(JOBS);
    place.write("votes.sh", "echo red > x; echo blue >> x\n");
    place.write("total.sh", "");
    place.write("days", "1 2 3");
    place.write("runs", "");
    place
}

/// How many runs there were since the last call, by name.
fn runs(place: &Place) -> Vec<(String, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for name in place.read("runs").lines() {
        *counts.entry(name.to_owned()).or_insert(0) += 1;
    }
    place.write("runs", "");
    counts.into_iter().collect()
}

fn counted(names: &[(&str, usize)]) -> Vec<(String, usize)> {
    let counts = names.iter().map(|(name, n)| ((*name).to_owned(), *n));
    counts.collect()
}

const VOTES: [(&str, usize); 3] = [("votes/1", 1), ("votes/2", 1), ("votes/3", 1)];

#[test]
fn a_comment_in_a_script_builds_what_the_script_makes_and_nothing_below_it() {
    let place = place();
    place.run(&["report"]).success();
    let each = [&[("report", 2), ("total", 2)], &VOTES[..]].concat();
    assert_eq!(runs(&place), counted(&each));

    place.edit("votes.sh", "echo red", "# A comment\necho red");
    let seen = place.run(&["report"]).success();
    assert_eq!((runs(&place), seen.counts()), (counted(&VOTES), (3, 2)));
    for line in ["kept     total\n", "kept     report\n"] {
        assert!(seen.stderr.contains(line), "{seen:?}");
    }
    assert_eq!(place.run(&["report"]).success().counts(), (0, 5));
    assert_eq!(runs(&place), []);

    // Another order has other bytes, which are as many lines. Each runs once, in the order in which they need each other.
    place.write("votes.sh", "echo blue > x; echo red >> x\n");
    assert_eq!(place.run(&["report"]).success().counts(), (5, 0));
    let each = [&[("report", 1), ("total", 1)], &VOTES[..]].concat();
    assert_eq!(runs(&place), counted(&each));
    assert_eq!(place.read("out/data/report/x").trim(), "6");
}

#[test]
fn so_it_is_in_the_middle_and_if_a_job_says_what_its_content_is() {
    let place = place();
    let content = "rm -f x; date +%s%N > time; cp \"$DATABUILD_DATA\"/votes/1/x x; echo '{\"content\": \"same\"}'\n";
    place.write("total.sh", content);
    place.run(&["report"]).success();
    runs(&place);
    place.write("votes.sh", "echo green > x; echo red >> x\n");
    let seen = place.run(&["report"]).success();
    let each = [&[("total", 1)], &VOTES[..]].concat();
    assert_eq!((runs(&place), seen.counts()), (counted(&each), (4, 1)));
    // What was kept becomes stale with the new instance of its input.
    place.write("total.sh", "echo '{\"content\": \"other\"}'");
    place.write("votes.sh", "echo green > x\n");
    assert_eq!(place.run(&["report"]).success().counts(), (5, 0));
    // An empty content is a content, and a second one is refused.
    place.write(
        "total.sh",
        "echo '{\"content\": \"\"}'; echo '{\"content\": \"1\"}'",
    );
    place.write("votes.sh", "echo green >> x\n echo red >> x");
    place
        .run(&["total"])
        .refused(&["it printed another content before"]);
}

#[test]
fn a_change_that_is_reverted_costs_no_run_below_it() {
    let place = place();
    place.run(&["report"]).success();
    runs(&place);
    for votes in ["echo green > x", "echo red > x; echo blue >> x\n"] {
        place.write("votes.sh", votes);
        place.run(&["votes/1", "votes/2", "votes/3"]).success();
    }
    runs(&place);
    assert_eq!(place.run(&["report"]).success().counts(), (0, 5));
    assert_eq!(runs(&place), []);
}

#[test]
fn an_input_that_fails_or_is_not_made_any_more_is_not_needed_by_what_does_not_read_it() {
    for jobs in [JOBS.to_owned(), JOBS.replace("\"votes/*\"", "\"votes/1\"")] {
        let place = place();
        place.run(&["report"]).success();
        runs(&place);
        place.write("jobs.toml", &jobs);
        place.write(
            "votes.sh",
            "[ $PARTITION = votes/1 ] || exit 3; echo red > x\n",
        );
        place.write("days", "1");
        std::fs::remove_dir_all(place.path("out/data/votes/2")).expect("its data");
        let seen = place.run(&["report"]).success();
        let total = runs(&place);
        assert_eq!(
            total[..2],
            counted(&[("report", 1), ("total", 1)]),
            "{seen:?}"
        );
        // A want for what does read it is blocked.
        place.write("days", "1 2");
        std::fs::remove_dir_all(place.path("out/data/total")).expect("its data");
        place.run(&["report"]).refused(&["not built: report"]);
        assert_eq!(runs(&place).last(), counted(&[("total", 1)]).last());
    }
}

#[test]
fn a_kill_in_between_loses_nothing() {
    let place = place();
    place.run(&["report"]).success();
    runs(&place);
    // `votes/2` waits, after `votes/1` was built.
    let wait = "echo red > x; echo blue >> x; if [ $PARTITION = votes/2 ]; then echo > \"$DATABUILD_JOBS/there\"; \
                while [ -e \"$DATABUILD_JOBS/jobs.toml\" ] && ! [ -e \"$DATABUILD_JOBS/leave\" ]; do sleep 0.02; done; fi\n";
    place.write("votes.sh", wait);
    let args = [
        "run",
        "--jobs",
        "jobs.toml",
        "--jobs-max",
        "2",
        "want",
        "report",
    ];
    let child = place.spawn(&args);
    place.wait_for("there");
    wait_until("the others are built", || {
        let runs = place.read("runs");
        runs.contains("votes/1") && runs.contains("votes/3")
    });
    wait_until("they wait", || place.status().contains("2 Checking"));
    signal(child.id(), "-KILL");
    child.wait_with_output().expect("it ends");
    place.write("leave", "");
    let seen = place.run(&["report"]).success();
    let (built, reused) = seen.counts();
    assert!((1..=3).contains(&built) && built + reused == 5, "{seen:?}");
    let runs = runs(&place);
    assert!(
        !runs
            .iter()
            .any(|(name, _)| name == "total" || name == "report"),
        "{runs:?}"
    );
}

/// `slow` says what it reads, and then works for a minute, unless there is the file `quick`.
const SLOW: &str = r#"
[[job]]
partitions = "slow"
command = ["sh", "-c", '''
    echo slow >> "$DATABUILD_JOBS/runs"
    for p in a b; do
        if [ -d "$DATABUILD_DATA/$p" ]; then echo "{\"LINE\": \"$p\"}"; else echo "{\"missed\": \"$p\"}"; fi
    done
    [ -e "$DATABUILD_JOBS/quick" ] || { touch "$DATABUILD_JOBS/there"; sleep 60; touch "$DATABUILD_JOBS/over"; }
''']
[[job]]
partitions = "a"
command = ["sh", "-c", "cp \"$DATABUILD_JOBS/source\" x; DIGEST"]
digest = ["sh", "-c", "DIGEST"]
[[job]]
partitions = "b"
command = ["touch", "x"]
"#;

fn slow(line: &str) -> Place {
    let digest = "echo '{\\\"partition\\\": \\\"a\\\", \\\"digest\\\": \\\"'$(cat \\\"$DATABUILD_JOBS/source\\\")'\\\"}'";
    let place = Place::with_jobs(&SLOW.replace("DIGEST", digest).replace("LINE", line));
    place.write("source", "1");
    place
}

#[test]
fn a_run_that_misses_something_does_not_run_to_its_end() {
    let place = slow("input");
    let child = place.spawn(&["run", "--jobs", "jobs.toml", "want", "slow"]);
    wait_until("it runs a second time", || {
        place.path("runs").exists() && place.read("runs").lines().count() == 2
    });
    // Both were known after the first run.
    assert!(place.path("out/data/a").exists() && place.path("out/data/b").exists());
    signal(child.id(), "-INT");
    child.wait_with_output().expect("it ends");
    place.write("quick", "");
    assert_eq!(place.run(&["slow"]).success().counts(), (1, 2));
}

#[test]
fn a_run_whose_input_goes_stale_is_ended_and_repeated() {
    for line in ["input", "read"] {
        let place = slow(line);
        place.run(&["a", "b"]).success();
        let daemon = Daemon::start(&place);
        let wanted = place.spawn(&["run", "want", "slow"]);
        place.wait_for("there");
        place.write("quick", "");
        place.write("source", "2");
        // The daemon looks at the sources when something is wanted.
        place.databuild(&["run", "want", "b"]).success();
        Seen::of(wanted.wait_with_output().expect("it ends")).success();
        assert_eq!(place.read("out/data/a/x"), "2");
        assert_eq!(place.read("runs").lines().count(), 2);
        assert!(!place.path("over").exists(), "the first run was ended");
        drop(daemon);
    }
}

#[test]
fn what_is_kept_does_not_wait_for_what_it_had_only_read() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "top"
command = ["sh", "-c", '''
    echo top >> "$DATABUILD_JOBS/runs"
    if [ -d "$DATABUILD_DATA/in/made-from" ]; then
        echo '{"input": "in/made-from"}'; echo '{"read": "in/only-read"}'
    else
        echo '{"missed": "in/made-from"}'; echo '{"missed": "in/only-read"}'
    fi
''']
[[job]]
partitions = "in/*"
command = ["sh", "-c", '''
    echo $PARTITION >> "$DATABUILD_JOBS/runs"
    sh "$DATABUILD_JOBS/digest.sh" $PARTITION
    echo same > x
''']
digest = ["sh", "$DATABUILD_JOBS/digest.sh"]
"#,
    );
    place.write(
        "digest.sh",
        "for p in \"$@\"; do echo \"{\\\"partition\\\": \\\"$p\\\", \\\"digest\\\": \\\"$(cat \"$DATABUILD_JOBS/source\")\\\"}\"; done\n",
    );
    place.write("source", "1");
    place.run(&["top"]).success();
    runs(&place);
    place.write("source", "2");
    place.run(&["top"]).success();
    assert_eq!(runs(&place), counted(&[("in/made-from", 1)]));
}
