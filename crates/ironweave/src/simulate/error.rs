//! Why a simulation cannot run.

use std::fmt;
use std::time::Duration;

/// The error of a [`Simulation`](super::Simulation).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SimulationError {
    /// Something was not given, or is not valid. Each line says what, and what to write.
    Missing {
        /// The lines.
        lines: Vec<String>,
    },
    /// Events fire again and again, and no time passes.
    Livelock {
        /// The number of the replication.
        replication: usize,
        /// The simulated time.
        elapsed: Duration,
        /// How many events have fired at that time.
        limit: u64,
        /// The events that did, most frequent first, each with how often.
        events: Vec<(String, u64)>,
    },
    /// A guard, a handler or an invariant panicked.
    Panicked {
        /// The number of the replication.
        replication: usize,
        /// The simulated time.
        elapsed: Duration,
        /// The event.
        event: String,
        /// The message of the panic.
        message: String,
    },
    /// A binding cannot be encoded or decoded.
    Binding {
        /// Which, and why.
        message: String,
    },
    /// A monitor returned a number that is not finite.
    NotFinite {
        /// The number of the replication.
        replication: usize,
        /// The simulated time.
        elapsed: Duration,
        /// The name of the monitor.
        monitor: String,
        /// The number.
        value: f64,
    },
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { lines } => {
                f.write_str("the simulation cannot run:")?;
                lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::Livelock {
                replication,
                elapsed,
                limit,
                events,
            } => {
                let events: Vec<String> = (events.iter())
                    .map(|(event, count)| format!("{event} ({count})"))
                    .collect();
                write!(
                    f,
                    "more than {limit} events have fired at the time {elapsed:?} of replication {replication}, and no time passes: {}; \
                     give one of them a delay that is not zero, or raise `events_at_once_max`",
                    events.join(", ")
                )
            }
            Self::Panicked {
                replication,
                elapsed,
                event,
                message,
            } => write!(
                f,
                "{event} panicked at the time {elapsed:?} of replication {replication}: {message}"
            ),
            Self::Binding { message } => f.write_str(message),
            Self::NotFinite {
                replication,
                elapsed,
                monitor,
                value,
            } => write!(
                f,
                "the monitor {monitor:?} returned {value} at the time {elapsed:?} of replication {replication}; return a finite number"
            ),
        }
    }
}

impl std::error::Error for SimulationError {}
