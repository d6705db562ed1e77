//! Random immediate events with a queue. Either entities wait for another one to enter a place, and the order of the event
//! decides which of them is first, or there are many entities to choose from when one enters the place of the event, and the
//! order of the choice decides.

use ironweave::schema::{
    Arc, BindBy, Cardinality, ChooseFrom, EntityIx, EventDef, NameIx, Path, Schema, Scope, StateIx,
};

use crate::events::{CHOSEN, Draft, bare};
use crate::rng::Rng;
use crate::world::columns;

/// Entities in a state.
type Place = (EntityIx, StateIx);

/// The places that events move entities to, or create them in.
fn entered(before: &[EventDef]) -> Vec<Place> {
    let mut places = Vec::new();
    for event in before {
        for arc in &event.arcs {
            let (root, state) = match arc {
                Arc::Create { name, state, .. } => (*name, *state),
                Arc::Move {
                    path: Path { root, hops },
                    to,
                    ..
                } if hops.is_empty() => (*root, *to),
                _ => continue,
            };
            places.push((event.names[usize::from(root)].entity, state));
        }
    }
    places
}

/// Draws an immediate event for a place that events before it fill.
pub fn event(rng: &mut Rng, schema: &Schema, before: &[EventDef]) -> Option<EventDef> {
    let mut own: Vec<EntityIx> = EntityIx::all(schema.entities.len()).collect();
    own.retain(|entity| !columns(schema, *entity, None).is_empty());
    let own = *rng.pick(&own)?;
    let def = &schema.entities[usize::from(own)];
    let places = entered(before);
    let is_initial = |(of, state): &Place| *state == schema.entities[usize::from(*of)].initial;
    let (initial, others): (Vec<Place>, Vec<Place>) = places.iter().partition(|p| is_initial(p));
    let many_wait = rng.chance(50);
    let waits = if many_wait || rng.chance(20) {
        def.initial
    } else {
        let own: Vec<Place> = others
            .iter()
            .copied()
            .filter(|place| place.0 == own)
            .collect();
        rng.pick(&own)?.1
    };
    let on = |state: StateIx| def.states[usize::from(state)].to.iter().map(|to| to.to);
    let to: Vec<StateIx> = on(waits).filter(|to| *to != waits).collect();
    let to = *rng.pick(&to)?;
    let mut places = if many_wait { others } else { initial };
    places.retain(|place| *place != (own, waits));
    let (of, place) = *rng.pick(&places)?;
    let mut draft = Draft::new(schema, true);
    let root = draft.name(own, Cardinality::One, BindBy::Handle);
    draft.move_from(rng, bare(root), Scope::Each, vec![waits], to);
    if rng.chance(20) {
        draft.watches(rng);
    }
    draft.choose_from(rng, ChooseFrom::Place, of, vec![place]);
    draft.moves(rng, bare(NameIx::new(CHOSEN)), Scope::Each, false);
    if rng.chance(30) {
        draft.any_arc(rng);
    }
    if rng.chance(85) {
        draft.order = draft.random_order(rng, &columns(schema, own, None));
    }
    Some(draft.finish(rng, format!("Im{}", before.len()), Vec::new()))
}
