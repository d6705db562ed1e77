//! Hash functions: a fast one for maps in memory, and those that the fingerprint of a graph is computed with.
//!
//! The fingerprint is the wrapping 128-bit sum of one term per cell, per state and per link. It can therefore be updated
//! incrementally by adding and subtracting terms, and does not depend on their order. It detects divergence of graphs, and
//! is not cryptographic: an adversary can construct collisions. `docs/log-format.md` has the full definition.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

use crate::base::id::Id;

/// A map with the multiply-and-rotate hash of Firefox and rustc (FxHash) for numbers, and folded products (wyhash)
/// for text. Both are fast on small keys. They do not resist chosen keys, which is acceptable because the keys of a graph
/// come from its own program.
pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FxHasher>>;

/// The hasher of [`FastMap`].
#[derive(Default)]
pub struct FxHasher(u64);

impl FxHasher {
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for FxHasher {
    // Keys are often short texts with a common prefix. Every bit of the input must affect every bit of the hash, since each
    // collision in the table costs a comparison with a key elsewhere in memory.
    fn write(&mut self, bytes: &[u8]) {
        let n = bytes.len();
        let (mut a, mut b) = (0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
        if n > 16 {
            let mut at = 0;
            while at + 16 < n {
                let folded = fold(
                    word::<8>(bytes, at) ^ a,
                    word::<8>(bytes, at + 8) ^ BLOCK_SECRET,
                );
                a = b;
                b = folded;
                at += 16;
            }
            a ^= word::<8>(bytes, n - 16);
            b ^= word::<8>(bytes, n - 8);
        } else if n >= 8 {
            a ^= word::<8>(bytes, 0);
            b ^= word::<8>(bytes, n - 8);
        } else if n >= 4 {
            a ^= word::<4>(bytes, 0);
            b ^= word::<4>(bytes, n - 4);
        } else if n > 0 {
            a ^= u64::from(bytes[0]);
            b ^= u64::from(bytes[n / 2]) << 8 | u64::from(bytes[n - 1]);
        }
        self.add(fold(a, b) ^ n as u64);
    }

    fn write_u8(&mut self, n: u8) {
        self.add(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.add(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.add(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.add(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.add(n as u64);
    }

    fn finish(&self) -> u64 {
        // The table takes its control bits from the top bits and its bucket from the bottom bits.
        self.0.rotate_left(26)
    }
}

/// The constant that each block of a long text is mixed with.
const BLOCK_SECRET: u64 = 0xa409_3822_299f_31d0;

/// Returns `N` bytes, at most 8, as a little-endian number.
fn word<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(word)
}

/// Returns the hash of the encoding of a value.
#[inline]
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    xxh3_64(bytes)
}

/// Returns [`hash_bytes`] of one to three bytes: the first one, the one at half of the length, and the last one.
#[inline(always)]
pub(crate) fn hash_up_to_3(first: u8, middle: u8, last: u8, len: u32) -> u64 {
    let bytes = u32::from_le_bytes([last, len as u8, first, middle]);
    let mut hash = u64::from(bytes ^ 0x8727_5a9b);
    hash = hash.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    hash = (hash ^ hash >> 29).wrapping_mul(0x1656_67b1_9e37_79f9);
    hash ^ hash >> 32
}

/// Returns [`hash_bytes`] of four to eight bytes: the first four and the last four of them.
#[inline(always)]
pub(crate) fn hash_4_to_8(first: u32, last: u32, len: u32) -> u64 {
    const MULTIPLIER: u64 = 0x9fb2_1c65_1e98_df25;
    let bytes = (u64::from(first) << 32 | u64::from(last)) ^ 0xc73a_b174_c5ec_d5a2;
    let mut hash = bytes ^ bytes.rotate_left(49) ^ bytes.rotate_left(24);
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^= (hash >> 35).wrapping_add(u64::from(len));
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> 28
}

/// Returns [`hash_bytes`] of nine to 16 bytes: the first eight and the last eight of them.
#[inline(always)]
pub(crate) fn hash_9_to_16(first: u64, last: u64, len: u32) -> u64 {
    let (first, last) = (first ^ 0x6782_737b_ea42_39b9, last ^ 0xaf56_bc3b_0996_523a);
    let mut hash = u64::from(len)
        .wrapping_add(first.swap_bytes())
        .wrapping_add(last)
        .wrapping_add(fold(first, last));
    hash = (hash ^ hash >> 37).wrapping_mul(0x1656_6791_9e37_79f9);
    hash ^ hash >> 32
}

/// Returns the hash of the name of a column, entity type, state or edge. It salts the terms of the fingerprint, which
/// therefore does not depend on the order of declaration.
pub(crate) fn salt(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

/// Returns the exclusive or of the two halves of a 64 × 64 bit product (wyhash, Wang Yi).
#[inline(always)]
pub(crate) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Returns an id mixed into all 64 bits, so that terms of small slots do not cancel each other in the sum.
#[inline(always)]
fn spread(salt: u64, id: Id) -> u64 {
    fold(id.to_bits() ^ 0xa076_1d64_78bd_642f, salt | 1)
}

/// Returns the full 128-bit product of two well-mixed numbers, so that a change of either changes the sum.
#[inline(always)]
fn term(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

/// Returns the term of a value in a column of an entity.
#[inline(always)]
pub(crate) fn cell_term(column_salt: u64, id: Id, value_hash: u64) -> u128 {
    term(spread(column_salt, id), value_hash)
}

/// Returns the term of the state that an entity is in.
#[inline(always)]
pub(crate) fn state_term(state_salt: u64, id: Id) -> u128 {
    term(spread(state_salt, id), state_salt)
}

/// The salt of the entity at the inverse end of a link.
const INVERSE_END: u64 = 0x8ebc_6af0_9c88_c6e3;

/// Returns the term of a link.
#[inline(always)]
pub(crate) fn link_term(edge_salt: u64, from: Id, to: Id) -> u128 {
    term(spread(edge_salt, from), spread(INVERSE_END, to))
}

/// Returns the terms of two links of an entity at one end with two entities at the other, which is the declaring end if
/// `forward`. They are those of [`link_term`].
#[inline(always)]
pub(crate) fn relink_terms(edge_salt: u64, forward: bool, held: Id, far: [Id; 2]) -> [u128; 2] {
    let (held_salt, far_salt) = if forward {
        (INVERSE_END, edge_salt)
    } else {
        (edge_salt, INVERSE_END)
    };
    let held = spread(held_salt, held);
    // `map` is not always inlined.
    let [first, second] = far;
    [
        term(spread(far_salt, first), held),
        term(spread(far_salt, second), held),
    ]
}

/// Returns the term of the data on a link.
pub(crate) fn link_data_term(edge_salt: u64, from: Id, to: Id, value_hash: u64) -> u128 {
    let salt = fold(
        edge_salt ^ 0x2d35_8dcc_aa6c_78a5,
        value_hash ^ 0x8bb8_4b93_962e_acc9,
    );
    link_term(salt, from, to)
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher as _;

    use super::*;

    /// Exchanging values, states or link targets between entities changes the fingerprint.
    #[test]
    fn exchanged_values_states_and_targets_change_the_sum() {
        let id = |slot| Id {
            slot,
            generation: 1,
        };
        let values: Vec<u64> = (0..64u8).map(|n| hash_bytes(&[n])).collect();
        let mut sums = std::collections::HashSet::new();
        // All assignments of three values, three states or three targets to three entities, with near and far slots.
        for slots in [
            [0, 1, 2],
            [7, 8, 9],
            [1, 2, 1 << 20],
            [0, 1 << 31, u32::MAX - 1],
        ] {
            for n in 0..27usize {
                let [a, b, c] = [n % 3, n / 3 % 3, n / 9];
                let states = [salt("T: A"), salt("T: B"), salt("T: C")];
                let sum = |f: &dyn Fn(u32, usize) -> u128| {
                    (f(slots[0], a).wrapping_add(f(slots[1], b))).wrapping_add(f(slots[2], c))
                };
                let cells = sum(&|slot, v| cell_term(salt("T.v"), id(slot), values[v]));
                let places = sum(&|slot, v| state_term(states[v], id(slot)));
                let links = sum(&|slot, v| link_term(salt("T.e"), id(slot), id(slots[v])));
                assert!(sums.insert(cells) && sums.insert(places) && sums.insert(links));
            }
        }
        // Sums of two cells.
        let pairs = (0..64).flat_map(|a| (0..64).map(move |b| (a, b)));
        for (a, b) in pairs {
            let both = cell_term(salt("T.v"), id(3), values[a]).wrapping_add(cell_term(
                salt("T.v"),
                id(4),
                values[b],
            ));
            assert!(sums.insert(both));
        }
    }

    #[test]
    fn hashes_of_few_bytes_are_those_of_xxh3() {
        for round in 0..200u8 {
            let byte = |i: u8| round.wrapping_mul(151) ^ i.wrapping_mul(73).rotate_left(3);
            let bytes: [u8; 16] = std::array::from_fn(|i| byte(i as u8));
            for len in 1..=16 {
                let bytes = &bytes[..len];
                let found = match len {
                    1..=3 => hash_up_to_3(bytes[0], bytes[len / 2], bytes[len - 1], len as u32),
                    4..=8 => {
                        let (first, last) = (word::<4>(bytes, 0), word::<4>(bytes, len - 4));
                        hash_4_to_8(first as u32, last as u32, len as u32)
                    }
                    _ => hash_9_to_16(word::<8>(bytes, 0), word::<8>(bytes, len - 8), len as u32),
                };
                assert_eq!(found, hash_bytes(bytes), "{bytes:?}");
            }
        }
    }

    #[test]
    fn terms_of_relinked_entities_are_those_of_their_links() {
        let [a, b, c] = [3, 70, 4_000].map(|slot| Id {
            slot,
            generation: slot + 1,
        });
        let salt = salt("T.e");
        let forward = [link_term(salt, b, a), link_term(salt, c, a)];
        assert_eq!(relink_terms(salt, true, a, [b, c]), forward);
        let backward = [link_term(salt, a, b), link_term(salt, a, c)];
        assert_eq!(relink_terms(salt, false, a, [b, c]), backward);
    }

    #[test]
    fn terms_of_neighbouring_cells_do_not_collide() {
        let mut seen = std::collections::HashSet::new();
        for column in ["a", "b", "Partition.name"] {
            for slot in 0..50 {
                for generation in 1..3 {
                    for value in 0..20 {
                        assert!(seen.insert(cell_term(
                            salt(column),
                            Id { slot, generation },
                            hash_bytes(&[value])
                        )));
                    }
                }
            }
        }
    }

    #[test]
    fn text_is_spread_over_the_tags_and_the_buckets_of_a_table() {
        let of = |text: &str| BuildHasherDefault::<FxHasher>::default().hash_one(text);
        for form in [
            "",
            "task/",
            "daily/2026-11-",
            "a name of more than sixteen bytes/",
        ] {
            let hashes: Vec<u64> = (0..4_096).map(|i| of(&format!("{form}{i}"))).collect();
            let distinct = |part: &dyn Fn(&u64) -> u64| {
                let parts: std::collections::HashSet<u64> = hashes.iter().map(part).collect();
                parts.len()
            };
            assert_eq!(distinct(&|h| *h), 4_096, "{form}");
            assert_eq!(distinct(&|h| h >> 57), 128, "{form}: the tags");
            // A random hash of n keys fills 63 % of n buckets.
            assert!(distinct(&|h| h & 4_095) > 2_400, "{form}: the buckets");
            // Those that share a bucket rarely share a tag.
            assert!(distinct(&|h| h & 4_095 | h >> 57 << 12) > 4_000, "{form}");
        }
        assert_ne!(of("ab"), of("ba"));
    }
}
