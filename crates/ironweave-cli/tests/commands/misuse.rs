//! Arguments and directories that cannot be used, and outputs that are closed.

use std::fs;

use crate::Log;

#[test]
fn a_directory_without_a_store_is_named() {
    let log = Log::nothing();
    fs::create_dir(log.path("empty")).expect("a directory");
    fs::write(log.path("file"), "text").expect("a file");
    for store in ["absent", "empty"] {
        for command in ["log show", "log verify", "log stat", "schema show"] {
            let error = log.run(&format!("{command} {store}")).failed(1);
            assert!(
                error.contains(store) && error.contains("store"),
                "{command}: {error}"
            );
        }
        let error = log.run(&format!("get {store} Bed 4A")).failed(1);
        assert!(error.contains(store), "{error}");
    }
    for command in ["log show file", "log verify file", "list file Bed"] {
        let error = log.run(command).failed(1);
        assert!(
            error.contains("there is a file and no store at file") && !error.contains("remove"),
            "{command}: {error}"
        );
    }
    // Nothing was created.
    assert_eq!(
        fs::read_dir(log.path("empty")).expect("it exists").count(),
        0
    );
    assert!(!log.path("absent").exists());
}

#[test]
fn a_path_next_to_a_store_is_answered_with_the_store() {
    let log = Log::of("databuild");
    let segment = "store/00000000000000000000.log";
    for command in ["log show", "log verify", "list", "log backup"] {
        for near in [".", segment] {
            let argument = match command {
                "list" => " Want",
                "log backup" => " copy",
                _ => "",
            };
            let error = log.run(&format!("{command} {near}{argument}")).failed(1);
            assert!(
                error.contains("there is no store in") && error.contains("store`?"),
                "{command} {near}: {error}"
            );
        }
    }
    assert!(!log.path("copy").exists());
}

/// What could not be read is not said to be bad.
#[cfg(unix)]
#[test]
fn a_log_that_cannot_be_read_is_not_bad() {
    let log = Log::of("databuild");
    let segment = log.path("store").join("00000000000000000000.log");
    fs::remove_file(&segment).expect("a segment");
    // No user can read it.
    std::os::unix::fs::symlink(&segment, &segment).expect("a link");
    let ran = log.run("log verify store");
    assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{ran:?}");
    assert!(
        ran.err.contains("cannot") && ran.err.contains("00000000000000000000.log"),
        "{ran:?}"
    );
}

#[test]
fn what_a_killed_writer_left_is_told_and_is_no_damage() {
    let log = Log::of("databuild");
    let segment = log.path("store").join("00000000000000000000.log");
    let mut bytes = fs::read(&segment).expect("a segment");
    let clean = log.run("log verify store").ok();
    assert!(!clean.contains("tail"), "{clean}");
    bytes.extend([0; 40]);
    fs::write(&segment, &bytes).expect("it is written");
    assert_eq!(log.run("log verify store").ok(), clean);
    bytes.extend(b"half a frame");
    fs::write(&segment, &bytes).expect("it is written");
    let said = log.run("log verify store").ok();
    assert!(
        said.contains("tail: 52 bytes after the last frame"),
        "{said}"
    );
    assert_eq!(said.lines().last(), clean.lines().last());
}

#[test]
fn a_damaged_log_is_named_with_file_offset_and_sequence() {
    let log = Log::of("version3/constructs");
    let file = log.path("store").join("00000000000000000000.log");
    let mut bytes = fs::read(&file).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&file, bytes).expect("it is written");
    let ran = log.run("log verify store");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let last = ran.out.lines().last().expect("a line");
    assert!(
        last.starts_with("bad: ") && last.contains("00000000000000000000.log at offset "),
        "{last}"
    );
    let json = log.run("log verify store --json").out;
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    assert_eq!(json["ok"], false);
    assert!(
        json["offset"]
            .as_u64()
            .is_some_and(|offset| offset <= middle as u64),
        "{json}"
    );
    assert!(json["seq"].as_u64().is_some_and(|seq| seq > 0), "{json}");
    for command in [
        "log show store",
        "log stat store",
        "list store Order",
        "history store Line 0.1",
    ] {
        let error = log.run(command).failed(1);
        assert!(error.contains("is damaged"), "{command}: {error}");
    }
}

#[test]
fn a_log_whose_facts_do_not_give_its_fingerprints_is_bad() {
    use ironweave::raw_log::{RawContent, RawLog, RawWriter};

    let log = Log::of("version3/segments");
    let mut writer = RawWriter::create(log.path("bad")).expect("a new log");
    let source = RawLog::open(log.path("store")).expect("a log");
    for frame in source.frames(0).expect("frames") {
        let frame = frame.expect("a frame");
        let wrong = u128::from(frame.seq() == 9);
        let (epoch, fingerprint) = (frame.epoch(), frame.fingerprint() ^ wrong);
        let appended = match frame.content() {
            RawContent::Schema(_) => writer.append_schema(epoch, fingerprint, frame.payload()),
            _ => writer.append_transaction(epoch, fingerprint, frame.payload()),
        };
        appended.expect("it is written");
    }
    // The log is not complete, and so it does not have its name yet. Its checksums are right.
    let ran = log.run("log verify bad.unfinished");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let last = ran.out.lines().last().expect("a line");
    assert!(
        last.starts_with("bad: ") && last.contains("frame 9") && last.contains("at offset"),
        "{last}"
    );
    assert!(writer.finish().is_err());
    assert!(!log.path("bad").exists() && !log.path("bad.unfinished").exists());
}

#[test]
fn a_wrong_name_is_answered_with_the_close_ones() {
    let log = Log::of("databuild");
    for (command, message) in [
        ("get store Partiton sum", "did you mean `Partition`?"),
        ("list store Partition Lives", "did you mean `Live`?"),
        (
            "list store Partition --where nam=sum",
            "did you mean `name`?",
        ),
        ("edges store partition sum", "did you mean `Partition`?"),
        ("history store JobRuns 0.1", "did you mean `JobRun`?"),
        ("why store Wont 0.1", "did you mean `Want`?"),
        (
            "schema draw store --entity Partiton",
            "there is no type `Partiton`; did you mean `Partition`?",
        ),
        (
            "schema draw store --entity Want --net",
            "cannot be used with",
        ),
        ("schema draw store --format png", "invalid value 'png'"),
        (
            "log show store --event JobStart",
            "did you mean `JobStarted`?",
        ),
        ("log show store --type Job", "did you mean `JobRun`?"),
        (
            "log show store --entity JobRn/0.1",
            "did you mean `JobRun`?",
        ),
    ] {
        let error = log.run(command).failed(2);
        assert!(error.contains(message), "{command}: {error}");
    }
}

#[test]
fn what_is_not_there_is_exit_code_1() {
    let log = Log::of("databuild");
    for (command, message) in [
        (
            "get store Partition nothing",
            "there is no Partition with the key `nothing`; `ironweave list STORE Partition` prints",
        ),
        ("get store JobRun 99.1", "there is no JobRun 99.1"),
        (
            "history store Partition nothing",
            "no Partition with the key or id `nothing`; `ironweave list",
        ),
        ("why store Want 99.1", "no Want with the key or id `99.1`"),
        ("list store Partition Missing", "no Partition is found"),
        ("log show store --actor eve", "none passes the filters"),
        (
            "schema diff store nothing.json",
            "there is no file or directory nothing.json",
        ),
        (
            "schema draw store -o nothing/a.svg",
            "cannot write nothing/a.svg",
        ),
    ] {
        let error = log.run(command).failed(1);
        assert!(error.contains(message), "{command}: {error}");
    }
    for command in [
        "list store Partition Missing --json",
        "log show store --actor eve --json",
    ] {
        let ran = log.run(command);
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{ran:?}");
    }
    let ran = log.run("list store Partition Missing --count");
    assert_eq!((ran.code, &*ran.out), (Some(1), "0\n"), "{ran:?}");
}

#[test]
fn a_note_is_not_accepted() {
    let log = Log::of("databuild");
    let note = "linked_in_states JobRun.asks";
    let error = log.run_with(&["schema", "lint", "store", "--allow", note]);
    assert!(
        error
            .failed(2)
            .contains("is a note, which is no mistake; remove it from --allow")
    );
}

#[test]
fn wrong_arguments_are_exit_code_2() {
    let log = Log::of("databuild");
    for (command, message) in [
        ("log", "Usage"),
        ("log shwo store", "'show'"),
        (
            "get store Partition sum --as-of yesterday",
            "neither a sequence number",
        ),
        (
            "get store Partition sum --as-of 99",
            "the log has no frame 99: its last frame is 29",
        ),
        (
            "get store Partition sum --as-of 9999-01-01",
            "is in the future, and the last transaction of the log was at",
        ),
        (
            "list store Partition --as-of -1",
            "neither a sequence number",
        ),
        (
            "list store Partition --as-of 18446744073709551616",
            "larger than any sequence number",
        ),
        (
            "list store Partition --as-of 2026-11-28T12:00:00",
            "write `2026-11-28T12:00:00Z` for UTC",
        ),
        (
            "history store Want 0.1 --as-of 99",
            "the log has no frame 99: its last frame is 29",
        ),
        (
            "why store Want 0.1 --as-of 99",
            "the log has no frame 99: its last frame is 29",
        ),
        ("diff store 1 99", "the log has no frame 99"),
        ("diff store -1 5", "neither a sequence number"),
        (
            "log show store --from 30",
            "the log has no frame 30: its last frame is 29",
        ),
        ("log show store --from 9 --to 5", "--from is after --to"),
        ("log show store --last -1", "invalid digit"),
        ("log tail store --from 9 --to 5", "--from is after --to"),
        (
            "log export store --from 30",
            "the log has no frame 30: its last frame is 29",
        ),
        ("list store Partition --where name", "FIELD=VALUE"),
        (
            "list store Partition --where =sum",
            "there is no field before the `=`",
        ),
        (
            "list store Partition Zombie",
            "Partition has no state `Zombie`; there are `",
        ),
        (
            "list store Bed",
            "there is no type `Bed`; there are `JobRun`",
        ),
        (
            "get store JobRun 3",
            "`3` is not an id, and a JobRun has no key; name it by its id, such as 3.1",
        ),
        ("edges store JobRun Want/0.1", "is not an id"),
        ("log show store --key sum", "--type"),
        ("log show store --entity sum", "name its type and its id"),
        (
            "log show store --entity JobRun/3",
            "name its type and its id",
        ),
        ("log restore store target --to 99", "its last frame is 29"),
        ("log backup store store", "is the store itself"),
        (
            "log backup store store/copy",
            "is in the directory of the store",
        ),
        (
            "log restore store store/a/copy",
            "is in the directory of the store",
        ),
    ] {
        let ran = log.run(command);
        assert_eq!(ran.code, Some(2), "{command}: {ran:?}");
        assert!(ran.err.contains(message), "{command}: {ran:?}");
        assert!(ran.out.is_empty(), "{command}: {ran:?}");
    }
    assert!(!log.path("store/copy").exists() && !log.path("store/a").exists());
}

#[test]
fn a_closed_output_is_no_error() {
    let log = Log::of("databuild");
    for command in [
        &["log", "show", "store"][..],
        &["log", "stat", "store"],
        &["schema", "show", "store"],
        &["list", "store", "Partition", "--json"],
        &["completions", "bash"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = log
            .command(command)
            .stdout(writer)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(0), "{command:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{command:?}: {output:?}");
    }
}
