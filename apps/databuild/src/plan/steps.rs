//! The plan that is made of a rehearsal: each partition with its reason, the longest chain, and what is assumed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::build::Partition;
use crate::model::build::state::{
    Building, Checking, Failed, Live, Missing, Stale, Tainted, UpForRetry, UpstreamBuilding,
    UpstreamFailed,
};
use crate::plan::rehearsal::{Rehearsal, Trace};
use crate::plan::scene::{Begun, Scene, can_change};
use crate::plan::{Action, Counts, KnownFrom, Names, PathStep, Plan, Question, Step};
use crate::rules::{current, is_stale_by_inputs, name};
use crate::simulate::past;
use crate::stale::{Next, next};
use crate::status::state_of;
use crate::text::{few, shown};

/// The plan of a rehearsal that has ended.
pub fn of(
    scene: &Scene<'_>,
    begun: &Begun,
    rehearsal: &Rehearsal<'_>,
    question: &Question,
) -> Plan {
    let steps = Steps {
        scene,
        begun,
        rehearsal,
    };
    let mut all = steps.all();
    // In the order in which their runs begin. What no run builds comes last.
    all.sort_by_cached_key(|step| {
        let trace = rehearsal.traces.get(&step.name);
        let order = trace.map_or(0, |trace| trace.order);
        (step.from_seconds.is_none(), order, step.name.clone())
    });
    let names: BTreeSet<String> = all.iter().map(|step| step.name.clone()).collect();
    for step in &mut all {
        step.needs.retain(|need| names.contains(need));
    }
    let (critical_path, critical) = critical_path(&all);
    let ends = all.iter().map(|step| step.to_seconds.unwrap_or_default());
    let needed: BTreeSet<&String> = all.iter().flat_map(|step| &step.needs).collect();
    let ends_of_plan = all
        .iter()
        .filter(|step| step.action != Action::Blocked && !needed.contains(&step.name));
    let is_unknown = |step: &&Step| {
        let known = step.known_from;
        known == Some(KnownFrom::Others) || known == Some(KnownFrom::Nothing)
    };
    let named = |steps: &mut dyn Iterator<Item = &Step>| {
        Names::of(steps.map(|step| step.name.clone()).collect())
    };
    Plan {
        seconds: ends.fold(0.0, f64::max),
        jobs_max: scene.jobs_max,
        counts: counts(&all),
        critical_path,
        critical_seconds: critical,
        ends: named(&mut ends_of_plan.into_iter()),
        unknown: named(&mut all.iter().filter(is_unknown)),
        notes: steps.notes(&all, question),
        count: all.len(),
        steps: all,
    }
}

fn counts(steps: &[Step]) -> Counts {
    let mut counts = Counts::default();
    for step in steps {
        *match step.action {
            Action::Build => &mut counts.build,
            Action::Check => &mut counts.check,
            Action::Keep => &mut counts.keep,
            Action::Blocked => &mut counts.blocked,
        } += 1;
    }
    counts
}

/// The steps that wait for each other and take longest together, and how long.
fn critical_path(steps: &[Step]) -> (Vec<PathStep>, f64) {
    let built: Vec<&Step> = (steps.iter())
        .filter(|step| step.to_seconds.is_some())
        .collect();
    let mut known: BTreeMap<&str, (f64, Option<&str>)> = BTreeMap::new();
    // What a step needs begins before it.
    for step in &built {
        let before = step.needs.iter();
        let before = before.filter_map(|need| {
            let (cost, _) = known.get(need.as_str())?;
            Some((*cost, need.as_str()))
        });
        let longest = before.max_by(|a, b| a.0.total_cmp(&b.0));
        let (cost, of) = longest.map_or((0.0, None), |(cost, of)| (cost, Some(of)));
        known.insert(&step.name, (cost + all_seconds(step), of));
    }
    let last = known.iter().max_by(|a, b| a.1.0.total_cmp(&b.1.0));
    let Some((last, (cost, _))) = last else {
        return (Vec::new(), 0.0);
    };
    let by_name: BTreeMap<&str, &Step> = built
        .iter()
        .map(|step| (step.name.as_str(), *step))
        .collect();
    let mut path = Vec::new();
    let mut at = Some(*last);
    while let Some(name) = at {
        path.push(PathStep {
            name: name.to_owned(),
            seconds: by_name.get(name).map_or(0.0, |step| all_seconds(step)),
        });
        at = known.get(name).and_then(|(_, of)| *of);
    }
    path.reverse();
    (path, *cost)
}

/// How long the runs of a step take.
fn all_seconds(step: &Step) -> f64 {
    step.asks_seconds + step.seconds.unwrap_or_default()
}

struct Steps<'a> {
    scene: &'a Scene<'a>,
    begun: &'a Begun,
    rehearsal: &'a Rehearsal<'a>,
}

impl Steps<'_> {
    /// The steps of what is wanted and of what that needs.
    fn all(&self) -> Vec<Step> {
        let (mut steps, mut seen) = (Vec::new(), BTreeSet::new());
        let mut todo = self.begun.wanted.clone();
        let now = &self.rehearsal.store;
        while let Some(name) = todo.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            let trace = self.rehearsal.traces.get(&name);
            let partition = current(&name, now);
            let has_failed =
                partition.is_some_and(|p| p.is::<Failed>(now) || p.is::<UpstreamFailed>(now));
            if trace.is_none() && !has_failed {
                continue;
            }
            let mut needs = self.scene.known_needs(&name, &self.begun.db);
            needs.extend(trace.iter().flat_map(|trace| trace.needs.iter().cloned()));
            todo.extend(needs.iter().cloned());
            steps.push(self.step(name, needs, trace));
        }
        steps
    }

    fn step(&self, name: String, needs: BTreeSet<String>, trace: Option<&Trace>) -> Step {
        let action = self.action(&name, trace);
        let seconds = |time: Duration| time.as_secs_f64();
        let built = trace
            .and_then(|trace| trace.built)
            .filter(|_| action != Action::Blocked);
        let known_from = trace.filter(|_| built.is_some());
        Step {
            state: current(&name, &self.scene.db).map(|p| state_of(p, &self.scene.db)),
            action,
            why: self.why(&name, trace, action),
            from_seconds: built.map(|(from, _)| seconds(from)),
            to_seconds: built.map(|(_, to)| seconds(to)),
            seconds: built
                .filter(|_| trace.is_some_and(|trace| trace.known_from.is_some()))
                .map(|(from, to)| seconds(to - from)),
            asks_seconds: trace.map_or(0.0, |trace| {
                let asked = trace.asked.iter().map(|(from, to)| *to - *from);
                seconds(asked.sum())
            }),
            known_from: known_from.map(|trace| match trace.known_from {
                Some(past::KnownFrom::Own(_)) => KnownFrom::Partition,
                Some(past::KnownFrom::Job) => KnownFrom::Job,
                Some(past::KnownFrom::Asking) => KnownFrom::Asking,
                Some(past::KnownFrom::All) => KnownFrom::Others,
                None => KnownFrom::Nothing,
            }),
            needs: needs.into_iter().collect(),
            name,
        }
    }

    fn action(&self, name: &str, trace: Option<&Trace>) -> Action {
        match trace {
            Some(trace) if trace.fails.is_some() => Action::Blocked,
            Some(trace) if trace.built.is_some() => match self.may_be_kept(name) {
                true => Action::Check,
                false => Action::Build,
            },
            Some(trace) if trace.is_kept => Action::Keep,
            _ => Action::Blocked,
        }
    }

    /// Whether a partition is stale only because inputs are, of which some are built before it is known whether it has to be.
    fn may_be_kept(&self, name: &str) -> bool {
        let db = &self.begun.db;
        let Some(partition) = current(name, db) else {
            return false;
        };
        if partition.is::<Checking>(db) {
            return is_stale_by_inputs(partition, db);
        }
        if !is_stale_by_inputs(partition, db) {
            return false;
        }
        let is_made = |p: Partition| self.scene.is_made(crate::rules::name(p, db));
        match next(partition, db, &is_made, &|_| true) {
            Next::Check(first) => {
                let mut inputs = partition.inputs(db).map(|p| p.of(db));
                inputs.any(|of| first.contains(&of))
            }
            Next::Keep(_) => true,
            Next::Build => false,
        }
    }

    /// Why something happens to a partition.
    fn why(&self, name: &str, trace: Option<&Trace>, action: Action) -> String {
        if let Some(why) = trace.and_then(|trace| trace.fails.as_ref()) {
            return why.clone();
        }
        let db = &self.scene.db;
        let begun = &self.begun.db;
        let before = current(name, db);
        if let Some(why) = before.and_then(|p| self.begun.outdated.get(&p)) {
            return (*why).to_owned();
        }
        let Some(partition) = current(name, begun) else {
            return match action {
                Action::Blocked => self.blocked_by(name),
                _ => "never built".to_owned(),
            };
        };
        if let Some(failed) = partition.in_state::<Failed>(begun) {
            let reason = failed.reason(begun).lines().next().unwrap_or_default();
            return format!(
                "failed before: not tried until it is retried: {}",
                shown(reason)
            );
        }
        if action == Action::Blocked {
            return self.blocked_by(name);
        }
        let run = |partition: Partition| {
            let run = partition.built_by(db);
            run.map_or_else(|| "a run".to_owned(), |run| format!("run {}", run.id()))
        };
        match before {
            Some(p) if trace.is_some_and(|trace| trace.is_running) => {
                format!("{} builds it now", run(p))
            }
            Some(p) if p.is::<Building>(db) => format!("{} was interrupted", run(p)),
            Some(p) if p.is::<Tainted>(db) => {
                let tainted = p.in_state::<Tainted>(db);
                let reason = tainted.map_or_else(String::new, |p| shown(p.reason(db)));
                format!("tainted: {reason}")
            }
            Some(p) if p.is::<Failed>(db) => "failed before, and the cause may be gone".to_owned(),
            Some(p) if p.is::<Stale>(db) || p.is::<Checking>(db) || p.is::<Live>(db) => {
                match is_stale_by_inputs(partition, begun) {
                    true => self.stale_input(partition),
                    false => "its sources or its job have changed".to_owned(),
                }
            }
            Some(p) if p.is::<UpstreamBuilding>(db) => "waits for its inputs".to_owned(),
            Some(p) if p.is::<UpForRetry>(db) || p.is::<UpstreamFailed>(db) => {
                "not finished yet".to_owned()
            }
            Some(p) if p.is::<Missing>(db) && p.of(db).instances_count(db) > 1 => {
                "not built again yet".to_owned()
            }
            _ => "never built".to_owned(),
        }
    }

    /// Which input of a stale partition is the cause.
    fn stale_input(&self, partition: Partition) -> String {
        let db = &self.begun.db;
        let is_stale =
            |p: &Partition| p.is::<Stale>(db) || p.is::<Checking>(db) || p.is::<Tainted>(db);
        let mut inputs = partition.inputs(db);
        let changed = partition.inputs(db).find(|p| p.current_of(db).is_none());
        match (inputs.find(is_stale), changed) {
            (Some(input), _) if input.is::<Tainted>(db) => {
                format!("its input {} is tainted", name(input, db))
            }
            (Some(input), _) => format!("its input {} is stale", name(input, db)),
            (None, Some(input)) => format!("its input {} was built again", name(input, db)),
            (None, None) => "an input was stale".to_owned(),
        }
    }

    /// What keeps a partition from being built.
    fn blocked_by(&self, of: &str) -> String {
        let now = &self.rehearsal.store;
        let Some(partition) = current(of, now) else {
            return "it is not built".to_owned();
        };
        let failed = |p: &Partition| p.is::<Failed>(now) || p.is::<UpstreamFailed>(now);
        let by = partition.upstreams(now).filter(failed);
        let by: Vec<&str> = by.map(|p| name(p, now)).collect();
        match by.is_empty() {
            true => format!("it stays {}", state_of(partition, now)),
            false => format!("it needs {}, which is not built", few(by)),
        }
    }

    /// What is assumed, in sentences.
    fn notes(&self, steps: &[Step], question: &Question) -> Vec<String> {
        let mut notes = Vec::new();
        let mut add = |what: &str, names: &[&str]| {
            if !names.is_empty() {
                notes.push(format!("{what}: {}", few(names)));
            }
        };
        let all = |is: &dyn Fn(&Step) -> bool| -> Vec<&str> {
            let found = steps.iter().filter(|step| is(step));
            found.map(|step| step.name.as_str()).collect()
        };
        let from = |known: KnownFrom| all(&|step: &Step| step.known_from == Some(known));
        add(
            "no run has ended yet, so these count as 0 s",
            &from(KnownFrom::Nothing),
        );
        add(
            "no run of their job has ended yet, so these take as long as runs of other jobs",
            &from(KnownFrom::Others),
        );
        add(
            "not run yet, so these take as long as runs of the same job",
            &from(KnownFrom::Job),
        );
        add(
            "not built yet, so these take as long as runs that only asked for partitions",
            &from(KnownFrom::Asking),
        );
        let is_new = |step: &Step| {
            let needs = self.scene.past.needs(&step.name);
            step.to_seconds.is_some() && needs.is_none_or(|needs| !needs.is_known)
        };
        add(
            "never built, so what they need beyond what their job declares is not known",
            &all(&is_new),
        );
        if let Question::Change(names) = question {
            let db = &self.scene.db;
            let (built, not): (Vec<&str>, Vec<&str>) = (names.iter().map(String::as_str))
                .partition(|name| current(name, db).is_some_and(|p| can_change(p, db)));
            add("not built, so nothing becomes stale with these", &not);
            let unmade = built.iter().filter(|name| !self.scene.is_made(name));
            let unmade: Vec<&str> = unmade.copied().collect();
            add("made by no job, so not built again", &unmade);
            let unseen = built.into_iter();
            let unseen = unseen.filter(|name| {
                self.scene.is_made(name)
                    && self.scene.jobs.is_some()
                    && !self.scene.has_digest(name)
            });
            add(
                "no `digest` command compares these, so databuild does not notice by itself when their sources change",
                &unseen.collect::<Vec<_>>(),
            );
        }
        let stepped: BTreeSet<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        let not_compared: Vec<&str> = (self.begun.not_compared.iter())
            .map(String::as_str)
            .filter(|name| !stepped.contains(name))
            .collect();
        add(
            "taken as up to date, since no `digest` command was started",
            &not_compared,
        );
        if self.begun.open > 0 {
            notes.push(match self.begun.open {
                1 => "a want is open already, and what it needs is built as well".to_owned(),
                open => {
                    format!("{open} wants are open already, and what they need is built as well")
                }
            });
        }
        match self.begun.lost {
            0 => {}
            1 => notes.push("a run that was interrupted begins again".to_owned()),
            lost => notes.push(format!("{lost} runs that were interrupted begin again")),
        }
        let (failed, ended) = self.scene.past.failed;
        if failed > 0 {
            notes.push(format!(
                "no run fails, although {failed} of {ended} did in the past"
            ));
        }
        notes
    }
}
