//! Builds the command of a process from the command in the jobs file.
//!
//! Architecture invariant: a value never becomes part of a text that a shell parses. The argument after the `-c` of a
//! shell is not changed; the shell expands the same names from its environment, and does not parse their
//! values. Everywhere else a value becomes part of one argument of a process, which is not split.

use std::borrow::Cow;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;

use crate::program;

/// A variable of a job's environment.
pub type Var = (Cow<'static, str>, String);

/// The names that are replaced in the arguments of commands.
pub const NAMES: [&str; 6] = [
    "PARTITION",
    "DATABUILD_OUT",
    "DATABUILD_DATA",
    "DATABUILD_JOBS",
    "DATABUILD",
    "DATABUILD_WORKSPACE",
];

/// Programs that take the argument after `-c` (or a cluster of options such as `-ec`) for a script.
const SHELLS: [&str; 14] = [
    "sh", "bash", "rbash", "dash", "ash", "ksh", "ksh93", "mksh", "oksh", "yash", "zsh", "fish",
    "csh", "tcsh",
];

/// Programs that pass the argument after `-c`, in any position, to a shell.
const SHELL_STARTERS: [&str; 5] = ["su", "runuser", "script", "flock", "sg"];

/// The variables that each job has, as databuild has them.
const BASE: [&str; 10] = [
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TZ", "TMPDIR", "TERM",
];

/// The environment of a job.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Variables that are as databuild has them; a name that ends with `*` is for all that begin so.
    inherited: Vec<String>,
    /// Variables with their values.
    given: Vec<(String, String)>,
    /// Variables that are as databuild has them, and whose values are kept nowhere.
    secrets: Vec<String>,
    /// All of them, when they were needed for the first time.
    vars: OnceLock<Vec<(String, String)>>,
}

impl Environment {
    /// Reads what a jobs file says: `NAME`, `PREFIX_*` or `NAME=value`.
    ///
    /// # Errors
    /// A message, if a name is empty or has other characters than letters, digits and `_`.
    pub fn parse(env: Vec<String>, secrets: Vec<String>) -> Result<Self, String> {
        let is_name = |name: &str| {
            let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
            !name.is_empty() && name.chars().all(is_fine)
        };
        let refused = |text: &str| {
            Err(format!(
                "`{}` is no variable: write NAME, PREFIX_* or NAME=value, and for a secret NAME",
                crate::text::shown(text)
            ))
        };
        let mut all = Self::default();
        for text in env {
            match text.split_once('=') {
                Some((name, value)) if is_name(name) && !value.contains('\0') => {
                    all.given.push((name.to_owned(), value.to_owned()));
                }
                None if is_name(text.strip_suffix('*').unwrap_or(&text)) => {
                    all.inherited.push(text);
                }
                _ => return refused(&text),
            }
        }
        if let Some(wrong) = secrets.iter().find(|name| !is_name(name)) {
            return refused(wrong);
        }
        all.secrets = secrets;
        Ok(all)
    }

    /// The variables, as databuild has them. Those whose text is not UTF-8 are left out.
    fn vars(&self) -> &[(String, String)] {
        self.vars.get_or_init(|| self.find().collect())
    }

    fn find(&self) -> impl Iterator<Item = (String, String)> {
        let names = BASE.iter().copied();
        let names = names.chain(self.inherited.iter().map(String::as_str));
        let names: Vec<&str> = names
            .chain(self.secrets.iter().map(String::as_str))
            .collect();
        let all = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let is_listed = move |(name, _): &(String, String)| {
            names.iter().any(|listed| match listed.strip_suffix('*') {
                Some(prefix) => name.starts_with(prefix),
                None => name == listed,
            })
        };
        all.filter(is_listed).chain(self.given.iter().cloned())
    }

    /// The secrets with their present values.
    pub fn secrets(&self) -> Secrets {
        let values = self.secrets.iter().filter_map(|name| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
            Some((value, format!("[{name}]")))
        });
        let mut values: Vec<(String, String)> = values.collect();
        // One may be part of another.
        values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        Secrets(values)
    }
}

/// Values that are kept nowhere, with what is written instead.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with the names in place of the values.
    pub fn redact(&self, text: String) -> String {
        let values = self.0.iter();
        values.fold(text, |text, (value, name)| text.replace(value, name))
    }

    /// The same for a text that may not be UTF-8.
    pub fn redact_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.0.iter().fold(bytes, |bytes, (value, name)| {
            let value = value.as_bytes();
            let (mut out, mut rest) = (Vec::with_capacity(bytes.len()), &bytes[..]);
            while let Some(at) = rest.windows(value.len()).position(|part| part == value) {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(name.as_bytes());
                rest = &rest[at + value.len()..];
            }
            out.extend_from_slice(rest);
            out
        })
    }

    /// The end of the part of a text that can be redacted before the rest of the text is known: what follows may be the beginning of a
    /// secret.
    pub fn complete_until(&self, bytes: &[u8]) -> usize {
        let values = || self.0.iter().map(|(value, _)| value.as_bytes());
        let begun = values().filter_map(|value| {
            let lens = (1..value.len()).rev();
            lens.into_iter().find(|len| bytes.ends_with(&value[..*len]))
        });
        let until = bytes.len() - begun.max().unwrap_or_default();
        // A whole secret is not cut in two.
        let around = values().filter_map(|value| {
            let starts = until.saturating_sub(value.len() - 1)..until;
            let mut ends = starts.filter(|at| bytes[*at..].starts_with(value));
            ends.next().map(|at| at + value.len())
        });
        around.fold(until, usize::max)
    }
}

/// The command of a process, with names replaced in its arguments, the same names in its environment, and its own
/// process group.
pub fn of(words: &[String], vars: &[Var], env: &Environment) -> Command {
    let mut words = expand(words, vars).into_iter();
    // A jobs file has no empty commands; starting an empty one fails.
    let program = words.next().unwrap_or_default();
    let env = env.vars();
    let path = env.iter().rfind(|(name, _)| name == "PATH");
    let file = path.and_then(|(_, path)| program::find_again(&program, path.as_ref()));
    let mut command = match file {
        Some(file) => Command::new(file),
        None => Command::new(&program),
    };
    command
        .arg0(&program)
        .process_group(0)
        .args(words)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .envs(vars.iter().map(|(name, value)| (&**name, value)));
    command
}

/// The words of a command with variables replaced, except in scripts for a shell.
pub fn expand(words: &[String], vars: &[Var]) -> Vec<String> {
    let scripts = scripts(words);
    words
        .iter()
        .enumerate()
        .map(|(i, word)| match scripts.contains(&i) {
            true => word.clone(),
            false => replace(word, vars),
        })
        .collect()
}

/// The indexes of the words that a shell parses as scripts. The shell may follow other programs, as in `nice sh -c ..`.
fn scripts(words: &[String]) -> Vec<usize> {
    let mut scripts = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let program = word.rsplit('/').next().unwrap_or(word);
        let script = if scripts.contains(&i) {
            None
        } else if SHELLS.contains(&program) {
            script_of_shell(&words[i + 1..])
        } else if SHELL_STARTERS.contains(&program) {
            let at = words[i + 1..]
                .iter()
                .position(|word| word == "-c" || word == "--command");
            at.map(|at| at + 1)
        } else {
            None
        };
        scripts.extend(script.map(|at| i + 1 + at).filter(|at| *at < words.len()));
    }
    scripts
}

/// The index of the script in the arguments of a shell: the first argument that is not an option, if there is an option `c`.
fn script_of_shell(arguments: &[String]) -> Option<usize> {
    let mut reads_script = false;
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        if let Some(long) = argument.strip_prefix("--") {
            at += 1;
            if ["rcfile", "init-file", "init-command"].contains(&long) {
                at += 1;
            } else if long == "command" {
                return Some(at); // of fish
            } else if long.is_empty() {
                break;
            }
        } else if let Some(cluster) = argument.strip_prefix(['-', '+']).filter(|c| !c.is_empty()) {
            reads_script |= cluster.contains('c');
            // `-o pipefail`, also as in `-euo pipefail`.
            at += if cluster.ends_with(['o', 'O']) { 2 } else { 1 };
        } else {
            break;
        }
    }
    reads_script.then_some(at)
}

/// A name after a `$` that begins as databuild's names do and is not one of them.
pub fn unknown_name(argument: &str) -> Option<&str> {
    references(argument)
        .map(|(_, name)| name)
        .find(|name| name.starts_with("DATABUILD") && !NAMES.contains(name))
}

/// The ranges of `$NAME` and `${NAME}` in `text`, with the names.
fn references(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    text.match_indices('$').filter_map(|(at, _)| {
        let rest = &text[at + 1..];
        let braced = rest.starts_with('{');
        let body = &rest[usize::from(braced)..];
        let len = body
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(body.len());
        let name = &body[..len];
        if name.is_empty() || (braced && !body[len..].starts_with('}')) {
            return None;
        }
        let end = at + 1 + len + if braced { 2 } else { 0 };
        Some((at..end, name))
    })
}

/// An argument with variables replaced.
fn replace(argument: &str, vars: &[Var]) -> String {
    let mut out = String::new();
    let mut from = 0;
    for (range, name) in references(argument) {
        if let Some((_, value)) = vars.iter().find(|(known, _)| *known == name) {
            out.push_str(&argument[from..range.start]);
            out.push_str(value);
            from = range.end;
        }
    }
    out.push_str(&argument[from..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_replaced_and_others_are_kept() {
        let vars = [
            ("PARTITION".into(), "a/b".to_owned()),
            ("DATABUILD".into(), "/bin/db".to_owned()),
        ];
        for (argument, expect) in [
            ("$PARTITION", "a/b"),
            ("x${PARTITION}y", "xa/by"),
            ("$DATABUILD/$PARTITION", "/bin/db/a/b"),
            (
                "$PARTITIONS $(wc -l) $n $$ ${x:-$PARTITION} 5$",
                "$PARTITIONS $(wc -l) $n $$ ${x:-a/b} 5$",
            ),
            ("", ""),
        ] {
            assert_eq!(replace(argument, &vars), expect, "{argument}");
        }
    }

    #[test]
    fn the_environment_has_what_is_listed() {
        let names = |env: &Environment| {
            let vars: Vec<String> = env.vars().iter().map(|(name, _)| name.clone()).collect();
            vars
        };
        // Cargo sets some for each test.
        let none = Environment::default();
        assert!(names(&none).contains(&"PATH".to_owned()));
        assert!(!names(&none).iter().any(|name| name.starts_with("CARGO")));
        let env = vec![
            "CARGO_PKG_*".into(),
            "CARGO_PKG_NAME=x".into(),
            "EMPTY=".into(),
        ];
        let some = Environment::parse(env, vec!["CARGO_PKG_VERSION".into()]).unwrap();
        assert!(names(&some).contains(&"CARGO_PKG_VERSION".to_owned()));
        assert_eq!(
            some.vars()
                .iter()
                .rfind(|(name, _)| name == "CARGO_PKG_NAME")
                .unwrap()
                .1,
            "x"
        );
        let secrets = some.secrets();
        let version = std::env::var("CARGO_PKG_VERSION").unwrap();
        assert_eq!(
            secrets.redact(format!("v{version}!")),
            "v[CARGO_PKG_VERSION]!"
        );
        assert!(none.secrets().is_empty());
        for wrong in ["", "=1", "A B", "A-*", "*A"] {
            Environment::parse(vec![wrong.into()], vec![]).unwrap_err();
        }
        Environment::parse(vec![], vec!["A=1".into()]).unwrap_err();
    }

    #[test]
    fn a_value_never_becomes_part_of_a_script() {
        let vars = [("PARTITION".into(), "~root/x".to_owned())];
        // `$PARTITION` is kept in a script for a shell, and replaced in other arguments.
        for (command, kept) in [
            (
                &["sh", "-c", "echo $PARTITION", "x", "$PARTITION"][..],
                &[2][..],
            ),
            (&["/bin/bash", "-euo", "pipefail", "-c", "$PARTITION"], &[4]),
            (&["bash", "--rcfile", "f", "-c", "-e", "$PARTITION"], &[5]),
            (&["bash", "-ec", "$PARTITION", "$PARTITION"], &[2]),
            (&["zsh", "+x", "-c", "--", "$PARTITION"], &[4]),
            (
                &["env", "A=$PARTITION", "nice", "sh", "-c", "$PARTITION"],
                &[5],
            ),
            (
                &["sh", "-c", "exec \"$@\"", "x", "sh", "-c", "$PARTITION"],
                &[6],
            ),
            (&["su", "ann", "-c", "$PARTITION"], &[3]),
            (&["fish", "--command", "$PARTITION"], &[2]),
            (&["sh", "$PARTITION", "-c", "$PARTITION"], &[]),
            (&["sh", "-e", "$PARTITION"], &[]),
            (&["wc", "-c", "$PARTITION"], &[]),
            (&["sh", "-c"], &[]),
        ] {
            let words: Vec<String> = command.iter().map(|w| (*w).to_owned()).collect();
            for (i, word) in expand(&words, &vars).iter().enumerate() {
                let keeps = kept.contains(&i) || !words[i].contains("$PARTITION");
                assert_eq!(*word == words[i], keeps, "{command:?}: {word}");
            }
        }
    }
}
