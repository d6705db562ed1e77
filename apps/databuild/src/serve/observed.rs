//! What the store does, with the feature `tracing`: numbers for the metrics, and lines on stderr.
//!
//! Steps, syncs and rejections are spans and events of the crate `tracing`. The variable `RUST_LOG` selects them, as in
//! `RUST_LOG=ironweave::log=debug`.

use crate::engine::BuildStore;

/// What the store counts about its own work.
pub struct Observed {
    #[cfg(feature = "tracing")]
    meter: ironweave::metrics::Meter,
}

impl Observed {
    /// What a store counts.
    pub fn of(store: &BuildStore) -> Self {
        #[cfg(not(feature = "tracing"))]
        let _ = store;
        Self {
            #[cfg(feature = "tracing")]
            meter: store.meter(),
        }
    }

    /// Writes nothing, since the store does not count.
    #[cfg(not(feature = "tracing"))]
    pub(super) fn write_metrics(&self, _: &mut String) {}
}

/// Prints nothing, since the store traces nothing.
#[cfg(not(feature = "tracing"))]
pub(super) fn print_traces() -> anyhow::Result<()> {
    Ok(())
}

#[cfg(feature = "tracing")]
pub(super) use traced::print_traces;

#[cfg(feature = "tracing")]
mod traced {
    use std::io::IsTerminal as _;

    use anyhow::{Result, bail};
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::fmt::format::FmtSpan;
    use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
    use tracing_subscriber::util::SubscriberInitExt as _;

    use super::Observed;
    use crate::serve::metrics::{head, line};
    use crate::text::shown;

    impl Observed {
        /// Writes what the store counted since it was opened.
        pub(in crate::serve) fn write_metrics(&self, out: &mut String) {
            let store = self.meter.read();
            let rejections = "databuild_rejections_total";
            let help = "Events and transactions that the store rejected, by kind.";
            head(out, rejections, "counter", help);
            for (kind, count) in &store.rejections {
                line(out, rejections, &format!("{{kind=\"{kind}\"}}"), count);
            }
            let rows = [
                (
                    "databuild_transactions_total",
                    "counter",
                    "Transactions of this daemon.",
                    store.transactions.to_string(),
                ),
                (
                    "databuild_log_bytes_total",
                    "counter",
                    "Size of these transactions in the log.",
                    store.bytes.to_string(),
                ),
                (
                    "databuild_failures_total",
                    "counter",
                    "Steps that failed because of the disk or the store.",
                    store.failures.to_string(),
                ),
                (
                    "databuild_syncs_total",
                    "counter",
                    "Syncs of the log.",
                    store.syncs.to_string(),
                ),
                (
                    "databuild_sync_seconds_total",
                    "counter",
                    "How long these syncs took together.",
                    format!("{:.6}", store.sync_time.as_secs_f64()),
                ),
                (
                    "databuild_sync_seconds_max",
                    "gauge",
                    "How long the longest of them took.",
                    format!("{:.6}", store.sync_time_max.as_secs_f64()),
                ),
                (
                    "databuild_subscriptions",
                    "gauge",
                    "Readers of the log in this process, such as streams of events.",
                    store.subscriptions.to_string(),
                ),
                (
                    "databuild_subscription_lag",
                    "gauge",
                    "Frames that the slowest of them has not read.",
                    store.lag.to_string(),
                ),
            ];
            for (metric, kind, help, value) in rows {
                head(out, metric, kind, help);
                line(out, metric, "", value);
            }
        }
    }

    /// The variable that selects what is printed.
    const VARIABLE: &str = "RUST_LOG";

    /// From now on, prints what `RUST_LOG` selects; without the variable, nothing.
    ///
    /// # Errors
    /// If the variable cannot be read.
    pub(in crate::serve) fn print_traces() -> Result<()> {
        let Some(text) = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        let selected = text.to_str().and_then(|text| text.parse::<Targets>().ok());
        let Some(selected) = selected else {
            bail!(
                "{VARIABLE} is `{}`: write a level, or targets with levels, such as info or ironweave::log=debug",
                shown(&text.to_string_lossy())
            );
        };
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_span_events(FmtSpan::CLOSE)
            .with_filter(selected);
        // If the program that contains this has a subscriber already, that one stays.
        let _ = tracing_subscriber::registry().with(lines).try_init();
        Ok(())
    }
}
