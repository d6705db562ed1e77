//! The methods of [`Store`], [`SharedStore`] and [`StoreReader`] that return subscriptions.

use std::marker::PhantomData;
use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::position::{FrameRef, Seq};
use crate::log::cursor::check_name;
use crate::snapshot::{Snapshot, StoreReader};
use crate::step::model::Model;
use crate::store::feed::Feed;
use crate::store::view::LogView;
use crate::store::{SharedStore, Store};
use crate::subscribe::Subscription;
use crate::subscribe::filter::Filter;

impl<M: Model> Store<M> {
    /// Returns a subscription to the transactions from a sequence on: 0 for all transactions, the sequence after that of
    /// [`seq`](Store::seq) for new transactions only. To continue where a consumer stopped, use
    /// [`subscribe_since`](Store::subscribe_since), which detects that the log was restored or replaced in between. O(1) for a
    /// log on disk, O(frames from there on) for a log in memory.
    ///
    /// # Errors
    /// `is_ahead` if `from` is past the next frame; `is_before_beginning` if it is before the snapshot that the store began at;
    /// `is_unlogged` if the store has no log; a failure to read the log.
    pub fn subscribe(&self, from: impl Into<Seq>) -> Result<Subscription<M>, ReadError> {
        Source::of(self)?.subscribe(from.into())
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
        Source::of(self)?.subscribe_since(frame.into())
    }

    /// Returns a subscription to the transactions after a snapshot. Each record has the snapshots before and after its
    /// transaction; see [`Record::before`](crate::Record::before) and [`Record::after`](crate::Record::after).
    ///
    /// # Errors
    /// As [`subscribe_since`](Store::subscribe_since), and `is_other_history` for a snapshot that [`Snapshot::with`] returned.
    pub fn subscribe_after(&self, snapshot: Snapshot<M>) -> Result<Subscription<M>, ReadError> {
        Source::of(self)?.subscribe_after(snapshot)
    }

    /// Returns a subscription to the transactions after the last one that was
    /// [acknowledged](Subscription::acknowledge) under a name, or to all transactions if none was. Transactions that were
    /// delivered and not acknowledged are delivered again, so each is delivered at least once.
    ///
    /// A name has 1 to 100 characters of a-z, 0-9, `-` and `_`. Its cursor is a file beside the log; the cursor of a store
    /// in memory is lost with the store. At most one subscription at a time should use a name.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::Lit;
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// store.step(Lit { lamp: "hall".into() });
    /// store.step(Lit { lamp: "attic".into() });
    /// let mut mailer = store.subscribe_as("mailer")?;
    /// let first = mailer.try_next()?.expect("a transaction was committed").seq();
    /// mailer.acknowledge(first)?;
    /// drop(mailer);
    ///
    /// let mut mailer = store.subscribe_as("mailer")?;
    /// assert_eq!(mailer.try_next()?.map(|record| record.seq()), Some(first + 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// - `is_ahead` or `is_other_history` if the log was restored from a backup that is older than the cursor, or was replaced.
    /// - [`is_removable`](crate::StorageError::is_removable) if the file of the cursor is broken. The log is not affected.
    /// - `ReadOnly` for a store that is open for reading only.
    /// - As [`subscribe_since`](Store::subscribe_since).
    pub fn subscribe_as(&self, name: &str) -> Result<Subscription<M>, ReadError> {
        Source::of(self)?.subscribe_as(name)
    }
}

impl<M: Model> SharedStore<M> {
    /// As [`Store::subscribe`]. The call blocks writers for O(1), except that the first subscription of a store in memory
    /// copies up to 1 MiB of its log. The subscription itself never blocks writers.
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

impl<M: Model> StoreReader<M> {
    /// As [`Store::subscribe`], without the store. If the store was dropped, the subscription ends after its last
    /// transaction.
    ///
    /// # Errors
    /// As [`Store::subscribe`].
    pub fn subscribe(&self, from: impl Into<Seq>) -> Result<Subscription<M>, ReadError> {
        Source::of_reader(self)?.subscribe(from.into())
    }

    /// As [`Store::subscribe_since`], without the store.
    ///
    /// # Errors
    /// As [`Store::subscribe_since`].
    pub fn subscribe_since(
        &self,
        frame: impl Into<FrameRef>,
    ) -> Result<Subscription<M>, ReadError> {
        Source::of_reader(self)?.subscribe_since(frame.into())
    }

    /// As [`Store::subscribe_after`], without the store.
    ///
    /// # Errors
    /// As [`Store::subscribe_after`].
    pub fn subscribe_after(&self, snapshot: Snapshot<M>) -> Result<Subscription<M>, ReadError> {
        Source::of_reader(self)?.subscribe_after(snapshot)
    }

    /// As [`Store::subscribe_as`], without the store.
    ///
    /// # Errors
    /// As [`Store::subscribe_as`].
    pub fn subscribe_as(&self, name: &str) -> Result<Subscription<M>, ReadError> {
        Source::of_reader(self)?.subscribe_as(name)
    }
}

/// The log and the feed of a store, from which subscriptions are made.
struct Source<'a> {
    view: LogView<'a>,
    feed: &'a Arc<Feed>,
}

impl<'a> Source<'a> {
    fn of<M: Model>(store: &'a Store<M>) -> Result<Self, ReadError> {
        Ok(Self {
            view: store.view()?,
            feed: Feed::of(store)?,
        })
    }

    fn of_reader<M: Model>(reader: &'a StoreReader<M>) -> Result<Self, ReadError> {
        Ok(Self {
            view: reader.view()?,
            feed: reader.feed()?,
        })
    }

    fn subscribe<M: Model>(&self, from: Seq) -> Result<Subscription<M>, ReadError> {
        self.view.admit_start(from)?;
        self.listen(from)
    }

    fn subscribe_since<M: Model>(&self, frame: FrameRef) -> Result<Subscription<M>, ReadError> {
        let seq = self.view.admit(frame)?;
        self.listen(seq.saturating_add(1))
    }

    fn subscribe_after<M: Model>(
        &self,
        snapshot: Snapshot<M>,
    ) -> Result<Subscription<M>, ReadError> {
        let view = &self.view;
        let mut subscription = match (snapshot.position(), &view.base) {
            (Some(position), _) if position.store() == view.log().store() => {
                self.subscribe_since(position.into())?
            }
            // The snapshot that the store began at is of another store, or of none.
            (_, Some(base)) if base.is(&snapshot.state) => self.listen(snapshot.state.at.next())?,
            (Some(position), _) => self.subscribe_since(position.into())?,
            // Of a time before the first frame.
            (None, None) if snapshot.seq().is_none() && snapshot.state.lineage == view.lineage => {
                self.subscribe(Seq::ZERO)?
            }
            (None, _) => return Err(ReadError::NotOfTheLog),
        };
        subscription.graph = Some(snapshot.state);
        Ok(subscription)
    }

    fn subscribe_as<M: Model>(&self, name: &str) -> Result<Subscription<M>, ReadError> {
        check_name(name)?;
        if self.feed.is_read_only() {
            return Err(ReadError::ReadOnly);
        }
        let mut subscription = match self.feed.cursor(name)? {
            None => self.subscribe(Seq::ZERO)?,
            Some(frame) => self.subscribe_since(frame).map_err(|e| ReadError::Cursor {
                name: name.into(),
                path: self.feed.cursor_path(name),
                source: Box::new(e),
            })?,
        };
        subscription.name = Some(name.to_owned());
        Ok(subscription)
    }

    /// Returns a subscription from a frame on, which is known to be in the log or to be the next one.
    fn listen<M: Model>(&self, from: Seq) -> Result<Subscription<M>, ReadError> {
        let before = match from.checked_sub(1) {
            Some(before) => self.view.log().position_of(before)?,
            None => None,
        };
        Ok(Subscription {
            reader: self.feed.reader(from, before),
            filter: Filter::default(),
            graph: None,
            name: None,
            model: PhantomData,
        })
    }
}
