//! Entries of the journal: one change of the graph each, in 24 bytes, with what its undo needs.
//!
//! A plain value is a word in its entry, and so is the plain value that it replaced. Other values are encoded in the bytes
//! of the journal, and what they replaced is on a stack of their column.

use crate::base::id::Id;
use crate::graph::edge::Positions;
use crate::graph::fact::Fact;
use crate::schema::{ColumnIx, EdgeIx, EntityIx, StateIx};
use crate::value::PlainForm;

/// A value that was written.
#[derive(Clone, Copy, Debug)]
pub enum NewValue {
    Plain(PlainForm, u64),
    /// Its encoding in the bytes of the journal.
    Encoded {
        at: u32,
        len: u32,
    },
}

/// A value that was replaced or removed.
#[derive(Clone, Copy, Debug)]
pub enum OldValue {
    Plain(PlainForm, u64),
    /// The hash of its encoding. The value itself is on the stack of its column.
    Hashed(u64),
}

/// A link that was replaced, at the end that holds one, by a link with another entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relinked {
    /// Whether the declaring end is the one that holds lists.
    pub forward: bool,
    /// The entity at the end that holds one.
    pub held: u32,
    /// The entity at the end that holds lists, with which it is linked now.
    pub holder: u32,
    /// The one with which it was linked before.
    pub old: u32,
    /// Its position in the list of that one.
    pub at: u32,
}

impl Relinked {
    /// Returns the slots at the declaring and at the inverse end of a link of `held`.
    #[inline(always)]
    fn ends(&self, holder: u32) -> (u32, u32) {
        if self.forward {
            (holder, self.held)
        } else {
            (self.held, holder)
        }
    }

    /// Returns the ends of the link that was removed.
    #[inline(always)]
    pub(crate) fn removed(&self) -> (u32, u32) {
        self.ends(self.old)
    }

    /// Returns the ends of the link that was made.
    #[inline(always)]
    pub(crate) fn made(&self) -> (u32, u32) {
        self.ends(self.holder)
    }
}

/// What an entry of the journal means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Create {
        entity: EntityIx,
        state: StateIx,
        id: Id,
    },
    Delete {
        entity: EntityIx,
        state: StateIx,
        id: Id,
    },
    Move {
        entity: EntityIx,
        slot: u32,
        from: StateIx,
        to: StateIx,
    },
    Set {
        column: ColumnIx,
        slot: u32,
        new: NewValue,
        old: Option<OldValue>,
    },
    /// A value was removed with its entity, or with the state that has it.
    Clear {
        column: ColumnIx,
        slot: u32,
        old: OldValue,
    },
    Link {
        edge: EdgeIx,
        from: u32,
        to: u32,
    },
    Unlink {
        edge: EdgeIx,
        from: u32,
        to: u32,
        at: Positions,
    },
    Relink {
        edge: EdgeIx,
        links: Relinked,
    },
    /// The data of a link that has none is set.
    SetLink {
        edge: EdgeIx,
        from: u32,
        to: u32,
        new: NewValue,
    },
    /// The data of a link was removed, with the link or before other data is set.
    ClearLink {
        edge: EdgeIx,
        from: u32,
        to: u32,
        old: OldValue,
    },
}

/// One change of the graph with what its undo needs. The head has the index of an entity type, column or edge in the bits 0
/// to 15, the kind in 16 to 19, the form of a value in 20 and 21, a flag in 22, and a state in 24 to 31.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Entry {
    head: u32,
    slot: u32,
    word: u64,
    undo: u64,
}

// Writing and reading them is a large part of a step.
const _: () = assert!(size_of::<Entry>() == 24);

const CREATE: u32 = 0;
const DELETE: u32 = 1;
const MOVE: u32 = 2;
const SET: u32 = 3;
const CLEAR: u32 = 4;
const LINK: u32 = 5;
const UNLINK: u32 = 6;
const RELINK: u32 = 7;
const SET_LINK: u32 = 8;
const CLEAR_LINK: u32 = 9;

/// The bit of the head that says whether a set replaced a value, or which end of a relink holds lists.
const FLAG: u32 = 1 << 22;

#[inline(always)]
fn head(kind: u32, index: impl Into<u16>) -> u32 {
    kind << 16 | u32::from(index.into())
}

/// Two slots or the like in one word.
#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[inline(always)]
fn form_bits(form: Option<PlainForm>) -> u32 {
    let form = match form {
        None => 0,
        Some(PlainForm::Unsigned) => 1,
        Some(PlainForm::Signed) => 2,
        Some(PlainForm::Bool) => 3,
    };
    form << 20
}

impl NewValue {
    #[inline(always)]
    fn parts(self) -> (u32, u64) {
        match self {
            Self::Plain(form, word) => (form_bits(Some(form)), word),
            Self::Encoded { at, len } => (form_bits(None), pair(at, len)),
        }
    }
}

impl OldValue {
    /// Returns the word of a plain value.
    #[inline(always)]
    pub(super) fn plain(self) -> Option<u64> {
        match self {
            Self::Plain(_, word) => Some(word),
            Self::Hashed(_) => None,
        }
    }

    #[inline(always)]
    fn parts(self) -> (u32, u64) {
        match self {
            Self::Plain(form, word) => (form_bits(Some(form)), word),
            Self::Hashed(hash) => (form_bits(None), hash),
        }
    }
}

impl Entry {
    #[inline(always)]
    pub(super) fn create(entity: EntityIx, state: StateIx, id: Id) -> Self {
        Self {
            head: head(CREATE, entity) | u32::from(state) << 24,
            slot: id.slot,
            word: id.generation.into(),
            undo: 0,
        }
    }

    #[inline(always)]
    pub(super) fn delete(entity: EntityIx, state: StateIx, id: Id) -> Self {
        Self {
            head: head(DELETE, entity) | u32::from(state) << 24,
            slot: id.slot,
            word: id.generation.into(),
            undo: 0,
        }
    }

    #[inline(always)]
    pub(super) fn moved(entity: EntityIx, slot: u32, from: StateIx, to: StateIx) -> Self {
        Self {
            head: head(MOVE, entity),
            slot,
            word: u64::from(from.get()) | u64::from(to.get()) << 8,
            undo: 0,
        }
    }

    /// A value was set; both values are of the column's type.
    #[inline(always)]
    pub(super) fn set(column: ColumnIx, slot: u32, new: NewValue, old: Option<OldValue>) -> Self {
        let (form, word) = new.parts();
        let (flag, undo) = old.map_or((0, 0), |old| (FLAG, old.parts().1));
        Self {
            head: head(SET, column) | form | flag,
            slot,
            word,
            undo,
        }
    }

    #[inline(always)]
    pub(super) fn clear(column: ColumnIx, slot: u32, old: OldValue) -> Self {
        let (form, undo) = old.parts();
        Self {
            head: head(CLEAR, column) | form,
            slot,
            word: 0,
            undo,
        }
    }

    #[inline(always)]
    pub(super) fn link(edge: EdgeIx, from: u32, to: u32) -> Self {
        Self {
            head: head(LINK, edge),
            slot: from,
            word: to.into(),
            undo: 0,
        }
    }

    #[inline(always)]
    pub(super) fn unlink(edge: EdgeIx, from: u32, to: u32, at: Positions) -> Self {
        Self {
            head: head(UNLINK, edge),
            slot: from,
            word: to.into(),
            undo: pair(at.from, at.to),
        }
    }

    #[inline(always)]
    pub(super) fn relink(edge: EdgeIx, links: Relinked) -> Self {
        Self {
            head: head(RELINK, edge) | if links.forward { FLAG } else { 0 },
            slot: links.held,
            word: pair(links.holder, links.old),
            undo: links.at.into(),
        }
    }

    #[inline(always)]
    pub(super) fn set_link(edge: EdgeIx, (from, to): (u32, u32), new: NewValue) -> Self {
        let (form, word) = new.parts();
        Self {
            head: head(SET_LINK, edge) | form,
            slot: from,
            word,
            undo: to.into(),
        }
    }

    #[inline(always)]
    pub(super) fn clear_link(edge: EdgeIx, (from, to): (u32, u32), old: OldValue) -> Self {
        let (form, undo) = old.parts();
        Self {
            head: head(CLEAR_LINK, edge) | form,
            slot: from,
            word: to.into(),
            undo,
        }
    }

    #[inline(always)]
    fn form(self) -> Option<PlainForm> {
        match self.head >> 20 & 3 {
            0 => None,
            1 => Some(PlainForm::Unsigned),
            2 => Some(PlainForm::Signed),
            _ => Some(PlainForm::Bool),
        }
    }

    #[inline(always)]
    fn flag(self) -> bool {
        self.head & FLAG != 0
    }

    #[inline(always)]
    fn new_value(self) -> NewValue {
        match self.form() {
            Some(form) => NewValue::Plain(form, self.word),
            None => NewValue::Encoded {
                at: self.word as u32,
                len: (self.word >> 32) as u32,
            },
        }
    }

    #[inline(always)]
    fn old_value(self) -> OldValue {
        match self.form() {
            Some(form) => OldValue::Plain(form, self.undo),
            None => OldValue::Hashed(self.undo),
        }
    }

    /// Returns what the entry means.
    #[inline(always)]
    pub(super) fn change(self) -> Change {
        let (slot, index) = (self.slot, self.head as u16);
        let (entity, column, edge) = (
            EntityIx::new(index),
            ColumnIx::new(index),
            EdgeIx::new(index),
        );
        let state = StateIx::new((self.head >> 24) as u8);
        let id = Id {
            slot,
            generation: self.word as u32,
        };
        let (from, to) = (slot, self.word as u32);
        match self.head >> 16 & 15 {
            CREATE => Change::Create { entity, state, id },
            DELETE => Change::Delete { entity, state, id },
            MOVE => Change::Move {
                entity,
                slot,
                from: StateIx::new(self.word as u8),
                to: StateIx::new((self.word >> 8) as u8),
            },
            SET => Change::Set {
                column,
                slot,
                new: self.new_value(),
                old: self.flag().then(|| self.old_value()),
            },
            CLEAR => Change::Clear {
                column,
                slot,
                old: self.old_value(),
            },
            LINK => Change::Link { edge, from, to },
            UNLINK => Change::Unlink {
                edge,
                from,
                to,
                at: Positions {
                    from: self.undo as u32,
                    to: (self.undo >> 32) as u32,
                },
            },
            RELINK => Change::Relink {
                edge,
                links: Relinked {
                    forward: self.flag(),
                    held: slot,
                    holder: self.word as u32,
                    old: (self.word >> 32) as u32,
                    at: self.undo as u32,
                },
            },
            SET_LINK => Change::SetLink {
                edge,
                from,
                to: self.undo as u32,
                new: self.new_value(),
            },
            _ => Change::ClearLink {
                edge,
                from,
                to,
                old: self.old_value(),
            },
        }
    }

    /// Calls `see` with the facts of the entry, in order. `stored` gives the position and length of a value.
    #[inline(always)]
    pub(super) fn each_fact(
        self,
        stored: impl FnOnce(NewValue) -> (u32, u32),
        mut see: impl FnMut(Fact),
    ) {
        match self.change() {
            Change::Create { entity, state, id } => see(Fact::Create {
                entity,
                state,
                slot: id.slot,
                generation: id.generation,
            }),
            Change::Delete { entity, state, id } => see(Fact::Delete {
                entity,
                state,
                slot: id.slot,
                generation: id.generation,
            }),
            Change::Move {
                entity,
                slot,
                from,
                to,
            } => see(Fact::Move {
                entity,
                slot,
                from,
                to,
            }),
            Change::Set {
                column, slot, new, ..
            } => {
                let (at, len) = stored(new);
                see(Fact::Set {
                    column,
                    slot,
                    at,
                    len,
                });
            }
            Change::Link { edge, from, to } => see(Fact::Link { edge, from, to }),
            Change::Unlink { edge, from, to, .. } => see(Fact::Unlink { edge, from, to }),
            Change::Relink { edge, links } => {
                let (from, to) = links.removed();
                see(Fact::Unlink { edge, from, to });
                let (from, to) = links.made();
                see(Fact::Link { edge, from, to });
            }
            Change::SetLink {
                edge,
                from,
                to,
                new,
            } => {
                let (at, len) = stored(new);
                see(Fact::SetLink {
                    edge,
                    from,
                    to,
                    at,
                    len,
                });
            }
            // The fact of the deletion, move or unlink implies it.
            Change::Clear { .. } | Change::ClearLink { .. } => {}
        }
    }
}
