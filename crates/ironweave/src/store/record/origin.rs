//! Where the frame of a transaction is: for the error of an event that cannot be decoded, which may be asked for when the log that
//! it was read from is no longer at hand.

use std::sync::{Arc, Weak};

use crate::base::error::FrameLocation;
use crate::base::storage_error::StorageError;
use crate::store::feed::Feed;

/// Where the frame of a transaction is.
pub(crate) enum Origin {
    /// In no file, or in one that is not known any more.
    Unknown,
    File(FrameLocation),
    /// In the log of a feed that has kept a copy.
    Feed(Weak<Feed>),
}

impl Origin {
    pub(super) fn of(location: Option<FrameLocation>) -> Self {
        location.map_or(Self::Unknown, Self::File)
    }

    /// If the frame is a copy that a feed has kept, its log is searched when the location is needed.
    pub(in crate::store) fn or_of_feed(&mut self, feed: &Arc<Feed>) {
        if matches!(self, Self::Unknown) {
            *self = Self::Feed(Arc::downgrade(feed));
        }
    }

    /// Adds the file and the offset of the frame to an error that has only its sequence number.
    #[cold]
    pub(super) fn place(&self, error: StorageError) -> StorageError {
        match self {
            Self::Unknown => error,
            Self::File(location) => error.in_file(location),
            Self::Feed(feed) => match feed.upgrade() {
                Some(feed) => feed.place(error),
                None => error,
            },
        }
    }
}
