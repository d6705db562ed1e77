//! The fingerprint of the oracle's graph, by its definition in `docs/log-format.md`.

use ironweave::schema::{EdgeIx, EntityIx, Hop, Schema};
use xxhash_rust::xxh3::xxh3_64;

use crate::values::Val;
use crate::world::{Oid, World};

fn head(major: u8, n: u64) -> Vec<u8> {
    let bytes = n.to_be_bytes();
    let (first, from) = match n {
        0..=23 => (n as u8, 8),
        24..=0xff => (24, 7),
        0x100..=0xffff => (25, 6),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 0),
    };
    let mut out = vec![major << 5 | first];
    out.extend_from_slice(&bytes[from..]);
    out
}

fn int(n: i64) -> Vec<u8> {
    if n < 0 {
        head(1, !n as u64)
    } else {
        head(0, n as u64)
    }
}

/// A value in CBOR (RFC 8949).
pub fn cbor(value: &Val) -> Vec<u8> {
    match value {
        Val::U(n) => head(0, *n),
        Val::S(text) => {
            let mut out = head(3, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
            out
        }
        Val::O(None) | Val::M(None) => vec![0xf6],
        Val::O(Some(n)) | Val::M(Some(n)) | Val::T(n) => int(*n),
        Val::D(nanos) => {
            let (secs, nanos) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
            let mut out = head(5, 2);
            for (name, n) in [("secs", secs), ("nanos", nanos)] {
                out.extend(cbor(&Val::S(name.into())));
                out.extend(head(0, u64::try_from(n).expect("a duration")));
            }
            out
        }
    }
}

fn fold(x: u64, y: u64) -> u64 {
    let product = u128::from(x) * u128::from(y);
    (product >> 64) as u64 ^ product as u64
}

fn spread(salt: u64, id: u64) -> u64 {
    fold(id ^ 0xa076_1d64_78bd_642f, salt | 1)
}

fn term(a: u64, b: u64) -> u128 {
    u128::from(a) * u128::from(b)
}

fn link(salt: u64, a: u64, b: u64) -> u128 {
    term(spread(salt, a), spread(0x8ebc_6af0_9c88_c6e3, b))
}

fn bits((slot, generation): Oid) -> u64 {
    (u64::from(slot) << 24) + u64::from(generation)
}

/// Hashes of names, which are those of the schema.
pub struct Salts {
    states: Vec<Vec<u64>>,
    columns: Vec<u64>,
    edges: Vec<u64>,
}

impl Salts {
    pub fn new(schema: &Schema) -> Self {
        let salt = |name: String| xxh3_64(name.as_bytes());
        let states = schema.entities.iter().map(|e| {
            let state = |s: &ironweave::schema::StateDef| salt(format!("{}: {}", e.name, s.name));
            e.states.iter().map(state).collect()
        });
        let columns = schema.columns.iter().map(|c| {
            let e = &schema.entities[usize::from(c.entity)];
            salt(match c.state {
                None => format!("{}.{}", e.name, c.name),
                Some(s) => format!("{}.{}.{}", e.name, e.states[usize::from(s)].name, c.name),
            })
        });
        let edges = schema.edges.iter().map(|edge| {
            let entity = &schema.entities[usize::from(edge.from.entity)].name;
            salt(format!("{entity}.{}", edge.from.name))
        });
        Self {
            states: states.collect(),
            columns: columns.collect(),
            edges: edges.collect(),
        }
    }

    pub fn fingerprint(&self, schema: &Schema, world: &World) -> u128 {
        let mut sum = 0u128;
        for entity in EntityIx::all(schema.entities.len()) {
            for slot in world.living(entity) {
                let id = bits(world.oid(entity, slot));
                let row = world.row(entity, slot).expect("the entity is alive");
                let salt = self.states[usize::from(entity)][usize::from(row.state)];
                sum = sum.wrapping_add(term(spread(salt, id), salt));
                for (column, value) in &row.values {
                    let salt = self.columns[usize::from(*column)];
                    sum = sum.wrapping_add(term(spread(salt, id), xxh3_64(&cbor(value))));
                }
            }
        }
        for (edge, def) in schema.edges.iter().enumerate() {
            let salt = self.edges[edge];
            let hop = Hop {
                edge: EdgeIx::new(edge as u16),
                forward: true,
            };
            for from in world.living(def.from.entity) {
                for to in world.list(hop, from) {
                    let a = bits(world.oid(def.from.entity, from));
                    let b = bits(world.oid(def.to.entity, *to));
                    sum = sum.wrapping_add(link(salt, a, b));
                    if let Some(data) = world.edges[edge].data.get(&(from, *to)) {
                        let hash = xxh3_64(&cbor(data));
                        let salt = fold(salt ^ 0x2d35_8dcc_aa6c_78a5, hash ^ 0x8bb8_4b93_962e_acc9);
                        sum = sum.wrapping_add(link(salt, a, b));
                    }
                }
            }
        }
        sum
    }
}
