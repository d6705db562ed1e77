//! The names that a user gives, checked against those of a schema.

use ironweave::schema::similar_names;

use crate::failure::{Failure, Result};

/// The number of names that a message lists if none is similar.
const ALL_MAX: usize = 12;

/// Checks that a name is one of those that exist. The error begins with `missing`, and lists the close ones.
pub fn check<'n>(
    missing: &str,
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
        "{missing} `{name}`{}",
        hint(name, &known)
    )))
}

/// Names the similar ones, or all if there are few.
fn hint(name: &str, known: &[&str]) -> String {
    let quoted = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    match (similar_names(name, known.iter().copied()).as_slice(), known) {
        ([], []) => String::new(),
        ([], all) if all.len() <= ALL_MAX => format!("; there are {}", quoted(all)),
        ([], _) => "; `ironweave schema show STORE` lists the names".into(),
        (similar, _) => format!("; did you mean {}?", quoted(similar)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_gets_close_ones() {
        let known = ["Partition", "JobRun", "Want"];
        let error = |name| match check("there is no type", name, known) {
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
        assert!(check("there is no type", "Want", known).is_ok());
    }
}
