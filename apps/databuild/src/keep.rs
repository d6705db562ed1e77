//! The retention of the output of runs, and the list of the outputs that it has removed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::dirs::Dirs;
use crate::text::shown;

const DAY: Duration = Duration::from_secs(86_400);
/// The maximum size of the list of removed outputs, in bytes. Its older half is dropped when it is larger.
const LIST_BYTES_MAX: usize = 1 << 20;

/// The limits on the output of runs that is kept, `[logs]` in a jobs file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The maximum age, in days.
    pub days: u32,
    /// The maximum size of all outputs together, in bytes.
    pub bytes: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            days: 30,
            bytes: 1 << 30,
        }
    }
}

/// Reads a number of bytes: `500000`, `64KiB`, `200MiB` or `1GiB`.
///
/// # Errors
/// If the text is none.
pub fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text[digits.len()..].trim() {
        "" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1_u64 << 30),
        _ => None,
    };
    let number = digits.parse().ok().zip(unit);
    let bytes = number.and_then(|(number, unit): (u64, u64)| number.checked_mul(unit));
    bytes.ok_or_else(|| {
        let text = shown(text);
        format!("`{text}` is no number of bytes: write one such as 500000, 64KiB, 200MiB or 1GiB")
    })
}

/// The file with the runs whose output was removed: a line for each, with the limit.
fn list(dirs: &Dirs) -> PathBuf {
    dirs.logs().join("removed")
}

/// Removes the output of the oldest runs, as far as the limits require.
pub fn prune(dirs: &Dirs, keep: Keep, now: SystemTime) {
    let oldest = now.checked_sub(DAY * keep.days);
    let oldest = oldest.unwrap_or(SystemTime::UNIX_EPOCH);
    let list = list(dirs);
    let files = fs::read_dir(dirs.logs()).into_iter().flatten().flatten();
    let files = files.filter(|file| file.path() != list);
    let files = files.filter_map(|file| {
        let meta = file.metadata().ok()?;
        Some((meta.modified().ok()?, meta.len(), file.path()))
    });
    let mut files: Vec<(SystemTime, u64, PathBuf)> = files.collect();
    files.sort();
    let mut bytes: u64 = files.iter().map(|(_, len, _)| len).sum();
    let mut removed = String::new();
    for (time, len, path) in files {
        let limit = match time < oldest {
            true => format!("days {}", keep.days),
            false if bytes > keep.bytes => format!("bytes {}", keep.bytes),
            false => break,
        };
        bytes -= len;
        let name = path.file_name().and_then(|name| name.to_str());
        let run = name.and_then(|name| {
            name.strip_suffix(".stdout")
                .or_else(|| name.strip_suffix(".stderr"))
        });
        if fs::remove_file(&path).is_ok()
            && let Some(run) = run
        {
            removed += &format!("{run} {limit}\n");
        }
    }
    if !removed.is_empty() {
        note(&list, &removed);
    }
}

/// Adds lines to the list. It is for people, so errors are ignored.
fn note(list: &PathBuf, lines: &str) {
    let file = fs::File::options().append(true).create(true).open(list);
    drop(file.and_then(|mut file| file.write_all(lines.as_bytes())));
    let known = fs::read_to_string(list).unwrap_or_default();
    if known.len() > LIST_BYTES_MAX {
        let lines: Vec<&str> = known.lines().collect();
        let later = lines[lines.len() / 2..].join("\n") + "\n";
        drop(fs::write(list, later));
    }
}

/// Why the output of a run was removed, if retention has removed it.
pub fn why_removed(dirs: &Dirs, run: &str) -> Option<String> {
    let known = fs::read_to_string(list(dirs)).ok()?;
    let line = known.lines().rev();
    let limit = line
        .filter_map(|line| line.strip_prefix(run)?.strip_prefix(' '))
        .next()?;
    let limit = match limit.split_once(' ')? {
        ("days", days) => {
            format!("it was older than {days} days (`days` in [logs] of the jobs file)")
        }
        (_, bytes) => format!(
            "that of all runs had more than {bytes} bytes (`bytes` in [logs] of the jobs file)"
        ),
    };
    Some(format!("what run {run} wrote was removed, because {limit}"))
}

/// How many runs have lost their output by each limit, written as in the jobs file (`days = 30`). Of a list that was too long, the older half
/// is not counted.
pub fn removed(dirs: &Dirs) -> BTreeMap<String, usize> {
    let known = fs::read_to_string(list(dirs)).unwrap_or_default();
    // A line for stdout and one for stderr.
    let runs: BTreeMap<&str, &str> = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let mut counts = BTreeMap::new();
    for limit in runs.into_values() {
        *counts.entry(limit.replace(' ', " = ")).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes() {
        for (text, expected) in [
            ("0", Some(0)),
            ("500000", Some(500_000)),
            ("64KiB", Some(65_536)),
            ("2 MiB", Some(2 << 20)),
            ("1GiB", Some(1 << 30)),
            ("1GB", None),
            ("", None),
            ("-1", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn the_oldest_are_removed_and_it_is_known_why() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        dirs.create().unwrap();
        let keep = |days, bytes| Keep { days, bytes };
        fs::write(dirs.stderr("1.1"), "x".repeat(20)).unwrap();
        fs::write(dirs.stdout("2.1"), "x".repeat(10)).unwrap();
        let earlier = SystemTime::now() - Duration::from_secs(60);
        let file = fs::File::options().write(true).open(dirs.stderr("1.1"));
        file.unwrap().set_modified(earlier).unwrap();
        let now = SystemTime::now();
        prune(&dirs, keep(1, 30), now);
        assert!(dirs.stderr("1.1").exists(), "30 bytes");
        assert_eq!(why_removed(&dirs, "1.1"), None);
        prune(&dirs, keep(1, 29), now);
        assert!(!dirs.stderr("1.1").exists() && dirs.stdout("2.1").exists());
        let why = why_removed(&dirs, "1.1").unwrap();
        assert!(why.contains("more than 29 bytes"), "{why}");
        prune(&dirs, keep(1, 29), now + 2 * DAY);
        assert!(!dirs.stdout("2.1").exists());
        let why = why_removed(&dirs, "2.1").unwrap();
        assert!(why.contains("older than 1 days"), "{why}");
        assert_eq!(why_removed(&dirs, "2"), None);
        // Both files of a run are one output.
        for file in [dirs.stdout("3.1"), dirs.stderr("3.1")] {
            fs::write(file, "x").unwrap();
        }
        prune(&dirs, keep(1, 29), now + 2 * DAY);
        let removed: Vec<(String, usize)> = removed(&dirs).into_iter().collect();
        let expected = [("bytes = 29".to_owned(), 1), ("days = 1".to_owned(), 2)];
        assert_eq!(removed, expected);
    }
}
