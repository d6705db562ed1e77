//! The oracle's deletes: which entities are deleted with others, and which deletes are restricted.

use ironweave::schema::{EdgeIx, EntityIx, Hop, OnDelete, Schema};

use crate::world::{Kinds, World, far, pair};

/// Deletes entities, with what hangs on them. They go in the order in which they are found, each with its links,
/// edge by edge from the declaring end, of each list the last first.
pub fn delete(
    schema: &Schema,
    world: &mut World,
    roots: Vec<(EntityIx, u32)>,
) -> Result<(), Kinds> {
    let hops = |entity: EntityIx| -> Vec<(Hop, OnDelete)> {
        let mut hops = Vec::new();
        for (edge, def) in schema.edges.iter().enumerate() {
            for (forward, end) in [(true, &def.from), (false, &def.to)] {
                if end.entity == entity {
                    let edge = EdgeIx::new(edge as u16);
                    hops.push((Hop { edge, forward }, end.on_delete));
                }
            }
        }
        hops
    };
    let mut doomed: Vec<(EntityIx, u32)> = Vec::new();
    for root in roots {
        if !doomed.contains(&root) {
            doomed.push(root);
        }
    }
    let mut i = 0;
    while i < doomed.len() {
        let (entity, slot) = doomed[i];
        i += 1;
        for (hop, policy) in hops(entity) {
            for next in world.list(hop, slot) {
                let next = (far(schema, hop), *next);
                if policy == OnDelete::Cascade && !doomed.contains(&next) {
                    doomed.push(next);
                }
            }
        }
    }
    for (entity, slot) in &doomed {
        for (hop, policy) in hops(*entity) {
            let mut linked = world
                .list(hop, *slot)
                .iter()
                .map(|s| (far(schema, hop), *s));
            if policy == OnDelete::Restrict && linked.any(|x| !doomed.contains(&x)) {
                return Err(vec!["Restricted"]);
            }
        }
    }
    for (entity, slot) in doomed {
        for (hop, _) in hops(entity) {
            for other in world.list(hop, slot).to_vec().into_iter().rev() {
                world.unlink(hop.edge, pair(hop, slot, other));
            }
        }
        let table = &mut world.tables[usize::from(entity)];
        table.slots[slot as usize].row = None;
        table.free.push(slot);
    }
    Ok(())
}
