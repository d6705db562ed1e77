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

/// The most [similar](ironweave_schema::similar_names) of the known names, or `None` if no name is similar.
pub fn nearest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    ironweave_schema::similar_names(name, known)
        .first()
        .copied()
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
}
