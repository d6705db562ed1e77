//! `log checkpoint` and `log archive`, and the other commands on what they leave.

use std::fs;
use std::path::Path;

use crate::{Log, check_on};

/// A log of frames 0 to 15 in seven segments, with checkpoints after frames 13 and 15.
fn with_checkpoints() -> Log {
    let log = Log::of("version3/segments");
    log.run("log restore store earlier --to 13").ok();
    log.run("log checkpoint earlier").ok();
    log.run("log checkpoint store").ok();
    let name = "00000000000000000013.checkpoint";
    fs::copy(log.path("earlier").join(name), log.path("store").join(name)).expect("a copy");
    log
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn log_archive() {
    let log = with_checkpoints();
    check_on(
        "log-archive.txt",
        &log,
        &[
            "log archive store --to archive --before 4 --dry-run",
            "log archive store --to archive --dry-run --json",
            "log archive store",
            "log archive store --to archive --drop",
            "log archive store --to archive --yes",
            "log archive store --drop",
            "log archive store --drop --before 7 --json",
            "log archive store --drop --before 1 --yes",
            "log verify store",
            "log stat store",
            "log show store --last 1",
            "log show store --to 3",
            "log archive store --drop --before 1 --yes",
        ],
    );
}

#[test]
fn log_archive_of_databuild() {
    let log = Log::of("databuild");
    check_on(
        "databuild-archive.txt",
        &log,
        &[
            "log archive store --to archive",
            "log checkpoint store",
            "log archive store --to archive",
            "log verify store",
            "list store Partition Live",
        ],
    );
}

#[test]
fn every_command_answers_as_before_on_a_log_with_an_archive() {
    let log = with_checkpoints();
    let commands = [
        "log verify store",
        "log stat store --json",
        "log show store --full",
        "log export store",
        "schema json store",
        "diff store 2 9",
    ];
    let run = || {
        commands.map(|command| {
            let ran = log.run(command);
            (ran.code, ran.out, ran.err)
        })
    };
    let before = run();
    let said = log.run("log archive store --to archive").ok();
    assert!(
        said.contains("ok: archived 12 frames in 5 segments, 3056 bytes as "),
        "{said}"
    );
    assert_eq!(names(&log.path("archive")).len(), 6);
    assert_eq!(run(), before);

    let said = log.run("log backup store copy").ok();
    assert!(said.contains("read back and compared"), "{said}");
    assert!(!log.path("copy/ARCHIVED").exists());
    assert_eq!(
        log.run("log verify copy").ok(),
        log.run("log verify store").ok()
    );
    assert_eq!(
        log.run("log backup store copy").ok(),
        "ok: the backup is up to date\n"
    );
    for to in ["2", "7", "15"] {
        let target = format!("restored-{to}");
        let said = log
            .run(&format!("log restore store {target} --to {to}"))
            .ok();
        assert!(
            said.starts_with(&format!("ok: frames 0 to {to} ")),
            "{said}"
        );
        log.run(&format!("log verify {target}")).ok();
    }

    fs::rename(log.path("archive"), log.path("moved")).expect("it is moved");
    for command in [
        "log show store",
        "log verify store",
        "log backup store other",
        "diff store 2 9",
    ] {
        let ran = log.run(command);
        assert_eq!(ran.code, Some(1), "{command}: {ran:?}");
        let said = ran.err + &ran.out;
        assert!(
            said.contains("00000000000000000000.log.zst is missing"),
            "{command}: {said}"
        );
        let found = log.run(&format!("{command} --archives moved"));
        assert!(
            found.code == Some(0) || command.starts_with("diff"),
            "{command}: {found:?}"
        );
    }
    // The last frames need no archive.
    assert_eq!(log.run("log archive store --to new").code, Some(0));
}

#[test]
fn a_log_whose_first_frames_were_dropped_says_so_and_shows_the_rest() {
    let log = with_checkpoints();
    log.run("log backup store before").ok();
    let graph = log.run("log verify store --json").ok();
    log.run("log archive store --to archive --before 4").ok();
    assert_eq!(names(&log.path("archive")).len(), 3);
    let planned = log.run("log archive store --drop").ok();
    assert!(
        planned.contains("deleted there too: 2 segments"),
        "{planned}"
    );
    assert!(
        planned.ends_with("repeat the command with --yes\n"),
        "{planned}"
    );
    assert_eq!(names(&log.path("archive")).len(), 3, "nothing was changed");
    let said = log.run("log archive store --drop --yes").ok();
    assert!(
        said.ends_with("ok: dropped 12 frames in 5 segments, 3056 bytes\n"),
        "{said}"
    );
    assert_eq!(names(&log.path("archive")), ["LOCK"]);
    let verified = log.run("log verify store").ok();
    assert!(
        verified.contains("the frames before 12 were dropped"),
        "{verified}"
    );
    assert!(verified.ends_with("ok: 4 frames, 4 facts\n"), "{verified}");
    let shown = log.run("log show store --json").ok();
    assert_eq!(shown.lines().count(), 4);
    log.run("log show store --from 14").ok();
    let ran = log.run("diff store 3 15");
    assert!(ran.err.contains("frames before 12 were dropped"), "{ran:?}");
    assert!(ran.err.contains("after frame 13 ("), "{ran:?}");
    assert_eq!(log.run("diff store 13 15").code, Some(1));

    // Copies begin where the log does. An earlier backup keeps what it has.
    log.run("log backup store copy").ok();
    assert!(log.path("copy/ARCHIVED").exists());
    assert_eq!(log.run("log verify copy").ok(), verified);
    assert_eq!(
        log.run("log backup store copy").ok(),
        "ok: the backup is up to date\n"
    );
    assert_eq!(
        log.run("log backup store before").ok(),
        "ok: the backup is up to date\n"
    );
    assert_eq!(log.run("log verify before --json").ok(), graph);
    let said = log.run("log restore store restored --to 14").ok();
    assert!(said.starts_with("ok: frames 12 to 14 "), "{said}");
    log.run("log verify restored").ok();
    let error = log.run("log restore store none --to 12").failed(1);
    assert!(
        error.contains("no checkpoint of a frame up to 12"),
        "{error}"
    );
    assert!(!log.path("none").exists() && !log.path("none.unfinished").exists());
    let error = log.run("log restore store none --to 3").failed(1);
    assert!(error.contains("was dropped"), "{error}");
}
