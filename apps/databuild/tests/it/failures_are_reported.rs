//! Jobs that fail: the messages, the recorded states, and that the next run resumes.

use crate::support::Place;

/// `top` needs `good` and `bad`; the script of `bad` is a file.
const JOBS: &str = r#"
[[job]]
partitions = "top"
command = ["sh", "-c", '''
    for p in good bad; do
        if [ -d "$DATABUILD_DATA/$p" ]; then echo "{\"input\": \"$p\"}"; else echo "{\"missed\": \"$p\"}"; fi
    done
''']
[[job]]
partitions = "good"
command = ["true"]
[[job]]
partitions = "bad"
command = ["sh", "$DATABUILD_JOBS/bad.sh"]
"#;

fn with_bad(script: &str) -> Place {
    let place = Place::with_jobs(JOBS);
    place.write("bad.sh", script);
    place
}

#[test]
fn an_exit_status_fails_the_partition_and_what_waits_for_it() {
    let place = with_bad("echo 'the source is gone' >&2; exit 3");
    let seen = place.run(&["top"]).refused(&[
        "bad failed:\n    it ended with exit status 3\n    the source is gone\n",
        "top is blocked by bad",
        "databuild: not built: top",
    ]);
    assert_eq!(seen.counts(), (1, 0));
    let status = place.status();
    assert!(
        status.contains("partitions: 3 = 1 Live + 1 Failed + 1 UpstreamFailed"),
        "{status}"
    );
    assert!(
        status.contains("wants: 2 = 1 Failed + 1 UpstreamFailed"),
        "{status}"
    );
    assert!(
        status.contains("failed: bad: it ended with exit status 3"),
        "{status}"
    );
    assert!(
        place.log().contains("the source is gone"),
        "the end of stderr is in the log"
    );
    let kept = std::fs::read_dir(place.path("out/runs")).unwrap().count();
    assert_eq!(kept, 1, "the directory of the failed run is kept");

    place.write("bad.sh", "true");
    let retry = ["run", "--jobs", "jobs.toml", "retry", "top"];
    assert_eq!(place.databuild(&retry).success().counts(), (2, 1));
    assert_eq!(
        std::fs::read_dir(place.path("out/runs")).unwrap().count(),
        0
    );
}

#[test]
fn a_failed_partition_does_not_prevent_others_from_being_built() {
    let place = with_bad("exit 3");
    let args = ["run", "--jobs", "jobs.toml", "--jobs-max", "1", "want"];
    let seen = place.databuild(&[&args[..], &["bad", "good"]].concat());
    let seen = seen.refused(&["databuild: not built: bad\n"]);
    assert_eq!(seen.counts(), (1, 0));
}

/// A report of days, of which one fails.
const DAYS: &str = r#"
[[job]]
partitions = "report"
command = ["sh", "-c", '''
    for n in $(seq 60); do
        if [ -d "$DATABUILD_DATA/day/$n" ]; then echo "{\"input\": \"day/$n\"}"; else echo "{\"missed\": \"day/$n\"}"; fi
    done
''']
[[job]]
partitions = "day/*"
command = ["sh", "-c", "[ $PARTITION != day/30 ]"]
"#;

#[test]
fn all_days_but_the_one_that_fails_are_built() {
    let place = Place::with_jobs(DAYS);
    let seen = place.run(&["report"]).refused(&[
        "day/30 failed:\n    it ended with exit status 1\n",
        "report is blocked by day/30",
        "databuild: not built: report",
    ]);
    assert_eq!(seen.counts(), (59, 0));
    let status = place.status();
    assert!(
        status.contains("partitions: 61 = 59 Live + 1 Failed + 1 UpstreamFailed\n"),
        "{status}"
    );

    let place = Place::with_jobs(DAYS);
    let days: Vec<String> = (1..=60).map(|n| format!("day/{n}")).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    let seen = place
        .run(&days)
        .refused(&["databuild: not built: day/30\n"]);
    assert_eq!(seen.counts(), (59, 0));
}

#[test]
fn with_fail_fast_no_run_begins_after_a_failure() {
    // In the order of their names, or of the command line.
    for (refs, built) in [
        (&["report"][..], 23),
        (&["day/30", "day/31", "day/32", "day/33"], 0),
    ] {
        let place = Place::with_jobs(DAYS);
        let args = [
            "run",
            "--jobs",
            "jobs.toml",
            "--jobs-max",
            "1",
            "--fail-fast",
            "want",
        ];
        let seen = place.databuild(&[&args[..], refs].concat());
        let seen = seen.refused(&["day/30 failed:"]);
        assert_eq!(seen.counts(), (built, 0), "{refs:?}");
        assert_eq!(place.log().matches("JobFailed {").count(), 1);
    }
}

#[test]
fn every_kind_of_failure_has_its_message() {
    for (script, words) in [
        ("kill -SEGV $$", "it was ended by signal 11 (SIGSEGV)"),
        (
            "echo '{\"red\": \"good\"}'",
            "unexpected line on stdout: {\"red\": \"good\"}\n",
        ),
        (
            "echo '{\"missed\": \"no/job/makes/it\"}'",
            "it missed `no/job/makes/it`: no job in ",
        ),
        (
            "echo '{\"missed\": \"../up\"}'",
            "it missed `../up`: `../up` cannot be the name of a partition",
        ),
        (
            "echo '{\"missed\": \"top\"}'",
            "wait for each other in a cycle: bad -> top -> bad",
        ),
        (
            "echo '{\"missed\": \"bad\"}'",
            "a run cannot read or miss the partition that it builds",
        ),
        (
            "echo '{\"missed\": \"good\"}'",
            "it missed good, which was live when it began",
        ),
    ] {
        let place = with_bad(script);
        // `good` is built first.
        place.run(&["good"]).success();
        let seen = place.run(&["top"]);
        assert_eq!(seen.code, Some(1), "{script}");
        // Each line of a reason is indented.
        let flat = seen.stderr.replace("\n    ", "\n");
        assert!(flat.contains(words), "{script}: {}", seen.stderr);
    }
}

#[test]
fn a_run_that_removes_its_directory_has_failed_and_the_others_go_on() {
    let place = with_bad("rm -rf \"$DATABUILD_OUT\"");
    place.run(&["top", "good"]).refused(&[
        "bad failed:\n    cannot list its output: ",
        "databuild: not built: top",
    ]);
    place.write("bad.sh", "true");
    assert_eq!(place.run(&["top"]).success().counts(), (2, 1));
}

#[test]
fn the_log_has_one_line_for_each_event_whatever_a_job_prints() {
    let place = with_bad("printf 'one\\ntwo\\033[31m\\n' >&2; exit 1");
    place.run(&["top"]).refused(&["    one\n    two"]);
    let log = place.log();
    assert!(log.lines().all(|l| l.contains(" => ")), "{log}");
    assert!(
        log.contains("status 1\\none\\ntwo") && !log.contains('\u{1b}'),
        "{log}"
    );
}

#[test]
fn a_missing_program_fails_its_partition() {
    let place = Place::with_jobs("[[job]]\npartitions = 'a'\ncommand = ['/nonexistent/program']\n");
    place
        .run(&["a"])
        .refused(&["a failed:", "cannot start `/nonexistent/program`"]);
}

#[test]
fn a_job_that_cannot_be_started_makes_room_for_others() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['/nonexistent/program']\n\
         [[job]]\npartitions = 'b'\ncommand = ['true']\n",
    );
    let args = ["--jobs", "jobs.toml", "--jobs-max", "1", "want", "a", "b"];
    let seen = place.databuild(&[&["run"], &args[..]].concat());
    let seen = seen.refused(&["a failed:", "databuild: not built: a\n"]);
    assert_eq!(seen.counts(), (1, 0));
}

#[test]
fn a_partition_that_is_read_and_not_live_counts_as_missed() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['echo', '{\"input\": \"b\"}']\n\
         [[job]]\npartitions = 'b'\ncommand = ['true']\n",
    );
    assert_eq!(place.run(&["a"]).success().counts(), (2, 0));
    assert!(place.log().contains("DepMissed {"));
}
