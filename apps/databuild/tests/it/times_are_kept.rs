//! Times to live, deadlines and promised times, also beyond the process that has them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::daemon::{Daemon, JOBS};
use crate::support::{Place, signal, wait_until};

#[test]
fn a_partition_is_built_again_when_its_time_to_live_has_passed() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'page'\nttl = '2s'\ncommand = ['sh', '-c', 'echo x >> \"$DATABUILD_JOBS/ran\"; echo same > page']\n\
         [[job]]\npartitions = 'report'\ninputs = ['page']\ncommand = ['true']\n",
    );
    place.run(&["report"]).success();
    let why = place.databuild(&["why", "page"]).success().stdout;
    assert!(why.contains("its time to live ends at 2"), "{why}");
    // Until it passes nothing is built again.
    wait_until("it has passed", || {
        let seen = place.run(&["report"]).success();
        seen.counts() == (1, 1)
    });
    assert_eq!(place.read("ran").lines().count(), 2);
    let log = place.log();
    assert!(
        log.contains(" TtlPassed { partition: Partition \"page\" }"),
        "{log}"
    );
    let built = log.matches("JobSucceeded").count();
    assert_eq!(built, 3, "the report is kept");
}

#[test]
fn a_daemon_keeps_the_deadline_of_a_client_that_is_gone() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let args = ["run", "--deadline", "2s", "--sla", "1ms", "want", "top/a"];
    let mut client = place.spawn(&args);
    place.wait_for("there-a");
    let job = place.read_line("there-a");
    let wants = || daemon.get("/api/wants").1["wants"].clone();
    wait_until("it is late", || wants()[0]["late"] == true);
    let want = wants()[0].clone();
    assert_eq!(
        (&want["open"], &want["source"]),
        (&json!(true), &json!("daemon"))
    );
    assert!(want["sla"].as_str() < want["deadline"].as_str(), "{want}");
    let status = place.status();
    assert!(
        status.contains("wanted: top/a (daemon, LATE, promised for 2")
            && status.contains(", until 2"),
        "{status}"
    );
    let (status, _, metrics) = daemon.exchange("GET /metrics", "", "");
    assert!(
        status == 200 && metrics.contains("\ndatabuild_wants_late 1\n"),
        "{metrics}"
    );
    signal(client.id(), "-KILL");
    client.wait().expect("it ends");
    wait_until("it has expired", || wants()[0]["state"] == "Expired");
    wait_until("its run has ended", || !crate::support::alive(&job));
    let (_, status) = daemon.get("/api/status");
    assert_eq!(status["open"], json!([]));
}

#[test]
fn a_client_learns_that_its_want_has_expired() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let args = ["run", "--deadline", "500ms", "want", "top/a"];
    let seen = place.databuild(&args);
    seen.refused(&[
        "databuild: not everything was built within 500 ms; the rest was canceled",
        "the want for top/a is Expired",
    ]);
    drop(daemon);
}

#[test]
fn without_a_daemon_a_want_expires_too() {
    let place = Place::with_jobs(JOBS);
    let args = [
        "run",
        "--jobs",
        "jobs.toml",
        "--deadline",
        "500ms",
        "want",
        "top/a",
    ];
    place
        .databuild(&args)
        .refused(&["not everything was built within 500 ms", "not built: top/a"]);
    let status = place.status();
    assert!(status.contains("1 Expired"), "{status}");
}

#[test]
fn what_passes_while_no_daemon_runs_ends_when_the_next_one_starts() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let body = json!({"refs": ["top/a"], "deadline_seconds": 0.3});
    let (status, want) = daemon.post("/api/wants", &body);
    assert_eq!(status, 201, "{want}");
    daemon.kill();
    std::thread::sleep(Duration::from_millis(300));
    let daemon = Daemon::start(&place);
    let id = want["id"].as_str().expect("an id");
    daemon.wait_for(id, "Expired");
    drop(daemon);
}

#[test]
fn a_want_is_late_by_the_jobs_unless_it_says_another_time() {
    let place = Place::with_jobs(&JOBS.replacen("[[job]]\n", "[[job]]\nsla = '1h'\n", 1));
    let daemon = Daemon::start(&place);
    let want = |body: Value| {
        let (status, want) = daemon.post("/api/wants", &body);
        (status, want)
    };
    let first = JOBS.lines().find(|line| line.starts_with("partitions"));
    let pattern = first
        .and_then(|line| line.split('"').nth(1))
        .expect("a pattern");
    let name = pattern.replace('*', "x");
    let (_, by_job) = want(json!({"refs": [name]}));
    let (_, own) = want(json!({"refs": [name], "sla_seconds": 60}));
    let (_, none) = want(json!({"refs": ["quick/1"]}));
    assert!(
        own["sla"].as_str() < by_job["sla"].as_str(),
        "{own} {by_job}"
    );
    assert_eq!(
        (&none["sla"], &none["deadline"]),
        (&Value::Null, &Value::Null)
    );
    for wrong in [json!(-1), json!(1e300), json!("10m")] {
        let (status, answer) = want(json!({"refs": ["quick/1"], "deadline_seconds": wrong}));
        assert!((400..500).contains(&status), "{answer}");
    }
}

#[test]
fn what_is_no_time_is_refused() {
    let place = Place::with_jobs("[[job]]\npartitions = 'a'\nttl = 'soon'\ncommand = ['true']\n");
    place
        .run(&["a"])
        .refused(&["jobs.toml, line 3: `soon` is no duration"]);
}
