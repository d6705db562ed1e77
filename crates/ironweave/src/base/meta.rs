//! Metadata of a transaction: time, actor, correlation, causation, idempotency key and expectation.

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
    /// A sequence number as an integer, because an arc can copy it to a field of the model of the type `Option<u64>`.
    pub(crate) causation: Option<u64>,
    pub(crate) key: Option<String>,
    pub(crate) expect: Option<Seq>,
    /// The positions among the frames that it refers to, until the store has compared them with the log.
    positions: Option<Box<Positions>>,
}

/// The frames that a transaction refers to by position. Most transactions refer to none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Positions {
    causation: Option<Position>,
    expect: Option<Position>,
}

impl Meta {
    /// Returns empty metadata. The transaction gets its time from the [clock](crate::Options::clock) of the store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time of the transaction, instead of the time of the store's clock. A time before that of the last
    /// transaction is rejected ([`StepError::TimeGoesBack`]).
    #[must_use]
    pub fn with_time(mut self, time: Timestamp) -> Self {
        self.time = Some(time);
        self
    }

    /// Sets the actor, the principal that initiated the transaction.
    #[must_use]
    pub fn with_actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = Some(actor.into());
        self
    }

    /// Sets the correlation id, which groups the transactions of one request or process.
    #[must_use]
    pub fn with_correlation(mut self, correlation: impl Into<String>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// Sets the causation, a transaction of this store that caused this one. A transaction that the log does not have is
    /// rejected ([`StepError::Metadata`]). The log keeps the sequence number of a [`Position`].
    #[must_use]
    pub fn with_causation(mut self, frame: impl Into<FrameRef>) -> Self {
        let frame = frame.into();
        self.causation = Some(frame.seq().get());
        self.set_positions(|positions| positions.causation = frame.position());
        self
    }

    /// Sets the idempotency key, which identifies the request. A later transaction with the same key and the same events
    /// changes nothing and returns the receipts of the first. One with other events is rejected
    /// ([`StepError::KeyReused`]).
    #[must_use]
    pub fn with_idempotency_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Sets the transaction that the caller has read up to (optimistic concurrency). An event is rejected if a later transaction has
    /// changed an entity that its fields name ([`StepError::Changed`]). Entities that the event reaches over edges or chooses are not
    /// considered, since they are found when the event fires. Costs O(number of frames since then). A frame that is past the end of the log or of another
    /// history is rejected ([`StepError::Metadata`]); see [`Store::locate`](crate::Store::locate).
    #[must_use]
    pub fn expect(mut self, frame: impl Into<FrameRef>) -> Self {
        let frame = frame.into();
        self.expect = Some(frame.seq());
        self.set_positions(|positions| positions.expect = frame.position());
        self
    }

    fn set_positions(&mut self, set: impl FnOnce(&mut Positions)) {
        let mut positions = self
            .positions
            .take()
            .map_or_else(Positions::default, |p| *p);
        set(&mut positions);
        let some = positions != Positions::default();
        self.positions = some.then(|| Box::new(positions));
    }

    /// Returns the frames that the metadata refers to, each with whether the changes since that frame must be known. The
    /// positions are removed: after the check, the metadata has sequence numbers only, as the log does.
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

    /// Removes and returns the explicit time, after checking it against `last`, the time of the last transaction.
    pub(crate) fn take_time(&mut self, last: Timestamp) -> Result<Option<Timestamp>, StepError> {
        match self.time.take() {
            Some(asked) if asked < last => Err(StepError::TimeGoesBack { last, asked }),
            time => Ok(time),
        }
    }

    /// Returns the time that [`Meta::with_time`] set, or `None` if the transaction has the time of the store's clock.
    ///
    /// The metadata that guards, handlers, records and history entries return has no time. They return it from a method of
    /// their own: `db.time()`, `tx.time()`, `record.time()`, `entry.time()`.
    #[must_use]
    pub fn time(&self) -> Option<Timestamp> {
        self.time
    }

    /// Returns the actor, the principal that initiated the transaction.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// Returns the correlation id, which groups the transactions of one request or process.
    #[must_use]
    pub fn correlation(&self) -> Option<&str> {
        self.correlation.as_deref()
    }

    /// Returns the causation, the transaction that caused this one.
    #[must_use]
    pub fn causation(&self) -> Option<Seq> {
        self.causation.map(Seq::new)
    }

    /// Returns the idempotency key, which identifies the request.
    #[must_use]
    pub fn idempotency_key(&self) -> Option<&str> {
        self.key.as_deref()
    }
}
