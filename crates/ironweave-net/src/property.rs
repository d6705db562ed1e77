//! Properties of markings: conditions on the tokens of places, as text.
//!
//! ```text
//! condition   = conjunction { ("or" | "||") conjunction }
//! conjunction = negation { ("and" | "&&") negation }
//! negation    = ("not" | "!") negation | comparison
//! comparison  = sum ("<" | "<=" | "=" | "==" | "!=" | ">=" | ">") sum | "(" condition ")"
//! sum         = product { ("+" | "-") product }
//! product     = atom { "*" atom }
//! atom        = number | place | "(" sum ")"
//! place       = name | "'" any characters "'" | '"' any characters '"'
//! ```
//! The name of a place that was unfolded is the sum of its tokens of all colours.

use std::fmt;

use crate::net::{Net, PlaceIx};

/// A condition on markings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    condition: Condition,
}

/// The error of a text that is not a property of a net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PropertyError {
    /// Where the error is, in bytes from the beginning.
    pub at: usize,
    message: String,
}

impl fmt::Display for PropertyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at character {}: {}", self.at + 1, self.message)
    }
}

impl std::error::Error for PropertyError {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Compare(Sum, Comparison, Sum),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
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
    Add(Box<Sum>, Box<Sum>),
    Subtract(Box<Sum>, Box<Sum>),
    Multiply(Box<Sum>, Box<Sum>),
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
            Self::And(a, b) => a.holds(tokens) && b.holds(tokens),
            Self::Or(a, b) => a.holds(tokens) || b.holds(tokens),
        }
    }
}

impl Sum {
    fn value(&self, tokens: &dyn Fn(PlaceIx) -> u64) -> i128 {
        match self {
            Self::Number(number) => *number,
            Self::Places(places) => places.iter().map(|&p| i128::from(tokens(p))).sum(),
            Self::Add(a, b) => a.value(tokens).saturating_add(b.value(tokens)),
            Self::Subtract(a, b) => a.value(tokens).saturating_sub(b.value(tokens)),
            Self::Multiply(a, b) => a.value(tokens).saturating_mul(b.value(tokens)),
        }
    }
}

impl Property {
    /// Reads a property of the markings of a net.
    ///
    /// ```
    /// use ironweave_net::{Net, Property};
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
        let mut all = self.conjunction()?;
        while self.take(&["or", "||"]) {
            all = Condition::Or(Box::new(all), Box::new(self.conjunction()?));
        }
        Ok(all)
    }

    fn conjunction(&mut self) -> Result<Condition, PropertyError> {
        let mut all = self.negation()?;
        while self.take(&["and", "&&"]) {
            all = Condition::And(Box::new(all), Box::new(self.negation()?));
        }
        Ok(all)
    }

    fn negation(&mut self) -> Result<Condition, PropertyError> {
        self.space();
        let rest = &self.text[self.at..];
        if !rest.starts_with("!=") && self.take(&["not", "!"]) {
            let inner = self.deeper(Self::negation)?;
            return Ok(Condition::Not(Box::new(inner)));
        }
        // A parenthesis begins a condition or a sum.
        let from = self.at;
        if rest.starts_with('(') {
            let inside = self.deeper(|parser| {
                parser.at += 1;
                let inside = parser.disjunction()?;
                match parser.take(&[")"]) {
                    true => Ok(inside),
                    false => Err(parser.error("expected `)`")),
                }
            });
            if let Ok(inside) = inside {
                return Ok(inside);
            }
            self.at = from;
        }
        self.comparison()
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
        let mut all = self.product()?;
        loop {
            if self.take(&["+"]) {
                all = Sum::Add(Box::new(all), Box::new(self.product()?));
            } else if self.take(&["-"]) {
                all = Sum::Subtract(Box::new(all), Box::new(self.product()?));
            } else {
                return Ok(all);
            }
        }
    }

    fn product(&mut self) -> Result<Sum, PropertyError> {
        let mut all = self.atom()?;
        while self.take(&["*"]) {
            all = Sum::Multiply(Box::new(all), Box::new(self.atom()?));
        }
        Ok(all)
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
        let unfolded = |place: &crate::net::Place| {
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
            other.contains(&lower) || lower.contains(&other)
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
