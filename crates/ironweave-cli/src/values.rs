//! Values as text and as JSON.

use std::fmt::Display;

use ironweave::Id;
use ironweave::schema::{BindBy, Cardinality, Encoding, Schema};
use serde::Serialize;
use serde_json::value::RawValue;

/// The number of elements of a list that are shown.
const ELEMENTS_MAX: usize = 3;
/// The number of characters of another value that are shown.
const CHARS_MAX: usize = 160;

/// Returns a value as JSON, in the form in which the program that wrote it serializes it.
pub fn json(value: &impl Serialize) -> Box<RawValue> {
    let text = serde_json::value::to_raw_value(value);
    // Every value in a log can be written.
    text.unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// Returns a text without control characters, which a terminal would obey.
pub fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// How values are shown as text.
pub struct Texts<'a> {
    /// The schema under which the value was written.
    pub schema: Option<&'a Schema>,
    /// Whether long lists and texts are shown in full.
    pub full: bool,
    /// The text of a handle of a type.
    pub handle: &'a dyn Fn(&str, Id) -> String,
}

impl Texts<'_> {
    /// Returns a value as text, with the keys of the entities that are in it.
    pub fn text<V: Display + Serialize>(&self, value: &V, encoding: Option<&Encoding>) -> String {
        match encoding {
            Some(of @ (Encoding::Id(_) | Encoding::Option(_) | Encoding::List(_))) => {
                self.of_json(&json(value), of)
            }
            _ => self.shortened(value.to_string()),
        }
    }

    fn of_json(&self, value: &RawValue, encoding: &Encoding) -> String {
        let text = value.get();
        match encoding {
            Encoding::Id(entity) => {
                let name = self
                    .schema
                    .and_then(|schema| schema.entities.get(entity.index()));
                // The JSON of a handle without an encoding is its number.
                let number = || Id::from_bits(serde_json::from_str(text).ok()?);
                let handle = || {
                    let handle: String = serde_json::from_str(text).ok()?;
                    handle.rsplit_once('/')?.1.parse().ok()
                };
                match (name, handle().or_else(number)) {
                    (Some(def), Some(id)) => (self.handle)(&def.name, id),
                    _ => text.to_owned(),
                }
            }
            Encoding::Option(_) if text == "null" => text.to_owned(),
            Encoding::Option(of) => self.of_json(value, of),
            Encoding::List(of) => {
                let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(text) else {
                    return self.shortened(text.to_owned());
                };
                let items: Vec<String> = items.iter().map(|item| self.of_json(item, of)).collect();
                list(&items, self.full)
            }
            // The JSON of a time is a text in quotes, which are not shown.
            Encoding::Timestamp => text.trim_matches('"').to_owned(),
            _ => self.shortened(text.to_owned()),
        }
    }

    fn shortened(&self, text: String) -> String {
        let end = text.char_indices().nth(CHARS_MAX);
        match end {
            Some((end, _)) if !self.full => {
                let left = text.get(end..).map_or(0, |rest| rest.chars().count());
                format!(
                    "{} .. {left} more characters",
                    text.get(..end).unwrap_or_default()
                )
            }
            _ => text,
        }
    }
}

/// Returns the encoding of a field of an event that holds entities, for logs of earlier versions, which do not have it.
pub fn implied_encoding(schema: &Schema, event: &str, field: &str) -> Option<Encoding> {
    let def = schema.events.iter().find(|def| def.name == event)?;
    let name = def.names.iter().find(|name| name.name == field)?;
    if !matches!(name.by, BindBy::Handle | BindBy::Token(_)) {
        return None;
    }
    let id = Encoding::Id(name.entity);
    Some(match name.count {
        Cardinality::Option => Encoding::Option(Box::new(id)),
        Cardinality::Many => Encoding::List(Box::new(id)),
        _ => id,
    })
}

/// Returns a list as text, of which only the first elements are shown unless it is shown in full.
pub fn list(items: &[String], full: bool) -> String {
    let shown = if full || items.len() <= ELEMENTS_MAX + 1 {
        items.len()
    } else {
        ELEMENTS_MAX
    };
    let first = items.get(..shown).unwrap_or_default().join(", ");
    match items.len() - shown {
        0 => format!("[{first}]"),
        left => format!("[{first}, .. {left} more]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_shortened_unless_it_is_shown_in_full() {
        let items = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(list(&items(0), false), "[]");
        assert_eq!(list(&items(4), false), "[0, 1, 2, 3]");
        assert_eq!(list(&items(9), false), "[0, 1, 2, .. 6 more]");
        assert_eq!(list(&items(6), true), "[0, 1, 2, 3, 4, 5]");
    }
}
