//! By hand with maps: rows by id, and indexes kept by hand, by state and in both directions of the edge. Once with FxHash,
//! and once with B-trees (databuild's way before ironweave).

macro_rules! maps {
    ($(#[$doc:meta])* $module:ident, $name:literal, $map:ty, $set:ty) => {
        $(#[$doc])*
        pub mod $module {
            use crate::contenders::logged::Fires;
            use crate::work::{Contender, Fact, KEPT, Keeps, Op, Picture, first_worker, workers};

            type Map<V> = $map;
            type Set = $set;

            #[derive(Clone, Copy)]
            struct Task {
                running: bool,
                value: u64,
                worker: u32,
            }

            /// The state.
            pub struct Maps {
                tasks: Map<Task>,
                by_worker: Map<Set>,
                running: Set,
                ready: Set,
                undo: Vec<(u32, Task)>,
                keeps: bool,
                facts: Vec<Fact>,
                events: Vec<Op>,
            }

            impl Maps {
                /// Puts a row in place of another, with all indexes.
                fn replace(&mut self, task: u32, new: Task) -> Task {
                    let row = self.tasks.get_mut(&task).expect("it was made");
                    let old = std::mem::replace(row, new);
                    if old.worker != new.worker {
                        self.by_worker.get_mut(&old.worker).expect("it was made").remove(&task);
                        self.by_worker.get_mut(&new.worker).expect("it was made").insert(task);
                    }
                    if old.running != new.running {
                        let (from, to) = if new.running {
                            (&mut self.ready, &mut self.running)
                        } else {
                            (&mut self.running, &mut self.ready)
                        };
                        from.remove(&task);
                        to.insert(task);
                    }
                    old
                }

                /// Whether it happened.
                fn apply(&mut self, op: Op) -> bool {
                    let Op { task, worker, value, start } = op;
                    if self.tasks.get(&task).is_none_or(|row| row.running == start) {
                        return false;
                    }
                    let old = self.replace(task, Task { running: start, value, worker });
                    self.undo.push((task, old));
                    if self.keeps {
                        self.facts.push(Fact::Unlink { worker: old.worker, task });
                        self.facts.push(Fact::Link { worker, task });
                        self.facts.push(Fact::Set { task, value });
                        self.facts.push(Fact::Move { task, running: start });
                    }
                    true
                }
            }

            impl Fires for Maps {
                fn fire(&mut self, op: Op) -> u32 {
                    assert!(self.apply(op), "it can happen");
                    let before = self.undo.last().map(|(_, row)| row.worker);
                    self.undo.clear();
                    before.expect("it happened")
                }
            }

            impl Contender for Maps {
                const NAME: &'static str = $name;
                type Event = Op;

                fn new(count: usize, keeps: Keeps) -> Self {
                    let mut maps = Self {
                        tasks: Map::default(),
                        by_worker: (0..workers(count)).map(|w| (w as u32, Set::default())).collect(),
                        running: Set::default(),
                        ready: (0..count as u32).collect(),
                        undo: Vec::new(),
                        keeps: keeps == Keeps::Facts,
                        facts: Vec::new(),
                        events: Vec::new(),
                    };
                    for task in 0..count {
                        let worker = first_worker(count, task);
                        maps.tasks.insert(task as u32, Task { running: false, value: 0, worker });
                        maps.by_worker.get_mut(&worker).expect("it was made").insert(task as u32);
                    }
                    maps
                }

                fn event(&self, op: Op) -> Op {
                    op
                }

                fn step(&mut self, op: Op) {
                    if self.events.len() >= KEPT {
                        self.events.clear();
                        self.facts.clear();
                    }
                    assert!(self.apply(op), "it can happen");
                    if self.keeps {
                        self.events.push(op);
                    }
                    self.undo.clear();
                }

                fn reject(&mut self, op: Op) {
                    assert!(!self.apply(op), "it cannot happen");
                }

                fn step_and_undo(&mut self, ops: &[Op]) {
                    let facts = self.facts.len();
                    for op in ops {
                        assert!(self.apply(*op), "it can happen");
                    }
                    while let Some((task, old)) = self.undo.pop() {
                        self.replace(task, old);
                    }
                    self.facts.truncate(facts);
                }

                fn facts(&self) -> usize {
                    self.facts.len()
                }

                fn picture(&self) -> Picture {
                    let sorted = |set: &Set| {
                        let mut list: Vec<u32> = set.iter().copied().collect();
                        list.sort_unstable();
                        list
                    };
                    let row = |t: u32| {
                        let task = self.tasks[&t];
                        assert_eq!(self.ready.contains(&t), !task.running);
                        (task.running, task.value, task.worker)
                    };
                    Picture {
                        tasks: (0..self.tasks.len() as u32).map(row).collect(),
                        workers: (0..self.by_worker.len() as u32).map(|w| sorted(&self.by_worker[&w])).collect(),
                        running: sorted(&self.running),
                    }
                }
            }
        }
    };
}

maps!(
    /// Hash maps with FxHash.
    fxhash, "fxhash", rustc_hash::FxHashMap<u32, V>, rustc_hash::FxHashSet<u32>
);
maps!(
    /// B-trees.
    btree, "btree", std::collections::BTreeMap<u32, V>, std::collections::BTreeSet<u32>
);
