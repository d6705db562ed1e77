//! `as-of`, `history` and `what-if`.

use crate::support::Place;

fn built() -> Place {
    let place = Place::with_jobs("[[job]]\npartitions = '**'\ncommand = ['true']\n");
    place.run(&["a"]).success();
    place.run(&["b"]).success();
    place
}

#[test]
fn as_of_shows_the_status_after_a_step_and_at_a_time() {
    let place = built();
    let log = place.log();
    let as_of = |when: &str| place.databuild(&["as-of", when, "status"]).success().stdout;
    // Each line of the log begins with sequence and time.
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
    // The future is an error.
    for (when, why) in [
        ("99999", "there is no step 99999: the log has the steps "),
        ("2999-01-01T00:00:00Z", "is in the future"),
        ("1999-12-31T23:59:59Z", "is before the first step"),
    ] {
        let asked = place.databuild(&["as-of", when, "status"]);
        asked.refused(&[when, why]);
    }
    place
        .databuild(&["as-of", "yesterday", "status"])
        .refused(&["`yesterday` is no point in the past", "databuild log"]);
}

#[test]
fn history_shows_the_changes_of_a_partition() {
    let place = built();
    let history = place
        .databuild(&["history", "b", "--facts"])
        .success()
        .stdout;
    let events: Vec<&str> = (history.lines())
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    assert_eq!(events.first(), Some(&"WantCreated:"));
    assert!(
        history.contains("JobQueued: move Partition \"b\" Missing -> Building"),
        "{history}"
    );
    assert!(
        history.contains("JobSucceeded: move Partition \"b\" Building -> Live"),
        "{history}"
    );
    assert!(
        !history.contains("Partition/") && !history.contains("\"a\""),
        "{history}"
    );
    place
        .databuild(&["history", "c", "--facts"])
        .refused(&["there is no partition c in"]);
}

#[test]
fn log_and_history_show_times_in_rfc_3339() {
    let place = built();
    let history = place
        .databuild(&["history", "b", "--facts"])
        .success()
        .stdout;
    for text in [&history, &place.log()] {
        let mut times = text.split(".at = ").skip(1);
        let is_time = |text: &str| {
            let time = text.split([';', '\n']).next().unwrap_or_default();
            time.parse::<ironweave::Timestamp>().is_ok()
        };
        let first = times.next().expect("a time");
        assert!(is_time(first) && times.all(is_time), "{text}");
    }
}

#[test]
fn long_lists_are_shortened_without_full() {
    let place = Place::with_jobs(
        r#"
[[job]]
partitions = "all"
command = ["sh", "-c", 'for i in 1 2 3 4 5 6 7 8 9; do echo "{\"input\": \"p/$i\"}"; done']
[[job]]
partitions = "p/*"
command = ["true"]
"#,
    );
    place.run(&["all"]).success();
    let (log, all) = (
        place.databuild(&["log"]).success().stdout,
        place.databuild(&["log", "--full"]).success().stdout,
    );
    let line = |log: &str, event: &str| {
        let line = log.lines().find(|l| l.contains(event));
        line.unwrap_or_else(|| panic!("no {event} in {log}"))
            .to_owned()
    };
    let missed = line(&log, "DepMissed {");
    for words in [
        r#"missed: ["p/1", "p/2", "p/3", "p/4", "p/5", "p/6" and 3 more]"#,
        "; and 3 more like that; ",
        // A single fact of its kind is always shown.
        r#"move Partition "all" Building -> UpstreamBuilding"#,
    ] {
        assert!(missed.contains(words), "no `{words}` in {missed}");
    }
    let missed = line(&all, "DepMissed {");
    assert!(
        missed.contains("\"p/9\"]") && !missed.contains(" more"),
        "{missed}"
    );
    assert_eq!(log.lines().count(), all.lines().count());

    let history = |full: &[&str]| {
        let args = [&["history", "all", "--facts"], full].concat();
        place.databuild(&args).success().stdout
    };
    let (short, all) = (history(&[]), history(&["--full"]));
    assert!(
        short.contains("JobSucceeded: and 3 more like that\n"),
        "{short}"
    );
    assert!(
        all.contains("link Partition \"all\".inputs += Partition \"p/9\"\n"),
        "{all}"
    );
    assert!(!all.contains(" more"), "{all}");
}

#[test]
fn what_if_shows_changes_and_makes_none() {
    let place = built();
    let before = (place.log(), place.status());
    let asked = place
        .databuild(&["what-if", "want", "a", "c"])
        .success()
        .stdout;
    assert!(
        asked.contains("create Partition \"c\" in Missing\n"),
        "{asked}"
    );
    assert!(
        asked.contains("link Want/2.1.partitions += PartitionRef \"a\"\n"),
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
fn a_missing_store_is_an_error() {
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
