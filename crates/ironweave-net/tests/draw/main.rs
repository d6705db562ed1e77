//! Pictures of models, in each language, compared with the files in `expected`.
//!
//! The models are schemas as JSON: `shop`, which has most constructs, `ward`, which chooses, counts and compares, and `build`, which is
//! one of databuild. With
//! `IRONWEAVE_BLESS=1` the tests write the expected files instead of comparing them.

#[cfg(feature = "svg")]
mod checks;
#[cfg(feature = "svg")]
mod svg;

use std::fs;
use std::path::{Path, PathBuf};

use ironweave_net::draw::Diagram;
use ironweave_net::{EntityIx, Net};
use ironweave_schema::Schema;

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/draw")
}

fn net(name: &str) -> Net {
    let path = dir().join("models").join(name).with_extension("json");
    let text = fs::read_to_string(path).expect("a model");
    Net::of(&Schema::from_json(&text).expect("a schema")).expect("a valid model")
}

/// The lifecycle of an entity type, by its name.
fn lifecycle(net: &Net, name: &str) -> Diagram {
    let all = EntityIx::all(net.entities.len());
    let entity = { all }.find(|ix| net[*ix].name == name);
    Diagram::lifecycle(net, entity.expect("an entity type"))
}

/// Some number of tokens for each place.
fn tokens(net: &Net) -> Vec<u64> {
    (0..net.places.len() as u64).map(|at| at * at % 7).collect()
}

#[track_caller]
fn expect(name: &str, text: &str) {
    let path = dir().join("expected").join(name);
    if std::env::var_os("IRONWEAVE_BLESS").is_some() {
        fs::write(&path, text).expect("the file is written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected.replace('\r', "") == text,
        "{name} differs; IRONWEAVE_BLESS=1 accepts this:\n{text}"
    );
}

#[track_caller]
fn check(name: &str, diagram: &Diagram) {
    expect(&format!("{name}.dot"), &diagram.to_dot());
    expect(&format!("{name}.mmd"), &diagram.to_mermaid());
}

#[test]
fn a_lifecycle_has_arrows_for_events_handlers_and_moves_that_no_event_makes() {
    let shop = net("shop");
    check("order", &lifecycle(&shop, "Order"));
    check(
        "line",
        &lifecycle(&shop, "Line").with_tokens(&tokens(&shop)),
    );
    let build = net("build");
    check("partition", &lifecycle(&build, "Partition"));
}

#[test]
fn edges_have_cardinalities_and_data() {
    let shop = net("shop");
    check("shop-edges", &Diagram::edges(&shop));
    check(
        "shop-edges-tokens",
        &Diagram::edges(&shop).with_tokens(&tokens(&shop)),
    );
}

#[test]
fn a_net_has_an_arrow_for_each_token_that_an_event_takes_or_puts() {
    let shop = net("shop");
    check("shop-net", &Diagram::net(&shop).with_tokens(&tokens(&shop)));
}

#[test]
fn what_is_chosen_counted_and_compared_is_at_the_arrows_and_events() {
    let ward = net("ward");
    check("ward-net", &Diagram::net(&ward));
    check("patient", &lifecycle(&ward, "Patient"));
}

#[test]
fn names_with_characters_of_the_languages_are_escaped() {
    let mut diagram = lifecycle(&net("shop"), "Line");
    diagram.title = "a \"b\" \\ <c> | {d}; #e `f` \n g".to_owned();
    diagram.nodes[1].name = "x\"y<z>".to_owned();
    diagram.arrows[0].label = vec!["p\\q".to_owned(), "r|s".to_owned()];
    check("escaped", &diagram);
}

#[test]
fn names_that_are_keywords_of_mermaid_are_not_written_as_such() {
    let mut states = lifecycle(&net("shop"), "Line");
    states.nodes[1].name = "Note".to_owned();
    states.nodes[2].name = "Default".to_owned();
    states.arrows[0].label = vec!["a: b".to_owned()];
    let text = states.to_mermaid();
    assert!(text.contains("state \"Note\" as n1\n"), "{text}");
    assert!(text.contains("[*] --> n1 : a#58; b\n"), "{text}");
    assert!(text.contains(" as n2\n"), "{text}");

    let mut edges = Diagram::edges(&net("shop"));
    edges.nodes[0].name = "Class".to_owned();
    edges.nodes[0].fields[0].name = "pk".to_owned();
    edges.nodes[1].name = "Übung".to_owned();
    let text = edges.to_mermaid();
    assert!(
        text.contains("    n0[\"Class\"] {\n        String _pk PK\n"),
        "{text}"
    );
    // The name is shown, although the diagram refers to the node by its number.
    assert!(text.contains("    n1[\"Übung\"] {\n"), "{text}");
    assert!(text.contains("    n1 }o--|| n0 : "), "{text}");
}

#[test]
fn a_name_that_is_an_entity_of_html_is_drawn_as_it_is() {
    let mut diagram = lifecycle(&net("shop"), "Line");
    diagram.nodes[1].name = "&lt;".to_owned();
    assert!(diagram.to_dot().contains("label=\"&amp;lt;\""));
    assert!(diagram.to_mermaid().contains("state \"#38;lt#59;\""));
    #[cfg(feature = "svg")]
    {
        diagram.nodes[1].name = "&lt;\u{ffff}\0".to_owned();
        assert!(diagram.to_svg().contains(">&amp;lt;  </text>"));
    }
}
