//! databuild's model by hand, as one writes a model for a checker: states as small as the rules need, sets as bits.
//!
//! It has the entities, events and consequences of `databuild::model`, and the bindings of `ours.rs`. Edges are kept at one end only, the
//! partitions of a run are those that it builds, and entities are numbered in the order in which they are created. That both have the
//! same number of states and of events that fire is tested.

/// A set of entities, by their numbers.
type Set = u8;

fn members(set: Set) -> impl Iterator<Item = usize> {
    (0..8).filter(move |i| set >> i & 1 == 1)
}

fn subsets(of: Set) -> impl Iterator<Item = Set> {
    (0..=of).filter(move |set| set & !of == 0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// `a`, `b` or `c`.
    name: u8,
    current: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartitionState {
    Missing,
    Building,
    Live {
        digest: u8,
    },
    Failed,
    UpstreamBuilding,
    UpForRetry,
    UpstreamFailed,
    /// With its digest, if only its inputs are stale.
    Stale {
        digest: Option<u8>,
    },
    Replaced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partition {
    state: PartitionState,
    of: u8,
    replaces: Option<u8>,
    built_by: Option<u8>,
    inputs: Set,
    missed: Set,
    upstreams: Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    Queued,
    Running { pid: u8 },
    Succeeded,
    Failed { exit: u8 },
    DepMiss,
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Run {
    state: RunState,
    reads: Set,
    services: Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WantState {
    Idle,
    Building,
    UpstreamBuilding,
    Successful,
    Failed,
    UpstreamFailed,
    Canceled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Want {
    state: WantState,
    partitions: Set,
    awaits: Set,
    asked_by: Option<u8>,
}

/// A state of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    references: Vec<Reference>,
    partitions: Vec<Partition>,
    runs: Vec<Run>,
    wants: Vec<Want>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    WantCreated { names: Set },
    PartitionReplaced { partition: u8 },
    JobQueued { partitions: Set },
    JobStarted { run: u8, pid: u8 },
    JobSucceeded { run: u8, digest: u8, inputs: Set },
    DepMissed { run: u8, name: u8, inputs: Set },
    JobFailed { run: u8, exit: u8 },
    RunLost { run: u8 },
    SourcesChanged { partitions: Set },
}

/// An invariant, with its name.
pub type Invariant = (&'static str, fn(&Twin, &State) -> bool);

/// What holds in every state.
pub const ALWAYS: [Invariant; 4] = [
    (
        "a partition in Building has an unfinished run",
        |_, state| state.building_has_a_run(),
    ),
    ("a live partition has a run that succeeded", |_, state| {
        state.live_was_built()
    }),
    ("a waiting partition waits for one", |_, state| {
        state.waiting_has_a_cause()
    }),
    (
        "what an unfinished run builds is in Building",
        |_, state| state.nothing_is_built_twice(),
    ),
];

/// How many wants, references, partitions and runs there may be.
#[derive(Clone, Copy, Debug)]
pub struct Twin(pub [usize; 4]);

impl Partition {
    fn new(of: u8) -> Self {
        Self {
            state: PartitionState::Missing,
            of,
            replaces: None,
            built_by: None,
            inputs: 0,
            missed: 0,
            upstreams: 0,
        }
    }

    fn can_be_built(&self) -> bool {
        matches!(
            self.state,
            PartitionState::Missing | PartitionState::UpForRetry
        )
    }

    fn is_live(&self) -> bool {
        matches!(self.state, PartitionState::Live { .. })
    }

    fn is_waiting(&self) -> bool {
        self.state == PartitionState::UpstreamBuilding
    }

    fn is_stale(&self) -> bool {
        matches!(self.state, PartitionState::Stale { .. })
    }

    fn has_ended(&self) -> bool {
        self.is_live() || self.went_wrong()
    }

    fn went_wrong(&self) -> bool {
        matches!(
            self.state,
            PartitionState::Failed | PartitionState::UpstreamFailed
        )
    }
}

impl Run {
    fn is_unfinished(&self) -> bool {
        matches!(self.state, RunState::Queued | RunState::Running { .. })
    }
}

impl Want {
    fn is_open(&self) -> bool {
        use WantState::{Building, Idle, UpstreamBuilding};
        matches!(self.state, Idle | Building | UpstreamBuilding)
    }
}

impl State {
    fn where_(&self, holds: impl Fn(&Partition) -> bool) -> Set {
        let all = self.partitions.iter().enumerate();
        all.fold(0, |set, (i, partition)| {
            set | Set::from(holds(partition)) << i
        })
    }

    fn any(&self, set: Set, holds: impl Fn(&Partition) -> bool) -> bool {
        members(set).any(|i| holds(&self.partitions[i]))
    }

    fn builds(&self, run: u8) -> Set {
        self.where_(|partition| partition.built_by == Some(run))
    }

    fn reference(&self, name: u8) -> Option<usize> {
        self.references.iter().position(|r| r.name == name)
    }

    fn waits_for(&self, partition: usize, other: usize) -> bool {
        let mut upstreams = members(self.partitions[partition].upstreams);
        partition == other || upstreams.any(|upstream| self.waits_for(upstream, other))
    }

    fn create_want(&mut self, names: Set, asked_by: Option<u8>) {
        let (mut partitions, mut awaits) = (0, 0);
        for name in members(names) {
            let at = self.reference(name as u8).unwrap_or_else(|| {
                let current = self.partitions.len() as u8;
                self.partitions
                    .push(Partition::new(self.references.len() as u8));
                let name = name as u8;
                self.references.push(Reference { name, current });
                self.references.len() - 1
            });
            partitions |= 1 << at;
            awaits |= 1 << self.references[at].current;
        }
        self.wants.push(Want {
            state: WantState::Idle,
            partitions,
            awaits,
            asked_by,
        });
    }

    fn read(&mut self, run: u8, inputs: Set) {
        self.runs[run as usize].reads |= inputs;
        for i in members(self.builds(run)) {
            self.partitions[i].inputs |= inputs;
        }
    }

    fn end(&mut self, run: u8, state: RunState, partitions: PartitionState) {
        self.runs[run as usize].state = state;
        for i in members(self.builds(run)) {
            self.partitions[i].state = partitions;
        }
    }

    /// Returns `None` if the event is rejected.
    fn apply(&mut self, action: Action) -> Option<()> {
        match action {
            Action::WantCreated { names } => self.create_want(names, None),
            Action::PartitionReplaced { partition } => self.replace(partition),
            Action::JobQueued { partitions } => self.queue(partitions),
            Action::JobStarted { run, pid } => {
                self.runs[run as usize].state = RunState::Running { pid };
            }
            Action::JobSucceeded {
                run,
                digest,
                inputs,
            } => {
                self.read(run, inputs);
                self.end(run, RunState::Succeeded, PartitionState::Live { digest });
            }
            Action::DepMissed { run, name, inputs } => {
                self.create_want(1 << name, Some(run));
                self.read(run, inputs);
                let want = self.wants[self.wants.len() - 1];
                let mut upstreams = members(want.awaits);
                let builds = self.builds(run);
                if upstreams.any(|known| members(builds).any(|p| self.waits_for(known, p))) {
                    return None;
                }
                for i in members(builds) {
                    self.partitions[i].missed |= want.partitions;
                    self.partitions[i].upstreams |= want.awaits;
                }
                self.end(run, RunState::DepMiss, PartitionState::UpstreamBuilding);
            }
            Action::JobFailed { run, exit } => {
                self.end(run, RunState::Failed { exit }, PartitionState::Failed);
            }
            Action::RunLost { run } => self.end(run, RunState::Lost, PartitionState::UpForRetry),
            Action::SourcesChanged { partitions } => {
                for i in members(partitions) {
                    self.partitions[i].state = PartitionState::Stale { digest: None };
                }
            }
        }
        Some(())
    }

    fn replace(&mut self, partition: u8) {
        let (old, new) = (1 << partition, 1 << self.partitions.len());
        for want in self.wants.iter_mut().filter(|want| want.awaits & old != 0) {
            want.awaits = want.awaits & !old | new;
        }
        for waiting in self
            .partitions
            .iter_mut()
            .filter(|p| p.upstreams & old != 0)
        {
            waiting.upstreams = waiting.upstreams & !old | new;
        }
        let replaced = &mut self.partitions[partition as usize];
        replaced.state = PartitionState::Replaced;
        (replaced.inputs, replaced.missed, replaced.upstreams) = (0, 0, 0);
        let of = replaced.of;
        self.references[of as usize].current = self.partitions.len() as u8;
        self.partitions.push(Partition {
            replaces: Some(partition),
            ..Partition::new(of)
        });
    }

    fn queue(&mut self, partitions: Set) {
        let run = self.runs.len() as u8;
        let mut services = 0;
        for (i, want) in self.wants.iter().enumerate() {
            services |= Set::from(want.awaits & partitions != 0) << i;
        }
        self.runs.push(Run {
            state: RunState::Queued,
            reads: 0,
            services,
        });
        for i in members(partitions) {
            let partition = &mut self.partitions[i];
            partition.inputs = 0;
            partition.built_by = Some(run);
            partition.state = PartitionState::Building;
        }
    }

    /// What follows from a change. Wants come last, since they are a function of their partitions; what a want needed that has ended may
    /// not be needed any more.
    fn fire_immediates(&mut self) {
        while self.move_a_partition() || self.move_a_want() {}
    }

    /// Moves a partition: staleness first, then what was asked because of what is stale, what waits although no want needs it, what is live, what went
    /// wrong, and what did not go wrong after all. What is up for retry waits for nothing.
    fn move_a_partition(&mut self) -> bool {
        type Rule = fn(&State, usize, &Partition) -> Option<PartitionState>;
        let rules: [Rule; 6] = [
            |state, _, p| {
                let digest = match p.state {
                    PartitionState::Live { digest } => Some(digest),
                    PartitionState::Failed => None,
                    _ => return None,
                };
                state
                    .any(p.inputs, Partition::is_stale)
                    .then_some(PartitionState::Stale { digest })
            },
            |state, _, p| {
                let waits = p.is_waiting() || p.state == PartitionState::UpstreamFailed;
                (waits && state.any(p.inputs, Partition::is_stale))
                    .then_some(PartitionState::UpForRetry)
            },
            |state, i, p| {
                let is_awaited = state.wants.iter().any(|want| want.awaits >> i & 1 == 1);
                (p.is_waiting() && !is_awaited).then_some(PartitionState::UpForRetry)
            },
            |state, _, p| {
                let all_live = !state.any(p.upstreams, |upstream| !upstream.is_live());
                (p.is_waiting() && all_live).then_some(PartitionState::UpForRetry)
            },
            |state, _, p| {
                let is_wrong = state.any(p.upstreams, Partition::went_wrong);
                let all_ended = !state.any(p.upstreams, |upstream| !upstream.has_ended());
                (p.is_waiting() && is_wrong && all_ended).then_some(PartitionState::UpstreamFailed)
            },
            |state, _, p| {
                let was_wrong = p.state == PartitionState::UpstreamFailed;
                let is_wrong = state.any(p.upstreams, Partition::went_wrong);
                (was_wrong && !is_wrong).then_some(PartitionState::UpForRetry)
            },
        ];
        for rule in rules {
            let mut all = self.partitions.iter().enumerate();
            let Some((i, to)) = all.find_map(|(i, p)| rule(self, i, p).map(|to| (i, to))) else {
                continue;
            };
            let partition = &mut self.partitions[i];
            partition.state = to;
            if to == PartitionState::UpForRetry {
                (partition.missed, partition.upstreams) = (0, 0);
            }
            return true;
        }
        false
    }

    fn move_a_want(&mut self) -> bool {
        for i in 0..self.wants.len() {
            let state = self.state_of_want(&self.wants[i]);
            let want = &mut self.wants[i];
            if want.is_open() && want.state != state {
                want.state = state;
                if !want.is_open() {
                    want.awaits = 0;
                }
                return true;
            }
        }
        false
    }

    fn state_of_want(&self, want: &Want) -> WantState {
        let awaits = want.awaits;
        let is = |state| move |partition: &Partition| partition.state == state;
        let all_ended = !self.any(awaits, |partition| !partition.has_ended());
        let is_needless = want
            .asked_by
            .is_some_and(|run| !self.any(self.builds(run), Partition::is_waiting));
        if all_ended && self.any(awaits, is(PartitionState::Failed)) {
            WantState::Failed
        } else if all_ended && self.any(awaits, is(PartitionState::UpstreamFailed)) {
            WantState::UpstreamFailed
        } else if !self.any(awaits, |partition| !partition.is_live()) {
            WantState::Successful
        } else if is_needless {
            WantState::Canceled
        } else if self.any(awaits, is(PartitionState::Building)) {
            WantState::Building
        } else if self.any(awaits, is(PartitionState::UpstreamBuilding)) {
            WantState::UpstreamBuilding
        } else {
            WantState::Idle
        }
    }

    fn building_has_a_run(&self) -> bool {
        self.partitions.iter().all(|partition| {
            let run = partition.built_by.map(|run| &self.runs[run as usize]);
            partition.state != PartitionState::Building || run.is_some_and(Run::is_unfinished)
        })
    }

    fn live_was_built(&self) -> bool {
        self.partitions.iter().all(|partition| {
            let run = partition.built_by.map(|run| self.runs[run as usize].state);
            !partition.is_live() || run == Some(RunState::Succeeded)
        })
    }

    fn waiting_has_a_cause(&self) -> bool {
        let has_none = |partition: &Partition| {
            partition.state == PartitionState::UpstreamBuilding && partition.upstreams == 0
        };
        !self.partitions.iter().any(has_none)
    }

    fn nothing_is_built_twice(&self) -> bool {
        self.partitions.iter().all(|partition| {
            let run = partition.built_by.map(|run| &self.runs[run as usize]);
            partition.state == PartitionState::Building || !run.is_some_and(Run::is_unfinished)
        })
    }
}

impl Twin {
    /// Appends what can be tried in a state.
    pub fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let Self([wants, ..]) = *self;
        if state.wants.len() < wants {
            let sets: &[Set] = if state.references.is_empty() {
                &[0b1, 0b11]
            } else {
                &[0b1, 0b10, 0b11]
            };
            actions.extend(sets.iter().map(|&names| Action::WantCreated { names }));
        }
        for (partition, at) in state.partitions.iter().zip(0..) {
            if partition.went_wrong() || partition.is_stale() {
                actions.push(Action::PartitionReplaced { partition: at });
            }
        }
        let can_be_built = subsets(state.where_(Partition::can_be_built));
        let queued = can_be_built.filter(|set| *set != 0);
        actions.extend(queued.map(|partitions| Action::JobQueued { partitions }));
        let live = state.where_(Partition::is_live);
        for (one, run) in state.runs.iter().zip(0..) {
            if one.state == RunState::Queued {
                actions.extend([1, 2].map(|pid| Action::JobStarted { run, pid }));
            }
            if let RunState::Running { .. } = one.state {
                for inputs in subsets(live) {
                    let of = |digest| Action::JobSucceeded {
                        run,
                        digest,
                        inputs,
                    };
                    actions.extend([1, 2].map(of));
                }
                let is_live = |name| {
                    let known = state.reference(name).map(|at| state.references[at].current);
                    known.is_some_and(|current| live >> current & 1 == 1)
                };
                for name in (0..3).filter(|name| !is_live(*name)) {
                    let of = |inputs| Action::DepMissed { run, name, inputs };
                    actions.extend(subsets(live).map(of));
                }
            }
            if one.is_unfinished() {
                actions.extend([1, 2, 3].map(|exit| Action::JobFailed { run, exit }));
                actions.push(Action::RunLost { run });
            }
        }
        let changed = |partitions| Action::SourcesChanged { partitions };
        let failed = state.where_(|partition| partition.state == PartitionState::Failed);
        actions.extend(subsets(live | failed).map(changed));
    }

    /// Returns the state after an event, or `None` if it is rejected or there would be too many entities.
    pub fn next(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        next.apply(action)?;
        next.fire_immediates();
        let Self([wants, references, partitions, runs]) = *self;
        let is_within = next.wants.len() <= wants
            && next.references.len() <= references
            && next.partitions.len() <= partitions
            && next.runs.len() <= runs;
        is_within.then_some(next)
    }
}
