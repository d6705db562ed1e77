//! The events that have a due time, each with an index of the entities for which it is due at some time.

use crate::base::time::Timestamp;
use crate::graph::index::composite::IndexType;
use crate::graph::indexing::IndexLayout;
use crate::graph::layout::{Layout, StateSet};
use crate::schema::{BindBy, ColumnIx, Encoding, EntityIx, IndexKind, IndexPart};

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
    /// Whether the time is an `Option`.
    pub is_optional: bool,
    /// The states in which the entity can be when it is due.
    pub states: StateSet,
    /// The ordered index by the time of the entities in these states. It follows those of the schema.
    pub index: u16,
}

impl Layout {
    /// Adds the events that have a due time, and their indexes.
    pub(super) fn add_dues(&mut self) {
        let mut fired = 0;
        for ix in 0..self.schema.events.len() {
            let event = &self.schema.events[ix];
            if event.immediate {
                continue;
            }
            fired += 1;
            let (Some(due), Some(states)) = (&event.due, self.schema.due_states(event)) else {
                continue;
            };
            let (column, name) = (due.column, &event[due.name]);
            let (entity, by) = (name.entity, name.by);
            let encoding = self.schema[column].encoding.as_ref();
            let is_optional = matches!(encoding, Some(Encoding::Option(_)));
            let all = states.len() == self.schema[entity].states.len();
            let states = StateSet::of(&states);
            let index = IndexLayout {
                path: format!("of the due times of {}", event.name).into(),
                entity,
                kind: IndexKind::Ordered,
                parts: vec![IndexPart::Column(column)],
                states: (!all).then_some(states),
                ty: if is_optional {
                    IndexType::ordered::<(Option<Timestamp>, ())>()
                } else {
                    IndexType::ordered::<(Timestamp, ())>()
                },
            };
            let index = self.add_index(index);
            let due = self.dues.len() as u16;
            self.entities[usize::from(entity)].dues.push(due);
            self.dues.push(Due {
                fired: fired - 1,
                entity,
                by,
                column,
                is_optional,
                states,
                index,
            });
        }
    }
}
