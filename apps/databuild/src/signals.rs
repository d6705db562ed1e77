//! Signals that databuild does not die of.
//!
//! - SIGINT and SIGTERM: it ends its runs, or the `digest` commands at the start, says in the log which runs are lost,
//!   and exits. A second one ends it at once, which does
//!   no harm either.
//! - SIGCHLD: whoever started databuild may have set it to be ignored, and then nobody hears how a process ended.
//! - SIGXFSZ: a write past the limit on the size of files then fails like any other, and is reported.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// Whether somebody wants databuild to stop.
#[derive(Clone, Default)]
pub struct Signals {
    signal: Arc<AtomicUsize>,
}

impl Signals {
    /// Listens from now on.
    pub fn listen() -> Result<Self> {
        let signals = Self::default();
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            let listen = || {
                // Asked in this order: the first signal finds `again` unset and sets it.
                flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
                flag::register(signal, Arc::clone(&again))?;
                flag::register_usize(signal, Arc::clone(&signals.signal), signal as usize)
            };
            listen().context("cannot listen to signals")?;
        }
        Ok(signals)
    }

    /// The signal that came, if one did.
    pub fn came(&self) -> Option<i32> {
        i32::try_from(self.signal.load(Ordering::Relaxed))
            .ok()
            .filter(|s| *s != 0)
    }
}

/// Makes a write past the limit on the size of files fail instead of ending the process, and lets it hear how its
/// children end.
pub fn prepare() -> Result<()> {
    for signal in [SIGXFSZ, SIGCHLD] {
        flag::register(signal, Arc::new(AtomicBool::new(false)))
            .context("cannot listen to signals")?;
    }
    Ok(())
}
