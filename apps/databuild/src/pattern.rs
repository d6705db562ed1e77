//! Patterns of names of partitions.
//!
//! | in a pattern | matches |
//! |---|---|
//! | `*` | any characters of one segment: all but `/` |
//! | `**` | any characters |
//! | `{name}` | one or more characters of one segment; the job has them as `FIELD_NAME` |
//! | any other character | itself |

use std::collections::HashMap;

/// The number of bytes of a pattern at most, as of a name. Patterns of requests are compared with each known name.
pub const BYTES_MAX: usize = 1000;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    tokens: Vec<Token>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Star,
    Any,
    Field(String),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A message, if it has more than [`BYTES_MAX`] bytes, a brace is not closed, or the name of a field is empty, occurs twice, or has other characters than small letters,
    /// digits and `_`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            let count = text.len();
            return Err(format!(
                "a pattern has {count} bytes: write at most {BYTES_MAX}"
            ));
        }
        let mut tokens: Vec<Token> = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("**") {
                tokens.push(Token::Any);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('*') {
                tokens.push(Token::Star);
                rest = after;
            } else if let Some(after) = rest.strip_prefix('{') {
                let Some((name, after)) = after.split_once('}') else {
                    return Err(format!("`{text}` has a `{{` that is not closed"));
                };
                let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                if name.is_empty() || !name.chars().all(is_fine) {
                    return Err(format!(
                        "`{{{name}}}` is no field: its name consists of small letters, digits and _"
                    ));
                }
                let field = Token::Field(name.to_owned());
                if tokens.contains(&field) {
                    return Err(format!("`{text}` has the field `{{{name}}}` twice"));
                }
                tokens.push(field);
                rest = after;
            } else {
                let (own, after) = rest.split_at(rest.find(['*', '{']).unwrap_or(rest.len()));
                tokens.push(Token::Text(own.to_owned()));
                rest = after;
            }
        }
        Ok(Self { tokens })
    }

    /// The name, if the pattern has no wildcard and no field.
    pub fn literal(&self) -> Option<&str> {
        match &self.tokens[..] {
            [Token::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names of the fields.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(|token| match token {
            Token::Field(name) => Some(&**name),
            _ => None,
        })
    }

    /// Returns whether a name of this pattern is given by the fields of a name of another one.
    pub fn is_given_by(&self, other: &Self) -> bool {
        self.tokens.iter().all(|token| match token {
            Token::Text(_) => true,
            Token::Star | Token::Any => false,
            Token::Field(name) => other.fields().any(|field| field == name),
        })
    }

    /// Returns whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.captures(name).is_some()
    }

    /// The fields of a name that matches. Each has as many characters as it can, beginning with the first. O(length of the pattern ×
    /// length of the name).
    pub fn captures<'n>(&self, name: &'n str) -> Option<Vec<(&str, &'n str)>> {
        // Most patterns begin otherwise.
        if let Some(Token::Text(text)) = self.tokens.first()
            && !name.starts_with(&**text)
        {
            return None;
        }
        let mut search = Search {
            tokens: &self.tokens,
            name,
            failed: vec![false; (self.tokens.len() + 1) * (name.len() + 1)],
            found: Vec::new(),
        };
        search.from(0, 0).then_some(search.found)
    }

    /// The name that has these fields; none if one of them is missing or the pattern has wildcards.
    pub fn fill(&self, fields: &[(&str, &str)]) -> Option<String> {
        let texts = self.tokens.iter().map(|token| match token {
            Token::Text(text) => Some(&**text),
            Token::Field(name) => fields.iter().find(|(n, _)| n == name).map(|(_, v)| *v),
            Token::Star | Token::Any => None,
        });
        texts.collect()
    }
}

/// Finds the patterns that may match a name, so that the time does not grow with the number of patterns of other names.
#[derive(Debug, Default)]
pub struct Finder {
    /// The patterns without wildcards, by the names that they match.
    literal: HashMap<String, Vec<usize>>,
    /// The others by the first segment of the names that they match, if it is fixed.
    by_segment: HashMap<String, Vec<usize>>,
    /// All others.
    rest: Vec<usize>,
}

impl Finder {
    /// A finder for patterns, which have the numbers 0, 1 and so on.
    pub fn of<'p>(patterns: impl Iterator<Item = &'p Pattern>) -> Self {
        let mut finder = Self::default();
        for (i, pattern) in patterns.enumerate() {
            let group = match (pattern.literal(), pattern.tokens.first()) {
                (Some(name), _) => finder.literal.entry(name.to_owned()).or_default(),
                (None, Some(Token::Text(text))) if text.contains('/') => {
                    let segment = first_segment(text).to_owned();
                    finder.by_segment.entry(segment).or_default()
                }
                _ => &mut finder.rest,
            };
            group.push(i);
        }
        finder
    }

    /// The numbers of the patterns that may match a name.
    pub fn candidates(&self, name: &str) -> impl Iterator<Item = usize> {
        let literal = self.literal.get(name).into_iter().flatten();
        let by_segment = self.by_segment.get(first_segment(name));
        let fixed = literal.chain(by_segment.into_iter().flatten());
        fixed.chain(&self.rest).copied()
    }
}

/// The part of a name before the first `/`.
fn first_segment(name: &str) -> &str {
    name.split_once('/').map_or(name, |(first, _)| first)
}

/// A search for the fields of a name.
struct Search<'p, 'n> {
    tokens: &'p [Token],
    name: &'n str,
    /// For each token and position, whether the rest of the pattern does not match the rest of the name.
    failed: Vec<bool>,
    found: Vec<(&'p str, &'n str)>,
}

impl<'p> Search<'p, '_> {
    /// Returns whether the pattern from a token on matches the name from a position on.
    fn from(&mut self, token: usize, at: usize) -> bool {
        let seen = token * (self.name.len() + 1) + at;
        if self.failed[seen] {
            return false;
        }
        let (tokens, name): (&'p [Token], _) = (self.tokens, self.name);
        let rest = &name[at..];
        let segment = rest.find('/').unwrap_or(rest.len());
        let is_found = match tokens.get(token) {
            None => rest.is_empty(),
            Some(Token::Text(text)) => {
                rest.starts_with(&**text) && self.from(token + 1, at + text.len())
            }
            Some(Token::Star) => self.one_of(token, at, 0, segment, None),
            Some(Token::Any) => self.one_of(token, at, 0, rest.len(), None),
            Some(Token::Field(field)) => self.one_of(token, at, 1, segment, Some(field)),
        };
        self.failed[seen] = !is_found;
        is_found
    }

    /// Tries all lengths, the longest first.
    fn one_of(
        &mut self,
        token: usize,
        at: usize,
        least: usize,
        most: usize,
        field: Option<&'p str>,
    ) -> bool {
        let name = self.name;
        for len in (least..=most)
            .rev()
            .filter(|len| name.is_char_boundary(at + len))
        {
            let before = self.found.len();
            if let Some(field) = field {
                self.found.push((field, &name[at..at + len]));
            }
            if self.from(token + 1, at + len) {
                return true;
            }
            self.found.truncate(before);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_no_longer_than_a_name() {
        assert!(Pattern::parse(&"*a".repeat(BYTES_MAX / 2)).is_ok());
        let e = Pattern::parse(&"a".repeat(BYTES_MAX + 1)).unwrap_err();
        assert!(e.contains("1001 bytes"), "{e}");
    }

    #[test]
    fn a_finder_finds_all_patterns_that_match() {
        let texts = [
            "a", "a/b", "*", "**", "a/*", "a/**", "a*", "{x}/b", "a/{x}", "ab/{x}", "*/b",
            "b/c/{x}", "b*/c", "b/c",
        ];
        let patterns = texts.map(|text| Pattern::parse(text).unwrap());
        let finder = Finder::of(patterns.iter());
        for name in [
            "a", "b", "ab", "a/b", "ab/b", "a/b/c", "b/c", "b/c/d", "bb/c", "c/b", "",
        ] {
            let mut found: Vec<usize> = finder.candidates(name).collect();
            found.retain(|i| patterns[*i].matches(name));
            found.sort_unstable();
            let all: Vec<usize> = (0..texts.len())
                .filter(|i| patterns[*i].matches(name))
                .collect();
            assert_eq!(found, all, "{name}");
        }
        assert!(finder.candidates("z/y").count() < texts.len() / 2);
    }

    #[test]
    fn patterns() {
        for (pattern, name, expect) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*", "", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("sloc/*", "sloc/serde-1.0.0", true),
            ("sloc/*", "sloc/a/b", false),
            ("sloc/**", "sloc/a/b", true),
            ("sloc/*", "slow/serde", false),
            ("*/b/*", "a/b/c", true),
            ("*/b/*", "a/c", false),
            ("*/b/*", "a/a/b/c", false),
            ("**/b/*", "a/a/b/c", true),
            ("a*b*a", "aba", true),
            ("a*b*a", "ab", false),
            ("a*a", "a", false),
            ("a*ab", "aab", true),
            ("a***b", "ab", true),
            ("{x}", "", false),
            ("{x}", "a/b", false),
            ("é*", "éü", true),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(name), expect, "{pattern:?} {name}");
        }
        // Without the table of what failed, this takes 2^40 steps.
        let slow = Pattern::parse(&"*a".repeat(40)).unwrap();
        assert!(!slow.matches(&"a".repeat(39)));
        assert!(slow.matches(&"a".repeat(400)));
    }

    #[test]
    fn fields() {
        let daily = Pattern::parse("daily/{colour}/{year}-{month}").unwrap();
        let fields = daily.captures("daily/blue/2026-01").unwrap();
        assert_eq!(
            fields,
            [("colour", "blue"), ("year", "2026"), ("month", "01")]
        );
        assert_eq!(daily.captures("daily/blue/red/2026-01"), None);
        let votes = Pattern::parse("votes/{year}/{month}").unwrap();
        assert_eq!(votes.fill(&fields).as_deref(), Some("votes/2026/01"));
        assert_eq!(Pattern::parse("{day}").unwrap().fill(&fields), None);
        assert_eq!(Pattern::parse("votes/*").unwrap().fill(&fields), None);
        assert_eq!(
            daily.fields().collect::<Vec<_>>(),
            ["colour", "year", "month"]
        );
        for text in ["{a", "{}", "{A}", "{a}{a}"] {
            Pattern::parse(text).unwrap_err();
        }
    }
}
