//! Metadata of a transaction: its time, the principal that initiated it, and what it belongs to.

use crate::base::error::StepError;
use crate::base::position::Seq;
use crate::base::position::{FrameRef, Position};
use crate::base::time::Timestamp;

/// The metadata of a transaction; see [`Store::begin_with`](crate::Store::begin_with).
///
/// ```
/// use ironweave::Meta;
///
/// let meta = Meta::new().with_actor("ann").with_idempotency_key("request-17");
/// assert_eq!(meta.actor(), Some("ann"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta {
    pub(crate) time: Option<Timestamp>,
    pub(crate) actor: Option<String>,
    pub(crate) correlation: Option<String>,
    /// The number of a sequence: an arc sets a field of the model to it, and such a field has the type `Option<u64>`.
    pub(crate) causation: Option<u64>,
    pub(crate) key: Option<String>,
    pub(crate) expect: Option<Seq>,
    /// The positions of the frames that it names, until the store has compared them.
    positions: Option<Box<Positions>>,
}

/// The positions of the frames that a transaction names by position. Most name none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Positions {
    causation: Option<Position>,
    expect: Option<Position>,
}

impl Meta {
    /// No metadata but the time of the clock.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time of the transaction, instead of the clock's. One before that of the last transaction rejects.
    #[must_use]
    pub fn with_time(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }

    /// The principal that initiated the transaction.
    #[must_use]
    pub fn with_actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Correlation id: groups the transactions of one request or process.
    #[must_use]
    pub fn with_correlation(mut self, correlation: impl Into<String>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// The transaction of this store that it follows from. One that the log does not have rejects; of a
    /// [`Position`], the sequence is written.
    #[must_use]
    pub fn with_causation(mut self, frame: impl Into<FrameRef>) -> Self {
        let frame = frame.into();
        self.causation = Some(frame.seq().get());
        self.name(|positions| positions.causation = frame.position());
        self
    }

    /// Idempotency key: the name of the request. A second transaction with the same key and the same events does nothing
    /// and gives the receipts of the first; one with other events rejects.
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Rejects with a conflict where an entity that an event binds has changed since this transaction; O(frames
    /// since). One that the log does not have, because it is past the end or of another history, rejects: see
    /// [`Store::locate`](crate::Store::locate).
    #[must_use]
    pub fn expect(mut self, frame: impl Into<FrameRef>) -> Self {
        let frame = frame.into();
        self.expect = Some(frame.seq());
        self.name(|positions| positions.expect = frame.position());
        self
    }

    fn name(&mut self, set: impl FnOnce(&mut Positions)) {
        let mut positions = self
            .positions
            .take()
            .map_or_else(Positions::default, |p| *p);
        set(&mut positions);
        let some = positions != Positions::default();
        self.positions = some.then(|| Box::new(positions));
    }

    /// The frames that it names, and whether what came before each must be known. They are asked for once: what is left
    /// then is what a log has of them.
    pub(crate) fn take_frames(&mut self) -> impl Iterator<Item = (FrameRef, bool)> + use<> {
        let named = |seq: Option<Seq>, at: Option<Position>| {
            seq.map(|seq| at.map_or(FrameRef::Seq(seq), FrameRef::Position))
        };
        let positions = self
            .positions
            .take()
            .map_or_else(Positions::default, |p| *p);
        let causation = named(self.causation.map(Seq::new), positions.causation);
        let expect = named(self.expect, positions.expect);
        let causation = causation.map(|frame| (frame, false));
        causation
            .into_iter()
            .chain(expect.map(|frame| (frame, true)))
    }

    /// Takes out the time of a transaction that follows one of the time `last`.
    pub(crate) fn take_time(&mut self, last: Timestamp) -> Result<Option<Timestamp>, StepError> {
        match self.time.take() {
            Some(asked) if asked < last => Err(StepError::TimeGoesBack { last, asked }),
            time => Ok(time),
        }
    }

    /// The time that was set by [`Meta::with_time`]. It is `None` if the time is the clock's, and `None` in the metadata that
    /// guards, handlers and records return, which have a method `time` beside it: `db.time()`, `tx.time()`,
    /// `record.time()`, `entry.time()`.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// The principal that initiated the transaction.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// Correlation id: groups the transactions of one request or process.
    #[must_use]
    pub fn correlation(&self) -> Option<&str> {
        self.correlation.as_deref()
    }

    /// The transaction that it follows from.
    #[must_use]
    pub fn causation(&self) -> Option<Seq> {
        self.causation.map(Seq::new)
    }

    /// The idempotency key: the name of the request.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}
