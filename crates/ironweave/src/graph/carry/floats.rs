//! Numbers of type `f32` that are carried over to a column of `f64`. Unlike integers, they are encoded with their width, so a
//! value is encoded again: a graph that is read without types must have the bytes that the types of the program would write.

use minicbor::Decoder;

use crate::schema::Encoding;

const F32: u8 = 0xfa;
const F64: u8 = 0xfb;

/// Returns an encoding with `f32` in each place in which another one has `f64` and it has `f32`.
pub(super) fn narrowed(now: &Encoding, was: &Encoding) -> Encoding {
    let inner = |now: &Encoding, was: &Encoding| Box::new(narrowed(now, was));
    match (now, was) {
        (Encoding::F64, Encoding::F32) => Encoding::F32,
        (Encoding::Option(now), Encoding::Option(was)) => Encoding::Option(inner(now, was)),
        (Encoding::Option(now), was) => Encoding::Option(inner(now, was)),
        (Encoding::List(now), Encoding::List(was)) => Encoding::List(inner(now, was)),
        (now, _) => now.clone(),
    }
}

/// Returns whether values of one encoding have to be encoded again for another one.
pub(super) fn are_widened(now: &Encoding, was: &Encoding) -> bool {
    narrowed(now, was) != *now
}

/// Encodes a value again. A value that is not of the encoding is left as it is.
pub(super) fn widened(now: &Encoding, was: &Encoding, value: &[u8], to: &mut Vec<u8>) {
    match (now, was) {
        (Encoding::F64, Encoding::F32) => {
            if let [F32, bytes @ ..] = value
                && let Ok(bytes) = <[u8; 4]>::try_from(bytes)
            {
                to.push(F64);
                to.extend(f64::from(f32::from_be_bytes(bytes)).to_be_bytes());
                return;
            }
        }
        (Encoding::Option(now), Encoding::Option(was)) => return widened(now, was, value, to),
        (Encoding::Option(now), was) => return widened(now, was, value, to),
        (Encoding::List(now), Encoding::List(was)) => {
            let mut list = Decoder::new(value);
            if let Ok(Some(count)) = list.array() {
                let mut items = Vec::new();
                items.extend_from_slice(&value[..list.position()]);
                for _ in 0..count {
                    let from = list.position();
                    if list.skip().is_err() {
                        to.extend_from_slice(value);
                        return;
                    }
                    widened(now, was, &value[from..list.position()], &mut items);
                }
                to.extend(items);
                return;
            }
        }
        _ => {}
    }
    to.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded<T: serde::Serialize>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        crate::value::encode(value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_value_is_encoded_as_the_wider_type_would_be() {
        let some = |inner: Encoding| Encoding::Option(Box::new(inner));
        let list = |inner: Encoding| Encoding::List(Box::new(inner));
        let check = |was: &Encoding, now: &Encoding, value: &[u8], expected: &[u8]| {
            assert!(are_widened(now, was));
            let mut to = Vec::new();
            widened(now, was, value, &mut to);
            assert_eq!(to, expected);
        };
        let (f32s, f64s) = (Encoding::F32, Encoding::F64);
        check(
            &f32s,
            &f64s,
            &encoded(&0.1f32),
            &encoded(&f64::from(0.1f32)),
        );
        check(
            &f32s,
            &some(Encoding::F64),
            &encoded(&-1.5f32),
            &encoded(&-1.5f64),
        );
        let (was, now) = (some(Encoding::F32), some(Encoding::F64));
        check(&was, &now, &encoded(&None::<f32>), &encoded(&None::<f64>));
        let (was, now) = (list(was), list(now));
        let (old, new) = (vec![Some(0.25f32), None], vec![Some(0.25f64), None]);
        check(&was, &now, &encoded(&old), &encoded(&new));
        assert!(!are_widened(&Encoding::U64, &Encoding::U32));
    }
}
