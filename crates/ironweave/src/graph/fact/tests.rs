//! Facts are read as they were written.

use super::*;

/// Every fact with numbers of every length is read back as it was, and fits into the room that is promised.
#[test]
fn facts_are_read_as_they_were_written() {
    let mut facts = Facts {
        list: Vec::new(),
        bytes: vec![0x18, 0x2a],
    };
    let (at, len) = (0, 2);
    for ix in [0, 23, 24, 255, 256, u16::MAX] {
        for slot in [0, 23, 24, 255, 256, 65_535, 65_536, u32::MAX - 1] {
            for state in [0, 23, 24, 249] {
                let (entity, generation) = (EntityIx::new(ix), slot >> 8);
                let (edge, from, to) = (EdgeIx::new(ix), slot, u32::from(state));
                let [state, after] = [state, 249 - state].map(StateIx::new);
                facts.list.extend([
                    Fact::Create {
                        entity,
                        state,
                        slot,
                        generation,
                    },
                    Fact::Delete {
                        entity,
                        state,
                        slot,
                        generation,
                    },
                    Fact::Move {
                        entity,
                        slot,
                        from: state,
                        to: after,
                    },
                    Fact::Set {
                        column: ColumnIx::new(ix),
                        slot,
                        at,
                        len,
                    },
                    Fact::Link { edge, from, to },
                    Fact::Unlink {
                        edge,
                        from: to,
                        to: from,
                    },
                    Fact::SetLink {
                        edge,
                        from,
                        to: from,
                        at,
                        len,
                    },
                ]);
            }
        }
    }
    let mut writer = CborWriter::default();
    for fact in &facts.list {
        writer.begin(Facts::room(1) + 2);
        facts.encode(*fact, &mut writer);
        assert!(writer.written().len() <= Facts::room(1) + 2);
        let mut again = Facts::default();
        let mut d = Decoder::new(writer.written());
        again.decode(&mut d).expect("a fact");
        assert_eq!(d.position(), writer.written().len(), "{fact:?}");
        assert!(facts.same(*fact, &again, again.list[0]), "{fact:?}");
    }
    // Shortest forms, as minicbor has them.
    let mut reference = minicbor::Encoder::new(Vec::new());
    let items = reference
        .array(4)
        .and_then(|e| e.u8(4)?.u16(300)?.u32(24)?.u32(70_000));
    items.expect("a vector takes all");
    writer.begin(Facts::room(1));
    facts.encode(
        Fact::Link {
            edge: EdgeIx::new(300),
            from: 24,
            to: 70_000,
        },
        &mut writer,
    );
    assert_eq!(writer.written(), reference.into_writer());
}

#[test]
fn facts_behind_others_keep_their_values() {
    let one = |byte: u8, slot| Facts {
        list: vec![
            Fact::Set {
                column: ColumnIx::default(),
                slot,
                at: 0,
                len: 1,
            },
            Fact::Link {
                edge: EdgeIx::default(),
                from: slot,
                to: 0,
            },
            Fact::SetLink {
                edge: EdgeIx::default(),
                from: slot,
                to: 0,
                at: 1,
                len: 1,
            },
        ],
        bytes: vec![byte, byte + 1],
    };
    let mut all = one(1, 7);
    all.append(&one(3, 8));
    let values: Vec<_> = all.list.iter().map(|f| all.value_of(f)).collect();
    let some = |byte: &'static [u8]| Some(byte);
    assert_eq!(
        values,
        [some(&[1]), None, some(&[2]), some(&[3]), None, some(&[4])]
    );
}
