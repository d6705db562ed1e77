//! `ironweave diff`: the net changes between two moments.

use std::process::ExitCode;

use super::records;
use crate::cli::{Show, Source};
use crate::failure::Result;
use crate::graph;
use crate::labels::Labels;
use crate::output::Output;
use crate::source;
use crate::when::When;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// The first moment
    #[arg(allow_negative_numbers = true, value_name = "FROM")]
    from: When,
    /// The second moment
    #[arg(allow_negative_numbers = true, value_name = "TO")]
    to: When,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let store = source::store(&args.source)?;
    let (from, to) = (
        graph::as_of(&store, args.from)?,
        graph::as_of(&store, args.to)?,
    );
    let changes = from.diff(&to)?;
    // A deleted entity has its key in the log only.
    let labels = Labels::of_log(&source::log(&args.source)?, from.seq().max(to.seq()))?;
    let mut out = Output::paged(show);
    let facts = changes.facts();
    if out.is_json() {
        for fact in facts {
            out.object(&records::fact_line(&fact, &labels))?;
        }
    } else {
        for fact in facts {
            let text = records::fact_text(&out, &fact, &labels);
            out.line(text)?;
        }
        if facts.is_empty() {
            out.line("the graphs are the same")?;
        }
    }
    out.finish()?;
    Ok(ExitCode::from(u8::from(!facts.is_empty())))
}
