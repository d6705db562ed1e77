//! Facts: the only way in which state changes.
//!
//! These facts refer to the schema by index, and to their values by position in a list of bytes. `store/record` has the
//! facts that programs see, with names and values.

use std::fmt;
use std::ops::Range;

use crate::base::cbor::CborWord;
use crate::graph::layout::Layout;
use crate::schema::{ColumnIx, EdgeIx, Encoding, EntityIx, Schema, StateIx};
use crate::value::typed::TypedValue;

/// One change of the graph. A new value is in the bytes of [`Facts`] at `at..at + len`, in CBOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Creates an entity, without values and links.
    Create {
        /// Its type.
        entity: EntityIx,
        /// Its initial state.
        state: StateIx,
        /// Its slot.
        slot: u32,
        /// The generation of the slot.
        generation: u32,
    },
    /// Deletes an entity with its values. Facts before this one removed its links.
    Delete {
        /// Its type.
        entity: EntityIx,
        /// The state it was in.
        state: StateIx,
        /// Its slot.
        slot: u32,
        /// The generation of the slot.
        generation: u32,
    },
    /// Moves an entity to another state and removes the data of the old state.
    Move {
        /// Its type.
        entity: EntityIx,
        /// Its slot.
        slot: u32,
        /// The old state.
        from: StateIx,
        /// The new state.
        to: StateIx,
    },
    /// Sets a field or a piece of state data.
    Set {
        /// The column.
        column: ColumnIx,
        /// The slot of the entity.
        slot: u32,
        /// The position of the value in the bytes.
        at: u32,
        /// The length of the value in bytes.
        len: u32,
    },
    /// Links two entities.
    Link {
        /// The edge.
        edge: EdgeIx,
        /// The slot of the entity at the declaring end.
        from: u32,
        /// The slot of the entity at the inverse end.
        to: u32,
    },
    /// Removes the link between two entities, with its data.
    Unlink {
        /// The edge.
        edge: EdgeIx,
        /// The slot of the entity at the declaring end.
        from: u32,
        /// The slot of the entity at the inverse end.
        to: u32,
    },
    /// Sets the data of a link.
    SetLink {
        /// The edge.
        edge: EdgeIx,
        /// The slot of the entity at the declaring end.
        from: u32,
        /// The slot of the entity at the inverse end.
        to: u32,
        /// The position of the value in the bytes.
        at: u32,
        /// The length of the value in bytes.
        len: u32,
    },
}

impl Fact {
    /// Sets a field or a piece of state data. The value has a position and a length in the bytes.
    #[inline(always)]
    pub(crate) fn set(column: ColumnIx, slot: u32, (at, len): (u32, u32)) -> Self {
        Self::Set {
            column,
            slot,
            at,
            len,
        }
    }

    /// Sets the data of the link between two slots.
    #[inline(always)]
    pub(crate) fn set_link(edge: EdgeIx, (from, to): (u32, u32), (at, len): (u32, u32)) -> Self {
        Self::SetLink {
            edge,
            from,
            to,
            at,
            len,
        }
    }

    /// Adds a number of bytes to the position of its value.
    #[inline]
    fn shift(&mut self, by: u32) {
        if let Self::Set { at, .. } | Self::SetLink { at, .. } = self {
            *at += by;
        }
    }

    /// Returns the encoding that a schema has for the value of the fact.
    pub(crate) fn encoding(self, schema: &Schema) -> Option<&Encoding> {
        match self {
            Self::Set { column, .. } => schema.columns.get(column.index())?.encoding.as_ref(),
            Self::SetLink { edge, .. } => schema.edges.get(edge.index())?.encoding.as_ref(),
            _ => None,
        }
    }

    /// Returns the entities that it changes, each as type and slot.
    #[inline(always)]
    pub(crate) fn touches(self, layout: &Layout) -> [Option<(EntityIx, u32)>; 2] {
        match self {
            Self::Create { entity, slot, .. }
            | Self::Delete { entity, slot, .. }
            | Self::Move { entity, slot, .. } => [Some((entity, slot)), None],
            Self::Set { column, slot, .. } => [
                Some((layout.columns[usize::from(column)].entity, slot)),
                None,
            ],
            Self::Link { edge, from, to }
            | Self::Unlink { edge, from, to }
            | Self::SetLink { edge, from, to, .. } => {
                let edge = &layout.edges[usize::from(edge)];
                [Some((edge.from.entity, from)), Some((edge.to.entity, to))]
            }
        }
    }
}

// Facts are most of the memory of replicas and journals, so the type must stay small.
const _: () = assert!(size_of::<Fact>() <= 20);

/// An entity in a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The one that changes; of a link, the one at the declaring end.
    Near,
    /// Of a link, the one at the inverse end.
    Far,
}

/// Facts in order, and the bytes of their values.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub(crate) list: Vec<Fact>,
    pub(crate) bytes: Vec<u8>,
    /// For each fact, the generations of the entity that it changes and, of a link, of the one at the inverse end. Empty if
    /// they are not known: the journal and logs of format version 2 name entities by slot.
    pub(crate) generations: Vec<[u32; 2]>,
}

impl Facts {
    /// Returns the generation of an entity in fact `i`, if generations are known.
    #[inline]
    pub(crate) fn generation(&self, i: usize, end: End) -> Option<u32> {
        let [near, far] = *self.generations.get(i)?;
        Some(match end {
            End::Near => near,
            End::Far => far,
        })
    }

    /// The value of a fact of these, in CBOR; `None` of one that has none.
    pub(crate) fn value_of(&self, fact: &Fact) -> Option<&[u8]> {
        match *fact {
            Fact::Set { at, len, .. } | Fact::SetLink { at, len, .. } => {
                self.bytes.get(at as usize..at as usize + len as usize)
            }
            _ => None,
        }
    }

    pub(crate) fn value(&self, at: u32, len: u32) -> &[u8] {
        &self.bytes[at as usize..at as usize + len as usize]
    }

    /// Appends other facts. O(other facts).
    #[inline(never)]
    pub(crate) fn append(&mut self, others: &Self) {
        self.append_range(others, 0..others.list.len(), &others.generations);
    }

    /// Appends a range of other facts, with the values of all of them, and with the generations of their entities, which may
    /// be empty. O(other facts).
    pub(crate) fn append_range(
        &mut self,
        others: &Self,
        range: Range<usize>,
        generations: &[[u32; 2]],
    ) {
        let facts = others.list.get(range).unwrap_or_default();
        let (shift, start) = (self.bytes.len() as u32, self.list.len());
        self.bytes.extend_from_slice(&others.bytes);
        if self.generations.len() == start && generations.len() == facts.len() {
            self.generations.extend_from_slice(generations);
        } else {
            self.generations.clear();
        }
        self.list.extend_from_slice(facts);
        for fact in &mut self.list[start..] {
            fact.shift(shift);
        }
    }

    /// Removes all facts and keeps the allocated memory.
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.bytes.clear();
        self.generations.clear();
    }

    /// Returns whether two facts of two lists are the same change with the same value.
    pub(crate) fn same(&self, a: Fact, other: &Self, b: Fact) -> bool {
        let change = |mut fact: Fact| {
            if let Fact::Set { at, .. } | Fact::SetLink { at, .. } = &mut fact {
                *at = 0;
            }
            fact
        };
        change(a) == change(b) && self.value_of(&a) == other.value_of(&b)
    }

    /// Returns a fact as text, with the names and encodings of the model, and with the slots of entities.
    pub(crate) fn render(&self, fact: Fact, layout: &Layout) -> String {
        let mut text = String::new();
        // Writing to a `String` does not fail.
        let _ = self.write(
            fact,
            [None; 2],
            layout,
            fact.encoding(&layout.schema),
            &mut text,
        );
        text
    }

    /// Writes a fact as text, with a value of an encoding, and with the generations of its entities if they are known.
    pub(crate) fn write(
        &self,
        fact: Fact,
        [near, far]: [Option<u32>; 2],
        layout: &Layout,
        encoding: Option<&Encoding>,
        out: &mut dyn fmt::Write,
    ) -> fmt::Result {
        let typed = |at: u32, len: u32| TypedValue {
            bytes: self.value(at, len),
            encoding,
            schema: &layout.schema,
        };
        let state = |entity: EntityIx, state: StateIx| {
            &layout.entities[usize::from(entity)].states[usize::from(state)].name
        };
        let named = |entity: EntityIx, slot, generation| NamedEntity {
            name: &layout.entities[usize::from(entity)].name,
            slot,
            generation,
        };
        match fact {
            Fact::Create {
                entity,
                state: at,
                slot,
                generation,
            }
            | Fact::Delete {
                entity,
                state: at,
                slot,
                generation,
            } => {
                let verb = if matches!(fact, Fact::Create { .. }) {
                    "create"
                } else {
                    "delete"
                };
                let named = named(entity, slot, Some(generation));
                write!(out, "{verb} {named} in {}", state(entity, at))
            }
            Fact::Move {
                entity,
                slot,
                from,
                to,
            } => {
                let (from, to) = (state(entity, from), state(entity, to));
                write!(out, "move {} {from} -> {to}", named(entity, slot, near))
            }
            Fact::Set {
                column,
                slot,
                at,
                len,
            } => {
                let c = &layout.columns[usize::from(column)];
                let value = typed(at, len);
                write!(
                    out,
                    "set {}.{} = {value}",
                    named(c.entity, slot, near),
                    c.name
                )
            }
            Fact::Link { edge, from, to } | Fact::Unlink { edge, from, to } => {
                let e = &layout.edges[usize::from(edge)];
                let (verb, sign) = if matches!(fact, Fact::Link { .. }) {
                    ("link", "+=")
                } else {
                    ("unlink", "-=")
                };
                let from = named(e.from.entity, from, near);
                let to = named(e.to.entity, to, far);
                write!(out, "{verb} {from}.{} {sign} {to}", e.from.name)
            }
            Fact::SetLink {
                edge,
                from,
                to,
                at,
                len,
            } => {
                let e = &layout.edges[usize::from(edge)];
                let from = named(e.from.entity, from, near);
                let to = named(e.to.entity, to, far);
                let value = typed(at, len);
                write!(out, "set {from}.{}[{to}] = {value}", e.from.name)
            }
        }
    }

    /// Appends the bytes of a value. Returns their position and length.
    pub(crate) fn push_value(&mut self, value: &[u8]) -> (u32, u32) {
        let at = self.bytes.len() as u32;
        self.bytes.extend_from_slice(value);
        (at, value.len() as u32)
    }

    /// As [`push_value`](Self::push_value), for a value of few bytes.
    pub(crate) fn push_word(&mut self, value: CborWord) -> (u32, u32) {
        let at = self.bytes.len();
        value.write(&mut self.bytes);
        (at as u32, (self.bytes.len() - at) as u32)
    }
}

/// An entity as text: `Account/1.1`, or `Account/1` if its generation is not known.
pub(crate) struct NamedEntity<'n> {
    pub name: &'n str,
    pub slot: u32,
    pub generation: Option<u32>,
}

impl fmt::Display for NamedEntity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.slot)?;
        match self.generation {
            Some(generation) => write!(f, ".{generation}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
