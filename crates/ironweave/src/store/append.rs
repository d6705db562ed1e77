//! The last step of a commit: the open transaction is encoded and written to the log, and the followers of the store are
//! notified of it. A transaction of one event is usually encoded in its place in a log in memory, or by the
//! same code into the buffer of the store if there are followers.

use std::sync::Arc;

use crate::base::error::StepError;
use crate::base::position::{Position, Seq};
use crate::base::storage_error::{AppendError, StorageError};
use crate::graph::fact::Facts;
use crate::log::{FrameHeader, FrameKind};
use crate::step::Core;
use crate::step::event::Event;
use crate::step::model::Model;
use crate::store::commit::{Commit, CommitFrame, Followers};
use crate::store::version::At;
use crate::store::{Epochs, Store, frame};

impl<M: Model> Store<M> {
    /// Writes the open transaction to the log, if there is one, and passes it to the followers of the store. The transaction is
    /// committed once it is written. A later panic does not roll it back.
    #[inline(always)]
    pub(super) fn append(&mut self) -> Result<(), StepError> {
        if self.core.logged {
            self.write_recorded()?;
        } else {
            self.next += 1;
            self.count_commit(0);
        }
        self.notify_if_followed();
        Ok(())
    }

    /// As [`Store::append`], for an open transaction that has nothing but one event, which was not recorded.
    #[inline(never)]
    pub(super) fn append_unrecorded<E: Event<Model = M>>(
        &mut self,
        event: &E,
    ) -> Result<(), StepError> {
        if self.append_in_place(event).is_some() {
            return Ok(());
        }
        if let Some(header) = self.encode_expected(event) {
            self.write(header)?;
            self.notify_if_followed();
            return Ok(());
        }
        self.core.record_only(&self.plan, event)?;
        self.append()
    }

    /// Encodes the transaction in its place in a log in memory. Returns `None`, and nothing has changed, if that is not
    /// possible.
    #[inline(always)]
    fn append_in_place<E: Event<Model = M>>(&mut self, event: &E) -> Option<()> {
        let (seq, bytes) = (self.next, const { frame::expected_bytes::<E>() });
        let is_short = bytes <= self.bounds.transaction_bytes;
        // Followers read the payload in the buffer of the store, where that of a frame in its place is not.
        if !is_short || self.followers.listen() {
            return None;
        }
        let Self {
            core, log, epochs, ..
        } = self;
        let log = log.memory()?;
        let tags = epochs.current_tags(seq).ok()?;
        let space = log.space(seq, bytes)?;
        if !frame::encode_expected(core, tags, event, space.payload) {
            return None;
        }
        let fingerprint = core.graph.fingerprint;
        let kind = FrameKind::Transaction;
        let header = FrameHeader::new(seq, epochs.current(), kind, fingerprint);
        let bytes = space.write_header(&header);
        log.push(bytes);
        core.written();
        self.next += 1;
        self.count_commit(bytes);
        Some(())
    }

    /// As [`Store::encode`], for an open transaction that has nothing but one event, which was not recorded. Returns `None`, and
    /// nothing has changed, if that is not possible.
    #[inline(never)]
    fn encode_expected<E: Event<Model = M>>(&mut self, event: &E) -> Option<FrameHeader> {
        let (seq, bytes) = (self.next, const { frame::expected_bytes::<E>() });
        let is_short = bytes <= self.bounds.transaction_bytes;
        // A write to a log on disk may fail, and a paranoid store reads back what was recorded.
        if !is_short || self.shadow.is_some() || self.log.memory().is_none() {
            return None;
        }
        let tags = self.epochs.current_tags(seq).ok()?;
        let out = self.payload.begin(bytes);
        frame::encode_expected(&mut self.core, tags, event, out).then(|| self.header(seq))
    }

    /// Encodes the open transaction and writes its frame.
    #[inline(never)]
    fn write_recorded(&mut self) -> Result<(), StepError> {
        let header = self.encode()?;
        self.write(header)
    }

    /// Writes the frame whose payload was encoded.
    #[inline(never)]
    fn write(&mut self, header: FrameHeader) -> Result<(), StepError> {
        (self.log.append(header, self.payload.written())).map_err(|e| match e {
            // Another writer is impossible while this store has the lock.
            AppendError::Conflict { .. } => {
                StepError::Storage(StorageError::stopped(&e.to_string()))
            }
            AppendError::Refused(e) => e.into(),
            AppendError::Indeterminate(e) => StepError::Indeterminate(e),
        })?;
        self.core.written();
        self.next += 1;
        self.count_commit(self.payload.written().len());
        if let Some(shadow) = &mut self.shadow {
            shadow.commit();
        }
        if let Some(key) = &self.core.open.meta.key {
            (self.keys).insert(key, header.seq, self.core.open.last_time());
        }
        Ok(())
    }

    /// Encodes the open transaction into `payload`. Returns the header of its frame.
    #[inline]
    pub(super) fn encode(&mut self) -> Result<FrameHeader, StepError> {
        let seq = self.next;
        self.core.check_ends()?;
        let tags = self.epochs.current_tags(seq).map_err(StepError::Storage)?;
        frame::encode(&mut self.core, tags, &mut self.payload);
        let bytes = self.payload.written().len();
        (self.bounds.check(FrameKind::Transaction, seq, bytes)).map_err(StepError::Storage)?;
        if let Some(shadow) = &mut self.shadow {
            shadow.apply_frame(&self.core, &self.plan, self.payload.written(), tags);
        }
        Ok(self.header(seq))
    }

    /// Returns the header of a transaction that leads to the current graph.
    pub(super) fn header(&self, seq: Seq) -> FrameHeader {
        let fingerprint = self.core.graph.fingerprint;
        FrameHeader::new(
            seq,
            self.epochs.current(),
            FrameKind::Transaction,
            fingerprint,
        )
    }

    /// Passes the transaction that was just committed to the followers of the store, if one of them listens.
    #[inline(always)]
    fn notify_if_followed(&mut self) {
        if self.followers.listen() {
            self.core.written();
            self.notify_followers();
        }
    }

    /// Passes the transaction that was just written to the followers of the store.
    #[inline(never)]
    fn notify_followers(&mut self) {
        self.core.open.journal.prepare_facts();
        let seq = self.seq();
        let header = seq.map(|seq| self.header(seq));
        let position = match (self.log.memory(), &header) {
            (Some(log), Some(header)) => Some(log.position_of_header(header)),
            _ => self.position(),
        };
        let at = At {
            seq,
            time: self.core.open.last_time(),
            position,
        };
        let frame = header.zip(position);
        let graph = &self.core.graph;
        let notice = Notice {
            at,
            fingerprint: graph.fingerprinting.then_some(graph.fingerprint),
            frame: frame.map(|(header, position)| (header, self.payload.written(), position)),
            facts: self.core.open.journal.facts(),
        };
        notify(&mut self.followers, (&self.core, &self.epochs), &notice);
    }
}

/// A written transaction of which the followers of a store are notified.
pub(super) struct Notice<'a> {
    pub(super) at: At,
    pub(super) fingerprint: Option<u128>,
    /// The frame, unless the store has no log: its header, payload and position.
    pub(super) frame: Option<(FrameHeader, &'a [u8], Position)>,
    pub(super) facts: &'a Facts,
}

/// Passes a written transaction to the followers of a store.
pub(super) fn notify(
    followers: &mut Followers,
    (core, epochs): (&Core, &Arc<Epochs>),
    notice: &Notice<'_>,
) {
    followers.committed(&Commit {
        at: notice.at,
        fingerprint: notice.fingerprint,
        facts: notice.facts,
        frame: (notice.frame).map(|(header, payload, position)| CommitFrame {
            header,
            payload,
            position,
            epochs,
        }),
        core,
    });
}
