//! `digest` commands: their output, and that one that prints nothing, fails or does not end affects no other partitions.

use crate::support::{Place, Seen, alive, signal, wait_until};

#[test]
fn a_job_with_a_digest_command_must_print_its_digest() {
    let place =
        Place::with_jobs("[[job]]\npartitions = 'a'\ncommand = ['true']\ndigest = ['true']\n");
    place
        .run(&["a"])
        .refused(&["it printed no {\"digest\": ..}"]);
}

#[test]
fn a_digest_command_that_fails_is_reported() {
    let jobs = |digest: &str| {
        format!(
            "[[job]]\npartitions = 'a'\ncommand = ['echo', '{{\"digest\": \"1\"}}']\ndigest = ['sh', '-c', '{digest}']\n"
        )
    };
    let place = Place::with_jobs(&jobs("echo no luck >&2; exit 4"));
    place.run(&["a"]).success();
    place.run(&["a"]).refused(&[
        "the `digest` command of the job for `a` failed",
        "exit status 4",
        "no luck",
    ]);
    place.write("jobs.toml", &jobs("true"));
    assert_eq!(
        place.run(&["a"]).success().counts(),
        (1, 0),
        "a partition without a digest is stale"
    );
}

/// `a` has a `digest` command, which is in a file, and `c` is made from `a`; `b` is independent of them.
const JOBS: &str = r#"
[[job]]
partitions = "a"
command = ["echo", '{"digest": "1"}']
digest = ["sh", "$DATABUILD_JOBS/digest.sh"]
[[job]]
partitions = "b*"
command = ["true"]
[[job]]
partitions = "c*"
command = ["echo", '{"input": "a"}']
"#;

const GOOD: &str = "echo '{\"partition\": \"a\", \"digest\": \"1\"}'\n";

fn with_digest(script: &str) -> Place {
    let place = Place::with_jobs(JOBS);
    place.write("digest.sh", script);
    place
}

#[test]
fn a_broken_one_stops_only_what_depends_on_its_partitions() {
    let place = with_digest(GOOD);
    place.run(&["a", "b", "c"]).success();
    place.write("digest.sh", "echo no luck >&2; exit 4");
    let message = "the `digest` command of the job for `a` failed: it ended with exit status 4";

    let seen = place.run(&["b", "b2"]).success();
    assert_eq!(seen.counts(), (1, 1));
    assert!(seen.stderr.contains(message), "{}", seen.stderr);
    // Partitions that are not known to be up to date are not built; independent ones are.
    for (refs, not_known, counts) in [
        (&["a"][..], "a", (0, 1)),
        (&["c"], "c", (0, 2)),
        (&["a", "b3", "c"], "a, c", (1, 2)),
    ] {
        let seen = place.run(refs).refused(&[
            message,
            "    no luck\n",
            &format!("databuild: not known to be up to date: {not_known}\n"),
        ]);
        assert_eq!(seen.counts(), counts, "{refs:?}");
    }
    // That `c2` reads `a` is known only when it runs.
    place.run(&["c2", "b4"]).refused(&[
        "c2 failed:\n    it read `a`, which is not known to be up to date: ",
        "databuild: not built: c2",
    ]);
    assert!(place.path("out/data/b4").is_dir());

    // When the command works again, the built partitions are up to date.
    place.write("digest.sh", GOOD);
    assert_eq!(place.run(&["a", "b4", "c"]).success().counts(), (0, 3));
    assert_eq!(place.run(&["c2"]).success().counts(), (1, 1));
}

#[test]
fn every_kind_of_failure_is_reported() {
    for (script, words) in [
        ("kill -SEGV $$", "failed: it was ended by signal 11"),
        ("echo hello", "failed: unexpected line on stdout: hello"),
        (
            "echo '{\"partition\": \"a\", \"digest\": \"1\"}'; echo '{\"partition\": \"a\", \"digest\": \"2\"}'",
            "another digest of the same partition before",
        ),
    ] {
        let place = with_digest(GOOD);
        place.run(&["a"]).success();
        place.write("digest.sh", script);
        place.run(&["a"]).refused(&[words]);
        place.run(&["b"]).success();
    }
    let place = with_digest(GOOD);
    place.run(&["a"]).success();
    place.edit(
        "jobs.toml",
        "digest = [\"sh\"",
        "digest = [\"/nonexistent\"",
    );
    place
        .run(&["a"])
        .refused(&["failed: cannot start `/nonexistent`"]);
    place.run(&["b"]).success();
}

#[test]
fn processes_in_the_background_do_not_delay_the_start() {
    let place = with_digest(GOOD);
    place.run(&["a"]).success();
    place.write(
        "digest.sh",
        &format!("sleep 60 & echo $! > \"$DATABUILD_JOBS/pid\"\n{GOOD}"),
    );
    let seen = place.run(&["a"]).success();
    assert_eq!(seen.counts(), (0, 1));
    assert!(
        seen.stderr.contains("left others in its group"),
        "{}",
        seen.stderr
    );
    let pid = place.read("pid");
    wait_until("it is killed", || !alive(&pid));
}

#[test]
fn an_interrupt_ends_it_together_with_its_children() {
    let place = with_digest(GOOD);
    place.run(&["a"]).success();
    let log = place.log();
    place.write(
        "digest.sh",
        &format!(
            "cd \"$DATABUILD_JOBS\"\n\
             (sleep 60; touch slept) & echo $! > child\n\
             echo $$ > own; touch there; wait\n{GOOD}"
        ),
    );
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let child = place.spawn(&["run", "--jobs", "jobs.toml", "want", "a", "b"]);
        place.wait_for("there");
        signal(child.id(), name);
        let seen = Seen::of(child.wait_with_output().unwrap());
        assert_eq!(seen.code, Some(code), "{seen:?}");
        assert!(seen.stderr.contains("interrupted"), "{seen:?}");
        assert!(!place.path("slept").exists(), "it was waited for");
        for pid in ["own", "child"] {
            let pid = place.read(pid);
            wait_until("it has ended", || !alive(&pid));
        }
        std::fs::remove_file(place.path("there")).unwrap();
    }
    assert_eq!(place.log(), log, "nothing is recorded");
    assert_eq!(
        std::fs::read_dir(place.path("out/runs")).unwrap().count(),
        0
    );
}
