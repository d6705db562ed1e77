//! Facts of version 2 are read as they were written, and records have the bytes that `docs/log-format.md` has.

mod in_place;

use minicbor::{Decoder, Encoder};

use super::items::read_fact;
use super::records::{FactRecord, FiringRecord, Header};
use crate::graph::fact::{Fact, Facts};
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};

#[test]
fn facts_of_version_2_are_read() {
    let value = [0x18, 0x2a];
    for ix in [0, 23, 24, 255, 256, u16::MAX] {
        for slot in [0, 23, 24, 255, 256, 65_535, 65_536, u32::MAX - 1] {
            let (entity, generation) = (EntityIx::new(ix), slot >> 8);
            let (column, edge) = (ColumnIx::new(ix), EdgeIx::new(ix));
            let [from, to] = [24, 249].map(StateIx::new);
            let (at, len) = (0, 2);
            // The numbers of each, whether a value follows, and the fact.
            let (i, n) = (u64::from(ix), u64::from(slot));
            let g = u64::from(generation);
            let cases: [(&[u64], bool, Fact); 7] = [
                (
                    &[0, i, n, g, 24],
                    false,
                    Fact::Create {
                        entity,
                        state: from,
                        slot,
                        generation,
                    },
                ),
                (
                    &[1, i, n, g, 24],
                    false,
                    Fact::Delete {
                        entity,
                        state: from,
                        slot,
                        generation,
                    },
                ),
                (
                    &[2, i, n, 24, 249],
                    false,
                    Fact::Move {
                        entity,
                        slot,
                        from,
                        to,
                    },
                ),
                (
                    &[3, i, n],
                    true,
                    Fact::Set {
                        column,
                        slot,
                        at,
                        len,
                    },
                ),
                (
                    &[4, i, n, 7],
                    false,
                    Fact::Link {
                        edge,
                        from: slot,
                        to: 7,
                    },
                ),
                (
                    &[5, i, 7, n],
                    false,
                    Fact::Unlink {
                        edge,
                        from: 7,
                        to: slot,
                    },
                ),
                (
                    &[6, i, n, 7],
                    true,
                    Fact::SetLink {
                        edge,
                        from: slot,
                        to: 7,
                        at,
                        len,
                    },
                ),
            ];
            for (numbers, has_value, expected) in cases {
                let mut bytes = Encoder::new(Vec::new());
                let items = numbers.len() + usize::from(has_value);
                bytes.array(items as u64).unwrap();
                for number in numbers {
                    bytes.u64(*number).unwrap();
                }
                let mut bytes = bytes.into_writer();
                if has_value {
                    bytes.extend_from_slice(&value);
                }
                let mut facts = Facts::default();
                let mut d = Decoder::new(&bytes);
                read_fact(&mut d, &mut facts).unwrap();
                assert_eq!(d.position(), bytes.len(), "{expected:?}");
                assert_eq!(facts.list, [expected]);
                let read = facts.value_of(&expected);
                assert_eq!(read, has_value.then_some(&value[..]));
            }
        }
    }
}

#[test]
fn records_have_the_bytes_of_the_format_page() {
    let header = Header {
        time: -2,
        flags: 3,
        firings: 4,
        facts: 5,
        binding_bytes: 6,
        metadata_bytes: 7,
        value_bytes: 0x0102_0304,
    };
    let mut expected = vec![0xfe];
    expected.extend([0xff; 7]);
    for n in [3, 4, 5, 6, 7] {
        expected.extend([n, 0, 0, 0]);
    }
    expected.extend([4, 3, 2, 1]);
    assert_eq!(header.encode()[..], expected);
    assert_eq!(Header::decode(&header.encode()), header);

    let firing = FiringRecord {
        event: 0x0201,
        flags: 0x0403,
        facts_end: 5,
        binding_end: 6,
        reserved: 7,
    };
    let expected = [1, 2, 3, 4, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0];
    assert_eq!(firing.encode(), expected);
    assert_eq!(FiringRecord::decode(&expected), firing);

    let fact = FactRecord {
        kind: 6,
        form: 2,
        index: 0x0403,
        value_bytes: 5,
        entity: 0x0102_0304_0506_0708,
        operand: u64::MAX - 1,
    };
    let mut expected = vec![6, 2, 3, 4, 5, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1, 0xfe];
    expected.extend([0xff; 7]);
    assert_eq!(fact.encode()[..], expected);
    assert_eq!(FactRecord::decode(&fact.encode()), fact);
}
