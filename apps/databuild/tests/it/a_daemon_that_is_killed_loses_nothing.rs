//! SIGKILL and SIGTERM in the middle of a build, and the file that a killed daemon leaves.

use crate::daemon::{Daemon, JOBS};
use crate::support::{Place, Seen, alive, signal, times_live, wait_until};

#[test]
fn its_wants_are_resumed_by_the_next_one() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (first, second) = (daemon.want(&["top/a"]), daemon.want(&["quick/1", "top/b"]));
    daemon.wait_for_run("slow/a");
    daemon.wait_for_run("slow/b");
    wait_until("the other run is recorded", || {
        daemon.get("/api/partitions/quick/1").1["state"] == "Live"
    });
    let orphan = place.read_line("there-a");
    daemon.kill();
    // Its file is no daemon: the store is used directly.
    assert!(place.path("out/daemon.json").exists());
    place.status();
    let daemon = Daemon::start(&place);
    // What the killed one had started does not run beside its successor.
    daemon.wait_for_run("slow/a");
    wait_until("it has another process", || {
        place.read_line("there-a") != orphan
    });
    wait_until("the orphan has ended", || !alive(&orphan));
    place.write("leave", "");
    daemon.wait_for(&first, "Successful");
    daemon.wait_for(&second, "Successful");
    let (_, lost) = daemon.get("/api/runs?state=Lost");
    assert_eq!(lost["runs"].as_array().map(Vec::len), Some(2), "{lost}");
    assert_eq!(daemon.end().code, Some(0));
    assert!(!place.path("out/daemon.json").exists());
    // Each was built once.
    let once = ["quick/1", "slow/a", "slow/b", "top/a", "top/b"];
    assert_eq!(
        times_live(&place.log()),
        once.map(|name| (name.to_owned(), 1))
    );
}

#[test]
fn the_file_of_a_killed_one_is_recognized() {
    let place = Place::with_jobs(JOBS);
    Daemon::start(&place).kill();
    let jobs = ["run", "--jobs", "jobs.toml", "want"];
    place
        .databuild(&[&jobs[..], &["quick/1"]].concat())
        .success();
    // Also while another databuild has the store, and another program listens at the port.
    let other = Place::with_jobs(JOBS);
    let listens = Daemon::start(&other);
    let address = serde_json::json!(listens.address);
    let stale = place.read("out/daemon.json");
    let mut stale: serde_json::Value = serde_json::from_str(&stale).expect("it is JSON");
    stale["address"] = address;
    place.write("out/daemon.json", &stale.to_string());
    let builds = place.spawn(&[&jobs[..], &["slow/a"]].concat());
    place.wait_for("there-a");
    place
        .databuild(&["run", "want", "quick/1"])
        .refused(&["no daemon serves"]);
    place.write("leave", "");
    Seen::of(builds.wait_with_output().expect("it ends")).success();
}

#[test]
fn sigterm_lets_runs_end_and_begins_no_more() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let want = daemon.want(&["top/a"]);
    let other = daemon.want(&["slow/b"]);
    daemon.wait_for_run("slow/a");
    daemon.wait_for_run("slow/b");
    signal(daemon.pid(), "-TERM");
    wait_until("it is ending", || daemon.get("/healthz").0 == 503);
    let (status, _) = daemon.post("/api/wants", &serde_json::json!({ "refs": ["quick/1"] }));
    assert_eq!(status, 503);
    // Reads are answered until it has ended.
    assert_eq!(daemon.state_of(&want), "UpstreamBuilding");
    place.write("leave-a", "");
    wait_until("slow/a is live", || {
        daemon.get("/api/partitions/slow/a").1["state"] == "Live"
    });
    place.write("leave-b", "");
    assert_eq!(daemon.wait().code, Some(0));
    // What waited for `slow/a` was not begun, although another run went on.
    let once = ["slow/a", "slow/b"];
    assert_eq!(
        times_live(&place.log()),
        once.map(|name| (name.to_owned(), 1))
    );
    let daemon = Daemon::start(&place);
    daemon.wait_for(&want, "Successful");
    assert_eq!(daemon.state_of(&other), "Successful");
}

#[test]
fn sigterm_ends_runs_after_the_grace_time() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start_with(&place, &["--grace", "50ms"]);
    let want = daemon.want(&["slow/a"]);
    daemon.wait_for_run("slow/a");
    let job = place.read_line("there-a");
    assert_eq!(daemon.end().code, Some(0));
    assert!(!alive(&job));
    assert!(place.status().contains("1 Lost"), "{}", place.status());
    place.write("leave", "");
    let daemon = Daemon::start(&place);
    daemon.wait_for(&want, "Successful");
}

#[test]
fn a_want_that_no_job_serves_any_more_fails_and_keeps_the_next_one_from_nothing() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let (gone, stays) = (daemon.want(&["slow/a"]), daemon.want(&["slow/b"]));
    daemon.wait_for_run("slow/a");
    daemon.kill();
    place.write("leave", "");
    place.edit(
        "jobs.toml",
        "partitions = \"slow/*\"",
        "partitions = \"slow/b\"",
    );
    let daemon = Daemon::start(&place);
    daemon.wait_for(&stays, "Successful");
    daemon.wait_for(&gone, "Failed");
    let (_, want) = daemon.get(&format!("/api/wants/{gone}"));
    let why = want["failed"]["items"][0]["reason"].as_str();
    assert!(why.is_some_and(|why| why.contains("no job in")), "{want}");
}

#[test]
fn secrets_of_a_run_that_is_ended_are_kept_nowhere() {
    // A variable that each test has.
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "a"
command = ["sh", "-c", '''
    echo "with $CARGO_PKG_NAME" >&2
    echo > "$DATABUILD_JOBS/there"
    while true; do sleep 0.02; done
''']
secrets = ["CARGO_PKG_NAME"]
"#,
    );
    let daemon = Daemon::start_with(&place, &["--grace", "0s"]);
    daemon.want(&["a"]);
    place.wait_for("there");
    assert_eq!(daemon.end().code, Some(0));
    let kept = place.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let text = std::fs::read_to_string(&kept[0]).expect("a text");
    assert_eq!(text, "with [CARGO_PKG_NAME]\n");
}
