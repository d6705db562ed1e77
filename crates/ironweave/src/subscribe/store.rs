//! Subscriptions of a store: what this layer adds to [`Store`] and [`SharedStore`].

use std::marker::PhantomData;

use crate::base::error::ReadError;
use crate::base::position::{FrameRef, Seq};
use crate::log::cursor::check_name;
use crate::snapshot::Snapshot;
use crate::step::model::Model;
use crate::store::{SharedStore, Store};
use crate::subscribe::Subscription;
use crate::subscribe::feed::Slot;
use crate::subscribe::filter::Filter;

impl<M: Model> Store<M> {
    /// The transactions from a sequence on: from 0 all, from `store.seq() + 1` those to come. To go on after what was
    /// taken in before, in a store that may have been restored since, there is
    /// [`subscribe_since`](Store::subscribe_since).
    ///
    /// # Errors
    /// Where the log cannot be read; `is_ahead` from further on than the next frame, `is_before_beginning` from before
    /// the snapshot that the store began at.
    pub fn subscribe(&self, from: impl Into<Seq>) -> Result<Subscription<M>, ReadError> {
        let from = from.into();
        self.view()?.admit_start(from)?;
        listen(self, from)
    }

    /// The transactions after a frame: after the one that a consumer took in last, if it kept the position of that.
    ///
    /// ```
    /// # #[ironweave::model]
    /// # pub mod lamps {
    /// #     use ironweave::prelude::*;
    /// #     /// A lamp.
    /// #     #[entity]
    /// #     pub struct Lamp {}
    /// #     /// Somebody buys one.
    /// #     #[event]
    /// #     #[create(lamp: Lamp)]
    /// #     pub struct Bought {}
    /// # }
    /// use ironweave::prelude::*;
    /// use lamps::Bought;
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// store.step(Bought {});
    /// let first = store.subscribe(0)?.try_next()?.expect("it is there");
    /// let position = first.position().expect("it comes from the log");
    /// let second = store.step(Bought {}).seq;
    /// let next = store.subscribe_since(position)?.try_next()?;
    /// assert_eq!(next.map(|record| record.seq()), Some(second));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::locate`]: `is_ahead` and `is_other_history` tell a consumer that the log was restored from a backup,
    /// or is another one.
    pub fn subscribe_since(
        &self,
        frame: impl Into<FrameRef>,
    ) -> Result<Subscription<M>, ReadError> {
        let seq = self.view()?.admit(frame.into())?;
        listen(self, seq.saturating_add(1))
    }

    /// The transactions after a snapshot, each with the snapshots before and after it; see [`Record::after`](crate::Record::after).
    ///
    /// # Errors
    /// As [`subscribe_since`](Store::subscribe_since), and `is_other_history` of a snapshot that [`Snapshot::with`] gave.
    pub fn subscribe_after(&self, snapshot: Snapshot<M>) -> Result<Subscription<M>, ReadError> {
        let mut subscription = match (snapshot.position(), &self.base) {
            (Some(position), _) if self.is_of(position) => self.subscribe_since(position)?,
            // The snapshot that the store began at is of another store, or of none.
            (_, Some(base)) if base.is(&snapshot.state) => listen(self, snapshot.state.at.next())?,
            (Some(position), _) => self.subscribe_since(position)?,
            // Of a time before the first frame.
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

    /// The transactions after the one that was [acknowledged](Subscription::acknowledge) last under a name, or all if
    /// none was. What was given and not acknowledged comes again: each comes at least once.
    ///
    /// A name is 1 to 100 of the letters a-z, digits, `-` and `_`. Its place is a file beside the log; that of a store
    /// in memory lasts as long as the store. One subscription at a time should use it.
    ///
    /// # Errors
    /// As [`subscribe_since`](Store::subscribe_since): `is_ahead` or `is_other_history` where the log was restored from a
    /// backup that is older than what was acknowledged, or has been replaced. `ReadOnly` for a store that is open for
    /// reading only.
    pub fn subscribe_as(&self, name: &str) -> Result<Subscription<M>, ReadError> {
        check_name(name)?;
        if self.log.is_read_only() {
            return Err(ReadError::ReadOnly);
        }
        let feed = Slot::of(self)?;
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

/// The transactions from a frame on that is known to be one of the log, or the next one.
fn listen<M: Model>(store: &Store<M>, from: Seq) -> Result<Subscription<M>, ReadError> {
    let before = match from.checked_sub(1) {
        Some(before) => store.position_of(before)?,
        None => None,
    };
    let feed = Slot::of(store)?;
    let log = store.log.log().ok_or(ReadError::Unlogged)?;
    Ok(Subscription {
        reader: feed.reader(from, before, |from| log.read(from))?,
        filter: Filter::default(),
        graph: None,
        name: None,
        model: PhantomData,
    })
}
