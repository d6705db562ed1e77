//! What the store does, on stderr: steps, syncs and rejections are spans and events of the crate `tracing`. The variable `RUST_LOG` selects
//! them, as in `RUST_LOG=ironweave::log=debug`.

use std::io::IsTerminal as _;

use anyhow::{Result, bail};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::text::shown;

/// The variable that selects what is printed.
const VARIABLE: &str = "RUST_LOG";

/// From now on, prints what `RUST_LOG` selects; without the variable, nothing.
///
/// # Errors
/// If the variable cannot be read.
pub fn print() -> Result<()> {
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
