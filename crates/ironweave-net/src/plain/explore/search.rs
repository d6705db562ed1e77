//! The breadth-first search of all reachable markings, level by level, by several threads.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::kernel::{Kernel, Marking, NO_TRANSITION};
use super::layout::Layout;
use super::table::{Budget, Inserted, Probe, Table};
use crate::plain::Net;
use crate::plain::property::Compiled;

/// How many markings a block has, unless their sets of enabled transitions are large.
const BLOCK: usize = 1 << 10;
/// How many words the sets of enabled transitions of a block have.
const BLOCK_WORDS: usize = 1 << 18;
/// How many successors are looked up together.
const BATCH: usize = 64;

/// Some markings of a level with what is known of them.
struct Block<const W: usize> {
    markings: Vec<Marking<W>>,
    /// The transition that led to each.
    fired: Vec<u32>,
    /// The enabled transitions of each, `set_words` words each.
    enabled: Vec<u64>,
    /// The number of tokens of each, unless no firing changes it.
    tokens: Vec<u64>,
}

/// Returns how many markings a block has, if their sets of enabled transitions have this many words each.
fn block_markings(set_words: usize) -> usize {
    (BLOCK_WORDS / set_words).clamp(1, BLOCK)
}

impl<const W: usize> Block<W> {
    fn new(set_words: usize, with_tokens: bool) -> Self {
        let markings = block_markings(set_words);
        Self {
            markings: Vec::with_capacity(markings),
            fired: Vec::with_capacity(markings),
            enabled: Vec::with_capacity(markings * set_words),
            tokens: Vec::with_capacity(if with_tokens { markings } else { 0 }),
        }
    }

    fn clear(&mut self) {
        self.markings.clear();
        self.fired.clear();
        self.enabled.clear();
        self.tokens.clear();
    }

    fn bytes(&self) -> usize {
        let words = self.markings.capacity() * W + self.enabled.capacity() + self.tokens.capacity();
        8 * words + 4 * self.fired.capacity()
    }
}

/// A successor that was not looked up yet.
#[derive(Clone, Copy)]
struct Successor<const W: usize> {
    marking: Marking<W>,
    probe: Probe,
    /// The position of its predecessor in the block, and the transition that was fired.
    before: u32,
    transition: u32,
}

/// A successor for which there was no room in the table.
struct Postponed<const W: usize> {
    marking: Marking<W>,
    transition: u32,
    /// The tokens of its predecessor.
    tokens: u64,
}

/// What a thread found in a level.
struct Findings<const W: usize> {
    next: Vec<Block<W>>,
    postponed: Vec<Postponed<W>>,
    edges: u64,
    deadlocks: u64,
    tokens_max: u64,
    place_max: u64,
    /// For each property, the smallest marking of the level that decides it.
    decided: Vec<Option<Marking<W>>>,
    overflowed: Option<(Marking<W>, u32)>,
    given: Budget,
    left: Budget,
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
        let mut table = Table::<W>::new(1 << 12);
        let mut level = VecDeque::from([self.first(&mut table, &initial)]);
        let mut found = Searched {
            states: 1,
            edges: 0,
            deadlocks: 0,
            tokens_max: self.tokens(),
            place_max: (self.net.places.iter().map(|place| place.tokens).max()).unwrap_or(0),
            depth: 0,
            complete: true,
            decided: vec![None; self.properties.len()],
            bytes: 0,
        };
        self.decide(&initial, &mut found.decided);
        loop {
            level = self.expand(&mut table, level, &mut found)?;
            found.states = table.len() as u64;
            let frontier: usize = level.iter().map(|block| block.markings.len()).sum();
            let blocks: usize = level.iter().map(Block::bytes).sum();
            found.bytes = found.bytes.max(table.bytes() + blocks);
            (self.progress)(found.states, frontier as u64, found.depth);
            if frontier == 0 {
                return Ok(found);
            }
            if self.limit.is_some_and(|limit| found.states >= limit) {
                found.complete = false;
                return Ok(found);
            }
            found.depth += 1;
        }
    }

    fn tokens(&self) -> u64 {
        let tokens = self.net.places.iter().map(|place| place.tokens);
        tokens.fold(0, u64::saturating_add)
    }

    fn first(&self, table: &mut Table<W>, initial: &Marking<W>) -> Block<W> {
        let (given, mut left) = (table.budget(1), table.budget(1));
        table.insert(table.probe(initial), initial, &mut left);
        table.settle(&given, &left);
        let words = self.kernel.set_words;
        let mut block = Block::new(words, !self.kernel.conserves_tokens);
        block.markings.push(*initial);
        block.fired.push(NO_TRANSITION);
        block.enabled.resize(words, 0);
        self.kernel.enabled(initial, &mut block.enabled);
        block.tokens.push(self.tokens());
        block
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
        level: VecDeque<Block<W>>,
        found: &mut Searched<W>,
    ) -> Result<VecDeque<Block<W>>, Stopped<W>> {
        let threads = self.threads.min(level.len()).max(1);
        let open = Mutex::new(level);
        let mut decided: Vec<Option<Marking<W>>> = vec![None; self.properties.len()];
        let mut next = VecDeque::new();
        let mut postponed: Vec<Postponed<W>> = Vec::new();
        loop {
            for findings in self.round(table, &open, std::mem::take(&mut postponed), threads) {
                if let Some((marking, transition)) = findings.overflowed {
                    return Err(Stopped::Overflow(marking, transition));
                }
                table.settle(&findings.given, &findings.left);
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
                next.extend(findings.next);
                postponed.extend(findings.postponed);
            }
            table.grow(self.threads);
            if postponed.is_empty() && lock(&open).is_empty() {
                break;
            }
        }
        for (all, one) in found.decided.iter_mut().zip(decided) {
            *all = all.or(one);
        }
        Ok(next)
    }

    /// Lets the threads work until all blocks are expanded, or one of them finds no room in the table.
    fn round(
        &self,
        table: &Table<W>,
        open: &Mutex<VecDeque<Block<W>>>,
        postponed: Vec<Postponed<W>>,
        threads: usize,
    ) -> Vec<Findings<W>> {
        let full = AtomicBool::new(false);
        let work = |postponed: Vec<Postponed<W>>| {
            let mut worker = Worker::new(self, table, threads);
            worker.look_up_again(postponed);
            while !full.load(Ordering::Relaxed) {
                let Some(block) = lock(open).pop_front() else {
                    break;
                };
                worker.expand(&block);
                worker.spare = Some(block);
                if !worker.found.postponed.is_empty() || worker.found.overflowed.is_some() {
                    full.store(true, Ordering::Relaxed);
                }
            }
            worker.found
        };
        if threads == 1 {
            return vec![work(postponed)];
        }
        std::thread::scope(|scope| {
            let work = &work;
            let mut postponed = Some(postponed);
            let spawn = |_| {
                let postponed = postponed.take().unwrap_or_default();
                scope.spawn(move || work(postponed))
            };
            let handles: Vec<_> = (0..threads).map(spawn).collect();
            let join = |handle: std::thread::ScopedJoinHandle<'_, Findings<W>>| {
                (handle.join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            handles.into_iter().map(join).collect()
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

struct Worker<'a, const W: usize> {
    search: &'a Search<'a, W>,
    table: &'a Table<W>,
    batch: Vec<Successor<W>>,
    /// The transitions to fire on a marking, as a set.
    to_fire: Vec<u64>,
    /// A block that was expanded, whose memory is used again.
    spare: Option<Block<W>>,
    found: Findings<W>,
}

impl<'a, const W: usize> Worker<'a, W> {
    fn new(search: &'a Search<'a, W>, table: &'a Table<W>, threads: usize) -> Self {
        Self {
            search,
            table,
            batch: Vec::with_capacity(BATCH),
            to_fire: Vec::new(),
            spare: None,
            found: Findings {
                next: Vec::new(),
                postponed: Vec::new(),
                edges: 0,
                deadlocks: 0,
                tokens_max: 0,
                place_max: 0,
                decided: vec![None; search.properties.len()],
                overflowed: None,
                given: table.budget(threads),
                left: table.budget(threads),
            },
        }
    }

    /// Looks up successors for which there was no room in the table.
    fn look_up_again(&mut self, postponed: Vec<Postponed<W>>) {
        for one in postponed {
            let probe = self.table.probe(&one.marking);
            match self.table.insert(probe, &one.marking, &mut self.found.left) {
                Inserted::New => self.visit(&one.marking, one.transition, None, one.tokens),
                Inserted::Known => {}
                Inserted::Full => self.found.postponed.push(one),
            }
        }
    }

    /// Fires the enabled transitions of markings, except those that can be left out.
    fn expand(&mut self, block: &Block<W>) {
        let kernel = self.search.kernel;
        let sets = block.enabled.chunks_exact(kernel.set_words);
        let markings = block.markings.iter().zip(&block.fired).zip(sets);
        for (((marking, fired), enabled), at) in markings.zip(0..) {
            let edges: u32 = enabled.iter().map(|word| word.count_ones()).sum();
            let mut to_fire = std::mem::take(&mut self.to_fire);
            to_fire.clear();
            to_fire.extend_from_slice(enabled);
            kernel.leave_out(*fired, marking, &mut to_fire);
            for (word, base) in to_fire.iter().zip((0..).step_by(64)) {
                let mut left = *word;
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
                        before: at,
                        transition,
                    });
                    if self.batch.len() == BATCH {
                        self.look_up(block);
                    }
                }
            }
            self.to_fire = to_fire;
            self.found.edges += u64::from(edges);
            self.found.deadlocks += u64::from(edges == 0);
        }
        self.look_up(block);
    }

    /// Looks up the batch of successors.
    fn look_up(&mut self, block: &Block<W>) {
        // All of these reads wait for the memory at the same time.
        let mut touched = 0;
        for successor in &self.batch {
            touched |= self.table.touch(successor.probe);
        }
        std::hint::black_box(touched);
        let words = self.search.kernel.set_words;
        for at in 0..self.batch.len() {
            let successor = self.batch[at];
            let left = &mut self.found.left;
            let inserted = (self.table).insert(successor.probe, &successor.marking, left);
            if inserted == Inserted::Known {
                continue;
            }
            let before = successor.before as usize;
            let tokens = block.tokens.get(before).copied().unwrap_or(0);
            if inserted == Inserted::New {
                let enabled = &block.enabled[before * words..(before + 1) * words];
                self.visit(
                    &successor.marking,
                    successor.transition,
                    Some(enabled),
                    tokens,
                );
            } else {
                self.found.postponed.push(Postponed {
                    marking: successor.marking,
                    transition: successor.transition,
                    tokens,
                });
            }
        }
        self.batch.clear();
    }

    /// Visits a new marking. `enabled`, if it is known, and `tokens` are those of the marking before.
    fn visit(
        &mut self,
        marking: &Marking<W>,
        transition: u32,
        enabled: Option<&[u64]>,
        tokens: u64,
    ) {
        let kernel = self.search.kernel;
        let full = |block: &Block<W>| block.markings.len() >= block_markings(kernel.set_words);
        if self.found.next.last().is_none_or(full) {
            let fresh = || Block::new(kernel.set_words, !kernel.conserves_tokens);
            let mut block = self.spare.take().unwrap_or_else(fresh);
            block.clear();
            self.found.next.push(block);
        }
        let Some(next) = self.found.next.last_mut() else {
            return;
        };
        next.markings.push(*marking);
        next.fired.push(transition);
        let at = next.enabled.len();
        match enabled {
            Some(enabled) => {
                next.enabled.extend_from_slice(enabled);
                kernel.enabled_after(transition, marking, &mut next.enabled[at..]);
            }
            None => {
                next.enabled.resize(at + kernel.set_words, 0);
                kernel.enabled(marking, &mut next.enabled[at..]);
            }
        }
        if !kernel.conserves_tokens {
            let tokens = tokens.saturating_add_signed(kernel.tokens(transition));
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
