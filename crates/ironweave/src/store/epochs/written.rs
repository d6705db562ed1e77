//! The frame that wrote a value which a type of the program does not read. Only errors ask for it, so the log is searched.

use std::sync::Arc;

use super::{Epoch, Epochs, own_tags};
use crate::base::error::{CarriedCell, FrameLocation, MigrationError, NotCarried, OpenError};
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::graph::carry::CarryMap;
use crate::graph::fact::{Fact, Facts};
use crate::log::{Frame, ReadLog};
use crate::schema::{ColumnIx, EdgeIx, Schema};
use crate::step::epoch::NotEntered;
use crate::store::epochs::bad_frame;
use crate::store::epochs::errors::undecodable;
use crate::store::frame;
use crate::store::tags::Tags;

impl Epochs {
    /// Returns the error of a graph that cannot be carried over to a schema at its frame. If that is because of a value, it is
    /// the error of the frame that wrote the value. O(size of the log).
    #[cold]
    pub(crate) fn not_entered(
        &self,
        log: &dyn ReadLog,
        (seq, now): (Seq, &Schema),
        e: NotEntered,
    ) -> StorageError {
        let NotEntered::Value(e) = e else {
            return bad_frame(seq, e);
        };
        let NotCarried {
            what,
            entity,
            reason,
            ..
        } = &*e;
        match self.written(log, (seq, now), e.cell) {
            Written::By(written, _) => bad_frame(
                written,
                format_args!(
                    "it writes {what} of {entity}, which cannot be carried over to the schema in frame {seq}: {reason}"
                ),
            ),
            Written::Gone => bad_frame(seq, format_args!("{e}{GONE}")),
            Written::Unknown => bad_frame(seq, e),
        }
    }

    /// Adds the frame that wrote the value to the error of a graph, which is that after a frame, that cannot be carried over to
    /// the model. O(size of the log).
    #[cold]
    pub(in crate::store) fn with_written(
        &self,
        log: &dyn ReadLog,
        (last, ours): (Seq, &Schema),
        e: OpenError,
    ) -> OpenError {
        let OpenError::Migration(e) = e else {
            return e;
        };
        let MigrationError::NotCarried(mut e) = *e else {
            return OpenError::Migration(e);
        };
        match self.written(log, (last, ours), e.cell) {
            Written::By(seq, location) => (e.seq, e.location) = (Some(seq), location),
            Written::Gone => e.reason += GONE,
            Written::Unknown => {}
        }
        OpenError::Migration(Box::new(MigrationError::NotCarried(e)))
    }

    /// Searches the frames up to one for the last that has written a cell of the schema that follows.
    fn written(
        &self,
        log: &dyn ReadLog,
        until: (Seq, &Schema),
        cell: Option<CarriedCell>,
    ) -> Written {
        match cell.map(|cell| self.last_writing(log, until, cell)) {
            Some(Ok(Some((seq, location)))) => Written::By(seq, location),
            Some(Ok(None)) => Written::Gone,
            Some(Err(_)) | None => Written::Unknown,
        }
    }

    /// Returns the last frame up to one that has written a cell of the schema that follows, and where it is.
    fn last_writing(
        &self,
        log: &dyn ReadLog,
        (last, now): (Seq, &Schema),
        cell: CarriedCell,
    ) -> Result<Option<(Seq, Option<FrameLocation>)>, StorageError> {
        let epochs = self.list.partition_point(|epoch| epoch.from <= last);
        let cells = cells(&self.list[..epochs], now, cell);
        let first = log.segments().map_or(Seq::ZERO, |log| log.kept());
        let mut tags: Option<(Seq, Arc<Tags>)> = None;
        let (mut facts, mut written) = (Facts::default(), None);
        for frame in log.read(first)? {
            let Frame {
                header,
                payload,
                location,
                ..
            } = frame?;
            if header.seq > last {
                break;
            }
            let epoch = self.list.partition_point(|epoch| epoch.from <= header.seq);
            let epoch = epoch.checked_sub(1);
            let Some((epoch, Some(cell))) =
                epoch.and_then(|i| Some((self.list.get(i)?, *cells.get(i)?)))
            else {
                continue;
            };
            if !header.kind.has_facts() {
                continue;
            }
            let tags = match tags.take().filter(|(from, _)| *from == epoch.from) {
                Some(known) => &tags.insert(known).1,
                None => {
                    let own = own_tags((epoch.from, epoch.tags.version), &epoch.schema)?;
                    &tags.insert((epoch.from, own)).1
                }
            };
            let decoded = frame::decode_facts(header.kind, &payload, tags, facts)
                .map_err(|e| undecodable(header.seq, e))?;
            if decoded.facts.list.iter().any(|fact| writes(fact, cell)) {
                written = Some((header.seq, location));
            }
            facts = decoded.facts;
        }
        Ok(written)
    }
}

/// What a search for the frame that wrote a value has found.
enum Written {
    By(Seq, Option<FrameLocation>),
    /// The log has no such frame any more.
    Gone,
    /// The value is not that of one cell, or the log cannot be read.
    Unknown,
}

/// What is said of a value whose frame is not found.
const GONE: &str = "; the frame that wrote the value is not in the log any more";

fn writes(fact: &Fact, cell: CarriedCell) -> bool {
    match (*fact, cell) {
        (Fact::Set { column, slot, .. }, CarriedCell::Column(of, at)) => (column, slot) == (of, at),
        (Fact::SetLink { edge, from, to, .. }, CarriedCell::Link(of, near, far)) => {
            (edge, from, to) == (of, near, far)
        }
        _ => false,
    }
}

/// Returns, for each epoch, the cell of its schema that was carried over to one of the schema that follows the last of them.
fn cells(epochs: &[Epoch], now: &Schema, cell: CarriedCell) -> Vec<Option<CarriedCell>> {
    let (mut next, mut at) = (now, Some(cell));
    let mut cells = Vec::new();
    for epoch in epochs.iter().rev() {
        let was = &epoch.schema;
        let map = CarryMap::by_name(&was.with_names_of(next), next);
        at = at.and_then(|cell| before(&map, was, cell));
        cells.push(at);
        next = was;
    }
    cells.reverse();
    cells
}

/// Returns the cell of a schema that was carried over to another cell.
fn before(map: &CarryMap, was: &Schema, now: CarriedCell) -> Option<CarriedCell> {
    Some(match now {
        CarriedCell::Column(now, slot) => {
            let mut columns = ColumnIx::all(was.columns.len());
            CarriedCell::Column(columns.find(|was| map.column(*was) == Some(now))?, slot)
        }
        CarriedCell::Link(now, from, to) => {
            let mut edges = EdgeIx::all(was.edges.len());
            CarriedCell::Link(edges.find(|was| map.edge(*was) == Some(now))?, from, to)
        }
    })
}
