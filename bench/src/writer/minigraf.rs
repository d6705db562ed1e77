//! minigraf in memory, whose handle threads clone. Both ends of an edge are facts, so that a list is a question
//! about one entity, of which it reads nothing but the facts.

use minigraf::{BindValue, Minigraf, PreparedQuery};

use super::{READS, Read, Reader, Writer};
use crate::work::{Op, first_worker, workers};
use crate::yard::minigraf::{integer, rows};

/// minigraf, and the facts that the program knows without a question, which a step retracts.
pub struct Graf {
    db: Minigraf,
    tasks: Vec<(u64, bool, u32)>,
}

/// Its questions.
pub struct GrafReader {
    task: PreparedQuery,
    count: PreparedQuery,
    list: PreparedQuery,
    value: PreparedQuery,
}

/// A task, or a worker, by the name that facts have for it.
fn entity(kind: u32, number: u32) -> String {
    format!("0000000{kind}-0000-4000-8000-{number:012x}")
}

fn bound(kind: u32, number: u32) -> BindValue {
    BindValue::Entity(entity(kind, number).parse().expect("it is one"))
}

/// The facts of a task, and the one that says it at its worker, so that the list is a question about one entity.
fn facts(number: u32, (value, running, worker): (u64, bool, u32)) -> String {
    let (e, w) = (entity(0, number), entity(1, worker));
    format!(
        "[#uuid \"{e}\" :value {value}] [#uuid \"{e}\" :running {running}] [#uuid \"{e}\" :worker {worker}] \
         [#uuid \"{w}\" :task {number}] "
    )
}

impl Writer for Graf {
    const NAME: &'static str = "minigraf";
    const ALONE: &'static str = "minigraf_alone";
    const BATCH: usize = 1_000;
    const ENTITIES_MAX: usize = 100_000;
    const BEYOND: &'static str = "it takes minutes to be told";
    type Event = Op;
    type Reader = GrafReader;

    fn new(tasks: usize) -> Self {
        let db = Minigraf::in_memory().expect("memory");
        let rows: Vec<(u64, bool, u32)> = (0..tasks)
            .map(|t| (0, false, first_worker(tasks, t)))
            .collect();
        // Of an entity and attribute it keeps one value of those told in one transaction (2.0.11: the keys of its indexes
        // have no value in them). So each has tasks of as many workers.
        let mut lists = vec![Vec::new(); workers(tasks)];
        for (task, row) in rows.iter().enumerate() {
            lists[row.2 as usize].push(task as u32);
        }
        let longest = lists.iter().map(Vec::len).max().unwrap_or_default();
        for i in 0..longest {
            let numbers: Vec<u32> = lists
                .iter()
                .filter_map(|list| list.get(i).copied())
                .collect();
            for numbers in numbers.chunks(1_000) {
                let told: String = numbers
                    .iter()
                    .map(|t| facts(*t, rows[*t as usize]))
                    .collect();
                db.execute(&format!("(transact [{told}])"))
                    .expect("it is Datalog");
            }
        }
        Self { db, tasks: rows }
    }

    fn reader(&mut self) -> GrafReader {
        // Of any validity: what steps say is valid from their number on, which at more than one in a millisecond is ahead of
        // the clock, and a question right after it would not see them.
        let prepare = |text: &str| self.db.prepare(text).expect("it is Datalog");
        GrafReader {
            task: prepare(
                "(query [:find ?v ?r ?w :any-valid-time :where [$e :value ?v] [$e :running ?r] [$e :worker ?w]])",
            ),
            count: prepare("(query [:find (count ?t) :any-valid-time :where [$w :task ?t]])"),
            list: prepare("(query [:find ?t :any-valid-time :where [$w :task ?t]])"),
            value: prepare("(query [:find ?v :any-valid-time :where [$e :value ?v]])"),
        }
    }

    fn event(&self, op: Op) -> Op {
        op
    }

    fn step(&mut self, op: Op) {
        let next = (op.value, op.start, op.worker);
        let before = std::mem::replace(&mut self.tasks[op.task as usize], next);
        // In one transaction, since a reader is to see all of it or nothing.
        let mut t = self.db.begin_write().expect("no other thread writes");
        t.execute(&format!("(retract [{}])", facts(op.task, before)))
            .expect("it is Datalog");
        t.execute(&format!("(transact [{}])", facts(op.task, next)))
            .expect("it is Datalog");
        t.commit().expect("it is kept");
    }
}

impl GrafReader {
    fn worker(&self, task: u32) -> (Read, u32) {
        let found = rows(self.task.execute(&[("e", bound(0, task))]));
        let running = found[0][1].as_boolean().expect("yes or no");
        let read = (integer(&found[0][0]) as u64, running, 0);
        (read, integer(&found[0][2]) as u32)
    }

    /// A task's value, whether it runs, and how many tasks its worker has. Each question sees the state when it is
    /// asked, so two of them may see different values.
    pub fn read(&self, task: u32) -> Read {
        let ((value, running, _), worker) = self.worker(task);
        let list = rows(self.count.execute(&[("w", bound(1, worker))]));
        let count = list.first().map_or(0, |row| integer(&row[0]) as usize);
        (value, running, count)
    }

    /// The sum of the values of all tasks that a task's worker has. In one question with a join it would read all
    /// tasks; in one for each, it reads those that it is about.
    pub fn walk(&self, task: u32) -> u64 {
        let (_, worker) = self.worker(task);
        let list = rows(self.list.execute(&[("w", bound(1, worker))]));
        let value = |task: u32| integer(&rows(self.value.execute(&[("e", bound(0, task))]))[0][0]);
        let values = list.iter().map(|row| value(integer(&row[0]) as u32) as u64);
        values.sum()
    }
}

impl Reader for GrafReader {
    fn look(&mut self, tasks: &[u32]) -> [Read; READS] {
        std::array::from_fn(|i| self.read(tasks[i]))
    }
}
