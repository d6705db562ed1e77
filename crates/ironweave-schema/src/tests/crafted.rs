//! Crafted schemas that no program writes: each is either read correctly or refused with an error.

use crate::*;

#[test]
fn an_escape_of_two_halves_is_a_pair_or_an_error() {
    let name = |escape: &str| {
        let json = Schema::default().to_json();
        let named = json.replacen("\"name\":\"\"", &format!("\"name\":\"{escape}\""), 1);
        assert_ne!(json, named);
        Schema::from_json(&named).map(|schema| schema.name)
    };
    assert_eq!(name(r"\ud834\udd1e").as_deref(), Ok("\u{1d11e}"));
    assert_eq!(name(r"\udbff\udfff").as_deref(), Ok("\u{10ffff}"));
    for low in ["0000", "0041", "d834", "dbff", "e000", "ffff"] {
        let e = name(&format!("\\ud834\\u{low}")).expect_err("it is no pair");
        assert!(
            e.to_string().contains("an escape is not a character"),
            "{e}"
        );
    }
    for alone in [r"\ud834", r"\udd1e", r"\udd1e\ud834", r"\ud834x"] {
        assert!(name(alone).is_err(), "{alone}");
    }
}

#[test]
fn every_integer_of_cbor_is_read_from_json_as_it_was_written() {
    for major in [0, 1] {
        for n in [
            0,
            1,
            23,
            24,
            u64::from(u32::MAX),
            i64::MAX as u64,
            1 << 63,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            crate::cbor::head(&mut bytes, major, n);
            let raw = Raw::from_cbor(&bytes).expect("it is an item");
            let mut schema = Schema::default();
            schema.unknown.insert("of a newer version", raw);
            let json = schema.to_json();
            assert_eq!(Schema::from_json(&json), Ok(schema), "{json}");
        }
    }
}

#[test]
fn very_many_unknown_entries_are_not_compared_in_pairs() {
    let known = Schema::default().to_cbor();
    // A map of six entries, so that its head is one byte.
    assert_eq!(known.first(), Some(&0xa6));
    let schema = |keys: &mut dyn Iterator<Item = u64>, len: u64| {
        let mut bytes = Vec::new();
        crate::cbor::head(&mut bytes, 5, 6 + len);
        bytes.extend_from_slice(&known[1..]);
        for key in keys {
            let key = format!("{key:x}");
            crate::cbor::head(&mut bytes, 3, key.len() as u64);
            bytes.extend_from_slice(key.as_bytes());
            bytes.push(0);
        }
        Schema::from_cbor(&bytes)
    };
    // In pairs, these would be 10^10 comparisons.
    let many = 200_000;
    let read = schema(&mut (0..many), many).expect("no key occurs twice");
    assert_eq!(read.unknown_items().len() as u64, many);
    let e = schema(&mut (0..many).chain([7]), many + 1).expect_err("one does");
    assert!(e.to_string().contains("`7` occurs twice"), "{e}");
}

#[test]
fn a_key_that_refers_to_a_key_is_refused() {
    let schema = |encoding: Encoding| Schema {
        entities: vec![EntityDef {
            name: "E".into(),
            states: vec![StateDef {
                name: "S".into(),
                terminal: true,
                ..StateDef::default()
            }],
            ..EntityDef::default()
        }],
        columns: vec![ColumnDef {
            name: "k".into(),
            key: true,
            encoding: Some(encoding),
            ..ColumnDef::default()
        }],
        ..Schema::default()
    };
    schema(Encoding::Text).validate().expect("it is valid");
    for encoding in [
        Encoding::Key(EntityIx::default()),
        Encoding::Option(Box::new(Encoding::Key(EntityIx::default()))),
    ] {
        let e = schema(encoding).validate().expect_err("it has no end");
        assert_eq!(e.to_string(), "the encoding of the key `k` refers to a key");
    }
}
