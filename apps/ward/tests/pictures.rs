//! Pictures of the model: nothing in them overlaps.
#![allow(missing_docs)]

use ironweave::net::EntityIx;
use ironweave::net::draw::Diagram;
use ironweave::prelude::*;
use ward::model::Model;

#[path = "../../../crates/ironweave-net/tests/draw/checks.rs"]
mod checks;

#[test]
fn nothing_overlaps_in_pictures() {
    let net = Model::net();
    let all = EntityIx::all(net.entities.len());
    let mut diagrams: Vec<Diagram> = all.map(|e| Diagram::lifecycle(&net, e)).collect();
    diagrams.extend([Diagram::edges(&net), Diagram::net(&net)]);
    for diagram in diagrams {
        checks::check_svg(&diagram.title, &diagram.to_svg(), diagram.nodes.len());
    }
}
