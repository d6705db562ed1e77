//! `ironweave schema lint`: what can never happen in a model, and loops of its immediate events.

use std::path::PathBuf;
use std::process::ExitCode;

use ironweave_net::Net;
use ironweave_net::lint::{Certainty, Finding};
use serde::Serialize;

use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::output::{Output, Role};

use super::schema;

#[derive(clap::Args)]
pub struct Args {
    /// The directory of a store, whose last schema is taken, or a JSON file with a schema
    #[arg(value_name = "STORE", value_hint = clap::ValueHint::AnyPath)]
    schema: PathBuf,
    /// Accept a finding that is not a note, by the name that is printed in brackets
    #[arg(long, value_name = "NAME")]
    allow: Vec<String>,
    /// Print also what is worth knowing and no mistake
    #[arg(long)]
    notes: bool,
}

#[derive(Serialize)]
struct FindingLine<'a> {
    name: String,
    lint: &'static str,
    subject: &'a str,
    /// `program` if the finding holds for every program with this model, `net` if only for its net.
    certain_for: &'static str,
    note: bool,
    message: &'a str,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let schema = schema::of_path(&args.schema)?;
    let net = Net::of(&schema).map_err(|e| {
        Failure::problem(format_args!("the schema in {}: {e}", args.schema.display()))
    })?;
    let mut findings = net.lint();
    for name in &args.allow {
        let why = match findings.iter().find(|finding| finding.name() == *name) {
            None => "is not a finding of this model",
            Some(finding) if finding.is_note() => "is a note, which is no mistake",
            Some(_) => continue,
        };
        return Err(Failure::usage(format_args!(
            "`{name}` {why}; remove it from --allow"
        )));
    }
    findings.retain(|f| !args.allow.contains(&f.name()) && (args.notes || !f.is_note()));
    let mut out = Output::paged(show);
    let of = |certainty: Certainty| {
        let wrong = findings.iter().filter(|finding| !finding.is_note());
        let of = wrong.filter(|finding| finding.certainty == certainty);
        of.collect::<Vec<_>>()
    };
    print(&mut out, "certain for the program", &of(Certainty::Program))?;
    print(
        &mut out,
        "possible in the net; guards, invariants, values and the calls of the program may rule it out",
        &of(Certainty::Net),
    )?;
    let notes: Vec<_> = findings
        .iter()
        .filter(|finding| finding.is_note())
        .collect();
    print(&mut out, "notes", &notes)?;
    let is_sound = notes.len() == findings.len();
    if is_sound && !out.is_json() {
        let what = match args.allow.is_empty() {
            true => "no findings",
            false => "no other findings",
        };
        out.line(what)?;
    }
    out.finish()?;
    Ok(ExitCode::from(u8::from(!is_sound)))
}

fn print(out: &mut Output, title: &str, findings: &[&Finding]) -> Result {
    if !findings.is_empty() && !out.is_json() {
        let title = out.paint(Role::Title, title).to_string();
        out.line(format_args!("{title}:"))?;
    }
    for finding in findings {
        if out.is_json() {
            out.object(&FindingLine {
                name: finding.name(),
                lint: finding.lint.name(),
                subject: &finding.subject,
                certain_for: match finding.certainty {
                    Certainty::Program => "program",
                    Certainty::Net => "net",
                },
                note: finding.is_note(),
                message: &finding.message,
            })?;
        } else {
            out.line(format_args!("  {finding} [{}]", finding.name()))?;
        }
    }
    Ok(())
}
