//! The breadth-first search of all reachable markings, level by level, by several threads.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::kernel::{Kernel, Marking};
use super::layout::Layout;
use super::table::{Inserted, Probe, Table};
use crate::net::Net;
use crate::property::Compiled;

/// How many markings of a level a thread takes at once.
const CHUNK: usize = 512;
/// How many successors are looked up together.
const BATCH: usize = 64;

/// Markings of a level with what is known of them.
struct Level<const W: usize> {
    markings: Vec<Marking<W>>,
    /// The enabled transitions of each, `set_words` words each.
    enabled: Vec<u64>,
    /// The number of tokens of each, unless no firing changes it.
    tokens: Vec<u64>,
}

impl<const W: usize> Default for Level<W> {
    fn default() -> Self {
        Self {
            markings: Vec::new(),
            enabled: Vec::new(),
            tokens: Vec::new(),
        }
    }
}

impl<const W: usize> Level<W> {
    fn bytes(&self) -> usize {
        8 * (self.markings.capacity() * W + self.enabled.capacity() + self.tokens.capacity())
    }
}

/// A successor that was not looked up yet.
#[derive(Clone, Copy)]
struct Successor<const W: usize> {
    marking: Marking<W>,
    probe: Probe,
    /// The position of its predecessor in the level, and the transition that was fired.
    before: u32,
    transition: u32,
}

/// What a thread found in a level.
struct Findings<const W: usize> {
    next: Level<W>,
    /// The successors for which the table was full, with the enabled transitions and tokens of their predecessors.
    rest: Vec<(Marking<W>, u32, Vec<u64>, u64)>,
    edges: u64,
    deadlocks: u64,
    tokens_max: u64,
    place_max: u64,
    /// For each property, the smallest marking of the level that decides it.
    decided: Vec<Option<Marking<W>>>,
    overflowed: Option<(Marking<W>, u32)>,
}

/// The result of a search that visited what it could.
pub(super) struct Searched<const W: usize> {
    pub states: u64,
    pub edges: u64,
    pub deadlocks: u64,
    pub tokens_max: u64,
    pub place_max: u64,
    /// The length of the longest of the shortest paths to the markings that were visited with all their successors.
    pub depth: u64,
    pub complete: bool,
    /// For each property, the marking that decides it, at the smallest depth.
    pub decided: Vec<Option<Marking<W>>>,
    pub bytes: usize,
}

/// Why a search ended early.
pub(super) enum Stopped<const W: usize> {
    /// Firing a transition on a marking made the tokens of a place exceed its field.
    Overflow(Marking<W>, u32),
}

pub(super) struct Search<'a, const W: usize> {
    pub net: &'a Net,
    pub layout: &'a Layout,
    pub kernel: &'a Kernel<W>,
    pub properties: &'a [Compiled],
    pub threads: usize,
    pub limit: Option<u64>,
    pub progress: &'a (dyn Fn(u64, u64, u64) + Sync),
}

impl<const W: usize> Search<'_, W> {
    pub fn run(&self, initial: Marking<W>) -> Result<Searched<W>, Stopped<W>> {
        let mut table = Table::<W>::new(1 << 14);
        let mut level = vec![self.first(&table, &initial)];
        let mut found = Searched {
            states: 1,
            edges: 0,
            deadlocks: 0,
            tokens_max: self.net.places.iter().map(|place| place.tokens).sum(),
            place_max: (self.net.places.iter().map(|place| place.tokens).max()).unwrap_or(0),
            depth: 0,
            complete: true,
            decided: vec![None; self.properties.len()],
            bytes: 0,
        };
        self.decide(&initial, &mut found.decided);
        loop {
            let next = self.expand(&mut table, &level, &mut found)?;
            found.states = table.len() as u64;
            let frontier: usize = next.iter().map(|part| part.markings.len()).sum();
            let levels = level.iter().chain(&next).map(Level::bytes);
            found.bytes = found.bytes.max(table.bytes() + levels.sum::<usize>());
            (self.progress)(found.states, frontier as u64, found.depth);
            if frontier == 0 {
                return Ok(found);
            }
            if self.limit.is_some_and(|limit| found.states >= limit) {
                found.complete = false;
                return Ok(found);
            }
            found.depth += 1;
            level = next;
        }
    }

    fn first(&self, table: &Table<W>, initial: &Marking<W>) -> Level<W> {
        table.insert(table.probe(initial), initial);
        let mut enabled = vec![0; self.kernel.set_words];
        self.kernel.enabled(initial, &mut enabled);
        Level {
            markings: vec![*initial],
            enabled,
            tokens: vec![self.net.places.iter().map(|place| place.tokens).sum()],
        }
    }

    /// Notes the properties that a marking decides.
    fn decide(&self, marking: &Marking<W>, decided: &mut [Option<Marking<W>>]) {
        for (property, decided) in self.properties.iter().zip(decided) {
            if property.is_decided_by(|place| self.layout.tokens(place, marking))
                && decided.is_none_or(|other| *marking < other)
            {
                *decided = Some(*marking);
            }
        }
    }

    /// Visits the successors of all markings of a level, and returns those that are new.
    fn expand(
        &self,
        table: &mut Table<W>,
        level: &[Level<W>],
        found: &mut Searched<W>,
    ) -> Result<Vec<Level<W>>, Stopped<W>> {
        let sizes = level.iter().map(|part| part.markings.len().div_ceil(CHUNK));
        let chunks: usize = sizes.sum();
        let taken = AtomicUsize::new(0);
        let mut decided: Vec<Option<Marking<W>>> = vec![None; self.properties.len()];
        let mut next: Vec<Level<W>> = Vec::new();
        let mut rest: Vec<(Marking<W>, u32, Vec<u64>, u64)> = Vec::new();
        loop {
            let full = AtomicBool::new(false);
            let work = |rest: Vec<(Marking<W>, u32, Vec<u64>, u64)>| {
                let mut worker = Worker::new(self, table);
                worker.again(rest);
                while !full.load(Ordering::Relaxed) {
                    let chunk = taken.fetch_add(1, Ordering::Relaxed);
                    let Some((part, range)) = chunk_at(level, chunk) else {
                        break;
                    };
                    worker.expand(part, range);
                    if !worker.found.rest.is_empty() || worker.found.overflowed.is_some() {
                        full.store(true, Ordering::Relaxed);
                    }
                }
                worker.found
            };
            let threads = self.threads.min(chunks).max(1);
            let all: Vec<Findings<W>> = if threads == 1 {
                vec![work(std::mem::take(&mut rest))]
            } else {
                let mut first = Some(std::mem::take(&mut rest));
                std::thread::scope(|scope| {
                    let work = &work;
                    let handles: Vec<_> = (0..threads)
                        .map(|_| {
                            let rest = first.take().unwrap_or_default();
                            scope.spawn(move || work(rest))
                        })
                        .collect();
                    let join = |handle: std::thread::ScopedJoinHandle<'_, Findings<W>>| {
                        handle
                            .join()
                            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                    };
                    handles.into_iter().map(join).collect()
                })
            };
            for findings in all {
                if let Some((marking, transition)) = findings.overflowed {
                    return Err(Stopped::Overflow(marking, transition));
                }
                found.edges += findings.edges;
                found.deadlocks += findings.deadlocks;
                found.tokens_max = found.tokens_max.max(findings.tokens_max);
                found.place_max = found.place_max.max(findings.place_max);
                for (all, one) in decided.iter_mut().zip(findings.decided) {
                    *all = match (*all, one) {
                        (Some(a), Some(b)) => Some(a.min(b)),
                        (a, b) => a.or(b),
                    };
                }
                next.push(findings.next);
                rest.extend(findings.rest);
            }
            table.grow();
            if rest.is_empty() && taken.load(Ordering::Relaxed) >= chunks {
                break;
            }
        }
        for (all, one) in found.decided.iter_mut().zip(decided) {
            *all = all.or(one);
        }
        next.retain(|part| !part.markings.is_empty());
        Ok(next)
    }
}

/// Returns the markings of a chunk: a part of the level, and a range in it.
fn chunk_at<const W: usize>(
    level: &[Level<W>],
    mut chunk: usize,
) -> Option<(&Level<W>, std::ops::Range<usize>)> {
    for part in level {
        let chunks = part.markings.len().div_ceil(CHUNK);
        if chunk < chunks {
            let from = chunk * CHUNK;
            return Some((part, from..(from + CHUNK).min(part.markings.len())));
        }
        chunk -= chunks;
    }
    None
}

struct Worker<'a, const W: usize> {
    search: &'a Search<'a, W>,
    table: &'a Table<W>,
    batch: Vec<Successor<W>>,
    found: Findings<W>,
}

impl<'a, const W: usize> Worker<'a, W> {
    fn new(search: &'a Search<'a, W>, table: &'a Table<W>) -> Self {
        Self {
            search,
            table,
            batch: Vec::with_capacity(BATCH),
            found: Findings {
                next: Level::default(),
                rest: Vec::new(),
                edges: 0,
                deadlocks: 0,
                tokens_max: 0,
                place_max: 0,
                decided: vec![None; search.properties.len()],
                overflowed: None,
            },
        }
    }

    /// Looks up successors for which the table was full.
    fn again(&mut self, rest: Vec<(Marking<W>, u32, Vec<u64>, u64)>) {
        for (marking, transition, enabled, tokens) in rest {
            let probe = self.table.probe(&marking);
            match self.table.insert(probe, &marking) {
                Inserted::New => self.visit(&marking, transition, &enabled, tokens),
                Inserted::Known => {}
                Inserted::Full => self.found.rest.push((marking, transition, enabled, tokens)),
            }
        }
    }

    /// Fires all enabled transitions of markings.
    fn expand(&mut self, level: &Level<W>, range: std::ops::Range<usize>) {
        let kernel = self.search.kernel;
        let words = kernel.set_words;
        for at in range {
            let marking = &level.markings[at];
            let enabled = &level.enabled[at * words..(at + 1) * words];
            let mut edges = 0;
            for (word, base) in enabled.iter().zip((0..).step_by(64)) {
                let mut left = *word;
                edges += left.count_ones();
                while left != 0 {
                    let transition = base + left.trailing_zeros();
                    left &= left - 1;
                    let Some(next) = kernel.fire(transition, marking) else {
                        self.found.overflowed = Some((*marking, transition));
                        return;
                    };
                    self.batch.push(Successor {
                        marking: next,
                        probe: self.table.probe(&next),
                        before: at as u32,
                        transition,
                    });
                    if self.batch.len() == BATCH {
                        self.look_up(level);
                    }
                }
            }
            self.found.edges += u64::from(edges);
            self.found.deadlocks += u64::from(edges == 0);
        }
        self.look_up(level);
    }

    /// Looks up the batch of successors.
    fn look_up(&mut self, level: &Level<W>) {
        // All of these reads wait for the memory at the same time.
        let mut touched = 0;
        for successor in &self.batch {
            touched |= self.table.touch(successor.probe);
        }
        std::hint::black_box(touched);
        let words = self.search.kernel.set_words;
        for at in 0..self.batch.len() {
            let successor = self.batch[at];
            let inserted = self.table.insert(successor.probe, &successor.marking);
            if inserted == Inserted::Known {
                continue;
            }
            let before = successor.before as usize;
            let enabled = &level.enabled[before * words..(before + 1) * words];
            let tokens = level.tokens.get(before).copied().unwrap_or(0);
            if inserted == Inserted::New {
                self.visit(&successor.marking, successor.transition, enabled, tokens);
            } else {
                let enabled = enabled.to_vec();
                let rest = (successor.marking, successor.transition, enabled, tokens);
                self.found.rest.push(rest);
            }
        }
        self.batch.clear();
    }

    /// Visits a new marking. `enabled` and `tokens` are those of the marking before.
    fn visit(&mut self, marking: &Marking<W>, transition: u32, enabled: &[u64], tokens: u64) {
        let kernel = self.search.kernel;
        let next = &mut self.found.next;
        next.markings.push(*marking);
        let at = next.enabled.len();
        next.enabled.extend_from_slice(enabled);
        kernel.enabled_after(transition, marking, &mut next.enabled[at..]);
        if !kernel.conserves_tokens {
            let tokens = tokens.wrapping_add_signed(kernel.tokens(transition));
            next.tokens.push(tokens);
            self.found.tokens_max = self.found.tokens_max.max(tokens);
        }
        let most = kernel.most_after(transition, marking);
        self.found.place_max = self.found.place_max.max(most);
        if !self.search.properties.is_empty() {
            let Self { search, found, .. } = self;
            search.decide(marking, &mut found.decided);
        }
    }
}
