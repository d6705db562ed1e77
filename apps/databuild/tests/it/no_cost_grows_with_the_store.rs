//! What is done for many runs together, and what is kept so that later commands need not read everything again.

use crate::support::{Place, times_live, wait_until};

/// Two files for each partition.
const MANY: &str = r#"
[[job]]
partitions = "part/*"
command = ["sh", "-c", 'echo "$PARTITION" > out; mkdir inner; echo "$PARTITION" > inner/out']
"#;

/// The names of the first partitions.
fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("part/{i}")).collect()
}

fn run(refs: &[String]) -> Vec<&str> {
    let begin = ["run", "--jobs", "jobs.toml", "--jobs-max", "8", "want"];
    begin
        .into_iter()
        .chain(refs.iter().map(String::as_str))
        .collect()
}

/// How many partitions are live.
fn live(place: &Place) -> usize {
    let status = place.databuild(&["status", "--json"]).success().stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    let live = status["partitions"]["Live"].as_u64().unwrap_or(0);
    usize::try_from(live).unwrap()
}

/// The files of the checkpoints in the store.
fn checkpoints(place: &Place) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(place.path("out/store")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == "checkpoint"))
        .collect()
}

#[test]
fn a_kill_amid_runs_that_are_synced_together_loses_none_that_was_recorded() {
    let place = Place::with_jobs(MANY);
    let refs = names(250);
    let mut first = place.spawn(&run(&refs));
    wait_until("some are built", || {
        let built = std::fs::read_dir(place.path("out/data/part"));
        built.is_ok_and(|built| built.count() > 40)
    });
    first.kill().unwrap();
    first.wait().unwrap();
    let before = live(&place);
    assert!(before > 0, "none of those that are in place was recorded");

    let seen = place.databuild(&run(&refs)).success();
    assert_eq!(seen.counts(), (refs.len() - before, before));
    for name in &refs {
        for file in ["out", "inner/out"] {
            let text = place.read(&format!("out/data/{name}/{file}"));
            assert_eq!(text, format!("{name}\n"));
        }
    }
    let log = place.log();
    assert!(times_live(&log).iter().all(|(_, n)| *n == 1), "{log}");
    let left = std::fs::read_dir(place.path("out/runs")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn a_checkpoint_is_written_after_many_runs_and_is_not_needed() {
    let place = Place::with_jobs(MANY);
    place.databuild(&run(&names(20))).success();
    assert_eq!(checkpoints(&place).len(), 0, "a small store needs none");
    let refs = names(600);
    place.databuild(&run(&refs)).success();
    let written = checkpoints(&place);
    assert_eq!(written.len(), 1);
    assert_eq!(place.databuild(&run(&refs)).success().counts(), (0, 600));
    assert_eq!(
        checkpoints(&place),
        written,
        "it is recent enough for a run that did nothing"
    );

    // The answers are the same with it, with a damaged one and without it.
    let answers = || {
        let ask = |args: &[&str]| place.databuild(args).success().stdout;
        [
            ask(&["status"]),
            ask(&["history", "part/7"]),
            ask(&["why", "part/599"]),
        ]
    };
    let with = answers();
    assert!(with[0].contains("600 Live"), "{}", with[0]);
    let bytes = std::fs::read(&written[0]).unwrap();
    std::fs::write(&written[0], &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(answers(), with);
    std::fs::remove_file(&written[0]).unwrap();
    assert_eq!(answers(), with);
    assert_eq!(place.databuild(&run(&refs)).success().counts(), (0, 600));
}

#[test]
fn a_partition_whose_data_is_gone_is_built_again() {
    let place = Place::with_jobs(MANY);
    let refs = names(12);
    place.databuild(&run(&refs)).success();
    std::fs::remove_dir_all(place.path("out/data/part/3")).unwrap();
    assert_eq!(place.databuild(&run(&refs)).success().counts(), (1, 11));
    std::fs::remove_dir_all(place.path("out/data/part")).unwrap();
    assert_eq!(place.databuild(&run(&refs)).success().counts(), (12, 0));
}
