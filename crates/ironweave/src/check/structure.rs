//! What the arcs of an event say about the entities that its fields name: which keys they give, on which states they can fire, and
//! whether they can change more than new entities. It follows from the schema alone.

use crate::schema::{
    Arc, BindBy, ColumnIx, EntityIx, EventDef, Hop, May, NameDef, NameIx, Path, Quantifier, Schema,
    Scope, Source, StateIx,
};

/// How many columns the key of an entity type has.
pub(super) fn key_len(schema: &Schema, entity: EntityIx) -> usize {
    schema
        .columns
        .iter()
        .filter(|c| c.entity == entity && c.key)
        .count()
}

/// The type of the entity that an event creates with a field as its key, or as a part of it.
pub(super) fn key_of(schema: &Schema, def: &EventDef, field: usize) -> Option<EntityIx> {
    def.arcs.iter().find_map(|arc| match arc {
        Arc::Create { name, values, .. } => (values.iter())
            .any(|value| {
                schema[value.column].key
                    && matches!(value.source, Source::Field(ix) if ix.index() == field)
            })
            .then(|| def[*name].entity),
        _ => None,
    })
}

/// By state, whether an event can fire on an entity in that state that one of its fields names. This excludes no event that fires.
pub(super) fn source_states(
    schema: &Schema,
    def: &EventDef,
    (ix, name): (NameIx, &NameDef),
) -> Vec<bool> {
    let states = &schema[name.entity].states;
    let mut allowed = vec![true; states.len()];
    let mut restrict = |to: &[StateIx]| {
        for (state, allowed) in StateIx::all(states.len()).zip(&mut allowed) {
            *allowed &= to.contains(&state);
        }
    };
    if let BindBy::Token(state) = name.by {
        restrict(&[state]);
    }
    for arc in &def.arcs {
        match arc {
            Arc::Move {
                scope: Scope::Each,
                path,
                from,
                ..
            } if path.root == ix && path.hops.is_empty() => {
                restrict(from);
            }
            Arc::When {
                quantifier: Quantifier::All,
                path,
                states,
            } if path.root == ix && path.hops.is_empty() => {
                restrict(states);
            }
            Arc::Set { path, value } if path.root == ix && path.hops.is_empty() => {
                if let Some(state) = schema[value.column].state {
                    restrict(&[state]);
                }
            }
            // It does not hold in another state.
            Arc::Compare { left, right, .. } => {
                for column in columns_of(left, ix).chain(columns_of(right, ix)) {
                    if let Some(state) = schema[column].state {
                        restrict(&[state]);
                    }
                }
            }
            _ => {}
        }
    }
    allowed
}

/// The columns of the entity of a name that a value is made of.
fn columns_of(source: &Source, of: NameIx) -> Box<dyn Iterator<Item = ColumnIx> + '_> {
    match source {
        Source::Entity { name, column } if *name == of => Box::new(std::iter::once(*column)),
        Source::Calculated { left, right, .. } => {
            Box::new(columns_of(left, of).chain(columns_of(right, of)))
        }
        _ => Box::new(std::iter::empty()),
    }
}

/// Whether an event, or an immediate event that follows, can move or delete an entity that existed before it. If not, the event can
/// only create entities and link them.
pub(super) fn can_progress(schema: &Schema, def: &EventDef) -> bool {
    let is_created = |path: &Path| path.hops.is_empty() && def[path.root].by == BindBy::Created;
    // The hops whose links can change at an entity that existed before.
    let mut changed = Vec::new();
    for arc in &def.arcs {
        match arc {
            Arc::Link {
                path, hop, with, ..
            } => {
                changed.extend((!is_created(path)).then_some(*hop));
                changed.extend((!is_created(with)).then_some(back(*hop)));
            }
            Arc::Create { .. }
            | Arc::When { .. }
            | Arc::Count { .. }
            | Arc::Compare { .. }
            | Arc::Choose { .. }
            | Arc::Set { .. }
            | Arc::SetLink { .. } => {}
            _ => return true,
        }
    }
    let sets = (def.arcs.iter()).any(|arc| matches!(arc, Arc::Set { .. }));
    let is_new = |name: &NameDef| matches!(name.by, BindBy::Created | BindBy::Ensure);
    let is_on_new = |event: &EventDef| {
        let on = event.names.first().map(|name| name.entity);
        def.names
            .iter()
            .any(|name| is_new(name) && Some(name.entity) == on)
    };
    let immediates: Vec<&EventDef> = schema
        .events
        .iter()
        .filter(|event| event.immediate)
        .collect();
    // Those that fire on the new entities can change links with others.
    let on_new = immediates.iter().filter(|event| is_on_new(event));
    for arc in on_new.flat_map(|event| &event.arcs) {
        match arc {
            Arc::Link { path, hop, .. }
            | Arc::Unlink { path, hop, .. }
            | Arc::Relink { path, hop, .. }
                if path.hops.is_empty() =>
            {
                changed.push(back(*hop));
            }
            Arc::When { .. } | Arc::Count { .. } | Arc::Compare { .. } | Arc::Set { .. } => {}
            // One that chooses can do so with an entity that existed before.
            Arc::Move { path, .. } if path.hops.is_empty() => {}
            _ => return true,
        }
    }
    let reads_changed = |arc: &Arc| match arc {
        Arc::When { path, .. } | Arc::Count { path, .. } => {
            path.hops.iter().any(|hop| changed.contains(hop))
        }
        Arc::Compare { .. } => sets,
        // The new entity can be a candidate.
        Arc::Choose { .. } => true,
        _ => false,
    };
    !def.mays.is_empty()
        || immediates
            .iter()
            .any(|event| event.arcs.iter().any(reads_changed))
}

/// The same edge from the other end.
fn back(hop: Hop) -> Hop {
    Hop {
        forward: !hop.forward,
        ..hop
    }
}

/// Whether an event can delete an entity.
pub(super) fn may_delete(event: &EventDef) -> bool {
    let deletes = |arc: &Arc| matches!(arc, Arc::Delete { .. } | Arc::Unknown(_));
    let may = |may: &May| matches!(may, May::Delete(_) | May::Unknown(_));
    event.arcs.iter().any(deletes) || event.mays.iter().any(may)
}
