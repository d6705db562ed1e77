//! Bindings: which entities the names of a firing event are bound to.

use crate::base::cbor::{ARRAY, UINT, head};
use crate::base::id::Id;
use crate::db::entity::Handle;
use crate::schema::compiled::NAMES_MAX;
use crate::schema::{Cardinality, NameDef, NameIx};
use crate::value::DecodeError;
use crate::value::item::array;

/// The entities that the names of an event are bound to.
#[derive(Default)]
pub struct Bindings {
    ids: Vec<Id>,
    /// Where the entities of each name end. It is empty as long as every name has exactly one entity, which is the
    /// usual case: then the number of a name is the index of its entity.
    ends: Vec<u32>,
}

impl Bindings {
    /// No bindings, with room for so many entities.
    pub(crate) fn with_capacity(entities: usize) -> Self {
        Self {
            ids: Vec::with_capacity(entities),
            ends: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.ids.clear();
        self.ends.clear();
    }

    /// Adds a name with one entity.
    #[inline(always)]
    pub(crate) fn push_one(&mut self, id: Id) {
        if self.ends.is_empty() {
            self.ids.push(id);
        } else {
            self.push_many(std::iter::once(id));
        }
    }

    /// Adds a name with any number of entities.
    #[inline(never)]
    pub(crate) fn push_many(&mut self, ids: impl Iterator<Item = Id>) {
        let start = self.ids.len();
        self.ids.extend(ids);
        self.end_name(start);
    }

    /// Adds an entity to the name that [`Bindings::end_name`] will end.
    pub(super) fn push_member(&mut self, id: Id) {
        self.ids.push(id);
    }

    /// All entities that are bound, name after name.
    pub(super) fn all(&self) -> &[Id] {
        &self.ids
    }

    /// Ends a name whose entities begin at index `start` of all that are bound. It is for a name that has another number
    /// of entities than one, or that follows such a name.
    pub(super) fn end_name(&mut self, start: usize) {
        if self.ends.is_empty() {
            self.ends.extend(1..=start as u32);
        }
        self.ends.push(self.ids.len() as u32);
    }

    /// How many names were bound when this number of entities was.
    pub(super) fn len_before(&self, entities: usize) -> usize {
        if self.ends.is_empty() {
            entities
        } else {
            self.ends.len()
        }
    }

    /// How many names have been bound.
    pub(crate) fn len(&self) -> usize {
        self.len_before(self.ids.len())
    }

    /// Writes the ids of each name, in CBOR.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        head(out, ARRAY, self.len() as u64);
        for name in NameIx::all(self.len()) {
            let ids = self.ids(name);
            head(out, ARRAY, ids.len() as u64);
            ids.iter().for_each(|id| head(out, UINT, id.to_bits()));
        }
    }

    /// Reads what [`Bindings::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = minicbor::Decoder::new(bytes);
        let mut bindings = Self::default();
        for _ in 0..array(&mut d)? {
            let mut ids = Vec::new();
            for _ in 0..array(&mut d)? {
                let id = Id::from_bits(d.u64()?);
                ids.push(id.ok_or_else(|| DecodeError::new("no id"))?);
            }
            bindings.push_many(ids.into_iter());
        }
        Ok(bindings)
    }

    /// Whether they can be the bindings of an event with these names: each has as many entities as it may.
    pub(crate) fn fit(&self, names: &[NameDef]) -> bool {
        let fits = |(ix, name): (NameIx, &NameDef)| match (name.count, self.ids(ix).len()) {
            (Cardinality::One, n) => n == 1,
            (Cardinality::Option, n) => n <= 1,
            (Cardinality::Many, _) => true,
        };
        self.len() == names.len() && NameIx::all(names.len()).zip(names).all(fits)
    }

    #[inline]
    pub(crate) fn ids(&self, name: NameIx) -> &[Id] {
        ids(&self.ids, &self.ends, usize::from(name))
    }

    /// The entity at an index among all that are bound.
    #[inline]
    pub(crate) fn at(&self, at: u16) -> &Id {
        &self.ids[usize::from(at)]
    }

    /// Returns the names and their entities, borrowed.
    #[inline(always)]
    pub(crate) fn names(&self) -> BoundNames<'_> {
        BoundNames {
            ids: &self.ids,
            ends: &self.ends,
        }
    }

    /// Adds the names of an event whose arcs are compiled.
    pub(crate) fn push_all(&mut self, names: &CompiledNames) {
        self.ids.extend_from_slice(names.names().ids);
    }
}

/// The entities that the names of an event are bound to, for receipts, guards and handlers.
#[derive(Clone, Copy)]
pub struct BoundNames<'b> {
    ids: &'b [Id],
    /// As in [`Bindings`].
    ends: &'b [u32],
}

impl BoundNames<'_> {
    #[inline]
    fn ids(&self, name: u16) -> &[Id] {
        ids(self.ids, self.ends, usize::from(name))
    }

    /// The entity of a name that has one.
    #[inline]
    #[must_use]
    pub fn one<H: Handle>(&self, name: u16) -> H {
        H::from_id(self.ids(name)[0])
    }

    /// The entity of a name that may have none.
    #[must_use]
    pub fn option<H: Handle>(&self, name: u16) -> Option<H> {
        self.ids(name).first().copied().map(H::from_id)
    }

    /// The entities of a name.
    #[must_use]
    pub fn many<H: Handle>(&self, name: u16) -> Vec<H> {
        self.ids(name).iter().copied().map(H::from_id).collect()
    }
}

#[inline]
fn ids<'b>(ids: &'b [Id], ends: &[u32], name: usize) -> &'b [Id] {
    if ends.is_empty() {
        return std::slice::from_ref(&ids[name]);
    }
    let start = if name == 0 { 0 } else { ends[name - 1] };
    &ids[start as usize..ends[name] as usize]
}

/// The entities of an event whose arcs are compiled: each of its names has exactly one. They are on the stack, or in
/// registers, since all indexes are constants.
#[derive(Clone, Copy)]
pub struct CompiledNames {
    ids: [Id; NAMES_MAX],
    len: usize,
}

impl CompiledNames {
    /// Returns this number of names, none of which is bound.
    #[inline(always)]
    pub(super) fn unbound(len: usize) -> Self {
        const UNBOUND: Id = Id {
            slot: u32::MAX,
            generation: 0,
        };
        Self {
            ids: [UNBOUND; NAMES_MAX],
            len,
        }
    }

    /// Binds a name.
    #[inline(always)]
    pub fn bind(&mut self, name: usize, id: Id) {
        self.ids[name] = id;
    }

    /// The slot of the entity of a name.
    #[inline(always)]
    pub(super) fn slot(&self, name: NameIx) -> u32 {
        self.ids[usize::from(name)].slot
    }

    /// The names, for receipts.
    #[inline(always)]
    pub(crate) fn names(&self) -> BoundNames<'_> {
        BoundNames {
            ids: &self.ids[..self.len],
            ends: &[],
        }
    }
}
