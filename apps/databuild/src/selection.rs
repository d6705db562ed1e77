//! Selections of partitions on the command line.
//!
//! | written | selects |
//! |---|---|
//! | `report` | the partition `report` |
//! | `votes/2026-01-{01..31}`, `daily/{red,blue}/d1` | a partition for each number, with as many digits as the first, or for each word |
//! | `daily/*/d1`, `daily/**` | the known partitions that match: `*` stays within a segment |
//! | `+report` | `report`, and all that it was made from or waits for |
//! | `votes/d1+` | `votes/d1`, and all that was made from it or waits for it |

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use ironweave::prelude::*;

use crate::fresh::{rests_on, stands_on};
use crate::model::build::Partition;
use crate::pattern::Pattern;
use crate::rules::{all_names, current, name};
use crate::text::shown;

/// The maximum number of partitions of a selection.
const SELECTED_MAX: usize = 100_000;

/// The names of the selected partitions, each once, in the order of the command line.
pub fn expand(refs: &[String], db: &impl Db) -> Result<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for text in refs {
        for name in selected(text, db)? {
            if seen.insert(name.clone()) {
                all.push(name);
            }
        }
        if all.len() > SELECTED_MAX {
            bail!("more than {SELECTED_MAX} partitions are selected: select fewer");
        }
    }
    Ok(all)
}

fn selected(text: &str, db: &impl Db) -> Result<Vec<String>> {
    let (up, rest) = (
        text.starts_with('+'),
        text.strip_prefix('+').unwrap_or(text),
    );
    let (down, rest) = (rest.ends_with('+'), rest.strip_suffix('+').unwrap_or(rest));
    let mut names = Vec::new();
    for name in braces(rest)? {
        if !name.contains('*') {
            names.push(name);
            continue;
        }
        let pattern = Pattern::parse(&name).map_err(anyhow::Error::msg)?;
        let before = names.len();
        names.extend(
            all_names(db)
                .filter(|n| pattern.matches(n))
                .map(str::to_owned),
        );
        if names.len() == before {
            bail!("no known partition matches `{}`", shown(&name));
        }
    }
    if !up && !down {
        return Ok(names);
    }
    let mut known: Vec<Partition> = Vec::new();
    for name in &names {
        match current(name, db) {
            Some(partition) => known.push(partition),
            None => bail!(
                "`{}` was never wanted, so it is not known what it is made from: want it without the +",
                shown(name)
            ),
        }
    }
    let mut found = BTreeSet::new();
    if up {
        found.extend(stands_on(db, known.iter().copied()));
    }
    if down {
        found.extend(rests_on(db, known.iter().copied()));
    }
    names.extend(found.into_iter().map(|p| name(p, db).to_owned()));
    Ok(names)
}

/// The texts for each choice of what is in braces.
fn braces(text: &str) -> Result<Vec<String>> {
    let mut all = vec![String::new()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((inner, after)) = after.split_once('}') else {
            bail!("`{}` has a {{ that is not closed", shown(text));
        };
        let choices = choices(inner)?;
        if all.len().saturating_mul(choices.len()) > SELECTED_MAX {
            bail!(
                "`{}` selects more than {SELECTED_MAX} partitions",
                shown(text)
            );
        }
        all = (all.iter())
            .flat_map(|one| {
                choices
                    .iter()
                    .map(move |choice| format!("{one}{before}{choice}"))
            })
            .collect();
        rest = after;
    }
    all.iter_mut().for_each(|one| *one += rest);
    Ok(all)
}

/// The choices in a pair of braces: `01..31` or `red,blue`.
fn choices(inner: &str) -> Result<Vec<String>> {
    let Some((first, last)) = inner.split_once("..") else {
        return Ok(inner.split(',').map(str::to_owned).collect());
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |text: &str| text.parse::<u64>().ok().filter(|_| is_number(text));
    let (Some(from), Some(to)) = (number(first), number(last)) else {
        bail!(
            "`{{{}}}` is no range: write two numbers, as in {{01..31}}",
            shown(inner)
        );
    };
    if from > to || to - from >= SELECTED_MAX as u64 {
        bail!(
            "`{{{}}}` has no numbers, or more than {SELECTED_MAX}: the first must not be greater than the last",
            shown(inner)
        );
    }
    let width = first.len();
    Ok((from..=to).map(|n| format!("{n:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::build::{Model, WantCreated};

    fn store(names: &[&str]) -> Store<Model> {
        let mut store = Store::memory();
        store.step(WantCreated {
            partitions: names.iter().map(|n| Ensure::from(*n)).collect(),
            source: String::new(),
            comment: String::new(),
            priority: 0,
            deadline: None,
            sla: None,
        });
        store
    }

    fn all(text: &str) -> Result<Vec<String>, String> {
        let store = store(&["daily/red/d1", "daily/blue/d1", "daily/blue/d2", "report"]);
        expand(&[text.to_owned()], &store).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn selections() {
        for (text, expect) in [
            ("report", &["report"][..]),
            ("new", &["new"]),
            ("d-{08..11}", &["d-08", "d-09", "d-10", "d-11"]),
            ("{a,b}/{1..2}", &["a/1", "a/2", "b/1", "b/2"]),
            ("daily/*/d1", &["daily/red/d1", "daily/blue/d1"]),
            ("daily/blue/d{1..2}", &["daily/blue/d1", "daily/blue/d2"]),
            (
                "daily/**",
                &["daily/red/d1", "daily/blue/d1", "daily/blue/d2"],
            ),
            ("+report", &["report"]),
            ("report+", &["report"]),
        ] {
            assert_eq!(all(text).unwrap(), expect, "{text}");
        }
        for (text, words) in [
            ("a{1..", "not closed"),
            ("{1..x}", "is no range"),
            ("{..}", "is no range"),
            ("{3..1}", "must not be greater"),
            ("{0..18446744073709551615}", "more than 100000"),
            ("{1..99999}{1..99999}", "more than 100000"),
            ("x/*", "no known partition matches `x/*`"),
            ("+new", "was never wanted"),
        ] {
            let error = all(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
