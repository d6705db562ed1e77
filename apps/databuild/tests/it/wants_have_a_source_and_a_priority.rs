//! Wants say who they are from, what they are for, and how urgent they are.

use serde_json::{Value, json};

use crate::daemon::{Daemon, JOBS};
use crate::support::{Place, Seen, signal, wait_until};

#[test]
fn a_run_without_a_daemon_leaves_the_wants_of_a_daemon_alone() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    let body = json!({"refs": ["top/a"], "comment": "nightly", "priority": 2});
    let (status, want) = daemon.post("/api/wants", &body);
    assert_eq!(status, 201, "{want}");
    let described = |want: &Value| {
        let of = |field: &str| want[field].clone();
        (of("source"), of("comment"), of("priority"))
    };
    let expected = (json!("daemon"), json!("nightly"), json!(2));
    assert_eq!(described(&want), expected);
    place.wait_for("there-a");
    signal(daemon.pid(), "-KILL");
    drop(daemon);
    wait_until("it is killed", || {
        place
            .status()
            .contains("wanted: top/a (daemon, priority 2, nightly)")
    });
    // A run builds what its caller wants, and nothing else.
    std::fs::remove_file(place.path("there-a")).expect("a file");
    let seen = place.run(&["quick/1"]).success();
    assert_eq!(seen.counts(), (1, 0));
    assert!(!place.path("there-a").exists());
    let status = place.databuild(&["status", "--json"]).success().stdout;
    let status: Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(described(&status["wanted"][0]), expected);
    let why = place.databuild(&["why", "top/a"]).success().stdout;
    assert!(why.contains("needed by want 0 (daemon)"), "{why}");
    // The next daemon goes on with it.
    let daemon = Daemon::start(&place);
    place.write("leave", "");
    wait_until("it is built", || place.path("out/data/top/a").exists());
    drop(daemon);
}

#[test]
fn the_leftovers_of_a_command_line_are_not_those_of_a_daemon() {
    let place = Place::with_jobs(JOBS);
    let args = [
        "run",
        "--jobs",
        "jobs.toml",
        "--comment",
        "by hand",
        "want",
        "top/a",
    ];
    let child = place.spawn(&args);
    place.wait_for("there-a");
    wait_until("it is recorded", || {
        place.status().contains("wanted: top/a (by hand)")
    });
    signal(child.id(), "-KILL");
    Seen::of(child.wait_with_output().expect("it ends"));
    place.run(&["quick/1"]).success();
    assert!(!place.status().contains("wanted: "));
}

#[test]
fn what_is_urgent_is_built_first() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = '**'\ncommand = ['sh', '-c', 'echo $PARTITION >> \"$DATABUILD_JOBS/order\"; [ $PARTITION != first ] || { touch \"$DATABUILD_JOBS/there\"; while [ -e \"$DATABUILD_JOBS/jobs.toml\" ] && ! [ -e \"$DATABUILD_JOBS/leave\" ]; do sleep 0.02; done; }']\n\
         pool = 'one'\n[pools]\none = 1\n",
    );
    let daemon = Daemon::start(&place);
    let want = |refs: &[String], priority: i32| {
        let body = json!({"refs": refs, "priority": priority});
        let (status, want) = daemon.post("/api/wants", &body);
        assert_eq!(status, 201, "{want}");
    };
    want(&["first".to_owned()], 0);
    place.wait_for("there");
    let large: Vec<String> = (10..40).map(|i| format!("large/{i}")).collect();
    want(&large, 0);
    want(&["small/1".to_owned(), "small/2".to_owned()], 0);
    want(&["urgent".to_owned()], 1);
    want(&["later".to_owned()], -7);
    place.write("leave", "");
    wait_until("all are built", || {
        place.read("order").lines().count() == 35
    });
    let order = place.read("order");
    let order: Vec<&str> = order.lines().collect();
    assert_eq!(
        order[..6],
        [
            "first", "urgent", "large/10", "small/1", "large/11", "small/2"
        ]
    );
    assert_eq!(order[34], "later");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::with_jobs(JOBS);
    for (args, words) in [
        (
            ["--priority", "high"],
            "invalid value 'high' for '--priority <N>'",
        ),
        (
            ["--comment", "two\nlines"],
            "is no comment: write one line of at most 200 bytes",
        ),
    ] {
        let run = ["run", "--jobs", "jobs.toml"];
        let seen = place.databuild(&[&run[..], &args, &["want", "quick/1"]].concat());
        assert_eq!(seen.code, Some(2));
        assert!(seen.stderr.contains(words), "{seen:?}");
    }
    let daemon = Daemon::start(&place);
    for (body, words) in [
        (json!({"refs": ["quick/1"], "priority": "high"}), "priority"),
        (
            json!({"refs": ["quick/1"], "priority": 3_000_000_000_u32}),
            "priority",
        ),
        (
            json!({"refs": ["quick/1"], "comment": "x".repeat(201)}),
            "is no comment",
        ),
        (
            json!({"refs": ["quick/1"], "prioritiy": 1}),
            "unknown field `prioritiy`",
        ),
    ] {
        let (status, answer) = daemon.post("/api/wants", &body);
        let error = answer["error"].as_str().expect("an error");
        assert!(
            (400..500).contains(&status) && error.contains(words),
            "{answer}"
        );
    }
}
