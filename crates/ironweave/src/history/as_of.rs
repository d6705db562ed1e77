//! The graph as it was: the nearest keyframe before, and the facts from there on.

use std::sync::Arc;

use crate::base::error::ReadError;
use crate::base::position::Position;
use crate::base::position::Seq;
use crate::base::storage_error::StorageError;
use crate::base::time::Timestamp;
use crate::graph::fact::Facts;
use crate::history::{Keyframes, SPACING};
use crate::log::{Frame, FrameKind, Frames};
use crate::snapshot::{At, Snapshot, State};
use crate::step::model::Model;
use crate::step::{Core, flat};
use crate::store::{Epochs, Store, bad_frame, frame};

/// A point in the past: after a frame of the log, or at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After this frame and those before it.
    Seq(Seq),
    /// After the frame that is at this position, and those before it.
    Position(Position),
    /// After the transactions that were not later than this.
    Time(Timestamp),
}

impl From<Seq> for When {
    fn from(seq: Seq) -> Self {
        Self::Seq(seq)
    }
}

impl From<Position> for When {
    fn from(position: Position) -> Self {
        Self::Position(position)
    }
}

impl From<Timestamp> for When {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

impl When {
    /// Whether what stands there is not later.
    fn includes(self, at: At) -> bool {
        match self {
            Self::Seq(seq) => at.seq <= Some(seq),
            Self::Position(position) => at.seq <= Some(position.seq()),
            Self::Time(time) => at.time <= time,
        }
    }
}

impl<M: Model> Store<M> {
    /// The graph as it was after a frame of the log, or at a time that is not yet to come. It is a snapshot
    /// like any other: [`with`](Snapshot::with) works on it.
    ///
    /// ```
    /// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
    /// use ironweave::prelude::*;
    /// use lamps::{Lamp, Lit, state::On};
    ///
    /// let mut store = Store::<lamps::Model>::memory();
    /// let first = store.step(Lit { lamp: "hall".into() }).seq;
    /// store.step(Lit { lamp: "kitchen".into() });
    ///
    /// let then = store.as_of(first)?;
    /// assert!(then.find::<Lamp>("kitchen").is_none());
    /// # Ok::<(), ironweave::ReadError>(())
    /// ```
    ///
    /// O(frames since a keyframe before). Keyframes are values in memory, made on the way of these calls, and of snapshots
    /// from the first call on: of a store of which snapshots are taken, one for each of the last hundred frames, where a
    /// look is all that it takes; at most a few hundred frames apart before those, and further apart further back,
    /// sixteen in all. Where there is none, it reads the log from its beginning, frame by frame, and holds no more of it
    /// than one.
    ///
    /// # Errors
    /// Where the log cannot be read; `is_ahead` past the end of the log, and for a time that is later than the clock's and
    /// than the last transaction; `is_other_history` as of [`Store::locate`]; `is_before_beginning` where the store began
    /// at a snapshot and that is before it.
    pub fn as_of(&self, when: impl Into<When>) -> Result<Snapshot<M>, ReadError> {
        self.admit_time(when.into())
            .and_then(|when| self.state_as_of(when))
            .map(Snapshot::of)
            .map_err(|e| e.map_storage(|e| self.log.place(e)))
    }

    fn state_as_of(&self, when: When) -> Result<Arc<State>, ReadError> {
        self.history.keyframes.want();
        let keyframe = || {
            let found = self.history.keyframes.last(|state| when.includes(state.at));
            found.map(|state| (state.at.seq.map(When::Seq) == Some(when), state))
        };
        let mut found = keyframe();
        if !matches!(found, Some((true, _))) && self.advance_replica() {
            found = keyframe();
        }
        let start = match found {
            Some((true, state)) => return Ok(state),
            Some((false, state)) => state,
            None => self.beginning_of_log(when)?,
        };
        let frames = self.read(start.at.next())?;
        let state = go_on(start, when, frames, &self.epochs, &self.history.keyframes)?;
        Ok(state)
    }

    /// A point that the log has come to, by its sequence or its time.
    fn admit_time(&self, when: When) -> Result<When, ReadError> {
        match when {
            When::Seq(seq) => self.admit(seq.into()).map(When::Seq),
            When::Position(position) => self.admit(position.into()).map(When::Seq),
            When::Time(time) => {
                self.id()?;
                // Who gives transactions times of its own may be ahead of the clock.
                let (last, now) = (self.core.open.clock.last(), Timestamp::now());
                if time <= last.max(now) {
                    return Ok(when);
                }
                Err(ReadError::NotYet { time, last, now })
            }
        }
    }

    /// Where the log begins: at nothing, or at the snapshot that the store began at.
    fn beginning_of_log(&self, when: When) -> Result<Arc<State>, ReadError> {
        match &self.base {
            Some(base) if when.includes(base.at) => Ok(Arc::clone(base)),
            Some(base) => Err(match when {
                When::Seq(seq) => self.unknown(seq),
                When::Position(position) => self.unknown(position.seq()),
                When::Time(time) => ReadError::BeforeBeginningAt {
                    time,
                    beginning: base.at.time,
                },
            }),
            None => {
                let binding = M::binding();
                Ok(Arc::new(State {
                    plan: Arc::clone(&self.plan),
                    graph: flat::empty(&self.plan, (&binding.columns, &binding.data)),
                    at: At::default(),
                    paranoid: self.core.paranoid,
                    lineage: self.lineage(),
                }))
            }
        }
    }
}

/// Applies the frames that follow on a value, and keeps the one that it comes to, and some on the way.
fn go_on(
    start: Arc<State>,
    when: When,
    frames: Frames<'_>,
    epochs: &Epochs,
    keyframes: &Keyframes,
) -> Result<Arc<State>, StorageError> {
    let mut core = Core::new(start.graph.fork());
    let (mut at, mut facts) = (start.at, Facts::default());
    let state = |core: &Core<_>, at| {
        let state = Arc::new(State {
            plan: Arc::clone(&start.plan),
            graph: core.graph.fork(),
            at,
            paranoid: start.paranoid,
            lineage: start.lineage,
        });
        keyframes.keep(Arc::clone(&state));
        state
    };
    for frame in frames {
        let Frame {
            header,
            payload,
            position,
        } = frame?;
        let seq = header.seq;
        let mut after = At {
            seq: Some(seq),
            position: Some(position),
            ..at
        };
        if !when.includes(after) {
            break;
        }
        if header.kind == FrameKind::Transaction {
            let tags = (epochs.at(seq)).ok_or_else(|| bad_frame(seq, "it has no schema"))?;
            let decoded =
                frame::decode_facts(&payload, tags, facts).map_err(|e| bad_frame(seq, e))?;
            after.time = decoded.time;
            if !when.includes(after) {
                break;
            }
            core.replay(&decoded.facts, header.fingerprint)
                .map_err(|e| bad_frame(seq, e))?;
            facts = decoded.facts;
        }
        at = after;
        if seq.is_multiple_of(SPACING) {
            state(&core, at);
        }
    }
    if at == start.at {
        return Ok(start);
    }
    Ok(state(&core, at))
}
