//! Ctrl-C, SIGKILL, and recovery afterwards. `cargo xtask demo-kill` does the same at random times.

use std::process::Child;

use crate::support::{Place, Seen, alive, signal, times_live, wait_until};

/// `slow` creates the file `there`, then waits for the file `leave`.
const SLOW: &str = r#"
[[job]]
partitions = "top"
command = ["sh", "-c", '''
    for p in quick slow; do
        if [ -d "$DATABUILD_DATA/$p" ]; then echo "{\"input\": \"$p\"}"; else echo "{\"missed\": \"$p\"}"; fi
    done
''']
[[job]]
partitions = "quick"
command = ["sh", "-c", "echo quick > x"]
[[job]]
partitions = "slow"
command = ["sh", "-c", '''
    echo $$ > "$DATABUILD_JOBS/there"
    while [ -e "$DATABUILD_JOBS/jobs.toml" ] && ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.02; done
    echo slow > x
    echo $$ >> "$DATABUILD_JOBS/done"
''']
"#;

/// Starts a databuild, and waits until `slow` runs and `quick` is built.
fn started(place: &Place) -> Child {
    let child = place.spawn(&[
        "run",
        "--jobs",
        "jobs.toml",
        "--jobs-max",
        "2",
        "want",
        "top",
    ]);
    place.wait_for("there");
    place.wait_for("out/data/quick/x");
    // The process may run before its start is recorded.
    wait_until("its start is recorded", || {
        place.status().contains("1 Running")
    });
    child
}

#[test]
fn an_orphan_of_a_killed_databuild_is_killed_by_the_next() {
    let place = Place::with_jobs(SLOW);
    let mut first = started(&place);
    let orphan = place.read_line("there");
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(alive(&orphan));
    assert!(place.status().contains("1 Running"));

    // The next databuild kills it, records that run as lost and starts another one.
    std::fs::remove_file(place.path("there")).unwrap();
    let second = place.spawn(&["run", "--jobs", "jobs.toml", "want", "top"]);
    place.wait_for("there");
    wait_until("the orphan has ended", || !alive(&orphan));
    place.write("leave", "");
    let seen = Seen::of(second.wait_with_output().unwrap()).success();
    assert_eq!(seen.counts(), (2, 1));
    assert!(
        seen.stderr
            .contains("of a databuild that was killed were still running, and were killed"),
        "{seen:?}"
    );
    assert_eq!(place.read("out/data/slow/x"), "slow\n");
    let log = place.log();
    assert_eq!(log.matches("RunLost {").count(), 1);
    assert!(times_live(&log).iter().all(|(_, n)| *n == 1), "{log}");
    assert_eq!(place.run(&["top"]).success().counts(), (0, 3));
}

#[test]
fn an_interrupt_ends_the_runs_and_is_recorded() {
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let place = Place::with_jobs(SLOW);
        let child = started(&place);
        signal(child.id(), name);
        let seen = Seen::of(child.wait_with_output().unwrap());
        assert_eq!(seen.code, Some(code), "{seen:?}");
        assert!(seen.stderr.contains("interrupted"), "{seen:?}");
        let job = place.read_line("there");
        wait_until("its runs have ended", || !alive(&job));
        let status = place.status();
        assert!(
            status.contains("1 Canceled") && status.contains("2 UpForRetry"),
            "{status}"
        );
        assert_eq!(
            std::fs::read_dir(place.path("out/runs")).unwrap().count(),
            0
        );
        place.write("leave", "");
        assert_eq!(place.run(&["top"]).success().counts(), (2, 1));
    }
}

#[test]
fn an_outstanding_rename_is_completed() {
    let place = Place::with_workspace();
    place.demo().success();
    let table = place.read("out/data/report/dependencies/dependencies.csv");
    // As if an earlier version had been killed between the record of a success and the rename.
    let log = place.log();
    for name in ["sloc/beta-1.2.3", "report/dependencies"] {
        let queued = log
            .lines()
            .rfind(|l| l.contains(&format!("JobQueued {{ label: \"{name}\"")))
            .unwrap();
        let run = queued
            .split("create JobRun/")
            .nth(1)
            .and_then(|s| s.split(' ').next())
            .unwrap();
        std::fs::rename(
            place.path(&format!("out/data/{name}")),
            place.path(&format!("out/runs/{run}")),
        )
        .unwrap();
    }
    assert_eq!(place.demo().success().counts(), (0, 17));
    assert_eq!(
        place.read("out/data/report/dependencies/dependencies.csv"),
        table
    );
    assert_eq!(
        std::fs::read_dir(place.path("out/runs")).unwrap().count(),
        0
    );
}

#[test]
fn an_outstanding_rename_that_fails_affects_its_partition_only() {
    let place = Place::with_jobs("[[job]]\npartitions = '**'\ncommand = ['touch', 'x']\n");
    place.run(&["a/b", "c"]).success();
    let log = place.log();
    let queued = log.lines().find(|l| l.contains("label: \"a/b\""));
    let run = queued
        .and_then(|l| l.split("create JobRun/").nth(1))
        .unwrap();
    let run = run.split(' ').next().unwrap();
    std::fs::rename(
        place.path("out/data/a/b"),
        place.path(&format!("out/runs/{run}")),
    )
    .unwrap();
    std::fs::remove_dir(place.path("out/data/a")).unwrap();
    place.write("out/data/a", "another file");
    let seen = place.run(&["c"]).success();
    assert_eq!(seen.counts(), (0, 1));
    assert!(
        seen.stderr
            .contains("a/b will be built again: its data cannot be moved into place"),
        "{}",
        seen.stderr
    );
    std::fs::remove_file(place.path("out/data/a")).unwrap();
    assert_eq!(place.run(&["a/b", "c"]).success().counts(), (1, 1));
}

#[test]
fn sources_may_change_while_databuild_does_not_run() {
    let place = Place::with_workspace();
    // It is killed after it has resolved the packages and built some of them; then a dependency is removed.
    let mut child = place.spawn(&["demo", "--workspace", "workspace", "--jobs-max", "1"]);
    place.wait_for("out/data/license/delta-2.0.0");
    child.kill().unwrap();
    child.wait().unwrap();
    place.edit(
        "workspace/app/Cargo.toml",
        "gamma = { path = \"../libs/gamma\" }\n",
        "",
    );
    place.lock();
    std::fs::remove_dir_all(place.path("workspace/libs/gamma")).unwrap();
    place.lock();
    let (built, reused) = place.demo().success().counts();
    assert_eq!(built + reused, 2 + 3 * 4);
    assert!(reused >= 2, "{reused}");
    assert!(
        !place
            .read("out/data/report/dependencies/dependencies.csv")
            .contains("gamma")
    );
}
