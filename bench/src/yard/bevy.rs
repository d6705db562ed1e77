//! bevy_ecs: relationships with their hooks, once with a hash set of entities at the far end, which is O(1) at any fan-in,
//! and once with a vector, which is faster at small ones; places as marker components in sparse sets.
//!
//! It has no transactions and no undo; what would take an operation back is recorded by hand.

use bevy_ecs::entity::EntityHashSet;
use bevy_ecs::prelude::*;
use rustc_hash::FxHashMap;

use super::flat::KEPT;
use super::{Picture, Watched, WatchedPicture, Yard, first_worker, name, value, workers};

/// A task.
#[derive(Component)]
pub struct Task {
    number: u32,
    /// What it is worth.
    pub value: u64,
}

/// It runs.
#[derive(Component)]
#[component(storage = "SparseSet")]
pub struct Running;

#[derive(Component)]
#[component(storage = "SparseSet")]
struct Full;

/// How many tasks of a worker run.
#[derive(Component)]
struct Count(u32);

macro_rules! bevy {
    ($(#[$doc:meta])* $bevy:ident, $name:literal, $held_by:ident, $holds:ident, $set:ty) => {
        /// Whose it is.
        #[derive(Component)]
        #[relationship(relationship_target = $holds)]
        pub struct $held_by(pub Entity);

        /// The tasks of a worker.
        #[derive(Component)]
        #[relationship_target(relationship = $held_by)]
        pub struct $holds($set);

        $(#[$doc])*
        pub struct $bevy {
            /// All of it.
            pub world: World,
            /// By number.
            pub tasks: Vec<Entity>,
            /// By number.
            pub workers: Vec<Entity>,
            names: FxHashMap<Box<str>, Entity>,
            running: QueryState<&'static Task, With<Running>>,
            undo: Vec<(u32, u32)>,
            /// By task, the number of its worker.
            pub holders: Vec<u32>,
        }

        impl Yard for $bevy {
            const NAME: &'static str = $name;
            const BATCH: usize = 50_000;

            fn new(tasks: usize, fan_in: usize) -> Self {
                let mut world = World::new();
                let hired: Vec<Entity> = (0..workers(tasks, fan_in))
                    .map(|_| world.spawn(Count(0)).id())
                    .collect();
                let made: Vec<Entity> = (0..tasks as u32)
                    .map(|number| {
                        let worker = hired[first_worker(tasks, fan_in, number as usize) as usize];
                        let task = Task { number, value: value(number) };
                        world.spawn((task, $held_by(worker))).id()
                    })
                    .collect();
                Self {
                    names: (0..tasks as u32).map(|t| (name(t).into(), made[t as usize])).collect(),
                    holders: (0..tasks).map(|t| first_worker(tasks, fan_in, t)).collect(),
                    running: world.query_filtered(),
                    world,
                    tasks: made,
                    workers: hired,
                    undo: Vec::new(),
                }
            }

            fn relink(&mut self, task: u32, worker: u32) {
                if self.undo.len() >= KEPT {
                    self.undo.clear();
                }
                let old = std::mem::replace(&mut self.holders[task as usize], worker);
                self.undo.push((task, old));
                let worker = self.workers[worker as usize];
                self.world.entity_mut(self.tasks[task as usize]).insert($held_by(worker));
            }

            fn run(&mut self, task: u32, running: bool) {
                let mut task = self.world.entity_mut(self.tasks[task as usize]);
                if running {
                    task.insert(Running);
                } else {
                    task.remove::<Running>();
                }
            }

            fn running(&mut self) -> (usize, u64) {
                let (mut count, mut sum) = (0, 0);
                for task in self.running.iter(&self.world) {
                    count += 1;
                    sum += task.value;
                }
                (count, sum)
            }

            fn find(&mut self, name: &str) -> Option<u64> {
                let entity = self.names.get(name)?;
                Some(self.world.get::<Task>(*entity)?.value)
            }

            fn picture(&self) -> Picture {
                let number = |e: Entity| self.world.get::<Task>(e).expect("a task").number;
                let row = |e: &Entity| {
                    let task = self.world.get::<Task>(*e).expect("a task");
                    let with = self.world.get::<$held_by>(*e).expect("a worker").0;
                    let worker = self.workers.iter().position(|w| *w == with);
                    let runs = self.world.get::<Running>(*e).is_some();
                    (runs, task.value, worker.expect("a worker") as u32)
                };
                let list = |w: &Entity| {
                    let held = self.world.get::<$holds>(*w);
                    let mut list: Vec<u32> =
                        held.into_iter().flat_map(|h| h.iter()).map(number).collect();
                    list.sort_unstable();
                    list
                };
                let runs = |e: &&Entity| self.world.get::<Running>(**e).is_some();
                Picture {
                    tasks: self.tasks.iter().map(row).collect(),
                    workers: self.workers.iter().map(list).collect(),
                    running: self.tasks.iter().filter(runs).map(|e| number(*e)).collect(),
                }
            }
        }
    };
}

bevy!(
    /// With hash sets.
    Bevy, "bevy", HeldBy, Holds, EntityHashSet
);
bevy!(
    /// With vectors.
    BevyVec, "bevy_vec", ListedBy, Lists, Vec<Entity>
);

/// One that notices, by counts that are kept by hand.
pub struct Watching(Bevy);

impl Watched for Watching {
    const NAME: &'static str = "bevy";
    const BATCH: usize = 50_000;

    fn new(tasks: usize, fan_in: usize) -> Self {
        Self(Bevy::new(tasks, fan_in))
    }

    fn run(&mut self, task: u32, running: bool) {
        self.0.run(task, running);
        let world = &mut self.0.world;
        let held = world.get::<HeldBy>(self.0.tasks[task as usize]);
        let mut worker = world.entity_mut(held.expect("a worker").0);
        let tasks = worker.get::<Holds>().map_or(0, |h| h.0.len());
        let mut count = worker.get_mut::<Count>().expect("a worker");
        count.0 = if running { count.0 + 1 } else { count.0 - 1 };
        if count.0 as usize == tasks {
            worker.insert(Full);
        } else if !running && worker.contains::<Full>() {
            worker.remove::<Full>();
        }
    }

    fn picture(&mut self) -> WatchedPicture {
        let full = |w: &u32| {
            let worker = self.0.workers[*w as usize];
            self.0.world.get::<Full>(worker).is_some()
        };
        let full = (0..self.0.workers.len() as u32).filter(full).collect();
        WatchedPicture {
            running: self.0.picture().running,
            full,
        }
    }
}
