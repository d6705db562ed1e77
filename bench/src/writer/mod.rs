//! `writer_alone`, `writer_read`: the steps in a second of one thread, without readers and while another thread takes the newest
//! value all the time and reads a little in it. The figure is what the two threads cost each other. Each contender
//! shares its values in the way that suits it best.

mod by_hand;
pub mod idle;
#[cfg(feature = "peers")]
pub mod minigraf;
mod ours;
#[cfg(feature = "peers")]
mod sqlite;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::harness::{Row, row, sample};
use crate::work::{Op, operations};
use crate::yard::Random;
use crate::{Measured, Options};

/// The number of tasks that a reader reads in each value.
const READS: usize = 10;

/// What is read of a task: its value, whether it runs, how many tasks its worker has.
pub type Read = (u64, bool, usize);

/// A contender that steps while another thread reads.
pub trait Writer {
    /// The name in the table.
    const NAME: &'static str;
    /// The name without a reader.
    const ALONE: &'static str;
    /// Steps in one sample.
    const BATCH: usize = 400_000;
    /// The most entities that it is measured at.
    const ENTITIES_MAX: usize = 1 << 30;
    /// Why it is measured at no more.
    const BEYOND: &'static str = "";
    /// An operation as it is asked for.
    type Event: Copy;
    /// What another thread reads by.
    type Reader: Reader + Send;

    /// As [`crate::work::Contender::new`], without a reader.
    fn new(tasks: usize) -> Self;
    /// Creates a reader for another thread.
    fn reader(&mut self) -> Self::Reader;
    /// An operation as an event.
    fn event(&self, op: Op) -> Self::Event;
    /// Does an event, which others can see afterwards, if anybody looks.
    fn step(&mut self, event: Self::Event);
}

/// Someone who reads what another one writes.
pub trait Reader {
    /// Takes the newest value, and reads some tasks in it.
    fn look(&mut self, tasks: &[u32]) -> [Read; READS];
}

/// One writer, and perhaps one reader.
struct Lane<W: Writer> {
    writer: W,
    reader: Option<W::Reader>,
    tasks: usize,
    ops: Vec<Op>,
    samples: Vec<f64>,
    /// The same, of the time that the writer was on a processor.
    on_processor: Vec<f64>,
    looks: usize,
}

trait Steps {
    fn sample(&mut self, i: usize);
    fn row(&mut self, bench: &'static str) -> Row;
    /// The number of reads, and the least time of a step on a processor.
    fn beside(&self) -> (usize, f64);
}

/// For how many nanoseconds this thread has been on a processor, where the system tells. On a machine with other work, a
/// reader takes time from the writer that has nothing to do with what they do; this leaves it out, and what either waits
/// for the other too.
fn on_processor() -> f64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let first = told.split_whitespace().next();
    first.and_then(|ns| ns.parse().ok()).unwrap_or(f64::NAN)
}

impl<W: Writer> Lane<W> {
    fn new(tasks: usize, read: bool, samples: usize) -> Self {
        let mut writer = W::new(tasks);
        let reader = read.then(|| writer.reader());
        let ops = operations(tasks, W::BATCH * (samples + 1), tasks as u64);
        Self {
            writer,
            reader,
            tasks,
            ops,
            samples: Vec::new(),
            on_processor: Vec::new(),
            looks: 0,
        }
    }
}

/// Runs `work` while another thread reads all the time, from before it begins until after it ended. Returns the number of reads.
fn while_looking<R>(
    reader: Option<&mut (impl Reader + Send)>,
    tasks: usize,
    work: impl FnOnce() -> R,
) -> (R, usize) {
    let Some(reader) = reader else {
        return (work(), 0);
    };
    let (over, looks) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|s| {
        s.spawn(|| {
            let mut random = Random(29);
            while !over.load(Ordering::Relaxed) {
                let some: [u32; READS] = std::array::from_fn(|_| random.below(tasks) as u32);
                std::hint::black_box(reader.look(&some));
                looks.fetch_add(1, Ordering::Relaxed);
            }
        });
        while looks.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        let before = looks.load(Ordering::Relaxed);
        let done = work();
        let looked = looks.load(Ordering::Relaxed) - before;
        over.store(true, Ordering::Relaxed);
        (done, looked)
    })
}

impl<W: Writer> Steps for Lane<W> {
    fn sample(&mut self, i: usize) {
        let ops = &self.ops[i * W::BATCH..(i + 1) * W::BATCH];
        let events: Vec<W::Event> = ops.iter().map(|op| self.writer.event(*op)).collect();
        let ((took, on_processor), looks) = while_looking(self.reader.as_mut(), self.tasks, || {
            let before = on_processor();
            let took = sample(events.len(), || {
                events.iter().for_each(|event| self.writer.step(*event));
            });
            (took, (on_processor() - before) / events.len() as f64)
        });
        // The first is to warm up.
        if i > 0 {
            self.samples.push(took);
            self.on_processor.push(on_processor);
            self.looks += looks;
        }
    }

    fn row(&mut self, bench: &'static str) -> Row {
        let alone = self.reader.is_none() && bench == "writer_read";
        let name = if alone { W::ALONE } else { W::NAME };
        row(bench, name, self.tasks, std::mem::take(&mut self.samples)).per_second()
    }

    fn beside(&self) -> (usize, f64) {
        let least = self.on_processor.iter().copied().fold(f64::NAN, f64::min);
        (self.looks, least)
    }
}

/// Does something with each contender in turn, whose type is `$c`: those that the build has.
macro_rules! each_writer {
    ($c:ident => $does:expr) => {{
        each_writer!(@ $c => $does; by_hand::Locked, by_hand::OfImbl, by_hand::OfRpds, ours::Ours);
        #[cfg(feature = "peers")]
        each_writer!(@ $c => $does; sqlite::Sqlite, minigraf::Graf);
    }};
    (@ $c:ident => $does:expr; $($module:ident::$name:ident),*) => {
        $({
            type $c = $module::$name;
            $does
        })*
    };
}

fn measured(options: &Options, bench: &'static str, read: &[bool]) -> Measured {
    compare(57, 1);
    let mut rows = Vec::new();
    for &entities in &options.entities {
        each_writer!(C => if entities > C::ENTITIES_MAX {
            println!("{} is not there at {entities}: {}", C::NAME, C::BEYOND);
        } else {
            // One after the other, since all of them would need the memory of all; alone and looked at in turns.
            let lane = |read: &bool| -> Box<dyn Steps> {
                Box::new(Lane::<C>::new(entities, *read, options.samples))
            };
            let mut lanes: Vec<Box<dyn Steps>> = read.iter().map(lane).collect();
            for i in 0..=options.samples {
                lanes.iter_mut().for_each(|lane| lane.sample(i));
            }
            if let [alone, read] = &lanes[..] {
                let ((_, alone), (looks, read)) = (alone.beside(), read.beside());
                println!(
                    "{} at {entities}: {looks} looks at {READS} tasks; on its processor, the writer took {alone:.0} ns \
                     for a step, and {read:.0} with them: {:.1} %",
                    C::NAME,
                    (read / alone - 1.0) * 100.0
                );
            }
            rows.extend(lanes.iter_mut().map(|lane| lane.row(bench)));
        });
    }
    Ok(rows)
}

/// Steps without a reader.
pub fn alone(options: &Options) -> Measured {
    measured(options, "writer_alone", &[false])
}

/// Steps with a reader, and steps without one.
pub fn read(options: &Options) -> Measured {
    measured(options, "writer_read", &[false, true])
}

/// Rows for people: steps in a second at the best and at the median, and what a reader costs.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<18}{:>10}{:>14}{:>14}{:>16}\n",
        "contender", "entities", "steps/s", "at best", "a reader costs"
    );
    for row in rows {
        let alone = |r: &&Row| {
            r.entities == row.entities && r.contender.strip_suffix("_alone") == Some(row.contender)
        };
        let cost = rows.iter().find(alone).map_or_else(String::new, |alone| {
            format!("{:.1} %", (row.least / alone.least - 1.0) * 100.0)
        });
        let (median, best) = (1e9 / row.ns_per_op, 1e9 / row.least);
        let _ = writeln!(
            text,
            "{:<18}{:>10}{median:>14.0}{best:>14.0}{cost:>16}",
            row.contender, row.entities
        );
    }
    text
}

fn worked<W: Writer>(tasks: usize, seed: u64) -> Vec<Read> {
    let mut writer = W::new(tasks);
    let ops = operations(tasks, 300, seed);
    let (unseen, seen) = ops.split_at(100);
    for op in unseen {
        writer.step(writer.event(*op));
    }
    let mut reader = writer.reader();
    let all: Vec<u32> = (0..tasks.next_multiple_of(READS))
        .map(|task| (task % tasks) as u32)
        .collect();
    let mut looked = Vec::new();
    for some in seen.chunks(50) {
        for op in some {
            writer.step(writer.event(*op));
        }
        looked.extend(all.chunks(READS).flat_map(|some| reader.look(some)));
    }
    // Reading while the other thread writes changes no result.
    while_looking(Some(&mut reader), tasks, || {
        for op in operations(tasks, 400, seed).split_off(300) {
            writer.step(writer.event(op));
        }
    });
    looked.extend(all.chunks(READS).flat_map(|some| reader.look(some)));
    looked
}

/// Sees to it that all readers see the same.
///
/// # Panics
/// Where one does not.
pub fn compare(tasks: usize, seed: u64) {
    let seen = worked::<by_hand::Locked>(tasks, seed);
    assert!(seen.iter().any(|(_, running, _)| *running));
    each_writer!(C => assert_eq!(worked::<C>(tasks, seed), seen, "{}", C::NAME));
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_readers_see_the_same() {
        for (tasks, seed) in [(20, 1), (57, 2), (200, 3)] {
            super::compare(tasks, seed);
        }
    }
}
