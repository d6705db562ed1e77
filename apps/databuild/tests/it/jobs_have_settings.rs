//! What a jobs file says of a job beside its command: environment, secrets, stdin, pool, and what is done with its output.

use crate::support::Place;

fn run_with(place: &Place, vars: &[(&str, &str)], refs: &[&str]) -> crate::support::Seen {
    let args = ["run", "--jobs", "jobs.toml", "--jobs-max", "4", "want"];
    let mut command = place.command(&[&args[..], refs].concat());
    command.envs(vars.iter().copied());
    crate::support::Seen::of(command.output().expect("databuild starts"))
}

#[test]
fn the_environment_is_listed() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['sh', '-c', 'env > x']\nenv = ['LEVEL=3', 'MINE_*', 'ONE']\n\
         digest = ['sh', '-c', 'env > \"$DATABUILD_JOBS/of-digest\"; echo \"{\\\"partition\\\": \\\"a\\\", \\\"digest\\\": \\\"1\\\"}\"']\n",
    );
    place.edit(
        "jobs.toml",
        "env > x",
        "env > x; echo \"{\\\"digest\\\": \\\"1\\\"}\"",
    );
    let vars = [
        ("LEVEL", "2"),
        ("MINE_A", "a"),
        ("ONE", "1"),
        ("OTHER", "x"),
    ];
    run_with(&place, &vars, &["a"]).success();
    run_with(&place, &vars, &["a"]).success();
    for file in ["out/data/a/x", "of-digest"] {
        let text = place.read(file);
        let has = |line: &str| text.lines().any(|l| l == line);
        for line in ["LEVEL=3", "MINE_A=a", "ONE=1"] {
            assert!(has(line), "no {line} in {file}: {text}");
        }
        assert!(text.contains("PATH=") && !text.contains("OTHER="), "{text}");
    }
}

#[test]
fn secrets_are_kept_nowhere() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "a"
command = ["sh", "-c", "echo token $TOKEN; echo with $TOKEN >&2; exit 1"]
secrets = ["TOKEN"]
"#,
    );
    // A line that is refused is a part of the reason.
    let strict = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['sh', '-c', 'echo $TOKEN']\nsecrets = ['TOKEN']\nstrict = true\n",
    );
    run_with(&strict, &[("TOKEN", "s3cr3t")], &["a"])
        .refused(&["unexpected line on stdout: [TOKEN]\n"]);
    assert!(!strict.log().contains("s3cr3t"));
    let seen = run_with(&place, &[("TOKEN", "s3cr3t")], &["a"]);
    let seen = seen.refused(&["    with [TOKEN]\n"]);
    let log = place.log();
    assert!(log.contains("with [TOKEN]"), "{log}");
    let mut kept = String::new();
    for path in place.kept() {
        assert!(
            seen.stderr
                .contains(&format!("(all that it wrote: {})", path.display())),
            "{seen:?}"
        );
        kept += &std::fs::read_to_string(path).expect("a text");
    }
    assert!(
        kept.contains("token [TOKEN]") && kept.contains("with [TOKEN]"),
        "{kept}"
    );
    assert!(
        ![&seen.stderr, &log, &kept]
            .iter()
            .any(|text| text.contains("s3cr3t"))
    );
}

#[test]
fn secrets_of_a_run_that_was_killed_are_kept_nowhere() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "a"
command = ["sh", "-c", '''
    echo with $TOKEN >&2
    until [ -s "$DATABUILD_OUT/../../logs/${DATABUILD_OUT##*/}.stderr" ]; do sleep 0.01; done
    kill -KILL $PPID
    sleep 1
''']
secrets = ["TOKEN"]
[[job]]
partitions = "b"
command = ["true"]
"#,
    );
    assert_eq!(run_with(&place, &[("TOKEN", "s3cr3t")], &["a"]).code, None);
    run_with(&place, &[("TOKEN", "s3cr3t")], &["b"]).success();
    let kept = place.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let text = std::fs::read_to_string(&kept[0]).expect("a text");
    assert_eq!(text, "with [TOKEN]\n");
}

#[test]
fn other_lines_on_stdout_are_kept_unless_it_is_strict() {
    let jobs = |strict: &str| {
        format!(
            "[[job]]\npartitions = 'a'\ncommand = ['sh', '-c', 'echo hello; echo 42']\n{strict}"
        )
    };
    let place = Place::with_jobs(&jobs(""));
    assert_eq!(place.run(&["a"]).success().counts(), (1, 0));
    let kept = place.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(
        std::fs::read_to_string(&kept[0]).expect("a text"),
        "hello\n42\n"
    );
    let place = Place::with_jobs(&jobs("strict = true\n"));
    place
        .run(&["a"])
        .refused(&["unexpected line on stdout: hello\n"]);
}

#[test]
fn stdin_has_the_live_partitions_that_it_asks_for() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "p/**"
command = ["true"]
[[job]]
partitions = "none"
command = ["sh", "-c", "cat > x"]
[[job]]
partitions = "some"
command = ["sh", "-c", "cat > x"]
live = ["p/*", "none", "missing"]
"#,
    );
    place.run(&["p/a", "p/b/c", "none"]).success();
    place.run(&["some"]).success();
    assert_eq!(place.read("out/data/none/x"), "");
    assert_eq!(place.read("out/data/some/x"), "none\np/a\n");
}

#[test]
fn a_pool_has_room_for_so_many_runs() {
    let place = Place::with_jobs(
        r#"
[pools]
alone = 1
[[job]]
partitions = "a/*"
command = ["sh", "-c", "mkdir \"$DATABUILD_JOBS/alone\" && sleep 0.02 && rmdir \"$DATABUILD_JOBS/alone\""]
pool = "alone"
[[job]]
partitions = "b/*"
command = ["true"]
"#,
    );
    let seen = run_with(&place, &[], &["a/{1..6}", "b/{1..3}"]).success();
    assert_eq!(seen.counts(), (9, 0));
}

#[test]
fn a_job_has_the_fields_of_its_partition() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "daily/{colour}/{day}"
command = ["sh", "-c", "echo $FIELD_COLOUR $1 > x", "sh", "$FIELD_DAY"]
"#,
    );
    let seen = place.run(&["daily/{red,blue}/d{08..10}"]).success();
    assert_eq!(seen.counts(), (6, 0));
    assert_eq!(place.read("out/data/daily/blue/d09/x"), "blue d09\n");
    assert_eq!(place.run(&["daily/*/d08"]).success().counts(), (0, 2));
    place.run(&["daily/red/d1/x"]).refused(&["no job in "]);
}

#[test]
fn declared_inputs_need_no_run_that_finds_them_out() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "sum/{colour}"
command = ["sh", "-c", "cat \"$DATABUILD_DATA\"/day/$FIELD_COLOUR/*/x > x"]
inputs = ["day/{colour}/1", "day/{colour}/2"]
[[job]]
partitions = "day/{colour}/{n}"
command = ["sh", "-c", "echo $FIELD_COLOUR $FIELD_N > x; cat \"$DATABUILD_JOBS/more\" >> x; sh \"$DATABUILD_JOBS/digest.sh\" $PARTITION"]
digest = ["sh", "$DATABUILD_JOBS/digest.sh"]
[[job]]
partitions = "own"
command = ["true"]
inputs = ["own"]
[[job]]
partitions = "round/a"
command = ["true"]
inputs = ["round/b"]
[[job]]
partitions = "round/b"
command = ["true"]
inputs = ["round/a"]
[[job]]
partitions = "none"
command = ["true"]
inputs = ["no/job"]
"#,
    );
    place.write(
        "digest.sh",
        "for p in \"$@\"; do read -r d < \"$DATABUILD_JOBS/source\"\n\
         echo \"{\\\"partition\\\": \\\"$p\\\", \\\"digest\\\": \\\"$d\\\"}\"; done\n",
    );
    place.write("source", "1\n");
    place.write("more", "");
    assert_eq!(place.run(&["sum/red"]).success().counts(), (3, 0));
    assert_eq!(place.read("out/data/sum/red/x"), "red 1\nred 2\n");
    assert!(place.status().contains("runs: 3 = 3 Succeeded\n"));
    // What is stale is built before what is made from it.
    place.write("source", "2\n");
    place.write("more", "more\n");
    assert_eq!(place.run(&["sum/red"]).success().counts(), (3, 0));
    assert!(place.status().contains("runs: 6 = 6 Succeeded\n"));
    // If it comes out the same, that is not made from it again.
    place.write("source", "3\n");
    assert_eq!(place.run(&["sum/red"]).success().counts(), (2, 1));
    assert!(place.status().contains("runs: 8 = 8 Succeeded\n"));
    place.run(&["own", "round/a", "none"]).refused(&[
        "own failed:\n    its job declares it as its own input\n",
        "failed:\n    partitions wait for each other in a cycle: round/b -> round/a -> round/b\n",
        "none failed:\n    it missed `no/job`: no job in ",
    ]);
}

#[test]
fn what_runs_wrote_is_kept_as_long_as_the_jobs_file_says() {
    let jobs = |logs: &str| {
        format!(
            "{logs}\n[[job]]\npartitions = \"*\"\ncommand = [\"sh\", \"-c\", \"echo it is broken >&2; echo $PARTITION\"]\n"
        )
    };
    let place = Place::with_jobs(&jobs("[logs]\ndays = 7\nbytes = \"1MiB\""));
    place.run(&["a"]).success();
    let seen = place.databuild(&["logs", "a"]).success();
    assert!(seen.stdout.contains("it is broken"), "{}", seen.stdout);
    // The next databuild removes it.
    place.write("jobs.toml", &jobs("[logs]\nbytes = \"10\""));
    place.run(&["b"]).success();
    let why = "what run 0.1 wrote was removed, because that of all runs had more than 10 bytes (`bytes` in [logs] of the jobs file)";
    place.databuild(&["logs", "a"]).refused(&[why]);
    let seen = place.databuild(&["why", "a"]).success();
    assert!(seen.stdout.contains(why), "{}", seen.stdout);
    let seen = place.databuild(&["status"]).success();
    let removed = "outputs of runs removed: 2 by `bytes = 10` in [logs] of the jobs file\n";
    assert!(seen.stdout.contains(removed), "{}", seen.stdout);
    let daemon = crate::daemon::Daemon::start(&place);
    let (_, logs) = daemon.get("/api/runs/0.1/logs");
    assert_eq!(
        (&logs["text"], &logs["withheld"]),
        (&serde_json::json!(""), &serde_json::json!(why))
    );

    for (wrong, words) in [
        ("bytes = \"1GB\"", "`1GB` is no number of bytes"),
        ("bytes = 10", "invalid type"),
        ("days = -1", "invalid value"),
        ("hours = 1", "unknown field `hours`"),
    ] {
        place.write("jobs.toml", &jobs(&format!("[logs]\n{wrong}")));
        place.run(&["a"]).refused(&["jobs.toml, line 2", words]);
    }
}
