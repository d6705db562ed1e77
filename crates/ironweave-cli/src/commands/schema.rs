//! `ironweave schema show`, `schema diff` and `schema json`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use ironweave::schema::{Difference, Schema, Verdict};
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::{Failure, Result};
use crate::output::Output;
use crate::source;

use super::schema_text;

#[derive(clap::Args)]
pub struct ShowArgs {
    /// The directory of a store, whose last schema is taken, or a JSON file with a schema
    #[arg(value_name = "STORE", value_hint = clap::ValueHint::AnyPath)]
    schema: PathBuf,
    /// The directory of archived segments, if it was moved since `log archive`
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    archives: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct JsonArgs {
    #[command(flatten)]
    source: Source,
}

#[derive(clap::Args)]
pub struct DiffArgs {
    /// The earlier schema: the directory of a store, or a JSON file
    #[arg(value_name = "OLD", value_hint = clap::ValueHint::AnyPath)]
    old: PathBuf,
    /// The later schema: the directory of a store, or a JSON file
    #[arg(value_name = "NEW", value_hint = clap::ValueHint::AnyPath)]
    new: PathBuf,
}

/// Returns the last schema of a log.
fn last(source: &Source) -> Result<Arc<Schema>> {
    let schemas = source::log(source)?.schemas()?;
    let last = schemas.into_iter().next_back().map(|(_, schema)| schema);
    last.ok_or_else(|| {
        let store = source.store.display();
        Failure::Problem(format!("the log in {store} is empty"))
    })
}

/// Returns the schema of a store or in a file.
pub(super) fn of_path(path: &Path) -> Result<Arc<Schema>> {
    if !path.exists() {
        return Err(Failure::Problem(format!(
            "there is no file or directory {}; name the directory of a store, or a file that `ironweave schema json` wrote",
            path.display()
        )));
    }
    if !path.is_file() {
        return last(&Source {
            store: path.to_owned(),
            archives: None,
        });
    }
    let wrong = |e: &dyn std::fmt::Display| {
        Failure::Usage(format!(
            "cannot read {}: {e}; name the directory of a store, or a file that `ironweave schema json` wrote",
            path.display()
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|e| wrong(&e))?;
    Schema::from_json(&text)
        .map(Arc::new)
        .map_err(|e| wrong(&e))
}

/// Prints the last schema of a log, or that in a file.
pub fn show(show: &Show, args: &ShowArgs) -> Result<ExitCode> {
    let schema = match args.schema.is_file() {
        true => of_path(&args.schema)?,
        false => last(&Source {
            store: args.schema.clone(),
            archives: args.archives.clone(),
        })?,
    };
    let mut out = Output::paged(show);
    if out.is_json() {
        out.line(schema.to_json())?;
    } else {
        schema_text::write(&mut out, &schema)?;
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the last schema of a log as JSON, in the form that `schema diff` reads.
pub fn json(show: &Show, args: &JsonArgs) -> Result<ExitCode> {
    let schema = last(&args.source)?;
    let mut out = Output::direct(show);
    out.line(schema.to_json())?;
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct ChangeLine {
    change: String,
    /// Whether the change affects stored data.
    shape: bool,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl ChangeLine {
    fn of(difference: &Difference) -> Self {
        let (verdict, hint) = match &difference.verdict {
            Verdict::Data { hint, .. } => ("data", Some(hint.clone())),
            Verdict::Refused { hint } => ("refused", Some(hint.clone())),
            _ => ("free", None),
        };
        Self {
            change: difference.change.to_string(),
            shape: difference.is_of_shape(),
            verdict,
            hint,
        }
    }
}

/// Prints the differences of two schemas, and what each means for a log of the first one.
pub fn diff(show: &Show, args: &DiffArgs) -> Result<ExitCode> {
    let (old, new) = (of_path(&args.old)?, of_path(&args.new)?);
    let differences = old.compatibility(&new).differences;
    let mut out = Output::paged(show);
    for difference in &differences {
        match out.is_json() {
            true => out.object(&ChangeLine::of(difference))?,
            false => out.line(difference)?,
        }
    }
    if differences.is_empty() && !out.is_json() {
        out.line("the schemas are the same")?;
    }
    out.finish()?;
    Ok(ExitCode::from(u8::from(!differences.is_empty())))
}
