//! The arguments of the command, and the text of `--help`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;
use crate::failure::{Failure, Result};
use crate::interrupt;

/// The exit codes, at the end of the main help.
const CODES: &str = "\
Exit codes:
  0    success
  1    the log has a problem, an operation failed, or nothing was found; `diff` and `schema diff`
       found differences; `schema lint` found something
  2    the arguments cannot be used
  130  interrupted by Ctrl-C

STORE is the directory of a store. It may be open in its application at the same time: ironweave
takes no lock on it and writes nothing to it, except for `log checkpoint` and `log archive`.

Example:
  ironweave log show target/databuild/store --event JobStarted";

#[derive(Parser)]
#[command(
    name = "ironweave",
    version,
    about = "Reads, checks, copies and explains the log of an ironweave store, without the program that wrote it",
    after_help = CODES
)]
pub struct Cli {
    #[command(flatten)]
    show: Show,
    #[command(subcommand)]
    command: Command,
}

/// How output is shown.
#[derive(Args)]
pub struct Show {
    /// Print one JSON object on each line
    #[arg(long, global = true)]
    pub json: bool,
    /// Do not shorten lists and long values
    #[arg(long, global = true)]
    pub full: bool,
    /// Use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = false
    )]
    pub color: ColorWhen,
    /// Do not start a pager (the variable PAGER, or less) if the output is a terminal
    #[arg(long, global = true)]
    pub no_pager: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Show, follow, check, copy and restore a log
    #[command(subcommand)]
    Log(Log),
    /// Show, draw, compare and lint the schemas in logs
    #[command(subcommand)]
    Schema(Schema),
    /// Count and explore Petri nets in PNML files
    #[command(subcommand)]
    Net(Net),
    /// Print one entity with its state, its fields and its links
    #[command(after_help = "Examples:
  ironweave get target/databuild/store PartitionRef report/dependencies
  ironweave get target/databuild/store JobRun 3.1 --as-of 2026-11-28T12:00:00Z")]
    Get(commands::get::Args),
    /// Print the entities of a type, of all states or of one
    #[command(after_help = "Examples:
  ironweave list target/databuild/store Partition Live
  ironweave list target/databuild/store JobRun --where label=report --json")]
    List(commands::list::Args),
    /// Print the links of an entity, from either end of an edge
    #[command(
        after_help = "Example:\n  ironweave edges target/databuild/store PartitionRef report/dependencies"
    )]
    Edges(commands::edges::Args),
    /// Print every change of an entity, with its event
    #[command(
        after_help = "Example:\n  ironweave history target/databuild/store PartitionRef report/dependencies"
    )]
    History(commands::history::Args),
    /// Explain the state of an entity: the events that moved it, and what caused them, the latest first
    #[command(after_help = "Example:\n  ironweave why target/databuild/store Want 0.1")]
    Why(commands::history::Args),
    /// Print the net changes between two moments; exit code 1 if there are any
    #[command(
        after_help = "Example:\n  ironweave diff target/databuild/store 10 2026-11-28T12:00:00Z"
    )]
    Diff(commands::diff::Args),
    /// Show a store in a browser: places, entities, the log, the net, and all of it at any time
    ///
    /// The pages are served until Ctrl-C, and follow the store while its application writes it. They change nothing. An API in JSON has
    /// the same answers. Other machines can be let in by an address of this one; then a token is required, which is printed with
    /// the address.
    #[cfg(feature = "explore")]
    #[command(after_help = "Examples:
  ironweave explore target/databuild/store
  ironweave explore target/databuild/store --listen 0.0.0.0:8080")]
    Explore(commands::explore::Args),
    /// Run a query on a temporary SQLite database with tables of the entities and links
    #[cfg(feature = "sqlite")]
    #[command(after_help = "Example:
  ironweave sql target/databuild/store \"SELECT state, count(*) FROM Partition GROUP BY state\"")]
    Sql(commands::sql::Args),
    /// Print a script that completes the arguments of ironweave in a shell
    #[command(
        after_help = "Example:\n  ironweave completions bash > ~/.local/share/bash-completion/completions/ironweave"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum Log {
    /// Print the transactions of a log: events, facts, metadata
    #[command(after_help = "Examples:
  ironweave log show target/databuild/store --last 10
  ironweave log show target/databuild/store --type PartitionRef --key manifest
  ironweave log show target/databuild/store --event JobFailed --from 2026-11-28 --json")]
    Show(commands::show::Args),
    /// Print the last transactions, and wait for more with -f
    #[command(
        after_help = "Example:\n  ironweave log tail target/databuild/store -f --event JobFailed"
    )]
    Tail(commands::tail::Args),
    /// Check a log: checksums, order, and the replay of all facts with the fingerprint of each frame
    ///
    /// The last line is `ok: N frames, M facts`. For a damaged log it names the file, the offset and the
    /// sequence of the first problem, and the exit code is 1.
    #[command(after_help = "Example:\n  ironweave log verify target/databuild/store")]
    Verify(commands::verify::Args),
    /// Count frames, events and facts, with their bytes and times
    #[command(after_help = "Example:\n  ironweave log stat target/databuild/store")]
    Stat(commands::stat::Args),
    /// Print a log, or a part of it, as JSON lines of events and facts
    ///
    /// The lines of an export without filters also have the payloads of the frames, from which `log import` makes a log.
    #[command(after_help = "Example:\n  ironweave log export target/databuild/store > log.json")]
    Export(commands::export::Args),
    /// Create a store from the lines of `log export` without filters
    ///
    /// The log is made of the `frame` of each line; the other members are for readers. It is replayed before the
    /// directory gets its name. The new store has an id of its own, so that positions of the old one are not positions in it.
    #[command(
        after_help = "Example:\n  ironweave log export old/store | ironweave log import - new/store"
    )]
    Import(commands::import::Args),
    /// Copy a log, also one that is in use, or bring an earlier copy up to date
    ///
    /// The copy ends with the last frame that the log has now, which is made durable first. Only segments that have
    /// changed since the last backup are written. The copy is read back and compared. A directory that has
    /// another store, or a state of this store that is not an earlier one, is not changed.
    #[command(
        after_help = "Example:\n  ironweave log backup target/databuild/store /backups/databuild"
    )]
    Backup(commands::backup::Args),
    /// Create a store in a new directory from a log, up to a frame or a time
    ///
    /// The new log begins a new timeline, so that subscriptions and projections which have seen later
    /// transactions notice that these are gone.
    #[command(
        after_help = "Example:\n  ironweave log restore /backups/databuild target/databuild/store --to 2026-11-28T12:00:00Z"
    )]
    Restore(commands::restore::Args),
    /// Write a checkpoint, from which the store opens instead of replaying the whole log
    ///
    /// The log is replayed, and the graph is written to a file beside it. The store must not be open for
    /// writing: a program that has it open writes its own checkpoints.
    #[command(after_help = "Example:\n  ironweave log checkpoint target/databuild/store")]
    Checkpoint(commands::checkpoint::Args),
    /// Compress the first segments of a log and move them to another directory, or drop them
    ///
    /// Archived segments are still read, in place. Only segments are taken that end before the second newest
    /// valid checkpoint, or before the only one, and never the last one. The store may be open in its application.
    ///
    /// With --drop, frames are deleted, those in archives too. What would be deleted, and what can
    /// no longer be answered then, is only printed, unless --yes is given.
    #[command(after_help = "Examples:
  ironweave log archive target/databuild/store --to /archives/databuild
  ironweave log archive target/databuild/store --to /archives/databuild --before 2026-01-01 --dry-run
  ironweave log archive target/databuild/store --drop --before 2025-01-01
  ironweave log archive target/databuild/store --drop --before 2025-01-01 --yes")]
    Archive(commands::archive::Args),
}

#[derive(Subcommand)]
enum Schema {
    /// Print the types, states, edges and events of the last schema of a log, or of a schema in a JSON file
    #[command(after_help = "Example:\n  ironweave schema show target/databuild/store")]
    Show(commands::schema::ShowArgs),
    /// Compare two schemas, each that of a store or in a JSON file; exit code 1 if they differ
    #[command(after_help = "Example:\n  ironweave schema diff target/databuild/store schema.json")]
    Diff(commands::schema::DiffArgs),
    /// Print the last schema of a log as JSON
    #[command(
        after_help = "Example:\n  ironweave schema json target/databuild/store > schema.json"
    )]
    Json(commands::schema::JsonArgs),
    /// Find what can never happen in a model, and loops of its immediate events; exit code 1 if something is found
    ///
    /// What can never happen in the net of the model cannot happen in the program either, whatever its guards and handlers do. What
    /// is only possible in the net may be ruled out by them.
    #[command(after_help = "Examples:
  ironweave schema lint target/databuild/store
  ironweave schema lint schema.json --allow 'state_never_left Bed::Cleaning'")]
    Lint(commands::lint::Args),
    /// Draw the lifecycle of an entity type, the edges, or the net of the events, with the numbers of entities and links
    ///
    /// The picture is SVG, DOT for Graphviz or Mermaid for Markdown. Solid arrows are what events declare, dashed ones
    /// what their handlers may do, dotted ones conditions, or moves of a lifecycle that no event makes.
    #[command(after_help = "Examples:
  ironweave schema draw target/databuild/store -o edges.svg
  ironweave schema draw target/databuild/store --entity Partition -o partition.svg
  ironweave schema draw schema.json --net -o net.svg
  ironweave schema draw target/databuild/store --entity Want --format mermaid --as-of 2026-11-28T12:00:00Z")]
    Draw(commands::draw::Args),
    /// Unfold a model to a place/transition net in PNML, for a number of entities of each type
    ///
    /// The reachable markings of the net are the states that the model reaches as long as there are no more entities, and its
    /// transitions are the events, each with the immediate events that follow. Guards, invariants and handlers are code, which a net
    /// cannot have: they are refused. The values of fields are left out.
    #[command(after_help = "Examples:
  ironweave schema pnml schema.json --entities Want=2 --entities Partition=3 -o build.pnml
  ironweave net explore build.pnml --always \"'Partition::Building' <= 'Run::Running'\"")]
    Pnml(commands::pnml::Args),
}

#[derive(Subcommand)]
enum Net {
    /// Count the places, transitions and arcs of a net, and its place invariants
    #[command(after_help = "Example:\n  ironweave net stat philosophers.pnml")]
    Stat(commands::net::StatArgs),
    /// Visit all reachable markings of a net, and check properties of them
    ///
    /// A property compares sums of tokens: `fork + 2 * eat <= 3 and not 'in use' == 0`. Names with other characters than letters,
    /// digits and '_.$#@' are quoted. Of a place that was unfolded, the name is the sum of its colours, and 'name(colour)' one of them.
    /// The exit code is 1 if a property of --always is violated or one of --ever was not found.
    #[command(after_help = "Examples:
  ironweave net explore philosophers.pnml --threads 4
  ironweave net explore philosophers.pnml --always \"'Eat(1)' + 'Eat(2)' <= 1\" --ever 'Fork == 0'")]
    Explore(commands::net::ExploreArgs),
}

/// A store that a command reads.
#[derive(Args)]
pub struct Source {
    /// The directory of the store
    #[arg(value_name = "STORE", value_hint = clap::ValueHint::DirPath)]
    pub store: PathBuf,
    /// The directory of archived segments, if it was moved since `log archive`
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub archives: Option<PathBuf>,
}

/// Runs the command, and reports errors on stderr.
pub fn main() -> ExitCode {
    let Cli { show, command } = Cli::parse();
    interrupt::prepare();
    let (message, code) = match run(&show, command) {
        Ok(code) => return code,
        Err(Failure::Closed) => return ExitCode::SUCCESS,
        Err(Failure::Problem(message)) => (message, 1),
        Err(Failure::Usage(message)) => (message, 2),
    };
    let _ = std::io::Write::write_all(
        &mut std::io::stderr(),
        format!("ironweave: {message}\n").as_bytes(),
    );
    ExitCode::from(code)
}

fn run(show: &Show, command: Command) -> Result<ExitCode> {
    match command {
        Command::Log(log) => match log {
            Log::Show(args) => commands::show::run(show, &args),
            Log::Tail(args) => commands::tail::run(show, &args),
            Log::Verify(args) => commands::verify::run(show, &args),
            Log::Stat(args) => commands::stat::run(show, &args),
            Log::Export(args) => commands::export::run(show, &args),
            Log::Import(args) => commands::import::run(show, &args),
            Log::Backup(args) => commands::backup::run(show, &args),
            Log::Restore(args) => commands::restore::run(show, &args),
            Log::Checkpoint(args) => commands::checkpoint::run(show, &args),
            Log::Archive(args) => commands::archive::run(show, &args),
        },
        Command::Schema(schema) => match schema {
            Schema::Show(args) => commands::schema::show(show, &args),
            Schema::Diff(args) => commands::schema::diff(show, &args),
            Schema::Json(args) => commands::schema::json(show, &args),
            Schema::Pnml(args) => commands::pnml::run(show, &args),
            Schema::Lint(args) => commands::lint::run(show, &args),
            Schema::Draw(args) => commands::draw::run(show, &args),
        },
        Command::Net(net) => match net {
            Net::Stat(args) => commands::net::stat(show, &args),
            Net::Explore(args) => commands::net::explore(show, &args),
        },
        Command::Get(args) => commands::get::run(show, &args),
        Command::List(args) => commands::list::run(show, &args),
        Command::Edges(args) => commands::edges::run(show, &args),
        Command::History(args) => commands::history::history(show, &args),
        Command::Why(args) => commands::history::why(show, &args),
        Command::Diff(args) => commands::diff::run(show, &args),
        #[cfg(feature = "explore")]
        Command::Explore(args) => commands::explore::run(show, &args),
        #[cfg(feature = "sqlite")]
        Command::Sql(args) => commands::sql::run(show, &args),
        Command::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "ironweave", &mut script);
            std::io::Write::write_all(&mut std::io::stdout(), &script)
                .map_err(|e| Failure::output(&e))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn every_command_has_an_example() {
        fn check(command: &clap::Command) {
            for sub in command.get_subcommands() {
                let help = sub
                    .get_after_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                assert!(
                    sub.has_subcommands() || help.contains("Example"),
                    "{}",
                    sub.get_name()
                );
                check(sub);
            }
        }
        check(&<Cli as clap::CommandFactory>::command());
    }
}
