//! The names that a user gives, checked against those of a schema.

use crate::failure::{Failure, Result};

/// The number of close names that a message lists.
const CLOSE_MAX: usize = 3;

/// Checks that a name is one of those that exist. The error lists the close ones.
pub fn check<'n>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Result<&'n str> {
    let mut known: Vec<&str> = known.into_iter().collect();
    if let Some(found) = known.iter().find(|known| **known == name) {
        return Ok(found);
    }
    known.sort_unstable();
    known.dedup();
    Err(Failure::Usage(format!(
        "there is no {what} `{name}`{}",
        hint(name, &known)
    )))
}

/// Names the close ones, or all if there are few.
fn hint(name: &str, known: &[&str]) -> String {
    let lower = name.to_lowercase();
    let mut close: Vec<(usize, &str)> = known
        .iter()
        .map(|known| (distance(&lower, &known.to_lowercase()), *known))
        .filter(|(distance, known)| {
            *distance <= name.len().max(3) / 3 || known.to_lowercase().starts_with(&lower)
        })
        .collect();
    close.sort_unstable();
    close.truncate(CLOSE_MAX);
    let quoted = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let close: Vec<&str> = close.into_iter().map(|(_, known)| known).collect();
    match (close.as_slice(), known) {
        ([], []) => String::new(),
        ([], all) if all.len() <= 12 => format!("; there are {}", quoted(all)),
        ([], _) => "; `ironweave schema show` lists the names".into(),
        (close, _) => format!("; did you mean {}?", quoted(close)),
    }
}

/// The number of characters to insert, remove or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            left = (diagonal + usize::from(x != *y))
                .min(above + 1)
                .min(left + 1);
            diagonal = above;
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_changes() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("bed", "bed", 0),
            ("abc", "", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_wrong_name_gets_close_ones() {
        let known = ["Partition", "JobRun", "Want"];
        let error = |name| match check("type", name, known) {
            Err(Failure::Usage(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            error("Partiton"),
            "there is no type `Partiton`; did you mean `Partition`?"
        );
        assert_eq!(
            error("job"),
            "there is no type `job`; did you mean `JobRun`?"
        );
        assert_eq!(
            error("Zebra"),
            "there is no type `Zebra`; there are `JobRun`, `Partition`, `Want`"
        );
        assert!(check("type", "Want", known).is_ok());
    }
}
