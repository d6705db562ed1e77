//! `log backup` and `log restore`.

use std::fs;

use crate::Log;

/// The names and contents of the files of a directory, without the lock.
fn files(log: &Log, name: &str) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(log.path(name))
        .expect("a directory")
        .map(|entry| {
            let entry = entry.expect("an entry");
            let bytes = fs::read(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .filter(|(name, _)| name != "LOCK")
        .collect();
    files.sort();
    files
}

#[test]
fn a_backup_has_the_same_files_and_a_second_one_writes_nothing() {
    for name in [
        "databuild",
        "segments",
        "version3/segments",
        "version3/epochs",
    ] {
        let log = Log::of(name);
        let first = log.run("log backup store copy").ok();
        assert!(first.contains("read back and compared"), "{first}");
        assert_eq!(files(&log, "store"), files(&log, "copy"), "{name}");
        assert_eq!(
            log.run("log backup store copy").ok(),
            "ok: the backup is up to date\n"
        );
        assert_eq!(
            log.run("log verify copy").ok(),
            log.run("log verify store").ok()
        );
    }
}

#[test]
fn the_backup_of_another_store_is_never_changed() {
    let log = Log::of("databuild");
    log.run("log backup store copy").ok();
    let before = files(&log, "copy");
    let other = Log::of("version3/constructs");
    let target = log.path("copy").display().to_string();
    let error = other
        .run_with(&["log", "backup", "store", &target])
        .failed(1);
    assert!(error.contains("is a backup of store"), "{error}");
    assert_eq!(files(&log, "copy"), before);

    fs::create_dir(log.path("full")).expect("a directory");
    fs::write(log.path("full/notes.txt"), "mine").expect("a file");
    for command in ["log backup store full", "log restore store full"] {
        let error = log.run(command).failed(1);
        assert!(error.contains("notes.txt"), "{error}");
    }
    assert_eq!(files(&log, "full").len(), 1);
}

#[test]
fn a_backup_with_frames_that_the_source_lost_is_never_changed() {
    let log = Log::of("version3/segments");
    log.run("log backup store copy").ok();
    let before = files(&log, "copy");
    log.run("log restore copy earlier --to 5").ok();
    let error = log.run("log backup earlier copy").failed(1);
    assert!(
        error.contains("has frames that the source does not have"),
        "{error}"
    );
    assert_eq!(files(&log, "copy"), before);
}

#[test]
fn a_restored_log_ends_at_the_frame_or_time() {
    let log = Log::of("version3/segments");
    for (to, last) in [
        ("0", 0),
        ("5", 5),
        ("6", 6),
        ("15", 15),
        ("2026-09-21T14:13:24Z", 5),
    ] {
        let target = format!("restored-{last}-{}", to.len());
        let said = log
            .run(&format!("log restore store {target} --to {to}"))
            .ok();
        assert!(
            said.starts_with(&format!("ok: frames 0 to {last} ")),
            "{said}"
        );
        let json = log.run(&format!("log verify {target} --json")).ok();
        assert!(
            json.contains(&format!("\"frames\":{},", last + 1)),
            "{json}"
        );
        assert!(!log.path(&format!("{target}.unfinished")).exists());
    }
    let error = log.run("log restore store early --to 2020-01-01").failed(2);
    assert!(error.contains("no transaction at or before"), "{error}");
}

#[test]
fn an_export_is_imported_as_the_same_log() {
    for name in [
        "version3/constructs",
        "version3/segments",
        "version3/epochs",
    ] {
        let log = Log::of(name);
        let lines = log.run("log export store").ok();
        fs::write(log.path("lines.json"), &lines).expect("a file");
        let said = log.run("log import lines.json copy").ok();
        assert!(
            said.starts_with("ok: ") && said.contains("fingerprint"),
            "{said}"
        );
        // The store has another id, and so have its positions.
        let same = |store: &str| {
            let lines = log.run(&format!("log export {store}")).ok();
            let lines = lines.lines().map(|line| {
                let mut line: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
                line["position"].take();
                line
            });
            lines.collect::<Vec<_>>()
        };
        assert_eq!(same("store"), same("copy"));
        let error = log.run("log import lines.json copy").failed(1);
        assert!(
            error.contains("name a new or an empty directory"),
            "{error}"
        );
    }
}

#[test]
fn an_import_of_something_else_leaves_nothing() {
    let log = Log::of("version3/constructs");
    let lines = log.run("log export store").ok();
    let lines: Vec<&str> = lines.lines().collect();
    let altered = lines[5].replacen("\"payload\":\"", "\"payload\":\"00", 1);
    for (name, text, message) in [
        (
            "gap",
            [&lines[..3], &lines[4..]].concat().join("\n"),
            "line 4: it is frame 4, and frame 3 is due",
        ),
        (
            "text",
            "hello".to_owned(),
            "line 1: it is not a line of `ironweave log export STORE`: it is invalid at column 1",
        ),
        (
            "cut",
            [&lines[..2], &[&lines[2][..99]]].concat().join("\n"),
            "line 3: it is not a line of `ironweave log export STORE`: it ends at column 99",
        ),
        (
            "filtered",
            log.run("log export store --event Payment").ok(),
            "line 1: it has no `frame`",
        ),
        (
            "altered",
            [&lines[..5], &[&altered]].concat().join("\n"),
            "frame 5",
        ),
        ("nothing", String::new(), "no frames"),
    ] {
        fs::write(log.path("lines.json"), text).expect("a file");
        let error = log.run("log import lines.json copy").failed(1);
        assert!(error.contains(message), "{name}: {error}");
        assert!(
            !log.path("copy").exists() && !log.path("copy.unfinished").exists(),
            "{name}"
        );
    }
    let old = Log::of("databuild");
    fs::write(old.path("lines.json"), old.run("log export store").ok()).expect("a file");
    let error = old.run("log import lines.json copy").failed(1);
    assert!(error.contains("format version 2"), "{error}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_leaves_nothing() {
    use std::io::Write as _;
    use std::process::Stdio;

    let log = Log::of("version3/constructs");
    let lines = log.run("log export store").ok();
    let mut command = log.command(&["log", "import", "-", "copy"]);
    let mut import = command.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut input = import.stdin.take().expect("a pipe");
    // More than a pipe holds, so that the command has begun when it is written.
    let first = lines.lines().next().expect("a line");
    writeln!(input, "{first}").expect("it is read");
    write!(input, "{}", " ".repeat(1 << 20)).expect("it is read");
    assert!(log.path("copy.unfinished").exists());
    let pid = import.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.expect("kill runs").success());
    assert_eq!(import.wait().expect("it ends").code(), Some(130));
    assert!(!log.path("copy.unfinished").exists() && !log.path("copy").exists());
}
