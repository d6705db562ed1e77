//! Lists of facts that are put together.

use super::*;

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
        generations: Vec::new(),
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

#[test]
fn generations_are_kept_if_all_facts_have_them() {
    let known = |generation| Facts {
        list: vec![Fact::Link {
            edge: EdgeIx::default(),
            from: 0,
            to: 1,
        }],
        bytes: Vec::new(),
        generations: vec![[generation, 1]],
    };
    let mut all = Facts::default();
    all.append(&known(2));
    all.append_range(&known(9), 0..1, &[[3, 1]]);
    assert_eq!(all.generations, [[2, 1], [3, 1]]);
    let unknown = Facts {
        generations: Vec::new(),
        ..known(0)
    };
    all.append(&unknown);
    assert!(all.generations.is_empty());
    all.append(&known(4));
    assert!(all.generations.is_empty(), "not those of all facts");
    all.clear();
    all.append(&known(5));
    assert_eq!(all.generations, [[5, 1]]);
}
