//! Ends what the runs of a databuild that was killed have left running, so that no process works beside its successor.
//!
//! Such a process has the directory of its run in its environment, as `DATABUILD_OUT`. A number alone would not do, since it may be that of
//! another process by now. Where there is no `/proc`, and for a process with another environment, nothing is done: what it writes is not used.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use rustix::process::{Pid, Signal, kill_process};

use crate::dirs::Dirs;

/// How often the processes are looked through: one may start another one meanwhile.
const ROUNDS_MAX: usize = 10;

/// Kills the processes of runs in these directories, and returns how many.
pub fn end(dirs: &Dirs) -> usize {
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let found: Vec<Pid> = of(dirs);
        if found.is_empty() {
            break;
        }
        for pid in found {
            // It may have ended.
            let _ = kill_process(pid, Signal::KILL);
            killed.insert(pid.as_raw_nonzero());
        }
    }
    killed.len()
}

/// The processes of runs in these directories.
fn of(dirs: &Dirs) -> Vec<Pid> {
    let mut variable = b"DATABUILD_OUT=".to_vec();
    variable.extend(dirs.run("").as_os_str().as_bytes());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = std::process::id().cast_signed();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let is_of_run = |pid: &i32| {
        // Empty for a process that has ended, and unreadable for those of others.
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        *pid != own && variables.any(|one| one.starts_with(&variable))
    };
    pids.filter(is_of_run).filter_map(Pid::from_raw).collect()
}
