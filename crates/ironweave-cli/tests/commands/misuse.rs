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
    assert!(log.run("log show file").failed(1).contains("file"));
    // Nothing was created.
    assert_eq!(
        fs::read_dir(log.path("empty")).expect("it exists").count(),
        0
    );
    assert!(!log.path("absent").exists());
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
            "there is no Partition with the key nothing",
        ),
        ("get store JobRun 99.1", "there is no JobRun 99.1"),
        (
            "history store Partition nothing",
            "no Partition with the key or id nothing",
        ),
        ("why store Want 99.1", "no Want with the key or id 99.1"),
    ] {
        let error = log.run(command).failed(1);
        assert!(error.contains(message), "{command}: {error}");
    }
    assert_eq!(log.run("list store Partition Missing").code, Some(1));
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
        ("get store Partition sum --as-of 99", "99"),
        ("diff store 1 99", "99"),
        ("list store Partition --where name", "FIELD=VALUE"),
        ("log show store --key sum", "--type"),
        ("log show store --entity sum", "name its type and its id"),
        ("log restore store target --to 99", "its last frame is 29"),
        ("log backup store store", "is the store itself"),
        ("schema diff store nothing.json", "nothing.json"),
    ] {
        let ran = log.run(command);
        // A path that is no file is a store that does not exist.
        let code = if command.starts_with("schema diff") {
            1
        } else {
            2
        };
        assert_eq!(ran.code, Some(code), "{command}: {ran:?}");
        assert!(ran.err.contains(message), "{command}: {ran:?}");
    }
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
