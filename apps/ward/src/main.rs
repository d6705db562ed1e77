//! `ward DIRECTORY [ADDRESS]`: serves the ward whose store is in a directory, at 127.0.0.1:8080 unless another address is given,
//! until Ctrl-C or, on Unix, SIGTERM.

use std::error::Error;
use std::io;
use std::process::ExitCode;

use ironweave::prelude::*;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        // The messages are written to be read, so this is not a `Result`, whose error would be printed with `Debug`.
        Err(e) => {
            eprintln!("ward: {e}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("usage: ward DIRECTORY [ADDRESS]")?;
    let address = arguments.next().unwrap_or("127.0.0.1:8080".into());
    let shutdown = shutdown_signal()?;
    let listener = TcpListener::bind(&address).await;
    let listener = listener.map_err(|e| format!("cannot listen at {address}: {e}"))?;
    let store = Store::<ward::model::Model>::open(directory)?;
    let store = store.share().into_async()?;
    println!("http://{}", listener.local_addr()?);
    Ok(ward::serve(listener, store, shutdown).await?)
}

/// Returns a future that is ready when the process is asked to end.
#[cfg(unix)]
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn shutdown_signal() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        // Without a handler of the signal, the service runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
