//! `ironweave schema draw`: a model as a picture, with the numbers of the entities and links of its store.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use ironweave_net::draw::{Diagram, Line, Shape};
use ironweave_net::{EntityIx, Net};
use serde::Serialize;

use crate::cli::{Show, Source};
use crate::failure::{Failure, Result};
use crate::file;
use crate::graph::Moment;
use crate::names;
use crate::output::{Output, json};
use crate::when::When;

use super::schema;

#[derive(clap::Args)]
pub struct Args {
    /// The directory of a store, whose last schema is drawn, or a JSON file with a schema
    #[arg(value_name = "STORE", value_hint = clap::ValueHint::AnyPath)]
    schema: PathBuf,
    /// The directory of archived segments, if it was moved since `log archive`
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    archives: Option<PathBuf>,
    /// Draw the schema and the numbers as they were after this transaction, or at this time
    #[arg(long, allow_negative_numbers = true, value_name = "SEQ|TIME")]
    as_of: Option<When>,
    /// Draw the lifecycle of this entity type
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["edges", "net"])]
    entity: Option<String>,
    /// Draw the entity types and edges, which is the default
    #[arg(long, conflicts_with = "net")]
    edges: bool,
    /// Draw the net: all states and edges, and the events that change them
    #[arg(long)]
    net: bool,
    /// The language of the picture: svg if none is given. With --json, the picture is printed as data instead
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
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

/// A picture as data. An arrow refers to nodes by position.
#[derive(Serialize)]
struct DiagramLine<'a> {
    title: &'a str,
    nodes: Vec<NodeOf<'a>>,
    arrows: Vec<ArrowOf<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct NodeOf<'a> {
    kind: &'static str,
    name: &'a str,
    /// The entity type of a state, in a picture of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    /// The number of entities or links.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
}

#[derive(Serialize)]
struct ArrowOf<'a> {
    from: usize,
    to: usize,
    label: &'a [String],
    line: &'static str,
    /// The number of links.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
}

impl<'a> DiagramLine<'a> {
    fn of(diagram: &'a Diagram) -> Self {
        let group = |ix: usize| diagram.groups.get(ix).map(String::as_str);
        let nodes = diagram.nodes.iter().map(|node| NodeOf {
            kind: match node.shape {
                Shape::Start => "start",
                Shape::State { .. } => "state",
                Shape::Entity => "entity",
                Shape::Links => "links",
                Shape::Event { .. } => "event",
                _ => "other",
            },
            name: &node.name,
            group: node.group.and_then(group),
            tokens: node.tokens,
        });
        let arrows = diagram.arrows.iter().map(|arrow| ArrowOf {
            from: arrow.from,
            to: arrow.to,
            label: &arrow.label,
            line: match arrow.line {
                Line::Solid => "solid",
                Line::Dashed => "dashed",
                Line::Dotted => "dotted",
                _ => "other",
            },
            tokens: arrow.tokens,
        });
        Self {
            title: &diagram.title,
            nodes: nodes.collect(),
            arrows: arrows.collect(),
            notes: &diagram.notes,
        }
    }
}

impl Args {
    /// The net of the schema, and the numbers of entities and links if it is that of a store.
    fn net(&self) -> Result<(Net, Option<Vec<u64>>)> {
        let wrong = |e: &dyn std::fmt::Display| {
            Failure::problem(format_args!("the schema in {}: {e}", self.schema.display()))
        };
        if self.schema.is_dir() {
            let moment = Moment {
                source: Source {
                    store: self.schema.clone(),
                    archives: self.archives.clone(),
                },
                as_of: self.as_of,
            };
            let graph = moment.open()?;
            let view = graph.view();
            let net = Net::of(view.schema()).map_err(|e| wrong(&e))?;
            let tokens = (!self.no_counts).then(|| view.tokens());
            return Ok((net, tokens));
        }
        let schema = schema::of_path(&self.schema)?;
        let given = [
            ("--as-of", self.as_of.is_some()),
            ("--archives", self.archives.is_some()),
        ];
        if let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given) {
            return Err(Failure::usage(format_args!(
                "{option} is for the directory of a store, and {} is a file with a schema",
                self.schema.display()
            )));
        }
        Ok((Net::of(&schema).map_err(|e| wrong(&e))?, None))
    }
}

pub fn run(show: &Show, args: &Args) -> Result<ExitCode> {
    let mut out = Output::direct(show);
    if out.is_json() && args.format.is_some() {
        return Err(Failure::usage(
            "--json prints the picture as data; leave out --format, or --json",
        ));
    }
    let (net, tokens) = args.net()?;
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
    if let Some(tokens) = tokens {
        diagram = diagram.with_tokens(&tokens);
    }
    let text = match args.format {
        _ if out.is_json() => json(&DiagramLine::of(&diagram))?,
        None | Some(Format::Svg) => diagram.to_svg(),
        Some(Format::Dot) => diagram.to_dot(),
        Some(Format::Mermaid) => diagram.to_mermaid(),
    };
    if let Some(path) = &args.output {
        file::write(path, text.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    out.line(text.trim_end_matches('\n'))?;
    out.finish()?;
    Ok(ExitCode::SUCCESS)
}
