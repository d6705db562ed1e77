//! `databuild run` with a jobs file of the user.

use crate::support::{Place, Seen};

/// Three levels, which are discovered by running: the top needs two partitions, and these need one more.
const LEVELS: &str = r#"
[[job]]
partitions = "sum/*"
command = ["sh", "-c", '''
    total=0
    for part in one two; do
        if [ -f "$DATABUILD_DATA/part/$part/number" ]; then
            echo "{\"input\": \"part/$part\"}"
            read -r n < "$DATABUILD_DATA/part/$part/number"
            total=$((total + n))
        else
            echo "{\"missed\": \"part/$part\"}"
        fi
    done
    echo $total > total
''']

[[job]]
partitions = "part/*"
command = ["sh", "$DATABUILD_JOBS/part.sh", "$PARTITION"]
live = ["base"]

[[job]]
partitions = "base"
command = ["sh", "-c", "cat \"$DATABUILD_JOBS/source\" > number; sh \"$DATABUILD_JOBS/digest.sh\" base"]
digest = ["sh", "$DATABUILD_JOBS/digest.sh"]
"#;

fn levels() -> Place {
    let place = Place::with_jobs(LEVELS);
    place.write(
        "part.sh",
        "if ! grep -qx base; then echo '{\"missed\": \"base\"}'; exit 0; fi\n\
         echo '{\"input\": \"base\"}'\n\
         read -r n < \"$DATABUILD_DATA/base/number\"\n\
         [ \"$1\" = \"$PARTITION\" ] && [ \"$PWD\" -ef \"$DATABUILD_OUT\" ] && echo $((n + 1)) > number\n",
    );
    place.write(
        "digest.sh",
        "for p in \"$@\"; do read -r d < \"$DATABUILD_JOBS/source\"\n\
         echo \"{\\\"partition\\\": \\\"$p\\\", \\\"digest\\\": \\\"$d\\\"}\"; done\n",
    );
    place.write("source", "20\n");
    place
}

#[test]
fn dependencies_are_discovered_by_running() {
    let place = levels();
    assert_eq!(place.run(&["sum/all"]).success().counts(), (4, 0));
    assert_eq!(place.read("out/data/sum/all/total"), "42\n");
    let seen = place.run(&["sum/all"]).success();
    assert_eq!(seen.counts(), (0, 4));
    assert!(seen.stdout.contains("everything is up to date") && seen.stdout.contains("data:   "));
}

#[test]
fn a_changed_source_makes_all_dependents_stale() {
    let place = levels();
    place.run(&["sum/all"]).success();
    place.write("source", "1\n");
    assert_eq!(place.run(&["sum/all"]).success().counts(), (4, 0));
    assert_eq!(place.read("out/data/sum/all/total"), "4\n");
    let log = place.log();
    assert_eq!(log.matches("SourcesChanged {").count(), 1);
    assert_eq!(log.matches("InputWentStale {").count(), 3);
}

#[test]
fn the_jobs_in_the_readme_work() {
    let readme = include_str!("../../README.md");
    let jobs = readme
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a jobs file in the README");
    let place = Place::with_jobs(jobs);
    assert_eq!(place.run(&["total/all"]).success().counts(), (2, 0));
    assert_eq!(place.read("out/data/total/all/total").trim(), "20");
    assert_eq!(place.log().matches("JobStarted {").count(), 3);
}

#[test]
fn options_may_follow_names_and_names_may_be_repeated() {
    let place = levels();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_databuild"));
    command.args(["run", "--jobs", "jobs.toml", "want", "base", "base"]);
    command.args(["--dir", "out", "--jobs-max", "1"]);
    command.current_dir(place.path(""));
    let seen = Seen::of(command.output().unwrap()).success();
    assert_eq!(seen.counts(), (1, 0));
    assert_eq!(seen.stdout.matches("data:   ").count(), 1);
}

#[test]
fn several_wanted_partitions_share_their_inputs() {
    let place = levels();
    assert_eq!(place.run(&["part/one"]).success().counts(), (2, 0));
    assert_eq!(
        place
            .run(&["sum/a", "sum/b", "part/two"])
            .success()
            .counts(),
        (3, 2)
    );
    assert_eq!(place.read("out/data/sum/b/total"), "42\n");
}

#[test]
fn jobs_max_limits_the_jobs_that_run_at_a_time() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'all'\n\
         command = ['sh', '-c', 'for p in 1 2 3 4 5 6; do test -d \"$DATABUILD_DATA/p/$p\" || \
         echo \"{\\\"missed\\\": \\\"p/$p\\\"}\"; done']\n\
         [[job]]\npartitions = 'p/*'\n\
         command = ['sh', '-c', 'mkdir \"$DATABUILD_JOBS/alone\" && sleep 0.02 && rmdir \"$DATABUILD_JOBS/alone\"']\n",
    );
    let seen = place.databuild(&[
        "run",
        "--jobs",
        "jobs.toml",
        "--jobs-max",
        "1",
        "want",
        "all",
    ]);
    assert_eq!(seen.success().counts(), (7, 0));
}

#[test]
fn a_partition_that_no_present_job_makes_is_not_wanted_any_more() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['sh', '-c', 'kill -KILL $PPID; sleep 1']\n",
    );
    assert_eq!(place.run(&["a"]).code, None, "its job killed databuild");
    place.write(
        "jobs.toml",
        "[[job]]\npartitions = 'b'\ncommand = ['true']\n",
    );
    let seen = place.run(&["b"]).success();
    assert_eq!(seen.counts(), (1, 0));
    assert!(!place.status().contains("wanted: "));
}
