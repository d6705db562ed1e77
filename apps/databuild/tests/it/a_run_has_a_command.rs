//! The command with which a run was started is kept beside what it wrote, without secrets.

use serde_json::json;

use crate::daemon::Daemon;
use crate::support::Place;

const JOBS: &str = r#"
[[job]]
partitions = "day/{day}"
secrets = ["KEY"]
command = ["sh", "-c", '''
    echo "$1 $KEY"
''', "count", "$PARTITION.csv", "--key", "key is s3cret"]
[[job]]
partitions = "quiet"
command = ["true"]
[[job]]
partitions = "absent"
command = ["no-such-program", "an argument"]
"#;

#[test]
fn which_is_shown_with_what_it_wrote() {
    let place = Place::with_jobs(JOBS);
    let mut run = place.command(&[
        "run",
        "--jobs",
        "jobs.toml",
        "want",
        "day/1",
        "quiet",
        "absent",
    ]);
    run.env("KEY", "s3cret").output().expect("databuild starts");
    let seen = place.databuild(&["logs", "day/1"]).success();
    assert_eq!(seen.stdout, "day/1.csv [KEY]\n");
    let script = "    echo \"$1 $KEY\"\n";
    assert_eq!(
        seen.stderr,
        format!("run 0.1 for day/1: sh -c '{script}' count day/1.csv --key 'key is [KEY]'\n")
    );
    // Also of what wrote nothing, or could not be started.
    let seen = place.databuild(&["logs", "quiet"]);
    seen.refused(&["run 1.1 for quiet: true\n", "nothing is kept of run 1.1"]);
    let seen = place.databuild(&["logs", "absent"]);
    seen.refused(&["run 2.1 for absent: no-such-program 'an argument'\n"]);
    // The commands of all runs are in one file, in which no secret is.
    let kept = place.read("out/logs/0.commands");
    assert_eq!(kept.lines().count(), 3);
    assert!(!kept.contains("s3cret"), "{kept}");

    // A change of the jobs file does not change what was run.
    place.edit("jobs.toml", "\"true\"", "\"echo\", \"$PARTITION\"");
    let daemon = Daemon::start(&place);
    let command = |run: &str| daemon.get(&format!("/api/runs/{run}")).1["command"].clone();
    assert_eq!(
        command("0.1"),
        json!([
            "sh",
            "-c",
            script,
            "count",
            "day/1.csv",
            "--key",
            "key is [KEY]"
        ])
    );
    assert_eq!(command("1.1"), json!(["true"]));
    let want = daemon.want(&["quiet"]);
    daemon.wait_for(&want, "Successful");
    let run = daemon.get("/api/partitions/quiet").1["run"].clone();
    assert_eq!(command(run.as_str().unwrap()), json!(["echo", "quiet"]));
    std::fs::remove_file(place.path("out/logs/0.commands")).unwrap();
    assert_eq!(command("1.1"), json!(null));
}
