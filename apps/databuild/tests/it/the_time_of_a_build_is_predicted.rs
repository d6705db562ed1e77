//! `databuild simulate` says when partitions will be ready, from the durations in the log. The log is written here, with the times of
//! a clock that the tests move.

use std::time::Duration;

use databuild::model::build::state::*;
use databuild::model::build::{self, *};
use databuild::rules::current;
use ironweave::ManualClock;
use ironweave::prelude::*;
use serde_json::Value;

use crate::support::{Place, Seen};

const JOBS: &str = "
[[job]]
partitions = 'report'
command = ['x']
[[job]]
partitions = 'part/**'
command = ['x']
[[job]]
partitions = 'other'
command = ['x']
";

/// The store of a databuild, whose runs take as long as the clock is moved.
pub struct Past {
    pub place: Place,
    pub store: Store<build::Model>,
    clock: ManualClock,
}

impl Past {
    fn new() -> Self {
        Self::at(Timestamp::from_secs(1_700_000_000))
    }

    fn at(time: Timestamp) -> Self {
        let place = Place::with_jobs(JOBS);
        std::fs::create_dir_all(place.path("out")).unwrap();
        let clock = ManualClock::starting_at(time);
        let options = Store::<build::Model>::options().clock(clock.clone());
        let store = options
            .durability(Durability::Os)
            .open(place.path("out/store"))
            .unwrap();
        Self {
            place,
            store,
            clock,
        }
    }

    pub fn want(&mut self, name: &str) {
        let partitions = vec![name.into()];
        self.store.step(WantCreated {
            partitions,
            source: String::new(),
            comment: String::new(),
            priority: 0,
            deadline: None,
            sla: None,
        });
    }

    pub fn start(&mut self, name: &str, pid: u32) -> JobRun<Running> {
        let partition = current(name, &self.store).unwrap();
        let queued = JobQueued {
            attempt: 1,
            version: String::new(),
            label: name.into(),
            partitions: vec![partition],
            wants: partition.awaited_by(&self.store).collect(),
        };
        let run = self.store.step(queued).created.run;
        let run = run.in_state::<Queued>(&self.store).unwrap();
        self.store.step(JobStarted { run, pid }).bound.run
    }

    pub fn build(&mut self, name: &str, seconds: u64, reads: &[&str]) {
        let run = self.start(name, 1);
        self.clock.advance(Duration::from_secs(seconds));
        let reads: Vec<Partition> = reads
            .iter()
            .map(|read| current(read, &self.store).unwrap())
            .collect();
        self.store.step(JobSucceeded {
            run,
            digest: String::new(),
            inputs: reads.clone(),
            reads,
            content: String::new(),
            expires: None,
        });
        std::fs::create_dir_all(self.place.path("out/data").join(name)).unwrap();
    }

    pub fn miss(&mut self, name: &str, seconds: u64, missed: &[&str]) {
        let run = self.start(name, 1);
        self.clock.advance(Duration::from_secs(seconds));
        self.store.step(DepMissed {
            run,
            missed: missed.iter().map(|name| (*name).into()).collect(),
            reads: vec![],
            inputs: vec![],
        });
    }

    pub fn make_stale(&mut self, names: &[&str]) {
        let partitions = names
            .iter()
            .map(|name| current(name, &self.store).unwrap())
            .collect();
        self.store.step(SourcesChanged { partitions });
    }

    /// Builds a stale partition again.
    pub fn build_again(&mut self, name: &str, seconds: u64, reads: &[&str]) {
        self.want(name);
        let partition = current(name, &self.store).unwrap();
        self.store.step(PartitionReplaced { partition });
        self.build(name, seconds, reads);
    }

    /// A report of two parts was built, and all of them are stale. A run for the report asks for the parts in one second; the parts take 10
    /// and 20 seconds, and the report 5.
    pub fn of_a_report() -> Self {
        let mut past = Self::new();
        past.want("report");
        past.miss("report", 1, &["part/a", "part/b"]);
        past.build("part/a", 10, &[]);
        past.build("part/b", 20, &[]);
        past.build("report", 5, &["part/a", "part/b"]);
        past.make_stale(&["part/a", "part/b"]);
        past
    }

    fn simulate(&self, args: &[&str]) -> Seen {
        let all = [&["simulate", "--jobs", "jobs.toml"], args].concat();
        self.place.databuild(&all)
    }

    fn json(&self, args: &[&str]) -> Value {
        let seen = self.simulate(&[args, &["--json"]].concat()).success();
        serde_json::from_str(&seen.stdout).unwrap()
    }
}

#[test]
fn exactly_if_each_run_takes_as_long_as_before() {
    let past = Past::of_a_report();
    let before = past.place.log();
    // The parts one after the other, and 5 s for the report, which need not ask for them, since they are known.
    let seen = past
        .simulate(&["want", "report", "--jobs-max", "1"])
        .success();
    let lines: Vec<&str> = seen.stdout.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "report: ready in 35.0 s",
            "simulated: 200 replications of 3 runs, 1 job at a time",
            "longest chain: part/a 10.0 s -> part/b 20.0 s -> report 5.0 s",
            "most of its time: part/b 57 %, part/a 29 %, report 14 %",
        ],
        "{seen:?}"
    );
    assert!(
        lines[4..].iter().all(|line| line.starts_with("assumed: ")),
        "{seen:?}"
    );
    // Both parts at the same time.
    let seen = past
        .simulate(&["want", "report", "--jobs-max", "2"])
        .success();
    assert!(
        seen.stdout.starts_with("report: ready in 25.0 s\n"),
        "{seen:?}"
    );
    assert!(
        seen.stdout
            .contains("longest chain: part/b 20.0 s -> report 5.0 s\n"),
        "{seen:?}"
    );
    // Of several, each has its own time.
    let seen = past
        .simulate(&["want", "part/a", "report", "--jobs-max", "1"])
        .success();
    assert!(
        seen.stdout
            .starts_with("part/a: ready in 10.0 s\nreport: ready in 35.0 s\n"),
        "{seen:?}"
    );
    assert_eq!(past.place.log(), before);
}

#[test]
fn with_an_interval_if_they_did_not() {
    let mut past = Past::of_a_report();
    past.build_again("part/b", 40, &[]);
    past.make_stale(&["part/b"]);
    let args = ["want", "report", "--jobs-max", "2", "--seed", "5"];
    let json = past.json(&args);
    let ready = &json["wanted"][0]["ready_seconds"];
    // 20 or 40 s for the slower part, and five seconds.
    assert_eq!(
        (&ready["min"], &ready["max"]),
        (&Value::from(25.0), &Value::from(45.0)),
        "{json:#}"
    );
    let mean = ready["mean"].as_f64().unwrap();
    assert!(30.0 < mean && mean < 42.0, "{json:#}");
    assert_eq!(json["wanted"][0]["never"], 0);
    assert_eq!(past.json(&args), json);
    let text = past.simulate(&args).success().stdout;
    assert!(
        text.contains(" (95 % of the replications between 25.0 s and 45.0 s)\n"),
        "{text}"
    );
    assert_ne!(
        past.json(&[&args[..4], &["--seed", "6"]].concat())["wanted"],
        json["wanted"]
    );
}

#[test]
fn of_what_was_not_built_yet_as_of_others() {
    let past = Past::of_a_report();
    let text = past.simulate(&["want", "part/c", "other"]).success().stdout;
    assert!(
        text.contains(
            "assumed: never built, so what is needed for them is not known: other, part/c\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("assumed: not run in the past, so as long as runs of the same job: part/c\n"),
        "{text}"
    );
    assert!(
        text.contains("assumed: not run in the past, so as long as runs of all jobs: other\n"),
        "{text}"
    );
    let json = past.json(&["want", "part/c", "other", "--jobs-max", "9"]);
    let [part, other] = [0, 1].map(|i| &json["wanted"][i]["ready_seconds"]);
    assert_eq!(
        (&part["min"], &part["max"]),
        (&Value::from(10.0), &Value::from(20.0)),
        "{json:#}"
    );
    assert_eq!(
        (&other["min"], &other["max"]),
        (&Value::from(5.0), &Value::from(20.0)),
        "{json:#}"
    );
}

#[test]
fn of_what_is_live_now() {
    let mut past = Past::of_a_report();
    past.build_again("part/a", 12, &[]);
    let seen = past.simulate(&["want", "part/a"]).success();
    assert!(seen.stdout.starts_with("part/a: ready now\n"), "{seen:?}");
    std::fs::remove_dir(past.place.path("out/data/part/a")).unwrap();
    let seen = past.simulate(&["want", "part/a", "--seed", "1"]).success();
    assert!(seen.stdout.starts_with("part/a: ready in 1"), "{seen:?}");
    std::fs::create_dir(past.place.path("out/data/part/a")).unwrap();
    // The rest is not built for it, and what is live is not built for the report.
    let seen = past
        .simulate(&["want", "report", "--jobs-max", "1"])
        .success();
    assert!(
        seen.stdout.starts_with("report: ready in 25.0 s\n"),
        "{seen:?}"
    );
}

#[test]
fn with_what_failed_and_what_was_interrupted_built_again() {
    let mut past = Past::of_a_report();
    past.want("part/a");
    let partition = current("part/a", &past.store).unwrap();
    past.store.step(PartitionReplaced { partition });
    let run = past.start("part/a", 1).any();
    past.store.step(JobFailed {
        run,
        exit: 1,
        reason: "no".into(),
        digest: None,
        again: true,
        inputs: vec![],
    });
    let seen = past.simulate(&["want", "part/a"]).success();
    assert!(
        seen.stdout.starts_with("part/a: ready in 10.0 s\n"),
        "{seen:?}"
    );
    assert!(
        seen.stdout
            .contains("assumed: no run fails, although 1 of 5 did in the past\n"),
        "{seen:?}"
    );
    // No process has this id.
    past.want("part/c");
    past.start("part/c", u32::MAX);
    let seen = past.simulate(&["want", "part/c"]).success();
    assert!(
        seen.stdout
            .contains("assumed: a run that was interrupted begins again\n"),
        "{seen:?}"
    );
}

/// The store is open for writing meanwhile.
#[test]
fn with_what_runs_now() {
    let mut past = Past::at(Timestamp::now() - Duration::from_secs(24));
    past.want("part/a");
    past.build("part/a", 20, &[]);
    past.make_stale(&["part/a"]);
    past.want("part/a");
    let partition = current("part/a", &past.store).unwrap();
    past.store.step(PartitionReplaced { partition });
    past.start("part/a", std::process::id());
    // It has run for at least four of twenty seconds.
    let json = past.json(&["want", "part/a"]);
    let ready = json["wanted"][0]["ready_seconds"]["median"]
        .as_f64()
        .unwrap();
    assert!((0.0..=16.0).contains(&ready), "{json:#}");
    assert!(
        json["assumed"]
            .to_string()
            .contains("the run of another databuild that is going on succeeds"),
        "{json:#}"
    );
}

/// It is not ready, although its run should have ended.
#[test]
fn of_what_has_run_for_too_long() {
    let mut past = Past::at(Timestamp::now() - Duration::from_secs(100));
    past.want("part/a");
    past.build("part/a", 20, &[]);
    past.want("part/b");
    past.start("part/b", std::process::id());
    let seen = past.simulate(&["want", "part/b"]).success();
    assert!(
        seen.stdout.starts_with("part/b: ready in 0 ms\n"),
        "{seen:?}"
    );
    let late = "assumed: running for longer than any run of the past, so ending now: part/b\n";
    assert!(seen.stdout.contains(late), "{seen:?}");
    // Without a databuild, the end of the run will not be recorded, so it begins again.
    drop(past.store);
    let args = ["simulate", "--jobs", "jobs.toml", "want", "part/b"];
    let seen = past.place.databuild(&args).success();
    assert!(
        seen.stdout.starts_with("part/b: ready in 20.0 s\n"),
        "{seen:?}"
    );
    assert!(
        seen.stdout
            .contains("assumed: a run that was interrupted begins again\n"),
        "{seen:?}"
    );
}

#[test]
fn of_what_only_asked_as_long_as_that() {
    let mut past = Past::of_a_report();
    past.want("other");
    past.miss("other", 3, &["part/a"]);
    let args = ["want", "other", "--replications", "1"];
    let text = past.simulate(&args).success().stdout;
    assert!(
        text.contains(
            "assumed: never built, so as long as runs of the same job that asked for partitions: other\n"
        ) && text.contains("simulated: 1 replication of "),
        "{text}"
    );
    // It was wanted before, and takes one of the jobs.
    assert!(!text.contains("wanted of another"), "{text}");
    let text = past.simulate(&["want", "part/b"]).success().stdout;
    assert!(
        text.contains("assumed: wanted of another databuild, so built as well: other\n"),
        "{text}"
    );
}

#[test]
fn never_if_no_job_makes_what_it_needs() {
    let mut past = Past::of_a_report();
    past.store.step(PartitionReplaced {
        partition: current("report", &past.store).unwrap(),
    });
    past.place.edit("jobs.toml", "part/**", "part/b");
    let seen = past.simulate(&["want", "report", "part/b"]).success();
    assert!(
        seen.stdout
            .starts_with("report: never ready\npart/b: ready in "),
        "{seen:?}"
    );
    assert!(
        seen.stdout
            .contains("assumed: made by no job, so never ready: part/a\n"),
        "{seen:?}"
    );
    assert_eq!(
        past.json(&["want", "report"])["no_job_makes"],
        serde_json::json!(["part/a"])
    );
}

#[test]
fn what_cannot_be_predicted_is_refused() {
    let past = Past::of_a_report();
    past.simulate(&["want", "report", "nothing"])
        .refused(&["no job in jobs.toml makes `nothing`"]);
    past.simulate(&["want", "part/a/b"])
        .refused(&["there cannot be both a partition `part/a` and"]);
    past.simulate(&["want", "../a"])
        .refused(&["cannot be the name of a partition"]);
    past.simulate(&["want", "report", "--jobs", "none.toml"])
        .refused(&["none.toml"]);
    past.simulate(&["want", "report", "--replications", "0"])
        .code
        .filter(|code| *code == 2)
        .unwrap();
    // Without a jobs file, only what is known.
    past.place
        .databuild(&["simulate", "want", "part/c"])
        .refused(&["`part/c` was never wanted", "--jobs"]);
    let seen = past
        .place
        .databuild(&["simulate", "want", "report", "--jobs-max", "1"])
        .success();
    assert!(
        seen.stdout.starts_with("report: ready in 35.0 s\n"),
        "{seen:?}"
    );

    let empty = Past::new();
    empty.simulate(&["want", "report"]).refused(&[
        "no run has ended in ",
        "out without failing",
        "build something first",
    ]);
    let none = Place::with_jobs(JOBS);
    none.databuild(&["simulate", "--jobs", "jobs.toml", "want", "report"])
        .refused(&["there is no store in"]);
}
