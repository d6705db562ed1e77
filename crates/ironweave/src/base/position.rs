//! Positions identify a frame among all frames of all logs.
//!
//! A sequence number alone does not: another store, or the same store after a restore from a backup, has a different frame
//! with the same number. A [`Position`] has four parts.
//!
//! | part | distinguishes |
//! |---|---|
//! | store | stores: a random id that all segments of a store share |
//! | timeline | frames written before a restore and after it ([`crate::Options::new_timeline`]) |
//! | sequence | frames of one log |
//! | checksum | frames with the same sequence in histories that diverged |
//!
//! The checksum cannot be replaced by the fingerprint of the graph, because different histories can lead to equal graphs,
//! which have equal fingerprints.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use crate::base::error::{ErrorKind, ReadError};
use crate::base::id::excerpt;
pub use crate::base::seq::Seq;

/// The identity of a frame of the log of one store. A consumer keeps the position of the last frame that it processed.
///
/// Receipts, records, snapshots, projections and the store return positions. [`Store::subscribe_since`],
/// [`Store::since`], [`Store::as_of`], [`Store::locate`] and [`Meta::expect`] accept one, and return an error if it belongs
/// to another store or to another history of this store.
///
/// A position prints as `SEQUENCE-CHECKSUM-TIMELINE-STORE`, with all parts but the first in hexadecimal digits, and parses
/// from that text, which is valid in an HTTP header. Serde writes that text in human-readable formats, and four integers in
/// others.
///
/// [`Store::subscribe_since`]: crate::Store::subscribe_since
/// [`Store::since`]: crate::Store::since
/// [`Store::as_of`]: crate::Store::as_of
/// [`Store::locate`]: crate::Store::locate
/// [`Meta::expect`]: crate::Meta::expect
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::Position;
/// use ironweave::prelude::*;
/// use lamps::{Bought, Model};
///
/// let mut store = Store::<Model>::memory();
/// let bought = store.step(Bought { room: "hall".into() }).position(&store)?;
/// let header = bought.to_string();
/// store.step(Bought { room: "attic".into() });
///
/// let read: Position = header.parse()?;
/// assert_eq!(read, bought);
/// assert_eq!(store.since(read)?.count(), 1);
///
/// // Another store has a frame with the same number, but another position.
/// let mut other = Store::<Model>::memory();
/// other.step(Bought { room: "hall".into() });
/// assert!(other.since(read).is_err_and(|e| e.is_other_history()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    pub(crate) store: u64,
    pub(crate) timeline: u64,
    pub(crate) seq: Seq,
    pub(crate) checksum: u64,
}

impl Position {
    /// The length of [`Position::to_bytes`].
    pub const BYTES: usize = 32;

    /// Returns the sequence number of the frame.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Returns the id of the store, a random number that was chosen when the store was created. A store in memory and a
    /// store that begins at a snapshot have ids of their own.
    #[must_use]
    pub fn store(&self) -> u64 {
        self.store
    }

    /// Returns the timeline of the frame. It is 0 until the store is opened with [`crate::Options::new_timeline`], and a
    /// random number from then on.
    #[must_use]
    pub fn timeline(&self) -> u64 {
        self.timeline
    }

    /// Returns the checksum of the frame. For a log in memory it covers only the header of the frame, since such a log
    /// cannot be restored and so has one history.
    #[must_use]
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Returns store, timeline, sequence and checksum, each as 8 bytes in little-endian order.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = [self.store, self.timeline, self.seq.get(), self.checksum];
        for (to, part) in bytes.chunks_exact_mut(8).zip(parts) {
            to.copy_from_slice(&part.to_le_bytes());
        }
        bytes
    }

    /// Returns the position that [`Position::to_bytes`] encoded.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let part = |i: usize| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[8 * i..8 * i + 8]);
            u64::from_le_bytes(part)
        };
        Self {
            store: part(0),
            timeline: part(1),
            seq: Seq::new(part(2)),
            checksum: part(3),
        }
    }

    /// Returns [`ReadError::OtherHistory`] unless `found`, the position of the log's frame with this sequence, is equal.
    pub(crate) fn check(&self, found: Self) -> Result<(), ReadError> {
        if *self == found {
            return Ok(());
        }
        let asked = *self;
        Err(ReadError::OtherHistory { asked, found })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            store,
            timeline,
            seq,
            checksum,
        } = self;
        write!(f, "{seq}-{checksum:016x}-{timeline:x}-{store:016x}")
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

/// The error of parsing a text that is not a [`Position`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePositionError(String);

impl fmt::Display for ParsePositionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a position; write sequence, checksum, timeline and store, as in \
             `42-1b2c3d4e5f607182-0-9f86d081884c7d65`",
            self.0
        )
    }
}

impl ParsePositionError {
    /// Returns [`ErrorKind::Invalid`].
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Invalid
    }
}

impl std::error::Error for ParsePositionError {}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |part: &str| u64::from_str_radix(part, 16).ok();
        let read = || {
            let mut parts = text.split('-');
            let position = Self {
                seq: parts.next()?.parse().ok()?,
                checksum: hex(parts.next()?)?,
                timeline: hex(parts.next()?)?,
                store: hex(parts.next()?)?,
            };
            // Each position has exactly one text: other signs, upper case and other leading zeros are rejected.
            (position.to_string() == text).then_some(position)
        };
        read().ok_or_else(|| ParsePositionError(excerpt(text)))
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.store, self.timeline, self.seq, self.checksum).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        let (store, timeline, seq, checksum) = Deserialize::deserialize(deserializer)?;
        Ok(Self {
            store,
            timeline,
            seq,
            checksum,
        })
    }
}

/// Refers to a frame of a log, by its sequence number or by its [`Position`]. A sequence number is valid if the log has a
/// frame with it. A position is also compared with that of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameRef {
    /// The frame of this log with this sequence number.
    Seq(Seq),
    /// The frame with this position.
    Position(Position),
}

impl FrameRef {
    /// Returns the sequence number of the frame.
    #[must_use]
    pub fn seq(&self) -> Seq {
        match self {
            Self::Seq(seq) => *seq,
            Self::Position(position) => position.seq,
        }
    }

    /// Returns the position of the frame, or `None` if this refers to it by its sequence number.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Seq(_) => None,
            Self::Position(position) => Some(*position),
        }
    }

    /// Returns an error if the frame is past `last`, the last frame of a log, or of another store than `store`.
    pub(crate) fn check_end(&self, store: u64, last: Option<Seq>) -> Result<(), ReadError> {
        if let Some(position) = self.position()
            && position.store != store
        {
            // The positions differ already in their stores, so the frame need not be read.
            return position.check(Position { store, ..position });
        }
        if Some(self.seq()) <= last {
            return Ok(());
        }
        Err(ahead(*self, last))
    }
}

impl From<Seq> for FrameRef {
    fn from(seq: Seq) -> Self {
        Self::Seq(seq)
    }
}

impl From<u64> for FrameRef {
    fn from(number: u64) -> Self {
        Self::Seq(Seq::new(number))
    }
}

impl From<Position> for FrameRef {
    fn from(position: Position) -> Self {
        Self::Position(position)
    }
}

/// Returns the error for a frame that is past the end of a log.
pub(crate) fn ahead(asked: impl Into<FrameRef>, last: Option<Seq>) -> ReadError {
    let asked = asked.into();
    ReadError::Ahead { asked, last }
}

/// Returns [`ReadError::Ahead`] if a read would start past the frame that the log will append next.
pub(crate) fn check_start(from: Seq, last: Option<Seq>) -> Result<(), ReadError> {
    let next = last.map_or(Some(Seq::ZERO), |last| last.checked_add(1));
    if next.is_none_or(|next| from <= next) {
        return Ok(());
    }
    Err(ahead(from, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Position {
        Position {
            store: 0x9f86_d081_884c_7d65,
            timeline: 0,
            seq: Seq::new(42),
            checksum: 0x0b2c_3d4e_5f60_7182,
        }
    }

    #[test]
    fn a_position_parses_from_its_text_and_its_bytes_and_from_nothing_else() {
        let text = "42-0b2c3d4e5f607182-0-9f86d081884c7d65";
        assert_eq!(some().to_string(), text);
        let most = Position::from_bytes([0xff; 32]);
        let least = Position::from_bytes([0; 32]);
        for position in [some(), most, least] {
            assert_eq!(position.to_string().parse(), Ok(position));
            assert_eq!(Position::from_bytes(position.to_bytes()), position);
            let json = serde_json::to_string(&position).unwrap();
            assert_eq!(json, format!("\"{position}\""));
            assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
            let mut bytes = Vec::new();
            crate::value::encode(&position, &mut bytes).unwrap();
            assert_eq!(crate::value::decode::<Position>(&bytes).unwrap(), position);
        }
        for wrong in [
            "",
            "42",
            "-",
            "42-0b2c3d4e5f607182-0",
            "+42-0b2c3d4e5f607182-0-9f86d081884c7d65",
            "042-0b2c3d4e5f607182-0-9f86d081884c7d65",
            "42-b2c3d4e5f607182-0-9f86d081884c7d65",
            "42-0B2c3d4e5f607182-0-9f86d081884c7d65",
            "42-0b2c3d4e5f607182-+0-9f86d081884c7d65",
            "42-0b2c3d4e5f607182-0-9f86d081884c7d65-1",
            " 42-0b2c3d4e5f607182-0-9f86d081884c7d65",
            "18446744073709551616-0b2c3d4e5f607182-0-9f86d081884c7d65",
        ] {
            let e = wrong.parse::<Position>().unwrap_err();
            assert!(
                e.to_string()
                    .contains(&format!("`{wrong}` is not a position"))
            );
        }
    }

    #[test]
    fn a_frame_past_the_end_is_an_error_that_names_it_and_the_last_frame() {
        for (seq, last) in [
            (Seq::new(5), Some(Seq::new(4))),
            (Seq::MAX, Some(Seq::MAX - 1)),
            (Seq::ZERO, None),
        ] {
            let e = FrameRef::from(seq).check_end(1, last).unwrap_err();
            assert!(e.is_ahead() && e.seq() == Some(seq), "{e}");
            let text = e.to_string();
            assert!(text.contains(&seq.to_string()), "{text}");
            assert!(last.is_none_or(|last| text.contains(&last.to_string())));
        }
        assert!(FrameRef::from(4).check_end(1, Some(Seq::new(4))).is_ok());
        assert!(
            FrameRef::from(Seq::MAX)
                .check_end(1, Some(Seq::MAX))
                .is_ok()
        );
        assert!(
            check_start(Seq::new(5), Some(Seq::new(4))).is_ok()
                && check_start(Seq::ZERO, None).is_ok()
        );
        assert!(check_start(Seq::new(6), Some(Seq::new(4))).is_err_and(|e| e.is_ahead()));
        assert!(check_start(Seq::new(1), None).is_err_and(|e| e.is_ahead()));
        assert!(check_start(Seq::MAX, Some(Seq::MAX)).is_ok());
    }
}
