//! The breadth-first search of all reachable markings, level by level, by several threads.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::kernel::{Kernel, Marking, NO_TRANSITION};
use super::layout::Layout;
use super::table::{Budget, Inserted, Probe, Table};
use super::tree::{Numbered, Tree};
use crate::plain::Net;
use crate::plain::property::Compiled;

/// How many markings a block has.
const BLOCK: usize = 1 << 10;
/// How many successors are looked up together.
const BATCH: usize = 64;
/// Some markings of a level with what is known of them.
struct Block {
    roots: Vec<u64>,
    /// The transition that led to each.
    fired: Vec<u32>,
    /// The number of tokens of each, unless no firing changes it.
    tokens: Vec<u64>,
}

impl Block {
    /// Returns a block with room for so many markings.
    fn new(markings: usize, with_tokens: bool) -> Self {
        Self {
            roots: Vec::with_capacity(markings),
            fired: Vec::with_capacity(markings),
            tokens: Vec::with_capacity(if with_tokens { markings } else { 0 }),
        }
    }

    fn clear(&mut self) {
        self.roots.clear();
        self.fired.clear();
        self.tokens.clear();
    }

    fn bytes(&self) -> usize {
        8 * (self.roots.capacity() + self.tokens.capacity()) + 4 * self.fired.capacity()
    }
}

/// A successor that was not looked up yet.
#[derive(Clone, Copy)]
struct Successor<const W: usize> {
    marking: Marking<W>,
    root: u64,
    probe: Probe,
    /// The position of its predecessor in the block, and the transition that was fired.
    before: u32,
    transition: u32,
}

/// A successor for which there was no room in the table.
struct Postponed<const W: usize> {
    marking: Marking<W>,
    root: u64,
    transition: u32,
    /// The tokens of its predecessor.
    tokens: u64,
}

/// What a thread found in a level.
struct Findings<const W: usize> {
    next: Vec<Block>,
    postponed: Vec<Postponed<W>>,
    edges: u64,
    deadlocks: u64,
    tokens_max: u64,
    place_max: u64,
    /// For each property, the smallest marking of the level that decides it.
    decided: Vec<Option<Marking<W>>>,
    stopped: Option<Stopped<W>>,
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
    /// There are too many different words to number them.
    Full,
}

/// What all threads share.
struct Shared<const W: usize> {
    table: Table,
    tree: Tree<W>,
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
        let mut shared = Shared {
            table: Table::new(),
            tree: Tree::new(),
        };
        let mut level = VecDeque::from([self.first(&mut shared, &initial)?]);
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
            level = self.expand(&mut shared, level, &mut found)?;
            found.states = shared.table.len() as u64;
            let frontier: usize = level.iter().map(|block| block.roots.len()).sum();
            let blocks: usize = level.iter().map(Block::bytes).sum();
            let bytes = shared.table.bytes() + shared.tree.bytes() + blocks;
            found.bytes = found.bytes.max(bytes);
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

    fn first(&self, shared: &mut Shared<W>, initial: &Marking<W>) -> Result<Block, Stopped<W>> {
        let table = &mut shared.table;
        let root = shared
            .tree
            .root(initial, &Numbered::default())
            .ok_or(Stopped::Full)?;
        let (given, mut left) = (table.budget(1), table.budget(1));
        table.insert(table.probe(root), root, &mut left);
        table.settle(&given, &left);
        let mut block = Block::new(1, false);
        block.roots.push(root);
        block.fired.push(NO_TRANSITION);
        block.tokens.push(self.tokens());
        Ok(block)
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
        shared: &mut Shared<W>,
        level: VecDeque<Block>,
        found: &mut Searched<W>,
    ) -> Result<VecDeque<Block>, Stopped<W>> {
        let threads = self.threads.min(level.len()).max(1);
        let open = Mutex::new(level);
        let mut decided: Vec<Option<Marking<W>>> = vec![None; self.properties.len()];
        let mut next = VecDeque::new();
        let mut postponed: Vec<Postponed<W>> = Vec::new();
        loop {
            for findings in self.round(shared, &open, std::mem::take(&mut postponed), threads) {
                if let Some(stopped) = findings.stopped {
                    return Err(stopped);
                }
                shared.table.settle(&findings.given, &findings.left);
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
            shared.table.grow(self.threads);
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
        shared: &Shared<W>,
        open: &Mutex<VecDeque<Block>>,
        postponed: Vec<Postponed<W>>,
        threads: usize,
    ) -> Vec<Findings<W>> {
        let full = AtomicBool::new(false);
        let work = |postponed: Vec<Postponed<W>>| {
            let mut worker = Worker::new(self, shared, threads);
            worker.look_up_again(postponed);
            while !full.load(Ordering::Relaxed) {
                let Some(block) = lock(open).pop_front() else {
                    break;
                };
                worker.expand(&block);
                worker.spare = Some(block);
                if !worker.found.postponed.is_empty() || worker.found.stopped.is_some() {
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
    shared: &'a Shared<W>,
    batch: Vec<Successor<W>>,
    /// The words of the marking that is expanded.
    numbered: Numbered<W>,
    /// The enabled transitions of a marking, and those to fire on it, as sets.
    enabled: Vec<u64>,
    to_fire: Vec<u64>,
    /// A block that was expanded, whose memory is used again.
    spare: Option<Block>,
    found: Findings<W>,
}

impl<'a, const W: usize> Worker<'a, W> {
    fn new(search: &'a Search<'a, W>, shared: &'a Shared<W>, threads: usize) -> Self {
        Self {
            search,
            shared,
            batch: Vec::with_capacity(BATCH),
            numbered: Numbered::default(),
            enabled: vec![0; search.kernel.set_words],
            to_fire: vec![0; search.kernel.set_words],
            spare: None,
            found: Findings {
                next: Vec::new(),
                postponed: Vec::new(),
                edges: 0,
                deadlocks: 0,
                tokens_max: 0,
                place_max: 0,
                decided: vec![None; search.properties.len()],
                stopped: None,
                given: shared.table.budget(threads),
                left: shared.table.budget(threads),
            },
        }
    }

    /// Looks up successors for which there was no room in the table.
    fn look_up_again(&mut self, postponed: Vec<Postponed<W>>) {
        let table = &self.shared.table;
        for one in postponed {
            match table.insert(table.probe(one.root), one.root, &mut self.found.left) {
                Inserted::New => self.visit(one.root, &one.marking, one.transition, one.tokens),
                Inserted::Known => {}
                Inserted::Full => self.found.postponed.push(one),
            }
        }
    }

    /// Fires the enabled transitions of markings, except those that can be left out.
    fn expand(&mut self, block: &Block) {
        for at in 0..block.roots.len() {
            if let Err(stopped) = self.expand_one(block, at) {
                self.found.stopped = Some(stopped);
                return;
            }
        }
        self.look_up(block);
    }

    fn expand_one(&mut self, block: &Block, at: usize) -> Result<(), Stopped<W>> {
        let (kernel, shared) = (self.search.kernel, self.shared);
        let marking = shared.tree.marking(block.roots[at], &mut self.numbered);
        kernel.enabled(&marking, &mut self.enabled);
        let edges: u32 = self.enabled.iter().map(|word| word.count_ones()).sum();
        self.found.edges += u64::from(edges);
        self.found.deadlocks += u64::from(edges == 0);
        self.to_fire.copy_from_slice(&self.enabled);
        kernel.leave_out(block.fired[at], &marking, &mut self.to_fire);
        for word in 0..self.to_fire.len() {
            let mut left = self.to_fire[word];
            while left != 0 {
                let transition = 64 * word as u32 + left.trailing_zeros();
                left &= left - 1;
                let next = kernel.fire(transition, &marking);
                let next = next.ok_or(Stopped::Overflow(marking, transition))?;
                let root = shared
                    .tree
                    .root(&next, &self.numbered)
                    .ok_or(Stopped::Full)?;
                self.batch.push(Successor {
                    marking: next,
                    root,
                    probe: shared.table.probe(root),
                    before: at as u32,
                    transition,
                });
                if self.batch.len() == BATCH {
                    self.look_up(block);
                }
            }
        }
        Ok(())
    }

    /// Looks up the batch of successors.
    fn look_up(&mut self, block: &Block) {
        let table = &self.shared.table;
        // All of these reads wait for the memory at the same time.
        let mut touched = 0;
        for successor in &self.batch {
            touched |= table.touch(successor.probe);
        }
        std::hint::black_box(touched);
        for at in 0..self.batch.len() {
            let successor = self.batch[at];
            let left = &mut self.found.left;
            let inserted = table.insert(successor.probe, successor.root, left);
            if inserted == Inserted::Known {
                continue;
            }
            let Successor {
                marking,
                root,
                transition,
                ..
            } = successor;
            let before = successor.before as usize;
            let tokens = block.tokens.get(before).copied().unwrap_or(0);
            if inserted == Inserted::New {
                self.visit(root, &marking, transition, tokens);
            } else {
                self.found.postponed.push(Postponed {
                    marking,
                    root,
                    transition,
                    tokens,
                });
            }
        }
        self.batch.clear();
    }

    /// Visits a new marking. `tokens` are those of the marking before.
    fn visit(&mut self, root: u64, marking: &Marking<W>, transition: u32, tokens: u64) {
        let kernel = self.search.kernel;
        let full = |block: &Block| block.roots.len() >= BLOCK;
        if self.found.next.last().is_none_or(full) {
            // The first block may be the only one, so it grows with what it holds.
            let room = if self.found.next.is_empty() { 0 } else { BLOCK };
            let fresh = || Block::new(room, !kernel.conserves_tokens);
            let mut block = self.spare.take().unwrap_or_else(fresh);
            block.clear();
            self.found.next.push(block);
        }
        let Some(next) = self.found.next.last_mut() else {
            return;
        };
        next.roots.push(root);
        next.fired.push(transition);
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
