//! `cargo xtask oracle --planted`: plants one bug after another in a copy of the runtime crate, and runs the random models of
//! the oracle on it. Each bug must be found. No bug is in the code that is shipped, not even behind a feature: they are
//! replacements of a text in a source file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

use anyhow::{Context, Result, bail};

use crate::tools::{cargo, root};

/// A bug: in a file of the runtime crate, a text is replaced that occurs in it once.
struct Bug {
    name: &'static str,
    file: &'static str,
    text: &'static str,
    wrong: &'static str,
}

const BUGS: &[Bug] = &[
    Bug {
        name: "a choice ignores `by`",
        file: "graph/choice.rs",
        text: "self.compare_by(order, by, *a, *b).then(a.cmp(b))",
        wrong: "{ let _ = (order, by); a.cmp(b) }",
    },
    Bug {
        name: "a choice ignores `desc`",
        file: "graph/choice.rs",
        text: "                    if order.descending {\n",
        wrong: "                    if false {\n",
    },
    Bug {
        name: "of equal candidates, a choice takes the first of the list",
        file: "graph/choice.rs",
        text: "self.compare_by(order, by, *a, *b).then(a.cmp(b))",
        wrong: "self.compare_by(order, by, *a, *b)",
    },
    Bug {
        name: "a choice ignores `where`",
        file: "graph/choice.rs",
        text: "function.holds(condition.of.comparison, value, condition.with.get())",
        wrong: "function.holds(condition.of.comparison, value, condition.with.get()) || true",
    },
    Bug {
        name: "the range of an index includes a bound of `<`",
        file: "graph/choice/search.rs",
        text: "Comparison::Less => (Bound::Unbounded, Bound::Excluded(*value)),",
        wrong: "Comparison::Less => (Bound::Unbounded, Bound::Unbounded),",
    },
    Bug {
        name: "the range of an index excludes a bound of `<=`",
        file: "graph/choice/search.rs",
        text: "Comparison::LessOrEqual => (Bound::Unbounded, Bound::Included(*value)),",
        wrong: "Comparison::LessOrEqual => (Bound::Unbounded, Bound::Excluded(*value)),",
    },
    Bug {
        name: "a candidate that appears wakes nothing",
        file: "graph/choice/waiting.rs",
        text: "self.entered.push((wait, slot, Reverse(self.firing)));",
        wrong: "let _ = (wait, slot);",
    },
    Bug {
        name: "a change of what was chosen before wakes nothing",
        file: "graph/layout/choices.rs",
        text: "any(|later| depends_on(later, plan.name))",
        wrong: "any(|later| depends_on(later, plan.name) && false)",
    },
    Bug {
        name: "an immediate event ignores its `by`",
        file: "graph/choice/waiting.rs",
        text: "by_value.then(by_slot)",
        wrong: "by_slot",
    },
    Bug {
        name: "an immediate event ignores the `desc` of its `by`",
        file: "graph/choice/waiting.rs",
        text: "                if order.descending {\n",
        wrong: "                if false {\n",
    },
    Bug {
        name: "a counter misses an unlink",
        file: "graph/watch.rs",
        text: "*counter = if linked { *counter + 1 } else { *counter - 1 };",
        wrong: "*counter = if linked { *counter + 1 } else { *counter };",
    },
    Bug {
        name: "a counter misses an entity that leaves the states",
        file: "graph/watch.rs",
        text: "*counter = if is { *counter + 1 } else { *counter - 1 };",
        wrong: "*counter = if is { *counter + 1 } else { *counter };",
    },
    Bug {
        name: "the index of due times, like others of several parts, is not undone",
        file: "graph/indexing.rs",
        text: "self.undo(entry);\n            self.each_indexed(entry, &mut |graph, index, slot| graph.rekey(index, slot));",
        wrong: "self.undo(entry);",
    },
    Bug {
        name: "an entity is due in any state",
        file: "graph/due.rs",
        text: "value.filter(|_| is_in_state)",
        wrong: "value.filter(|_| is_in_state || true)",
    },
    Bug {
        name: "of several events that are due at one time, the last one declared is first",
        file: "graph/due.rs",
        text: "next.push(Reverse((time, *ix, slot)));",
        wrong: "next.push(Reverse((time, u16::MAX - *ix, slot)));",
    },
];

/// Where the copy is.
fn copy() -> PathBuf {
    root().join("target").join("planted")
}

/// The sources of the runtime crate, in the repository or in a copy of it.
fn sources(root: &Path) -> PathBuf {
    root.join("crates").join("ironweave").join("src")
}

impl Bug {
    /// The file with the bug in it.
    fn plant(&self) -> Result<String> {
        let path = sources(&root()).join(self.file);
        let file = fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))?;
        let times = file.matches(self.text).count();
        if times != 1 {
            bail!(
                "the text that is replaced by the bug \"{}\" occurs {times} times in {}: change it in xtask/src/planted.rs",
                self.name,
                self.file
            );
        }
        Ok(file.replacen(self.text, self.wrong, 1))
    }

    /// Runs the random models with the bug; returns what they report. An error if they do not find it.
    fn found(&self, seeds: u64) -> Result<String> {
        let path = sources(&copy()).join(self.file);
        let right = fs::read_to_string(sources(&root()).join(self.file))?;
        fs::write(&path, self.plant()?)?;
        let built = test(seeds).arg("--no-run").output();
        let ran = test(seeds)
            .args(["--", "every_model_is_as_the_oracle_says"])
            .output();
        fs::write(&path, right)?;
        let built = built?;
        if !built.status.success() {
            bail!(
                "the bug \"{}\" does not compile: {}",
                self.name,
                text(&built).chars().take(400).collect::<String>()
            );
        }
        let ran = ran?;
        let report = text(&ran);
        let line = report.lines().find(|line| line.starts_with("seed "));
        match line {
            Some(line) if !ran.status.success() => Ok(line.chars().take(160).collect()),
            _ => bail!("{seeds} models do not find the bug \"{}\"", self.name),
        }
    }
}

/// The random models, in the copy. It shares the compiled dependencies, unless the environment names another directory.
fn test(seeds: u64) -> Command {
    let mut command = cargo(&["test", "--quiet", "-p", "ironweave"]);
    command.args(["--features", "check", "--test", "oracle"]);
    command.current_dir(copy());
    if env::var_os("CARGO_TARGET_DIR").is_none() {
        command.env("CARGO_TARGET_DIR", root().join("target"));
    }
    command.env("IRONWEAVE_ORACLE_SEEDS", seeds.to_string());
    command.env("IRONWEAVE_ORACLE_SHRINK", "0");
    command
}

fn text(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// Copies all files that git knows.
fn copy_repository() -> Result<()> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output();
    let listed = listed.context("cannot start `git ls-files`")?;
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (root().join(name), copy().join(name));
        // A file that is deleted, and not committed yet, is no part of the copy.
        let Ok(content) = fs::read(&from) else {
            continue;
        };
        if fs::read(&to).is_ok_and(|known| known == content) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&to, content).with_context(|| format!("cannot write {to:?}"))?;
    }
    Ok(())
}

/// Plants each bug whose name contains `only`, and prints how it is found.
pub fn run(seeds: u64, only: &str) -> Result<()> {
    copy_repository()?;
    let mut missed = Vec::new();
    for bug in BUGS.iter().filter(|bug| bug.name.contains(only)) {
        match bug.found(seeds) {
            Ok(line) => println!("{}: {line}", bug.name),
            Err(e) => {
                println!("{e:#}");
                missed.push(bug.name);
            }
        }
    }
    if !missed.is_empty() {
        bail!("not found: {}", missed.join("; "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bug_can_be_planted() {
        for bug in BUGS {
            assert!(
                bug.plant().is_ok_and(|wrong| wrong.contains(bug.wrong)),
                "{}",
                bug.name
            );
        }
    }
}
