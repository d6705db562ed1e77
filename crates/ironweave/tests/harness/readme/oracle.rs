//! The rules of the README's model, implemented a second time in the plainest way: with vectors and linear searches, and by
//! recomputing everything. It shares only the types of events and handles with the framework.

use ironweave::prelude::*;
use serde::de::DeserializeOwned;

use super::build::state::*;
use super::build::*;

/// How many runs may run at once, by the README's guard.
const CAPACITY: usize = 4;

/// An event, by indexes.
#[derive(Clone, Debug)]
pub enum Ev {
    WantCreated(Vec<String>),
    WantCanceled(usize),
    JobQueued(String, Vec<usize>, Vec<usize>),
    JobStarted(usize),
    JobSucceeded(usize, i64),
    JobFailed(usize, i32),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OPartition {
    pub name: String,
    pub state: &'static str,
    pub at: i64,
    pub reason: String,
    pub built_by: Option<usize>,
    pub wanted_by: Vec<usize>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct ORun {
    pub label: String,
    pub state: &'static str,
    pub exit: i32,
    pub builds: Vec<usize>,
    pub services: Vec<usize>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OWant {
    pub state: &'static str,
    pub partitions: Vec<usize>,
    pub serviced_by: Vec<usize>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Oracle {
    pub partitions: Vec<OPartition>,
    pub runs: Vec<ORun>,
    pub wants: Vec<OWant>,
}

/// Removes a member as the lists of the framework do: the last member moves into the freed position.
fn take_out(list: &mut Vec<usize>, member: usize) {
    let at = list
        .iter()
        .position(|m| *m == member)
        .expect("it is a member");
    list.swap_remove(at);
}

fn repeated(list: &[usize]) -> bool {
    (1..list.len()).any(|i| list[..i].contains(&list[i]))
}

impl Oracle {
    /// Applies an event, or returns the name of the error and changes nothing.
    pub fn apply(&mut self, event: &Ev) -> Result<(), &'static str> {
        let before = self.clone();
        let outcome = self.try_apply(event);
        if outcome.is_err() {
            *self = before;
        }
        outcome
    }

    fn try_apply(&mut self, event: &Ev) -> Result<(), &'static str> {
        match event {
            Ev::WantCreated(names) => {
                let mut wanted = Vec::new();
                for name in names {
                    let found = self.partitions.iter().position(|p| p.name == *name);
                    wanted.push(found.unwrap_or_else(|| {
                        let new = OPartition {
                            name: name.clone(),
                            state: "Missing",
                            ..OPartition::default()
                        };
                        self.partitions.push(new);
                        self.partitions.len() - 1
                    }));
                }
                if repeated(&wanted) {
                    return Err("Repeated");
                }
                if wanted.is_empty() {
                    return Err("Cardinality");
                }
                let want = self.wants.len();
                for p in &wanted {
                    self.partitions[*p].wanted_by.push(want);
                }
                self.wants.push(OWant {
                    state: "Idle",
                    partitions: wanted,
                    serviced_by: Vec::new(),
                });
            }
            Ev::WantCanceled(want) => {
                let want = self.wants.get_mut(*want).ok_or("StaleHandle")?;
                if !matches!(want.state, "Idle" | "Building") {
                    return Err("NotInPlace");
                }
                want.state = "Canceled";
            }
            Ev::JobQueued(label, partitions, wants) => self.queue(label, partitions, wants)?,
            Ev::JobStarted(run) => {
                if self.runs.get(*run).ok_or("StaleHandle")?.state != "Queued" {
                    return Err("NotInPlace");
                }
                if self.runs.iter().filter(|r| r.state == "Running").count() >= CAPACITY {
                    return Err("Guard");
                }
                self.runs[*run].state = "Running";
                for want in self.runs[*run].services.clone() {
                    if self.wants[want].state == "Idle" {
                        self.wants[want].state = "Building";
                    }
                }
            }
            Ev::JobSucceeded(run, at) => {
                if self.runs.get(*run).ok_or("StaleHandle")?.state != "Running" {
                    return Err("NotInPlace");
                }
                self.runs[*run].state = "Succeeded";
                for p in self.runs[*run].builds.clone() {
                    if self.partitions[p].state != "Building" {
                        return Err("NotInPlace");
                    }
                    self.partitions[p].state = "Live";
                    self.partitions[p].at = *at;
                }
            }
            Ev::JobFailed(run, exit) => {
                if !matches!(
                    self.runs.get(*run).ok_or("StaleHandle")?.state,
                    "Queued" | "Running"
                ) {
                    return Err("NotInPlace");
                }
                self.runs[*run].state = "Failed";
                self.runs[*run].exit = *exit;
                for p in self.runs[*run].builds.clone() {
                    if self.partitions[p].state == "Building" {
                        self.partitions[p].state = "Failed";
                        self.partitions[p].reason = format!("exit {exit}");
                    }
                }
            }
        }
        // After any event, an open want whose partitions are all live is successful.
        for want in &mut self.wants {
            let open = matches!(want.state, "Idle" | "Building");
            if open
                && want
                    .partitions
                    .iter()
                    .all(|p| self.partitions[*p].state == "Live")
            {
                want.state = "Successful";
            }
        }
        Ok(())
    }

    fn queue(
        &mut self,
        label: &str,
        partitions: &[usize],
        wants: &[usize],
    ) -> Result<(), &'static str> {
        if partitions.iter().any(|p| *p >= self.partitions.len()) {
            return Err("StaleHandle");
        }
        if repeated(partitions) {
            return Err("Repeated");
        }
        if wants.iter().any(|w| *w >= self.wants.len()) {
            return Err("StaleHandle");
        }
        if repeated(wants) {
            return Err("Repeated");
        }
        if partitions
            .iter()
            .any(|p| !matches!(self.partitions[*p].state, "Missing" | "Failed"))
        {
            return Err("NotInPlace");
        }
        let run = self.runs.len();
        self.runs.push(ORun {
            label: label.to_owned(),
            state: "Queued",
            ..ORun::default()
        });
        for p in partitions {
            if let Some(earlier) = self.partitions[*p].built_by.replace(run) {
                take_out(&mut self.runs[earlier].builds, *p);
            }
            self.runs[run].builds.push(*p);
        }
        for w in wants {
            self.runs[run].services.push(*w);
            self.wants[*w].serviced_by.push(run);
        }
        for p in partitions {
            self.partitions[*p].state = "Building";
        }
        Ok(())
    }
}

/// A handle or token of an index, whether or not the entity exists.
pub fn handle<T: DeserializeOwned>(entity: &str, index: usize) -> T {
    serde_json::from_str(&format!("\"{entity}/{index}.1\"")).expect("a handle")
}

fn handles<T: DeserializeOwned>(entity: &str, indexes: &[usize]) -> Vec<T> {
    indexes.iter().map(|i| handle(entity, *i)).collect()
}

/// Fires an event in a transaction, and compares the ids of its receipt with those that the oracle expects.
pub fn fire(t: &mut Transaction<'_, Model>, event: &Ev, before: &Oracle) -> Result<(), StepError> {
    match event.clone() {
        Ev::WantCreated(names) => {
            let partitions = names.iter().map(|n| n.as_str().into()).collect();
            let receipt = t.apply(WantCreated { partitions })?;
            assert_eq!(
                receipt.created.want.id().slot() as usize,
                before.wants.len(),
                "the next id"
            );
            assert_eq!(receipt.bound.partitions.len(), names.len());
        }
        Ev::WantCanceled(want) => {
            let receipt = t.apply(WantCanceled {
                want: handle("Want", want),
            })?;
            assert!(receipt.bound.want.is::<Canceled>(t));
        }
        Ev::JobQueued(label, partitions, wants) => {
            let event = JobQueued {
                label,
                partitions: handles("Partition", &partitions),
                wants: handles("Want", &wants),
            };
            let receipt = t.apply(event)?;
            assert_eq!(
                receipt.created.run.id().slot() as usize,
                before.runs.len(),
                "the next id"
            );
            let bound: Vec<Partition<Building>> = receipt.bound.partitions;
            assert!(bound.iter().all(|p| p.is::<Building>(t)));
        }
        Ev::JobStarted(run) => {
            let receipt = t.apply(JobStarted {
                run: handle("JobRun", run),
            })?;
            let bound: JobRun<Running> = receipt.bound.run;
            assert!(bound.is::<Running>(t));
        }
        Ev::JobSucceeded(run, at) => {
            let at = Timestamp::from_micros(at);
            t.apply(JobSucceeded {
                run: handle("JobRun", run),
                at,
            })?;
        }
        Ev::JobFailed(run, exit) => {
            t.apply(JobFailed {
                run: handle("JobRun", run),
                exit,
            })?;
        }
    }
    Ok(())
}

/// An event as the store takes it in a batch.
pub fn any(event: &Ev) -> AnyEvent {
    match event.clone() {
        Ev::WantCreated(names) => {
            let partitions = names.iter().map(|n| n.as_str().into()).collect();
            WantCreated { partitions }.into()
        }
        Ev::WantCanceled(want) => WantCanceled {
            want: handle("Want", want),
        }
        .into(),
        Ev::JobQueued(label, partitions, wants) => JobQueued {
            label,
            partitions: handles("Partition", &partitions),
            wants: handles("Want", &wants),
        }
        .into(),
        Ev::JobStarted(run) => JobStarted {
            run: handle("JobRun", run),
        }
        .into(),
        Ev::JobSucceeded(run, at) => JobSucceeded {
            run: handle("JobRun", run),
            at: Timestamp::from_micros(at),
        }
        .into(),
        Ev::JobFailed(run, exit) => JobFailed {
            run: handle("JobRun", run),
            exit,
        }
        .into(),
    }
}

/// The variant of an error, by name.
pub fn variant(e: &StepError) -> String {
    let text = format!("{e:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

fn slots<T: Entity>(items: impl Iterator<Item = T>) -> Vec<usize> {
    items.map(|x| x.id().slot() as usize).collect()
}

/// Compares everything that can be read with what the oracle says.
pub fn compare<D: Db>(db: &D, o: &Oracle) {
    assert_eq!(db.count::<Partition, Any>(), o.partitions.len());
    assert_eq!(db.count::<JobRun, Any>(), o.runs.len());
    assert_eq!(db.count::<Want, Any>(), o.wants.len());
    for (i, expected) in o.partitions.iter().enumerate() {
        let p: Partition = handle("Partition", i);
        assert_eq!(db.find::<Partition>(expected.name.as_str()), Some(p));
        assert_eq!(p.name(db), expected.name);
        assert_eq!(
            p.built_by(db).map(|r| r.id().slot() as usize),
            expected.built_by,
            "built_by of {p}"
        );
        assert_eq!(
            slots(p.wanted_by(db)),
            expected.wanted_by,
            "wanted_by of {p}"
        );
        let state = match p.state(db) {
            PartitionState::Missing(_) => "Missing",
            PartitionState::Building(_) => "Building",
            PartitionState::Live(live) => {
                assert_eq!(live.at(db).as_micros(), expected.at);
                "Live"
            }
            PartitionState::Failed(failed) => {
                assert_eq!(failed.reason(db), expected.reason);
                "Failed"
            }
        };
        assert_eq!(state, expected.state, "state of {p}");
    }
    for (i, expected) in o.runs.iter().enumerate() {
        let r: JobRun = handle("JobRun", i);
        assert_eq!(r.label(db), expected.label);
        assert_eq!(slots(r.builds(db)), expected.builds, "builds of {r}");
        assert_eq!(slots(r.services(db)), expected.services, "services of {r}");
        assert_eq!(r.builds_count(db), expected.builds.len());
        let state = match r.state(db) {
            JobRunState::Queued(_) => "Queued",
            JobRunState::Running(_) => "Running",
            JobRunState::Succeeded(_) => "Succeeded",
            JobRunState::Failed(failed) => {
                assert_eq!(failed.exit(db), expected.exit);
                "Failed"
            }
        };
        assert_eq!(state, expected.state, "state of {r}");
    }
    for (i, expected) in o.wants.iter().enumerate() {
        let w: Want = handle("Want", i);
        assert_eq!(
            slots(w.partitions(db)),
            expected.partitions,
            "partitions of {w}"
        );
        assert_eq!(
            slots(w.serviced_by(db)),
            expected.serviced_by,
            "serviced_by of {w}"
        );
        let state = match w.state(db) {
            WantState::Idle(_) => "Idle",
            WantState::Building(_) => "Building",
            WantState::Successful(_) => "Successful",
            WantState::Canceled(_) => "Canceled",
        };
        assert_eq!(state, expected.state, "state of {w}");
        for p in 0..o.partitions.len() {
            assert_eq!(
                w.partitions_contains(db, &handle::<Partition>("Partition", p)),
                expected.partitions.contains(&p)
            );
        }
    }
    let having = |states: &[&str]| -> Vec<usize> {
        (0..o.wants.len())
            .filter(|i| states.contains(&o.wants[*i].state))
            .collect()
    };
    assert_eq!(
        slots(db.place::<Want, (Idle, Building)>()),
        having(&["Idle", "Building"])
    );
    assert_eq!(
        slots(db.place::<Want, Successful>().map(|w| w.any())),
        having(&["Successful"])
    );
    assert_eq!(db.count::<Want, Canceled>(), having(&["Canceled"]).len());
    let live = (0..o.partitions.len()).filter(|i| o.partitions[*i].state == "Live");
    assert_eq!(
        slots(db.place::<Partition, Live>().map(|p| p.any())),
        live.collect::<Vec<_>>()
    );
    assert_eq!(db.find::<Partition>("no such name"), None);
    assert!(
        !handle::<Partition>("Partition", o.partitions.len()).alive(db),
        "the next id is free"
    );
}
