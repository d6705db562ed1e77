//! Events that are due, as values of the model's events.

use std::fmt;

use crate::base::cbor::{MAP, UINT, head};
use crate::base::error::EntityRef;
use crate::base::time::Timestamp;
use crate::graph::GraphRef;
use crate::graph::layout::Due;
use crate::schema::BindBy;
use crate::step::any_event::{AnyEvent, event_from};
use crate::step::model::Model;

/// An event that is due for an entity; see [`Store::due`](crate::Store::due).
#[non_exhaustive]
pub struct DueEvent<M: Model> {
    /// The time at which the event is due, as the entity has it.
    pub time: Timestamp,
    /// The event. It can be fired with [`Store::try_step_any`](crate::Store::try_step_any).
    pub event: M::Event,
    /// The entity that the event binds.
    pub entity: EntityRef,
}

impl<M: Model> fmt::Debug for DueEvent<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DueEvent")
            .field("time", &self.time)
            .field("event", &self.event.name())
            .field("entity", &self.entity)
            .finish()
    }
}

/// Returns the events that are due at a time or before it, in the order in which they fire.
pub(crate) fn due_events<M: Model>(
    graph: GraphRef<'_>,
    until: Timestamp,
) -> impl Iterator<Item = DueEvent<M>> {
    graph.deadlines(until).map(move |(time, due, slot)| {
        let due = &graph.layout().dues[usize::from(due)];
        due_event(graph, due, (time, slot))
    })
}

/// Returns the event that is due at a time for the entity at a slot.
pub(crate) fn due_event<M: Model>(
    graph: GraphRef<'_>,
    due: &Due,
    (time, slot): (Timestamp, u32),
) -> DueEvent<M> {
    let id = graph.id(due.entity, slot);
    let mut binding = Vec::new();
    head(&mut binding, MAP, 1);
    head(&mut binding, UINT, 0);
    match due.by {
        BindBy::Key => binding.extend(graph.encoded_key(due.entity, slot)),
        _ => head(&mut binding, UINT, id.to_bits()),
    }
    match event_from(due.fired, &binding, 1) {
        Ok(event) => DueEvent {
            time,
            event,
            entity: graph.who(due.entity, id),
        },
        Err(e) => unreachable!("the only field of a due event names an entity: {e}"),
    }
}
