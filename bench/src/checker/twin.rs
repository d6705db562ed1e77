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
    Live { digest: u8 },
    Failed,
    UpstreamBuilding,
    UpForRetry,
    UpstreamFailed,
    Stale,
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

    /// The wants that the runs of some partitions asked for.
    fn asked_for(&self, built: impl Fn(&Partition) -> Option<u8>, partitions: Set) -> Set {
        let runs = members(partitions).filter_map(|i| built(&self.partitions[i]));
        let asked = runs.flat_map(|run| {
            let wants = self.wants.iter().enumerate();
            wants.filter(move |(_, want)| want.asked_by == Some(run))
        });
        asked.fold(0, |set, (i, _)| set | 1 << i)
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
            Action::JobQueued { partitions } => return self.queue(partitions),
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
                    self.partitions[i].state = PartitionState::Stale;
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

    fn queue(&mut self, partitions: Set) -> Option<()> {
        let of_these = self.asked_for(|partition| partition.built_by, partitions);
        let before = |partition: &Partition| self.partitions[partition.replaces? as usize].built_by;
        let of_those_before = self.asked_for(before, partitions);
        let open = |set: Set| members(set).any(|i| self.wants[i].is_open());
        if open(of_these & of_those_before) {
            return None;
        }
        let run = self.runs.len() as u8;
        let mut services = 0;
        for (i, want) in self.wants.iter_mut().enumerate() {
            services |= Set::from(want.awaits & partitions != 0) << i;
            if (of_these | of_those_before) >> i & 1 == 1 {
                want.awaits = 0;
                if want.is_open() {
                    want.state = WantState::Canceled;
                }
            }
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
        Some(())
    }

    /// What follows from a change: staleness first, then what was asked because of what is stale, then what is live, then what went
    /// wrong. Wants come last, since they are a function of their partitions.
    fn fire_immediates(&mut self) {
        let is_stale = |partition: &Partition| partition.state == PartitionState::Stale;
        self.repeat(|state, partition| {
            let goes_stale = partition.is_live() && state.any(partition.inputs, is_stale);
            goes_stale.then_some(PartitionState::Stale)
        });
        self.repeat(|state, partition| {
            let is_waiting = partition.state == PartitionState::UpstreamBuilding;
            let is_done = state.any(partition.inputs, is_stale)
                || !state.any(partition.upstreams, |upstream| !upstream.is_live());
            (is_waiting && is_done).then_some(PartitionState::UpForRetry)
        });
        self.repeat(|state, partition| {
            let is_waiting = partition.state == PartitionState::UpstreamBuilding;
            let is_wrong = state.any(partition.upstreams, Partition::went_wrong);
            let all_ended = !state.any(partition.upstreams, |upstream| !upstream.has_ended());
            (is_waiting && is_wrong && all_ended).then_some(PartitionState::UpstreamFailed)
        });
        for i in 0..self.wants.len() {
            if self.wants[i].is_open() {
                let state = self.state_of_want(self.wants[i].awaits);
                self.wants[i].state = state;
                if !self.wants[i].is_open() {
                    self.wants[i].awaits = 0;
                }
            }
        }
    }

    /// Moves partitions until none is moved. What is up for retry waits for nothing.
    fn repeat(&mut self, next: impl Fn(&Self, &Partition) -> Option<PartitionState>) {
        let find = |state: &Self| {
            let mut all = state.partitions.iter().enumerate();
            all.find_map(|(i, partition)| next(state, partition).map(|to| (i, to)))
        };
        while let Some((i, to)) = find(self) {
            let partition = &mut self.partitions[i];
            partition.state = to;
            if to == PartitionState::UpForRetry {
                (partition.missed, partition.upstreams) = (0, 0);
            }
        }
    }

    fn state_of_want(&self, awaits: Set) -> WantState {
        let is = |state| move |partition: &Partition| partition.state == state;
        let all_ended = !self.any(awaits, |partition| !partition.has_ended());
        if all_ended && self.any(awaits, is(PartitionState::Failed)) {
            WantState::Failed
        } else if all_ended && self.any(awaits, is(PartitionState::UpstreamFailed)) {
            WantState::UpstreamFailed
        } else if !self.any(awaits, |partition| !partition.is_live()) {
            WantState::Successful
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
            if partition.went_wrong() || partition.state == PartitionState::Stale {
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
        actions.extend(subsets(live).map(changed));
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
