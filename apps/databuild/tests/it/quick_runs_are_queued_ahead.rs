//! Runs that are queued before there is room for their processes, because the runs before them are expected to end in a moment.

use std::path::Path;

use crate::support::{Place, Seen, signal, wait_until};

/// `p/5` waits for the file `leave`. Each leaves a file when it ends.
const P: &str = r#"
[[job]]
partitions = "p/*"
command = ["sh", "-c", '''
    touch "$DATABUILD_JOBS/there-${PARTITION#p/}"
    if [ $PARTITION = p/5 ]; then
        while [ -d "$DATABUILD_JOBS" ] && ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.02; done
    fi
    touch "$DATABUILD_JOBS/ended-${PARTITION#p/}"
''']
"#;

const ALONE: [&str; 6] = ["run", "--jobs", "jobs.toml", "--jobs-max", "1", "want"];

/// Waits until `p/5` runs and the next one is queued.
fn wait_for_next(place: &Place) {
    place.wait_for("there-5");
    wait_until("p/6 is queued", || {
        let status = place.databuild(&["status", "--json"]).success().stdout;
        let status: serde_json::Value = serde_json::from_str(&status).expect("it is JSON");
        let running = status["running"].as_array().expect("a list");
        let has = |name: &str, is_started: bool| {
            let mut running = running.iter().filter(|run| run["partition"] == name);
            running.any(|run| run["pid"].is_number() == is_started)
        };
        has("p/5", true) && has("p/6", false)
    });
}

#[test]
fn they_start_when_there_is_room() {
    let place = Place::with_jobs(P);
    let child = place.spawn(&[&ALONE[..], &["p/{1..9}"]].concat());
    wait_for_next(&place);
    assert!(!place.path("there-6").exists());
    place.write("leave", "");
    let seen = Seen::of(child.wait_with_output().expect("it ends")).success();
    assert_eq!(seen.counts(), (9, 0));
}

#[test]
fn they_are_canceled_with_their_want() {
    let place = Place::with_jobs(P);
    let child = place.spawn(&[&ALONE[..], &["p/{1..9}"]].concat());
    wait_for_next(&place);
    signal(child.id(), "-INT");
    let seen = Seen::of(child.wait_with_output().expect("it ends"));
    assert_eq!(seen.code, Some(130), "{seen:?}");
    let runs = place.databuild(&["runs"]).success().stdout;
    assert!(
        !runs.contains("Queued") && !runs.contains("Running"),
        "{runs}"
    );
    assert!(!place.path("ended-5").exists() && !place.path("ended-6").exists());
    // Nothing is left of them.
    place.write("leave", "");
    let seen = place
        .databuild(&[&ALONE[..], &["p/{1..9}"]].concat())
        .success();
    assert_eq!(seen.counts(), (5, 4));
}

#[test]
fn no_more_processes_run_at_a_time() {
    let alone = r#"
[pools]
alone = 1
[[job]]
partitions = "a/*"
command = ["sh", "-c", "mkdir \"$DATABUILD_JOBS/alone\" && rmdir \"$DATABUILD_JOBS/alone\""]
pool = "alone"
"#;
    let of_pool = Place::with_jobs(alone);
    let of_all = Place::with_jobs(&alone.replace("pool = \"alone\"", ""));
    for (place, jobs_max) in [(of_pool, "3"), (of_all, "1")] {
        let args = [
            "run",
            "--jobs",
            "jobs.toml",
            "--jobs-max",
            jobs_max,
            "want",
            "a/{1..80}",
        ];
        let seen = place.databuild(&args).success();
        assert_eq!(seen.counts(), (80, 0));
    }
}

#[test]
fn with_fail_fast_none_begins_after_a_failure() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'p/*'\ncommand = ['sh', '-c', '[ $PARTITION != p/40 ]']\n",
    );
    let seen = place.databuild(&[&["run", "--fail-fast"], &ALONE[1..], &["p/{1..80}"]].concat());
    seen.refused(&["p/40 failed:"]);
    let log = place.log();
    let (_, after) = log.split_once("JobFailed {").expect("it has failed");
    assert!(!after.contains("JobQueued") && !after.contains("JobStarted"));
    assert!(Path::new(&place.path("out/data/p/39")).is_dir());
}
