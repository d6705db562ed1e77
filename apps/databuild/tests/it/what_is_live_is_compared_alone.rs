//! A want of what is live is compared with what that is made from. All others are compared before something is built.

use crate::daemon::Daemon;
use crate::support::Place;

/// The digest of a source is that of its file. The command notes in `asked` which sources it is asked about. `report` is made from
/// `source/a`, and from the source that this names. `other/*` and `source/*` are enough others.
const JOBS: &str = r#"
[[job]]
partitions = "source/{name}"
command = ["sh", "-c", 'cp "$DATABUILD_JOBS/$FIELD_NAME" value; echo "{\"digest\": \"$(cat value)\"}"']
digest = ["sh", "-c", '''
    for name; do
        echo "$name" >> "$DATABUILD_JOBS/asked"
        echo "{\"partition\": \"$name\", \"digest\": \"$(cat "$DATABUILD_JOBS/${name#source/}")\"}"
    done
''', "digest"]
[[job]]
partitions = "report"
command = ["sh", "-c", '''
    echo '{"input": "source/a"}'
    also=$(cat "$DATABUILD_DATA/source/a/value")
    if [ "$also" != none ]; then
        echo "{\"input\": \"source/$also\"}"
        cp "$DATABUILD_DATA/source/$also/value" value
    fi
''']
[[job]]
partitions = "other/*"
command = ["true"]
"#;

const SOURCES: [&str; 3] = ["source/a", "source/b", "source/c"];

const ALL: [&str; 12] = [
    "source/a", "source/b", "source/c", "report", "other/1", "other/2", "other/3", "other/4",
    "other/5", "other/6", "other/7", "other/8",
];

fn place() -> Place {
    let place = Place::with_jobs(JOBS);
    place.write("a", "none");
    place.write("b", "old");
    place.write("c", "old");
    place.write("asked", "");
    place
}

/// The sources that were asked about since the last call.
fn asked(place: &Place) -> Vec<String> {
    let mut all: Vec<String> = place.read("asked").lines().map(str::to_owned).collect();
    place.write("asked", "");
    all.sort();
    all.dedup();
    all
}

#[test]
fn by_a_run_without_a_daemon() {
    let place = place();
    place.run(&SOURCES).success();
    place.run(&ALL).success();
    asked(&place);
    // `source/b` has changed, and `report` is not made from it.
    place.write("b", "new");
    assert_eq!(place.run(&["report"]).success().counts(), (0, 2));
    assert_eq!(asked(&place), ["source/a"]);
    assert!(!place.status().contains("Stale"), "{}", place.status());
    // Now it is.
    place.write("a", "b");
    place.run(&["report"]).success();
    assert_eq!(asked(&place), SOURCES);
    assert_eq!(place.read("out/data/report/value"), "new");
    // Most of them are compared with all.
    place.run(&ALL).success();
    assert_eq!(asked(&place), SOURCES);
}

#[test]
fn data_that_is_gone_is_seen() {
    let place = place();
    place.run(&SOURCES).success();
    place.run(&ALL).success();
    place.write("b", "new");
    place.write("a", "b");
    std::fs::remove_dir_all(place.path("out/data/report")).unwrap();
    place.run(&["report"]).success();
    assert_eq!(place.read("out/data/report/value"), "new");
}

#[test]
fn by_a_daemon() {
    let place = place();
    let daemon = Daemon::start(&place);
    let want = |refs: &[&str]| {
        let want = daemon.want(refs);
        daemon.wait_for(&want, "Successful");
    };
    want(&SOURCES);
    want(&ALL);
    asked(&place);
    place.write("b", "new");
    want(&["report"]);
    assert_eq!(asked(&place), ["source/a"]);
    assert_eq!(daemon.get("/api/partitions/source/b").1["state"], "Live");
    place.write("a", "b");
    want(&["report"]);
    assert_eq!(asked(&place), SOURCES);
    assert_eq!(place.read("out/data/report/value"), "new");
    place.write("c", "newer");
    place.write("a", "c");
    std::fs::remove_dir_all(place.path("out/data/report")).unwrap();
    want(&["report"]);
    assert_eq!(place.read("out/data/report/value"), "newer");
}
