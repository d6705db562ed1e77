//! `as-of`, `history` and `what-if`.

use crate::support::Place;

fn built() -> Place {
    let place = Place::with_jobs("[[job]]\npartitions = '*'\ncommand = ['true']\n");
    place.run(&["a"]).success();
    place.run(&["b"]).success();
    place
}

#[test]
fn what_there_was_after_a_step_and_at_a_time() {
    let place = built();
    let log = place.log();
    let as_of = |when: &str| place.databuild(&["as-of", when, "status"]).success().stdout;
    // The log has sequence and time in each line.
    for line in log.lines() {
        let mut words = line.split_whitespace();
        let (seq, time) = (
            words.next().expect("a number"),
            words.next().expect("a time"),
        );
        let (then, at) = (as_of(seq), as_of(time));
        if line.contains("WantCreated { partitions: [\"a\"] }") {
            assert!(
                then.contains("partitions: 1 = 1 Missing\nruns: 0\n"),
                "{then}"
            );
            assert!(then.contains("wanted: a"), "{then}");
        }
        if line.contains("WantCreated { partitions: [\"b\"] }") {
            let known = "partitions: 2 = 1 Missing + 1 Live\n";
            assert!(then.contains(known) && at.contains(known), "{then} {at}");
        }
    }
    // What is yet to come is not now.
    for (when, why) in [
        ("99999", "frame 99999 is past the end of this log"),
        ("2999-01-01T00:00:00Z", "is yet to come"),
    ] {
        let asked = place.databuild(&["as-of", when, "status"]);
        asked.refused(&[when, why]);
    }
    assert!(as_of("1999-12-31T23:59:59Z").starts_with("partitions: 0\n"));
    place
        .databuild(&["as-of", "yesterday", "status"])
        .refused(&["`yesterday` is no time", "databuild log"]);
}

#[test]
fn what_became_of_a_partition() {
    let place = built();
    let history = place.databuild(&["history", "b"]).success().stdout;
    let events: Vec<&str> = (history.lines())
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    assert_eq!(events.first(), Some(&"WantCreated:"));
    assert!(
        history.contains("JobQueued: move Partition/1 Missing -> Building"),
        "{history}"
    );
    assert!(
        history.contains("JobSucceeded: move Partition/1 Building -> Live"),
        "{history}"
    );
    assert!(!history.contains("Partition/0"), "{history}");
    place
        .databuild(&["history", "c"])
        .refused(&["nobody ever wanted c"]);
}

#[test]
fn what_would_change_and_does_not() {
    let place = built();
    let before = (place.log(), place.status());
    let asked = place
        .databuild(&["what-if", "want", "a", "c"])
        .success()
        .stdout;
    assert!(
        asked.contains("create Partition/2.1 in Missing\n"),
        "{asked}"
    );
    assert!(
        asked.contains("link Want/2.partitions += Partition/0\n"),
        "{asked}"
    );
    assert!(asked.ends_with("the want would be Idle\n"), "{asked}");
    let asked = place
        .databuild(&["what-if", "want", "a", "b"])
        .success()
        .stdout;
    assert!(asked.ends_with("the want would be Successful\n"), "{asked}");
    place
        .databuild(&["what-if", "want", "../a"])
        .refused(&["../a"]);
    assert_eq!((place.log(), place.status()), before);
}

#[test]
fn where_there_is_no_store() {
    let place = Place::new();
    for what in [
        &["as-of", "1", "status"][..],
        &["history", "a"],
        &["what-if", "want", "a"],
    ] {
        place
            .databuild(what)
            .refused(&["there is no store in", "--dir"]);
    }
}
