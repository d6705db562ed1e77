//! Ctrl-C: a command ends at once, without temporary files and without the directory of an incomplete restore or import. An
//! interrupted backup is continued by the next one.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

/// What is removed if the command is interrupted.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
/// The bar that is cleared if the command is interrupted.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);
/// Whether a pager has the terminal. It handles Ctrl-C itself, and ends when the user leaves it.
static PAGED: AtomicBool = AtomicBool::new(false);

/// The exit code of a command that Ctrl-C ended, as shells have it.
const INTERRUPTED: i32 = 130;

/// From now on, Ctrl-C cleans up before the command ends.
pub fn prepare() {
    // Without a handler the command ends at once too, and may leave a temporary file.
    let _ = ctrlc::set_handler(|| {
        if PAGED.load(Ordering::Relaxed) {
            return;
        }
        if let Some(bar) = lock(&BAR).take() {
            bar.finish_and_clear();
        }
        for path in lock(&TEMPORARY).drain(..) {
            let _ = match path.is_dir() {
                true => std::fs::remove_dir_all(path),
                false => std::fs::remove_file(path),
            };
        }
        std::process::exit(INTERRUPTED);
    });
}

/// Leaves Ctrl-C to a pager.
pub fn leave_to_pager() {
    PAGED.store(true, Ordering::Relaxed);
}

/// Clears a progress bar on Ctrl-C.
pub fn clears(bar: Option<ProgressBar>) {
    *lock(&BAR) = bar;
}

/// Removes a file, or a directory with all that is in it, on Ctrl-C.
pub fn removes(path: PathBuf) {
    lock(&TEMPORARY).push(path);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
