//! What each event does, and what follows from it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Databuild, Event, Partition, PartitionId, PartitionKind, PartitionState, Refused, Run, RunId,
    RunKind, RunState, Want, WantId, WantState,
};

/// What a step has touched: where to look for what follows.
#[derive(Default)]
struct Touched {
    partitions: BTreeSet<PartitionId>,
    wants: BTreeSet<WantId>,
}

impl Databuild {
    /// Does an event and all that follows from it, or nothing.
    pub fn step(&mut self, event: &Event, now: u64) -> Result<(), Refused> {
        let mut changed = Touched::default();
        match event {
            Event::WantCreated { partitions } => {
                distinct(partitions)?;
                self.create_want(partitions, None, &mut changed)?;
            }
            Event::JobQueued {
                label,
                partitions,
                wants,
            } => {
                self.queue(label, partitions, wants, &mut changed)?;
            }
            Event::JobStarted { run, pid } => {
                self.expect_run(*run, &[RunKind::Queued])?;
                self.set_run(*run, RunState::Running { pid: *pid });
            }
            Event::JobSucceeded {
                run,
                digest,
                reads,
                inputs,
            } => {
                self.expect_run(*run, &[RunKind::Running])?;
                self.expect_partitions(reads, &[])?;
                self.expect_partitions(inputs, &[])?;
                self.record_reads(*run, reads, inputs);
                self.set_run(*run, RunState::Succeeded { at: now });
                let live = PartitionState::Live {
                    at: now,
                    digest: digest.clone(),
                };
                self.end_builds(*run, &live, &mut changed);
            }
            Event::DepMissed {
                run,
                missed,
                reads,
                inputs,
            } => {
                self.expect_run(*run, &[RunKind::Running])?;
                self.expect_partitions(reads, &[])?;
                self.expect_partitions(inputs, &[])?;
                distinct(missed)?;
                self.expect_no_cycle(*run, missed)?;
                let want = self.create_want(missed, Some(*run), &mut changed)?;
                self.record_reads(*run, reads, inputs);
                let missed = self.wants[&want].partitions.clone();
                for partition in self.runs[run].builds.clone() {
                    for upstream in &missed {
                        self.link_upstream(partition, *upstream);
                    }
                }
                self.set_run(*run, RunState::DepMiss);
                self.end_builds(*run, &PartitionState::UpstreamBuilding, &mut changed);
            }
            Event::JobFailed { run, exit, reason } => {
                self.expect_run(*run, &[RunKind::Queued, RunKind::Running])?;
                let (exit, reason) = (*exit, reason.clone());
                let failed = PartitionState::Failed {
                    reason: reason.clone(),
                };
                self.set_run(*run, RunState::Failed { exit, reason });
                self.end_builds(*run, &failed, &mut changed);
            }
            Event::RunLost { run } => {
                self.expect_run(*run, &[RunKind::Queued, RunKind::Running])?;
                self.set_run(*run, RunState::Lost);
                self.end_builds(*run, &PartitionState::UpForRetry, &mut changed);
            }
            Event::SourcesChanged { partitions } => {
                let from = [PartitionKind::Live, PartitionKind::Failed];
                self.expect_partitions(partitions, &from)?;
                for partition in partitions {
                    self.set_partition(*partition, PartitionState::Stale, &mut changed);
                }
            }
            Event::PartitionsRetried { partitions } => {
                let from = [PartitionKind::Failed, PartitionKind::UpstreamFailed];
                self.expect_partitions(partitions, &from)?;
                for partition in partitions {
                    self.unlink_inputs(*partition);
                    self.unlink_upstreams(*partition);
                    self.set_partition(*partition, PartitionState::Missing, &mut changed);
                }
            }
        }
        self.settle(changed);
        Ok(())
    }

    /// Refuses that what a run builds waits for these, if one of them is among it or waits for it.
    fn expect_no_cycle(&self, run: RunId, missed: &[String]) -> Result<(), Refused> {
        let builds = &self.runs[&run].builds;
        let mut todo: Vec<PartitionId> = missed
            .iter()
            .filter_map(|name| self.by_name.get(name).copied())
            .collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = todo.pop() {
            if builds.contains(&id) {
                return Err(Refused::Cycle);
            }
            if seen.insert(id) {
                todo.extend(&self.partitions[&id].upstreams);
            }
        }
        Ok(())
    }

    fn create_want(
        &mut self,
        names: &[String],
        asked_by: Option<RunId>,
        changed: &mut Touched,
    ) -> Result<WantId, Refused> {
        if names.is_empty() {
            return Err(Refused::Empty);
        }
        let partitions: BTreeSet<PartitionId> = names.iter().map(|n| self.ensure(n)).collect();
        let id = self.wants.len() as WantId;
        for partition in &partitions {
            self.partition(*partition).wanted_by.insert(id);
        }
        if let Some(run) = asked_by {
            self.run(run).asks.insert(id);
        }
        let want = Want {
            state: WantState::Idle,
            partitions,
            asked_by,
            serviced_by: BTreeSet::new(),
        };
        self.wants.insert(id, want);
        self.wants_by_state
            .entry(WantState::Idle)
            .or_default()
            .insert(id);
        changed.wants.insert(id);
        Ok(id)
    }

    fn queue(
        &mut self,
        label: &str,
        partitions: &[PartitionId],
        wants: &[WantId],
        changed: &mut Touched,
    ) -> Result<(), Refused> {
        use PartitionKind::{Missing, Stale, UpForRetry};
        self.expect_partitions(partitions, &[Missing, UpForRetry, Stale])?;
        distinct(wants)?;
        if wants.iter().any(|w| !self.wants.contains_key(w)) {
            return Err(Refused::Unknown);
        }
        let id = self.runs.len() as RunId;
        let run = Run {
            label: label.to_owned(),
            state: RunState::Queued,
            builds: BTreeSet::new(),
            reads: BTreeSet::new(),
            services: wants.iter().copied().collect(),
            asks: BTreeSet::new(),
        };
        self.runs.insert(id, run);
        self.runs_by_state
            .entry(RunKind::Queued)
            .or_default()
            .insert(id);
        for want in wants {
            self.want(*want).serviced_by.insert(id);
        }
        for partition in partitions {
            self.unlink_inputs(*partition);
            self.take_over(id, *partition);
            self.set_partition(*partition, PartitionState::Building, changed);
        }
        Ok(())
    }

    fn end_builds(&mut self, run: RunId, state: &PartitionState, changed: &mut Touched) {
        for partition in self.runs[&run].builds.clone() {
            self.set_partition(partition, state.clone(), changed);
        }
    }

    fn record_reads(&mut self, run: RunId, reads: &[PartitionId], inputs: &[PartitionId]) {
        for partition in reads {
            self.run(run).reads.insert(*partition);
            self.partition(*partition).read_by.insert(run);
        }
        for partition in self.runs[&run].builds.clone() {
            for input in inputs {
                self.partition(partition).inputs.insert(*input);
                self.partition(*input).outputs.insert(partition);
            }
        }
    }

    /// Works out what follows. Wants come last, since they are a function of what their partitions have become; what a want needed that
    /// has ended may not be needed any more.
    fn settle(&mut self, mut changed: Touched) {
        while !changed.partitions.is_empty() || !changed.wants.is_empty() {
            self.settle_partitions(&mut changed);
            for id in std::mem::take(&mut changed.partitions) {
                let partition = &self.partitions[&id];
                changed.wants.extend(partition.wanted_by.iter());
                let asked = partition.built_by.map(|run| &self.runs[&run].asks);
                changed.wants.extend(asked.into_iter().flatten());
            }
            for id in std::mem::take(&mut changed.wants) {
                if self.wants[&id].state.is_open() {
                    let state = self.want_of(&self.wants[&id]);
                    self.set_want(id, state);
                    if !state.is_open() {
                        let ended = self.wants[&id].partitions.iter();
                        changed.partitions.extend(ended);
                    }
                }
            }
        }
    }

    /// Staleness first, then what was asked on a stale ground, what waits for nobody, what is there, what went wrong, and what did not go
    /// wrong after all.
    fn settle_partitions(&mut self, changed: &mut Touched) {
        use PartitionKind::{Failed, Live, Stale, UpstreamBuilding, UpstreamFailed};
        let stale = |p: &&PartitionId| {
            self.is(**p, &[Stale])
                || self.is(**p, &[Live, Failed]) && self.any(&self.partitions[p].inputs, &[Stale])
        };
        let mut todo: Vec<PartitionId> = changed.partitions.iter().filter(stale).copied().collect();
        while let Some(id) = todo.pop() {
            if self.is(id, &[Live, Failed]) {
                self.set_partition(id, PartitionState::Stale, changed);
            }
            // Only those that have ended: inputs may go round in a circle.
            let outputs = self.partitions[&id].outputs.iter();
            todo.extend(outputs.filter(|p| self.is(**p, &[Live, Failed])));
        }

        let waits = [UpstreamBuilding, UpstreamFailed];
        for id in self.waiting(changed, &waits, &[Stale], |p| &p.outputs) {
            if self.any(&self.partitions[&id].inputs, &[Stale]) {
                self.unlink_upstreams(id);
                self.set_partition(id, PartitionState::UpForRetry, changed);
            }
        }

        for id in self.waiting(changed, &[UpstreamBuilding], &[], |p| &p.outputs) {
            let mut wants = self.partitions[&id].wanted_by.iter();
            if !wants.any(|want| self.wants[want].state.is_open()) {
                self.unlink_upstreams(id);
                self.set_partition(id, PartitionState::UpForRetry, changed);
            }
        }

        let waits = [UpstreamBuilding];
        for id in self.waiting(changed, &waits, &[Live], |p| &p.downstreams) {
            let upstreams = &self.partitions[&id].upstreams;
            if upstreams.iter().all(|u| self.is(*u, &[Live])) {
                self.unlink_upstreams(id);
                self.set_partition(id, PartitionState::UpForRetry, changed);
            }
        }

        let ended = [Live, Failed, UpstreamFailed];
        let mut todo = self.waiting(changed, &waits, &ended, |p| &p.downstreams);
        while let Some(id) = todo.pop_first() {
            let upstreams = &self.partitions[&id].upstreams;
            let is_wrong = self.any(upstreams, &[Failed, UpstreamFailed])
                && upstreams.iter().all(|p| self.is(*p, &ended));
            if self.is(id, &waits) && is_wrong {
                self.set_partition(id, PartitionState::UpstreamFailed, changed);
                todo.extend(self.partitions[&id].downstreams.iter());
            }
        }

        let all = [
            PartitionKind::Missing,
            PartitionKind::Building,
            Live,
            Stale,
            UpstreamBuilding,
            PartitionKind::UpForRetry,
        ];
        let mut todo = self.waiting(changed, &[UpstreamFailed], &all, |p| &p.downstreams);
        while let Some(id) = todo.pop_first() {
            let upstreams = &self.partitions[&id].upstreams;
            let is_wrong = self.any(upstreams, &[Failed, UpstreamFailed]);
            if self.is(id, &[UpstreamFailed]) && !is_wrong {
                todo.extend(self.partitions[&id].downstreams.iter());
                self.unlink_upstreams(id);
                self.set_partition(id, PartitionState::UpForRetry, changed);
            }
        }
    }

    /// The partitions in one of the states `waits`, among those that changed and those that `edge` leads to from one that is now in
    /// one of `states`.
    fn waiting(
        &self,
        changed: &Touched,
        waits: &[PartitionKind],
        states: &[PartitionKind],
        edge: fn(&Partition) -> &BTreeSet<PartitionId>,
    ) -> BTreeSet<PartitionId> {
        let mut found = changed.partitions.clone();
        for id in changed.partitions.iter().filter(|p| self.is(**p, states)) {
            found.extend(edge(&self.partitions[id]));
        }
        found.retain(|p| self.is(*p, waits));
        found
    }

    /// What a want is, given its partitions: the first that holds.
    fn want_of(&self, want: &Want) -> WantState {
        use PartitionKind::{Building, Failed, Live, UpstreamBuilding, UpstreamFailed};
        let partitions = &want.partitions;
        let ended = [Live, Failed, UpstreamFailed];
        let all_ended = partitions.iter().all(|p| self.is(*p, &ended));
        let is_needless = want
            .asked_by
            .is_some_and(|run| !self.any(&self.runs[&run].builds, &[UpstreamBuilding]));
        if all_ended && self.any(partitions, &[Failed]) {
            WantState::Failed
        } else if all_ended && self.any(partitions, &[UpstreamFailed]) {
            WantState::UpstreamFailed
        } else if partitions.iter().all(|p| self.is(*p, &[Live])) {
            WantState::Successful
        } else if is_needless {
            WantState::Canceled
        } else if self.any(partitions, &[Building]) {
            WantState::Building
        } else if self.any(partitions, &[UpstreamBuilding]) {
            WantState::UpstreamBuilding
        } else {
            WantState::Idle
        }
    }

    fn is(&self, id: PartitionId, states: &[PartitionKind]) -> bool {
        states.contains(&self.partitions[&id].state.kind())
    }

    fn any(&self, ids: &BTreeSet<PartitionId>, states: &[PartitionKind]) -> bool {
        ids.iter().any(|p| self.is(*p, states))
    }

    fn expect_run(&self, id: RunId, states: &[RunKind]) -> Result<(), Refused> {
        let run = self.runs.get(&id).ok_or(Refused::Unknown)?;
        if !states.contains(&run.state.kind()) {
            return Err(Refused::NotInState);
        }
        Ok(())
    }

    /// Refuses what is not there, what stands twice, and what is in none of `states`, where there are any.
    fn expect_partitions(
        &self,
        ids: &[PartitionId],
        states: &[PartitionKind],
    ) -> Result<(), Refused> {
        distinct(ids)?;
        for id in ids {
            let partition = self.partitions.get(id).ok_or(Refused::Unknown)?;
            if !states.is_empty() && !states.contains(&partition.state.kind()) {
                return Err(Refused::NotInState);
            }
        }
        Ok(())
    }

    fn ensure(&mut self, name: &str) -> PartitionId {
        if let Some(id) = self.by_name.get(name) {
            return *id;
        }
        let id = self.partitions.len() as PartitionId;
        let partition = Partition {
            name: name.to_owned(),
            state: PartitionState::Missing,
            built_by: None,
            wanted_by: BTreeSet::new(),
            read_by: BTreeSet::new(),
            inputs: BTreeSet::new(),
            outputs: BTreeSet::new(),
            upstreams: BTreeSet::new(),
            downstreams: BTreeSet::new(),
        };
        self.partitions.insert(id, partition);
        self.by_name.insert(name.to_owned(), id);
        self.partitions_by_state
            .entry(PartitionKind::Missing)
            .or_default()
            .insert(id);
        id
    }

    fn set_partition(&mut self, id: PartitionId, state: PartitionState, changed: &mut Touched) {
        let kind = state.kind();
        let old = std::mem::replace(&mut self.partition(id).state, state).kind();
        refile(&mut self.partitions_by_state, id, old, kind);
        changed.partitions.insert(id);
    }

    fn set_run(&mut self, id: RunId, state: RunState) {
        let kind = state.kind();
        let old = std::mem::replace(&mut self.run(id).state, state).kind();
        refile(&mut self.runs_by_state, id, old, kind);
    }

    fn set_want(&mut self, id: WantId, state: WantState) {
        let old = std::mem::replace(&mut self.want(id).state, state);
        refile(&mut self.wants_by_state, id, old, state);
    }

    fn link_upstream(&mut self, partition: PartitionId, upstream: PartitionId) {
        self.partition(partition).upstreams.insert(upstream);
        self.partition(upstream).downstreams.insert(partition);
    }

    fn unlink_upstreams(&mut self, id: PartitionId) {
        for upstream in std::mem::take(&mut self.partition(id).upstreams) {
            self.partition(upstream).downstreams.remove(&id);
        }
    }

    fn unlink_inputs(&mut self, id: PartitionId) {
        for input in std::mem::take(&mut self.partition(id).inputs) {
            self.partition(input).outputs.remove(&id);
        }
    }

    fn take_over(&mut self, run: RunId, id: PartitionId) {
        if let Some(before) = self.partition(id).built_by.replace(run) {
            self.run(before).builds.remove(&id);
        }
        self.run(run).builds.insert(id);
    }

    // Ids are checked when an event comes in, and nothing is ever removed.

    fn partition(&mut self, id: PartitionId) -> &mut Partition {
        self.partitions.get_mut(&id).expect("a partition's id")
    }

    fn run(&mut self, id: RunId) -> &mut Run {
        self.runs.get_mut(&id).expect("a run's id")
    }

    fn want(&mut self, id: WantId) -> &mut Want {
        self.wants.get_mut(&id).expect("a want's id")
    }
}

fn refile<K: Ord>(index: &mut BTreeMap<K, BTreeSet<u32>>, id: u32, from: K, to: K) {
    if let Some(set) = index.get_mut(&from) {
        set.remove(&id);
        if set.is_empty() {
            index.remove(&from);
        }
    }
    index.entry(to).or_default().insert(id);
}

fn distinct<T: Ord>(items: &[T]) -> Result<(), Refused> {
    let set: BTreeSet<&T> = items.iter().collect();
    if set.len() < items.len() {
        return Err(Refused::Repeated);
    }
    Ok(())
}
