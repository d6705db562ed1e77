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

/// Receives the facts of entries. Its methods are to be inlined always: then each is compiled for the kind of the fact.
pub(super) trait FactSink {
    /// Returns the position and length of a value.
    fn store(&mut self, value: NewValue) -> (u32, u32);

    /// Receives the next fact.
    fn see(&mut self, fact: Fact);

    /// Receives the next two facts, which are about links of one edge.
    #[inline(always)]
    fn see_both(&mut self, first: Fact, second: Fact) {
        self.see(first);
        self.see(second);
    }
}

/// One change of the graph, with what its undo needs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
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
    /// A plain value was set in a cell without a value.
    FillPlain {
        column: ColumnIx,
        slot: u32,
        form: PlainForm,
        new: u64,
    },
    /// A plain value replaced another.
    ReplacePlain {
        column: ColumnIx,
        slot: u32,
        form: PlainForm,
        new: u64,
        old: u64,
    },
    /// Another value was set in a cell without a value. Its encoding is in the bytes of the journal.
    FillEncoded {
        column: ColumnIx,
        slot: u32,
        at: u32,
        len: u32,
    },
    /// Another value replaced one with this hash, which is on the stack of the column.
    ReplaceEncoded {
        column: ColumnIx,
        slot: u32,
        at: u32,
        len: u32,
        old_hash: u64,
    },
    /// A plain value was removed with its entity, or with the state that has it.
    ClearPlain {
        column: ColumnIx,
        slot: u32,
        form: PlainForm,
        old: u64,
    },
    /// The same of another value.
    ClearEncoded {
        column: ColumnIx,
        slot: u32,
        old_hash: u64,
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
    /// A link with another entity was replaced at the end that holds one.
    Relink {
        edge: EdgeIx,
        links: Relinked,
    },
    /// The data of a link that has none is set, to a plain value.
    SetLinkPlain {
        edge: EdgeIx,
        from: u32,
        to: u32,
        form: PlainForm,
        new: u64,
    },
    /// The same, to another value.
    SetLinkEncoded {
        edge: EdgeIx,
        from: u32,
        to: u32,
        at: u32,
        len: u32,
    },
    /// The data of a link was removed, with the link or before other data is set. It was a plain value.
    ClearLinkPlain {
        edge: EdgeIx,
        from: u32,
        to: u32,
        form: PlainForm,
        old: u64,
    },
    /// The same of another value.
    ClearLinkEncoded {
        edge: EdgeIx,
        from: u32,
        to: u32,
        old_hash: u64,
    },
}

// Writing and reading them is a large part of a step.
const _: () = assert!(size_of::<Entry>() == 24);

impl OldValue {
    /// Returns the word of a plain value.
    #[inline(always)]
    pub(super) fn plain(self) -> Option<u64> {
        match self {
            Self::Plain(_, word) => Some(word),
            Self::Hashed(_) => None,
        }
    }
}

impl Entry {
    /// A value was set; both values are of the column's type.
    #[inline(always)]
    pub(super) fn set(column: ColumnIx, slot: u32, new: NewValue, old: Option<OldValue>) -> Self {
        match (new, old) {
            (NewValue::Plain(form, new), Some(OldValue::Plain(_, old))) => Self::ReplacePlain {
                column,
                slot,
                form,
                new,
                old,
            },
            (NewValue::Plain(form, new), _) => Self::FillPlain {
                column,
                slot,
                form,
                new,
            },
            (NewValue::Encoded { at, len }, Some(OldValue::Hashed(old_hash))) => {
                Self::ReplaceEncoded {
                    column,
                    slot,
                    at,
                    len,
                    old_hash,
                }
            }
            (NewValue::Encoded { at, len }, _) => Self::FillEncoded {
                column,
                slot,
                at,
                len,
            },
        }
    }

    /// A value was removed.
    #[inline]
    pub(super) fn clear(column: ColumnIx, slot: u32, old: OldValue) -> Self {
        match old {
            OldValue::Plain(form, old) => Self::ClearPlain {
                column,
                slot,
                form,
                old,
            },
            OldValue::Hashed(old_hash) => Self::ClearEncoded {
                column,
                slot,
                old_hash,
            },
        }
    }

    /// The data of a link was set.
    pub(super) fn set_link(edge: EdgeIx, (from, to): (u32, u32), new: NewValue) -> Self {
        match new {
            NewValue::Plain(form, new) => Self::SetLinkPlain {
                edge,
                from,
                to,
                form,
                new,
            },
            NewValue::Encoded { at, len } => Self::SetLinkEncoded {
                edge,
                from,
                to,
                at,
                len,
            },
        }
    }

    /// The data of a link was removed.
    pub(super) fn clear_link(edge: EdgeIx, (from, to): (u32, u32), old: OldValue) -> Self {
        match old {
            OldValue::Plain(form, old) => Self::ClearLinkPlain {
                edge,
                from,
                to,
                form,
                old,
            },
            OldValue::Hashed(old_hash) => Self::ClearLinkEncoded {
                edge,
                from,
                to,
                old_hash,
            },
        }
    }

    /// Returns how many facts the entry is.
    #[cfg(feature = "proptest")]
    pub(crate) fn facts_len(&self) -> usize {
        match self {
            Self::Relink { .. } => 2,
            Self::ClearPlain { .. }
            | Self::ClearEncoded { .. }
            | Self::ClearLinkPlain { .. }
            | Self::ClearLinkEncoded { .. } => 0,
            _ => 1,
        }
    }

    /// Passes the facts of the entry to a sink, in order.
    #[inline(always)]
    pub(super) fn each_fact(self, sink: &mut impl FactSink) {
        match self {
            Self::Create { entity, state, id } => sink.see(Fact::Create {
                entity,
                state,
                slot: id.slot,
                generation: id.generation,
            }),
            Self::Delete { entity, state, id } => sink.see(Fact::Delete {
                entity,
                state,
                slot: id.slot,
                generation: id.generation,
            }),
            Self::Move {
                entity,
                slot,
                from,
                to,
            } => sink.see(Fact::Move {
                entity,
                slot,
                from,
                to,
            }),
            Self::FillPlain {
                column,
                slot,
                form,
                new,
            }
            | Self::ReplacePlain {
                column,
                slot,
                form,
                new,
                ..
            } => {
                let value = sink.store(NewValue::Plain(form, new));
                sink.see(Fact::set(column, slot, value));
            }
            Self::FillEncoded {
                column,
                slot,
                at,
                len,
            }
            | Self::ReplaceEncoded {
                column,
                slot,
                at,
                len,
                ..
            } => {
                let value = sink.store(NewValue::Encoded { at, len });
                sink.see(Fact::set(column, slot, value));
            }
            Self::Link { edge, from, to } => sink.see(Fact::Link { edge, from, to }),
            Self::Unlink { edge, from, to, .. } => sink.see(Fact::Unlink { edge, from, to }),
            Self::Relink { edge, links } => {
                let (from, to) = links.removed();
                let unlink = Fact::Unlink { edge, from, to };
                let (from, to) = links.made();
                sink.see_both(unlink, Fact::Link { edge, from, to });
            }
            Self::SetLinkPlain {
                edge,
                from,
                to,
                form,
                new,
            } => {
                let value = sink.store(NewValue::Plain(form, new));
                sink.see(Fact::set_link(edge, (from, to), value));
            }
            Self::SetLinkEncoded {
                edge,
                from,
                to,
                at,
                len,
            } => {
                let value = sink.store(NewValue::Encoded { at, len });
                sink.see(Fact::set_link(edge, (from, to), value));
            }
            // The fact of the deletion, move or unlink implies it.
            Self::ClearPlain { .. }
            | Self::ClearEncoded { .. }
            | Self::ClearLinkPlain { .. }
            | Self::ClearLinkEncoded { .. } => {}
        }
    }
}
