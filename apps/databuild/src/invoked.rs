//! The commands with which runs were started. They are kept beside what the runs wrote, as long as that, since the log of the store has only
//! the version of the job.
//!
//! The commands of 1024 runs are in one file, `DIR/logs/<first run>.commands`, with a line of JSON for each. So a run costs no file of its
//! own, and a command is found in a file of bounded length. Secrets are replaced by their names before a line is written.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};

use serde::{Deserialize, Serialize};

use crate::command::Secrets;
use crate::dirs::Dirs;
use crate::text::quoted;

/// The number of bytes of a command that are kept.
const BYTES_MAX: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
struct Line {
    run: String,
    command: Vec<String>,
}

/// Keeps the command of a run that is about to start. It is no result of the run, so errors are ignored.
pub fn keep(dirs: &Dirs, run: &str, command: Vec<String>, secrets: &Secrets) {
    let mut left = BYTES_MAX;
    let command = command
        .into_iter()
        .map(|word| cut(secrets.redact(word), &mut left));
    let line = Line {
        run: run.to_owned(),
        command: command.collect(),
    };
    let Ok(mut text) = serde_json::to_string(&line) else {
        return;
    };
    text.push('\n');
    let file = File::options()
        .create(true)
        .append(true)
        .open(dirs.commands(run));
    drop(file.and_then(|mut file| file.write_all(text.as_bytes())));
}

/// The command of a run, if it is kept.
pub fn find(dirs: &Dirs, run: &str) -> Option<Vec<String>> {
    let file = File::open(dirs.commands(run)).ok()?;
    let lines = BufReader::new(file).lines().map_while(Result::ok);
    // The last line may be incomplete, if databuild was killed.
    let lines = lines.filter_map(|line| serde_json::from_str::<Line>(&line).ok());
    // After a power failure, another run may have got the id of one that the store has lost.
    let found = lines.filter(|line| line.run == run).last()?;
    Some(found.command)
}

/// A word, or the part of it that there is room for.
fn cut(mut word: String, left: &mut usize) -> String {
    let mut end = word.len().min(*left);
    while !word.is_char_boundary(end) {
        end -= 1;
    }
    *left -= end;
    let more = word.len() - end;
    if more > 0 {
        word.truncate(end);
        word += &format!(".. ({more} more bytes)");
    }
    word
}

/// A command as a shell would read it.
pub fn in_shell(command: &[String]) -> String {
    let words = command.iter().map(|word| quoted(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_found_by_their_runs() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = Dirs::at(dir.path()).unwrap();
        dirs.create().unwrap();
        let none = Secrets::default();
        for run in [0, 1, 1023, 1024, 5000] {
            let run = format!("{run}.1");
            keep(&dirs, &run, vec!["echo".into(), run.clone()], &none);
        }
        let files = std::fs::read_dir(dir.path().join("logs")).unwrap();
        assert_eq!(files.count(), 3);
        for run in ["0.1", "1023.1", "1024.1", "5000.1"] {
            assert_eq!(find(&dirs, run).unwrap(), ["echo", run]);
        }
        for run in ["2.1", "0.2", "9999.1", "x"] {
            assert_eq!(find(&dirs, run), None);
        }
        // A line that was not written to its end hides no other one.
        let path = dirs.commands("0.1");
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        assert_eq!(find(&dirs, "1023.1"), None);
        assert!(find(&dirs, "1.1").is_some());
        let long = vec!["x".repeat(20_000), "ü".into()];
        keep(&dirs, "7000.1", long, &none);
        let found = find(&dirs, "7000.1").unwrap();
        assert!(found[0].ends_with("x.. (3616 more bytes)"), "{}", found[0]);
        assert_eq!(found[1], ".. (2 more bytes)");
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let command = ["sh", "-c", "echo 'a b' > \"$x\"", "", "a/b-1.2=3"].map(str::to_owned);
        assert_eq!(
            in_shell(&command),
            r#"sh -c 'echo '\''a b'\'' > "$x"' '' a/b-1.2=3"#
        );
    }
}
