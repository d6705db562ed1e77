//! Programs that a test compiles itself, with rustc and the library that the test was linked with. Cargo would build all
//! dependencies again.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

/// The name of the compiler.
pub fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// The directory of what cargo has built for the running test.
fn deps() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.parent().expect("it is in a directory").to_owned()
}

/// The builds of ironweave beside the running test. The one that was built last is the first; cargo builds one for each set of features.
pub fn libraries() -> Vec<PathBuf> {
    let files = fs::read_dir(deps()).expect("what was built is there");
    let mut found: Vec<(SystemTime, PathBuf)> = files
        .filter_map(|file| file.ok().map(|file| file.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("libironweave-") && name.ends_with(".rlib")
        })
        .map(|path| {
            let built = fs::metadata(&path).and_then(|m| m.modified());
            (built.unwrap_or(SystemTime::UNIX_EPOCH), path)
        })
        .collect();
    found.sort();
    assert!(!found.is_empty(), "cargo has built ironweave before a test");
    found.into_iter().rev().map(|(_, path)| path).collect()
}

/// A command that compiles a program with a build of ironweave.
pub fn compiler(library: &Path) -> Command {
    let mut command = Command::new(rustc());
    command
        .arg("--edition=2024")
        .arg("--extern")
        .arg(format!("ironweave={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", deps().display()));
    command
}

/// Checks all items, on all processors, and fails with what is wrong with any.
pub fn assert_all<T: Sync>(items: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = String::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(why) = check(item) {
                wrong += &why;
                wrong += "\n";
            }
        }
        wrong
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let wrong: String = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .map(|w| w.join().expect("no panic"))
            .collect()
    });
    assert!(wrong.is_empty(), "{wrong}");
}
