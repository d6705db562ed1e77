//! `databuild run` where a daemon serves the directory, and a second daemon.

use std::process::Child;

use crate::daemon::{Daemon, JOBS, SERVE};
use crate::support::{Place, Seen, signal, wait_until};

fn spawn(place: &Place, refs: &[&str]) -> Child {
    place.spawn(&[&["run", "want"], refs].concat())
}

fn end(child: Child) -> Seen {
    Seen::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn wants_join_and_each_has_its_own_progress() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let first = spawn(&place, &["top/a"]);
    daemon.wait_for_run("slow/a");
    let second = spawn(&place, &["top/a", "top/b"]);
    daemon.wait_for_run("slow/b");
    place.write("leave", "");
    let (first, second) = (end(first).success(), end(second).success());
    assert_eq!(first.counts(), (2, 0));
    assert!(first.stdout.contains("data:   "), "{}", first.stdout);
    assert!(
        first
            .stderr
            .contains("live     slow/a\nstarted  top/a\nlive     top/a\n"),
        "{}",
        first.stderr
    );
    assert!(!first.stderr.contains("top/b"), "{}", first.stderr);
    assert_eq!(second.counts(), (4, 0));
    let third = place.run(&["top/a"]).success();
    assert_eq!(third.counts(), (0, 2));
    assert!(
        third.stdout.starts_with("everything is up to date\n"),
        "{}",
        third.stdout
    );
    // The other commands read the store beside the daemon.
    assert!(place.status().contains("partitions: 4 = 4 Live\n"));
    assert_eq!(daemon.end().code, Some(0));
    // Without the daemon, the store is used directly.
    assert_eq!(place.run(&["top/b"]).success().counts(), (0, 2));
}

#[test]
fn ctrl_c_cancels_the_want_of_its_caller_only() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (mine, other) = (spawn(&place, &["slow/a"]), spawn(&place, &["slow/b"]));
    daemon.wait_for_run("slow/a");
    daemon.wait_for_run("slow/b");
    signal(mine.id(), "-INT");
    let mine = end(mine);
    assert_eq!(mine.code, Some(130), "{mine:?}");
    assert!(mine.stderr.contains("the want was canceled"), "{mine:?}");
    let is_canceled = || daemon.get("/api/runs?state=Canceled").1["runs"][0]["label"] == "slow/a";
    wait_until("slow/a is canceled", is_canceled);
    place.write("leave", "");
    assert_eq!(end(other).success().counts(), (1, 0));
}

#[test]
fn failures_deadlines_and_commands_of_others() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let failed = place.databuild(&["run", "want", "needs-bad", "quick/1"]);
    let failed = failed.refused(&[
        "failed   bad\n",
        "bad failed:\n",
        "it is broken",
        "needs-bad is blocked by bad",
        "the want for needs-bad, quick/1 is UpstreamFailed",
    ]);
    assert_eq!(failed.counts(), (1, 0));
    place.write("mended", "");
    let retried = place.databuild(&["run", "retry", "--all"]).success();
    assert_eq!(retried.counts(), (1, 0));
    let late = place.databuild(&["run", "--deadline", "200ms", "want", "slow/a"]);
    late.refused(&["not everything was built within 200 ms; the rest was canceled"]);
    let waits = spawn(&place, &["slow/b"]);
    daemon.wait_for_run("slow/b");
    place.databuild(&["cancel", "slow/b"]).success();
    end(waits).refused(&["the want for slow/b is Canceled"]);
}

#[test]
fn what_contradicts_the_daemon_is_refused() {
    let place = Place::with_jobs(JOBS);
    place
        .databuild(&["run", "want", "quick/1"])
        .refused(&["no daemon serves", "--jobs"]);
    let daemon = Daemon::start(&place);
    let address = format!("http://{} (pid {}", daemon.address, daemon.pid());
    place
        .databuild(&SERVE)
        .refused(&["a daemon serves", &address]);
    place.write("other.toml", JOBS);
    let other = ["run", "--jobs", "other.toml", "want", "quick/1"];
    place
        .databuild(&other)
        .refused(&[&address, "leave out --jobs"]);
    let number = ["run", "--jobs-max", "2", "want", "quick/1"];
    place
        .databuild(&number)
        .refused(&[&address, "leave out --jobs-max"]);
    place
        .databuild(&["run", "want", "unknown"])
        .refused(&["no job in"]);

    let elsewhere = Place::with_jobs(JOBS);
    let same_port = ["serve", "--jobs", "jobs.toml", "--listen", &daemon.address];
    elsewhere
        .databuild(&same_port)
        .refused(&["cannot listen at", &daemon.address, "--listen"]);
    let nowhere = ["serve", "--jobs", "jobs.toml", "--listen", "nowhere"];
    elsewhere
        .databuild(&nowhere)
        .refused(&["`nowhere` is no address"]);
    assert!(!elsewhere.path("out").exists());
}

/// What a job declares is not wanted by a person, and the client says that its partition waits.
#[test]
fn a_partition_waits_for_declared_inputs() {
    let declared = "[[job]]\npartitions = 'declared'\ninputs = ['slow/a']\ncommand = ['true']\n";
    let place = Place::with_jobs(&format!("{JOBS}{declared}"));
    let daemon = Daemon::start(&place);
    let client = spawn(&place, &["declared"]);
    daemon.wait_for_run("slow/a");
    let (_, status) = daemon.get("/api/status");
    let open = status["open"].as_array().expect("a list");
    let names: Vec<_> = open
        .iter()
        .map(|want| &want["partitions"]["items"][0])
        .collect();
    assert_eq!(names, ["declared"], "{status}");
    let (_, all) = daemon.get("/api/wants?state=open");
    let asked = |want: &serde_json::Value| want["asked_for"].as_str().map(str::to_owned);
    let asked: Vec<_> = all["wants"]
        .as_array()
        .expect("a list")
        .iter()
        .map(asked)
        .collect();
    assert_eq!(asked, [None, Some("declared".to_owned())], "{all}");
    place.write("leave", "");
    let client = end(client).success();
    assert!(
        client.stderr.contains("waits    declared\n"),
        "{}",
        client.stderr
    );
}
