//! The report of a dry run.

use std::fmt;

use crate::base::error::Name;
use crate::base::position::Seq;
use crate::store::FactKind;

/// What an opening for writing would do, as [`Options::migrate_dry_run`](crate::Options::migrate_dry_run) has found. `Display`
/// renders it as text of several lines, in which a `!` marks the differences that are refused without a migration.
#[derive(Clone, Debug)]
pub struct MigrationReport {
    pub(super) model: Name,
    pub(super) seq: Option<Seq>,
    pub(super) differences: Vec<ReportedDifference>,
    pub(super) carried: Vec<(Name, u64)>,
    pub(super) dropped: Vec<Dropped>,
    pub(super) facts: Vec<(FactKind, Name, u64)>,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) fingerprint: u128,
}

/// A difference between the last schema of the log and the model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportedDifference {
    /// The difference as text. If it is refused without the code of a migration, the text has the reason.
    pub text: String,
    /// Whether it is refused without the code of a migration.
    pub is_refused: bool,
    /// Whether it affects stored data, and not only the rules.
    pub is_of_data: bool,
}

/// Something in the store that has no place in the new model.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dropped {
    /// The kind of what is dropped.
    pub kind: DroppedKind,
    /// The entity type, the field or the edge, by its former name.
    pub item: Name,
    /// How many there are.
    pub count: u64,
}

/// The kind of what a migration drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DroppedKind {
    /// Entities, with all that they have.
    Entities,
    /// Values of a field, or of the data of a state.
    Values,
    /// Links, with their data.
    Links,
    /// The data of links, which stay.
    LinkData,
}

impl MigrationReport {
    /// Returns the last frame of the log, after which the new epoch would begin.
    #[must_use]
    pub fn seq(&self) -> Option<Seq> {
        self.seq
    }

    /// Returns the differences between the last schema of the log and the model.
    #[must_use]
    pub fn differences(&self) -> &[ReportedDifference] {
        &self.differences
    }

    /// Returns the number of entities that are carried over, by type.
    #[must_use]
    pub fn carried(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.carried.iter().map(|(name, count)| (&**name, *count))
    }

    /// Returns what is dropped.
    #[must_use]
    pub fn dropped(&self) -> &[Dropped] {
        &self.dropped
    }

    /// Returns the number of facts by kind and item: the entity type, or the path of the field or the edge.
    #[must_use]
    pub fn facts(&self) -> impl ExactSizeIterator<Item = (FactKind, &str, u64)> {
        (self.facts.iter()).map(|(kind, item, count)| (*kind, &**item, *count))
    }

    /// Returns the number of frames that would be written.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Returns the length of these frames, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the [fingerprint](crate::Store::fingerprint) that the store would have.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }
}

impl fmt::Display for MigrationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { model, seq, .. } = self;
        let after = seq.map_or_else(String::new, |seq| format!(" after frame {seq}"));
        if self.frames == 0 {
            return write!(
                f,
                "the log continues{after} with the model `{model}` as it is; nothing to do"
            );
        }
        write!(f, "a new epoch of the model `{model}` would begin{after}")?;
        f.write_str("\ndifferences of stored data:")?;
        let (shown, rules): (Vec<_>, Vec<_>) = (self.differences.iter())
            .partition(|difference| difference.is_of_data || difference.is_refused);
        for difference in shown {
            let mark = if difference.is_refused { "! " } else { "" };
            write!(f, "\n- {mark}{}", difference.text)?;
        }
        if !rules.is_empty() {
            write!(
                f,
                "\n- differences of rules, which need no change of data: {}",
                rules.len()
            )?;
        }
        list(
            f,
            "carried over",
            self.carried
                .iter()
                .map(|(name, count)| format!("{count} {name}")),
        )?;
        list(f, "dropped", self.dropped.iter().map(Dropped::to_string))?;
        let facts = (self.facts.iter())
            .map(|(kind, item, count)| format!("{count} {} {item}", kind.name()));
        list(f, "facts", facts)?;
        let (frames, bytes) = (self.frames, self.bytes);
        write!(f, "\nto be written: {frames} frames, {bytes} bytes")
    }
}

/// Writes a line with items, or that there are none.
fn list(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: impl Iterator<Item = String>,
) -> fmt::Result {
    let items: Vec<String> = items.collect();
    let text = if items.is_empty() {
        "nothing".to_owned()
    } else {
        items.join(", ")
    };
    write!(f, "\n{title}: {text}")
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, item, count } = self;
        let (one, many) = match kind {
            DroppedKind::Entities => ("entity", "entities"),
            DroppedKind::Values => ("value", "values"),
            DroppedKind::Links => ("link", "links"),
            DroppedKind::LinkData => ("value of a link", "values of links"),
        };
        let what = if *count == 1 { one } else { many };
        write!(f, "{count} {what} of `{item}`")
    }
}
