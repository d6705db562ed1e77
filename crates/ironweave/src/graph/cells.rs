//! The values of a column: plain ones in an array, others with the hashes of their stored bytes.

use crate::graph::storage::{Storage, Table};
use crate::value::{Value, is_plain, plain_value};

/// The values of a column.
pub(super) enum Cells<T: Value, S: Storage> {
    /// Plain values, one in each cell.
    Mandatory { values: S::Table<T> },
    /// Numbers and the like, with a presence bit for each. No hash is kept, since encoding such a value is as quick.
    Plain {
        /// Long enough for the last value that was ever present.
        values: S::Table<T>,
        there: S::Table<u64>,
        len: u32,
    },
    /// Other values, each with the hash of its stored bytes, so that the fingerprint can be kept without encoding the old
    /// value again.
    Hashed {
        /// Long enough for the last value that was ever present.
        values: S::Values<Option<T>>,
        hashes: S::Table<u64>,
        len: u32,
    },
}

impl<T: Value, S: Storage> Clone for Cells<T, S> {
    fn clone(&self) -> Self {
        match self {
            Self::Mandatory { values } => Self::Mandatory {
                values: values.clone(),
            },
            Self::Plain { values, there, len } => Self::Plain {
                values: values.clone(),
                there: there.clone(),
                len: *len,
            },
            Self::Hashed {
                values,
                hashes,
                len,
            } => Self::Hashed {
                values: values.clone(),
                hashes: hashes.clone(),
                len: *len,
            },
        }
    }
}

impl<T: Value, S: Storage> Cells<T, S> {
    pub(super) fn new() -> Self {
        if is_plain::<T>() {
            Self::Plain {
                values: S::Table::default(),
                there: S::Table::default(),
                len: 0,
            }
        } else {
            Self::Hashed {
                values: S::Values::default(),
                hashes: S::Table::default(),
                len: 0,
            }
        }
    }

    /// Cells of plain values, each of which has a value.
    pub(super) fn mandatory() -> Self {
        Self::Mandatory {
            values: S::Table::default(),
        }
    }

    pub(super) fn grow(&mut self) {
        match self {
            Self::Mandatory { values } => {
                // The type is plain.
                if let Some(default) = plain_value(0) {
                    values.push(default);
                }
            }
            Self::Plain { there, len, .. } => {
                *len += 1;
                if there.len() < (*len as usize).div_ceil(64) {
                    there.push(0);
                }
            }
            Self::Hashed { len, .. } => *len += 1,
        }
    }

    /// Makes so many cells, of which there are none, as [`grow`](Cells::grow) does.
    pub(super) fn make_room(&mut self, cells: u32) {
        match self {
            Self::Mandatory { values } => {
                if let Some(default) = plain_value(0) {
                    values.fill(cells as usize, default);
                }
            }
            Self::Plain { values, there, len } => {
                *len = cells;
                values.reserve(cells as usize);
                there.fill((cells as usize).div_ceil(64), 0);
            }
            Self::Hashed {
                values,
                hashes,
                len,
            } => {
                *len = cells;
                values.reserve(cells as usize);
                hashes.reserve(cells as usize);
            }
        }
    }

    /// The inverse of [`Cells::grow`]; the last cell is empty.
    pub(super) fn shrink(&mut self) {
        match self {
            Self::Mandatory { values } => values.pop(),
            Self::Plain { values, there, len } => {
                *len -= 1;
                if values.len() > *len as usize {
                    values.pop();
                }
                if there.len() > (*len as usize).div_ceil(64) {
                    there.pop();
                }
            }
            Self::Hashed {
                values,
                hashes,
                len,
            } => {
                *len -= 1;
                if values.len() > *len as usize {
                    values.pop();
                    hashes.pop();
                }
            }
        }
    }

    /// How many cells there are, with the empty ones.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Mandatory { values } => values.len(),
            Self::Plain { len, .. } | Self::Hashed { len, .. } => *len as usize,
        }
    }

    /// Calls `see` with the cells that may differ.
    pub(super) fn differing(&self, other: &Self, see: &mut dyn FnMut(usize)) {
        match (self, other) {
            (Self::Mandatory { values }, Self::Mandatory { values: others }) => {
                values.differing(others, see);
            }
            (
                Self::Plain { values, there, .. },
                Self::Plain {
                    values: values_there,
                    there: other_there,
                    ..
                },
            ) => {
                let len = self.len().max(other.len());
                values.differing(values_there, see);
                there.differing(other_there, &mut |word| {
                    (word * 64..len.min(word * 64 + 64)).for_each(&mut *see);
                });
            }
            (Self::Hashed { values, .. }, Self::Hashed { values: others, .. }) => {
                values.differing(others, see);
            }
            // Both are of one type, which is plain or is not.
            _ => {}
        }
    }

    #[inline(always)]
    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        let at = slot as usize;
        match self {
            Self::Mandatory { values } => Some(values.at(at)),
            Self::Plain { values, there, .. } => {
                (there.at(at / 64) >> (at % 64) & 1 == 1).then(|| values.at(at))
            }
            Self::Hashed { values, .. } if at < values.len() => values.at(at).as_ref(),
            Self::Hashed { .. } => None,
        }
    }

    /// The hash that is kept of a value.
    pub(super) fn hash(&self, slot: u32) -> u64 {
        match self {
            Self::Hashed { hashes, .. } if (slot as usize) < hashes.len() => {
                *hashes.at(slot as usize)
            }
            Self::Mandatory { .. } | Self::Plain { .. } | Self::Hashed { .. } => 0,
        }
    }

    /// Replaces a value and its hash, and returns the old ones.
    #[inline(always)]
    pub(super) fn exchange(&mut self, slot: u32, new: Option<T>, hash: u64) -> (Option<T>, u64) {
        let at = slot as usize;
        match self {
            // A value is written even if it is unchanged, so that `differing` finds the cells of an entity that reuses a slot.
            Self::Mandatory { values } => match new.or_else(|| plain_value(0)) {
                Some(new) => (Some(std::mem::replace(values.at_mut(at), new)), 0),
                // The type is plain.
                None => (None, 0),
            },
            Self::Plain { values, there, .. } => {
                let was = there.at(at / 64) >> (at % 64) & 1 == 1;
                let old = match new {
                    Some(new) => {
                        // Not written if it is set already: the page may be shared.
                        if !was {
                            *there.at_mut(at / 64) |= 1 << (at % 64);
                        }
                        if values.len() <= at {
                            // The values below are not present.
                            while values.len() < at {
                                values.push(new.clone());
                            }
                            values.push(new);
                            return (None, 0);
                        }
                        std::mem::replace(values.at_mut(at), new)
                    }
                    None if was => {
                        *there.at_mut(at / 64) &= !(1 << (at % 64));
                        values.at(at).clone()
                    }
                    None => return (None, 0),
                };
                (was.then_some(old), 0)
            }
            Self::Hashed { values, hashes, .. } => {
                if at >= values.len() {
                    if new.is_none() {
                        return (None, 0);
                    }
                    while values.len() <= at {
                        values.push(None);
                        hashes.push(0);
                    }
                }
                (
                    std::mem::replace(values.at_mut(at), new),
                    std::mem::replace(hashes.at_mut(at), hash),
                )
            }
        }
    }
}
