//! `databuild model`: the model as a picture, with the numbers of entities and links in the store.

use std::path::Path;

use anyhow::{Context, Result, bail};
use ironweave::net::EntityIx;
use ironweave::net::draw::Diagram;
use ironweave::prelude::*;

use crate::dirs::Dirs;
use crate::model::build;
use crate::start::open_read_only;

/// Writes the net, or the lifecycle of a type of entity, to a file.
pub fn model(dirs: &Dirs, file: &Path, entity: Option<&str>) -> Result<()> {
    let net = build::Model::net();
    let diagram = match entity {
        None => Diagram::net(&net),
        Some(name) => {
            let mut all = EntityIx::all(net.entities.len());
            let Some(entity) = all.find(|ix| net[*ix].name == name) else {
                let names: Vec<&str> = net.entities.iter().map(|e| &*e.name).collect();
                bail!("there is no type `{name}`; there are {}", names.join(", "));
            };
            Diagram::lifecycle(&net, entity)
        }
    };
    let tokens = open_read_only(dirs)?.by_name().tokens();
    std::fs::write(file, diagram.with_tokens(&tokens).to_svg())
        .with_context(|| format!("cannot write {}", file.display()))
}
