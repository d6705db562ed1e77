//! Signals that databuild handles.
//!
//! - SIGINT and SIGTERM: databuild ends its runs, or the `digest` commands at the start, records the runs as lost,
//!   and exits. A second signal ends it at once, which is
//!   safe too.
//! - SIGCHLD: the parent process may have set it to be ignored, in which case the exit status of children is lost.
//! - SIGXFSZ: if it is handled, a write past the limit on the size of files returns an error, which is reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// Receives the signals that stop databuild.
#[derive(Clone, Default)]
pub struct Signals {
    signal: Arc<AtomicUsize>,
}

impl Signals {
    /// Installs the handlers.
    pub fn listen() -> Result<Self> {
        let signals = Self::default();
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let listen = || {
                // The handlers run in this order: the first signal finds `again` unset and sets it.
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
                flag::register(signal, Arc::clone(&again))?;
                flag::register_usize(signal, Arc::clone(&signals.signal), signal as usize)
            };
            listen().context("cannot listen to signals")?;
        }
        Ok(signals)
    }

    /// The signal that arrived, if any.
    pub fn received(&self) -> Option<i32> {
        i32::try_from(self.signal.load(Ordering::Relaxed))
            .ok()
            .filter(|s| *s != 0)
    }
}

/// Handles SIGXFSZ, so that a write past the limit on the size of files fails instead of ending the process, and SIGCHLD, so that
/// the exit status of children is available.
pub fn prepare() -> Result<()> {
    for signal in [SIGXFSZ, SIGCHLD] {
        flag::register(signal, Arc::new(AtomicBool::new(false)))
            .context("cannot listen to signals")?;
    }
    Ok(())
}
