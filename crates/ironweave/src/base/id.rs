//! Entity ids. An id is a slot in the tables of the entity's type and the generation of that slot.

use std::fmt;

use crate::base::error::ErrorKind;

/// The id of an entity among those of its type, in 8 bytes. It prints as `3.1` (slot and generation) and parses from that
/// text.
///
/// A slot is reused after its entity was deleted, with the next generation, so an `Id` never identifies two entities.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    pub(crate) slot: u32,
    pub(crate) generation: u32,
}

/// The state of a slot that holds no entity.
pub(crate) const FREE: u8 = u8::MAX;
/// The generation of the first entity of a slot.
pub(crate) const FIRST_GENERATION: u32 = 1;
/// The last generation of a slot. A slot that has reached it is not reused.
pub(crate) const GENERATION_MAX: u32 = 0x00ff_ffff;

impl Id {
    /// Returns the index of the entity in the tables of its type. Ids of one type are ordered by it.
    #[must_use]
    pub fn slot(self) -> u32 {
        self.slot
    }

    /// Returns the number of entities that the slot has held, including this one. It starts at 1 and fits 24 bits.
    #[must_use]
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// Returns the slot and the generation in one integer, which is the encoding of an id in the log.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.slot) << 24 | u64::from(self.generation)
    }

    /// Returns the id that [`Id::to_bits`] encoded, or `None` if the slot does not fit 32 bits.
    #[must_use]
    pub fn from_bits(bits: u64) -> Option<Self> {
        let slot = u32::try_from(bits >> 24).ok()?;
        Some(Self {
            slot,
            generation: (bits & 0x00ff_ffff) as u32,
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The error of parsing a text that is not an [`Id`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseIdError {
    text: String,
}

/// The number of characters of an invalid text that an error message quotes.
const EXCERPT_CHARS_MAX: usize = 100;

/// Returns the beginning of a text, to be quoted in an error message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not an id; write the slot and the generation, as in `3.1`",
            self.text
        )
    }
}

impl ParseIdError {
    /// Returns [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl std::error::Error for ParseIdError {}

impl std::str::FromStr for Id {
    type Err = ParseIdError;

    /// Parses an id in the form that it prints, `3.1`, and in no other form.
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let read = || {
            let (slot, generation) = text.split_once('.')?;
            let id = Self {
                slot: slot.parse().ok()?,
                generation: generation.parse().ok()?,
            };
            // Each id has exactly one text: signs and leading zeros are rejected. So are generations that no slot can
            // have.
            (id.generation <= GENERATION_MAX && id.to_string() == text).then_some(id)
        };
        read().ok_or_else(|| ParseIdError {
            text: excerpt(text),
        })
    }
}

/// The error of parsing a text that is not a handle of an entity type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseHandleError {
    entity: &'static str,
    text: String,
}

impl ParseHandleError {
    /// Returns the name of the entity type that was expected.
    #[must_use]
    pub fn entity(&self) -> &'static str {
        self.entity
    }
}

impl fmt::Display for ParseHandleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entity, text } = self;
        write!(
            f,
            "`{text}` is not {} {entity}; write it as `{entity}/3.1`, `{entity}-3.1` or `3.1`",
            if entity.starts_with(['A', 'E', 'I', 'O']) {
                "an"
            } else {
                "a"
            }
        )
    }
}

impl ParseHandleError {
    /// Returns [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl std::error::Error for ParseHandleError {}

/// Returns the id of a handle in one of the forms `Order/3.1`, `Order-3.1` and `3.1`.
///
/// # Errors
/// [`ParseHandleError`] if the text has none of these forms.
pub fn parse_handle(entity: &'static str, text: &str) -> Result<Id, ParseHandleError> {
    let id = match text.strip_prefix(entity) {
        Some(rest) => rest.strip_prefix(['/', '-']),
        None => Some(text),
    };
    id.and_then(|id| id.parse().ok())
        .ok_or_else(|| ParseHandleError {
            entity,
            text: excerpt(text),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_parses_from_what_it_prints_and_from_nothing_else() {
        let numbers = [0, 1, 9, 10, 255, GENERATION_MAX - 1, GENERATION_MAX];
        for slot in numbers.into_iter().chain([u32::MAX - 1, u32::MAX]) {
            for generation in numbers {
                let id = Id { slot, generation };
                assert_eq!(id.to_string().parse(), Ok(id));
                assert_eq!(Id::from_bits(id.to_bits()), Some(id));
                for text in [format!("Order/{id}"), format!("Order-{id}"), id.to_string()] {
                    assert_eq!(parse_handle("Order", &text), Ok(id));
                }
            }
        }
        for wrong in [
            "",
            ".",
            "3",
            "3.",
            ".1",
            "+3.1",
            "03.1",
            "3.01",
            "3.1 ",
            " 3.1",
            "3.1.1",
            "3,1",
            "-3.1",
            "4294967296.1",
            "3.16777216",
            "a.b",
            "Order/3.1",
        ] {
            let e = wrong.parse::<Id>().unwrap_err();
            assert!(
                e.to_string()
                    .starts_with(&format!("`{wrong}` is not an id"))
            );
        }
        for wrong in [
            "",
            "Order",
            "Order/",
            "Order3.1",
            "Order/3",
            "order/3.1",
            "Orders/3.1",
            "Order//3.1",
            "/3.1",
        ] {
            let e = parse_handle("Order", wrong).unwrap_err();
            let message =
                format!("`{wrong}` is not an Order; write it as `Order/3.1`, `Order-3.1` or `3.1`");
            assert_eq!((e.to_string(), e.entity()), (message, "Order"));
        }
        let long = "x".repeat(10_000);
        assert!(long.parse::<Id>().unwrap_err().to_string().len() < 200);
    }
}
