//! What a transition requires besides tokens in places: choices among candidates, numbers of tokens, and times.

use ironweave_schema::{Comparison, NameIx, Path};

use super::{Net, PlaceIx, Read, Tokens, Transition};

/// How a variable is bound that the program does not bind: to the first ones of some candidates, in an order.
///
/// Candidates that the conditions do not tell apart and that are equal in the order are taken in the order of their slots, so the
/// choice depends on values and slots, and the net says only which tokens it can be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The variable.
    pub variable: NameIx,
    /// The entities among which the event chooses: those that a path reaches, or `None` for all entities of the type.
    pub from: Option<Path>,
    /// The places in one of which a candidate must be.
    pub places: Vec<PlaceIx>,
    /// How many candidates are taken.
    pub take: Take,
    /// Further conditions on a candidate, as text: `price <= bid.price`.
    pub conditions: Vec<String>,
    /// The order, as text: `price desc`; `None` if the candidate with the smallest slot is the first.
    pub order: Option<String>,
}

/// How many candidates a choice takes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Take {
    /// One. The event is not enabled without a candidate.
    One,
    /// A number. The event is not enabled with fewer candidates.
    Exactly(Number),
    /// All candidates, but at most a number, and none if there is none.
    UpTo(Number),
}

/// A number in a model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Number {
    /// As it is written: `3`, `ward.capacity`.
    pub text: String,
    /// The number, if it is a literal.
    pub literal: Option<i128>,
}

/// A condition on a number of tokens, which is its left operand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Amount {
    /// The comparison.
    pub comparison: Comparison,
    /// The right operand.
    pub number: Number,
}

/// When an event is due: what fires due events fires it when a time is reached. The program can fire it at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Due {
    /// The variable, which is the only one that the program binds.
    pub variable: NameIx,
    /// The state whose data the time is; `None` if it is a field of the entity.
    pub place: Option<PlaceIx>,
    /// The time, as text: `reservation.Reserved.until`.
    pub time: String,
}

impl Choice {
    /// Returns whether the event is enabled only if there is a candidate.
    #[must_use]
    pub fn requires_one(&self) -> bool {
        match &self.take {
            Take::One => true,
            Take::Exactly(number) => number.literal.is_some_and(|n| n > 0),
            Take::UpTo(_) => false,
        }
    }

    /// Returns whether only the states and links of candidates distinguish them, so that the smallest slots are chosen.
    #[must_use]
    pub fn is_by_slot(&self) -> bool {
        self.conditions.is_empty() && self.order.is_none()
    }
}

impl Number {
    /// A number from its text and, for a literal, its value.
    pub(super) fn new(text: String, is_literal: bool) -> Self {
        let literal = is_literal.then(|| integer(&text)).flatten();
        Self { text, literal }
    }
}

impl Amount {
    /// Returns whether a number of tokens meets the condition, or `None` if that depends on a value.
    #[must_use]
    pub fn holds(&self, count: u64) -> Option<bool> {
        let with = self.number.literal?;
        Some(compare(count, self.comparison, with))
    }

    /// Returns whether the condition holds only if there is a token, whatever a value in it is.
    #[must_use]
    pub fn requires_one(&self) -> bool {
        self.holds(0) == Some(false)
    }

    /// Returns whether the condition holds exactly if there is no token, whatever a value in it is.
    #[must_use]
    pub fn requires_none(&self) -> bool {
        let may_be_more = matches!(
            self.comparison,
            Comparison::Greater | Comparison::GreaterOrEqual | Comparison::NotEqual
        );
        !may_be_more && self.holds(0) == Some(true) && self.holds(1) == Some(false)
    }

    /// Returns whether the condition holds for each number of tokens but 0, or for none of these: `None` if for some only, or if it
    /// depends on a value.
    pub(crate) fn holds_from_one(&self) -> Option<bool> {
        let with = self.number.literal?;
        let (is_less, is_one_or_less) = (with < 1, with <= 1);
        match self.comparison {
            Comparison::Greater | Comparison::NotEqual if is_less => Some(true),
            Comparison::GreaterOrEqual if is_one_or_less => Some(true),
            Comparison::Equal | Comparison::LessOrEqual if is_less => Some(false),
            Comparison::Less if is_one_or_less => Some(false),
            _ => None,
        }
    }

    /// Returns the condition without its left operand: `>= 2`.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{} {}", self.comparison, self.number.text)
    }
}

impl Net {
    /// Returns what a read counts, as it is written in the model: `count ward.beds in Free`.
    #[must_use]
    pub fn counted_text(&self, transition: &Transition, read: &Read) -> String {
        let Tokens::Entities(path) = &read.tokens else {
            return format!("count {}", self.tokens_text(transition, &read.tokens));
        };
        let path_text = self.path_text(transition, path);
        match read.places == self[self.reached(transition, path)].states {
            true => format!("count {path_text}"),
            false => format!("count {path_text} in {}", self.states_text(&read.places)),
        }
    }

    /// Returns a choice as it is written in the model: `bed: ward.beds in Free by number`.
    #[must_use]
    pub fn choice_text(&self, transition: &Transition, choice: &Choice) -> String {
        let variable = &transition[choice.variable];
        let from = match &choice.from {
            Some(path) => self.path_text(transition, path),
            None => self[variable.entity].name.clone(),
        };
        let take = match &choice.take {
            Take::One => String::new(),
            Take::Exactly(number) => format!("{} of ", number.text),
            Take::UpTo(number) => format!("up to {} of ", number.text),
        };
        let states = self.states_text(&choice.places);
        let conditions = match choice.conditions.is_empty() {
            true => String::new(),
            false => format!(" where {}", choice.conditions.join(", ")),
        };
        let order =
            (choice.order.as_ref()).map_or_else(String::new, |order| format!(" by {order}"));
        format!(
            "{}: {take}{from} in {states}{conditions}{order}",
            variable.name
        )
    }
}

/// Returns whether a number of tokens compares so with another number.
pub(crate) fn compare(count: u64, comparison: Comparison, with: i128) -> bool {
    let order = i128::from(count).cmp(&with);
    match comparison {
        Comparison::Equal => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    }
}

/// Returns the value of a literal of an integer type, as written.
fn integer(text: &str) -> Option<i128> {
    let text: String = text
        .chars()
        .filter(|c| *c != '_' && !c.is_whitespace())
        .collect();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, &*text),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits),
    };
    let suffix = digits.find(['i', 'u']).unwrap_or(digits.len());
    let value = i128::from_str_radix(&digits[..suffix], radix).ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::integer;

    #[test]
    fn literals_have_the_value_that_rust_gives_them() {
        for (text, value) in [
            ("3", Some(3)),
            ("1_000", Some(1000)),
            ("0x1f_u8", Some(31)),
            ("0b11", Some(3)),
            ("0o17", Some(15)),
            ("-4", Some(-4)),
            ("- 4i64", Some(-4)),
            ("4usize", Some(4)),
            ("\"4\"", None),
            ("true", None),
            ("1.5", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }
}
