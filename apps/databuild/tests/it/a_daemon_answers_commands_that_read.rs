//! The commands that only read, where a daemon serves the directory and where none does.

use crate::daemon::{Daemon, JOBS};
use crate::support::{Place, signal, wait_until};

/// The commands, each with words of what it prints.
const COMMANDS: &[(&[&str], &str)] = &[
    (
        &["status"],
        "partitions: 4 = 2 Live + 1 Failed + 1 UpstreamFailed\n",
    ),
    (&["status", "--json"], "\"waiting\""),
    (&["why", "bad"], "it is broken"),
    (&["lineage", "top/a"], "\n  slow/a Live\n"),
    (&["lineage", "slow/a", "--down"], "\n  top/a Live\n"),
    (&["runs"], "  slow/a\n"),
    (
        &["runs", "--of", "top/*", "--slowest", "--full"],
        "  top/a\n",
    ),
    (&["logs", "bad"], "it is broken\n"),
    (&["as-of", "1", "status"], "partitions: 2 = 2 Missing\n"),
    (&["diff", "1"], "partitions: 4 changed\n"),
    (&["history", "top/a"], " built by run "),
    (&["history", "top/a", "--facts"], "JobSucceeded: "),
    (&["what-if", "want", "quick/1"], "the want would be "),
    (&["plan", "want", "quick/1"], "1 to build: "),
    (&["plan", "change", "slow/a", "--json"], "\"critical_path\""),
];

/// The commands that name what is not there, each with words of its error.
const REFUSED: &[(&[&str], &str)] = &[
    (&["why", "nowhere"], "there is no partition nowhere in "),
    (&["lineage", "nowhere"], "there is no partition nowhere in "),
    (&["history", "nowhere"], "there is no partition nowhere in "),
    (
        &["history", "nowhere", "--facts"],
        "there is no partition nowhere in ",
    ),
    (&["logs", "nowhere"], "there is no run nowhere in "),
    (&["runs", "--of", "{"], "not closed"),
    (&["as-of", "99", "status"], "there is no step 99"),
    (&["diff", "tomorrow"], "is no point in the past"),
    (
        &["what-if", "want", ".."],
        "cannot be the name of a partition",
    ),
    (&["plan", "want", "nowhere"], "no job"),
    (
        &["model", "--svg", "x.svg", "--entity", "Job"],
        "there is no type `Job`",
    ),
];

/// The number of requests that the daemon has answered.
fn answered(daemon: &Daemon) -> u64 {
    let (_, _, metrics) = daemon.exchange("GET /metrics", "", "");
    let of_class = metrics.lines().filter_map(|line| {
        let count = line.strip_prefix("databuild_http_responses_total{")?;
        count.split(' ').nth(1)?.parse::<u64>().ok()
    });
    of_class.sum()
}

/// Runs a command where the daemon has to answer it, beside the check whether it is one and the count itself.
#[track_caller]
fn asked<T>(daemon: &Daemon, what: &[&str], run: impl FnOnce() -> T) -> T {
    let before = answered(daemon);
    let seen = run();
    assert!(
        answered(daemon) >= before + 3,
        "{what:?}: the daemon was not asked"
    );
    seen
}

#[test]
fn both_print_the_same() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    place.write("leave", "");
    let want = daemon.want(&["top/a", "needs-bad"]);
    daemon.wait_for(&want, "UpstreamFailed");
    let of_daemon: Vec<_> = COMMANDS
        .iter()
        .map(|(command, words)| {
            let seen = asked(&daemon, command, || place.databuild(command)).success();
            assert!(seen.stdout.contains(words), "{command:?}: {}", seen.stdout);
            seen.stdout
        })
        .collect();
    for (command, words) in REFUSED {
        asked(&daemon, command, || place.databuild(command)).refused(&[words]);
    }
    let model = ["model", "--svg", "of_daemon.svg"];
    asked(&daemon, &model, || place.databuild(&model)).success();
    assert_eq!(daemon.end().code, Some(0));

    for ((command, _), of_daemon) in COMMANDS.iter().zip(of_daemon) {
        let command = match command[0] {
            // Without a daemon, a plan needs the jobs file.
            "plan" => [
                &command[..1],
                &["--jobs", "jobs.toml", "--jobs-max", "4"],
                &command[1..],
            ]
            .concat(),
            _ => command.to_vec(),
        };
        let of_daemon = of_daemon
            .replace("a databuild is running", "no databuild is running")
            .replace("\"is_running\": true", "\"is_running\": false");
        let seen = place.databuild(&command).success();
        assert_eq!(seen.stdout, of_daemon, "{command:?}");
    }
    for (command, words) in REFUSED.iter().filter(|(command, _)| command[0] != "plan") {
        place.databuild(command).refused(&[words]);
    }
    place
        .databuild(&["model", "--svg", "of_store.svg"])
        .success();
    assert_eq!(place.read("of_store.svg"), place.read("of_daemon.svg"));
}

#[test]
fn a_daemon_that_does_not_answer_is_not_needed() {
    let place = Place::with_jobs(JOBS);
    place.write("token", "0123456789abcdef0123\n");
    let daemon = Daemon::start_with(&place, &["--token-file", "token"]);
    assert_eq!(place.run(&["quick/1"]).success().counts(), (1, 0));
    // It may not read the token any more.
    std::fs::rename(place.path("token"), place.path("elsewhere")).expect("it is moved");
    assert!(place.status().contains("1 = 1 Live\n"));
    std::fs::rename(place.path("elsewhere"), place.path("token")).expect("it is moved");
    // It is stopped, so that it answers nothing.
    signal(daemon.pid(), "-STOP");
    assert!(place.status().ends_with("a databuild is running\n"));
    signal(daemon.pid(), "-CONT");
    // It was killed, and left its file.
    daemon.kill();
    assert!(place.path("out/daemon.json").exists());
    assert!(place.status().ends_with("no databuild is running\n"));
}

#[test]
fn the_output_of_a_run_is_followed_until_it_ends() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'slow'\ncommand = ['sh', '-c', 'echo begun >&2; while ! [ -e \"$DATABUILD_JOBS/leave\" ]; do sleep 0.02; done; echo done >&2']\n",
    );
    let daemon = Daemon::start(&place);
    daemon.want(&["slow"]);
    daemon.wait_for_run("slow");
    let follow = place.spawn(&["logs", "-f", "slow"]);
    let before = answered(&daemon);
    wait_until("it asks the daemon", || answered(&daemon) > before + 20);
    place.write("leave", "");
    let seen = crate::support::Seen::of(follow.wait_with_output().expect("it ends")).success();
    assert_eq!(seen.stdout, "begun\ndone\n");
}

#[test]
fn a_plan_by_other_jobs_is_made_without_the_daemon() {
    let place = Place::with_jobs(JOBS);
    let daemon = Daemon::start(&place);
    place.write(
        "other.toml",
        "[[job]]\npartitions = 'new'\ncommand = ['true']\n",
    );
    let plan = ["plan", "want", "new"];
    asked(&daemon, &plan, || place.databuild(&plan)).refused(&["no job"]);
    for more in [
        &["--jobs", "other.toml"][..],
        &["--jobs", "other.toml", "--jobs-max", "1"],
    ] {
        let seen = place.databuild(&[&plan[..], more].concat()).success();
        assert!(seen.stdout.contains("1 to build"), "{}", seen.stdout);
    }
    // These are the jobs of the daemon.
    let plan = ["plan", "--jobs", "jobs.toml", "want", "quick/1"];
    asked(&daemon, &plan, || place.databuild(&plan)).success();
    // It would run another number of them at a time.
    let plan = [
        "plan",
        "--jobs-max",
        "1",
        "--jobs",
        "jobs.toml",
        "want",
        "quick/1",
    ];
    let seen = place.databuild(&plan).success();
    assert!(seen.stdout.contains("1 job at a time"), "{}", seen.stdout);
}
