//! Processes of a shell, without an engine.

use super::*;
use crate::said::Said;

fn spec<'a>(command: &'a [String], dir: &'a Path, stderr: &'a Path) -> Spec<'a> {
    Spec {
        command,
        arguments: &[],
        vars: &[],
        dir,
        stderr,
        stdin: "x\ny\n".into(),
    }
}

/// Runs a script to its end, or until it has made the file `ready`, when it is ended.
fn run(script: &str) -> (Ended<u8, Said>, String) {
    let dir = tempfile::tempdir().unwrap();
    let stderr = dir.path().join("stderr");
    let command = ["sh".into(), "-c".into(), script.into()];
    let mut children = Children::new();
    children
        .spawn(7, spec(&command, dir.path(), &stderr), Said::of("a"))
        .unwrap();
    let mut ended = children.ended(Duration::from_secs(20)).unwrap();
    assert!(children.is_empty());
    assert_eq!(ended.key, 7);
    let stderr = tail(&mut ended.stderr, 2);
    (ended, stderr)
}

#[test]
fn a_process_is_heard_to_its_end() {
    let (ended, stderr) =
        run("read l; echo \"{\\\"read\\\": \\\"$l\\\"}\"; printf '1\\n2\\n3\\n' >&2; exit 3");
    assert!(ended.said.unwrap().reads.contains("x"));
    assert_eq!(
        (ended.exit, ended.status.as_str(), ended.group),
        (3, "ended with exit status 3", Group::Empty)
    );
    assert_eq!(stderr, "2\n3");
}

#[test]
fn what_does_not_fit_into_the_pipe_is_heard() {
    let (ended, _) = run(
        "i=0; while [ $i -lt 3000 ]; do echo \"{\\\"read\\\": \\\"a-name-that-is-long-enough-$i\\\"}\"; i=$((i+1)); done",
    );
    assert_eq!(ended.said.unwrap().reads.len(), 3000);
}

#[test]
fn a_process_that_is_left_in_the_background_is_killed_and_not_waited_for() {
    let (ended, _) = run("sleep 600 & echo '{\"read\": \"x\"}'");
    assert!(ended.said.unwrap().reads.contains("x"));
    assert_eq!(ended.exit, 0);
    assert_ne!(ended.group, Group::Empty);
}

#[test]
fn a_process_in_the_background_that_writes_without_end_is_not_heard_without_end() {
    let (ended, _) = run("while :; do echo '{\"read\": \"y\"}'; done & echo '{\"read\": \"x\"}'");
    assert!(ended.said.unwrap().reads.contains("x"));
    assert_ne!(ended.group, Group::Empty);
}

#[test]
fn a_process_is_ended_with_what_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let stderr = dir.path().join("stderr");
    // The second refuses to end when it is asked to.
    for script in [
        "sleep 600 | sleep 600",
        "trap '' TERM; sleep 600 & wait; sleep 600",
    ] {
        let command = ["sh".into(), "-c".into(), script.to_owned()];
        let mut children = Children::new();
        let pid = children
            .spawn((), spec(&command, dir.path(), &stderr), Said::of("a"))
            .unwrap();
        assert_eq!(children.end(), [()]);
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_err(), "{script}");
    }
}

#[test]
fn what_is_no_program_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let stderr = dir.path().join("stderr");
    let command = ["/nonexistent/program".into()];
    let mut children = Children::new();
    let error = children
        .spawn((), spec(&command, dir.path(), &stderr), Said::of("a"))
        .unwrap_err();
    assert!(format!("{error:#}").starts_with("cannot start `/nonexistent/program`: "));
    assert!(children.is_empty());
}
