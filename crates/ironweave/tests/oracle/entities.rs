//! Entity types and states of the model under test, by number, and their keys.

use ironweave::schema::{ColumnIx, EntityIx, Schema, StateIx};
use ironweave::{Entity, Handle, Id, Keyed, Place, StateOf};

use crate::model::Model;
use crate::values::{Ty, Val, ty};

/// What the key of an entity is made of: a number, a text, or both. Its columns are 2e and 2e + 1.
pub fn key_kind(schema: &Schema, entity: EntityIx) -> Option<usize> {
    let parts: Vec<Ty> = (schema.columns.iter())
        .filter(|c| c.entity == entity && c.key)
        .map(|c| ty(&c.ty))
        .collect();
    match parts.as_slice() {
        [] => None,
        [Ty::U] => Some(0),
        [Ty::S] => Some(1),
        _ => Some(2),
    }
}

/// An entity type: its number, and what its key is.
#[derive(Clone, Copy)]
pub struct Ent<const E: usize, const K: usize>(Id);

/// A state.
pub struct St<const S: usize>;

const NAMES: [&str; 6] = ["E0", "E1", "E2", "E3", "E4", "E5"];

impl<const E: usize, const K: usize> Entity for Ent<E, K> {
    type Model = Model;
    type In<S: StateOf<Self>> = Self;
    const INDEX: EntityIx = EntityIx::new(E as u16);
    // They are random; nothing here asks for all of them by type.
    const STATES: &'static [StateIx] = &[];
    const NAME: &'static str = NAMES[E];
}

impl<const E: usize, const K: usize> Handle for Ent<E, K> {
    type Entity = Self;
    const STATE: Option<StateIx> = None;

    fn from_id(id: Id) -> Self {
        Self(id)
    }

    fn id(&self) -> Id {
        self.0
    }
}

impl<const E: usize, const K: usize, const S: usize> StateOf<Ent<E, K>> for St<S> {}

impl<const E: usize, const K: usize, const S: usize> Place<Ent<E, K>> for St<S> {
    type Item = Ent<E, K>;
    const STATES: &'static [StateIx] = &[StateIx::new(S as u8)];
}

impl<const E: usize> Keyed for Ent<E, 0> {
    type Key = u64;
    const KEY: &'static [ColumnIx] = &[ColumnIx::new(2 * E as u16)];
}

impl<const E: usize> Keyed for Ent<E, 1> {
    type Key = String;
    const KEY: &'static [ColumnIx] = &[ColumnIx::new(2 * E as u16)];
}

impl<const E: usize> Keyed for Ent<E, 2> {
    type Key = (u64, String);
    const KEY: &'static [ColumnIx] =
        &[ColumnIx::new(2 * E as u16), ColumnIx::new(2 * E as u16 + 1)];
}

/// An entity type as its number, and the kind of its key.
pub fn numbers((entity, kind): (EntityIx, usize)) -> (u16, usize) {
    (entity.get(), kind)
}

/// A key in its Rust type.
pub trait OfKey {
    fn of(key: &[Val]) -> Self;
}

impl OfKey for u64 {
    fn of(key: &[Val]) -> Self {
        match key {
            [Val::U(x)] => *x,
            _ => unreachable!("a key of another type"),
        }
    }
}

impl OfKey for String {
    fn of(key: &[Val]) -> Self {
        match key {
            [Val::S(x)] => x.clone(),
            _ => unreachable!("a key of another type"),
        }
    }
}

impl OfKey for (u64, String) {
    fn of(key: &[Val]) -> Self {
        match key {
            [Val::U(a), Val::S(b)] => (*a, b.clone()),
            _ => unreachable!("a key of another type"),
        }
    }
}

/// Runs code with the type of an entity that has a key.
macro_rules! keyed {
    ($entity:expr, $kind:expr, $t:ident => $body:expr) => {
        $crate::entities::keyed!(@ ($entity, $kind), $t, $body,
            (0, 0) (0, 1) (0, 2) (1, 0) (1, 1) (1, 2) (2, 0) (2, 1) (2, 2)
            (3, 0) (3, 1) (3, 2) (4, 0) (4, 1) (4, 2) (5, 0) (5, 1) (5, 2))
    };
    (@ $of:expr, $t:ident, $body:expr, $(($e:literal, $k:literal))*) => {
        match $crate::entities::numbers($of) {
            $(($e, $k) => { type $t = $crate::entities::Ent<$e, $k>; $body })*
            other => unreachable!("no entity {other:?}"),
        }
    };
}
pub(crate) use keyed;
