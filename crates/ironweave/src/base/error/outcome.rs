//! What a caller asks of a [`StepError`]: its kind, predicates, the events that led to it, the program's own error.

use crate::base::error::{Chain, ErrorKind, Name, Reason, StepError};

impl StepError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::StaleHandle { .. } | Self::UnknownKey { .. } => ErrorKind::NotFound,
            Self::NotInPlace { .. }
            | Self::Duplicate { .. }
            | Self::AlreadyLinked { .. }
            | Self::NotLinked { .. }
            | Self::Restricted { .. }
            | Self::Changed { .. }
            | Self::ReceiptLost { .. } => ErrorKind::Conflict,
            Self::When { .. }
            | Self::Guard { .. }
            | Self::Rejected { .. }
            | Self::Cardinality { .. }
            | Self::Cycle { .. }
            | Self::Invariant { .. }
            | Self::RejectedBefore { .. } => ErrorKind::Forbidden,
            Self::TwoArcs { .. }
            | Self::Repeated { .. }
            | Self::Unwritable { .. }
            | Self::TimeGoesBack { .. }
            | Self::KeyReused { .. }
            | Self::StaleSavepoint => ErrorKind::Invalid,
            Self::Loop { .. } => ErrorKind::Internal,
            Self::Full { .. } | Self::ReadOnly => ErrorKind::Unavailable,
            Self::Metadata(e) => e.kind(),
            Self::Storage(e) => e.kind(),
            Self::Indeterminate(_) => ErrorKind::Indeterminate,
        }
    }

    /// Optimistic-concurrency conflict: another transaction changed what this one expected. Retrying is safe.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }

    /// Whether the event, the transaction or its metadata was refused for what it is or for the state of the graph, and
    /// not by storage. Nothing happened, and the store goes on.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        !matches!(
            self,
            Self::Storage(_) | Self::Indeterminate(_) | Self::ReadOnly
        )
    }

    /// Whether the store has stopped, now or before, and takes no more steps until it is opened again.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        match self {
            Self::Indeterminate(_) => true,
            Self::Storage(e) => e.is_stopped(),
            _ => false,
        }
    }

    /// Whether the metadata names a transaction past the end of the log; see [`ReadError::is_ahead`](crate::ReadError::is_ahead).
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        matches!(self, Self::Metadata(e) if e.is_ahead())
    }

    /// Whether the metadata names a transaction of another history; see [`ReadError::is_other_history`](crate::ReadError::is_other_history).
    #[must_use]
    pub fn is_other_history(&self) -> bool {
        matches!(self, Self::Metadata(e) if e.is_other_history())
    }

    /// The reason that a guard, a handler or an invariant gave.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Guard { reason, .. }
            | Self::Rejected { reason, .. }
            | Self::Invariant { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The program's own error, which a guard, a handler or an invariant rejected with, where it is of this type; see
    /// [`Reject::from_error`](crate::Reject::from_error).
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.reason()?.downcast_ref()
    }

    /// The events that led to it: the event that the program fired, then immediate events, each of which the one
    /// before it enabled. The last is the event that was rejected or, of an [`Invariant`](StepError::Invariant), the
    /// last that changed what the invariant sees. Of a [`Loop`](StepError::Loop) with a cycle it ends where that begins.
    ///
    /// Empty where no event fired: the transaction could not begin, or the log refused it.
    #[must_use]
    pub fn chain(&self) -> &[Name] {
        self.chain_ref().map_or(&[], |chain| chain)
    }

    /// The immediate event that was rejected and so made the event fail that enabled it, where it was one.
    ///
    /// An immediate event fires where its conditions hold; what its other arcs cannot do rejects the whole step.
    #[must_use]
    pub fn immediate(&self) -> Option<&Name> {
        match (self, self.chain()) {
            (Self::Invariant { .. }, _) => None,
            (Self::Loop { cycle, .. }, _) if !cycle.is_empty() => cycle.first(),
            (_, [_, .., last]) => Some(last),
            _ => None,
        }
    }

    /// Says which events led to it, unless that is known.
    #[cold]
    pub(crate) fn led_by(mut self, events: impl FnOnce() -> Chain) -> Self {
        if let Some(chain) = self.chain_mut()
            && chain.is_empty()
        {
            *chain = events();
        }
        self
    }
}

/// The chain of an error that has one, by reference or to be changed.
macro_rules! chain_of {
    ($error:expr) => {
        match $error {
            StepError::StaleHandle { chain, .. }
            | StepError::UnknownKey { chain, .. }
            | StepError::NotInPlace { chain, .. }
            | StepError::When { chain, .. }
            | StepError::Guard { chain, .. }
            | StepError::Rejected { chain, .. }
            | StepError::TwoArcs { chain, .. }
            | StepError::Repeated { chain, .. }
            | StepError::Duplicate { chain, .. }
            | StepError::Cardinality { chain, .. }
            | StepError::AlreadyLinked { chain, .. }
            | StepError::NotLinked { chain, .. }
            | StepError::Restricted { chain, .. }
            | StepError::Cycle { chain, .. }
            | StepError::Invariant { chain, .. }
            | StepError::Loop { chain, .. }
            | StepError::Full { chain, .. }
            | StepError::Unwritable { chain, .. }
            | StepError::Changed { chain, .. } => Some(chain),
            StepError::TimeGoesBack { .. }
            | StepError::KeyReused { .. }
            | StepError::RejectedBefore { .. }
            | StepError::ReceiptLost { .. }
            | StepError::StaleSavepoint
            | StepError::Metadata(_)
            | StepError::ReadOnly
            | StepError::Storage(_)
            | StepError::Indeterminate(_) => None,
        }
    };
}

impl StepError {
    pub(super) fn chain_ref(&self) -> Option<&Chain> {
        chain_of!(self)
    }

    fn chain_mut(&mut self) -> Option<&mut Chain> {
        chain_of!(self)
    }
}
