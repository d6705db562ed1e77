//! Pictures of the models of the examples and of the guide: nothing overlaps, and those in the guide are current. With
//! `IRONWEAVE_BLESS=1` the test writes the pictures of the guide.

use std::fs;
use std::path::Path;

use ironweave::net::draw::Diagram;
use ironweave::net::{EntityIx, Net};
use ironweave::prelude::*;

use crate::{control_plane, document_workflow, migration, order_desk, time_travel, ward_service};

#[path = "../../../ironweave-net/tests/draw/checks.rs"]
mod checks;

#[allow(dead_code)]
mod guide {
    include!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guide/src/models/shop.rs"
    ));
}

use guide::shop::{LineAdded, Model as Shop, Ordered};

fn diagrams(net: &Net) -> Vec<Diagram> {
    let all = EntityIx::all(net.entities.len());
    let mut diagrams: Vec<Diagram> = all.map(|e| Diagram::lifecycle(net, e)).collect();
    diagrams.extend([Diagram::edges(net), Diagram::net(net)]);
    diagrams
}

#[test]
fn nothing_overlaps_in_pictures_of_the_examples() {
    for net in [
        control_plane::cluster::Model::net(),
        document_workflow::workflow::Model::net(),
        migration::v1::library::Model::net(),
        migration::v3::library::Model::net(),
        order_desk::desk::Model::net(),
        time_travel::releases::Model::net(),
        ward_service::ward::Model::net(),
        Shop::net(),
    ] {
        for diagram in diagrams(&net) {
            let what = format!("{} of {}", diagram.title, net.name);
            checks::check_svg(&what, &diagram.to_svg(), diagram.nodes.len());
        }
    }
}

#[track_caller]
fn expect(name: &str, text: &str) {
    let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide/src/pictures");
    let path = pictures.join(name);
    if std::env::var_os("IRONWEAVE_BLESS").is_some() {
        fs::write(&path, text).expect("the file is written");
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let same = expected.replace('\r', "") == text;
    assert!(same, "{name} differs; IRONWEAVE_BLESS=1 writes it");
}

#[test]
fn the_pictures_of_the_guide_are_current() {
    let mut store = Store::<Shop>::memory();
    for number in 1..=3 {
        let order = Ordered {
            customer: "ada".into(),
            year: 2026,
            number,
        };
        store.step(order);
        for sku in ["tea", "milk"] {
            store.step(LineAdded {
                order: Key::new((2026_u32, number)),
                sku: sku.to_owned(),
                amount: 1,
            });
        }
    }
    let net = Shop::net();
    let all = EntityIx::all(net.entities.len());
    let order = { all }.find(|ix| net[*ix].name == "Order");
    let order = order.expect("an entity type");
    let tokens = store.by_name().tokens();
    let lifecycle = Diagram::lifecycle(&net, order).with_tokens(&tokens);
    expect("order.svg", &lifecycle.to_svg());
    expect(
        "edges.svg",
        &Diagram::edges(&net).with_tokens(&tokens).to_svg(),
    );
    expect("net.svg", &Diagram::net(&net).to_svg());
}

#[cfg(feature = "check")]
#[allow(dead_code)]
mod depot {
    include!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/guide/src/models/depot.rs"
    ));
}

#[cfg(feature = "check")]
mod states {
    use super::depot::depot::{self, Parcel, Van, state::Parked};
    use super::{checks, expect};
    use ironweave::check::Checker;
    use ironweave::prelude::*;

    fn checker(parcels: usize) -> Checker<depot::Model> {
        Checker::new()
            .entities::<Parcel>(parcels)
            .entities::<Van>(1)
    }

    #[test]
    fn the_states_in_the_guide_are_current() {
        let report = checker(1).assert_properties();
        let diagram = report.graph().expect("few states");
        checks::check_svg("states", &diagram.to_svg(), diagram.nodes.len());
        expect("states.svg", &diagram.to_svg());
    }

    #[test]
    fn nothing_overlaps_in_pictures_of_states_and_a_violation_is_marked() {
        let report = checker(2)
            .symmetry()
            .always("no van drives", |db| {
                db.count::<Van, Parked>() == db.count::<Van, Any>()
            })
            .check()
            .expect("all domains are given");
        let diagram = report.graph().expect("few states");
        // The first node is the dot before the first state.
        assert_eq!(diagram.nodes.len(), report.states() + 1);
        let svg = diagram.to_svg();
        checks::check_svg("states with a violation", &svg, diagram.nodes.len());
        let violated = diagram
            .nodes
            .iter()
            .filter(|n| n.name.ends_with(": violation"));
        assert_eq!(violated.count(), 1);
        assert!(svg.contains("does not hold"), "{svg}");
        let labels: usize = diagram.arrows.iter().map(|arrow| arrow.label.len()).sum();
        assert!(labels > 0 && diagram.to_dot().contains("VanLoaded"));
    }

    #[test]
    fn many_states_are_not_drawn() {
        let report = checker(4).assert_properties();
        let error = report.graph().expect_err("more than 200 states");
        assert_eq!(error.states, report.states());
        assert!(error.to_string().contains("at most 200"), "{error}");
    }
}
