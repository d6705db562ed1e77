//! minigraf in memory: a Datalog store of facts with two times. Facts are given as text, and questions are prepared. A changed
//! value is a retraction and an assertion, which its manual says to write apart.
//!
//! Its history keeps everything, as ironweave's log does. It slows down with what it holds, so it is measured at the sizes
//! that it fills within seconds.

use std::fmt::Write as _;

use minigraf::{BindValue, Minigraf, PreparedQuery, QueryResult, Value};

use super::{Picture, Watched, WatchedPicture, Yard, first_worker, name, value, workers};

/// The state, and what the program knows of it without asking.
pub struct Graf {
    db: Minigraf,
    by_name: PreparedQuery,
    run: PreparedQuery,
    holders: Vec<u32>,
    workers: usize,
}

/// What a question found.
pub fn rows(result: Result<QueryResult, minigraf::MinigrafError>) -> Vec<Vec<Value>> {
    match result.expect("it is Datalog") {
        QueryResult::QueryResults { results, .. } => results,
        _ => Vec::new(),
    }
}

/// A value as a number.
pub fn integer(value: &Value) -> i64 {
    value.as_integer().expect("a number")
}

impl Graf {
    fn tell(&self, text: &str) {
        self.db.execute(text).expect("it is Datalog");
    }

    /// The numbers that a question finds, sorted.
    fn numbers(&self, query: &str) -> Vec<u32> {
        let rows = rows(self.db.execute(query));
        let mut list: Vec<u32> = rows.iter().map(|row| integer(&row[0]) as u32).collect();
        list.sort_unstable();
        list
    }
}

impl Yard for Graf {
    const NAME: &'static str = "minigraf";
    const BATCH: usize = 20;
    const ENTITIES_MAX: usize = 10_000;

    fn new(tasks: usize, fan_in: usize) -> Self {
        let db = Minigraf::in_memory().expect("memory");
        let holders: Vec<u32> = (0..tasks).map(|t| first_worker(tasks, fan_in, t)).collect();
        for numbers in (0..tasks as u32).collect::<Vec<_>>().chunks(1_000) {
            let mut text = "(transact [".to_owned();
            for t in numbers {
                let (name, value, worker) = (name(*t), value(*t), holders[*t as usize]);
                let _ = write!(
                    text,
                    "[:t{t} :number {t}] [:t{t} :name \"{name}\"] [:t{t} :value {value}] \
                     [:t{t} :running false] [:t{t} :worker {worker}] "
                );
            }
            text.push_str("])");
            db.execute(&text).expect("it is Datalog");
        }
        let prepare = |text: &str| db.prepare(text).expect("it is Datalog");
        Self {
            by_name: prepare("(query [:find ?v :where [?e :name $name] [?e :value ?v]])"),
            run: prepare("(query [:find ?v :where [?e :running true] [?e :value ?v]])"),
            db,
            holders,
            workers: workers(tasks, fan_in),
        }
    }

    fn relink(&mut self, task: u32, worker: u32) {
        let old = std::mem::replace(&mut self.holders[task as usize], worker);
        self.tell(&format!("(retract [[:t{task} :worker {old}]])"));
        self.tell(&format!("(transact [[:t{task} :worker {worker}]])"));
    }

    fn run(&mut self, task: u32, running: bool) {
        self.tell(&format!("(retract [[:t{task} :running {}]])", !running));
        self.tell(&format!("(transact [[:t{task} :running {running}]])"));
    }

    fn running(&mut self) -> (usize, u64) {
        let rows = rows(self.run.execute(&[]));
        let sum = rows.iter().map(|row| integer(&row[0]) as u64).sum();
        (rows.len(), sum)
    }

    fn find(&mut self, name: &str) -> Option<u64> {
        let name = BindValue::Val(Value::String(name.to_owned()));
        let rows = rows(self.by_name.execute(&[("name", name)]));
        Some(integer(rows.first()?.first()?) as u64)
    }

    fn picture(&self) -> Picture {
        let all = "(query [:find ?n ?r ?v ?w :where [?e :number ?n] [?e :running ?r] [?e :value ?v] [?e :worker ?w]])";
        let mut tasks: Vec<(i64, (bool, u64, u32))> = rows(self.db.execute(all))
            .iter()
            .map(|row| {
                let runs = row[1].as_boolean().expect("yes or no");
                let (value, worker) = (integer(&row[2]) as u64, integer(&row[3]) as u32);
                (integer(&row[0]), (runs, value, worker))
            })
            .collect();
        tasks.sort_unstable();
        let of = |w: usize| {
            self.numbers(&format!(
                "(query [:find ?n :where [?e :worker {w}] [?e :number ?n]])"
            ))
        };
        Picture {
            tasks: tasks.into_iter().map(|(_, task)| task).collect(),
            workers: (0..self.workers).map(of).collect(),
            running: self.numbers("(query [:find ?n :where [?e :running true] [?e :number ?n]])"),
        }
    }
}

/// One that notices, by asking for a task that does not run.
pub struct Watching {
    graf: Graf,
    idle: PreparedQuery,
    full: Vec<bool>,
}

impl Watched for Watching {
    const NAME: &'static str = "minigraf";
    const BATCH: usize = 20;
    const ENTITIES_MAX: usize = 10_000;

    fn new(tasks: usize, fan_in: usize) -> Self {
        let graf = Graf::new(tasks, fan_in);
        let idle = "(query [:find ?e :where [?e :worker $w] [?e :running false]])";
        Self {
            idle: graf.db.prepare(idle).expect("it is Datalog"),
            full: vec![false; graf.workers],
            graf,
        }
    }

    fn run(&mut self, task: u32, running: bool) {
        self.graf.run(task, running);
        let worker = self.graf.holders[task as usize];
        let bound = BindValue::Val(Value::Integer(i64::from(worker)));
        let full = running && rows(self.idle.execute(&[("w", bound)])).is_empty();
        let was = std::mem::replace(&mut self.full[worker as usize], full);
        if was != full {
            let verb = if full { "transact" } else { "retract" };
            self.graf
                .tell(&format!("({verb} [[:w{worker} :full {worker}]])"));
        }
    }

    fn picture(&mut self) -> WatchedPicture {
        WatchedPicture {
            running: self.graf.picture().running,
            full: self.graf.numbers("(query [:find ?n :where [?e :full ?n]])"),
        }
    }
}
