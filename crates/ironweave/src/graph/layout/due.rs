//! The events that have a due time.

use crate::graph::layout::{Layout, StateSet};
use crate::schema::{BindBy, ColumnIx, EntityIx};

/// An event that has a due time.
pub(crate) struct Due {
    /// Its index among the events that a program can fire.
    pub fired: usize,
    /// The type of the only entity that it binds.
    pub entity: EntityIx,
    /// How it names that entity.
    pub by: BindBy,
    /// The column of the time.
    pub column: ColumnIx,
    /// The states in which the entity can be when it is due.
    pub states: StateSet,
}

impl Layout {
    /// Adds the events that have a due time.
    pub(super) fn add_dues(&mut self) {
        let events = self.schema.events.iter();
        let fired = events.filter(|event| !event.immediate);
        for (fired, event) in fired.enumerate() {
            let (Some(due), Some(states)) = (&event.due, self.schema.due_states(event)) else {
                continue;
            };
            let name = &event[due.name];
            let dues = &mut self.entities[usize::from(name.entity)].dues;
            dues.push(self.dues.len() as u16);
            self.dues.push(Due {
                fired,
                entity: name.entity,
                by: name.by,
                column: due.column,
                states: StateSet::of(&states),
            });
        }
    }
}
