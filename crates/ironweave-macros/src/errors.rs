//! Collects errors, each with its own span, and suggests a known name for an unknown one.

use proc_macro2::TokenStream;
use quote::ToTokens;

/// The errors of a model, in the order in which they were found.
#[derive(Default)]
pub struct Errors(Vec<syn::Error>);

impl Errors {
    /// Adds an error that points at `tokens`.
    pub fn at(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        self.0.push(syn::Error::new_spanned(tokens, message));
    }

    /// Adds an error of the parser (which may be several).
    pub fn add(&mut self, error: syn::Error) {
        self.0.extend(error);
    }

    /// Returns the value, or records the error and returns `None`.
    pub fn take<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// The number of errors so far, to find out whether a check added any.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One `compile_error!` for each error.
    pub fn to_tokens(&self) -> TokenStream {
        self.0.iter().map(syn::Error::to_compile_error).collect()
    }

    /// The errors, for tests.
    #[cfg(test)]
    pub fn list(&self) -> &[syn::Error] {
        &self.0
    }
}

/// The known name with the smallest edit distance, if that is small enough for a suggestion.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let known = known.into_iter();
    let distances = known.map(|k| (distance(&name.to_lowercase(), &k.to_lowercase()), k));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    let longer = nearest.chars().count().max(name.chars().count());
    (distance <= 1 + longer / 4).then_some(nearest)
}

/// `` : did you mean `x`? `` for the nearest of the known names, or else a list of the known names if it is short.
pub fn did_you_mean<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!(": did you mean `{nearest}`?"),
        None if known.is_empty() || known.len() > 12 => String::new(),
        None => format!(" (known: {})", list(&known)),
    }
}

/// `` `a`, `b` and `c` ``.
pub fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The edit distance of two words: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
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
    fn the_nearest_name_is_suggested() {
        let known = ["Partition", "JobRun", "Want"];
        assert_eq!(did_you_mean("Wnat", known), ": did you mean `Want`?");
        assert_eq!(did_you_mean("Jobrun", known), ": did you mean `JobRun`?");
        assert_eq!(
            did_you_mean("Order", known),
            " (known: `Partition`, `JobRun` and `Want`)"
        );
        assert_eq!(did_you_mean("Order", []), "");
    }

    #[test]
    fn distance_counts_a_swap_once() {
        assert_eq!(distance("abc", "acb"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
