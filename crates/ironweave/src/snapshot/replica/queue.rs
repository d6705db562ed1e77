//! The queue of a replica: the facts of commits that the replica does not contain yet, in batches of bounded size, so that
//! no commit moves the facts of earlier ones.

use std::collections::VecDeque;
use std::mem;

use crate::base::position::Seq;
use crate::graph::fact::{Fact, Facts};
use crate::store::version::At;

/// The number of bytes of a value whose decoding counts as much as a fact.
const BYTES_PER_COST: usize = 64;
/// The cost at which a batch takes no more frames.
const BATCH_COST: u64 = 1 << 12;

/// Returns the cost of applying a fact.
#[inline]
pub(super) fn fact_cost(fact: Fact) -> u64 {
    match fact {
        Fact::Set { len, .. } | Fact::SetLink { len, .. } => {
            1 + u64::from(len) / BYTES_PER_COST as u64
        }
        _ => 1,
    }
}

/// Returns the cost of queuing a frame with these facts, and of applying it: at least 1, since a frame without facts is
/// queued too.
#[inline]
pub(super) fn frame_cost(facts: &Facts) -> u64 {
    1 + (facts.list.len() + facts.bytes.len() / BYTES_PER_COST) as u64
}

/// Consecutive frames.
#[derive(Default)]
pub(super) struct Batch {
    pub facts: Facts,
    pub frames: Vec<Queued>,
}

/// One frame of a batch.
#[derive(Clone, Copy)]
pub(super) struct Queued {
    pub at: At,
    /// The fingerprint of the graph after the frame, if the store computes it.
    pub fingerprint: Option<u128>,
    /// The end of its facts in the facts of the batch.
    pub end: usize,
    /// The cost of all frames that were ever queued, up to this one.
    pub cost_up_to: u64,
}

impl Batch {
    /// Removes all frames. Keeps the allocated memory, unless the batch had a frame that was much larger than a batch.
    fn clear(&mut self) {
        let usual = 2 * BATCH_COST as usize;
        if self.facts.list.capacity() > usual
            || self.facts.bytes.capacity() > usual * BYTES_PER_COST
        {
            *self = Self::default();
            return;
        }
        self.facts.clear();
        self.frames.clear();
    }
}

#[derive(Default)]
pub(super) struct Queue {
    /// Batches that take no more frames.
    full: VecDeque<Batch>,
    /// The batch to which frames are added.
    open: Batch,
    /// An empty batch, whose memory is used again.
    spare: Batch,
    /// The cost of the frames in `open`.
    open_cost: u64,
    /// The cost of all frames that were ever queued.
    cost: u64,
    /// The number of facts that were queued since a snapshot was taken.
    unread: usize,
    /// The last frame that was queued.
    pub last: Option<Seq>,
    /// The store was dropped, so no more frames will come.
    pub closed: bool,
}

impl Queue {
    /// Returns the queue of a replica that contains the frames up to one.
    pub(super) fn after(last: Option<Seq>) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// Adds a frame. Returns the cost of all frames that were ever queued. O(facts of the frame).
    pub(super) fn push(&mut self, at: At, fingerprint: Option<u128>, facts: &Facts) -> u64 {
        let cost = frame_cost(facts);
        self.cost += cost;
        self.open_cost += cost;
        self.unread += facts.list.len();
        self.last = at.seq;
        self.open.facts.append(facts);
        self.open.frames.push(Queued {
            at,
            fingerprint,
            end: self.open.facts.list.len(),
            cost_up_to: self.cost,
        });
        if self.open_cost >= BATCH_COST {
            self.open_cost = 0;
            let next = mem::take(&mut self.spare);
            self.full.push_back(mem::replace(&mut self.open, next));
        }
        self.cost
    }

    /// Exchanges a batch that was applied for the next one. Returns whether there is one.
    pub(super) fn take_next(&mut self, batch: &mut Batch) -> bool {
        batch.clear();
        if let Some(next) = self.full.pop_front() {
            self.spare = mem::replace(batch, next);
            return true;
        }
        mem::swap(&mut self.open, batch);
        self.open_cost = 0;
        !batch.frames.is_empty()
    }

    /// Returns the batches in order, of which the last one may be empty.
    pub(super) fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.full.iter().chain([&self.open])
    }

    /// Removes all frames.
    pub(super) fn clear(&mut self) {
        *self = Self {
            cost: self.cost,
            last: self.last,
            closed: self.closed,
            ..Self::default()
        };
    }

    /// Returns the cost of all frames that were ever queued.
    pub(super) fn cost(&self) -> u64 {
        self.cost
    }

    /// Records that a snapshot is taken. Returns the last frame that was queued.
    pub(super) fn read(&mut self) -> Option<Seq> {
        self.unread = 0;
        self.last
    }

    /// Returns the number of facts that were queued since a snapshot was taken.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }
}
