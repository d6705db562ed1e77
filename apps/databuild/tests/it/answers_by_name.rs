//! `status`, `why`, `lineage`, `runs` and `logs`.

use crate::support::Place;

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
        status.contains("failed: and 77 more (shown by --full)\n"),
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
        text.contains("  its digest, the version of its job or its data has changed\n"),
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
