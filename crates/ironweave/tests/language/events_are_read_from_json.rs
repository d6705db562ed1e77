//! An event of any type is read from JSON and written to it, printed and cloned.

use ironweave::prelude::*;

use crate::harness::assert_sound;
use crate::shed::{self, state::*, *};
use crate::shop;

fn read(json: &str) -> Result<shed::AnyEvent, String> {
    serde_json::from_str(json).map_err(|e| e.to_string())
}

#[test]
fn events_are_read_from_json_and_written_to_it() {
    let mut store = shop::store();
    let json = r#"{"Ordered": {"customer": "ada", "year": 2026, "number": 1}}"#;
    let event: shop::AnyEvent = serde_json::from_str(json).expect("an event");
    let receipt = store.try_step_any(&event).expect("the event fires");
    assert_eq!(receipt.names[1].0.as_ref(), "order");
    assert_eq!(receipt.names[1].1[0].to_string(), "Order/0.1");
    let json = r#"{"Moved":{"customer":"ada","credit":3}}"#;
    let event: shop::AnyEvent = serde_json::from_str(json).expect("the city may be left out");
    store.try_step_any(&event).expect("the event fires");
    let order = store.find::<shop::Order>(&(2026, 1)).expect("ordered");
    let json = serde_json::to_string(&shop::AnyEvent::from(shop::OrderDropped { order }));
    assert_eq!(
        json.expect("the value can be serialized"),
        r#"{"OrderDropped":{"order":"Order/0.1"}}"#
    );
    let wrong = |json: &str| {
        let event: Result<shop::AnyEvent, _> = serde_json::from_str(json);
        event.expect_err("no event").to_string()
    };
    assert!(wrong(r#"{"Orderd": {}}"#).contains("unknown variant `Orderd`, expected one of"));
    assert!(wrong(r#"{"OrderDropped": {}}"#).contains("missing field `order`"));
    assert!(wrong(r#"{"OrderDropped": {"ordr": 1}}"#).contains("unknown field `ordr`"));
    assert!(
        wrong(r#"{"OrderDropped": {"order": "Line/0.1"}}"#).contains("`Line/0.1` is not an Order")
    );
    assert_sound(&store);
}

#[test]
fn a_field_that_is_not_given_has_its_default() {
    let (mut store, saw) = with_saw();
    let event = read(r#"{"Lending": {"tool": "Tool/0.1", "at": "1970-01-01T00:00:01Z"}}"#);
    store
        .try_step_any(&event.expect("the JSON is an event"))
        .expect("the event fires");
    assert_eq!(saw.fee(&store), &Some(5));
    assert_eq!(saw.lent_to(&store), &None);
    assert!(saw.due(&store) > Timestamp::from_secs(1));
    let lent = saw.in_state::<Lent>(&store).expect("it is lent");
    assert_eq!(lent.at(&store), Timestamp::from_secs(1));
    // A field without a default must be given, under one of its names.
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
        tool: saw.in_state::<Here>(&store).expect("the tool is here"),
        to: Some("ann".into()),
        at,
        fee: None,
        due: Timestamp::from_secs(2),
        witnesses: vec!["saw".into()],
    };
    let json =
        serde_json::to_string(&shed::AnyEvent::from(lending)).expect("the value can be serialized");
    assert_eq!(
        json,
        r#"{"Lending":{"tool":"Tool/0.1","to":"ann","lentAt":"1970-01-01T00:00:01.500000Z","fee":null,"due":"1970-01-01T00:00:02Z","witnesses":["saw"]}}"#
    );
    for name in ["lentAt", "at", "lent_at"] {
        let event = read(&json.replace("lentAt", name)).expect("the JSON is an event");
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
            tool: saw.in_state::<Here>(&store).expect("the tool is here"),
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
        store.try_step_any(&event.clone()).expect("the event fires");
    }
    // The copy of a token is stale when the first has been used.
    let again = store.try_step_any(&events[1].clone());
    assert!(matches!(again, Err(StepError::NotInPlace { .. })));
}
