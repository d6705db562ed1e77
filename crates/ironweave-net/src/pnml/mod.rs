//! PNML (ISO/IEC 15909-2), the exchange format of Petri nets.
//!
//! Place/transition nets are read as they are, and symmetric nets are unfolded: each place becomes one place for each of its
//! colours, and each transition one transition for each binding of its variables that satisfies its condition.
//!
//! Read are: pages, places, transitions, arcs, references to nodes on other pages, initial markings and inscriptions; of symmetric nets
//! dots, finite enumerations, cyclic enumerations, ranges of integers and products of sorts, `all`, `add`, `subtract`, `numberof`,
//! `scalarproduct`, `tuple`, `successor` and `predecessor`, and conditions with `equality`, `inequality`, the four orders, `and`, `or`,
//! `not` and `imply`. Anything else is refused by its name. Drawing instructions and what tools have added are skipped.

mod net;
mod sorts;
mod terms;
mod unfold;
mod write;
mod xml;

use std::fmt;
use std::io::BufRead;

use crate::plain::Net;

pub use write::write;

/// Limits for files that are not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a file. Default: 1 GiB.
    pub bytes: u64,
    /// How deep elements may nest. Default: 200.
    pub depth: usize,
    /// The most tokens of the initial marking, and the largest weight of an arc. Default: 100,000,000.
    pub tokens: u64,
    /// The most places, transitions and arcs after unfolding, with the bindings, conditions and colours that are evaluated for them; and
    /// the most XML elements that describe the net. At most 2^32 - 1. Default: 50,000,000, which may take some gigabytes of memory.
    pub unfolded: u64,
}

impl Limits {
    /// The limit of `unfolded`. Positions of places and transitions have 32 bits.
    fn unfolded_max(&self) -> u64 {
        self.unfolded.min(u64::from(u32::MAX))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 1 << 30,
            depth: 200,
            tokens: 100_000_000,
            unfolded: 50_000_000,
        }
    }
}

/// The kinds of nets that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A place/transition net.
    PlaceTransition,
    /// A symmetric net, whose tokens have colours of finite sorts.
    Symmetric,
}

/// A net that was read from PNML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The name of the net, or its id if it has none.
    pub name: String,
    /// The kind of the net in the file.
    pub kind: Kind,
    /// The number of places in the file.
    pub places: usize,
    /// The number of transitions in the file.
    pub transitions: usize,
    /// The net, unfolded.
    pub net: Net,
}

/// The error of a file that is not PNML, or of a net that is not supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PnmlError {
    /// The line, from 1.
    pub line: u64,
    message: String,
}

impl PnmlError {
    fn at(line: u64, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { line, message }
    }
}

impl fmt::Display for PnmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for PnmlError {}

/// Reads a net. The file is read as a stream, of which only the nodes of the net are kept. O(size of the file and of the unfolded
/// net), within the limits.
///
/// ```
/// use ironweave_net::pnml;
///
/// let text = r#"<pnml><net id="n" type="http://www.pnml.org/version-2009/grammar/ptnet"><page id="g">
///     <place id="a"><initialMarking><text>2</text></initialMarking></place>
///     <transition id="t"/>
///     <arc id="x" source="a" target="t"/>
/// </page></net></pnml>"#;
/// let document = pnml::read(text.as_bytes(), &pnml::Limits::default())?;
/// assert_eq!(document.net.places[0].tokens, 2);
/// assert_eq!(document.net.transitions[0].inputs.len(), 1);
/// # Ok::<(), pnml::PnmlError>(())
/// ```
///
/// # Errors
/// The first mistake, with its line.
pub fn read(file: impl BufRead, limits: &Limits) -> Result<Document, PnmlError> {
    net::read(file, limits)
}

#[cfg(test)]
mod tests;
