//! `databuild serve`: a daemon, which is one writer for many clients.
//!
//! ```text
//! the main thread     the engine, which owns the store: commands -> events -> log
//! the thread "http"   axum on tokio: reads from snapshots, commands through a mailbox, events from a subscription
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | [`inbox`], [`looking`] | the engine's loop: commands of clients, signals, the end; what is looked at when something is wanted |
//! | [`routes`](mod@routes), [`openapi`] | the list of the routes of the API, and its description, which is made from them |
//! | [`api`], [`answers`], [`failure`] | what all routes share, what they answer, and errors |
//! | [`commands`], [`lists`], [`single`] | the routes that change something, answer with pages, or about one thing |
//! | [`reads`], [`logs`] | the routes about the past and about one partition, and what runs wrote |
//! | [`world`] | the graph that a request reads: the current one or a past one |
//! | [`events`], [`metrics`] | server-sent events, and metrics for Prometheus |
//! | [`observed`] | what the store does, in the metrics and on stderr |
//! | [`http`](mod@http) | connections and their limits |
//! | [`access`](mod@access) | who may send requests, and bounds of these |
//! | [`pages`] | the pages for people, with the explorer of the store |
//! | [`story`], [`timeline`] | what happened to a partition, and when what a want needs was built |
//! | [`plan`] | what would be built |
//! | [`reports`] | what the commands print that only read |
//! | [`presence`] | the file by which other databuilds find the daemon |
//! | [`demo`] | what `serve --demo` opens on |
//! | [`client`], [`follow`] | the commands of databuild as clients of the daemon |
//!
//! The life of a daemon:
//! 1. It refuses a directory that another one serves, listens, and opens the store.
//! 2. It writes `DIR/daemon.json`. From then on `databuild run` leaves its wants to it.
//! 3. It resumes the wants that are open: a want of a daemon is a request that survives its process.
//! 4. SIGTERM and SIGINT: no more runs begin and commands are refused, but reads are answered. Runs may go on for a grace time. Then
//!    streams end, `DIR/daemon.json` is removed, and the store is closed.
//! 5. SIGKILL loses nothing that was answered, because each answer to a command follows a sync.

pub mod access;
pub mod answers;
pub mod api;
pub mod client;
pub mod commands;
pub mod demo;
pub mod events;
pub mod failure;
pub mod follow;
pub mod http;
pub mod inbox;
pub mod lists;
pub mod logs;
pub mod looking;
pub mod metrics;
pub mod observed;
pub mod openapi;
pub mod pages;
pub mod plan;
pub mod presence;
pub mod reads;
pub mod reports;
pub mod routes;
pub mod single;
pub mod story;
pub mod timeline;
pub mod world;

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use ironweave::Timestamp;
use tokio::sync::watch;

use crate::dirs::Dirs;
use crate::engine::{Engine, Limits};
use crate::jobs::Jobs;
use crate::serve::access::{access, read_token};
use crate::serve::api::Shared;
use crate::serve::client::Client;
use crate::serve::events::Rendered;
use crate::serve::http::Bounds;
use crate::serve::inbox::JobsFile;
use crate::serve::metrics::Metrics;
use crate::serve::observed::Observed;
use crate::serve::plan::LastPast;
use crate::serve::presence::Presence;
use crate::serve::world::Worlds;
use crate::start;
use crate::text::shown;

/// The threads that answer requests. Handlers are short; what reads the log has threads of its own.
const HTTP_THREADS: usize = 2;
/// The number of open files that a daemon asks for, because each client has one.
const FILES: u64 = 8192;
/// The number of connections at most that wait until they are accepted.
const WAITING_MAX: i32 = 4096;
/// The number of open files that are left for the store and for runs, and not for clients.
const FILES_OF_RUNS: u64 = 256;

/// What a daemon is started with.
pub struct Options {
    /// Where it listens: an address or a name, with a port.
    pub listen: String,
    /// The jobs file; without one, that of the demo, which is built first.
    pub jobs: Option<PathBuf>,
    /// The file with the token that requests need.
    pub token_file: Option<PathBuf>,
    /// Further names of hosts that requests may name.
    pub hosts: Vec<String>,
    /// Limits of the engine.
    pub limits: Limits,
    /// How long runs may go on after a signal.
    pub grace: Duration,
    /// Limits of connections.
    pub bounds: Bounds,
}

/// Serves a directory until a signal arrives.
///
/// # Errors
/// If the jobs, the token, the address or the directory cannot be used, or the store cannot be written later.
pub fn serve(dirs: &Dirs, options: Options) -> Result<()> {
    observed::print_traces()?;
    let is_demo = options.jobs.is_none();
    let theirs = options.jobs.as_deref().map(Jobs::load).transpose()?;
    let token = options.token_file.as_deref().map(read_token).transpose()?;
    let address = address(&options.listen)?;
    if !address.ip().is_loopback() && token.is_none() {
        bail!(
            "{address} can be reached by others, who could run jobs: give a file with a token by --token-file, or listen \
             at 127.0.0.1"
        );
    }
    if let Some(other) = Client::find(dirs)? {
        bail!("{}", serves_already(dirs, &other.daemon));
    }
    let listener = TcpListener::bind(address);
    let listener = listener.map_err(|e| {
        anyhow::anyhow!("cannot listen at {address}: {e}: choose another address with --listen, such as 127.0.0.1:0")
    })?;
    listener.set_nonblocking(true)?;
    // With the 128 of the standard library, some of many clients that come at once would wait for seconds.
    rustix::net::listen(&listener, WAITING_MAX)?;
    let mut bounds = options.bounds;
    bounds.connections = bounds.connections.min(allow_many_files());
    dirs.create()?;
    let store = start::open(dirs)?;
    let (reader, observed) = (store.reader(), Observed::of(&store));
    let limits = options.limits;
    let jobs_max = limits.jobs;
    let (file, jobs) = match (options.jobs, theirs) {
        (Some(file), Some(jobs)) => (file, jobs),
        _ => {
            let file = demo::write_jobs(dirs)?;
            let jobs = Jobs::load(&file)?;
            (file, jobs)
        }
    };
    let mut engine = Engine::new(store, dirs.clone(), jobs, limits, None)?;
    if is_demo && engine.build_demo()?.is_some() {
        return Ok(());
    }
    let jobs = std::path::absolute(file)?;
    let (mailbox, mut orders) = inbox::mailbox(&engine, jobs.clone(), options.grace);
    let began = SystemTime::now();
    let pid = std::process::id();
    let nanos = began
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let presence = Presence {
        address: listener.local_addr()?,
        pid,
        started: Timestamp::from(began).to_string(),
        instance: format!("{pid}-{nanos}"),
        jobs,
        token_file: options.token_file.map(std::path::absolute).transpose()?,
    };
    let (end, ends) = watch::channel(false);
    let shared = Shared {
        reader,
        observed,
        mailbox,
        ends: ends.clone(),
        presence: presence.clone(),
        jobs_max,
        access: access(token.as_deref(), &options.hosts),
        metrics: Metrics::default(),
        rendered: Rendered::default(),
        dirs: dirs.clone(),
        jobs: Mutex::new((
            JobsFile::of(presence.jobs.clone()),
            Arc::new(Jobs::load(&presence.jobs)?),
        )),
        worlds: Worlds::default(),
        last_past: LastPast::default(),
        began,
    };
    let http = std::thread::Builder::new().name("http".to_owned());
    let http = http.spawn(move || answer(listener, shared, bounds, ends))?;
    let written = presence.write(dirs)?;
    let hello = format!(
        "databuild serves {} at http://{}\n",
        dirs.shown().display(),
        presence.address
    );
    // A daemon may be started without a stdout.
    drop(std::io::stdout().write_all(hello.as_bytes()));
    let worked = engine.serve(&mut orders);
    // Commands that still wait are answered by this.
    drop(orders);
    drop(written);
    let _ = end.send(true);
    let answered = http.join();
    worked?;
    match answered {
        Ok(answered) => answered,
        Err(_) => bail!("the thread that answers requests panicked; its message is above"),
    }
}

/// The sentence for a directory that another daemon serves.
pub fn serves_already(dirs: &Dirs, other: &Presence) -> String {
    format!(
        "a daemon serves {} already, at http://{} (pid {}, since {})",
        dirs.shown().display(),
        other.address,
        other.pid,
        other.started
    )
}

/// The address of a text such as `127.0.0.1:7171` or `localhost:0`.
fn address(text: &str) -> Result<SocketAddr> {
    let wrong = || {
        let text = shown(text);
        format!(
            "`{text}` is no address to listen at: write one such as 127.0.0.1:7171 or [::1]:7171"
        )
    };
    let mut all = text.to_socket_addrs().with_context(wrong)?;
    all.next().with_context(wrong)
}

/// Raises the limit on the number of open files, as far as that is permitted. Returns how many clients there may be then.
fn allow_many_files() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let mut files = limit.current;
    if let Some(current) = limit.current.filter(|current| *current < FILES) {
        let most = limit.maximum.map_or(FILES, |maximum| maximum.min(FILES));
        let raised = Rlimit {
            current: Some(most.max(current)),
            maximum: limit.maximum,
        };
        // With fewer files, there can be fewer clients.
        if setrlimit(Resource::Nofile, raised).is_ok() {
            files = raised.current;
        }
    }
    let clients = files.map_or(u64::MAX, |files| {
        files.saturating_sub(FILES_OF_RUNS).max(files / 2)
    });
    usize::try_from(clients).unwrap_or(usize::MAX)
}

/// Answers requests until the daemon ends, and then those that have begun, for a limited time.
fn answer(
    listener: TcpListener,
    shared: Shared,
    bounds: Bounds,
    ends: watch::Receiver<bool>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(HTTP_THREADS)
        .enable_all()
        .build()?;
    let served = runtime.block_on(http::answer(listener, api::router(shared), bounds, ends));
    runtime.shutdown_background();
    served.context("requests cannot be answered any more")
}
