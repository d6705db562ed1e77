//! `ironweave list`: the entities of a type.

use std::process::ExitCode;

use ironweave::dynamic::{EntityType, EntityView, GraphView, ValueView};

use super::get::EntityLine;
use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::graph::{self, Moment};
use crate::names;
use crate::output::{Output, Role};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    moment: Moment,
    /// The entity type
    #[arg(value_name = "TYPE")]
    entity_type: String,
    /// Only entities in this state
    #[arg(value_name = "STATE")]
    state: Option<String>,
    /// Only entities whose field, or data of their state, has this value, as `list` prints it, a text also without quotes; may be
    /// given several times
    #[arg(long = "where", value_name = "FIELD=VALUE", value_parser = condition)]
    conditions: Vec<(String, String)>,
    /// Print the number of entities only
    #[arg(long)]
    count: bool,
}

/// Reads `FIELD=VALUE`.
fn condition(text: &str) -> Result<(String, String), String> {
    let (field, value) = text
        .split_once('=')
        .ok_or("it is not of the form FIELD=VALUE")?;
    if field.trim().is_empty() {
        return Err("there is no field before the `=`".into());
    }
    Ok((field.trim().to_owned(), value.to_owned()))
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let graph = args.moment.open()?;
    let view = graph.view();
    let of = graph::entity_type(view, &args.entity_type)?;
    if let Some(state) = &args.state {
        names::check(&format!("{} has no state", of.name()), state, of.states())?;
    }
    check_fields(of, &args.conditions)?;
    let mut out = Output::paged(show);
    let mut found = 0u64;
    let mut each = |entity: EntityView<'_>| -> Result {
        if !args
            .conditions
            .iter()
            .all(|(field, value)| has(entity, field, value))
        {
            return Ok(());
        }
        found += 1;
        match (args.count, out.is_json()) {
            (true, _) => Ok(()),
            (false, true) => out.object(&EntityLine::of(entity)),
            (false, false) => {
                let line = line(&out, view, entity);
                out.line(line)
            }
        }
    };
    match &args.state {
        Some(state) => of.entities_in(state)?.try_for_each(&mut each)?,
        None => of.entities().try_for_each(&mut each)?,
    }
    if args.count {
        out.line(found)?;
    }
    out.finish()?;
    match (found, args.count) {
        (0, false) => Err(Failure::Problem(format!("no {} is found", of.name()))),
        (0, true) => Ok(ExitCode::from(1)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Checks that the type has the fields, since a type without entities would hide a mistake.
fn check_fields(of: EntityType<'_>, conditions: &[(String, String)]) -> Result {
    let mut known: Vec<&str> = of.fields().map(|column| &*column.name).collect();
    for state in of.states() {
        let data = of.data_of(state).map_err(Failure::usage)?;
        known.extend(data.map(|column| &*column.name));
    }
    for (field, _) in conditions {
        names::check(
            &format!("{} has no field", of.name()),
            field,
            known.iter().copied(),
        )?;
    }
    Ok(())
}

/// Whether a field, or a piece of data of the state, has a value that a user gave.
fn has(entity: EntityView<'_>, field: &str, given: &str) -> bool {
    let is = |value: &ValueView<'_>| {
        value.text().as_deref() == Some(given) || value.to_string() == given
    };
    let mut values = entity.fields().chain(entity.data());
    values.any(|(name, value)| name == field && is(&value))
}

fn line(out: &Output, graph: GraphView<'_>, entity: EntityView<'_>) -> String {
    let of = entity.entity_type();
    let is_key = |name: &str| of.key().any(|column| column.name == name);
    let fields = entity.fields().filter(|(name, _)| !is_key(name));
    let values: Vec<String> = (entity.data().chain(fields))
        .map(|(name, value)| format!("{name}: {}", graph::value_text(out, graph, &value)))
        .collect();
    let values = match values.as_slice() {
        [] => String::new(),
        values => format!(" {{ {} }}", values.join(", ")),
    };
    let name = out.paint(Role::Title, graph::entity_text(entity));
    format!("{name} {}{values}", out.paint(Role::Entity, entity.state()))
}
