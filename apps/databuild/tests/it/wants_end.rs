//! Wants end: when they are canceled, at their deadline, and with the databuild that has them.

use crate::support::{Place, Seen, alive, signal, wait_until};

/// `slow/x` creates the file `there-x`, then waits for the file `leave`.
const JOBS: &str = r#"
[[job]]
partitions = "top/*"
command = ["sh", "-c", '''
    p=slow/${PARTITION#top/}
    if [ -d "$DATABUILD_DATA/$p" ]; then echo "{\"input\": \"$p\"}"; else echo "{\"missed\": \"$p\"}"; fi
''']
[[job]]
partitions = "slow/*"
command = ["sh", "-c", '''
    echo $$ > "$DATABUILD_JOBS/there-${PARTITION#slow/}"
    while [ -e "$DATABUILD_JOBS/jobs.toml" ] && ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.02; done
''']
[[job]]
partitions = "quick"
command = ["true"]
"#;

fn want(place: &Place, refs: &[&str]) -> std::process::Child {
    let args = ["run", "--jobs", "jobs.toml", "--jobs-max", "4", "want"];
    place.spawn(&[&args[..], refs].concat())
}

#[test]
fn one_is_canceled_while_it_is_built() {
    let place = Place::with_jobs(JOBS);
    let child = want(&place, &["top/a", "top/b"]);
    place.wait_for("there-a");
    place.wait_for("there-b");
    let job = place.read_line("there-a");
    let seen = place.databuild(&["cancel", "top/a"]).success();
    assert_eq!(seen.stdout, "canceled: top/a\n");
    wait_until("its run has ended", || !alive(&job));
    place.databuild(&["cancel", "top/a"]).refused(&[
        "no open want is for `top/a`: the open ones are want ",
        " for top/b",
    ]);
    place.write("leave", "");
    let seen = Seen::of(child.wait_with_output().expect("it ends"));
    let seen = seen.refused(&["canceled slow/a", "databuild: not built: top/a\n"]);
    assert_eq!(seen.counts(), (2, 0));
    let status = place.status();
    assert!(
        status.contains("partitions: 4 = 2 Live + 2 UpForRetry\n")
            && status.contains("wants: 4 = 2 Successful + 2 Canceled\n")
            && status.contains("1 Canceled\n"),
        "{status}"
    );
    place
        .databuild(&["cancel", "--all"])
        .refused(&["no want is open"]);
    assert_eq!(place.run(&["top/a"]).success().counts(), (2, 0));
}

#[test]
fn what_another_want_needs_goes_on() {
    let place = Place::with_jobs(JOBS);
    let child = want(&place, &["top/a", "slow/a"]);
    place.wait_for("there-a");
    wait_until("it waits", || place.status().contains("1 UpstreamBuilding"));
    place.databuild(&["cancel", "top/a"]).success();
    place.write("leave", "");
    let seen = Seen::of(child.wait_with_output().expect("it ends"));
    let seen = seen.refused(&["databuild: not built: top/a\n"]);
    assert_eq!(seen.counts(), (1, 0));
}

#[test]
fn all_are_canceled_and_runs_that_do_not_end_are_killed() {
    let place = Place::with_jobs(
        "[[job]]\npartitions = 'a'\ncommand = ['sh', '-c', 'trap \"\" TERM; touch \"$DATABUILD_JOBS/there\"; while [ -e \"$DATABUILD_JOBS/jobs.toml\" ]; do sleep 0.1; done']\n",
    );
    let child = want(&place, &["a"]);
    place.wait_for("there");
    place.databuild(&["cancel", "--all"]).success();
    Seen::of(child.wait_with_output().expect("it ends")).refused(&["not built: a"]);
}

#[test]
fn at_the_deadline() {
    let place = Place::with_jobs(JOBS);
    let args = ["run", "--jobs", "jobs.toml", "--deadline", "300ms", "want"];
    let seen = place.databuild(&[&args[..], &["quick", "top/a"]].concat());
    let seen = seen.refused(&[
        "not everything was built within 300 ms; the rest was canceled",
        "not built: top/a\n",
    ]);
    assert_eq!(seen.counts(), (1, 0));
    let status = place.status();
    assert!(
        !status.contains("wanted: ") && !status.contains("running: "),
        "{status}"
    );
    let args = [
        "run",
        "--jobs",
        "jobs.toml",
        "--deadline",
        "soon",
        "want",
        "quick",
    ];
    let seen = place.databuild(&args);
    assert!(seen.stderr.contains("`soon` is no duration"), "{seen:?}");
}

#[test]
fn a_later_want_neither_builds_what_an_interrupted_one_left_nor_waits_for_it() {
    for how in ["-INT", "-KILL"] {
        let place = Place::with_jobs(JOBS);
        let child = want(&place, &["top/a", "top/b"]);
        place.wait_for("there-a");
        place.wait_for("there-b");
        wait_until("their starts are recorded", || {
            place.status().contains("2 Running")
        });
        signal(child.id(), how);
        child.wait_with_output().expect("it ends");
        assert_eq!(place.status().contains("wanted: top/a"), how == "-KILL");
        assert_eq!(place.run(&["quick"]).success().counts(), (1, 0));
        let status = place.status();
        assert!(!status.contains("wanted: "), "{status}");
        assert!(
            status.contains("wants: 5 = 1 Successful + 4 Canceled"),
            "{status}"
        );
        place.write("leave", "");
    }
}
