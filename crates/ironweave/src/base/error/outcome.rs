//! Accessors of [`StepError`]: its kind, predicates, the events that led to it, and the error of the program.

use crate::base::error::{Chain, ErrorKind, Name, Reason, StepError};

impl StepError {
    /// Returns the kind of the error, which determines what a caller can do about it.
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
            | Self::NothingToChoose { .. }
            | Self::Overflow { .. }
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
            | Self::KeyExpired { .. }
            | Self::StaleSavepoint => ErrorKind::Invalid,
            Self::Loop { .. } => ErrorKind::Internal,
            Self::Full { .. } | Self::ReadOnly => ErrorKind::Unavailable,
            Self::Metadata(e) => e.kind(),
            Self::Storage(e) => e.kind(),
            Self::Indeterminate(_) => ErrorKind::Indeterminate,
        }
    }

    /// Returns whether this is an optimistic-concurrency conflict: another transaction changed what this one expected.
    /// Retrying is safe.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }

    /// Returns whether the event, the transaction or its metadata was rejected, as opposed to a failure of storage. The
    /// graph is unchanged, and the store accepts further steps.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        !matches!(
            self,
            Self::Storage(_) | Self::Indeterminate(_) | Self::ReadOnly
        )
    }

    /// Returns whether the store has stopped because of this or an earlier failure. It accepts no more steps until it is
    /// opened again.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        match self {
            Self::Indeterminate(_) => true,
            Self::Storage(e) => e.is_stopped(),
            _ => false,
        }
    }

    /// Returns whether the call came after an async store was closed. Nothing was done.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_closed())
    }

    /// Returns whether the metadata refers to a transaction past the end of the log. See
    /// [`ReadError::is_ahead`](crate::ReadError::is_ahead).
    #[must_use]
    pub fn is_ahead(&self) -> bool {
        matches!(self, Self::Metadata(e) if e.is_ahead())
    }

    /// Returns whether the metadata refers to a transaction of another history. See
    /// [`ReadError::is_other_history`](crate::ReadError::is_other_history).
    #[must_use]
    pub fn is_other_history(&self) -> bool {
        matches!(self, Self::Metadata(e) if e.is_other_history())
    }

    /// Returns the reason that a guard, a handler or an invariant gave.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Guard { reason, .. }
            | Self::Rejected { reason, .. }
            | Self::Invariant { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// Returns the error of the program with which a guard, a handler or an invariant rejected, if it is of type `E`. See
    /// [`Reject::from_error`](crate::Reject::from_error).
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        self.reason()?.downcast_ref()
    }

    /// Returns the events that led to the error. The program fired the first. The others are immediate events, each enabled
    /// by the one before it. The last is the event that was rejected. For an [`Invariant`](StepError::Invariant), it is the
    /// last event that changed what the invariant reads. For a [`Loop`](StepError::Loop) with a cycle, the chain ends
    /// before the first event of the cycle.
    ///
    /// The chain is empty if no event fired, because the transaction could not begin or the log rejected it.
    #[must_use]
    pub fn chain(&self) -> &[Name] {
        self.chain_ref().map_or(&[], |chain| chain)
    }

    /// Returns the immediate event whose rejection made the step fail, if it was one.
    ///
    /// An immediate event fires when its conditions hold. If its other arcs then fail, the whole step is rejected.
    #[must_use]
    pub fn immediate(&self) -> Option<&Name> {
        match (self, self.chain()) {
            (Self::Invariant { .. }, _) => None,
            (Self::Loop { cycle, .. }, _) if !cycle.is_empty() => cycle.first(),
            (_, [_, .., last]) => Some(last),
            _ => None,
        }
    }

    /// Returns the error with a chain of events, unless it has one.
    #[cold]
    pub(crate) fn with_chain(mut self, events: impl FnOnce() -> Chain) -> Self {
        if let Some(chain) = self.chain_mut()
            && chain.is_empty()
        {
            *chain = events();
        }
        self
    }
}

/// Evaluates to the chain of an error that has one, as a shared or a mutable reference.
macro_rules! chain_of {
    ($error:expr) => {
        match $error {
            StepError::StaleHandle { chain, .. }
            | StepError::UnknownKey { chain, .. }
            | StepError::NotInPlace { chain, .. }
            | StepError::When { chain, .. }
            | StepError::NothingToChoose { chain, .. }
            | StepError::Overflow { chain, .. }
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
            | StepError::KeyExpired { .. }
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
