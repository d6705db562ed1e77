//! `log` and `status` of a store that a running databuild writes, and of a missing one.

use crate::support::{Place, Seen};

#[test]
fn while_a_job_runs() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\n\
         command = ['sh', '-c', 'touch \"$DATABUILD_JOBS/there\"; while [ -e \"$DATABUILD_JOBS/jobs.toml\" ] && ! [ -e \"$DATABUILD_JOBS/leave\" ]; do sleep 0.02; done']\n",
    );
    let child = place.spawn(&["run", "--jobs", "jobs.toml", "want", "a"]);
    place.wait_for("there");
    let status = place.status();
    for line in [
        "partitions: 1 = 1 Building",
        "runs: 1 = 1 ",
        "wants: 1 = 1 Building",
        "wanted: a",
    ] {
        assert!(status.contains(line), "{status}");
    }
    let log = place.log();
    assert!(
        log.contains("WantCreated { partitions: [\"a\"], source: \"command line\", comment: \"\", priority: 0, deadline: null, sla: null } => create PartitionRef \"a\" in New;"),
        "{log}"
    );
    // Immediate events are indented.
    assert!(
        log.contains("   WantIdle { want: Want/0.1 } => move Want/0.1 New -> Idle"),
        "{log}"
    );
    assert!(
        log.lines().all(|l| l.contains(" => ")),
        "one line each: {log}"
    );
    place
        .run(&["a"])
        .refused(&["another databuild is running in"]);
    place.write("leave", "");
    assert_eq!(
        Seen::of(child.wait_with_output().unwrap())
            .success()
            .counts(),
        (1, 0)
    );
    assert!(place.log().starts_with(&log), "the log only grows");
}

#[test]
fn a_missing_store_is_an_error() {
    let place = Place::new();
    for what in ["log", "status"] {
        place
            .databuild(&[what])
            .refused(&["there is no store in", "--dir"]);
    }
    assert!(!place.path("out").exists());
}

#[test]
fn a_closed_stdout_is_no_error() {
    let place = Place::with_workspace();
    place.demo().success();
    let script = "\"$0\" log --dir out | head -n 1; \"$0\" status --dir out | true";
    let mut sh = std::process::Command::new("sh");
    sh.args(["-c", script, env!("CARGO_BIN_EXE_databuild")])
        .current_dir(place.path(""));
    let seen = Seen::of(sh.output().unwrap()).success();
    assert_eq!((seen.stdout.lines().count(), seen.stderr.as_str()), (1, ""));
}
