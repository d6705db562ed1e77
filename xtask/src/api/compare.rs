//! Compares two lists of public items by the rules of semantic versioning.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anyhow::{Context, Result};

/// The changes between two lists.
#[derive(Debug, Default)]
pub struct Changes {
    /// Items that were removed or changed, or added where code that compiles today would notice.
    pub breaking: Vec<String>,
    /// Other items that were added.
    pub compatible: Vec<String>,
    /// Crates whose version does not allow for their breaking changes.
    pub refused: Vec<String>,
}

/// What a list says of one crate.
#[derive(Debug, Default)]
struct Listed<'t> {
    version: &'t str,
    lines: BTreeSet<&'t str>,
}

/// Compares an older list with a newer one.
pub fn compare(old: &str, new: &str) -> Result<Changes> {
    let (old, new) = (read(old)?, read(new)?);
    let mut changes = Changes::default();
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => {
                let before = changes.breaking.len();
                changes.of_crate(old, new);
                if changes.breaking.len() > before && !is_raised(old.version, new.version)? {
                    changes.refused.push(format!(
                        "{name}: {} has breaking changes over {}; raise the {} version",
                        new.version,
                        old.version,
                        if old.version.starts_with("0.") {
                            "minor"
                        } else {
                            "major"
                        },
                    ));
                }
            }
            (Some(_), None) => {
                changes.breaking.push(format!("removed: crate {name}"));
                changes
                    .refused
                    .push(format!("{name} is gone, and others may depend on it"));
            }
            (None, _) => changes.compatible.push(format!("added: crate {name}")),
        }
    }
    Ok(changes)
}

impl Changes {
    fn of_crate(&mut self, old: &Listed<'_>, new: &Listed<'_>) {
        // Names of arguments may change.
        let unnamed = |lines: &BTreeSet<&str>| -> BTreeSet<String> {
            lines.iter().map(|line| without_arguments(line)).collect()
        };
        let (was, is) = (unnamed(&old.lines), unnamed(&new.lines));
        let gone = old
            .lines
            .iter()
            .filter(|line| !is.contains(&without_arguments(line)));
        let mut added: BTreeSet<&str> = new
            .lines
            .iter()
            .copied()
            .filter(|line| !was.contains(&without_arguments(line)))
            .collect();
        for line in gone {
            let successor = added.iter().copied().find(|other| key(other) == key(line));
            match successor {
                Some(successor) => {
                    added.remove(successor);
                    let (_, signature) = successor.split_once("  ").unwrap_or(("", successor));
                    self.breaking
                        .push(format!("changed: {line}\n     to: {signature}"));
                }
                None => self.breaking.push(format!("removed: {line}")),
            }
        }
        for line in added {
            if is_noticed(line, old) {
                self.breaking
                    .push(format!("added, and code must mention it: {line}"));
            } else {
                self.compatible.push(format!("added: {line}"));
            }
        }
    }

    /// All changes for people.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (title, lines) in [
            ("breaking", &self.breaking),
            ("compatible", &self.compatible),
        ] {
            let _ = writeln!(text, "{title}: {}", lines.len());
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }
}

/// Splits a list into its crates.
fn read(text: &str) -> Result<BTreeMap<&str, Listed<'_>>> {
    let mut crates: BTreeMap<&str, Listed<'_>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(head) = line.strip_prefix("# ") {
            let (name, version) = head
                .split_once(' ')
                .with_context(|| format!("`{line}` is not the name and the version of a crate"))?;
            crates.entry(name).or_default().version = version;
            current = Some(name);
        } else {
            let name = current.context("a list begins with the name of a crate")?;
            crates.entry(name).or_default().lines.insert(line);
        }
    }
    Ok(crates)
}

/// The path of a line with the kind of its item: what stays where a signature changes.
fn key(line: &str) -> (&str, &str) {
    let (path, signature) = line.split_once("  ").unwrap_or((line, ""));
    let signature = signature
        .strip_prefix("#[non_exhaustive] ")
        .unwrap_or(signature);
    // Each implementation is an item of its own.
    if signature.starts_with("impl") {
        return (path, signature);
    }
    let words = ["const ", "async ", "provided ", "required "];
    let kind = words.iter().fold(signature, |rest, word| {
        rest.strip_prefix(word).unwrap_or(rest)
    });
    (path, kind.split([' ', '<', ':']).next().unwrap_or(kind))
}

/// A function without the names of its arguments.
fn without_arguments(line: &str) -> String {
    if !line.contains(" fn ") {
        return line.to_owned();
    }
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['(', ',']) {
        let (before, after) = rest.split_at(at + 1);
        text.push_str(before);
        rest = after;
        let trimmed = rest.trim_start();
        let name = trimmed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
        let is_argument = trimmed.starts_with(|c: char| c.is_lowercase() || c == '_');
        if is_argument && name.starts_with(": ") {
            rest = &name[2..];
        }
    }
    text + rest
}

/// Whether code that compiles with the old list may not compile with a new line.
fn is_noticed(line: &str, old: &Listed<'_>) -> bool {
    let (path, signature) = line.split_once("  ").unwrap_or((line, ""));
    let Some((owner, _)) = path.rsplit_once("::") else {
        return false;
    };
    let declared = |kind: &str| {
        old.lines.iter().find_map(|line| {
            let signature = line.strip_prefix(owner)?.strip_prefix("  ")?;
            let bare = signature
                .strip_prefix("#[non_exhaustive] ")
                .unwrap_or(signature);
            bare.starts_with(kind).then_some(signature)
        })
    };
    let is_closed = |signature: &str| {
        !signature.starts_with("#[non_exhaustive]") && !signature.ends_with("{ .. }")
    };
    match signature.split(' ').find(|word| !word.starts_with("#[")) {
        Some("required") => declared("trait ").is_some(),
        Some("variant") => declared("enum ").is_some_and(is_closed),
        Some("field") => declared("struct ").is_some_and(is_closed),
        _ => false,
    }
}

/// Whether a version may break what the older one promised.
fn is_raised(old: &str, new: &str) -> Result<bool> {
    let (old, new) = (numbers(old)?, numbers(new)?);
    Ok(new[0] > old[0] || new[0] == old[0] && old[0] == 0 && new[1] > old[1])
}

fn numbers(version: &str) -> Result<[u64; 2]> {
    let mut parts = version.split('.').map(str::parse);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok([major, minor]),
        _ => anyhow::bail!("`{version}` is not a version"),
    }
}
