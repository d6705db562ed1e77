//! Names that are similar to an unknown one, for error messages.

/// The number of names that an error message lists.
const SIMILAR_MAX: usize = 3;

/// Returns the names that are similar to an unknown one, the most similar first, and at most three: those that differ from it
/// in few letters, in upper and lower case, or by two letters in the other order, and those that begin with it.
///
/// ```
/// # use ironweave_schema::similar_names;
/// assert_eq!(similar_names("odrer", ["Order", "OrderLine", "Customer"]), ["Order"]);
/// assert_eq!(similar_names("order", ["Order", "OrderLine", "Customer"]), ["Order", "OrderLine"]);
/// ```
#[must_use]
pub fn similar_names<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let name = name.to_lowercase();
    let letters = name.chars().count();
    let mut similar: Vec<(usize, &str)> = Vec::new();
    for known in known {
        let lower = known.to_lowercase();
        let others = lower.chars().count();
        let few = 1 + letters.max(others) / 4;
        let begins = letters > 0 && lower.starts_with(&name);
        // The distance is at least that of the lengths. A user may give a text of any length.
        let distance = match letters.abs_diff(others) {
            longer if longer > few => longer,
            _ => edit_distance(&name, &lower),
        };
        // A distance of all letters is that of any other name.
        let differs_little = distance <= few && distance < letters;
        if (differs_little || begins) && similar.iter().all(|(_, other)| *other != known) {
            similar.push((distance, known));
        }
    }
    // Names of the same distance keep their order.
    similar.sort_by_key(|(distance, _)| *distance);
    similar.truncate(SIMILAR_MAX);
    similar.into_iter().map(|(_, known)| known).collect()
}

/// The edit distance of two words: letters that are inserted, removed or replaced, and neighbours that are swapped.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_a_swap_once() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("abc", "acb", 1),
            ("kitten", "sitting", 3),
            ("bed", "bed", 0),
        ] {
            assert_eq!(edit_distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn similar_names_are_listed_the_most_similar_first() {
        let of = |name| similar_names(name, ["Order", "OrderLine", "Customer", "Ordinal", "Order"]);
        assert_eq!(of("order"), ["Order", "OrderLine"]);
        assert_eq!(of("Odrer"), ["Order"]);
        assert_eq!(of("Ord"), ["Order", "Ordinal", "OrderLine"]);
        assert_eq!(of("Custmer"), ["Customer"]);
        assert!(of("Bed").is_empty() && of("").is_empty());
        // A short name is not similar to every other one.
        assert!(similar_names("x", ["a", "b"]).is_empty());
        assert_eq!(similar_names("X", ["x"]), ["x"]);
    }

    #[test]
    fn a_name_that_is_much_longer_is_not_compared() {
        let long = "x".repeat(10_000_000);
        assert!(similar_names(&long, ["Order"]).is_empty());
    }
}
