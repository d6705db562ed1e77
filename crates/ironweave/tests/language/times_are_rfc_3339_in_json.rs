//! A time in JSON is text by RFC 3339; a number of microseconds is read too.

use ironweave::prelude::*;

#[test]
fn a_time_in_json_is_rfc_3339_and_is_read_from_a_number_too() {
    let time = Timestamp::from_micros(1_700_000_000_123_456);
    let json = serde_json::to_string(&time).expect("the value can be serialized");
    assert_eq!(json, r#""2023-11-14T22:13:20.123456Z""#);
    for text in [
        json.as_str(),
        "1700000000123456",
        r#""2023-11-14T23:13:20.123456+01:00""#,
    ] {
        let read: Timestamp = serde_json::from_str(text).expect("the value can be deserialized");
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
        let json = serde_json::to_string(&time).expect("the value can be serialized");
        let read: Timestamp = serde_json::from_str(&json).expect("the value can be deserialized");
        assert_eq!(read, time, "{json}");
        let map = std::collections::BTreeMap::from([(time, 1)]);
        let json = serde_json::to_string(&map).expect("the value can be serialized");
        let read = serde_json::from_str(&json).expect("the value can be deserialized");
        assert_eq!(map, read, "{json}");
    }
    // A map with times as numbers, as earlier versions wrote it, is read too.
    let read: std::collections::BTreeMap<Timestamp, u8> =
        serde_json::from_str(r#"{"1700000000123456": 1}"#).expect("the value can be deserialized");
    assert!(read.contains_key(&Timestamp::from_micros(1_700_000_000_123_456)));
}
