//! Random filters, answered by `select` and by looking at one entity after the other.

use ironweave::plumbing;
use ironweave::query::Many;
use ironweave::schema::{EntityIx, Hop, Schema, StateIx};
use ironweave::{Db, Entity, Filter, Handle as _};

use crate::compare::{Wrong, entity, same};
use crate::entities::{Ent, St};
use crate::rng::Rng;
use crate::schemas::hops;
use crate::world::{World, far};

/// What is asked of an entity.
#[derive(Clone, Debug)]
enum Asked {
    In(StateIx),
    With(Hop, EntityIx, Box<Asked>),
    Both(Box<Asked>, Box<Asked>),
    Either(Box<Asked>, Box<Asked>),
    Not(Box<Asked>),
}

fn draw(rng: &mut Rng, schema: &Schema, entity: EntityIx, depth: usize) -> Asked {
    let states = schema.entities[usize::from(entity)].states.len();
    if depth == 0 {
        return Asked::In(StateIx::new(rng.below(states) as u8));
    }
    let part = |rng: &mut Rng| Box::new(draw(rng, schema, entity, depth - 1));
    match rng.below(9) {
        0 => Asked::In(StateIx::new(rng.below(states) as u8)),
        1 => Asked::Both(part(rng), part(rng)),
        2 | 3 => Asked::Either(part(rng), part(rng)),
        4 => Asked::Not(part(rng)),
        _ => match rng.pick(&hops(schema, entity)) {
            None => Asked::Not(part(rng)),
            Some(hop) => {
                let there = far(schema, *hop);
                let inner = draw(rng, schema, there, depth - 1);
                Asked::With(*hop, there, Box::new(inner))
            }
        },
    }
}

fn holds(world: &World, entity: EntityIx, slot: u32, asked: &Asked) -> bool {
    match asked {
        Asked::In(state) => world.state(entity, slot) == *state,
        Asked::With(hop, there, inner) => {
            let mut linked = world.list(*hop, slot).iter();
            linked.any(|other| holds(world, *there, *other, inner))
        }
        Asked::Both(a, b) => holds(world, entity, slot, a) && holds(world, entity, slot, b),
        Asked::Either(a, b) => holds(world, entity, slot, a) || holds(world, entity, slot, b),
        Asked::Not(a) => !holds(world, entity, slot, a),
    }
}

fn filter<const E: usize>(asked: &Asked) -> Filter<Ent<E, 0>> {
    match asked {
        Asked::In(state) => match state.get() {
            0 => plumbing::in_place::<Ent<E, 0>, St<0>>(),
            1 => plumbing::in_place::<Ent<E, 0>, St<1>>(),
            2 => plumbing::in_place::<Ent<E, 0>, St<2>>(),
            3 => plumbing::in_place::<Ent<E, 0>, St<3>>(),
            4 => plumbing::in_place::<Ent<E, 0>, St<4>>(),
            state => unreachable!("state {state}"),
        },
        Asked::With(hop, there, inner) => {
            fn with<const E: usize, const F: usize>(hop: Hop, inner: &Asked) -> Filter<Ent<E, 0>> {
                let path = plumbing::edge_path::<Ent<E, 0>, Many<Ent<F, 0>>>(hop);
                path.any(filter::<F>(inner))
            }
            match there.get() {
                0 => with::<E, 0>(*hop, inner),
                1 => with::<E, 1>(*hop, inner),
                2 => with::<E, 2>(*hop, inner),
                3 => with::<E, 3>(*hop, inner),
                4 => with::<E, 4>(*hop, inner),
                _ => with::<E, 5>(*hop, inner),
            }
        }
        Asked::Both(a, b) => filter::<E>(a) & filter::<E>(b),
        Asked::Either(a, b) => filter::<E>(a) | filter::<E>(b),
        Asked::Not(a) => !filter::<E>(a),
    }
}

/// Asks some questions, the same for the same number.
pub fn selects(db: &impl Db, schema: &Schema, world: &World, number: u64) -> Result<(), Wrong> {
    let mut rng = Rng(number);
    for _ in 0..2 {
        let of = EntityIx::new(rng.below(schema.entities.len()) as u16);
        let mut asked = draw(&mut rng, schema, of, 3);
        if rng.chance(50) {
            // Where few are in question, each is looked at; else all are listed.
            let few = Box::new(draw(&mut rng, schema, of, 0));
            asked = if rng.chance(50) {
                Asked::Both(few, Box::new(asked))
            } else {
                Asked::Both(Box::new(asked), few)
            };
        }
        let found: Vec<u32> = entity!(of, T => {
            let filter = filter::<{ T::INDEX.index() }>(&asked);
            db.select(filter).map(|one| one.id().slot()).collect()
        });
        let mut expected = world.living(of);
        expected.retain(|slot| holds(world, of, *slot, &asked));
        same(&found, &expected, || format!("E{of}: {asked:?}"))?;
    }
    Ok(())
}
