//! Renders the log for human readers: partitions by name, long lists shortened.
//!
//! The store renders events and facts with entities by id, as in `link Want/3.1.partitions +=
//! Partition/7.1`. This module rewrites that text. Quoted values are kept.

use std::collections::HashMap;

use ironweave::prelude::*;
use ironweave::{Fact, Firing, Model};

use crate::model::build::PartitionRef;
use crate::text::{LIST_MAX, one_line};

/// The entities that are shown by the name of a reference.
const NAMED: [&str; 2] = ["Partition", "PartitionRef"];

/// Renders events and facts of a store.
pub struct Renderer {
    /// The text that is shown for each of them, by slot, in the order of [`NAMED`]. They are never deleted.
    names: [HashMap<u32, String>; 2],
    full: bool,
}

impl Renderer {
    /// Creates a renderer with the partitions of a store. It does not shorten lists if `full`.
    pub fn new(db: &impl Db, full: bool) -> Self {
        let mut names = [HashMap::new(), HashMap::new()];
        for reference in db.place::<PartitionRef, Any>() {
            let name = reference.name(db);
            names[1].insert(reference.id().slot(), format!("{name:?}"));
            for (nth, partition) in (1..).zip(reference.instances(db)) {
                // The first instance is shown by the name alone.
                let text = match nth {
                    1 => format!("{name:?}"),
                    _ => format!("{name:?} #{nth}"),
                };
                names[0].insert(partition.id().slot(), text);
            }
        }
        Self { names, full }
    }

    /// An event with its fields and facts, on one line.
    pub fn firing<M: Model>(&self, firing: &Firing<'_, M>) -> String {
        let fields: Vec<String> = (firing.fields().iter())
            .map(|field| format!("{}: {}", field.name(), self.list(&field.to_string())))
            .collect();
        let fields = match fields.is_empty() {
            true => String::new(),
            false => format!(" {{ {} }}", fields.join(", ")),
        };
        let facts = self.facts(firing.facts());
        format!(
            "{}{} => {}",
            firing.name(),
            one_line(&fields),
            facts.join("; ")
        )
    }

    /// Facts, each on one line. Of many facts of one kind, such as links of one edge, only the first ones are rendered.
    pub fn facts<'f>(&self, facts: impl IntoIterator<Item = Fact<'f>>) -> Vec<String> {
        let facts: Vec<String> = facts.into_iter().map(|fact| fact.to_string()).collect();
        self.lines(facts.iter().map(String::as_str))
    }

    fn lines<'f>(&self, facts: impl Iterator<Item = &'f str> + Clone) -> Vec<String> {
        let mut of_kind: HashMap<String, usize> = HashMap::new();
        if !self.full {
            for fact in facts.clone() {
                *of_kind.entry(kind(fact)).or_default() += 1;
            }
        }
        let mut counts: HashMap<String, usize> = HashMap::new();
        let mut out = Vec::new();
        for fact in facts {
            let kind = kind(fact);
            let all = of_kind.get(&kind).copied().unwrap_or_default();
            let n = counts.entry(kind).or_default();
            *n += 1;
            if all <= LIST_MAX || *n <= LIST_MAX {
                out.push(one_line(&self.named(fact)));
            }
            if all > LIST_MAX && *n == LIST_MAX {
                out.push(format!("and {} more like that", all - LIST_MAX));
            }
        }
        out
    }

    /// A value with names; of a long list, the first items.
    fn list(&self, value: &str) -> String {
        let inner = value.strip_prefix('[').and_then(|v| v.strip_suffix(']'));
        let Some(inner) = inner.filter(|_| !self.full) else {
            return self.named(value);
        };
        let ends: Vec<usize> = outside_quotes(inner)
            .filter(|at| inner[*at..].starts_with(", "))
            .collect();
        match ends.get(LIST_MAX - 1) {
            Some(end) => {
                let more = ends.len() + 1 - LIST_MAX;
                format!("[{} and {more} more]", self.named(&inner[..*end]))
            }
            None => self.named(value),
        }
    }

    /// A text with partitions by name.
    fn named(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for at in outside_quotes(text) {
            if at < from || text[..at].ends_with(is_of_word) {
                continue;
            }
            let of_type = |name: &str| text[at..].strip_prefix(name)?.strip_prefix('/');
            let entity = (NAMED.iter().zip(&self.names))
                .find_map(|(name, names)| Some((name, names, of_type(name)?)));
            let Some((entity, names, number)) = entity else {
                continue;
            };
            let slot = digits(number);
            if let Some(name) = slot.parse().ok().and_then(|slot: u32| names.get(&slot)) {
                let end = text.len() - number.len() + slot.len();
                out += &text[from..at];
                out += &format!("{entity} {name}");
                from = end + generation(&text[end..]).len();
            }
        }
        out + &text[from..]
    }
}

/// The positions in a text that are not in a quoted value.
fn outside_quotes(text: &str) -> impl Iterator<Item = usize> {
    let (mut quoted, mut escaped) = (false, false);
    text.char_indices().filter_map(move |(at, c)| {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            return None;
        }
        quoted = c == '"';
        Some(at)
    })
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The digits at the beginning of a text.
fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit());
    &text[..end.unwrap_or(text.len())]
}

/// The generation at the beginning of a text, as in `.1 in Missing`.
fn generation(text: &str) -> &str {
    let digits = text.strip_prefix('.').map_or("", digits);
    match digits.is_empty() {
        true => "",
        false => &text[..1 + digits.len()],
    }
}

/// A fact without its entities, to count similar facts.
fn kind(fact: &str) -> String {
    let what = match fact.starts_with("set ") {
        true => fact.split_once(" = ").map_or(fact, |(what, _)| what),
        false => fact,
    };
    what.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renderer(full: bool) -> Renderer {
        let names = (0..20).map(|n| (n, format!("\"p/{n}\"")));
        let names: HashMap<u32, String> = names.collect();
        Renderer {
            names: [names.clone(), names],
            full,
        }
    }

    #[test]
    fn partitions_are_named() {
        let renderer = renderer(false);
        for (fact, expect) in [
            (
                "create Partition/3.1 in Missing",
                "create Partition \"p/3\" in Missing",
            ),
            (
                "move Partition/3.1 Missing -> Building",
                "move Partition \"p/3\" Missing -> Building",
            ),
            (
                "link Want/3.1.partitions += Partition/12.1",
                "link Want/3.1.partitions += Partition \"p/12\"",
            ),
            (
                "set Partition/0.1.at = 2023-11-14T22:13:20.123456Z",
                "set Partition \"p/0\".at = 2023-11-14T22:13:20.123456Z",
            ),
            (
                "set Partition/0.1.name = \"Partition/1\"",
                "set Partition \"p/0\".name = \"Partition/1\"",
            ),
            (
                "set Partition/0.1.x = \"a\\\"Partition/1\"",
                "set Partition \"p/0\".x = \"a\\\"Partition/1\"",
            ),
            (
                "link PartitionRef/3.1.current += Partition/12.1",
                "link PartitionRef \"p/3\".current += Partition \"p/12\"",
            ),
            ("move Partition/99.1 A -> B", "move Partition/99.1 A -> B"),
            (
                "move OtherPartition/1.1 A -> B",
                "move OtherPartition/1.1 A -> B",
            ),
        ] {
            assert_eq!(renderer.named(fact), expect);
        }
    }

    #[test]
    fn long_lists_are_shortened_unless_full() {
        let names: Vec<String> = (0..20).map(|n| format!("Partition/{n}.1")).collect();
        let list = format!("[{}]", names.join(", "));
        let short = renderer(false).list(&list);
        assert!(
            short.starts_with("[Partition \"p/0\", ") && short.ends_with("\"p/5\" and 14 more]"),
            "{short}"
        );
        assert_eq!(renderer(true).list(&list).matches("p/").count(), 20);
        assert_eq!(
            renderer(false).list("[\"a, b\", \"c\"]"),
            "[\"a, b\", \"c\"]"
        );

        let links = (0..20).map(|n| format!("link Want/3.1.partitions += Partition/{n}.1"));
        let facts: Vec<String> = ["move Want/3.1 New -> Idle".to_owned()]
            .into_iter()
            .chain(links)
            .chain(["create JobRun/1.1 in Queued".to_owned()])
            .collect();
        let rendered = |full| renderer(full).lines(facts.iter().map(String::as_str));
        assert_eq!(rendered(true).len(), 22);
        let short = rendered(false);
        assert_eq!(short.len(), 9, "{short:?}");
        assert_eq!(short[7], "and 14 more like that");
        assert_eq!(short[8], "create JobRun/1.1 in Queued");
    }
}
