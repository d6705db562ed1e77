//! The lifecycles and edges that the documentation shows are those that `ironweave_net` draws, for all models in the sources of the
//! project. The crates share no code for this: this one must not depend on that.

use std::fs;
use std::path::{Path, PathBuf};

use ironweave_net::Net;
use ironweave_net::draw::{self as drawn, Diagram};
use ironweave_schema::{EntityIx, Schema};
use quote::ToTokens as _;
use syn::Item;

use super::{edges_of, lifecycle_of};
use crate::draw::{Kind, Line, Picture};
use crate::errors::Errors;
use crate::{check, parse};

/// The files of Rust code in a directory.
fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|e| e == "rs") => found.push(path),
            false => {}
        }
    }
}

/// The schemas of the models among some items, without those that are refused.
fn schemas(items: Vec<Item>, found: &mut Vec<Schema>) {
    for item in items {
        let Item::Mod(mut module) = item else {
            continue;
        };
        let is_model = |attr: &syn::Attribute| {
            let last = attr.path().segments.last();
            last.is_some_and(|segment| segment.ident == "model")
        };
        if !module.attrs.iter().any(is_model) {
            let items = module.content.map(|(_, items)| items);
            schemas(items.unwrap_or_default(), found);
            continue;
        }
        module.attrs.retain(|attr| !is_model(attr));
        let mut errors = Errors::default();
        if let Some(ast) = parse::module(module.to_token_stream(), &mut errors) {
            let model = check::model(ast, &mut errors);
            if errors.len() == 0 {
                found.push(model.schema.clone());
            }
        }
    }
}

/// The schemas of all models of the project.
fn all_schemas() -> Vec<Schema> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = Vec::new();
    for dir in ["apps", "crates", "docs/guide/src/models"] {
        files(&root.join(dir), &mut paths);
    }
    let mut found = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a file");
        // Some test files are excerpts, and no files of Rust code by themselves.
        if let Ok(file) = syn::parse_file(&text) {
            schemas(file.items, &mut found);
        }
    }
    found
}

/// The boxes and arrows of a picture of the documentation.
type Content = (
    Vec<(Option<bool>, String)>,
    Vec<(usize, usize, &'static str, Vec<String>)>,
);

fn of_picture(picture: &Picture) -> Content {
    let boxes = picture.boxes.iter().map(|of| {
        let terminal = match of.kind {
            Kind::Start => None,
            Kind::Plain => Some(false),
            Kind::Terminal => Some(true),
        };
        (terminal, of.lines.join("\n"))
    });
    let arrows = picture.arrows.iter().map(|arrow| {
        let line = match arrow.line {
            Line::Solid => "solid",
            Line::Dashed => "dashed",
            Line::Dotted => "dotted",
        };
        (arrow.from, arrow.to, line, arrow.label.clone())
    });
    (boxes.collect(), arrows.collect())
}

fn of_diagram(diagram: &Diagram) -> Content {
    let boxes = diagram.nodes.iter().map(|node| {
        let terminal = match node.shape {
            drawn::Shape::Start => None,
            drawn::Shape::State { terminal, .. } => Some(terminal),
            _ => Some(false),
        };
        (terminal, node.name.clone())
    });
    let arrows = diagram.arrows.iter().map(|arrow| {
        let line = match arrow.line {
            drawn::Line::Solid => "solid",
            drawn::Line::Dashed => "dashed",
            _ => "dotted",
        };
        (arrow.from, arrow.to, line, arrow.label.clone())
    });
    (boxes.collect(), arrows.collect())
}

#[test]
fn the_documentation_shows_what_the_net_draws() {
    let schemas = all_schemas();
    let (mut lifecycles, mut handlers, mut unused) = (0, 0, 0);
    for schema in &schemas {
        let net = Net::of(schema).unwrap_or_else(|e| panic!("{}: {e}", schema.name));
        for entity in EntityIx::all(schema.entities.len()) {
            let picture = lifecycle_of(schema, entity);
            let diagram = Diagram::lifecycle(&net, entity);
            let what = format!("{} of {}", picture.title, schema.name);
            assert_eq!(picture.title, diagram.title, "{what}");
            assert_eq!(of_picture(&picture), of_diagram(&diagram), "{what}");
            lifecycles += 1;
            let has = |line: Line| picture.arrows.iter().any(|arrow| arrow.line == line);
            handlers += usize::from(has(Line::Dashed));
            unused += usize::from(has(Line::Dotted));
        }
        // The labels say the numbers of links by words in the documentation, and by symbols at the ends otherwise.
        let without_labels = |(boxes, arrows): Content| {
            let ends: Vec<_> = arrows
                .into_iter()
                .map(|(from, to, ..)| (from, to))
                .collect();
            (boxes, ends)
        };
        let (picture, diagram) = (edges_of(schema), Diagram::edges(&net));
        assert_eq!(picture.title, diagram.title);
        assert_eq!(
            without_labels(of_picture(&picture)),
            without_labels(of_diagram(&diagram)),
            "{}",
            picture.title
        );
    }
    // What is compared is neither little nor plain.
    assert!(
        schemas.len() > 100 && lifecycles > 200 && handlers > 10 && unused > 10,
        "{} models, {lifecycles} lifecycles, {handlers} with handlers, {unused} with unused moves",
        schemas.len()
    );
}
