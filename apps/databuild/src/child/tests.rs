//! Tests with processes of a shell, without an engine.

use super::*;
use crate::command::Secrets;
use crate::protocol::RunOutput;

static ENV: std::sync::LazyLock<Environment> = std::sync::LazyLock::new(Environment::default);

fn spec<'a>(command: &'a [String], dir: &'a Path) -> Spec<'a> {
    Spec {
        command,
        arguments: &[],
        vars: &[],
        env: &ENV,
        dir,
        stderr: Written::to(dir.join("stderr"), Secrets::default()),
        stdin: "x\ny\n".into(),
    }
}

/// The id of the only process, and how it has ended.
fn both(children: &mut Children<u8, RunOutput>) -> (u32, Ended<u8, RunOutput>) {
    let mut next = || children.next(Duration::from_secs(20));
    match (next(), next()) {
        (Some(Event::Started { key: 7, pid }), Some(Event::Ended(ended))) => (pid, ended),
        _ => panic!("it was not started, or has not ended"),
    }
}

/// Runs a script to its end.
fn run(script: &str) -> (Ended<u8, RunOutput>, String) {
    let dir = tempfile::tempdir().unwrap();
    let command = ["sh".into(), "-c".into(), script.into()];
    let mut children = Children::new(1);
    children
        .spawn(7, spec(&command, dir.path()), RunOutput::of("a"))
        .unwrap();
    let (_, ended) = both(&mut children);
    assert!(children.is_empty());
    assert_eq!(ended.key, 7);
    let stderr = ended.stderr.tail(2);
    (ended, stderr)
}

#[test]
fn the_output_of_a_process_is_read_to_its_end() {
    let (ended, stderr) =
        run("read l; echo \"{\\\"read\\\": \\\"$l\\\"}\"; printf '1\\n2\\n3\\n' >&2; exit 3");
    assert!(ended.output.unwrap().reads.contains("x"));
    assert_eq!(
        (ended.exit, ended.status.as_str(), ended.left),
        (3, "ended with exit status 3", Left::Nothing)
    );
    assert_eq!(stderr, "2\n3");
}

#[test]
fn output_larger_than_the_pipe_is_read() {
    let (ended, _) = run(
        "i=0; while [ $i -lt 3000 ]; do echo \"{\\\"read\\\": \\\"a-name-that-is-long-enough-$i\\\"}\"; i=$((i+1)); done",
    );
    assert_eq!(ended.output.unwrap().reads.len(), 3000);
}

#[test]
fn a_process_that_is_left_in_the_background_is_killed_and_not_waited_for() {
    let (ended, _) = run("sleep 600 & echo '{\"read\": \"x\"}'");
    assert!(ended.output.unwrap().reads.contains("x"));
    assert_eq!(ended.exit, 0);
    assert_ne!(ended.left, Left::Nothing);
}

#[test]
fn a_process_in_the_background_that_writes_without_end_is_not_read_without_end() {
    let (ended, _) = run("while :; do echo '{\"read\": \"y\"}'; done & echo '{\"read\": \"x\"}'");
    assert!(ended.output.unwrap().reads.contains("x"));
    assert_ne!(ended.left, Left::Nothing);
}

#[test]
fn a_process_is_ended_together_with_its_children() {
    let dir = tempfile::tempdir().unwrap();
    // The second script ignores SIGTERM.
    for script in [
        "sleep 600 | sleep 600",
        "trap '' TERM; sleep 600 & wait; sleep 600",
    ] {
        let command = ["sh".into(), "-c".into(), script.to_owned()];
        let mut children = Children::new(1);
        children
            .spawn((), spec(&command, dir.path()), RunOutput::of("a"))
            .unwrap();
        let Some(Event::Started { pid, .. }) = children.next(Duration::from_secs(20)) else {
            panic!("it was not started");
        };
        assert_eq!(children.end(), [()]);
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(pid).is_err(), "{script}");
    }
}

#[test]
fn a_process_that_is_being_started_is_ended_too() {
    let dir = tempfile::tempdir().unwrap();
    let command = ["sh".into(), "-c".into(), "sleep 600; touch ended".into()];
    let mut children = Children::new(1);
    let output = RunOutput::of("a");
    children
        .spawn((), spec(&command, dir.path()), output)
        .unwrap();
    assert_eq!(children.end(), [()]);
    assert!(children.is_empty() && !dir.path().join("ended").exists());
}

#[test]
fn a_process_waits_until_there_is_room_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let script = "while ! [ -e leave ]; do sleep 0.01; done";
    let command = ["sh".into(), "-c".into(), script.to_owned()];
    let mut children = Children::new(1);
    for key in [1, 2] {
        let output = RunOutput::of("a");
        children
            .spawn(key, spec(&command, dir.path()), output)
            .unwrap();
    }
    let mut next = |within| match children.next(Duration::from_millis(within)) {
        Some(Event::Started { key, .. }) => Some(("started", key)),
        Some(Event::Ended(ended)) => Some(("ended", ended.key)),
        Some(Event::NotStarted { .. }) | None => None,
    };
    assert_eq!(next(20_000), Some(("started", 1)));
    assert_eq!(next(200), None);
    std::fs::write(dir.path().join("leave"), "").unwrap();
    for expect in [("ended", 1), ("started", 2), ("ended", 2)] {
        assert_eq!(next(20_000), Some(expect));
    }
}

#[test]
fn a_thread_serves_one_process_after_another() {
    let dir = tempfile::tempdir().unwrap();
    let command = ["sh".into(), "-c".into(), "echo $$ >&2".into()];
    let missing = ["/nonexistent/program".into()];
    let mut children = Children::new(1);
    for _ in 0..3 {
        let output = RunOutput::of("a");
        let spawned = children.spawn(7, spec(&command, dir.path()), output);
        spawned.unwrap();
        let (pid, ended) = both(&mut children);
        assert_eq!(ended.stderr.tail(1), pid.to_string());
        let output = RunOutput::of("a");
        let spawned = children.spawn(8, spec(&missing, dir.path()), output);
        spawned.unwrap();
        let next = children.next(Duration::from_secs(20));
        assert!(matches!(next, Some(Event::NotStarted { key: 8, .. })));
        assert!(children.is_empty());
    }
}

#[test]
fn a_missing_program_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let command = ["/nonexistent/program".into()];
    let mut children = Children::new(1);
    children
        .spawn((), spec(&command, dir.path()), RunOutput::of("a"))
        .unwrap();
    let Some(Event::NotStarted { why, .. }) = children.next(Duration::from_secs(20)) else {
        panic!("it was started");
    };
    assert!(format!("{why:#}").starts_with("cannot start `/nonexistent/program`: "));
    assert!(children.is_empty());
}
