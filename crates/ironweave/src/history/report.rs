//! Reports: transactions of the log, read back for programs.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Bound;
use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::meta::Meta;
use crate::base::position::Position;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::log::{Frame, FrameKind, Frames};
use crate::snapshot::{Changes, Snapshot};
use crate::step::event::{Event, FieldReader};
use crate::step::fields::Fields as _;
use crate::step::model::Model;
use crate::step::plan::Plan;
use crate::store::bad_frame;
use crate::store::frame::{self, Decoded, Tags};
use crate::store::version::Version;
use crate::store::view::LogView;

/// A transaction without the type of its model.
pub(crate) struct Logged {
    pub seq: Seq,
    pub position: Position,
    /// Of the graph after it.
    pub fingerprint: u128,
    /// Its facts are in `changes`.
    pub decoded: Decoded,
    pub changes: Changes,
}

impl Logged {
    pub(crate) fn read(frame: &Frame, tags: &Tags, plan: &Plan) -> Result<Self, StorageError> {
        let seq = frame.header.seq;
        let mut decoded = frame::decode(&frame.payload, tags).map_err(|e| bad_frame(seq, e))?;
        let facts = std::mem::take(&mut decoded.facts);
        Ok(Self {
            seq,
            position: frame.position,
            fingerprint: frame.header.fingerprint,
            decoded,
            changes: Changes::new(facts, Arc::clone(&plan.layout)),
        })
    }
}

/// What one transaction did.
pub struct Report<M: Model> {
    pub(crate) logged: Arc<Logged>,
    plan: Arc<Plan>,
    behind: u64,
    /// The graph before and after it.
    graphs: Option<(Arc<Version>, Arc<Version>)>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> Clone for Report<M> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.logged), Arc::clone(&self.plan))
            .told(self.behind, self.graphs.clone())
    }
}

impl<M: Model> Report<M> {
    pub(crate) fn new(logged: Arc<Logged>, plan: Arc<Plan>) -> Self {
        Self {
            logged,
            plan,
            behind: 0,
            graphs: None,
            model: PhantomData,
        }
    }

    /// As a subscription tells it.
    pub(crate) fn told(self, behind: u64, graphs: Option<(Arc<Version>, Arc<Version>)>) -> Self {
        Self {
            behind,
            graphs,
            ..self
        }
    }

    /// How many frames there were behind it when its subscription gave it: how far that one lags.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.behind
    }

    /// The graph before it, where its subscription is of [`Store::subscribe_after`].
    #[must_use]
    pub fn before(&self) -> Option<Snapshot<M>> {
        let graphs = self.graphs.as_ref();
        graphs.map(|(before, _)| Snapshot::of(Arc::clone(before)))
    }

    /// The graph after it, where its subscription is of [`Store::subscribe_after`].
    #[must_use]
    pub fn after(&self) -> Option<Snapshot<M>> {
        let graphs = self.graphs.as_ref();
        graphs.map(|(_, after)| Snapshot::of(Arc::clone(after)))
    }

    /// Its number.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.logged.seq
    }

    /// Where it is in its log: what a consumer keeps to go on after it, see [`Store::subscribe_since`].
    #[must_use]
    pub fn position(&self) -> Position {
        self.logged.position
    }

    /// The [fingerprint](Store::fingerprint) of the graph after it.
    #[must_use]
    pub fn fingerprint(&self) -> u128 {
        self.logged.fingerprint
    }

    /// When it was.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.logged.decoded.time
    }

    /// What else it said of itself.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        &self.logged.decoded.meta
    }

    /// What it changed.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.logged.changes
    }

    /// The names of the events that fired in it, those that fired by themselves among them, in order.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        let firings = self.logged.decoded.firings.iter();
        firings.map(|f| &*self.plan.events[usize::from(f.event)].name)
    }

    /// The events of one type that fired in it.
    ///
    /// # Errors
    /// One that can no longer be read as what it was.
    pub fn fired<E: Event<Model = M>>(&self) -> impl Iterator<Item = Result<E, StorageError>> {
        let firings = self.logged.decoded.firings.iter();
        firings.filter(|f| f.event == E::INDEX).map(|f| {
            FieldReader::new(&f.binding, &f.fields)
                .and_then(|reader| E::Fields::decode(&reader, 0))
                .map(E::of)
                .map_err(|e| bad_frame(self.seq(), e))
        })
    }
}

impl<M: Model> fmt::Debug for Report<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: Vec<&str> = self.events().collect();
        f.debug_struct("Report")
            .field("seq", &self.seq())
            .field("time", &self.time())
            .field("events", &events)
            .field("changes", self.changes())
            .finish()
    }
}

/// The transactions of a log, read one after the other.
pub struct Reports<'s, M: Model> {
    view: LogView<'s>,
    frames: Frames<'s>,
    until: Bound<Seq>,
    model: PhantomData<fn() -> M>,
}

impl<M: Model> fmt::Debug for Reports<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reports")
            .field("model", &M::NAME)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl<'s, M: Model> Reports<'s, M> {
    pub(super) fn new(
        view: LogView<'s>,
        (from, until): (Bound<Seq>, Bound<Seq>),
    ) -> Result<Self, ReadError> {
        let from = match from {
            Bound::Included(from) => from,
            Bound::Excluded(from) => from.saturating_add(1),
            Bound::Unbounded => 0,
        };
        Ok(Self {
            frames: view.frames(from)?,
            view,
            until,
            model: PhantomData,
        })
    }

    fn read(&self, frame: &Frame) -> Result<Report<M>, StorageError> {
        let seq = frame.header.seq;
        let tags = (self.view.epochs.at(seq)).ok_or_else(|| bad_frame(seq, "it has no schema"))?;
        let logged = Logged::read(frame, tags, &self.view.plan)?;
        Ok(Report::new(Arc::new(logged), Arc::clone(&self.view.plan)))
    }
}

impl<M: Model> Iterator for Reports<'_, M> {
    type Item = Result<Report<M>, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let frame = match self.frames.next()? {
                Ok(frame) => frame,
                Err(e) => return Some(Err(e)),
            };
            let seq = frame.header.seq;
            let beyond = match self.until {
                Bound::Included(until) => seq > until,
                Bound::Excluded(until) => seq >= until,
                Bound::Unbounded => false,
            };
            if beyond {
                return None;
            }
            if frame.header.kind == FrameKind::Transaction {
                let report = self.read(&frame);
                return Some(report.map_err(|e| self.view.place(e)));
            }
        }
    }
}
