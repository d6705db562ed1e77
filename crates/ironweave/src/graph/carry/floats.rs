//! Numbers of type `f32` that are carried over to a column of `f64`. Unlike integers, they are encoded with their width, so a
//! value is encoded again: a graph that is read without types must have the bytes that the types of the program would write.

use minicbor::Decoder;
use minicbor::data::Type;

use crate::schema::Encoding;

const F32: u8 = 0xfa;
const F64: u8 = 0xfb;

/// Returns whether values of an encoding have floats of 8 bytes, so that shorter ones have to be encoded again.
pub(super) fn has_f64(encoding: &Encoding) -> bool {
    match encoding {
        Encoding::F64 => true,
        Encoding::Option(of) | Encoding::List(of) => has_f64(of),
        _ => false,
    }
}

/// Appends a value with 8 bytes for each float of 4 bytes that is where the encoding has one of 8. The value may have been written with
/// an encoding that is not known. All else is appended as it is.
pub(super) fn widen(now: &Encoding, value: &[u8], to: &mut Vec<u8>) {
    let start = to.len();
    match now {
        Encoding::F64 => {
            if let [F32, bytes @ ..] = value
                && let Ok(bytes) = <[u8; 4]>::try_from(bytes)
            {
                to.push(F64);
                to.extend(f64_bits(u32::from_be_bytes(bytes)).to_be_bytes());
                return;
            }
        }
        Encoding::Option(now) => return widen(now, value, to),
        Encoding::List(now) => {
            if widen_list(now, value, to).is_some() {
                return;
            }
            to.truncate(start);
        }
        _ => {}
    }
    to.extend_from_slice(value);
}

/// As [`widen`], for a list. Returns `None` if the value is none.
fn widen_list(now: &Encoding, value: &[u8], to: &mut Vec<u8>) -> Option<()> {
    let mut list = Decoder::new(value);
    let mut left = list.array().ok()?;
    to.extend_from_slice(value.get(..list.position())?);
    loop {
        match &mut left {
            Some(0) => break,
            Some(left) => *left -= 1,
            None if list.datatype().ok()? == Type::Break => break,
            None => {}
        }
        let from = list.position();
        list.skip().ok()?;
        widen(now, value.get(from..list.position())?, to);
    }
    to.extend_from_slice(value.get(list.position()..)?);
    Some(())
}

/// Returns the bits of the `f64` with the value of an `f32`. The conversion of the processor may change the bits of a NaN, and a graph
/// must have the same ones everywhere.
fn f64_bits(bits: u32) -> u64 {
    let float = f32::from_bits(bits);
    if !float.is_nan() {
        return f64::from(float).to_bits();
    }
    let (sign, fraction) = (u64::from(bits >> 31), u64::from(bits & 0x007f_ffff));
    sign << 63 | 0x7ff << 52 | fraction << 29
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        crate::value::encode(value, &mut bytes).unwrap();
        bytes
    }

    fn widened(now: &Encoding, value: &[u8]) -> Vec<u8> {
        let mut to = Vec::new();
        widen(now, value, &mut to);
        to
    }

    #[test]
    fn a_value_is_encoded_as_the_wider_type_would_be() {
        let some = |inner: Encoding| Encoding::Option(Box::new(inner));
        let list = |inner: Encoding| Encoding::List(Box::new(inner));
        let check = |now: &Encoding, value: &[u8], expected: &[u8]| {
            assert!(has_f64(now));
            assert_eq!(widened(now, value), expected);
        };
        let wide = f64::from(0.1f32);
        check(&Encoding::F64, &encoded(&0.1f32), &encoded(&wide));
        check(&Encoding::F64, &encoded(&wide), &encoded(&wide));
        let now = some(Encoding::F64);
        check(&now, &encoded(&-1.5f32), &encoded(&-1.5f64));
        check(&now, &encoded(&None::<f32>), &encoded(&None::<f64>));
        let now = list(now);
        let (old, new) = (vec![Some(0.25f32), None], vec![Some(0.25f64), None]);
        check(&now, &encoded(&old), &encoded(&new));
        // A list of unknown length, and what is no list.
        let (head, float, rest) = ([0x9f], encoded(&0.25f32), [0xf6, 0xff]);
        let expected = [&head[..], &encoded(&0.25f64), &rest].concat();
        check(&now, &[&head[..], &float, &rest].concat(), &expected);
        check(&now, &encoded(&"no list"), &encoded(&"no list"));
        assert!(!has_f64(&list(some(Encoding::U64))));
    }

    #[test]
    fn a_number_that_is_none_keeps_its_bits() {
        for (bits, expected) in [
            (0x7fc0_0000_u32, 0x7ff8_0000_0000_0000_u64),
            (0xffc0_0001, 0xfff8_0000_2000_0000),
            (0x7f80_0001, 0x7ff0_0000_2000_0000),
            (0xff80_0000, f64::NEG_INFINITY.to_bits()),
        ] {
            let value = [&[F32][..], &bits.to_be_bytes()].concat();
            let found = widened(&Encoding::F64, &value);
            assert_eq!(found, [&[F64][..], &expected.to_be_bytes()].concat());
        }
    }
}
