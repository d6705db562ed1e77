//! What `databuild model` writes: the model as a picture, with the numbers of entities and links in the store.

use anyhow::{Result, bail};
use ironweave::net::EntityIx;
use ironweave::net::draw::Diagram;
use ironweave::prelude::*;

use crate::model::build;
use crate::reports::Origin;
use crate::text::shown;

/// The net, or the lifecycle of a type of entity, as SVG.
pub fn svg(from: &impl Origin, entity: Option<&str>) -> Result<String> {
    let net = build::Model::net();
    let diagram = match entity {
        None => Diagram::net(&net),
        Some(name) => {
            let mut all = EntityIx::all(net.entities.len());
            let Some(entity) = all.find(|ix| net[*ix].name == name) else {
                let names: Vec<&str> = net.entities.iter().map(|e| &*e.name).collect();
                let name = shown(name);
                bail!("there is no type `{name}`; there are {}", names.join(", "));
            };
            Diagram::lifecycle(&net, entity)
        }
    };
    let tokens = from.graph().by_name().tokens();
    Ok(diagram.with_tokens(&tokens).to_svg())
}
