//! `ironweave explore`: the pages of the explorer, for a store that another process may write.

use std::fmt::Write as _;
use std::future;
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use ironweave_explorer::{DirectorySource, Explorer};
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::source;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The address to listen on. Port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Require this token, of letters, digits, `-` and `_`. One is made if other machines can connect
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    token: Option<String>,
    /// A name of this machine by which browsers may ask it; may be given several times
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

/// The least length of a token.
const TOKEN_MIN: usize = 8;

fn token(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match text {
        _ if !text.chars().all(is_plain) => {
            Err("it has other characters than letters, digits, `-` and `_`".into())
        }
        _ if text.len() < TOKEN_MIN => Err(format!("it has fewer than {TOKEN_MIN} characters")),
        _ => Ok(text.to_owned()),
    }
}

#[derive(Serialize)]
struct ExploreLine<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let Source { store, archives } = &args.source;
    let source = DirectorySource::open(store, archives.as_ref());
    let source = source.map_err(|e| source::unopened(store, e))?;
    let listener = listen(args.listen)?;
    let address = listener.local_addr().map_err(Failure::problem)?;
    let is_open = !address.ip().is_loopback();
    let token = match &args.token {
        Some(token) => Some(token.clone()),
        None if is_open => Some(new_token()?),
        None => None,
    };
    let mut explorer = Explorer::of(source);
    for host in &args.hosts {
        explorer = explorer.host(host);
    }
    // The token protects what the names of an unknown network cannot.
    if is_open && args.hosts.is_empty() {
        explorer = explorer.any_host();
    }
    let mut url = format!("http://{address}/places");
    if let Some(token) = &token {
        explorer = explorer.token(token);
        let _ = write!(url, "?token={token}");
    }
    let mut out = Output::direct(show);
    match out.is_json() {
        true => out.object(&ExploreLine {
            url: &url,
            token: token.as_deref(),
        })?,
        false => {
            out.line(format_args!("{url}"))?;
            out.line("Ctrl-C ends it")?;
        }
    }
    out.flush()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::problem(format_args!("cannot start to serve: {e}")))?;
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        explorer.serve(listener, future::pending()).await
    });
    served.map_err(|e| Failure::problem(format_args!("cannot serve on {address}: {e}")))?;
    Ok(ExitCode::SUCCESS)
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    let listening = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    listening.map_err(|e| {
        Failure::Problem(format!(
            "cannot listen on {address}: {e}; name another address with --listen, or port 0 for any that is free"
        ))
    })
}

/// Returns a token that cannot be guessed.
fn new_token() -> Result<String> {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).map_err(|e| {
        Failure::problem(format_args!(
            "cannot make a token: {e}; give one with --token"
        ))
    })?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}
