//! The error of a value that cannot be carried over to another schema.

use std::fmt;

use ironweave_schema::{ColumnIx, EdgeIx};

use crate::base::error::{EntityRef, FrameLocation, Name};
use crate::base::position::Seq;

/// A value that cannot be carried over to the model: it cannot be read as one of the type that the model has, or it is a key that
/// another entity has.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCarried {
    /// The field, the data of a state or the end of the edge, in the model: `Bed.since`. The entity type, if it is a key of several
    /// fields that another entity has.
    pub what: Name,
    /// The entity that has the value, or the one at the declaring end of the link.
    pub entity: EntityRef,
    /// Why it cannot be carried over.
    pub reason: String,
    /// The frame that wrote the value, if the log was searched for it and has it. A key of several fields has none.
    pub seq: Option<Seq>,
    /// Where that frame is, if the log is in a directory.
    pub location: Option<FrameLocation>,
    /// The cell of the model, by which the frame is found. `None` for a key of several fields.
    pub(crate) cell: Option<CarriedCell>,
}

/// A cell of a column or the data of a link, with the indexes of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CarriedCell {
    Column(ColumnIx, u32),
    Link(EdgeIx, u32, u32),
}

impl fmt::Display for NotCarried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            entity,
            reason,
            seq,
            location,
            cell: _,
        } = self;
        if let Some(location) = location {
            write!(f, "{location}: ")?;
        }
        write!(f, "{what} of {entity} cannot be carried over: {reason}")?;
        match seq {
            Some(seq) => write!(f, "; the value was written by frame {seq}"),
            None => Ok(()),
        }
    }
}
