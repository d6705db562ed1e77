//! minigraf in memory. Of its two times, only the time of validity is used: an event is a millisecond, and each fact has its
//! first and its last one. A question about one entity and attribute then reads the facts about these. (With `:as-of`, the
//! time of transactions, it reads all facts that it holds, for each question: what the past of one costs would grow
//! with everybody's.)
//!
//! The whole past is written at once, since a fact can only be ended by a retraction and a second assertion with an end.

use std::fmt::Write as _;

use minigraf::{BindValue, Minigraf, PreparedQuery, Value};

use super::{Past, Version};
use crate::work::{Op, Picture, workers};
use crate::yard::minigraf::{integer, rows};

/// The database, and its questions.
pub struct Graf {
    db: Minigraf,
    then: PreparedQuery,
    became: [PreparedQuery; 3],
    entities: Vec<BindValue>,
    tasks: usize,
}

/// 2020-01-01, in milliseconds of Unix.
const EPOCH: i64 = 1_577_836_800_000;
/// Facts told at once.
const TOGETHER: usize = 1_000;

/// That date and so many milliseconds, which are less than a day.
fn at(done: usize) -> String {
    let (s, ms) = (done / 1_000, done % 1_000);
    let (h, m, s) = (s / 3_600, s / 60 % 60, s % 60);
    format!("2020-01-01T{h:02}:{m:02}:{s:02}.{ms:03}Z")
}

/// A task by the name that facts have for it.
pub fn entity(task: u32) -> String {
    format!("00000000-0000-4000-8000-{task:012x}")
}

/// The same, for questions.
pub fn bound(task: u32) -> BindValue {
    BindValue::Entity(entity(task).parse().expect("it is one"))
}

impl Past for Graf {
    const NAME: &'static str = "minigraf";
    const ENTITIES_MAX: usize = 10_000;
    const BEYOND: &'static str = "it takes minutes to be told";

    fn new(tasks: usize, past: &[Op], later: &[Op]) -> Self {
        let db = Minigraf::in_memory().expect("memory");
        let mut versions: Vec<Vec<Version>> =
            (0..tasks).map(|t| vec![Version::first(tasks, t)]).collect();
        for (i, op) in past.iter().chain(later).enumerate() {
            versions[op.task as usize].push(Version::of(i + 1, *op));
        }
        let mut facts = Vec::new();
        for (task, versions) in versions.iter().enumerate() {
            let e = format!("#uuid \"{}\"", entity(task as u32));
            for (i, v) in versions.iter().enumerate() {
                let mut times = format!(":valid-from \"{}\"", at(v.done));
                if let Some(next) = versions.get(i + 1) {
                    let _ = write!(times, " :valid-to \"{}\"", at(next.done));
                }
                let Version {
                    value,
                    running,
                    worker,
                    ..
                } = v;
                facts.push(format!(
                    "[{e} :value {value} {{{times}}}] [{e} :running {running} {{{times}}}] \
                     [{e} :worker {worker} {{{times}}}] "
                ));
            }
            if facts.len() >= TOGETHER || task + 1 == tasks {
                let text = format!("(transact [{}])", facts.concat());
                db.execute(&text).expect("it is Datalog");
                facts.clear();
            }
        }
        let prepare = |text: &str| db.prepare(text).expect("it is Datalog");
        let became = |what: &str| {
            prepare(&format!(
                "(query [:find ?from ?v :any-valid-time :where [$task {what} ?v] [$task :db/valid-from ?from]])"
            ))
        };
        Self {
            then: prepare("(query [:find ?v :valid-at $t :where [$task :value ?v]])"),
            became: [became(":value"), became(":running"), became(":worker")],
            entities: (0..tasks as u32).map(bound).collect(),
            db,
            tasks,
        }
    }

    /// It knows.
    fn go_on(&mut self, _: &[Op]) {}

    fn as_of(&mut self, done: usize, task: u32) -> u64 {
        let t = BindValue::Timestamp(EPOCH + done as i64);
        let task = self.entities[task as usize].clone();
        let found = rows(self.then.execute(&[("t", t), ("task", task)]));
        assert_eq!(found.len(), 1, "one value at a time");
        integer(&found[0][0]) as u64
    }

    fn then(&mut self, done: usize) -> Picture {
        let mut picture = Picture {
            tasks: Vec::new(),
            workers: vec![Vec::new(); workers(self.tasks)],
            running: Vec::new(),
        };
        let all = "(query [:find ?v ?r ?w :valid-at $t :where [$task :value ?v] [$task :running ?r] [$task :worker ?w]])";
        let all = self.db.prepare(all).expect("it is Datalog");
        for task in 0..self.tasks {
            let t = BindValue::Timestamp(EPOCH + done as i64);
            let found = rows(all.execute(&[("t", t), ("task", self.entities[task].clone())]));
            let [row] = &found[..] else {
                panic!("one row at a time, not {found:?}");
            };
            let running = row[1].as_boolean().expect("yes or no");
            let worker = integer(&row[2]) as u32;
            picture
                .tasks
                .push((running, integer(&row[0]) as u64, worker));
            picture.workers[worker as usize].push(task as u32);
            if running {
                picture.running.push(task as u32);
            }
        }
        picture
    }

    fn versions(&mut self, task: u32) -> Vec<Version> {
        let columns = self.became.each_ref().map(|query| {
            let mut found = rows(query.execute(&[("task", self.entities[task as usize].clone())]));
            found.sort_unstable_by_key(|row| integer(&row[0]));
            found
        });
        let [values, running, workers] = &columns;
        let version = |i: usize| {
            let from = |column: &[Vec<Value>]| integer(&column[i][0]);
            assert!(from(values) == from(running) && from(values) == from(workers));
            Version {
                done: (from(values) - EPOCH) as usize,
                value: integer(&values[i][1]) as u64,
                running: running[i][1].as_boolean().expect("yes or no"),
                worker: integer(&workers[i][1]) as u32,
            }
        };
        (0..values.len()).map(version).collect()
    }
}
