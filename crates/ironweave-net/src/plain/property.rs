//! Properties of markings: conditions on the tokens of places, as text.

use std::fmt;

use crate::plain::{Net, PlaceIx};

/// A condition on markings, read from text by [`Property::parse`].
///
/// ```text
/// condition   = conjunction { ("or" | "||") conjunction }
/// conjunction = negation { ("and" | "&&") negation }
/// negation    = ("not" | "!") negation | comparison
/// comparison  = sum ("<" | "<=" | "=" | "==" | "!=" | ">=" | ">") sum | "(" condition ")"
/// sum         = product { ("+" | "-") product }
/// product     = atom { "*" atom }
/// atom        = number | place | "(" sum ")"
/// place       = name | "'" any characters "'" | '"' any characters '"'
/// name        = letters, digits and any of _ . $ # @
/// ```
///
/// A name that was unfolded from a symmetric net means the sum of the tokens of all its colours. Sums that exceed 128 bits are
/// saturated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    condition: Condition,
}

/// The error of a text that is not a property of a net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyError {
    /// Where the error is, in bytes from the beginning.
    pub at: usize,
    /// The same in characters.
    characters: usize,
    message: String,
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.characters + 1, self.message)
    }
}

impl std::error::Error for PropertyError {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Compare(Sum, Comparison, Sum),
    Not(Box<Condition>),
    // Lists, because a long chain of pairs would take a deep recursion.
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    GreaterOrEqual,
    Greater,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sum {
    Number(i128),
    Places(Vec<PlaceIx>),
    /// The terms with whether they are subtracted.
    Add(Vec<(bool, Sum)>),
    Multiply(Vec<Sum>),
}

/// A property with the truth value that decides it.
pub(crate) struct Compiled {
    pub property: Property,
    /// A marking in which the property has this value decides it.
    pub deciding: bool,
}

impl Compiled {
    pub fn is_decided_by(&self, tokens: impl Fn(PlaceIx) -> u64) -> bool {
        self.property.condition.holds(&tokens) == self.deciding
    }
}

impl Condition {
    fn holds(&self, tokens: &dyn Fn(PlaceIx) -> u64) -> bool {
        match self {
            Self::Compare(a, comparison, b) => {
                let (a, b) = (a.value(tokens), b.value(tokens));
                match comparison {
                    Comparison::Less => a < b,
                    Comparison::LessOrEqual => a <= b,
                    Comparison::Equal => a == b,
                    Comparison::NotEqual => a != b,
                    Comparison::GreaterOrEqual => a >= b,
                    Comparison::Greater => a > b,
                }
            }
            Self::Not(condition) => !condition.holds(tokens),
            Self::And(all) => all.iter().all(|condition| condition.holds(tokens)),
            Self::Or(any) => any.iter().any(|condition| condition.holds(tokens)),
        }
    }
}

impl Sum {
    fn value(&self, tokens: &dyn Fn(PlaceIx) -> u64) -> i128 {
        match self {
            Self::Number(number) => *number,
            Self::Places(places) => places.iter().map(|&p| i128::from(tokens(p))).sum(),
            Self::Add(terms) => terms.iter().fold(0i128, |sum, (is_subtracted, term)| {
                let value = term.value(tokens);
                match is_subtracted {
                    true => sum.saturating_sub(value),
                    false => sum.saturating_add(value),
                }
            }),
            Self::Multiply(factors) => {
                let values = factors.iter().map(|factor| factor.value(tokens));
                values.fold(1, i128::saturating_mul)
            }
        }
    }
}

impl Property {
    /// Reads a property of the markings of a net.
    ///
    /// ```
    /// use ironweave_net::plain::{Net, Property};
    ///
    /// let mut net = Net::default();
    /// net.place("free", 1);
    /// net.place("in use", 0);
    /// assert!(Property::parse("free + 'in use' == 1 and not free > 1", &net).is_ok());
    /// let error = Property::parse("fre > 1", &net).unwrap_err();
    /// assert_eq!(error.to_string(), "at character 1: the net has no place `fre`; a similar name is `free`");
    /// ```
    ///
    /// # Errors
    /// If the text is not a condition, or names a place that the net does not have.
    pub fn parse(text: &str, net: &Net) -> Result<Self, PropertyError> {
        let mut parser = Parser {
            text,
            at: 0,
            net,
            depth: 0,
        };
        let condition = parser.disjunction()?;
        parser.space();
        if parser.at < text.len() {
            return Err(parser.error("the condition ends here; write `and` or `or` between two"));
        }
        Ok(Self { condition })
    }

    /// Returns whether the property holds in a marking, given by the tokens of each place.
    #[must_use]
    pub fn holds(&self, tokens: impl Fn(PlaceIx) -> u64) -> bool {
        self.condition.holds(&tokens)
    }
}

/// How deeply parentheses and negations may nest.
const DEPTH_MAX: u32 = 100;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    net: &'a Net,
    depth: u32,
}

impl Parser<'_> {
    fn error(&self, message: impl Into<String>) -> PropertyError {
        PropertyError {
            at: self.at,
            characters: self.text[..self.at].chars().count(),
            message: message.into(),
        }
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes one of several symbols, which are words or signs.
    fn take(&mut self, symbols: &[&str]) -> bool {
        self.space();
        let rest = &self.text[self.at..];
        for symbol in symbols {
            let is_word = symbol.ends_with(char::is_alphabetic);
            let after = rest.strip_prefix(symbol);
            if after.is_some_and(|after| !(is_word && after.starts_with(in_name))) {
                self.at += symbol.len();
                return true;
            }
        }
        false
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, PropertyError>,
    ) -> Result<T, PropertyError> {
        if self.depth == DEPTH_MAX {
            return Err(self.error(format!("conditions may nest at most {DEPTH_MAX} deep")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn disjunction(&mut self) -> Result<Condition, PropertyError> {
        self.chain(&["or", "||"], Self::conjunction, Condition::Or)
    }

    fn conjunction(&mut self) -> Result<Condition, PropertyError> {
        self.chain(&["and", "&&"], Self::negation, Condition::And)
    }

    /// Parses one or more parts with one of the symbols between them.
    fn chain<T>(
        &mut self,
        symbols: &[&str],
        part: impl Fn(&mut Self) -> Result<T, PropertyError>,
        all: impl FnOnce(Vec<T>) -> T,
    ) -> Result<T, PropertyError> {
        let first = part(self)?;
        if !self.take(symbols) {
            return Ok(first);
        }
        let mut parts = vec![first, part(self)?];
        while self.take(symbols) {
            parts.push(part(self)?);
        }
        Ok(all(parts))
    }

    fn negation(&mut self) -> Result<Condition, PropertyError> {
        self.space();
        let rest = &self.text[self.at..];
        if !rest.starts_with("!=") && self.take(&["not", "!"]) {
            let inner = self.deeper(Self::negation)?;
            return Ok(Condition::Not(Box::new(inner)));
        }
        // A parenthesis begins a condition or a sum. Reading a sum never comes back here, so that nested parentheses are read at most
        // as often as they are deep.
        let from = self.at;
        let mut failed = None;
        if rest.starts_with('(') {
            let inside = self.deeper(|parser| {
                parser.at += 1;
                let inside = parser.disjunction()?;
                match parser.take(&[")"]) {
                    true => Ok(inside),
                    false => Err(parser.error("expected `)`")),
                }
            });
            match inside {
                Ok(inside) => return Ok(inside),
                Err(e) => failed = Some(e),
            }
            self.at = from;
        }
        // Of two errors, that of the reading which came further is the one that helps.
        self.comparison().map_err(|e| match failed {
            Some(other) if other.at > e.at => other,
            _ => e,
        })
    }

    fn comparison(&mut self) -> Result<Condition, PropertyError> {
        let left = self.sum()?;
        let comparison = if self.take(&["<="]) {
            Comparison::LessOrEqual
        } else if self.take(&["<"]) {
            Comparison::Less
        } else if self.take(&["==", "="]) {
            Comparison::Equal
        } else if self.take(&["!="]) {
            Comparison::NotEqual
        } else if self.take(&[">="]) {
            Comparison::GreaterOrEqual
        } else if self.take(&[">"]) {
            Comparison::Greater
        } else {
            return Err(self.error("expected one of `<`, `<=`, `==`, `!=`, `>=` and `>`"));
        };
        Ok(Condition::Compare(left, comparison, self.sum()?))
    }

    fn sum(&mut self) -> Result<Sum, PropertyError> {
        let mut terms = vec![(false, self.product()?)];
        loop {
            let is_subtracted = if self.take(&["+"]) {
                false
            } else if self.take(&["-"]) {
                true
            } else {
                break;
            };
            terms.push((is_subtracted, self.product()?));
        }
        match terms.pop() {
            Some((_, only)) if terms.is_empty() => Ok(only),
            last => {
                terms.extend(last);
                Ok(Sum::Add(terms))
            }
        }
    }

    fn product(&mut self) -> Result<Sum, PropertyError> {
        self.chain(&["*"], Self::atom, Sum::Multiply)
    }

    fn atom(&mut self) -> Result<Sum, PropertyError> {
        if self.take(&["("]) {
            let inside = self.deeper(Self::sum)?;
            return match self.take(&[")"]) {
                true => Ok(inside),
                false => Err(self.error("expected `)`")),
            };
        }
        let rest = &self.text[self.at..];
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            if !rest[digits..].starts_with(in_name) {
                let number = rest[..digits].parse::<u64>();
                let number = number.map_err(|_| self.error("the number is too large"))?;
                self.at += digits;
                return Ok(Sum::Number(i128::from(number)));
            }
        }
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (name, length) = match quote {
            Some(quote) => match rest[1..].find(quote) {
                Some(end) => (&rest[1..=end], end + 2),
                None => return Err(self.error("the quoted name does not end")),
            },
            None => {
                let end = rest.find(|c| !in_name(c)).unwrap_or(rest.len());
                (&rest[..end], end)
            }
        };
        if name.is_empty() {
            return Err(self.error("expected a number or a place"));
        }
        let places = self.places(name)?;
        self.at += length;
        Ok(Sum::Places(places))
    }

    /// The place of a name, or all places that were unfolded from it.
    fn places(&self, name: &str) -> Result<Vec<PlaceIx>, PropertyError> {
        if let Some(place) = self.net.find(name) {
            return Ok(vec![place]);
        }
        let unfolded = |place: &crate::plain::Place| {
            (place.name.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
        };
        let all = self
            .net
            .places
            .iter()
            .zip(0..)
            .filter(|(place, _)| unfolded(place));
        let all: Vec<PlaceIx> = all.map(|(_, at)| PlaceIx(at)).collect();
        if !all.is_empty() {
            return Ok(all);
        }
        let lower = name.to_lowercase();
        let similar = (self.net.places.iter().map(|place| &place.name)).find(|other| {
            let other = other.to_lowercase();
            !other.is_empty() && (other.contains(&lower) || lower.contains(&other))
        });
        Err(self.error(match similar {
            Some(other) => format!("the net has no place `{name}`; a similar name is `{other}`"),
            None => format!("the net has no place `{name}`; `net stat --places` lists its places"),
        }))
    }
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '$' | '#' | '@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net() -> Net {
        let mut net = Net::default();
        for (name, tokens) in [("a", 2), ("b", 3), ("c(1)", 1), ("c(2)", 4), ("é", 0)] {
            net.place(name, tokens);
        }
        net
    }

    fn holds(text: &str) -> bool {
        let net = net();
        let property = Property::parse(text, &net).unwrap_or_else(|e| panic!("{text:.50}: {e}"));
        property.holds(|place| net.places[place.0 as usize].tokens)
    }

    fn message(text: &str) -> String {
        Property::parse(text, &net()).unwrap_err().to_string()
    }

    #[test]
    fn operators_have_their_usual_precedence() {
        for (text, expected) in [
            ("a + b * 2 == 8", true),
            ("(a + b) * 2 == 10", true),
            ("b - a - 1 == 0", true),
            ("b - (a - 1) = 2", true),
            ("a - b < 0", true),
            ("c == 5 and 'c(1)' == 1 && \"c(2)\" >= 4", true),
            ("a == 9 and a == 9 or b == 3", true),
            ("a == 9 and (a == 9 or b == 3)", false),
            ("not a == 9 and b == 3", true),
            ("not (a == 2 and b == 3)", false),
            ("not a == 2 or b == 3", true),
            ("not a == 2 and b == 9", false),
            ("!a != 2", true),
            ("((a)) > ((1))", true),
            ("((a > 1) and ((b) > (1)))", true),
        ] {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn long_chains_take_no_deep_recursion() {
        let many = 200_000;
        let chain = |part: &str, between: &str| vec![part; many].join(between);
        assert!(holds(&format!("{} == {many}", chain("1", "+"))));
        assert!(holds(&format!("{} < 0", chain("1", "-"))));
        assert!(holds(&format!("{} == 1", chain("1", "*"))));
        assert!(holds(&chain("a == 2", " and ")));
        assert!(holds(&format!("{} or a == 2", chain("a == 9", " or "))));
    }

    #[test]
    fn deep_nesting_is_refused_at_once() {
        for opening in ["(", "not ", "!", "(!", "a + (", "a == 1 and ("] {
            let error = message(&opening.repeat(100_000));
            assert!(
                error.contains("conditions may nest at most 100 deep"),
                "{error}"
            );
        }
        let deep = format!("{}a > 1{}", "(".repeat(100), ")".repeat(100));
        assert!(holds(&deep));
    }

    #[test]
    fn each_mistake_has_its_place() {
        for (text, expected) in [
            ("", "at character 1: expected a number or a place"),
            (
                "a",
                "at character 2: expected one of `<`, `<=`, `==`, `!=`, `>=` and `>`",
            ),
            (
                "a > 1 b",
                "at character 7: the condition ends here; write `and` or `or` between two",
            ),
            (
                "é > 1 and x > 1",
                "at character 11: the net has no place `x`; `net stat --places` lists its places",
            ),
            (
                "(a > 1 and A > 1)",
                "at character 12: the net has no place `A`; a similar name is `a`",
            ),
            (
                "(a > 1 and b",
                "at character 13: expected one of `<`, `<=`, `==`, `!=`, `>=` and `>`",
            ),
            ("(a + b", "at character 7: expected `)`"),
            ("'a > 1", "at character 1: the quoted name does not end"),
            (
                "a > 99999999999999999999",
                "at character 5: the number is too large",
            ),
        ] {
            assert_eq!(message(text), expected, "{text}");
        }
    }
}
