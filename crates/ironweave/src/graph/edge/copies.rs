//! Clones of edges, copies in another storage, and where two edges may differ.

use super::fan::note_positions;
use super::places::Places;
use super::{Edge, Links, Positions};
use crate::graph::list::List as _;
use crate::graph::storage::{Storage, Table as _};

impl<S: Storage> Clone for Links<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Ones { from, to } => Self::Ones {
                from: from.clone(),
                to: to.clone(),
            },
            Self::Fan {
                forward,
                lists,
                ones,
            } => Self::Fan {
                forward: *forward,
                lists: lists.clone(),
                ones: ones.clone(),
            },
            Self::Pairs {
                from,
                to,
                positions,
            } => Self::Pairs {
                from: from.clone(),
                to: to.clone(),
                positions: positions.clone(),
            },
        }
    }
}

impl<S: Storage> Clone for Edge<S> {
    fn clone(&self) -> Self {
        Self {
            links: self.links.clone(),
            data: self.data.clone(),
            sorted: self.sorted.clone(),
            plain_fan: self.plain_fan,
        }
    }
}

impl<S: Storage> Edge<S> {
    /// A copy in another storage, without an order. `data` is an empty column for the data of the links.
    pub(in crate::graph) fn copy<B: Storage>(&self, data: Option<B::Column>) -> Edge<B> {
        Edge {
            links: match &self.links {
                Links::Ones { from, to } => Links::Ones {
                    from: from.copy(),
                    to: to.copy(),
                },
                Links::Fan {
                    forward,
                    lists,
                    ones,
                } => {
                    let copy = lists.copy::<B>();
                    let mut ones = ones.copy();
                    for i in 0..copy.used() {
                        if !lists.at(i).has_noted_positions() && copy.at(i).has_noted_positions() {
                            note_positions::<B>(copy.at(i), &mut ones);
                        }
                    }
                    Links::Fan {
                        forward: *forward,
                        lists: copy,
                        ones,
                    }
                }
                Links::Pairs {
                    from,
                    to,
                    positions,
                } => {
                    let (from, to) = (from.copy::<B>(), to.copy::<B>());
                    let mut positions: Places<B::Map<Positions>> = positions.copy();
                    positions.table::<B>(&from, &to);
                    Links::Pairs {
                        from,
                        to,
                        positions,
                    }
                }
            },
            data: (self.data.as_ref())
                .zip(data)
                .map(|(data, column)| data.copy(column)),
            sorted: None,
            plain_fan: self.plain_fan,
        }
    }

    /// Calls `see` with the slots of the declaring end whose links may differ.
    pub(in crate::graph) fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        match (&self.links, &other.links) {
            (Links::Ones { from: a, .. }, Links::Ones { from: b, .. }) => a.differing(b, see),
            (
                Links::Fan {
                    forward,
                    lists: a,
                    ones: c,
                },
                Links::Fan {
                    lists: b, ones: d, ..
                },
            ) => {
                if *forward {
                    a.differing(b, see);
                } else {
                    c.differing(d, see);
                }
            }
            (Links::Pairs { from: a, .. }, Links::Pairs { from: b, .. }) => a.differing(b, see),
            // Both are the same edge, so their ends are of the same kinds.
            _ => {}
        }
    }
}
