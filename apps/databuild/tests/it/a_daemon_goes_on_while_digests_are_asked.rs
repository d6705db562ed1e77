//! A `digest` command that takes long delays the clients that need what it is asked about, and no others.

use crate::daemon::Daemon;
use crate::support::{Place, wait_until};

/// `a` has a digest, which is that of the file `source`. The command notes each of its runs in `asked`, and ends when `answer` has as many
/// lines. That of `b` ends when there is a file `answer-b`, and fails if there is `fail-b`. `made` is made from `a`, `late` and `reads` are made
/// from `b`, without having declared it. `reads` ends when there is a file `leave`.
const JOBS: &str = r#"
[[job]]
partitions = "a"
command = ["sh", "-c", 'cp "$DATABUILD_JOBS/source" value; echo "{\"digest\": \"$(cat value)\"}"']
digest = ["sh", "-c", '''
    now=$(cat "$DATABUILD_JOBS/source")
    echo x >> "$DATABUILD_JOBS/asked"
    while [ "$(wc -l < "$DATABUILD_JOBS/answer")" -lt "$(wc -l < "$DATABUILD_JOBS/asked")" ]; do sleep 0.02; done
    echo "{\"partition\": \"a\", \"digest\": \"$now\"}"
''']
[[job]]
partitions = "made"
command = ["sh", "-c", '''
    if [ -d "$DATABUILD_DATA/a" ]; then echo '{"input": "a"}'; else echo '{"missed": "a"}'; fi
    cp "$DATABUILD_DATA/a/value" .
''']
[[job]]
partitions = "b"
command = ["sh", "-c", 'cp "$DATABUILD_JOBS/source" value; echo "{\"digest\": \"$(cat value)\"}"']
digest = ["sh", "-c", '''
    if [ -e "$DATABUILD_JOBS/fail-b" ]; then exit 3; fi
    now=$(cat "$DATABUILD_JOBS/source")
    echo x >> "$DATABUILD_JOBS/asked-b"
    while ! [ -e "$DATABUILD_JOBS/answer-b" ]; do sleep 0.02; done
    echo "{\"partition\": \"b\", \"digest\": \"$now\"}"
''']
[[job]]
partitions = "late"
inputs = ["a"]
command = ["sh", "-c", '''echo '{"input": "b"}'; cp "$DATABUILD_DATA/b/value" .''']
[[job]]
partitions = "reads"
command = ["sh", "-c", '''
    while ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.02; done
    echo '{"input": "b"}'
''']
[[job]]
partitions = "quick/*"
command = ["true"]
[[job]]
partitions = "slow"
command = ["sh", "-c", 'while ! [ -e "$DATABUILD_JOBS/leave" ]; do sleep 0.02; done']
"#;

/// A daemon that has built these. No command was run yet.
fn daemon_with(refs: &[&str]) -> (Place, Daemon) {
    let place = Place::with_jobs(JOBS);
    place.write("source", "1");
    for file in ["answer", "asked", "asked-b"] {
        place.write(file, "");
    }
    let daemon = Daemon::start(&place);
    let want = daemon.want(refs);
    daemon.wait_for(&want, "Successful");
    (place, daemon)
}

fn asked(place: &Place) -> usize {
    place.read("asked").lines().count()
}

#[test]
fn other_wants_cancels_and_runs_go_on_and_those_who_wait_share_a_command() {
    let (place, daemon) = daemon_with(&["a"]);
    std::thread::scope(|scope| {
        let waits = || scope.spawn(|| daemon.want(&["a"]));
        let first = waits();
        wait_until("the digest is asked for", || asked(&place) == 1);
        // The command would never end.
        let slow = daemon.want(&["slow"]);
        let quick = daemon.want(&["quick/1"]);
        daemon.wait_for(&quick, "Successful");
        daemon.wait_for_run("slow");
        assert_eq!(daemon.delete(&format!("/api/wants/{slow}")).0, 200);
        daemon.wait_for(&slow, "Canceled");
        assert!(!first.is_finished());
        // The command may have read the source before these clients changed it.
        place.write("source", "2");
        let more = [waits(), waits(), waits()];
        let quick = daemon.want(&["quick/2"]);
        daemon.wait_for(&quick, "Successful");
        assert_eq!(asked(&place), 1);
        place.write("answer", "\n");
        let first = first.join().expect("it was answered");
        daemon.wait_for(&first, "Successful");
        wait_until("it is asked for again", || asked(&place) == 2);
        assert!(more.iter().all(|one| !one.is_finished()));
        place.write("answer", "\n\n");
        for one in more {
            let want = one.join().expect("it was answered");
            daemon.wait_for(&want, "Successful");
        }
    });
    assert_eq!(asked(&place), 2);
    assert_eq!(daemon.get("/api/partitions/a").1["digest"], "2");
}

#[test]
fn what_was_made_meanwhile_from_what_has_changed_is_made_again() {
    let (place, daemon) = daemon_with(&["a"]);
    place.write("source", "2");
    let made = daemon.want(&["made"]);
    daemon.wait_for(&made, "Successful");
    wait_until("the digest is asked for", || asked(&place) == 1);
    place.write("answer", "\n");
    // The next wants may ask again.
    place.write("answer", &"\n".repeat(99));
    wait_until("it is made from the new one", || {
        let (_, partition) = daemon.get("/api/partitions/made");
        let (_, a) = daemon.get("/api/partitions/a");
        a["digest"] == "2" && partition["state"] == "Live" && partition["instances"] == 2
    });
}

/// Enough answers for all commands for `a`.
fn answer_all(place: &Place) {
    place.write("answer", &"\n".repeat(99));
}

#[test]
fn a_want_waits_only_for_the_digests_that_it_needs() {
    let (place, daemon) = daemon_with(&["a", "b"]);
    answer_all(&place);
    // The command for `b`, which begins with the first of these wants, does not end. That for `a` is run for each of them.
    for value in ["2", "3"] {
        place.write("source", value);
        let want = daemon.want(&["a"]);
        daemon.wait_for(&want, "Successful");
        assert_eq!(daemon.get("/api/partitions/a").1["digest"], value);
    }
    std::thread::scope(|scope| {
        let wants = |name| {
            let daemon = &daemon;
            scope.spawn(move || daemon.want(&[name]))
        };
        // A want that needs a command that runs already waits for its next run, and not for the command for `b`.
        let before = asked(&place);
        place.write("answer", "");
        let first = wants("a");
        wait_until("the digest is asked for", || asked(&place) > before);
        let (second, of_b) = (wants("a"), wants("b"));
        // The daemon has it when it answers a later one.
        daemon.want(&["quick/1"]);
        answer_all(&place);
        for want in [first, second] {
            let want = want.join().expect("it was answered");
            daemon.wait_for(&want, "Successful");
        }
        assert!(!of_b.is_finished());
        assert_eq!(place.read("asked-b").lines().count(), 1);
        place.write("answer-b", "");
        let want = of_b.join().expect("it was answered");
        daemon.wait_for(&want, "Successful");
    });
}

#[test]
fn what_was_made_after_one_digest_is_made_again_after_another() {
    let (place, daemon) = daemon_with(&["a", "b"]);
    answer_all(&place);
    place.write("source", "2");
    let late = daemon.want(&["late"]);
    daemon.wait_for(&late, "Successful");
    assert_eq!(place.read("out/data/late/value"), "1");
    place.write("answer-b", "");
    wait_until("it is made from the new one", || {
        let (_, partition) = daemon.get("/api/partitions/late");
        partition["state"] == "Live" && partition["instances"] == 2
    });
    assert_eq!(place.read("out/data/late/value"), "2");
}

#[test]
fn a_digest_that_is_not_known_stays_so_when_another_is() {
    let (place, daemon) = daemon_with(&["a", "b"]);
    place.write("fail-b", "");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| daemon.want(&["a"]));
        let reads = daemon.want(&["reads"]);
        daemon.wait_for_run("reads");
        wait_until("the digest of a is asked for", || asked(&place) > 0);
        answer_all(&place);
        let want = waits.join().expect("it was answered");
        daemon.wait_for(&want, "Successful");
        place.write("leave", "");
        daemon.wait_for(&reads, "Failed");
    });
    let (_, why) = daemon.get("/api/why/reads");
    assert!(why.to_string().contains("the `digest` command"), "{why}");
}

#[test]
fn a_daemon_ends_while_a_digest_is_asked_for() {
    let (place, daemon) = daemon_with(&["a"]);
    std::thread::scope(|scope| {
        let body = "{\"refs\": [\"a\"]}";
        let head = "Content-Type: application/json\r\n";
        let waits = scope.spawn(|| daemon.exchange("POST /api/wants", head, body).0);
        wait_until("the digest is asked for", || asked(&place) == 1);
        crate::support::signal(daemon.pid(), "-TERM");
        assert_eq!(waits.join().expect("it was answered"), 503);
    });
    daemon.wait();
}
