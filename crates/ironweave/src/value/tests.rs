//! Tests of values against another implementation of CBOR, and with bytes that no store wrote.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::*;
use crate::base::cbor::NULL;
use crate::base::time::Timestamp;

#[path = "../../tests/values/nodes.rs"]
mod nodes;

use nodes::{Draw, Node, comes_back};

fn same<T: Serialize + 'static>(value: T) {
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    encode_value(&value, &mut fast).expect("it can be written");
    encode(&value, &mut slow).expect("it can be written");
    assert_eq!(fast, slow);
    assert_eq!(
        slow,
        minicbor_serde::to_vec(&value).expect("it can be written")
    );
}

#[test]
fn plain_values_are_written_as_serde_writes_them() {
    for n in [
        0,
        1,
        23,
        24,
        255,
        256,
        65_535,
        65_536,
        i64::MAX,
        -1,
        -24,
        -25,
        i64::MIN,
    ] {
        same(n);
        same(n as u64);
        same(n as u32);
        same(n as u16);
        same(n as u8);
        same(n as i32);
        same(n as i16);
        same(n as i8);
        same(Timestamp::from_micros(n));
    }
    for n in [0, 23, 24, 300] {
        same("x".repeat(n));
    }
    same(true);
    same(false);
    same(Some(3));
    same((1u8, "a".to_owned()));
}

/// Checks that values of a type in the list of faithful types round trip.
fn round_trips<T>(values: impl IntoIterator<Item = T>)
where
    T: Serialize + DeserializeOwned + PartialEq + Clone + std::fmt::Debug + 'static,
{
    let values: Vec<T> = values.into_iter().collect();
    fn one<T>(value: T)
    where
        T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static,
    {
        assert!(is_faithful::<T>());
        let mut bytes = Vec::new();
        let compared = faithful::encode_compared(&value, &mut bytes, Some(equal::<T>));
        compared.expect("it comes back");
        let mut known = Vec::new();
        encode_faithful(&value, &mut known, || None).expect("it can be written");
        assert_eq!(known, bytes);
        assert_eq!(decode::<T>(&bytes).expect("it can be read"), value);
    }
    for value in &values {
        one(value.clone());
        one(Some(value.clone()));
        one(vec![Some(value.clone()), None]);
    }
    one(None::<T>);
    one(Some(values.clone()));
    one(values);
}

#[test]
fn faithful_types_round_trip() {
    use std::time::Duration;
    round_trips([0, 23, 24, u64::MAX]);
    round_trips([0, u32::MAX]);
    round_trips([0, u16::MAX]);
    round_trips([0, u8::MAX]);
    round_trips([0, usize::MAX]);
    round_trips([0, i64::MAX, i64::MIN]);
    round_trips([0, i32::MAX, i32::MIN]);
    round_trips([0, i16::MAX, i16::MIN]);
    round_trips([0, i8::MAX, i8::MIN]);
    round_trips([0, isize::MAX, isize::MIN]);
    round_trips([0, u128::from(u64::MAX), 1 << 64, u128::MAX]);
    round_trips([0, -1, -(1 << 64), -(1 << 64) - 1, i128::MAX, i128::MIN]);
    round_trips([0.0, -0.0, f64::INFINITY, f64::MIN_POSITIVE / 2.0]);
    round_trips([0.0, -0.0, f32::NEG_INFINITY, f32::MIN_POSITIVE / 2.0]);
    round_trips(['\0', 'a', '\u{10ffff}']);
    round_trips([true, false]);
    round_trips(["", "ä\n"].map(str::to_owned));
    round_trips([Duration::ZERO, Duration::MAX]);
    round_trips([
        Timestamp::from_micros(i64::MIN),
        Timestamp::from_micros(i64::MAX),
    ]);
    round_trips(["", "/a/ä"].map(std::path::PathBuf::from));
    assert!(is_faithful::<()>());
}

#[test]
fn random_values_are_encoded_and_decoded_as_by_another_implementation() {
    let (mut kept, mut refused) = (0, 0);
    for seed in 0..20_000 {
        let node = Draw(seed).node(4);
        let mut bytes = Vec::new();
        encode(&node, &mut bytes).expect("it can be written");
        assert_eq!(
            bytes,
            minicbor_serde::to_vec(&node).expect("it can be written"),
            "{node:?}"
        );
        let ours = decode::<Node>(&bytes).map(|node| format!("{node:?}")).ok();
        let theirs: Result<Node, _> = minicbor_serde::from_slice(&bytes);
        assert_eq!(
            ours,
            theirs.map(|node| format!("{node:?}")).ok(),
            "{node:?}"
        );

        let mut compared = vec![1, 2, 3];
        let result = encode_faithful(&node, &mut compared, || Some(equal::<Node>));
        assert_eq!(
            result.is_ok(),
            comes_back(&node),
            "seed {seed}, {result:?}: {node:?}"
        );
        if result.is_ok() {
            assert_eq!(compared[3..], bytes);
            kept += 1;
        } else {
            assert_eq!(compared, [1, 2, 3]);
            refused += 1;
        }
    }
    assert!(kept > 2_000 && refused > 2_000, "{kept} and {refused}");
}

#[test]
fn random_bytes_are_rejected_or_decoded_without_panic() {
    let mut read = 0;
    for seed in 0..20_000 {
        let mut draw = Draw(seed);
        let mut bytes = Vec::new();
        encode(&draw.node(3), &mut bytes).expect("it can be written");
        for _ in 0..=draw.below(3) {
            let at = draw.below(bytes.len());
            bytes[at] = draw.below(256) as u8;
        }
        read += usize::from(decode::<Node>(&bytes).is_ok());
    }
    assert!(read > 0);
}

/// A type whose levels take no bytes in the encoding.
#[derive(Debug, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

#[test]
fn bytes_that_are_nested_too_deep_are_rejected_before_the_stack_overflows() {
    let nested = |levels: usize| [vec![0x81; levels], vec![0x01]].concat();
    assert!(decode::<serde_json::Value>(&nested(DEPTH_READ_MAX as usize)).is_ok());
    for levels in [DEPTH_READ_MAX as usize + 1, 1_000_000] {
        let e = decode::<serde_json::Value>(&nested(levels)).expect_err("it is too deep");
        assert!(e.to_string().contains("nested too deep"), "{e}");
    }
    // The value would have infinitely many levels in one byte.
    assert!(decode::<Chain>(&[0x01]).is_err());
    assert!(decode::<Chain>(&[NULL]).is_ok());
}

#[test]
fn bytes_after_a_value_are_rejected() {
    assert!(decode::<u8>(&[1]).is_ok());
    let e = decode::<u8>(&[1, 2]).expect_err("something follows");
    assert!(e.to_string().contains("1 bytes follow"), "{e}");
}

/// A later version of `More`, without a variant.
#[derive(Debug, PartialEq, Deserialize)]
enum Fewer {
    Kept(u8),
    #[serde(other)]
    Gone,
}

#[test]
fn the_data_of_a_removed_variant_is_skipped() {
    let mut bytes = Vec::new();
    #[derive(Serialize)]
    enum More {
        Kept(u8),
        Lost { all: Vec<u8> },
    }
    let all = vec![1, 2];
    encode(&[More::Lost { all }, More::Kept(3)], &mut bytes).expect("it can be written");
    let read: Vec<Fewer> = decode(&bytes).expect("it can be read");
    assert_eq!(read, [Fewer::Gone, Fewer::Kept(3)]);
}
