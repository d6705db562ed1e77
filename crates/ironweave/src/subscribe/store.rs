//! The methods of [`Store`] and [`SharedStore`] that return subscriptions.

use std::marker::PhantomData;

use crate::base::error::ReadError;
use crate::base::position::{FrameRef, Seq};
use crate::log::cursor::check_name;
use crate::snapshot::Snapshot;
use crate::step::model::Model;
use crate::store::{SharedStore, Store};
use crate::subscribe::Subscription;
use crate::subscribe::feed::FeedFollower;
use crate::subscribe::filter::Filter;

impl<M: Model> Store<M> {
    /// Returns a subscription to the transactions from a sequence on: 0 for all transactions, the sequence after that of
    /// [`seq`](Store::seq) for new transactions only. To continue where a consumer stopped, use
    /// [`subscribe_since`](Store::subscribe_since), which detects that the log was restored or replaced in between. O(1) for a
    /// log on disk, O(frames from there on) for a log in memory.
    ///
    /// # Errors
    /// Where the log cannot be read; `is_ahead` from further on than the next frame, `is_before_beginning` from before
    /// the snapshot that the store began at.
    pub fn subscribe(&self, from: impl Into<Seq>) -> Result<Subscription<M>, ReadError> {
        let from = from.into();
        self.view()?.admit_start(from)?;
        subscription_from(self, from)
    }

    /// Returns a subscription to the transactions after a frame, such as the last one that a consumer has processed. The
    /// consumer should keep the position of that frame, since a sequence does not identify the log.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::Bought;
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// store.step(Bought { room: "hall".into() });
    /// let first = store.subscribe(0)?.try_next()?.expect("it is there");
    /// let position = first.position().expect("it comes from the log");
    /// let second = store.step(Bought { room: "kitchen".into() }).seq;
    /// let next = store.subscribe_since(position)?.try_next()?;
    /// assert_eq!(next.map(|record| record.seq()), Some(second));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::locate`]: `is_ahead` and `is_other_history` if the log was restored from an older backup, or is another log.
    pub fn subscribe_since(
        &self,
        frame: impl Into<FrameRef>,
    ) -> Result<Subscription<M>, ReadError> {
        let seq = self.view()?.admit(frame.into())?;
        subscription_from(self, seq.saturating_add(1))
    }

    /// Returns a subscription to the transactions after a snapshot. Each record has the snapshots before and after it; see [`Record::after`](crate::Record::after).
    ///
    /// # Errors
    /// As [`subscribe_since`](Store::subscribe_since), and `is_other_history` for a snapshot that [`Snapshot::with`] returned.
    pub fn subscribe_after(&self, snapshot: Snapshot<M>) -> Result<Subscription<M>, ReadError> {
        let mut subscription = match (snapshot.position(), &self.base) {
            (Some(position), _) if self.is_of(position) => self.subscribe_since(position)?,
            // The snapshot that the store began at is of another store, or of no log.
            (_, Some(base)) if base.is(&snapshot.state) => {
                subscription_from(self, snapshot.state.at.next())?
            }
            (Some(position), _) => self.subscribe_since(position)?,
            // A snapshot of this store from before its first frame.
            (None, None)
                if snapshot.seq().is_none() && snapshot.state.lineage == self.lineage() =>
            {
                self.subscribe(0)?
            }
            (None, _) => {
                return Err(ReadError::NotOfTheLog);
            }
        };
        subscription.graph = Some(snapshot.state);
        Ok(subscription)
    }

    /// Returns a subscription to the transactions after the last one that was
    /// [acknowledged](Subscription::acknowledge) under a name, or to all transactions if none was. Transactions that were
    /// delivered and not acknowledged are delivered again, so each is delivered at least once.
    ///
    /// A name has 1 to 100 characters of a-z, 0-9, `-` and `_`. Its cursor is a file beside the log; the cursor of a store
    /// in memory is lost with the store. At most one subscription at a time should use a name.
    ///
    /// # Errors
    /// - `is_ahead` or `is_other_history` if the log was restored from a backup that is older than the cursor, or was replaced.
    /// - `ReadOnly` for a store that is open for reading only.
    /// - As [`subscribe_since`](Store::subscribe_since).
    pub fn subscribe_as(&self, name: &str) -> Result<Subscription<M>, ReadError> {
        check_name(name)?;
        if self.log.is_read_only() {
            return Err(ReadError::ReadOnly);
        }
        let feed = FeedFollower::of(self)?;
        let mut subscription = match feed.cursor(name)? {
            None => self.subscribe(0)?,
            Some(frame) => self.subscribe_since(frame).map_err(|e| ReadError::Cursor {
                name: name.into(),
                path: feed.cursor_path(name),
                source: Box::new(e),
            })?,
        };
        subscription.name = Some(name.to_owned());
        Ok(subscription)
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::subscribe`]. The store is held while the subscription is made: for a log on disk that is O(1), and for
    /// a log in memory O(frames from `from` on). The subscription itself never blocks writers.
    ///
    /// # Errors
    /// As [`Store::subscribe`] and [`SharedStore::read`].
    pub fn subscribe(&self, from: impl Into<Seq>) -> Result<Subscription<M>, ReadError> {
        self.read(|store| store.subscribe(from))?
    }

    /// As [`Store::subscribe_since`]; see [`SharedStore::subscribe`].
    ///
    /// # Errors
    /// As [`Store::subscribe_since`] and [`SharedStore::read`].
    pub fn subscribe_since(
        &self,
        frame: impl Into<FrameRef>,
    ) -> Result<Subscription<M>, ReadError> {
        self.read(|store| store.subscribe_since(frame))?
    }

    /// As [`Store::subscribe_after`]; see [`SharedStore::subscribe`].
    ///
    /// # Errors
    /// As [`Store::subscribe_after`] and [`SharedStore::read`].
    pub fn subscribe_after(&self, snapshot: Snapshot<M>) -> Result<Subscription<M>, ReadError> {
        self.read(|store| store.subscribe_after(snapshot))?
    }

    /// As [`Store::subscribe_as`]; see [`SharedStore::subscribe`].
    ///
    /// # Errors
    /// As [`Store::subscribe_as`] and [`SharedStore::read`].
    pub fn subscribe_as(&self, name: &str) -> Result<Subscription<M>, ReadError> {
        self.read(|store| store.subscribe_as(name))?
    }
}

/// Returns a subscription from a frame on, which must be in the log or be the next one.
fn subscription_from<M: Model>(store: &Store<M>, from: Seq) -> Result<Subscription<M>, ReadError> {
    let before = match from.checked_sub(1) {
        Some(before) => store.position_of(before)?,
        None => None,
    };
    let feed = FeedFollower::of(store)?;
    let log = store.log.log().ok_or(ReadError::Unlogged)?;
    Ok(Subscription {
        reader: feed.reader(from, before, |from| log.read(from))?,
        filter: Filter::default(),
        graph: None,
        name: None,
        model: PhantomData,
    })
}
