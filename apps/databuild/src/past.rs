//! Points in the past of a store: which there are, and the graph as of one of them.
//!
//! A point is written as the number of a step or as a time. The library would accept a time before the first step, of which the graph is
//! empty, and its errors have advice for programs; here, each point that the log does not have is an error that says which it has.

use std::fmt;

use ironweave::prelude::*;
use ironweave::{AsOf, ReadError, Record, Records, Seq, Snapshot, StoreReader};
use schemars::JsonSchema;
use serde::Serialize;

use crate::model::build::Model;
use crate::text::shown;

/// A step and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Moment {
    /// The number of the step.
    pub seq: u64,
    /// Its time in RFC 3339.
    pub time: String,
}

impl Moment {
    fn of(record: &Record<Model>) -> Self {
        Self {
            seq: record.seq().get(),
            time: record.time().to_string(),
        }
    }

    /// The moment of a snapshot; none of an empty store.
    pub fn of_snapshot(db: &Snapshot<Model>) -> Option<Self> {
        Some(Self {
            seq: db.seq()?.get(),
            time: db.time().to_string(),
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.seq, self.time)
    }
}

/// Why there is no graph as of a point.
#[derive(Debug)]
pub enum NoMoment {
    /// The text is neither the number of a step nor a time.
    Invalid(String),
    /// The log has no such point.
    Absent(String),
    /// The store had another model then, whose graph has other entities or fields.
    OtherModel(String),
    /// The log cannot be read.
    Unreadable(ReadError),
}

impl fmt::Display for NoMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(why) | Self::Absent(why) | Self::OtherModel(why) => f.write_str(why),
            Self::Unreadable(e) => write!(f, "the log cannot be read: {e}"),
        }
    }
}

impl std::error::Error for NoMoment {}

impl From<ReadError> for NoMoment {
    fn from(e: ReadError) -> Self {
        Self::Unreadable(e)
    }
}

/// The transactions of a log from its first one on, which is not that of step 0 if the first ones were dropped.
///
/// # Errors
/// If the log cannot be read.
pub fn records(reader: &StoreReader<Model>) -> Result<Records<'static, Model>, ReadError> {
    let first = match reader.frames(Seq::ZERO) {
        Err(ReadError::BeforeBeginning { beginning, .. }) => beginning.checked_add(1),
        Err(ReadError::Storage(e)) if e.is_dropped() && e.seq().is_some() => e.seq(),
        read => return read,
    };
    reader.frames(first.unwrap_or_default())
}

/// The first and the last step of a log; none if it has none. O(1) reads.
///
/// # Errors
/// If the log cannot be read.
pub fn range(reader: &StoreReader<Model>) -> Result<Option<(Moment, Moment)>, ReadError> {
    let first = records(reader)?.next().transpose()?;
    let last = reader.seq().map(|seq| moment(reader, seq)).transpose()?;
    Ok(first.as_ref().map(Moment::of).zip(last.flatten()))
}

/// A step with its time, if the log has it. O(1) reads.
///
/// # Errors
/// If the log cannot be read.
pub fn moment(reader: &StoreReader<Model>, seq: Seq) -> Result<Option<Moment>, ReadError> {
    let record = reader.frames(seq)?.next().transpose()?;
    Ok(record.as_ref().map(Moment::of))
}

/// Reads a point: the number of a step, a time or a day.
///
/// # Errors
/// If the text is none of these.
pub fn point(text: &str) -> Result<AsOf, NoMoment> {
    text.parse().map_err(|e| {
        let text = shown(text);
        NoMoment::Invalid(format!(
            "`{text}` is no point in the past: {e}; each line of `databuild log` begins with the number of a step and its time"
        ))
    })
}

/// The graph as of a point. O(steps since the last version in memory or checkpoint before it).
///
/// # Errors
/// If the log has no such point, the store had another model then, or the log cannot be read.
pub fn as_of(reader: &StoreReader<Model>, when: AsOf) -> Result<Snapshot<Model>, NoMoment> {
    let Some((first, last)) = range(reader)? else {
        return Err(NoMoment::Absent("the log has no steps yet".to_owned()));
    };
    let absent = |what: String| {
        let why = format!("{what}: the log has the steps {first} to {last}");
        Err(NoMoment::Absent(why))
    };
    match when {
        AsOf::Seq(seq) if !(first.seq..=last.seq).contains(&seq.get()) => {
            return absent(format!("there is no step {seq}"));
        }
        AsOf::Time(time) => {
            let is_after = |moment: &Moment| moment.time.parse().is_ok_and(|at| time > at);
            if time > Timestamp::now() && is_after(&last) {
                return absent(format!("{time} is in the future"));
            }
            if first.time.parse().is_ok_and(|at| time < at) {
                return absent(format!("{time} is before the first step"));
            }
        }
        AsOf::Seq(_) | AsOf::Position(_) => {}
    }
    match reader.as_of(when) {
        Err(ReadError::OtherShape { seq }) => {
            let then = reader.as_of_by_name(when)?;
            then.upgrade::<Model>().map_err(|_| {
                NoMoment::OtherModel(format!(
                    "after step {seq}, the store had the model of an earlier databuild, with other entities or fields: choose a later step"
                ))
            })
        }
        read => Ok(read?),
    }
}
