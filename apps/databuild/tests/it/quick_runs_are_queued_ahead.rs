//! Runs that are queued before there is room for their processes, because the runs before them are expected to end in a moment. How single
//! ones start and end is tested with the engine (`src/work/tests.rs`).

use crate::daemon::Daemon;
use crate::support::{Place, signal, wait_until};

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
        let args = ["run", "--jobs", "jobs.toml", "--jobs-max", jobs_max];
        let seen = place.databuild(&[&args[..], &["want", "a/{1..80}"]].concat());
        assert_eq!(seen.success().counts(), (80, 0));
    }
}

#[test]
fn with_fail_fast_none_begins_after_a_failure() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'p/*'\ncommand = ['sh', '-c', '[ $PARTITION != p/40 ]']\n",
    );
    let args = [
        "run",
        "--jobs",
        "jobs.toml",
        "--jobs-max",
        "1",
        "--fail-fast",
    ];
    let seen = place.databuild(&[&args[..], &["want", "p/{1..80}"]].concat());
    seen.refused(&["p/40 failed:"]);
    let log = place.log();
    let (_, after) = log.split_once("JobFailed {").expect("it has failed");
    assert!(!after.contains("JobQueued") && !after.contains("JobStarted"));
    assert!(place.path("out/data/p/39").is_dir());
}

#[test]
fn none_begins_while_a_daemon_ends() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "p/*"
command = ["sh", "-c", '''
    touch "$DATABUILD_JOBS/there-${PARTITION#p/}"
    [ $PARTITION != p/5 ] || while [ -d "$DATABUILD_JOBS" ] && ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.02; done
''']
"#,
    );
    let first = Daemon::start_with_one_job(&place);
    let want = first.want(&["p/1", "p/2", "p/3", "p/4", "p/5", "p/6"]);
    place.wait_for("there-5");
    signal(first.pid(), "-TERM");
    wait_until("it is ending", || first.get("/healthz").0 == 503);
    place.write("leave", "");
    assert_eq!(first.wait().code, Some(0));
    assert!(!place.path("there-6").exists());
    // The next one builds what is wanted.
    let next = Daemon::start(&place);
    next.wait_for(&want, "Successful");
    assert!(place.path("there-6").exists());
}
