//! Random events that choose from a list: one links several entities in any order, and another one chooses among them.

use ironweave::schema::{
    BindBy, Cardinality, ChooseFrom, EntityIx, EventDef, Hop, NameIx, Path, Schema, Scope, StateIx,
};

use crate::events::{CHOSEN, Draft, bare};
use crate::rng::Rng;
use crate::schemas::hops;
use crate::world::{ends, far};

/// The ends of edges that hold many.
fn lists(schema: &Schema) -> Vec<(EntityIx, Hop)> {
    let mut lists = Vec::new();
    for entity in EntityIx::all(schema.entities.len()) {
        let of_many = hops(schema, entity).into_iter().filter(|hop| {
            let near = ends(&schema.edges[usize::from(hop.edge)], hop.forward).0;
            near.cardinality == Cardinality::Many && near.max.is_none()
        });
        lists.extend(of_many.map(|hop| (entity, hop)));
    }
    lists
}

/// Draws an event that links and one that chooses.
pub fn events(rng: &mut Rng, schema: &Schema, number: usize) -> Option<[EventDef; 2]> {
    let (near, hop) = *rng.pick(&lists(schema))?;
    let there = far(schema, hop);
    let mut draft = Draft::new(schema, false);
    let own = draft.name(near, Cardinality::One, BindBy::Handle);
    let others = draft.name(there, Cardinality::Many, BindBy::Handle);
    draft.relink(rng, bare(own), hop, bare(others));
    let links = draft.finish(rng, format!("Links{number}"), Vec::new());
    let mut draft = Draft::new(schema, false);
    let root = draft.name(near, Cardinality::One, BindBy::Handle);
    let hops = vec![hop];
    let states = StateIx::all(schema.entities[usize::from(there)].states.len()).collect();
    draft.choose_from(rng, ChooseFrom::Path(Path { root, hops }), there, states);
    if rng.chance(40) {
        let chosen = bare(NameIx::new(CHOSEN));
        draft.moves(rng, chosen, Scope::Those, false);
    }
    let chooses = draft.finish(rng, format!("Chooses{number}"), Vec::new());
    Some([links, chooses])
}
