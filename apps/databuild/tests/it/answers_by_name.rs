//! `status`, `why`, `lineage`, `runs` and `logs`.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::daemon::{self, Daemon};
use crate::support::{Place, Seen};

/// A report of weeks of days, of which the day 5 fails.
const JOBS: &str = r#"
[[job]]
partitions = "report"
command = ["true"]
inputs = ["week/1", "week/2"]
[[job]]
partitions = "week/{n}"
command = ["sh", "-c", '''
    for d in $(seq $((4 * FIELD_N - 3)) $((4 * FIELD_N))); do
        if [ -d "$DATABUILD_DATA/day/$d" ]; then echo "{\"input\": \"day/$d\"}"; else echo "{\"missed\": \"day/$d\"}"; fi
    done
''']
[[job]]
partitions = "day/*"
command = ["sh", "-c", '''
    sh "$DATABUILD_JOBS/digest.sh" $PARTITION
    if [ $PARTITION = day/5 ]; then echo "no data of the 5th" >&2; exit 3; fi
''']
digest = ["sh", "$DATABUILD_JOBS/digest.sh"]
"#;

fn failed() -> Place {
    let place = Place::with_jobs(JOBS);
    place.write(
        "digest.sh",
        "for p in \"$@\"; do echo \"{\\\"partition\\\": \\\"$p\\\", \\\"digest\\\": \\\"$(cat \"$DATABUILD_JOBS/source\")\\\"}\"; done\n",
    );
    place.write("source", "1");
    place.run(&["report"]).refused(&["day/5 failed"]);
    place
}

fn said(place: &Place, args: &[&str]) -> String {
    place.databuild(args).success().stdout
}

#[test]
fn the_status_is_short_and_says_what_is_in_the_way() {
    let place = failed();
    let status = place.status();
    assert!(status.lines().count() <= 20, "{status}");
    for words in [
        "partitions: 11 = 8 Live + 1 Failed + 2 UpstreamFailed\n",
        "group: day/**: 8 = 7 Live + 1 Failed\n",
        "failed: day/5: it ended with exit status 3\n",
        "waiting: report \u{2190} week/2 \u{2190} day/5 FAILED: it ended with exit status 3\n",
        "no databuild is running\n",
    ] {
        assert!(status.contains(words), "no `{words}` in {status}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&said(&place, &["status", "--json"])).expect("JSON");
    assert_eq!(json["is_running"], false);
    assert_eq!(json["partitions"]["Live"], 8);
    assert_eq!(json["failed"][0]["partition"], "day/5");
    assert_eq!(json["waiting"][0][2]["partition"], "day/5");
    // Many failures and groups do not make it longer.
    let many = Place::with_jobs("[[job]]\npartitions = '**'\ncommand = ['false']\n");
    many.run(&["{1..9}/{1..9}"]).refused(&["more failed"]);
    let status = many.status();
    assert!(status.lines().count() <= 20, "{status}");
    assert!(
        status.contains("failed: and 78 more (shown by --full)\n"),
        "{status}"
    );
    assert!(said(&many, &["status", "--full"]).lines().count() > 81);
}

#[test]
fn why_a_partition_is_in_its_state() {
    let place = failed();
    for (of, words) in [
        (
            "report",
            &[
                "report is UpstreamFailed\n",
                "  report \u{2190} week/2 \u{2190} day/5 FAILED: it ended",
            ][..],
        ),
        (
            "day/5",
            &[
                "day/5 is Failed\n",
                " failed\n  it ended with exit status 3\n  no data of the 5th\n",
                "  all that the run wrote: ",
            ],
        ),
        (
            "week/1",
            &["week/1 is Live\n", ", from day/1, day/2, day/3, day/4\n"],
        ),
        ("day/1", &["from nothing that it reported"]),
    ] {
        let text = said(&place, &["why", of]);
        for word in words {
            assert!(text.contains(word), "no `{word}` in {text}");
        }
    }
    place
        .databuild(&["why", "day/9"])
        .refused(&["there is no partition day/9 in "]);
    // The data of one day has changed, and was built again.
    place.write("source", "2");
    place.run(&["day/2"]).success();
    let text = said(&place, &["why", "week/1"]);
    for words in [
        "week/1 is Stale\n",
        "  week/1 \u{2190} day/2, which was built again\n",
        "  week/1 \u{2190} day/1, which has changed\n",
        "no open want needs it",
    ] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let text = said(&place, &["why", "day/1"]);
    assert!(
        text.contains("  its digest, the version of its job or its data has changed, or its time to live is over\n"),
        "{text}"
    );
}

#[test]
fn the_lineage_of_a_partition() {
    let place = failed();
    assert_eq!(
        said(&place, &["lineage", "week/1"]),
        "week/1 Live\n  day/1 Live\n  day/2 Live\n  day/3 Live\n  day/4 Live\n"
    );
    assert_eq!(
        said(&place, &["lineage", "day/5", "--down"]),
        "day/5 Failed\n  week/2 UpstreamFailed\n    report UpstreamFailed\n"
    );
}

#[test]
fn runs_and_what_they_wrote() {
    let place = failed();
    let runs = said(&place, &["runs"]);
    // Two weeks asked for their days, one of them was built, and eight days.
    assert_eq!(runs.lines().count(), 11, "{runs}");
    let of_five = said(&place, &["runs", "--of", "day/5"]);
    let words: Vec<&str> = of_five.split_whitespace().collect();
    assert_eq!((words[1], words[4]), ("Failed", "day/5"), "{of_five}");
    assert_eq!(said(&place, &["runs", "--slowest"]).lines().count(), 11);
    assert_eq!(said(&place, &["logs", "day/5"]), "no data of the 5th\n");
    let number = words[0].split('.').next().expect("a number");
    assert_eq!(said(&place, &["logs", number]), "no data of the 5th\n");
    place
        .databuild(&["logs", "week/1"])
        .refused(&["nothing is kept of run "]);
    place
        .databuild(&["logs", "9999"])
        .refused(&["there is no run 9999 in "]);
}

#[test]
fn the_difference_of_two_steps_is_named() {
    let place = failed();
    let diff = said(&place, &["diff", "1"]);
    for words in [
        "from 1 (",
        "partitions: 11 changed\n",
        "  new, Live: 8: day/1, ",
        "  new, Failed: 1: day/5\n",
        "  Missing -> UpstreamFailed: 1: report\n",
    ] {
        assert!(diff.contains(words), "no `{words}` in {diff}");
    }
    // A partition that is in the same state as before, and was built again.
    let (_, last) = diff.split_once(" to ").expect("two steps");
    let last = last.split(' ').next().expect("a step").to_owned();
    place.write("source", "2");
    place.run(&["day/1"]).success();
    let again = said(&place, &["diff", &last]);
    assert!(
        again.contains("  Live, another instance: 1: day/1\n"),
        "{again}"
    );
    let same = said(&place, &["diff", "1", "1"]);
    assert!(
        same.ends_with("partitions: no changes\nruns: no changes\nwants: no changes\n"),
        "{same}"
    );
    (place.databuild(&["diff", "1", "2999-01-01"]))
        .refused(&["is in the future", "the log has the steps 1 ("]);
    (place.databuild(&["diff", "77777"])).refused(&["there is no step 77777"]);
    (place.databuild(&["diff", "yesterday"])).refused(&["`yesterday` is no point in the past"]);
}

#[test]
fn a_run_is_followed_until_it_has_ended() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "slow"
command = ["sh", "-c", '''
    echo first >&2
    while [ -e "$DATABUILD_JOBS/jobs.toml" ] && ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.02; done
    echo second
    echo third >&2
''']
"#,
    );
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["slow"]);
    daemon.wait_for_run("slow");
    let mut command = place.command(&["logs", "slow", "-f"]);
    let mut child = (command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn())
    .expect("it starts");
    // It does not end before the run does.
    let mut first = [0; 6];
    let stdout = child.stdout.as_mut().expect("it is piped");
    std::io::Read::read_exact(stdout, &mut first).expect("it writes");
    assert_eq!(&first, b"first\n");
    place.write("leave", "");
    daemon.wait_for(&want, "Successful");
    let seen = Seen::of(child.wait_with_output().expect("it ends")).success();
    assert!(
        seen.stdout.contains("second\n") && seen.stdout.contains("third\n"),
        "{}",
        seen.stdout
    );
    // Then it is printed at once, with the same lines.
    let all = said(&place, &["logs", "slow", "--follow"]);
    assert_eq!(all, "second\nfirst\nthird\n");
}

#[test]
fn what_waits_for_what_over_http() {
    let place = Place::with_jobs(daemon::JOBS);
    let daemon = Daemon::start(&place);
    let done = daemon.want(&["needs-bad"]);
    daemon.wait_for(&done, "UpstreamFailed");
    let want = daemon.want(&["quick/1", "top/a", "top/b"]);
    daemon.wait_for_run("slow/a");
    daemon.wait_for_run("slow/b");
    let names = |chain: &Value| -> Vec<String> {
        let links = chain["links"].as_array().unwrap().iter();
        links
            .map(|link| link["partition"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, status) = daemon.get("/api/status");
    let open = status["open"].as_array().unwrap();
    assert_eq!((open.len(), &open[0]["id"]), (1, &json!(want)));
    let of_want = open[0]["chains"].as_array().unwrap();
    assert_eq!(
        of_want.iter().map(names).collect::<Vec<_>>(),
        [["top/a", "slow/a"], ["top/b", "slow/b"]]
    );
    let run = of_want[0]["links"][1]["state"].as_str().unwrap();
    assert!(
        run.starts_with("run ") && run.ends_with(" builds it"),
        "{status:#}"
    );
    // Those of the whole store, which the command line prints.
    assert_eq!(status["waiting"]["count"], 3);
    let all = status["waiting"]["items"].as_array().unwrap();
    let is_failed = |chain: &&Value| names(chain) == ["needs-bad", "bad"];
    let failed = all.iter().find(is_failed).unwrap();
    assert_eq!(
        failed["links"][1]["state"],
        "FAILED: it ended with exit status 1"
    );
    assert_eq!(failed["left_out"], 0);
    let text = place.status();
    for chain in all {
        let end = chain["links"][1]["state"].as_str().unwrap();
        let line = format!("waiting: {} {end}\n", names(chain).join(" \u{2190} "));
        assert!(text.contains(&line), "no {line} in {text}");
    }
    // When it was wanted, nothing waited.
    let (_, then) = daemon.get("/api/status?at=1");
    assert_eq!(then["waiting"], json!({ "items": [], "count": 0 }));
}

#[test]
fn of_a_long_chain_both_ends_over_http() {
    let jobs = r#"
[[job]]
partitions = "n/{n}"
command = ["sh", "-c", "[ $FIELD_N != 30 ] && echo '{\"missed\": \"n/'$((FIELD_N + 1))'\"}'"]
"#;
    let place = Place::with_jobs(jobs);
    place.run(&["n/1"]);
    let daemon = Daemon::start(&place);
    let (_, status) = daemon.get("/api/status");
    let chain = &status["waiting"]["items"][0];
    let links = chain["links"].as_array().unwrap();
    assert_eq!((links.len(), &chain["left_out"]), (20, &json!(10)));
    assert_eq!(
        [9, 10, 19].map(|ix: usize| &links[ix]["partition"]),
        ["n/10", "n/21", "n/30"]
    );
}
