//! Events and times from outside: `AnyEvent` as JSON, printed and cloned.
#![allow(missing_docs)]

use ironweave::prelude::*;
use shed::state::*;
use shed::*;

#[ironweave::model]
pub mod shed {
    use ironweave::prelude::*;

    #[entity]
    pub struct Tool {
        #[key]
        pub name: String,
        pub lent_to: Option<String>,
        pub note: Option<String>,
        pub fee: Option<u16>,
        #[default]
        pub due: Timestamp,
    }
    #[states(Tool)]
    pub enum ToolState {
        #[initial]
        #[to(Lent)]
        Here,
        #[to(Here)]
        Lent { at: Timestamp },
    }

    #[event]
    #[create(tool: Tool { name, note = None, fee = 3 })]
    pub struct Bought {
        pub name: String,
    }

    #[event]
    #[moves(tool: Here -> Lent { at })]
    #[set(tool.lent_to = to)]
    #[set(tool.fee = fee)]
    #[set(tool.note = "lent")]
    #[set(tool.due = due)]
    pub struct Lending {
        pub tool: Tool<Here>,
        #[serde(default)]
        pub to: Option<String>,
        #[serde(rename = "lentAt", alias = "at", alias = "lent_at")]
        pub at: Timestamp,
        #[serde(default = "super::standard_fee")]
        pub fee: Option<u16>,
        #[serde(default = "Timestamp::now")]
        pub due: Timestamp,
        #[serde(default)]
        pub witnesses: Vec<Key<Tool>>,
    }

    #[event]
    #[moves(tool: Lent -> Here)]
    #[set(tool.lent_to = None)]
    #[set(tool.fee = Some(7))]
    #[set(tool.note = Some("back"))]
    pub struct Return {
        pub tool: Key<Tool>,
        pub others: Vec<Ensure<Tool>>,
        pub seen: Option<Tool>,
    }

    #[event]
    pub struct Closed;
}

pub fn standard_fee() -> Option<u16> {
    Some(5)
}

fn with_saw() -> (Store<shed::Model>, Tool) {
    let mut store = Store::paranoid();
    let saw = store.step(Bought { name: "saw".into() }).created.tool;
    (store, saw)
}

fn read(json: &str) -> Result<shed::AnyEvent, String> {
    serde_json::from_str(json).map_err(|e| e.to_string())
}

#[test]
fn a_field_that_is_not_given_has_its_default() {
    let (mut store, saw) = with_saw();
    let event = read(r#"{"Lending": {"tool": "Tool/0.1", "at": "1970-01-01T00:00:01Z"}}"#);
    store
        .try_step_any(&event.expect("it reads"))
        .expect("it fires");
    assert_eq!(saw.fee(&store), &Some(5));
    assert_eq!(saw.lent_to(&store), &None);
    assert!(saw.due(&store) > Timestamp::from_secs(1));
    let lent = saw.in_state::<Lent>(&store).expect("it is lent");
    assert_eq!(lent.at(&store), Timestamp::from_secs(1));
    // Without a default it must be given, under one of its names.
    let error = read(r#"{"Lending": {"tool": "Tool/0.1"}}"#).unwrap_err();
    assert!(error.contains("missing field `lentAt`"), "{error}");
    let error = read(r#"{"Bought": {}}"#).unwrap_err();
    assert!(error.contains("missing field `name`"), "{error}");
}

#[test]
fn a_field_is_written_under_its_name_in_json_and_read_under_all_of_them() {
    let (store, saw) = with_saw();
    let at = Timestamp::from_micros(1_500_000);
    let lending = Lending {
        tool: saw.in_state::<Here>(&store).expect("it is here"),
        to: Some("ann".into()),
        at,
        fee: None,
        due: Timestamp::from_secs(2),
        witnesses: vec!["saw".into()],
    };
    let json = serde_json::to_string(&shed::AnyEvent::from(lending)).expect("it can be written");
    assert_eq!(
        json,
        r#"{"Lending":{"tool":"Tool/0.1","to":"ann","lentAt":"1970-01-01T00:00:01.500000Z","fee":null,"due":"1970-01-01T00:00:02Z","witnesses":["saw"]}}"#
    );
    for name in ["lentAt", "at", "lent_at"] {
        let event = read(&json.replace("lentAt", name)).expect("it reads");
        let shed::AnyEvent::Lending(lending) = event else {
            panic!("a lending")
        };
        assert_eq!(lending.at, at);
        assert_eq!(lending.fee, None);
    }
    let error = read(&json.replace("\"fee\"", "\"at\"")).unwrap_err();
    assert!(error.contains("duplicate field `lentAt`"), "{error}");
    let error = read(&json.replace("lentAt", "lent")).unwrap_err();
    assert!(error.contains("unknown field `lent`"), "{error}");
}

#[test]
fn an_event_of_any_type_can_be_printed_and_cloned() {
    let (mut store, saw) = with_saw();
    let events: [shed::AnyEvent; 3] = [
        Lending {
            tool: saw.in_state::<Here>(&store).expect("it is here"),
            to: Some("ann".into()),
            at: Timestamp::from_secs(1),
            fee: None,
            due: Timestamp::from_secs(2),
            witnesses: vec!["saw".into()],
        }
        .into(),
        Return {
            tool: "saw".into(),
            others: vec!["axe".into()],
            seen: Some(saw),
        }
        .into(),
        Closed.into(),
    ];
    let shown = events.each_ref().map(|event| format!("{event:?}"));
    assert_eq!(
        shown,
        [
            r#"Lending { tool: Tool/0.1, to: Some("ann"), at: 1970-01-01T00:00:01Z, fee: None, due: 1970-01-01T00:00:02Z, witnesses: [Key("saw")] }"#,
            r#"Return { tool: Key("saw"), others: [Ensure("axe")], seen: Some(Tool/0.1) }"#,
            "Closed",
        ]
    );
    for event in &events {
        assert_eq!(format!("{:?}", event.clone()), format!("{event:?}"));
        store.try_step_any(&event.clone()).expect("it fires");
    }
    // The copy of a token is stale when the first has been used.
    let again = store.try_step_any(&events[1].clone());
    assert!(matches!(again, Err(StepError::NotInPlace { .. })));
}

#[test]
fn none_and_literals_are_given_to_options() {
    let (mut store, saw) = with_saw();
    let of = |store: &Store<shed::Model>| (saw.note(store).clone(), *saw.fee(store));
    assert_eq!(of(&store), (None, Some(3)));
    store.step(Lending {
        tool: saw.in_state::<Here>(&store).expect("it is here"),
        to: Some("ann".into()),
        at: Timestamp::from_secs(1),
        fee: None,
        due: Timestamp::from_secs(2),
        witnesses: Vec::new(),
    });
    assert_eq!(of(&store), (Some("lent".into()), None));
    assert_eq!(saw.lent_to(&store).as_deref(), Some("ann"));
    store.step(Return {
        tool: "saw".into(),
        others: Vec::new(),
        seen: None,
    });
    assert_eq!(of(&store), (Some("back".into()), Some(7)));
    assert_eq!(saw.lent_to(&store), &None);
}

#[test]
fn a_time_in_json_is_rfc_3339_and_is_read_from_a_number_too() {
    let time = Timestamp::from_micros(1_700_000_000_123_456);
    let json = serde_json::to_string(&time).expect("it can be written");
    assert_eq!(json, r#""2023-11-14T22:13:20.123456Z""#);
    for text in [
        json.as_str(),
        "1700000000123456",
        r#""2023-11-14T23:13:20.123456+01:00""#,
    ] {
        let read: Timestamp = serde_json::from_str(text).expect("it can be read");
        assert_eq!(read, time, "{text}");
    }
    for text in [
        "\"yesterday\"",
        "1.5",
        "null",
        "[1]",
        "18446744073709551615",
    ] {
        let read = serde_json::from_str::<Timestamp>(text);
        assert!(read.is_err(), "{text}");
    }
}

#[test]
fn every_time_comes_back_from_json() {
    for micros in [
        i64::MIN,
        -62_167_219_200_000_001,
        -62_167_219_200_000_000,
        -1,
        0,
        253_402_300_799_999_999,
        253_402_300_800_000_000,
        i64::MAX,
    ] {
        let time = Timestamp::from_micros(micros);
        let json = serde_json::to_string(&time).expect("it can be written");
        let read: Timestamp = serde_json::from_str(&json).expect("it can be read");
        assert_eq!(read, time, "{json}");
        let map = std::collections::BTreeMap::from([(time, 1)]);
        let json = serde_json::to_string(&map).expect("it can be written");
        let read = serde_json::from_str(&json).expect("it can be read");
        assert_eq!(map, read, "{json}");
    }
    // As maps were written before.
    let read: std::collections::BTreeMap<Timestamp, u8> =
        serde_json::from_str(r#"{"1700000000123456": 1}"#).expect("it can be read");
    assert!(read.contains_key(&Timestamp::from_micros(1_700_000_000_123_456)));
}
