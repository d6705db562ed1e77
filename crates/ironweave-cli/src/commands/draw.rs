//! `ironweave schema draw`: the model of a store as a picture, with the numbers of its entities and links.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use ironweave_net::draw::Diagram;
use ironweave_net::{EntityIx, Net};

use crate::cli::Show;
use crate::failure::{Failure, Result};
use crate::graph::Moment;
use crate::names;
use crate::output::Output;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    moment: Moment,
    /// Draw the lifecycle of this entity type
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["edges", "net"])]
    entity: Option<String>,
    /// Draw the entity types and edges, which is the default
    #[arg(long, conflicts_with = "net")]
    edges: bool,
    /// Draw the net: all states and edges, and the events that change them
    #[arg(long)]
    net: bool,
    /// The language of the picture
    #[arg(long, value_name = "FORMAT", default_value = "svg")]
    format: Format,
    /// Write the picture to this file instead of standard output
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: Option<PathBuf>,
    /// Leave out the numbers of entities and links
    #[arg(long)]
    no_counts: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// For browsers and documents
    Svg,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let graph = args.moment.open()?;
    let view = graph.view();
    let net = Net::of(view.schema()).map_err(Failure::problem)?;
    let mut diagram = match &args.entity {
        Some(name) => {
            let known = net.entities.iter().map(|entity| &*entity.name);
            names::check("there is no type", name, known)?;
            let mut all = EntityIx::all(net.entities.len());
            let entity = all.find(|ix| net[*ix].name == *name);
            Diagram::lifecycle(&net, entity.unwrap_or_default())
        }
        None if args.net => Diagram::net(&net),
        None => Diagram::edges(&net),
    };
    if !args.no_counts {
        diagram = diagram.with_tokens(&view.tokens());
    }
    let text = match args.format {
        Format::Svg => diagram.to_svg(),
        Format::Dot => diagram.to_dot(),
        Format::Mermaid => diagram.to_mermaid(),
    };
    if let Some(path) = &args.output {
        std::fs::write(path, text)
            .map_err(|e| Failure::Problem(format!("cannot write {}: {e}", path.display())))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = Output::direct(show);
    out.line(text.trim_end_matches('\n'))?;
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
