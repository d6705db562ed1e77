//! Compares ironweave with the same work written by hand, in one process and one run.
//!
//! ```text
//! cargo xtask bench [--only NAME] [--list] [--json FILE] [--samples N] [--entities N,N] [--scratch DIR] [--goals] [--write]
//! ```
//!
//! A line of a table is a contender at a size: the median of several samples in nanoseconds for one operation, the least and
//! the greatest sample, and the ratio to `flat` at that size. Contenders take turns within each sample, so that a
//! machine which slows down slows all of them. Quote the ratios: the nanoseconds are those of one machine.
//!
//! The feature `peers`, which `cargo xtask bench` turns on, adds SQLite, redb, fjall, bevy_ecs, minigraf and Stateright. Before anything is
//! measured, all contenders do the same random work, and their results are compared.
//!
//! `instructions` counts instead of measuring and gives the same figures on every run; `bench/instructions.txt` has its last
//! table. `compile` starts cargo on generated models, and has a table of its own, in milliseconds.
//! `docs/performance.md` shows the figures of the central rows; `cargo xtask bench --write` fills its tables.

mod batch;
mod bytes;
mod checker;
mod compile;
mod contenders;
mod counts;
mod forms;
mod goals;
mod harness;
#[cfg(feature = "peers")]
mod keepers;
mod log;
mod nets;
mod past;
mod rows;
mod shared;
mod step;
mod values;
mod work;
mod writer;
mod yard;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use ironweave::Durability;

use harness::{Row, table};

/// The figures of a benchmark.
type Measured = Result<Vec<Row>, Box<dyn Error>>;

/// A benchmark.
struct Bench {
    name: &'static str,
    about: &'static str,
    /// The default sizes.
    entities: &'static [usize],
    /// The default number of samples.
    samples: usize,
    run: fn(&Options) -> Measured,
    table: fn(&[Row]) -> String,
}

const BENCHES: [Bench; 52] = [
    Bench {
        name: "step_graph",
        about: "one event (a state move, a relink, a field) that can be rolled back while it happens",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::graph(options)),
        table,
    },
    Bench {
        name: "step_recorded",
        about: "step_graph, and the event and its facts are kept in memory",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::recorded(options)),
        table,
    },
    Bench {
        name: "step_logged",
        about: "step_graph with a log in memory: event and facts encoded, time, fingerprint. fxhash_logged: encoded by minicbor, \
                checksum, time, appended to a buffer. redb: the same record, in memory, Durability::None. fjall: the same \
                record, in a journal that is not flushed. The others keep nothing",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::logged(options)),
        table,
    },
    Bench {
        name: "reject",
        about: "an event that is rejected (on a store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::reject(options)),
        table,
    },
    Bench {
        name: "what_if_1",
        about: "one event that is rolled back (on a store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::what_if_1(options)),
        table,
    },
    Bench {
        name: "what_if_100",
        about: "one event of a hundred that are rolled back together (on a store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::what_if_100(options)),
        table,
    },
    Bench {
        name: "relink_fanin_1",
        about: "a task is relinked to another worker, and each worker has 1 task",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(rows::relink(options, "relink_fanin_1", 1)),
        table,
    },
    Bench {
        name: "relink_fanin_100",
        about: "a task is relinked to another worker, and each worker has 100 tasks",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(rows::relink(options, "relink_fanin_100", 100)),
        table,
    },
    Bench {
        name: "relink_fanin_10000",
        about: "a task is relinked to another worker, and each worker has 10000 tasks",
        entities: &[100_000, 1_000_000],
        samples: 5,
        run: |options| Ok(rows::relink(options, "relink_fanin_10000", 10000)),
        table,
    },
    Bench {
        name: "watched_1",
        about: "a task moves; its worker has 1 task and an immediate event that waits until all of them run",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(rows::watched(options, "watched_1", 1)),
        table,
    },
    Bench {
        name: "watched_100",
        about: "a task moves; its worker has 100 tasks and an immediate event that waits until all of them run",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(rows::watched(options, "watched_100", 100)),
        table,
    },
    Bench {
        name: "watched_10000",
        about: "a task moves; its worker has 10000 tasks and an immediate event that waits until all of them run",
        entities: &[100_000, 1_000_000],
        samples: 5,
        run: |options| Ok(rows::watched(options, "watched_10000", 10000)),
        table,
    },
    Bench {
        name: "place_query",
        about: "finds the running tasks, one in a hundred of all, and reads their values; for each task found",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::place_query(options)),
        table,
    },
    Bench {
        name: "edge_query",
        about: "counts the running tasks of a worker, who has ten: by a filter that names the worker and a state",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::edge_query(options)),
        table,
    },
    Bench {
        name: "find",
        about: "finds a task by its name and reads its value",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::find(options)),
        table,
    },
    Bench {
        name: "form_compare",
        about: "an event with `when(account.balance >= amount)` and `set(account.balance = account.balance - amount)`; fxhash: a hash \
                map, which cannot roll back",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(forms::compare(options)),
        table: forms::table,
    },
    Bench {
        name: "form_count",
        about: "an event with `when(count bed.ward.beds in Occupied < limit)` over 16 beds, and two immediate events that watch the \
                same number; fxhash: counters by hand",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(forms::count(options)),
        table: forms::table,
    },
    Bench {
        name: "form_choose",
        about: "an event with `choose(bed: ward.beds in Free by number)` of 16 beds, or one that frees a bed; fxhash: an ordered set for \
                each ward",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(forms::choose(options)),
        table: forms::table,
    },
    Bench {
        name: "form_choose_due",
        about: "`choose(task: Task in Waiting by urgency)` among all, by an ordered index, and `due` events that undo it; fxhash: ordered \
                sets of what waits and of what is due",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(forms::due(options)),
        table: forms::table,
    },
    Bench {
        name: "replay",
        about: "replays a history, for each fact: ironweave from a log on disk, the others from an array",
        entities: &[10_000, 100_000],
        samples: 3,
        run: rows::replay,
        table,
    },
    Bench {
        name: "bytes_entity",
        about: "memory of an entity, without its field",
        entities: &[1_000_000],
        samples: 3,
        run: bytes::entity,
        table: bytes::table,
    },
    Bench {
        name: "bytes_edge",
        about: "memory of a link, without the ids of its two ends",
        entities: &[1_000_000],
        samples: 3,
        run: bytes::edge,
        table: bytes::table,
    },
    Bench {
        name: "with",
        about: "one event on a snapshot, which itself does not change",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(values::with(options)),
        table: values::table,
    },
    Bench {
        name: "with_100",
        about: "a chain of 100 such events, each on the result of the one before; for each event",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(values::chain(options)),
        table: values::table,
    },
    Bench {
        name: "snapshot",
        about: "a step and then a snapshot, while the last few snapshots are held",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(values::snapshot(options)),
        table: values::table,
    },
    Bench {
        name: "snapshot_read",
        about: "reads a field, a state and the number of links of an edge from a snapshot",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(values::read(options)),
        table: values::table,
    },
    Bench {
        name: "snapshot_walk",
        about: "walks from a task to its worker and reads the values of all tasks of that worker, in a snapshot",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(values::walk(options)),
        table: values::table,
    },
    Bench {
        name: "as_of_near",
        about: "the graph of a hundred events ago, and a value in it",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(past::rows::near(options)),
        table: values::table,
    },
    Bench {
        name: "as_of_far",
        about: "the graph of about 50,000 events ago, of 100,000, and a value in it",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(past::rows::far(options)),
        table: values::table,
    },
    Bench {
        name: "history_1",
        about: "the history of an entity with one event, among 100,000 events of others",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(past::rows::history_once(options)),
        table: values::table,
    },
    Bench {
        name: "history_1000",
        about: "the history of an entity with 1,000 events, among 99,000 events of others",
        entities: SIZES,
        samples: 5,
        run: |options| Ok(past::rows::history_many(options)),
        table: values::table,
    },
    Bench {
        name: "writer_alone",
        about: "steps of one thread without readers",
        entities: SIZES,
        samples: 5,
        run: writer::alone,
        table: writer::table,
    },
    Bench {
        name: "writer_read",
        about: "steps of one thread, while another thread takes the newest snapshot all the time and reads in it",
        entities: SIZES,
        samples: 5,
        run: writer::read,
        table: writer::table,
    },
    Bench {
        name: "writer_idle_reader",
        about: "single steps of a store that grows: alone, beside a reader that is not polled, after a dropped snapshot",
        entities: &[10_000, 200_000],
        samples: 5,
        run: writer::idle::run,
        table: writer::idle::table,
    },
    Bench {
        name: "shared_1",
        about: "a durable step, with 1 thread on a shared store; redb and fjall keep the records of fxhash_logged, each synced",
        entities: &[],
        samples: 5,
        run: |options| shared::run(options, "shared_1", 1),
        table: shared::table,
    },
    Bench {
        name: "shared_4",
        about: "a durable step, with 4 threads that share a store and its syncs",
        entities: &[],
        samples: 5,
        run: |options| shared::run(options, "shared_4", 4),
        table: shared::table,
    },
    Bench {
        name: "shared_16",
        about: "a durable step, with 16 threads that share a store and its syncs",
        entities: &[],
        samples: 5,
        run: |options| shared::run(options, "shared_16", 16),
        table: shared::table,
    },
    Bench {
        name: "shared_64",
        about: "a durable step, with 64 threads that share a store and its syncs, and with 64 async tasks",
        entities: &[],
        samples: 5,
        run: |options| shared::run(options, "shared_64", 64),
        table: shared::table,
    },
    Bench {
        name: "batch_256_os",
        about: "a step of 256 that are written together, and of as many that are written alone, without syncs",
        entities: &[],
        samples: 15,
        run: |options| batch::together(options, "batch_256_os", Durability::Os, 40),
        table: batch::table,
    },
    Bench {
        name: "batch_256_always",
        about: "a durable step of 256 that are written together, and of as many that are written alone",
        entities: &[],
        samples: 5,
        run: |options| batch::together(options, "batch_256_always", Durability::Always, 1),
        table: batch::table,
    },
    Bench {
        name: "tickets_256",
        about: "a durable step of 256 whose tickets 4 threads wait for, and of 64 threads that wait for their own steps",
        entities: &[],
        samples: 5,
        run: |options| batch::tickets(options, "tickets_256", 16),
        table: batch::table,
    },
    Bench {
        name: "log_fsync",
        about: "the file system, and one write of 4 KiB with its fdatasync, to a file that grows and to one that was written before",
        entities: &[],
        samples: 300,
        run: log::disk::run,
        table: log::table,
    },
    Bench {
        name: "log_append",
        about: "durable appends of 1 and of 64 callers. raw: write and fdatasync of as many bytes. SQLite (WAL, FULL), redb, fjall: \
                shorter records, and one thread that writes together what callers have submitted",
        entities: &[1, 64],
        samples: 25,
        run: log::append::run,
        table: log::table,
    },
    Bench {
        name: "log_open",
        about: "opening from a log of so many facts, and from a checkpoint of its last frame; the first as_of and history",
        entities: &[1_000_000, 10_000_000],
        samples: 3,
        run: log::open::run,
        table: log::table,
    },
    Bench {
        name: "log_bytes",
        about: "the bytes of an event in the log, with its facts, beside the JSON of the event and of the record",
        entities: &[],
        samples: 1,
        run: log::bytes::run,
        table: log::table,
    },
    Bench {
        name: "log_history",
        about: "the history of a task with so many versions among a hundred times as many transactions on disk, asked for the first \
                time and again",
        entities: &[1_000],
        samples: 100,
        run: log::history::run,
        table: log::table,
    },
    Bench {
        name: "nets_philosophers",
        about: "reachable markings in a second of dining philosophers, on one thread and on two (_2)",
        entities: &[12, 15],
        samples: 3,
        run: |options| nets::run(options, &nets::PHILOSOPHERS),
        table: log::table,
    },
    Bench {
        name: "nets_referendum",
        about: "the same of a vote",
        entities: &[15],
        samples: 3,
        run: |options| nets::run(options, &nets::REFERENDUM),
        table: log::table,
    },
    Bench {
        name: "nets_kanban",
        about: "the same of a factory, whose places have several tokens",
        entities: &[5],
        samples: 3,
        run: |options| nets::run(options, &nets::KANBAN),
        table: log::table,
    },
    Bench {
        name: "checker",
        about: "states in a second of databuild's model: the checker fires the program's events, the others a model by hand",
        entities: &[2, 3],
        samples: 5,
        run: checker::run,
        table: log::table,
    },
    Bench {
        name: "instructions",
        about: "instructions for one event, counted by valgrind",
        entities: &[10_000],
        samples: 1,
        run: counts::run,
        table: counts::table,
    },
    Bench {
        name: "compile",
        about: "cargo check and build of a model, and of plain structs and enums with derives",
        entities: &[10, 50],
        samples: 3,
        run: compile::run,
        table: compile::table,
    },
];

/// The default sizes of most rows: a graph that fits in the caches of a processor, and one that does not. Sizes and samples are
/// chosen so that a run of all rows ends within 20 minutes on two processors.
const SIZES: &[usize] = &[10_000, 1_000_000];

/// What a benchmark is asked to measure.
struct Options {
    /// The number of samples of each contender.
    samples: usize,
    /// The sizes, in entities.
    entities: Vec<usize>,
}

#[derive(Parser)]
#[command(about = "Compares ironweave with the same work written by hand")]
struct Cli {
    /// Run one benchmark only, or those whose names begin so and with `_`
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the benchmarks, each with what it measures
    #[arg(long)]
    list: bool,
    /// Also write the figures to a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also print the goals for ironweave, each with the figure of this run and whether it is met
    #[arg(long)]
    goals: bool,
    /// The number of samples of each contender, instead of the default of each benchmark
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// The sizes to measure, in entities, instead of the defaults of each benchmark
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    entities: Option<Vec<usize>>,
    /// The directory of files and stores that are measured, on a disk. Default: the directory of this program
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// For processes that this program starts itself: the contender whose memory is counted
    #[arg(long, hide = true)]
    bytes_of: Option<String>,
    #[arg(long, hide = true)]
    write_dots: Option<usize>,
    #[arg(long, hide = true, default_value_t = 0)]
    linked: u8,
    #[arg(long, hide = true)]
    dir: Option<PathBuf>,
}

/// Runs what this program started itself for, if that is so.
fn inner(cli: &Cli) -> Option<Result<(), Box<dyn Error>>> {
    let linked = cli.linked != 0;
    if let (Some(count), Some(dir)) = (cli.write_dots, &cli.dir) {
        return Some(bytes::write(count, linked, dir).map_err(Into::into));
    }
    let contender = cli.bytes_of.as_ref()?;
    let count = *cli.entities.as_ref()?.first()?;
    Some(bytes::child(contender, count, linked).map(|bytes| println!("{bytes}")))
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(done) = inner(&cli) {
        return match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                eprintln!("{e}");
                ExitCode::FAILURE
            }
        };
    }
    if cli.list {
        for bench in BENCHES {
            println!("{:<20}{}", bench.name, bench.about);
        }
        return ExitCode::SUCCESS;
    }
    let named = |name: &String, bench: &Bench| {
        let rest = bench.name.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    let is_exact = |name: &String| BENCHES.iter().any(|bench| bench.name == name);
    let chosen = |bench: &&Bench| match &cli.only {
        Some(name) if is_exact(name) => name == bench.name,
        Some(name) => named(name, bench),
        None => true,
    };
    let benches: Vec<&Bench> = BENCHES.iter().filter(chosen).collect();
    if benches.is_empty() {
        eprintln!("there is no such benchmark; `--list` prints their names");
        return ExitCode::FAILURE;
    }
    if let Some(dir) = cli.scratch {
        let _ = rows::SCRATCH.set(dir);
    }
    if cli.samples == Some(0) || cli.entities.iter().flatten().any(|n| *n == 0) {
        eprintln!("samples and entities are at least 1");
        return ExitCode::FAILURE;
    }
    let mut rows = Vec::new();
    let (began, count) = (Instant::now(), benches.len());
    let mut exit = ExitCode::SUCCESS;
    for (i, bench) in benches.into_iter().enumerate() {
        let seconds = began.elapsed().as_secs();
        println!(
            "[{}/{count}, after {seconds} s] {}: {}",
            i + 1,
            bench.name,
            bench.about
        );
        let options = Options {
            samples: cli.samples.unwrap_or(bench.samples),
            entities: (cli.entities.clone()).unwrap_or_else(|| bench.entities.to_vec()),
        };
        match (bench.run)(&options) {
            Ok(measured) => {
                print!("{}", (bench.table)(&measured));
                rows.extend(measured);
            }
            // The figures of the others are not lost.
            Err(e) => {
                eprintln!("{}: {e}", bench.name);
                exit = ExitCode::FAILURE;
            }
        }
    }
    if cli.goals {
        print!("{}", goals::table(&rows));
    }
    println!("measured in {:.0} s", began.elapsed().as_secs_f64());
    if let Some(file) = &cli.json {
        let written = harness::json(&rows).map_err(Into::into);
        if let Err(e) = written.and_then(|text| std::fs::write(file, text)) {
            eprintln!("cannot write {}: {e}", file.display());
            return ExitCode::FAILURE;
        }
    }
    exit
}
