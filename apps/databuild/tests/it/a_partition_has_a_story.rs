//! `databuild history` says what happened to a partition, on the command line and over HTTP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::support::Place;

const JOBS: &str = r#"
[[job]]
partitions = "votes/*"
command = ["sh", "-c", '''
    d=$(cat "$DATABUILD_JOBS/source"); echo "{\"digest\": \"$d\"}"; echo "${d%% *}" > x
''']
digest = ["sh", "-c", '''
    for p in "$@"; do echo "{\"partition\": \"$p\", \"digest\": \"$(cat "$DATABUILD_JOBS/source")\"}"; done
''', "digest"]
[[job]]
partitions = "report"
command = ["sh", "-c", '''
    for i in 1 2; do
        if [ -d "$DATABUILD_DATA/votes/$i" ]; then echo "{\"input\": \"votes/$i\"}"; else echo "{\"missed\": \"votes/$i\"}"; fi
    done
    ! [ -e "$DATABUILD_JOBS/broken" ]
''']
"#;

/// The story of a partition, with the durations and times left out.
fn story(place: &Place, args: &[&str]) -> Vec<String> {
    let all = [&["history"], args].concat();
    let text = place.databuild(&all).success().stdout;
    let lines = text.lines().map(|line| {
        let line = line.trim_start().splitn(3, ' ').nth(2).unwrap_or(line);
        let parts: Vec<&str> = line.split(", ").collect();
        let is_time =
            |part: &&str| part.starts_with(|c: char| c.is_ascii_digit()) && part.contains('s');
        let took = parts.iter().position(is_time);
        let Some(took) = took else {
            return line.to_owned();
        };
        let mut parts: Vec<String> = parts.into_iter().map(str::to_owned).collect();
        let rest = parts[took]
            .find([':', '\u{2192}'])
            .map(|at| parts[took][at..].to_owned());
        match rest {
            Some(rest) if rest.starts_with(':') => parts[took] = format!("TIME{rest}"),
            Some(rest) => parts[took] = format!("TIME {rest}"),
            None => "TIME".clone_into(&mut parts[took]),
        }
        parts.join(", ")
    });
    lines.collect()
}

#[test]
fn from_its_first_want_to_its_last_version() {
    let place = Place::with_jobs(JOBS);
    place.write("source", "one");
    place.run(&["report"]).success();
    place.write("source", "one again");
    place.run(&["report"]).success();
    place.write("source", "two");
    place.write("broken", "");
    place.run(&["report"]);
    assert_eq!(
        story(&place, &["votes/1"]),
        [
            "wanted for the first time",
            "run 1.1 builds it",
            "built by run 1.1, TIME, digest one \u{2192} read by report",
            "STALE, because its sources or its job have changed, digest one",
            "replaced by the next version",
            "#2 to be built again",
            "#2 run 4.1 builds it",
            "#2 built by run 4.1, TIME, digest one again",
            "#2 STALE, because its sources or its job have changed, digest one again",
            "#2 replaced by the next version",
            "#3 to be built again",
            "#3 run 6.1 builds it",
            "#3 built by run 6.1, TIME, digest two \u{2192} read by report",
        ]
    );
    let report = story(&place, &["report"]);
    assert_eq!(
        report,
        [
            "wanted for the first time",
            "run 0.1 builds it",
            "waits for what its run missed, run 0.1, TIME",
            "what it waited for is live",
            "run 3.1 builds it",
            "built by run 3.1, TIME",
            "STALE, because what it is made from has changed: votes/1, votes/2 went stale",
            "its inputs are built before it is known whether it is built again",
            "its check has ended",
            "live again, because nothing that it is made from has changed",
            "STALE, because what it is made from has changed: votes/1, votes/2 went stale",
            "its inputs are built before it is known whether it is built again",
            "its check has ended",
            "replaced by the next version",
            "#2 to be built again",
            "#2 run 8.1 builds it",
            "#2 FAILED, run 8.1, TIME: it ended with exit status 1",
        ]
    );
    place
        .databuild(&["history", "nowhere"])
        .refused(&["there is no partition nowhere in"]);

    // Over HTTP, the last step is the first. As of an earlier step, what came later has not happened.
    let daemon = Daemon::start(&place);
    let (status, answer) = daemon.get("/api/history/report?limit=3");
    assert_eq!((status, &answer["count"]), (200, &json!(report.len())));
    let entries = answer["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    let fields = |entry: &Value| -> BTreeMap<String, Value> {
        serde_json::from_value(entry.clone()).unwrap()
    };
    let last = fields(&entries[0]);
    assert_eq!(
        (&last["text"], &last["run"], &last["instance"]),
        (&json!("failed"), &json!("8.1"), &json!(2))
    );
    assert_eq!(last["because"], "it ended with exit status 1");
    assert!(last["seconds"].as_f64().unwrap() > 0.0);
    let (_, votes) = daemon.get("/api/history/votes/1");
    let built = votes["entries"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .find(|one| one["text"] == "built")
        .unwrap();
    assert_eq!(
        (&built["read_by"], &built["digest"]),
        (&json!(["report"]), &json!("one"))
    );
    let then = format!("/api/history/votes/1?at={}", built["seq"]);
    let (_, then) = daemon.get(&then);
    assert_eq!(then["entries"][0]["read_by"], json!([]));
    assert_eq!(then["count"], 3);
}

#[test]
fn of_many_versions_the_last_ones_unless_full() {
    let place = Place::with_jobs(JOBS);
    for version in 0..9 {
        place.write("source", &version.to_string());
        place.run(&["votes/1"]).success();
    }
    let short = story(&place, &["votes/1"]);
    assert_eq!(short.len(), 41, "{short:#?}");
    let all = story(&place, &["votes/1", "--full"]);
    assert_eq!(all.len(), 3 + 8 * 5);
    assert_eq!(short[1..], all[3..]);
    let text = place.databuild(&["history", "votes/1"]).success().stdout;
    assert!(
        text.starts_with("3 earlier steps (shown by --full)\n"),
        "{text}"
    );
}
