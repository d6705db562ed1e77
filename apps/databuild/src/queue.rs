//! Which partitions are built next: those of wants with a higher priority first. Wants of the same priority take turns, so that a want for many
//! partitions does not hold up the others; of these, the oldest want comes first.
//!
//! A partition that is built for others has the priority of what it is built for: of the wants of people that need it, directly or over others,
//! the one with the highest priority counts. Nothing of this is stored, so a want that joins later is taken into account.
//!
//! The order of all that can start is computed once for many starts, in O(n log n) for n partitions that can start and those that wait for
//! them. Each start is O(1) then.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use ironweave::Seq;
use ironweave::prelude::*;

use crate::engine::Engine;
use crate::model::build::state::{Missing, Stale, Tainted, UpForRetry};
use crate::model::build::{Partition, Want};
use crate::rules::{OF_DAEMON, is_of_a_person, is_open, name, to_build};

/// How many partitions are ordered at once. What can start later waits for at most so many.
const ORDERED_MAX: usize = 1024;

/// Partitions that can start, in their order.
#[derive(Default)]
pub struct Queue {
    /// Whether wants of daemons are served.
    pub of_daemon: bool,
    ready: VecDeque<Turn>,
    turns: Turns,
    /// The step after which they were ordered.
    seq: Option<Seq>,
}

impl Queue {
    /// Forgets the order, because of a new want.
    pub fn clear(&mut self) {
        self.ready.clear();
        self.seq = None;
    }
}

/// A partition that can start, with the want that it starts for and the turn of that want.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// The partition.
    pub partition: Partition,
    want: Want,
    turn: u64,
}

/// How often partitions were started for wants. A want that joins begins with the present turn.
#[derive(Debug, Default)]
pub struct Turns {
    present: u64,
    /// The next turns of wants that are ahead of the present one.
    next: HashMap<Want, u64>,
}

impl Turns {
    /// Notes that a partition is started.
    pub fn start(&mut self, of: Turn) {
        self.present = self.present.max(of.turn);
        self.next.insert(of.want, of.turn + 1);
    }
}

/// The partitions that are wanted and can start, in the order in which they start. `is_served` returns whether a want of a person is served.
pub fn order(db: &impl Db, turns: &mut Turns, is_served: impl Fn(Want) -> bool) -> Vec<Turn> {
    let present = turns.present;
    turns.next.retain(|_, turn| *turn > present);
    let mut claims = Claims {
        claims: HashMap::new(),
        is_served,
    };
    let mut by_want: BTreeMap<(std::cmp::Reverse<i32>, Want), Vec<Partition>> = BTreeMap::new();
    for partition in to_build(db).filter(|p| p.awaited_by_count(db) > 0) {
        if let Some((priority, want)) = claims.of(partition, db) {
            let turn = (std::cmp::Reverse(priority), want);
            by_want.entry(turn).or_default().push(partition);
        }
    }
    // The first of each want, then the second of each, and so on.
    let mut all = Vec::new();
    for ((priority, want), partitions) in by_want {
        let first = turns.next.get(&want).copied().unwrap_or(present);
        for (turn, partition) in (first..).zip(partitions) {
            let of = Turn {
                partition,
                want,
                turn,
            };
            all.push((priority, of));
        }
    }
    all.sort_by_key(|(priority, of)| (*priority, of.turn, of.want));
    all.into_iter().map(|(_, of)| of).collect()
}

/// The wants of people for which partitions are built, computed on demand.
struct Claims<F> {
    claims: HashMap<Partition, Option<(i32, Want)>>,
    is_served: F,
}

impl<F: Fn(Want) -> bool> Claims<F> {
    /// The priority with which a partition is built, and the oldest want that has it. None if no served want needs it.
    fn of(&mut self, partition: Partition, db: &impl Db) -> Option<(i32, Want)> {
        if let Some(known) = self.claims.get(&partition) {
            return *known;
        }
        let mut todo = vec![partition];
        let mut seen = HashSet::new();
        while let Some(next) = todo.last().copied() {
            if self.claims.contains_key(&next) {
                todo.pop();
                continue;
            }
            let wants = next.awaited_by(db);
            let (own, asked): (Vec<Want>, Vec<Want>) = wants.partition(|w| is_of_a_person(*w, db));
            let waiting = asked.into_iter().flat_map(|want| {
                let runs = want.asked_by(db).into_iter();
                let of_run = runs.flat_map(|run| run.builds(db).collect::<Vec<_>>());
                of_run.chain(want.asked_for(db))
            });
            let waiting: Vec<Partition> = waiting.collect();
            let unknown = waiting.iter().filter(|p| !self.claims.contains_key(p));
            let before = todo.len();
            todo.extend(unknown);
            // No partition waits for itself, so this ends.
            if todo.len() > before && seen.insert(next) {
                continue;
            }
            todo.truncate(before);
            let own = own.into_iter().filter(|want| (self.is_served)(*want));
            let own = own.map(|want| (want.priority(db), want));
            let of_others = waiting.iter().filter_map(|p| *self.claims.get(p)?);
            let best = own.chain(of_others);
            let best = best.max_by_key(|(priority, want)| (*priority, std::cmp::Reverse(*want)));
            self.claims.insert(next, best);
            todo.pop();
        }
        self.claims.get(&partition).copied().flatten()
    }
}

/// Returns whether a partition is wanted and nothing is in its way.
pub fn can_start(partition: Partition, db: &impl Db) -> bool {
    let can_start = partition.is::<Missing>(db)
        || partition.is::<UpForRetry>(db)
        || partition.is::<Stale>(db)
        || partition.is::<Tainted>(db);
    can_start && partition.awaited_by_count(db) > 0
}

impl Engine {
    /// At most `max` wanted partitions that can be built now, in their order.
    pub(crate) fn startable(&mut self, max: usize) -> Vec<Partition> {
        if self.limits.fail_fast && !self.failed.is_empty() {
            return Vec::new();
        }
        let found = self.take(max);
        if found.len() == max || self.queue.seq == self.store.seq() && self.queue.seq.is_some() {
            return self.start_turns(&found);
        }
        // Others may have become ready.
        let of_daemon = self.queue.of_daemon;
        let db = &self.store;
        let is_served =
            |want: Want| is_open(want, db) && (of_daemon || want.source(db) != OF_DAEMON);
        let mut ready = order(db, &mut self.queue.turns, is_served);
        ready.truncate(ORDERED_MAX);
        self.queue.ready = ready.into();
        self.queue.seq = self.store.seq();
        // What was taken before is among them, and its turns were not started.
        let found = self.take(max);
        self.start_turns(&found)
    }

    /// Notes that the turns are started, and returns their partitions.
    fn start_turns(&mut self, found: &[Turn]) -> Vec<Partition> {
        for turn in found {
            self.queue.turns.start(*turn);
        }
        found.iter().map(|turn| turn.partition).collect()
    }

    /// Takes the first ones that can start and whose pools have room. The others stay.
    fn take(&mut self, max: usize) -> Vec<Turn> {
        let db = &self.store;
        let mut pools = self.jobs.pools().to_vec();
        // What has ended and is being synced to the disk is not in its pool any more.
        let running = self.works.iter().filter(|(run, _)| !self.sealer.has(**run));
        for pool in running.filter_map(|(_, work)| work.pool) {
            pools[pool] = pools[pool].saturating_sub(1);
        }
        let (mut found, mut full) = (Vec::new(), Vec::new());
        while found.len() < max
            && let Some(turn) = self.queue.ready.pop_front()
        {
            let partition = turn.partition;
            if !can_start(partition, db) {
                continue;
            }
            let pool = match pools.is_empty() {
                true => None,
                false => self
                    .jobs
                    .job_for(name(partition, db))
                    .ok()
                    .and_then(|job| job.pool),
            };
            match pool.map(|pool| &mut pools[pool]) {
                Some(0) => {
                    full.push(turn);
                    continue;
                }
                Some(room) => *room -= 1,
                None => {}
            }
            found.push(turn);
        }
        for turn in full.into_iter().rev() {
            self.queue.ready.push_front(turn);
        }
        found
    }
}
