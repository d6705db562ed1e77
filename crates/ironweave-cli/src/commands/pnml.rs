//! `ironweave schema pnml`: a model as a place/transition net in PNML, for a number of entities of each type.

use std::path::PathBuf;
use std::process::ExitCode;

use ironweave_net::unfold::{NotUnfolded, Scope, Unfolded};
use ironweave_net::{Net, pnml};
use serde::Serialize;

use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::file;
use crate::names;
use crate::output::Output;

use super::schema;

#[derive(clap::Args)]
pub struct Args {
    /// The directory of a store, whose last schema is taken, or a JSON file with a schema
    #[arg(value_name = "STORE", value_hint = clap::ValueHint::AnyPath)]
    schema: PathBuf,
    /// How many entities of a type may exist at the same time; once for each type
    #[arg(long, value_name = "TYPE=N", value_parser = entities)]
    entities: Vec<(String, u32)>,
    /// Write the net to this file instead of standard output, and print its size
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Leave out guards, invariants, conditions on values and the uniqueness of keys, so that the net can do more than the program
    #[arg(long)]
    over_approximate: bool,
    /// The most places
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    places_max: u64,
    /// The most transitions
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    transitions_max: u64,
}

/// Reads `Want=2`.
fn entities(text: &str) -> Result<(String, u32), String> {
    let (name, number) = text
        .split_once('=')
        .ok_or("write a type and a number, such as `Want=2`")?;
    let number = number.parse().map_err(|_| {
        format!(
            "`{number}` is not a number from 0 to {}, as in `Want=2`",
            u32::MAX
        )
    })?;
    Ok((name.to_owned(), number))
}

#[derive(Serialize)]
struct Written<'a> {
    places: usize,
    transitions: usize,
    arcs: usize,
    /// What the net does not consider.
    left_out: Vec<String>,
    /// The types of which events would have had more entities.
    cut: Vec<&'a str>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let schema = schema::of_path(&args.schema)?;
    let net = Net::of(&schema).map_err(|e| {
        Failure::problem(format_args!("the schema in {}: {e}", args.schema.display()))
    })?;
    let unfolded = net.unfold(&scope(args, &net)?).map_err(failure)?;
    let name = name(args, &net, &unfolded);
    let mut text = Vec::new();
    pnml::write(&unfolded.net, &name, &mut text).map_err(Failure::problem)?;
    let Some(path) = &args.output else {
        let mut out = Output::direct(show);
        out.line(String::from_utf8_lossy(&text).trim_end_matches('\n'))?;
        out.finish()?;
        return Ok(ExitCode::SUCCESS);
    };
    file::write(path, &text)?;
    let written = Written {
        places: unfolded.net.places.len(),
        transitions: unfolded.net.transitions.len(),
        arcs: unfolded.net.arcs(),
        left_out: unfolded.left_out.iter().map(ToString::to_string).collect(),
        cut: unfolded.cut.iter().map(|ix| &*net[*ix].name).collect(),
    };
    let mut out = Output::direct(show);
    if out.is_json() {
        out.object(&written)?;
    } else {
        out.line(format_args!("places: {}", written.places))?;
        out.line(format_args!("transitions: {}", written.transitions))?;
        out.line(format_args!("arcs: {}", written.arcs))?;
        for left_out in &written.left_out {
            out.line(format_args!("left out: {left_out}"))?;
        }
        if !written.cut.is_empty() {
            let cut = written.cut.join(", ");
            out.line(format_args!(
                "cut: events that would exceed the number of {cut}"
            ))?;
        }
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn scope(args: &Args, net: &Net) -> Result<Scope> {
    let mut scope = Scope::new()
        .places_max(args.places_max)
        .transitions_max(args.transitions_max);
    if args.over_approximate {
        scope = scope.over_approximate();
    }
    for (at, (name, number)) in args.entities.iter().enumerate() {
        let known = net.entities.iter().map(|entity| &*entity.name);
        names::check("there is no type", name, known)?;
        if args.entities[..at].iter().any(|(former, _)| former == name) {
            return Err(Failure::usage(format_args!(
                "--entities {name} is given twice; give it once"
            )));
        }
        scope = scope.entities(name, *number);
    }
    Ok(scope)
}

/// The error, with the arguments that help.
fn failure(e: NotUnfolded) -> Failure {
    match e {
        NotUnfolded::Entities { missing, .. } => {
            let arguments = missing.iter().map(|name| format!("--entities {name}=2"));
            let arguments: Vec<String> = arguments.collect();
            Failure::usage(format_args!(
                "the number of entities is missing for {}; add {}",
                missing.join(", "),
                arguments.join(" ")
            ))
        }
        NotUnfolded::Unsupported(all) => {
            let lines: Vec<String> = all.iter().map(|one| format!("\n  {one}")).collect();
            let advice = match all.iter().all(|one| one.is_restriction()) {
                true => {
                    "add --over-approximate to leave these out, so that the net can do more than the program"
                }
                false => "a checker explores the program itself (`ironweave::check::Checker`)",
            };
            Failure::problem(format_args!(
                "the model cannot be unfolded:{}\n{advice}",
                lines.concat()
            ))
        }
        NotUnfolded::Places { .. } => Failure::problem(format_args!("{e}, with --places-max")),
        NotUnfolded::Transitions { .. } => {
            Failure::problem(format_args!("{e}, with --transitions-max"))
        }
        e => Failure::problem(e),
    }
}

/// The name of the net, which says at which scope the model was unfolded, and without what.
fn name(args: &Args, net: &Net, unfolded: &Unfolded) -> String {
    let numbers = args.entities.iter().map(|(name, n)| format!("{name}={n}"));
    let numbers: Vec<String> = numbers.collect();
    let mut text = format!("{} at {}", net.name, numbers.join(", "));
    if !unfolded.left_out.is_empty() {
        let left_out = unfolded.left_out.iter().map(ToString::to_string);
        let left_out: Vec<String> = left_out.collect();
        text.push_str(" (over-approximated, without: ");
        text.push_str(&left_out.join("; "));
        text.push(')');
    }
    text
}
