//! Jobs that leave processes or files behind, remove their output, or ask for partitions without end, and a clock that is set back: only
//! the run of that job fails.

use std::process::Command;

use databuild::engine::BuildStore;
use databuild::model::build::WantCreated;
use ironweave::prelude::*;

use crate::support::{Place, Seen, alive, wait_until};

#[test]
fn the_clock_may_be_set_back() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "good"
command = ["true"]
[[job]]
partitions = "never"
command = ["sh", "-c", '''
    echo run >> "$DATABUILD_JOBS/runs"
    if [ "$(wc -l < "$DATABUILD_JOBS/runs")" -gt 20 ]; then echo 'it runs again and again' >&2; exit 1; fi
    echo '{"missed": "good"}'
''']
"#,
    );
    // The store has a transaction of the future, as if the clock had been set back since then.
    let mut store = BuildStore::open(place.path("out/store")).unwrap();
    let future = "2999-01-01T00:00:00Z".parse().unwrap();
    let mut t = store.begin_with(Meta::new().with_time(future)).unwrap();
    t.apply(WantCreated {
        partitions: vec![Ensure::from("good")],
        source: String::new(),
        comment: String::new(),
        priority: 0,
        deadline: None,
        sla: None,
    })
    .unwrap();
    t.commit().unwrap();
    drop(store);
    place.run(&["good"]).success();
    assert!(place.log().contains(" 2999-01-01T00:00:00Z JobSucceeded"));
    place
        .run(&["never"])
        .refused(&["it missed good, which was live when it began, so it would miss it again"]);
    assert_eq!(place.read("runs"), "run\n");
}

#[test]
fn processes_in_the_background_do_not_prolong_a_run() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "a"
command = ["sh", "-c", '''
    (sleep 60; echo late > "$DATABUILD_JOBS/late"; echo late > "$DATABUILD_DATA/a/x") &
    echo $! > "$DATABUILD_JOBS/pid"
    echo in time > x
''']
"#,
    );
    let seen = place.run(&["a"]).success();
    assert_eq!(seen.counts(), (1, 0));
    assert!(!place.path("late").exists(), "it was waited for");
    assert!(
        seen.stderr
            .contains("a: its process ended and left others in its group, which were killed"),
        "{}",
        seen.stderr
    );
    let pid = place.read("pid");
    wait_until("it is killed", || !alive(&pid));
    assert_eq!(place.read("out/data/a/x"), "in time\n");
}

#[test]
fn a_process_that_left_the_group_is_not_waited_for() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "a"
command = ["sh", "-c", '''
    command -v setsid > /dev/null || exit 0
    setsid sh "$DATABUILD_JOBS/daemon.sh" &
    while [ -e "$DATABUILD_JOBS/jobs.toml" ] && ! [ -e "$DATABUILD_JOBS/pid" ]; do sleep 0.01; done
''']
"#,
    );
    place.write(
        "daemon.sh",
        "cd \"$DATABUILD_JOBS\"; echo $$ > new; mv new pid; sleep 60; touch late\n",
    );
    place.run(&["a"]).success();
    assert!(!place.path("late").exists(), "it was waited for");
    if place.path("pid").exists() {
        let group = format!("-{}", place.read("pid").trim());
        let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(killed.unwrap().success(), "it was ended");
    }
}

#[test]
fn a_parent_that_ignores_sigchld_has_no_effect() {
    let place = Place::with_jobs("[[job]]\npartitions = 'a'\ncommand = ['true']\n");
    let command = place.command(&["run", "--jobs", "jobs.toml", "want", "a"]);
    // Not every `sh` passes an ignored signal on to its children.
    let mut bash = Command::new("bash");
    bash.args(["-c", "trap '' CHLD; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(place.path(""));
    let seen = match bash.output() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("not tested: there is no bash");
            return;
        }
        output => Seen::of(output.expect("bash starts")).success(),
    };
    assert_eq!(seen.counts(), (1, 0));
}

#[test]
fn a_read_only_output_fails_its_run_only() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'bad'\ncommand = ['sh', '-c', 'echo 1 > x; chmod -R a-w .']\n\
         [[job]]\npartitions = 'good'\ncommand = ['sh', '-c', 'echo 1 > x; chmod a-w x']\n",
    );
    for _ in 0..2 {
        let seen = place.run(&["bad", "good"]).refused(&[
            "bad failed:\n    it made its output directory read-only (mode 555)",
            "databuild: not built: bad\n",
        ]);
        assert_eq!(seen.counts().0 + seen.counts().1, 1);
    }
    let log = place.log();
    assert_eq!(log.matches("JobSucceeded {").count(), 1, "{log}");
    assert_eq!(place.read("out/data/good/x"), "1\n");
    // Its output can be removed.
    place.edit("jobs.toml", "; chmod -R a-w .", "");
    assert_eq!(place.run(&["bad", "good"]).success().counts(), (1, 1));
    assert_eq!(
        std::fs::read_dir(place.path("out/runs")).unwrap().count(),
        0
    );
}

#[test]
fn data_that_cannot_be_moved_into_place_fails_its_run_before_success_is_logged() {
    let place = Place::with_jobs("[[job]]\npartitions = '**'\ncommand = ['touch', 'x']\n");
    place.write("out/data/a", "another file");
    let args = ["run", "--jobs", "jobs.toml", "--jobs-max", "1", "want"];
    let seen = place
        .databuild(&[&args[..], &["a/b", "c"]].concat())
        .refused(&[
            "a/b failed:\n    its data cannot be moved into place at ",
            "remove what is there",
            "databuild: not built: a/b\n",
        ]);
    assert_eq!(seen.counts(), (1, 0));
    let log = place.log();
    assert_eq!(log.matches("JobSucceeded {").count(), 1, "{log}");
    assert_eq!(place.read("out/data/a"), "another file");
    std::fs::remove_file(place.path("out/data/a")).unwrap();
    assert_eq!(place.run(&["a/b", "c"]).success().counts(), (1, 1));
}

#[test]
fn a_large_stderr_is_kept_and_its_end_is_shown() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "a"
command = ["sh", "-c", "head -c 3000000 /dev/zero >&2; echo 'this is the end' >&2; exit 3"]
"#,
    );
    place
        .run(&["a"])
        .refused(&["a failed:\n    it ended with exit status 3\n    this is the end\n"]);
    let kept = std::fs::metadata(&place.kept()[0]).unwrap();
    assert_eq!(kept.len(), 3_000_000 + 16);
}

#[test]
fn a_link_in_place_of_the_stderr_is_not_followed() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "a"
command = ["sh", "-c", 'echo this is mine >&2; ln -sf "$DATABUILD_JOBS/secret" .stderr; exit 3']
"#,
    );
    place.write("secret", "a secret text");
    let seen = place.run(&["a"]).refused(&["    this is mine\n"]);
    assert!(!seen.stderr.contains("a secret text"), "{}", seen.stderr);
}

#[test]
fn discovery_without_end_meets_a_limit() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "n*"
command = ["sh", "-c", '''
    next=n$((${PARTITION#n} + 1))
    if [ -d "$DATABUILD_DATA/$next" ]; then echo "{\"input\": \"$next\"}"; else echo "{\"missed\": \"$next\"}"; fi
''']
"#,
    );
    let args = ["run", "--jobs", "jobs.toml", "--discovery-max", "20"];
    // The second run fails too, because partitions that are known already count.
    for _ in 0..2 {
        let seen = place
            .databuild(&[&args[..], &["want", "n1"]].concat())
            .refused(&[
                "n21 failed:\n    it missed n22, ",
                "more than 20 partitions",
                "or raise --discovery-max",
                "n1 -> n2 -> n3 -> .. 16 more .. -> n20 -> n21 -> n22\n",
                "10 more are blocked",
                "databuild: not built: n1\n",
            ]);
        assert!(seen.stderr.len() < 5000, "{}", seen.stderr);
        let status = place.status();
        assert!(
            status.contains("partitions: 21 = 1 Failed + 20 UpstreamFailed\n"),
            "{status}"
        );
    }
    let help = place.databuild(&["run", "--help"]).success().stdout;
    assert!(help.contains("[default: 10000]"), "{help}");
}
