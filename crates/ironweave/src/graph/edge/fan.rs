//! The lists of one end, and what the other end, which holds one link, knows of them.

use crate::graph::edge::NONE;
use crate::graph::list::List;
use crate::graph::storage::{Storage, Table};

/// The only link of an entity, and the position of the entity in the list at the far end if that list [has noted
/// positions](List::has_noted_positions). They are kept together, since both are needed at once.
#[derive(Clone, Copy)]
pub(super) struct Only {
    pub far: u32,
    pub at: u32,
}

pub(super) const FREE: Only = Only { far: NONE, at: 0 };

/// Appends a member and returns its position.
#[inline]
pub(super) fn attach(list: &mut impl List, far: u32) -> u32 {
    let at = list.len() as u32;
    list.add(far);
    at
}

/// The inverse of [`List::swap_remove`]. Returns the member that was moved back to the end, if any, and its position, and
/// whether [`note_positions`] is necessary now.
#[inline(always)]
pub(super) fn restore(list: &mut impl List, far: u32, at: u32) -> (Option<(u32, u32)>, bool) {
    let Some(hole) = list.get_mut(at as usize) else {
        return (None, list.add(far));
    };
    let moved = std::mem::replace(hole, far);
    let last = list.len() as u32;
    let lengthened = list.add(moved);
    (Some((moved, last)), lengthened)
}

/// Appends `held`, which has no link, to the list of `holder`.
#[inline(always)]
pub(super) fn join<S: Storage>(
    list: &mut S::List,
    ones: &mut S::Table<Only>,
    holder: u32,
    held: u32,
) {
    let at = list.len() as u32;
    *ones.at_mut(held as usize) = Only { far: holder, at };
    if list.add(held) {
        note_positions::<S>(list, ones);
    }
}

/// Removes `held`, which has noted a position, from a list. Returns its position.
#[inline(always)]
pub(super) fn leave<S: Storage>(
    list: &mut S::List,
    ones: &mut S::Table<Only>,
    held: u32,
    noted: u32,
) -> u32 {
    let at = list.position(held, noted);
    let has_noted = list.has_noted_positions();
    if let Some(moved) = list.swap_remove(at).filter(|_| has_noted) {
        ones.at_mut(moved as usize).at = at;
    }
    at
}

/// The inverse of `leave`: `held` has the link `only` again.
#[inline]
pub(super) fn rejoin<S: Storage>(
    list: &mut S::List,
    ones: &mut S::Table<Only>,
    held: u32,
    only: Only,
) {
    *ones.at_mut(held as usize) = only;
    let noted = list.has_noted_positions();
    let (moved, lengthened) = restore(list, held, only.at);
    if let Some((moved, last)) = moved.filter(|_| noted) {
        ones.at_mut(moved as usize).at = last;
    }
    if lengthened {
        note_positions::<S>(list, ones);
    }
}

/// Notes the positions of all members of a list that did not need them before.
#[cold]
pub(super) fn note_positions<S: Storage>(list: &S::List, ones: &mut S::Table<Only>) {
    for (at, member) in list.slots().iter().enumerate() {
        ones.at_mut(*member as usize).at = at as u32;
    }
}
