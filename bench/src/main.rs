//! ironweave beside the same written by hand, in one process and one run.
//!
//! ```text
//! cargo xtask bench [--only NAME] [--list] [--json FILE] [--samples N] [--entities N,N]
//! ```
//!
//! Each line is a contender at a size: the median of several samples of nanoseconds for one operation, the least
//! and the greatest of them, and how many times as long it takes as `flat` at that size. Contenders take turns
//! within each sample, so that a machine which slows down slows all of them. Quote the ratios: the nanoseconds are this
//! machine's.
//!
//! SQLite, bevy_ecs and minigraf are there with the feature `peers`, which `cargo xtask bench` turns on. Before anything is
//! measured, all contenders do the same random work, and must come to the same.
//!
//! `instructions` counts instead of measuring, and is the same on every run; `bench/instructions.txt` has its last table.
//! `compile` is of another kind: it starts cargo on generated models, and has a table of its own, in milliseconds.

mod bytes;
mod compile;
mod contenders;
mod counts;
mod harness;
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

use clap::Parser;

use harness::{Row, table};

/// The figures, or why there are none.
type Measured = Result<Vec<Row>, Box<dyn Error>>;

/// One benchmark: a name, what it measures, and how.
struct Bench {
    name: &'static str,
    about: &'static str,
    /// The sizes, where none were asked for.
    entities: &'static [usize],
    /// How many samples, where no number was asked for.
    samples: usize,
    run: fn(&Options) -> Measured,
    table: fn(&[Row]) -> String,
}

const BENCHES: [Bench; 33] = [
    Bench {
        name: "step_graph",
        about: "one event (a state move, a relink, a field) that can be taken back while it happens",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::graph(options)),
        table,
    },
    Bench {
        name: "step_recorded",
        about: "the same, with itself and its facts kept in memory",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::recorded(options)),
        table,
    },
    Bench {
        name: "step_logged",
        about: "the same, with a frame in a log: event and facts encoded, time, fingerprint (by hand: nothing kept)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::logged(options)),
        table,
    },
    Bench {
        name: "reject",
        about: "an event that cannot happen (of the store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::reject(options)),
        table,
    },
    Bench {
        name: "what_if_1",
        about: "one event, taken back (of the store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::what_if_1(options)),
        table,
    },
    Bench {
        name: "what_if_100",
        about: "one event of a hundred that are taken back together (of the store with a log)",
        entities: SIZES,
        samples: 15,
        run: |options| Ok(step::what_if_100(options)),
        table,
    },
    Bench {
        name: "relink_fanin_1",
        about: "a task goes to another worker, of whom each has 1",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::relink(options, "relink_fanin_1", 1)),
        table,
    },
    Bench {
        name: "relink_fanin_100",
        about: "a task goes to another worker, of whom each has 100",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::relink(options, "relink_fanin_100", 100)),
        table,
    },
    Bench {
        name: "relink_fanin_10000",
        about: "a task goes to another worker, of whom each has 10000",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::relink(options, "relink_fanin_10000", 10000)),
        table,
    },
    Bench {
        name: "watched_1",
        about: "a task moves, whose worker has 1 and notices when all of them run",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::watched(options, "watched_1", 1)),
        table,
    },
    Bench {
        name: "watched_100",
        about: "a task moves, whose worker has 100 and notices when all of them run",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::watched(options, "watched_100", 100)),
        table,
    },
    Bench {
        name: "watched_10000",
        about: "a task moves, whose worker has 10000 and notices when all of them run",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::watched(options, "watched_10000", 10000)),
        table,
    },
    Bench {
        name: "place_query",
        about: "the tasks that run, one in a hundred, and their values; for each",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::place_query(options)),
        table,
    },
    Bench {
        name: "find",
        about: "a task by its name, and its value",
        entities: SIZES,
        samples: 7,
        run: |options| Ok(rows::find(options)),
        table,
    },
    Bench {
        name: "replay",
        about: "a history anew, for each fact: from a log on disk; by the others, from an array",
        entities: SIZES,
        samples: 5,
        run: rows::replay,
        table,
    },
    Bench {
        name: "bytes_entity",
        about: "memory of an entity beyond its field",
        entities: &[1_000_000],
        samples: 3,
        run: bytes::entity,
        table: bytes::table,
    },
    Bench {
        name: "bytes_edge",
        about: "memory of a link beyond its two ends",
        entities: &[1_000_000],
        samples: 3,
        run: bytes::edge,
        table: bytes::table,
    },
    Bench {
        name: "with",
        about: "an event on a value of the graph, which stays as it is",
        entities: VALUES,
        samples: 7,
        run: |options| Ok(values::with(options)),
        table: values::table,
    },
    Bench {
        name: "with_100",
        about: "the same, each on what the one before gave",
        entities: VALUES,
        samples: 7,
        run: |options| Ok(values::chain(options)),
        table: values::table,
    },
    Bench {
        name: "snapshot",
        about: "a step, and a value after it, of which the last few are held",
        entities: VALUES,
        samples: 7,
        run: |options| Ok(values::snapshot(options)),
        table: values::table,
    },
    Bench {
        name: "snapshot_read",
        about: "a field, a state and a count over an edge, from a value",
        entities: VALUES,
        samples: 7,
        run: |options| Ok(values::read(options)),
        table: values::table,
    },
    Bench {
        name: "snapshot_walk",
        about: "from a task to its worker and to the values of all tasks of that one, from a value",
        entities: VALUES,
        samples: 7,
        run: |options| Ok(values::walk(options)),
        table: values::table,
    },
    Bench {
        name: "as_of_near",
        about: "the graph a hundred events back, and a value in it",
        entities: VALUES,
        samples: 5,
        run: |options| Ok(past::rows::near(options)),
        table: values::table,
    },
    Bench {
        name: "as_of_far",
        about: "the graph about half of 100,000 events back, and a value in it",
        entities: VALUES,
        samples: 5,
        run: |options| Ok(past::rows::far(options)),
        table: values::table,
    },
    Bench {
        name: "history_1",
        about: "all that became of an entity that had one event, among 100,000 of others",
        entities: VALUES,
        samples: 5,
        run: |options| Ok(past::rows::history_once(options)),
        table: values::table,
    },
    Bench {
        name: "history_1000",
        about: "all that became of an entity that had 1,000 events, among 99,000 of others",
        entities: VALUES,
        samples: 5,
        run: |options| Ok(past::rows::history_many(options)),
        table: values::table,
    },
    Bench {
        name: "writer_alone",
        about: "steps of one thread, while nobody looks",
        entities: VALUES,
        samples: 5,
        run: writer::alone,
        table: writer::table,
    },
    Bench {
        name: "writer_read",
        about: "steps of one thread, while another takes the newest value all the time and reads in it",
        entities: VALUES,
        samples: 5,
        run: writer::read,
        table: writer::table,
    },
    Bench {
        name: "shared_1",
        about: "a durable step, where 1 threads share a store and its syncs",
        entities: &[],
        samples: 5,
        run: |options| shared::run(options, "shared_1", 1),
        table: shared::table,
    },
    Bench {
        name: "shared_4",
        about: "a durable step, where 4 threads share a store and its syncs",
        entities: &[],
        samples: 5,
        run: |options| shared::run(options, "shared_4", 4),
        table: shared::table,
    },
    Bench {
        name: "shared_16",
        about: "a durable step, where 16 threads share a store and its syncs",
        entities: &[],
        samples: 5,
        run: |options| shared::run(options, "shared_16", 16),
        table: shared::table,
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
        about: "cargo check and build of a model, beside plain structs and enums with derives",
        entities: &[10, 50, 200],
        samples: 5,
        run: compile::run,
        table: compile::table,
    },
];

/// The sizes at which operations are measured.
const SIZES: &[usize] = &[1_000, 10_000, 100_000, 1_000_000];
/// The sizes at which values of the graph and the past are.
const VALUES: &[usize] = &[1_000, 10_000, 100_000, 1_000_000, 5_000_000];

/// How to measure.
struct Options {
    /// How many samples of each contender.
    samples: usize,
    /// The sizes, in entities.
    entities: Vec<usize>,
}

#[derive(Parser)]
#[command(about = "ironweave beside the same written by hand")]
struct Cli {
    /// Run one benchmark only
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Print the names of the benchmarks
    #[arg(long)]
    list: bool,
    /// Also write the figures to a file, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many samples to take of each contender; each benchmark knows how many it needs
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// The sizes to measure, in entities; each benchmark has its own
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    entities: Option<Vec<usize>>,
    /// What this program tells itself where it needs a process of its own: the contender whose memory is counted
    #[arg(long, hide = true)]
    bytes_of: Option<String>,
    #[arg(long, hide = true)]
    write_dots: Option<usize>,
    #[arg(long, hide = true, default_value_t = 0)]
    linked: u8,
    #[arg(long, hide = true)]
    dir: Option<PathBuf>,
}

/// Does what this program asks of itself.
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
    let chosen = |bench: &&Bench| cli.only.as_ref().is_none_or(|name| *name == bench.name);
    let benches: Vec<&Bench> = BENCHES.iter().filter(chosen).collect();
    if benches.is_empty() {
        eprintln!("there is no such benchmark; `--list` prints their names");
        return ExitCode::FAILURE;
    }
    if cli.samples == Some(0) || cli.entities.iter().flatten().any(|n| *n == 0) {
        eprintln!("samples and entities are at least 1");
        return ExitCode::FAILURE;
    }
    let mut rows = Vec::new();
    for bench in benches {
        println!("{}: {}", bench.name, bench.about);
        let options = Options {
            samples: cli.samples.unwrap_or(bench.samples),
            entities: (cli.entities.clone()).unwrap_or_else(|| bench.entities.to_vec()),
        };
        let measured = match (bench.run)(&options) {
            Ok(measured) => measured,
            Err(e) => {
                eprintln!("{}: {e}", bench.name);
                return ExitCode::FAILURE;
            }
        };
        print!("{}", (bench.table)(&measured));
        rows.extend(measured);
    }
    if let Some(file) = &cli.json {
        let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
        if let Err(e) = std::fs::write(file, text) {
            eprintln!("cannot write {}: {e}", file.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
