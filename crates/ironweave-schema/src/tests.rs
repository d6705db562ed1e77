//! Round trips of random schemas through CBOR and JSON, items of a newer version, and errors of malformed input.

mod crafted;
mod pairs;
mod random;
mod renamed;
mod verdicts;

use self::random::Random;
use crate::*;

#[test]
fn random_schemas_are_read_as_they_were_written() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..2_000 {
        let schema = random.schema();
        let bytes = schema.to_cbor();
        assert_eq!(Schema::from_cbor(&bytes).expect("it was written"), schema);
        let text = schema.to_json();
        let read = Schema::from_json(&text).expect("it was written");
        assert_eq!(read, schema, "{text}");
        let lines = schema.to_json_lines();
        assert_eq!(Schema::from_json(&lines).as_ref(), Ok(&schema), "{lines}");
        assert_eq!(read.to_cbor(), bytes);
    }
}

#[test]
fn the_diff_is_empty_exactly_where_two_schemas_are_the_same() {
    let mut random = Random(7);
    for _ in 0..2_000 {
        let (a, b) = (random.schema(), random.schema());
        assert_eq!(a.diff(&a), []);
        assert_eq!(a.diff(&b).is_empty(), a.is_same(&b));
        let mut other = a.clone();
        match random.below(5) {
            0 => other.entities.reverse(),
            1 => other.columns = random.list(Random::column),
            2 => other.events.reverse(),
            3 => other.events.push(random.event()),
            _ => other.unknown = random.unknown(),
        }
        assert_eq!(a.diff(&other).is_empty(), a.is_same(&other));
        for change in a.diff(&other) {
            assert!(!change.to_string().is_empty());
        }
    }
}

#[test]
fn a_schema_that_is_cut_off_or_mutated_is_an_error_or_a_schema() {
    let mut random = Random(11);
    for _ in 0..20 {
        let bytes = random.schema().to_cbor();
        for len in 0..bytes.len() {
            assert!(Schema::from_cbor(&bytes[..len]).is_err());
        }
        for _ in 0..100 {
            let mut bytes = bytes.clone();
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.below(256) as u8;
            if let Ok(schema) = Schema::from_cbor(&bytes) {
                let again = Schema::from_cbor(&schema.to_cbor()).expect("it was written");
                assert_eq!(again, schema);
                assert!(schema.diff(&schema).is_empty());
                let _ = schema.validate();
            }
        }
    }
}

/// A schema with an unknown entry in each item that can preserve one.
const NEWER: &str = concat!(
    r#"{"name":"clinic","entities":[{"name":"Bed","states":[{"name":"Free","terminal":false,"#,
    r#""to":[{"to":0,"verb":"stay","cost":-3}],"within":"1h"}],"initial":0,"ward":{"x":[null,true]}}],"#,
    r#""columns":[{"entity":0,"state":null,"name":"label","ty":"String","key":false,"index":"Fulltext","#,
    r#""default":null,"encoding":{"Map":["Text","U8"]}},{"entity":0,"state":null,"name":"no","ty":"u8","#,
    r#""key":false,"index":null,"default":null,"encoding":"U8"}],"edges":[{"from":{"entity":0,"name":"next","#,
    r#""cardinality":{"Up":3},"min":0,"max":null,"on_delete":"Unlink","counted":false},"to":{"entity":0,"#,
    r#""name":"before","cardinality":"Many","min":0,"max":null,"on_delete":"Freeze","counted":false},"#,
    r#""data":null,"acyclic":false}],"events":[{"name":"Tick","immediate":false,"fields":[],"names":[],"#,
    r#""arcs":[{"Sleep":{"for":5}},{"Delete":{"path":{"root":0,"hops":[],"filter":1}}}],"#,
    r#""mays":[{"Delete":0},"Sleep"],"guards":[]}],"invariants":[{"name":"Fine","entity":0,"#,
    r#""via":[{"edge":0,"forward":true,"twice":true}],"check":"f"}],"regions":{"$cbor":"f93c00"}}"#
);

#[test]
fn what_a_newer_version_has_added_is_kept_and_shown() {
    let schema = Schema::from_json(NEWER).expect("a schema");
    let read = Schema::from_cbor(&schema.to_cbor()).expect("a schema");
    assert_eq!(read, schema);
    assert_eq!(read.to_json(), NEWER);
    let shown: Vec<String> = schema
        .unknown_items()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        [
            r#"`regions` of model `clinic`: {"$cbor":"f93c00"}"#,
            r#"`ward` of entity `Bed`: {"x":[null,true]}"#,
            r#"`within` of state `Bed::Free`: "1h""#,
            "`cost` of state `Bed::Free`: -3",
            r#"`index` of field `Bed.label`: "Fulltext""#,
            r#"`encoding` of field `Bed.label`: {"Map":["Text","U8"]}"#,
            r#"`cardinality` of edge `Bed.next <-> Bed.before`: {"Up":3}"#,
            r#"`on_delete` of edge `Bed.next <-> Bed.before`: "Freeze""#,
            r#"`arc` of event `Tick`: {"Sleep":{"for":5}}"#,
            r#"`arc` of event `Tick`: {"Delete":{"path":{"root":0,"hops":[],"filter":1}}}"#,
            r#"`may` of event `Tick`: "Sleep""#,
            r#"`via` of invariant `Fine`: [{"edge":0,"forward":true,"twice":true}]"#,
        ]
    );
    let mut older = schema.clone();
    older.unknown = Unknown::default();
    older.events[0].arcs.remove(0);
    let changes: Vec<String> = older
        .diff(&schema)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        changes,
        [
            r#"model `clinic` now has `regions: {"$cbor":"f93c00"}`, which this version does not know"#,
            r#"event `Tick` now has `arc: {"Sleep":{"for":5}}`, which this version does not know"#,
        ]
    );
}

#[test]
fn an_unknown_entry_of_an_edge_is_kept_and_shown() {
    let newer = NEWER.replacen("\"edges\":[{", "\"edges\":[{\"weight\":1,", 1);
    let schema = Schema::from_json(&newer).expect("a schema");
    let read = Schema::from_cbor(&schema.to_cbor()).expect("a schema");
    let shown: Vec<String> = (read.unknown_items().iter())
        .map(ToString::to_string)
        .collect();
    let weight = "`weight` of edge `Bed.next <-> Bed.before`: 1".to_owned();
    assert!(shown.contains(&weight), "{shown:?}");
}

#[test]
fn what_is_no_schema_is_an_error_that_says_why() {
    let cases: [(&[u8], &str); 7] = [
        (b"\x05", "expected a map"),
        (b"\xa0", "`name` is missing"),
        (b"\xa2\x64name\x61a\x64name\x61b", "`name` occurs twice"),
        (b"\xa1\x64name\x05", "expected a text"),
        (
            b"\xb8\x01\x64name\x61a",
            "a head is not in its shortest form",
        ),
        (b"\xbf\xff", "an item has no definite length"),
        (b"\xa1\x68entities\xff", "an item has no definite length"),
    ];
    for (bytes, why) in cases {
        let error = Schema::from_cbor(bytes).expect_err("no schema").to_string();
        assert!(error.ends_with(why), "{error}");
    }
    let mut behind = Schema::default().to_cbor();
    behind.push(0);
    let error = Schema::from_cbor(&behind)
        .expect_err("no schema")
        .to_string();
    assert!(error.ends_with("1 bytes follow it"), "{error}");
}

#[test]
fn an_unknown_item_may_be_nested_as_deep_as_a_value() {
    let nested = |depth: usize| [vec![0x81; depth], vec![0]].concat();
    assert!(Raw::from_cbor(&nested(256)).is_ok());
    let error = Raw::from_cbor(&nested(257))
        .expect_err("too deep")
        .to_string();
    assert!(
        error.ends_with("a value is nested deeper than 256 levels"),
        "{error}"
    );
    let deep = format!("{}0{}", "[".repeat(100_000), "]".repeat(100_000));
    let error = Schema::from_json(&format!("{{\"x\":{deep}}}")).expect_err("too deep");
    assert!(
        error
            .to_string()
            .ends_with("a value is nested deeper than 256 levels"),
        "{error}"
    );
}

#[test]
fn json_is_read_as_others_write_it() {
    let text = "{ \"name\" : \"\\u0041\\ud834\\udd1e\\n\",\n \"entities\": [ ], \"columns\":[],\
                \"edges\":[],\"events\":[],\"invariants\":[] }";
    let schema = Schema::from_json(text).expect("a schema");
    assert_eq!(schema.name, "A𝄞\n");
    for wrong in [
        "1.5",
        "1e3",
        "01",
        "-",
        "\"",
        "[1,]",
        "nul",
        "18446744073709551616",
    ] {
        let text = format!("{{\"x\":{wrong}}}");
        let error = Schema::from_json(&text).expect_err("no JSON").to_string();
        assert!(!error.ends_with("missing"), "{wrong}: {error}");
    }
}

#[test]
fn an_encoding_that_is_not_known_is_no_difference() {
    let column = |encoding: Option<Encoding>| Schema {
        columns: vec![ColumnDef {
            name: "n".to_owned(),
            encoding,
            ..ColumnDef::default()
        }],
        ..Schema::default()
    };
    let [none, small, large, text] = [
        None,
        Some(Encoding::U8),
        Some(Encoding::U64),
        Some(Encoding::Text),
    ]
    .map(column);
    assert!(none.is_same(&small) && none.diff(&small).is_empty());
    assert!(!small.is_same(&large));
    let shape = |was: &Schema, now: &Schema| {
        let differences = was.compatibility(now).differences;
        differences.iter().any(Difference::is_of_shape)
    };
    assert!(
        !shape(&small, &large),
        "a wider number reads the narrower ones"
    );
    assert!(shape(&large, &small) && shape(&large, &text));
    let [single, double] = [Encoding::F32, Encoding::F64].map(|encoding| column(Some(encoding)));
    assert!(
        shape(&single, &double),
        "the values are encoded again as wider ones"
    );
    let old = small.to_cbor();
    assert!(
        none.to_cbor().len() < old.len(),
        "an encoding that is not known is not written"
    );
}

#[test]
fn json_of_several_lines_has_one_for_each_item() {
    let schema = Schema::from_json(NEWER).expect("a schema");
    let lines = schema.to_json_lines();
    assert_eq!(Schema::from_json(&lines).as_ref(), Ok(&schema));
    let starts: Vec<&str> = lines
        .lines()
        .map(|line| line.get(..9).unwrap_or(line))
        .collect();
    assert_eq!(
        starts.join("|"),
        concat!(
            "{| \"name\":\"| \"entitie|  {\"name\"| ],| \"columns|  {\"entit|  {\"entit| ],| \"edges\":|  {\"from\"| ],|",
            " \"events\"|  {\"name\"| ],| \"invaria|  {\"name\"| ],| \"regions|  \"$cbor\"| }|}"
        )
    );
}

#[test]
fn a_position_that_is_too_large_for_an_index_is_an_error() {
    assert_eq!(EntityIx::try_from(65_535usize), Ok(EntityIx::MAX));
    assert_eq!(EntityIx::try_from(65_536usize), Err(TooMany));
    assert_eq!(StateIx::try_from(256usize), Err(TooMany));
    assert_eq!(StateIx::all(300).count(), 256);
    let ix = StateIx::new(7);
    assert_eq!(
        (usize::from(ix), ix.to_string(), format!("{ix:?}")),
        (7, "7".into(), "7".into())
    );
}

/// A schema of one entity type with two states, one event and one edge.
const SMALL: &str = concat!(
    r#"{"name":"clinic","entities":[{"name":"Bed","states":[{"name":"Free","terminal":false,"to":[]},"#,
    r#"{"name":"Taken","terminal":false,"to":[]}],"initial":0},{"name":"Ward","states":[],"initial":0}],"#,
    r#""columns":[{"entity":0,"state":null,"name":"no","ty":"u8","key":false,"index":null,"default":null,"#,
    r#""encoding":"U8"}],"edges":[{"from":{"entity":0,"name":"next","cardinality":"Many","min":0,"max":null,"#,
    r#""on_delete":"Unlink","counted":false},"to":{"entity":0,"name":"before","cardinality":"Many","min":0,"#,
    r#""max":null,"on_delete":"Unlink","counted":false},"data":null,"acyclic":false}],"#,
    r#""events":[{"name":"Tick","immediate":false,"fields":[],"names":[],"arcs":[],"mays":[],"guards":[]}],"#,
    r#""invariants":[]}"#
);

#[test]
fn the_diff_names_each_kind_of_change() {
    type Edit = fn(&mut Schema);
    let cases: [(Edit, &str); 10] = [
        (
            |s| s.name = "ward".into(),
            "the name of the model was `clinic` and is now `ward`",
        ),
        (|s| s.entities.truncate(1), "entity `Ward` was removed"),
        (
            |s| s.entities[0].states[1].terminal = true,
            "state `Bed::Taken` is now terminal",
        ),
        (|s| s.columns[0].key = true, "field `Bed.no` is now a key"),
        (
            |s| s.columns[0].ty = "u16".into(),
            "the type of field `Bed.no` was `u8` and is now `u16`",
        ),
        (
            |s| s.edges[0].acyclic = true,
            "edge `Bed.next <-> Bed.before` is now acyclic",
        ),
        (
            |s| s.edges[0].to.counted = true,
            "edge `Bed.next <-> Bed.before` is now counted at `Bed.before`",
        ),
        (
            |s| s.edges[0].from.max = Some(3),
            "the `max` of edge `Bed.next <-> Bed.before` at `Bed.next` was `none` and is now `3`",
        ),
        (
            |s| s.events[0].immediate = true,
            "event `Tick` is now immediate",
        ),
        (
            |s| s.entities[0].states.reverse(),
            "the states of entity `Bed` are in another order",
        ),
    ];
    let schema = Schema::from_json(SMALL).expect("a schema");
    for (edit, shown) in cases {
        let mut later = schema.clone();
        edit(&mut later);
        let changes: Vec<String> = (schema.diff(&later).iter())
            .map(ToString::to_string)
            .collect();
        assert!(
            changes.iter().any(|change| change == shown),
            "{shown}: {changes:?}"
        );
    }
}
