//! Due times: which entities an event is due for, in order of time.
//!
//! An event with a due time has an ordered index by the time, of the entities that are in a state in which it can be due. Changes,
//! undo, replay and copies of the graph maintain it like any other index, so that it cannot disagree with the entities.

use std::any::Any;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Bound;

use crate::base::time::Timestamp;
use crate::graph::GraphRef;
use crate::graph::any::either;
use crate::graph::index::composite::Selection;
use crate::graph::layout::Due;
use crate::value::Value;

/// A type of times that an event can be due at: `Timestamp`, or `Option<Timestamp>`, whose `None` is never reached.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a time that an event can be due at",
    label = "not a time",
    note = "declare the field as `Timestamp`, or as `Option<Timestamp>` if an entity may have none"
)]
pub trait DueTime: Value + Ord {}

impl DueTime for Timestamp {}
impl DueTime for Option<Timestamp> {}

/// Compiles only for a type of times.
pub const fn due_at<T: DueTime>() {}

/// Returns the time that is the value of a column.
fn time_of(value: &dyn Any) -> Option<Timestamp> {
    match value.downcast_ref::<Timestamp>() {
        Some(time) => Some(*time),
        None => *value.downcast_ref::<Option<Timestamp>>()?,
    }
}

/// An event that is due for an entity: the time, the event as an index of [`Layout::dues`](crate::graph::layout::Layout::dues),
/// and the slot of the entity. In this order they fire.
pub(crate) type Deadline = (Timestamp, u16, u32);

impl<'g> GraphRef<'g> {
    /// Returns all events that are due at a time or before it, in the order in which they fire. O(log n) for each event of the
    /// model that has a due time; the same for each that is taken.
    pub(crate) fn deadlines(self, until: Timestamp) -> impl Iterator<Item = Deadline> + 'g {
        let dues = (0..).zip(&self.layout().dues);
        let mut lists: Vec<_> = dues
            .map(|(ix, due): (u16, _)| (ix, self.due(due, until)))
            .collect();
        let mut next = BinaryHeap::new();
        let mut first = true;
        std::iter::from_fn(move || {
            let mut take = |next: &mut BinaryHeap<_>, at: usize| {
                let (ix, list) = &mut lists[at];
                if let Some((time, slot)) = list.next() {
                    next.push(Reverse((time, *ix, slot)));
                }
            };
            if std::mem::take(&mut first) {
                (0..self.layout().dues.len()).for_each(|at| take(&mut next, at));
            }
            let Reverse(deadline) = next.pop()?;
            take(&mut next, usize::from(deadline.1));
            Some(deadline)
        })
    }

    /// Returns the time at which an event is due for the entity at a slot; `None` if it is not, because there is no entity, it
    /// has no time or is in another state. O(1).
    pub(crate) fn due_time(self, due: &Due, slot: u32) -> Option<Timestamp> {
        let is_in_state = due.states.contains(self.state_of(due.entity, slot));
        let value = self.column(due.column).value(slot);
        value.filter(|_| is_in_state).and_then(time_of)
    }

    /// Returns the slots of the entities for which an event is due at a time or before it, each with its time, in order of time
    /// and then of slot. O(log n), and O(1) for each that is taken.
    pub(crate) fn due(
        self,
        due: &'g Due,
        until: Timestamp,
    ) -> impl Iterator<Item = (Timestamp, u32)> + 'g {
        let (none, some) = (None::<Timestamp>, Some(until));
        let range: (Bound<&dyn Any>, Bound<&dyn Any>) = if due.is_optional {
            (Bound::Excluded(&none), Bound::Included(&some))
        } else {
            (Bound::Unbounded, Bound::Included(&until))
        };
        let selection = Selection { prefix: &[], range };
        let slots = either!(self, graph => graph.select_ordered(due.index, &selection));
        slots.filter_map(move |slot| Some((self.due_time(due, slot)?, slot)))
    }
}
