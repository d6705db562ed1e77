//! Bad input gives one clear message with advice and a non-zero exit status, and no data is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::support::{Place, Seen};

/// Runs databuild with a limit on the size of files, in blocks of 512 bytes.
fn limited(place: &Place, blocks: u32) -> Seen {
    let command = place.command(&["demo", "--workspace", "workspace"]);
    let mut sh = Command::new("sh");
    sh.args(["-c", &format!("ulimit -f {blocks}; exec \"$0\" \"$@\"")])
        .arg(command.get_program());
    sh.args(command.get_args()).current_dir(place.path(""));
    Seen::of(sh.output().expect("sh starts"))
}

/// Asserts that there is exactly one message.
#[track_caller]
fn has_one_message(seen: &Seen) {
    assert_eq!(
        seen.stderr.matches("databuild: ").count(),
        1,
        "{}",
        seen.stderr
    );
    assert!(!seen.stderr.contains("RUST_BACKTRACE"), "{}", seen.stderr);
}

#[test]
fn a_wrong_path() {
    let place = Place::new();
    has_one_message(
        &place
            .demo()
            .refused(&["there is no workspace at workspace", "--workspace"]),
    );
    place.write("workspace/readme", "");
    has_one_message(
        &place
            .demo()
            .refused(&["cargo finds no workspace at", "could not find `Cargo.toml`"]),
    );
    assert!(!place.path("out").exists(), "nothing was made");
}

#[test]
fn a_workspace_that_does_not_resolve() {
    let place = Place::with_workspace();
    place.edit(
        "workspace/app/Cargo.toml",
        "../libs/gamma",
        "../libs/nowhere",
    );
    place.demo().refused(&[
        "manifest failed:",
        "libs/nowhere/Cargo.toml",
        "cargo cannot resolve the workspace",
    ]);
    place.edit(
        "workspace/app/Cargo.toml",
        "../libs/nowhere",
        "../libs/gamma",
    );
    place.demo().success();
    // Also if it breaks later, and if the lock file is outdated.
    fs::remove_file(place.path("workspace/Cargo.lock")).unwrap();
    has_one_message(&place.demo().refused(&["--locked"]));
    place.lock();
    assert_eq!(place.demo().success().counts(), (0, 17));
}

#[test]
fn a_jobs_file_with_a_mistake() {
    let good = "[[job]]\npartitions = 'a*'\ncommand = ['true']\n";
    for (text, refs, words) in [
        ("[[job]\n".to_owned(), ["a"], ["jobs.toml, line 1: ", ""]),
        (
            format!("{good}retry = 3\n"),
            ["a"],
            ["jobs.toml, line 4: unknown field `retry`", ""],
        ),
        (
            "[[job]]\npartitions = 'a'\n".to_owned(),
            ["a"],
            ["jobs.toml, line 1: missing field `command`", ""],
        ),
        (
            format!("{good}[[job]]\npartitions = '*a'\ncommand = ['x']\n"),
            ["a"],
            ["lines 2 and 5: both `a*` and `*a`", ""],
        ),
        (
            good.to_owned(),
            ["b"],
            ["no job in jobs.toml makes `b`", "add one"],
        ),
        (
            good.to_owned(),
            ["a/../b"],
            ["`a/../b` cannot be the name of a partition", ""],
        ),
    ] {
        let place = Place::with_jobs(&text);
        has_one_message(&place.run(&refs).refused(&words));
        assert!(
            !place.path("out/store").exists() || place.status().contains("partitions: 0"),
            "{text}"
        );
    }
    let place = Place::new();
    has_one_message(
        &place
            .run(&["a"])
            .refused(&["cannot read the jobs file jobs.toml"]),
    );
}

#[test]
fn partitions_within_each_other() {
    let place = Place::with_jobs("[[job]]\npartitions = '**'\ncommand = ['true']\n");
    place.run(&["a/b"]).success();
    has_one_message(
        &place
            .run(&["a"])
            .refused(&["there cannot be both a partition `a` and a partition `a/b`"]),
    );
}

#[test]
fn a_limit_on_the_size_of_files() {
    let place = Place::with_workspace();
    for blocks in [0, 1, 16, 30] {
        let seen = limited(&place, blocks).refused(&["File too large"]);
        assert!(seen.stderr.contains("databuild: "), "{}", seen.stderr);
        assert!(!seen.stdout.contains("report: "), "{}", seen.stdout);
    }
    let (built, reused) = place.demo().success().counts();
    assert_eq!(built + reused, 17);
    assert_eq!(place.demo().success().counts(), (0, 17));
}

#[test]
fn a_file_where_a_directory_should_be() {
    for file in ["out", "out/data", "out/runs", "out/jobs", "out/store"] {
        let place = Place::with_workspace();
        place.write(file, "");
        has_one_message(&place.demo().refused(&["cannot ", "--dir"]));
        assert_eq!(place.read(file), "");
        fs::remove_file(place.path(file)).unwrap();
        assert_eq!(place.demo().success().counts(), (17, 0));
    }
}

#[test]
fn a_directory_that_cannot_be_written() {
    const NOBODY: u32 = 65_534;
    let place = Place::with_jobs("[[job]]\npartitions = '**'\ncommand = ['true']\n");
    let allow = |path: &str, mode| {
        fs::set_permissions(place.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    allow("", 0o755);
    fs::create_dir(place.path("out")).unwrap();
    allow("out", 0o555);
    // Root can write to it in any case, so the test runs as another user.
    let root = fs::write(place.path("out/probe"), "").is_ok();
    if root {
        fs::remove_file(place.path("out/probe")).unwrap();
    }
    let run = || {
        let mut command = place.command(&["run", "--jobs", "jobs.toml", "want", "a"]);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().map(Seen::of)
    };
    let seen = match run() {
        Err(e) if root && e.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("not tested: only root can start the programs in this directory");
            return;
        }
        seen => seen.expect("databuild starts"),
    };
    has_one_message(&seen.refused(&["cannot create the directory", "--dir"]));

    // A directory that became read-only after a build.
    allow("out", 0o755);
    place.run(&["a"]).success();
    let log = place.log();
    for path in ["out/store/LOCK", "out/store", "out/data", "out/runs", "out"] {
        allow(path, if path.ends_with("LOCK") { 0o444 } else { 0o555 });
    }
    has_one_message(
        &run()
            .unwrap()
            .refused(&["cannot open the store in", "--dir"]),
    );
    assert_eq!(place.log(), log, "the log can be read, and is unchanged");
    for path in ["out", "out/data", "out/runs", "out/store"] {
        allow(path, 0o755);
    }
}

mod other {
    //! Another model than that of databuild.
    #[ironweave::model]
    pub mod lamps {
        use ironweave::prelude::*;
        /// A lamp.
        #[entity]
        pub struct Lamp {
            /// The room that it is in.
            #[key]
            pub room: String,
        }
        /// Its state.
        #[states(Lamp)]
        pub enum LampState {
            /// Dark.
            #[initial]
            #[to(On)]
            Off,
            /// Lit.
            #[to(Off)]
            On,
        }
        /// The lamp was switched on.
        #[event]
        #[moves(lamp: Off -> On)]
        pub struct Lit {
            /// The lamp.
            pub lamp: Ensure<Lamp>,
        }
    }
}

#[test]
fn a_store_of_another_model() {
    use ironweave::Store;
    let place = Place::with_workspace();
    fs::create_dir(place.path("out")).unwrap();
    let mut store = Store::<other::lamps::Model>::open(place.path("out/store")).unwrap();
    store.step(other::lamps::Lit {
        lamp: "hall".into(),
    });
    drop(store);
    let before = fs::read(place.path("out/store/00000000000000000000.log")).unwrap();
    has_one_message(
        &place
            .demo()
            .refused(&["cannot open the store in", "another model", "Lamp"]),
    );
    has_one_message(&place.databuild(&["status"]).refused(&["another model"]));
    assert_eq!(
        fs::read(place.path("out/store/00000000000000000000.log")).unwrap(),
        before
    );
}

#[test]
fn a_damaged_log() {
    let place = Place::with_workspace();
    place.demo().success();
    let path = place.path("out/store/00000000000000000000.log");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    has_one_message(
        &place
            .demo()
            .refused(&["cannot open the store in", "00000000000000000000.log"]),
    );
    has_one_message(
        &place
            .databuild(&["log"])
            .refused(&["00000000000000000000.log"]),
    );
    assert_eq!(fs::read(&path).unwrap(), bytes, "the log is unchanged");
}
