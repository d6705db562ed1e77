//! Finds the file of a program, so that a process can be started without a copy of databuild.
//!
//! A program without a `/` is looked up in the `PATH` of the process. Where the standard library would do that after a fork, the kernel
//! copies the page tables of databuild first, which costs more than a small job as soon as the store is large. With the path of the file,
//! it uses `posix_spawn`, which copies nothing.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{Access, access};

/// The first bytes of files that the kernel executes itself. A shell executes other ones, after a fork.
const EXECUTED: [&[u8]; 2] = [b"#!", b"\x7fELF"];

/// How long the result of a lookup is reused. A program that is replaced meanwhile is found where it was.
const KNOWN_FOR: Duration = Duration::from_secs(1);

/// The result of the last lookup of a program in a `PATH`, and its time.
type Known = HashMap<(String, OsString), (Instant, Option<PathBuf>)>;

static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// As `find`, which is called at most once in a second for a program: it asks the system for each directory of the `PATH`.
pub fn find_again(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.is_empty() || program.contains('/') {
        return None;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let key = (program.to_owned(), path.to_owned());
    match known.get(&key) {
        Some((at, file)) if now.duration_since(*at) < KNOWN_FOR => file.clone(),
        _ => {
            known.retain(|_, (at, _)| now.duration_since(*at) < KNOWN_FOR);
            let file = find(program, path);
            known.insert(key, (now, file.clone()));
            file
        }
    }
}

/// The file that a program without a `/` is found in. `None` if the lookup is to be left to the new process: there is no such file, or what
/// is found depends on the directory of the process.
fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    if program.is_empty() || program.contains('/') {
        return None;
    }
    for dir in std::env::split_paths(path) {
        if !dir.is_absolute() {
            return None;
        }
        let file = dir.join(program);
        if file.is_file() && access(&file, Access::EXEC_OK).is_ok() {
            return is_executed(&file).then_some(file);
        }
    }
    None
}

/// Returns whether the kernel executes the file itself.
fn is_executed(file: &Path) -> bool {
    let mut start = [0; 4];
    // What cannot be read may still be executed, by the new process.
    let read = File::open(file).and_then(|mut file| file.read(&mut start));
    read.is_ok_and(|n| EXECUTED.iter().any(|begin| start[..n].starts_with(begin)))
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_is_found_as_a_new_process_would_find_it() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (root.path().join("1"), root.path().join("2"));
        create_dir(&first).unwrap();
        create_dir(&second).unwrap();
        let file = |path: PathBuf, text: &str, mode| {
            write(&path, text).unwrap();
            set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        };
        file(first.join("noted"), "#!/bin/sh\n", 0o644);
        file(second.join("noted"), "#!/bin/sh\n", 0o755);
        file(first.join("both"), "#!/bin/sh\n", 0o755);
        file(second.join("both"), "#!/bin/sh\n", 0o755);
        file(first.join("bare"), "echo\n", 0o755);
        file(second.join("bare"), "#!/bin/sh\n", 0o755);
        create_dir(first.join("dir")).unwrap();
        let path = |dirs: &[&Path]| std::env::join_paths(dirs).unwrap();
        let both = path(&[&first, &second]);
        for (program, expect) in [
            ("noted", Some(second.join("noted"))),
            ("both", Some(first.join("both"))),
            // It is the first one, which a shell executes.
            ("bare", None),
            ("dir", None),
            ("absent", None),
            ("./both", None),
            ("", None),
        ] {
            assert_eq!(find(program, &both), expect, "{program}");
            assert_eq!(find_again(program, &both), expect, "{program}");
        }
        let relative = path(&[Path::new("bin"), &first]);
        assert_eq!(find("both", &relative), None);
        assert_eq!(find("both", OsStr::new("")), None);
    }
}
