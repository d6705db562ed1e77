//! `ironweave edges`: the links of an entity, at both ends of edges.

use std::process::ExitCode;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::Show;
use crate::failure::Result;
use crate::graph::{self, Moment};
use crate::labels::key_json;
use crate::output::{Output, Role};
use crate::values;

/// The number of links of an edge that are shown.
const LINKS_MAX: usize = 20;

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

#[derive(Serialize)]
struct LinkLine<'a> {
    edge: &'a str,
    entity: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Box<RawValue>>,
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let graph = args.moment.open()?;
    let view = graph.view();
    let entity = graph::find(view, &args.entity_type, &args.key)?;
    let mut out = Output::paged(show);
    if !out.is_json() {
        out.line(
            out.paint(Role::Title, graph::entity_text(entity))
                .to_string(),
        )?;
    }
    for edge in entity.entity_type().edges() {
        let links = entity.links(edge)?;
        let all = links.len();
        if !out.is_json() {
            let name = out.paint(Role::Event, edge).to_string();
            out.line(format_args!("  {name} ({all})"))?;
        }
        let shown = match out.is_full() || out.is_json() || all <= LINKS_MAX + 1 {
            true => all,
            false => LINKS_MAX,
        };
        for link in links.take(shown) {
            let far = link.entity();
            if out.is_json() {
                out.object(&LinkLine {
                    edge,
                    entity: far.handle(),
                    key: key_json(&graph::key(far)),
                    state: far.state(),
                    data: link.data().map(|data| values::json(&data)),
                })?;
                continue;
            }
            let state = out.paint(Role::Entity, far.state()).to_string();
            let text = graph::link_text(&out, view, link);
            out.line(format_args!("    {text} {state}"))?;
        }
        if all > shown {
            let more = out
                .paint(Role::Dim, format_args!(".. {} more", all - shown))
                .to_string();
            out.line(format_args!("    {more}"))?;
        }
    }
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
