use ironweave::dynamic::{Dynamic, EntityView, GraphView};
use ironweave::prelude::*;
use ironweave::schema::Encoding;
use ironweave::{ErrorKind, NameError};
use serde_json::json;

use crate::harness::{copy_dir, temp_dir};
use crate::logged::{Label, shop};

/// Calls `test` with the committed log of each construct, with the types of its model and without them.
fn each(test: impl Fn(&Store<shop::Model>, GraphView<'_>)) {
    let dir = temp_dir();
    let logs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs");
    copy_dir(&logs.join("version3/constructs"), dir.path());
    let typed = Store::<shop::Model>::open_read_only(dir.path()).expect("the log can be read");
    let dynamic = Store::<Dynamic>::open_read_only(dir.path()).expect("the log can be read");
    test(&typed, typed.by_name());
    test(&typed, dynamic.by_name());
    test(&typed, dynamic.snapshot().by_name());
    test(&typed, dynamic.as_of(37).expect("the end").by_name());
}

fn found<'g>(graph: GraphView<'g>, ty: &str, key: &str) -> EntityView<'g> {
    let found = graph.find(ty, key).expect("a key");
    found.unwrap_or_else(|| panic!("there is no {ty} {key}"))
}

#[test]
fn values_are_those_of_the_types() {
    each(|store, graph| {
        use shop::*;
        let ada = store.find::<Customer>("ada").expect("it exists");
        let named = found(graph, "Customer", "ada");
        assert_eq!(named.id(), ada.id());
        let field = |name: &str| named.field(name).expect("a field").expect("a value");
        assert_eq!(field("credit").value(), Some(ada.credit(store)));
        assert_eq!(field("credit").to_string(), "-5");
        assert_eq!(field("city").value(), Some(ada.city(store).clone()));
        assert_eq!(field("city").to_string(), "\"London\"");
        assert_eq!(
            field("label").value::<Label>().as_ref(),
            Some(ada.label(store))
        );
        assert_eq!(field("label").encoding(), Some(&Encoding::Serde));
        let json = serde_json::to_value(field("label")).expect("it is JSON");
        assert_eq!(json["kind"], json!({"Ranged": {"from": -1, "to": 9}}));
        assert_eq!(
            (field("name").text().as_deref(), field("label").text()),
            (Some("ada"), None)
        );
        let all: Vec<&str> = named.fields().map(|(name, _)| name).collect();
        assert_eq!(all, ["name", "city", "credit", "note", "label", "seen_by"]);

        let order = store.find::<Order>(&(2026, 1)).expect("it exists");
        let named = found(graph, "Order", "2026, 1");
        assert_eq!((named.id(), named.state()), (order.id(), "Paid"));
        let paid = order.in_state::<state::Paid>(store).expect("it is paid");
        let data: Vec<(&str, String)> = named.data().map(|(n, v)| (n, v.to_string())).collect();
        let at = paid.at(store).to_string();
        let expected = [("at", &*at), ("by", "\"packed\""), ("beats", "7")];
        assert_eq!(data, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(
            named
                .field("by")
                .expect("data")
                .expect("a value")
                .to_string(),
            "\"packed\""
        );
        let json = serde_json::to_value(named).expect("it is JSON");
        let data = json!({"at": at, "by": "packed", "beats": 7});
        assert_eq!(
            json,
            json!({"entity": named.handle(), "state": "Paid", "fields": {"year": 2026, "number": 1}, "data": data})
        );
        // Another order is in another state.
        let mut orders = graph.entity_type("Order").expect("a type").entities();
        let other = orders
            .find(|order| order.state() != "Paid")
            .expect("one is not paid");
        assert_eq!(other.field("by").expect("data of a state"), None);
        assert_eq!(other.data().count(), 0);
    });
}

#[test]
fn links_are_read_from_both_ends_with_their_data() {
    each(|store, graph| {
        use shop::*;
        let order = store.find::<Order>(&(2026, 1)).expect("it exists");
        let named = found(graph, "Order", "2026, 1");
        let lines: Vec<(Id, Option<u32>)> = (named.links("lines").expect("an edge"))
            .map(|link| {
                (
                    link.entity().id(),
                    link.data().and_then(|data| data.value()),
                )
            })
            .collect();
        let expected: Vec<(Id, Option<u32>)> = (order.lines(store))
            .map(|line| (line.id(), order.lines_data(store, &line)))
            .collect();
        assert_eq!(lines, expected);
        assert_eq!(named.degree("lines").expect("an edge"), 3);
        for link in named.links("lines").expect("an edge") {
            let mut back = link.entity().links("order").expect("the inverse end");
            let back = back.next().expect("each line has an order");
            assert_eq!(back.entity(), named);
            assert_eq!(back.data(), link.data());
        }
        let mut customer = named.links("customer").expect("an edge");
        let customer = customer.next().expect("it has one");
        assert_eq!(
            (customer.entity().label(), customer.data()),
            ("ada".to_owned(), None)
        );
        let edges: Vec<&str> = graph.entity_type("Tag").expect("a type").edges().collect();
        assert_eq!(edges, ["orders", "badge"]);
    });
}

#[test]
fn entities_are_found_by_the_text_of_their_keys() {
    each(|store, graph| {
        use shop::*;
        let orders = graph.entity_type("Order").expect("a type");
        for text in ["2026, 1", "2026,1", " 2026 , 1 ", "(2026, 1)", "( 2026,1 )"] {
            let order = orders.find(text).expect("a key");
            let order = order.expect("it exists");
            assert_eq!(
                (order.label(), order.to_string()),
                ("2026, 1".into(), "Order 2026, 1".into())
            );
            assert_eq!(orders.at_handle(&order.handle()), Some(order));
            assert_eq!(
                graph.entity(&order.handle()).expect("a handle"),
                Some(order)
            );
        }
        assert_eq!(orders.find("2026, 77").expect("a key"), None);
        let key = [0x82, 0x19, 0x07, 0xea, 0x01];
        assert_eq!(
            orders.find_encoded(&key).expect("a key"),
            orders.find("2026, 1").expect("a key")
        );
        for text in ["ada", "\"ada\""] {
            assert_eq!(found(graph, "Customer", text).label(), "ada");
        }
        // Without a key, the label is the handle.
        let line = graph.entity_type("Line").expect("a type").entities().next();
        let line = line.expect("there is a line");
        assert_eq!(line.label(), line.handle());
        assert_eq!(store.count::<Line, Any>(), line.entity_type().count());
        assert_eq!(graph.entity("Line/77.1").expect("a handle"), None);
    });
}

#[test]
fn any_text_is_a_name_or_key_of_something_or_an_error() {
    let long = "x".repeat(100_000);
    let texts = [
        "",
        " ",
        ",",
        "(",
        ")",
        "()",
        "(,)",
        "\"",
        "\"\"",
        "\\",
        "\"\\",
        "\"\\u{",
        "\"\\u{110000}\"",
        "/",
        "-",
        ".",
        "0.0",
        "1.",
        ".1",
        "-1",
        "-1.1",
        "4294967295.16777215",
        "4294967296.1",
        "1.16777216",
        "18446744073709551616",
        "Order",
        "Order/",
        "Order/1",
        "Order/99.1",
        "Line-0.1",
        "Line/0.1",
        "Lineage/0.1",
        "1e400",
        "nan",
        "null",
        "true",
        "\0",
        "\u{1b}[31m",
        "ü",
        "日本, 1",
        "'",
        "''",
        "Paid.by",
        "Order.year",
        &long,
    ];
    each(|_, graph| {
        for text in texts {
            let _ = graph.entity_type(text);
            let _ = graph.entity(text);
            for ty in graph.entity_types() {
                let _ = (ty.find(text), ty.at_handle(text));
                let _ = (ty.count_in(text), ty.data_of(text).is_ok());
                let _ = ty.find_encoded(text.as_bytes());
                assert!(ty.entities_in(text).is_err(), "{text}");
                for entity in ty.entities() {
                    assert!(entity.field(text).is_err(), "{text}");
                    assert!(entity.links(text).is_err() && entity.degree(text).is_err());
                }
            }
        }
    });
}

#[test]
fn what_the_schema_does_not_have_is_an_error_with_similar_names() {
    each(|_, graph| {
        let order = found(graph, "Order", "2026, 1");
        let errors: Vec<NameError> = vec![
            graph.entity_type("Ordre").expect_err("another name"),
            order
                .entity_type()
                .count_in("Payed")
                .expect_err("another name"),
            order.field("numbers").expect_err("another name"),
            order.links("line").map(drop).expect_err("another name"),
            graph.find("Line", "1").expect_err("it has no key"),
            graph.find("Order", "2026").expect_err("it has two parts"),
            graph.find("Order", "2026, x").expect_err("it is a number"),
            graph.entity("Order").expect_err("it has no id"),
        ];
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "the model has no entity type `Ordre`; did you mean `Order`?",
                "`Order` has no state `Payed`; did you mean `Paid`?",
                "`Order` has no field `numbers`; did you mean `number`?",
                "`Order` has no edge `line`; did you mean `lines`?",
                "`Line` has no key; name its entities by handles, as in `Line/3.1`",
                "`2026` is not a key of `Order`; write its 2 parts with commas between them: year, number",
                "`2026, x` is not a key of `Order`; write a number (u64) for `number`",
                "`Order` is not a handle; write an entity type, a slot and a generation, as in `Order/3.1`",
            ]
        );
        let kinds: Vec<ErrorKind> = errors.iter().map(NameError::kind).collect();
        assert_eq!(kinds[..4], [ErrorKind::NotFound; 4]);
        assert_eq!(kinds[4..], [ErrorKind::Invalid; 4]);
        let error = graph.entity_type("Zebra").expect_err("there is none");
        assert_eq!(error.to_string(), "the model has no entity type `Zebra`");
    });
}
