//! By hand with maps: rows by id, and indexes kept by hand, by name, by state and in both directions of the edge. Once
//! with FxHash, and once with B-trees.

macro_rules! maps {
    ($(#[$doc:meta])* $module:ident, $name:literal, $map:ty, $set:ty, $names:ty) => {
        $(#[$doc])*
        pub mod $module {
            use crate::yard::flat::KEPT;
            use crate::yard::{
                Fact, Picture, Watched, WatchedPicture, Yard, first_worker, name, value, workers,
            };

            type Map<V> = $map;
            type Set = $set;
            type Names = $names;

            #[derive(Clone, Copy)]
            struct Task {
                running: bool,
                value: u64,
                worker: u32,
            }

            /// The state.
            pub struct Maps {
                names: Names,
                tasks: Map<Task>,
                by_worker: Map<Set>,
                running: Set,
                ready: Set,
                undo: Vec<(u32, Task)>,
                facts: Vec<Fact>,
            }

            impl Maps {
                fn room(&mut self) {
                    if self.facts.len() >= KEPT {
                        self.commit();
                    }
                }
            }

            impl Yard for Maps {
                const NAME: &'static str = $name;

                fn new(tasks: usize, fan_in: usize) -> Self {
                    let workers = 0..workers(tasks, fan_in) as u32;
                    let mut maps = Self {
                        names: (0..tasks as u32).map(|t| (name(t).into(), t)).collect(),
                        tasks: Map::default(),
                        by_worker: workers.map(|w| (w, Set::default())).collect(),
                        running: Set::default(),
                        ready: (0..tasks as u32).collect(),
                        undo: Vec::new(),
                        facts: Vec::new(),
                    };
                    for task in 0..tasks as u32 {
                        let worker = first_worker(tasks, fan_in, task as usize);
                        let row = Task { running: false, value: value(task), worker };
                        maps.tasks.insert(task, row);
                        maps.by_worker.get_mut(&worker).expect("it was made").insert(task);
                    }
                    maps
                }

                fn relink(&mut self, task: u32, worker: u32) {
                    self.room();
                    let row = self.tasks.get_mut(&task).expect("it was made");
                    let old = *row;
                    row.worker = worker;
                    self.by_worker.get_mut(&old.worker).expect("it was made").remove(&task);
                    self.by_worker.get_mut(&worker).expect("it was made").insert(task);
                    self.undo.push((task, old));
                    self.facts.push(Fact::Unlink { worker: old.worker, task });
                    self.facts.push(Fact::Link { worker, task });
                }

                fn run(&mut self, task: u32, running: bool) {
                    self.room();
                    let row = self.tasks.get_mut(&task).expect("it was made");
                    self.undo.push((task, *row));
                    row.running = running;
                    let (from, to) = if running {
                        (&mut self.ready, &mut self.running)
                    } else {
                        (&mut self.running, &mut self.ready)
                    };
                    from.remove(&task);
                    to.insert(task);
                    self.facts.push(Fact::Move { task, running });
                }

                fn commit(&mut self) {
                    self.undo.clear();
                    self.facts.clear();
                }

                fn running(&mut self) -> (usize, u64) {
                    let values = self.running.iter().map(|t| self.tasks[t].value);
                    (self.running.len(), values.sum())
                }

                fn running_of(&mut self, worker: u32) -> Option<usize> {
                    let tasks = &self.by_worker[&worker];
                    Some(tasks.iter().filter(|task| self.tasks[task].running).count())
                }

                fn find(&mut self, name: &str) -> Option<u64> {
                    let task = self.names.get(name)?;
                    Some(self.tasks[task].value)
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
                    let workers = 0..self.by_worker.len() as u32;
                    Picture {
                        tasks: (0..self.tasks.len() as u32).map(row).collect(),
                        workers: workers.map(|w| sorted(&self.by_worker[&w])).collect(),
                        running: sorted(&self.running),
                    }
                }
            }

            /// One that notices.
            pub struct Watching {
                maps: Maps,
                /// By worker, how many of its tasks run.
                count: Map<u32>,
                full: Set,
            }

            impl Watched for Watching {
                const NAME: &'static str = $name;

                fn new(tasks: usize, fan_in: usize) -> Self {
                    let workers = 0..workers(tasks, fan_in) as u32;
                    Self {
                        maps: Maps::new(tasks, fan_in),
                        count: workers.map(|w| (w, 0)).collect(),
                        full: Set::default(),
                    }
                }

                fn run(&mut self, task: u32, running: bool) {
                    self.maps.run(task, running);
                    let worker = self.maps.tasks[&task].worker;
                    let count = self.count.get_mut(&worker).expect("it was made");
                    if running {
                        *count += 1;
                    } else {
                        *count -= 1;
                    }
                    if *count as usize == self.maps.by_worker[&worker].len() {
                        self.full.insert(worker);
                    } else if !running {
                        self.full.remove(&worker);
                    }
                }

                fn commit(&mut self) {
                    self.maps.commit();
                }

                fn picture(&mut self) -> WatchedPicture {
                    let mut full: Vec<u32> = self.full.iter().copied().collect();
                    full.sort_unstable();
                    WatchedPicture { running: self.maps.picture().running, full }
                }
            }
        }
    };
}

maps!(
    /// Hash maps with FxHash.
    fxhash, "fxhash", rustc_hash::FxHashMap<u32, V>, rustc_hash::FxHashSet<u32>,
    rustc_hash::FxHashMap<Box<str>, u32>
);
maps!(
    /// B-trees.
    btree, "btree", std::collections::BTreeMap<u32, V>, std::collections::BTreeSet<u32>,
    std::collections::BTreeMap<Box<str>, u32>
);
