//! `databuild model`, and that nothing overlaps in pictures of the model.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Place;

use databuild::model::build::Model;
use ironweave::net::EntityIx;
use ironweave::net::draw::Diagram;
use ironweave::prelude::*;

#[path = "../../../../crates/ironweave-net/tests/draw/checks.rs"]
mod checks;

#[test]
fn nothing_overlaps() {
    let net = Model::net();
    let tokens = vec![1234; net.places.len()];
    let all = EntityIx::all(net.entities.len());
    let mut diagrams: Vec<Diagram> = all.map(|e| Diagram::lifecycle(&net, e)).collect();
    diagrams.extend([Diagram::edges(&net), Diagram::net(&net)]);
    for diagram in diagrams {
        let counted = diagram.clone().with_tokens(&tokens);
        for diagram in [diagram, counted] {
            checks::check_svg(&diagram.title, &diagram.to_svg(), diagram.nodes.len());
        }
    }
}

#[test]
fn the_picture_has_the_numbers_of_the_store() {
    let place = Place::with_jobs("[[job]]\npartitions = '**'\ncommand = ['true']\n");
    place.run(&["a", "b"]).success();
    place.databuild(&["model", "--svg", "net.svg"]).success();
    let net = place.read("net.svg");
    for text in ["Net of build", "2 entities", "WantCreated"] {
        assert!(net.contains(text), "{text}: {net}");
    }
    let args = ["model", "--svg", "one.svg", "--entity", "Partition"];
    place.databuild(&args).success();
    assert!(place.read("one.svg").contains("Lifecycle of Partition"));
    place
        .databuild(&["model", "--svg", "two.svg", "--entity", "Runs"])
        .refused(&["there is no type `Runs`", "Partition, JobRun, Want"]);
}

#[test]
fn the_documentation_has_pictures_in_which_nothing_overlaps() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args([
        "doc",
        "--quiet",
        "--offline",
        "--no-deps",
        "--lib",
        "--message-format",
        "short",
    ]);
    let output = cargo.output().expect("cargo runs");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
    assert!(!messages.contains("warning"), "{messages}");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the target directory");
    let mut drawn = 0;
    let net = Model::net();
    assert!(!net.edges.is_empty());
    let with_lifecycle = net.entities.iter().filter(|entity| entity.states.len() > 1);
    let entities = with_lifecycle.map(|entity| format!("struct.{}.html", entity.name));
    let expected = entities.clone().count() + 1;
    for name in entities.chain(["index.html".to_owned()]) {
        let page = target.join("doc/databuild/model/build").join(&name);
        let page = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        let mut rest = &*page;
        while let Some(start) = rest.find("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"")
        {
            let end = rest[start..]
                .find("</svg>")
                .expect("the end of the picture");
            let svg = &rest[start..start + end + "</svg>".len()];
            checks::check_svg(&name, svg, 3);
            drawn += 1;
            rest = &rest[start + end..];
        }
    }
    assert_eq!(drawn, expected);
}
