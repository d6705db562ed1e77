//! `ironweave get`: one entity with its fields, its state and its links.

use std::collections::BTreeMap;
use std::process::ExitCode;

use ironweave::dynamic::{EntityView, GraphView};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::Show;
use crate::failure::Result;
use crate::graph::{self, Moment};
use crate::labels::key_json;
use crate::output::{Output, Role};
use crate::values;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    moment: Moment,
    /// The entity type
    #[arg(value_name = "TYPE")]
    entity_type: String,
    /// The key, with commas between the parts of a key of several fields; or the id, such as 3.1
    #[arg(value_name = "KEY")]
    key: String,
}

/// An entity as JSON.
#[derive(Serialize)]
pub struct EntityLine {
    entity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Box<RawValue>>,
    state: String,
    fields: BTreeMap<String, Box<RawValue>>,
    data: BTreeMap<String, Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<BTreeMap<String, Vec<String>>>,
}

impl EntityLine {
    /// An entity without its links.
    pub fn of(entity: EntityView<'_>) -> Self {
        let text = |name: &str| name.to_owned();
        Self {
            entity: entity.handle(),
            key: key_json(&graph::key(entity)),
            state: entity.state().to_owned(),
            fields: entity
                .fields()
                .map(|(name, value)| (text(name), values::json(&value)))
                .collect(),
            data: entity
                .data()
                .map(|(name, value)| (text(name), values::json(&value)))
                .collect(),
            links: None,
        }
    }
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let graph = args.moment.open()?;
    let view = graph.view();
    let entity = graph::find(view, &args.entity_type, &args.key)?;
    let mut out = Output::paged(show);
    match out.is_json() {
        true => {
            let mut line = EntityLine::of(entity);
            let mut links = BTreeMap::new();
            for edge in entity.entity_type().edges() {
                let far = entity.links(edge)?.map(|link| link.entity().handle());
                links.insert(edge.to_owned(), far.collect());
            }
            line.links = Some(links);
            out.object(&line)?;
        }
        false => write(&mut out, view, entity)?,
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn write(out: &mut Output, graph: GraphView<'_>, entity: EntityView<'_>) -> Result {
    let mut lines = vec![("id".to_owned(), entity.id().to_string())];
    lines.push((
        "state".into(),
        out.paint(Role::Entity, entity.state()).to_string(),
    ));
    for (name, value) in entity.data() {
        lines.push((format!("  {name}"), graph::value_text(out, graph, &value)));
    }
    for (name, value) in entity.fields() {
        lines.push((name.to_owned(), graph::value_text(out, graph, &value)));
    }
    for edge in entity.entity_type().edges() {
        let links: Vec<String> = entity
            .links(edge)?
            .map(|link| graph::link_text(out, graph, link))
            .collect();
        let text = match graph::has_many(entity, graph, edge) {
            true => values::list(&links, out.is_full()),
            false => links.first().cloned().unwrap_or_else(|| "null".into()),
        };
        lines.push((edge.to_owned(), text));
    }
    let width = lines
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    out.line(
        out.paint(Role::Title, graph::entity_text(entity))
            .to_string(),
    )?;
    for (name, text) in lines {
        let name = format!("{name:width$}");
        let name = out.paint(Role::Dim, name).to_string();
        out.line(format_args!("  {name}  {text}"))?;
    }
    Ok(())
}
