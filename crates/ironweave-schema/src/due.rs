//! When an event with a due time can be due.

use crate::{Arc, BindBy, EventDef, NameIx, Path, Quantifier, Schema, Scope, StateIx};

impl Schema {
    /// Returns the states in which an entity can be when an event is [due](EventDef::due) for it; `None` if the event is never
    /// due. These are the states that have the time, if it is data of a state, and in which the event would not be rejected for
    /// the state of the entity: by a token, by a move, by a condition on the entity itself, or because it sets data of a state.
    ///
    /// # Panics
    /// If the event is not one of this schema.
    #[must_use]
    pub fn due_states(&self, event: &EventDef) -> Option<Vec<StateIx>> {
        let due = event.due.as_ref()?;
        let name = &event[due.name];
        let mut states: Vec<StateIx> = StateIx::all(self[name.entity].states.len()).collect();
        if let Some(state) = self[due.column].state {
            states.retain(|one| *one == state);
        }
        if let BindBy::Token(state) = name.by {
            states.retain(|one| *one == state);
        }
        for arc in &event.arcs {
            match arc {
                Arc::Move {
                    scope: Scope::Each,
                    path,
                    from,
                    ..
                } if is_name(path, due.name) => states.retain(|one| from.contains(one)),
                Arc::When {
                    quantifier,
                    path,
                    states: of,
                } if is_name(path, due.name) => {
                    states.retain(|one| of.contains(one) != (*quantifier == Quantifier::None));
                }
                Arc::Set { path, value } if is_name(path, due.name) => {
                    let of = self[value.column].state;
                    states.retain(|one| of.is_none_or(|state| state == *one));
                }
                _ => {}
            }
        }
        Some(states)
    }

    /// Returns whether the arcs of an event leave an entity for which it was [due](EventDef::due) in one of the states in which
    /// it can be due, with the same time.
    ///
    /// # Panics
    /// If the event is not one of this schema.
    #[must_use]
    pub fn stays_due(&self, event: &EventDef) -> bool {
        let (Some(due), Some(states)) = (&event.due, self.due_states(event)) else {
            return false;
        };
        !event.arcs.iter().any(|arc| match arc {
            Arc::Delete { path } => is_name(path, due.name),
            Arc::Set { path, value } => is_name(path, due.name) && value.column == due.column,
            Arc::Move {
                scope,
                path,
                from,
                to,
                data,
            } if is_name(path, due.name) => {
                let all = *scope == Scope::Each || states.iter().all(|state| from.contains(state));
                let again = data.iter().any(|value| value.column == due.column);
                all && (again || !states.contains(to))
            }
            _ => false,
        })
    }
}

/// Returns whether a path is a name without edges.
fn is_name(path: &Path, name: NameIx) -> bool {
    path.root == name && path.hops.is_empty()
}
