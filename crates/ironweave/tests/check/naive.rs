//! A naive explorer as the oracle of the checker: it fires the events of each way again, in a new store, and compares whole
//! graphs as text. It knows nothing of undo, fingerprints or interned events.

use std::collections::HashSet;
use std::fmt::Write as _;

use ironweave::Model;
use ironweave::prelude::*;

/// What an exploration found.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    pub states: usize,
    pub fired: u64,
    /// The number of states that were found at each depth.
    pub depths: Vec<usize>,
}

/// Explores a model. `events` gives what to try in a state, and `is_within` whether a state is within the bounds.
/// `more` gives what two states must have in common besides their content.
pub fn explore<M: Model<Event: Clone>>(
    events: impl Fn(&Store<M>) -> Vec<M::Event>,
    is_within: impl Fn(&Store<M>) -> bool,
    more: impl Fn(&mut Store<M>) -> String,
    has_ordered_lists: bool,
) -> Found {
    let replay = |way: &[M::Event]| {
        let mut store = Store::<M>::memory();
        for event in way {
            store.try_step_any(event).expect("it fired before");
        }
        store
    };
    let mut known = HashSet::from([content(&mut replay(&[]), &more, has_ordered_lists)]);
    let mut found = Found {
        states: 1,
        fired: 0,
        depths: vec![1],
    };
    let mut level: Vec<Vec<M::Event>> = vec![Vec::new()];
    while !level.is_empty() {
        let mut next = Vec::new();
        for way in &level {
            for event in events(&replay(way)) {
                let mut store = replay(way);
                if store.try_step_any(&event).is_err() || !is_within(&store) {
                    continue;
                }
                found.fired += 1;
                if known.insert(content(&mut store, &more, has_ordered_lists)) {
                    next.push(way.iter().cloned().chain([event]).collect());
                }
            }
        }
        found.states += next.len();
        if !next.is_empty() {
            found.depths.push(next.len());
        }
        level = next;
    }
    found
}

/// All entities by their slots.
fn content<M: Model>(
    store: &mut Store<M>,
    more: &impl Fn(&mut Store<M>) -> String,
    has_ordered_lists: bool,
) -> String {
    let mut text = more(store);
    for ty in store.by_name().entity_types() {
        let _ = writeln!(text, "{}", ty.name());
        for entity in ty.entities() {
            let _ = write!(text, " {} {}", entity.id().slot(), entity.state());
            for (name, value) in entity.fields().chain(entity.data()) {
                let _ = write!(text, " {name}={:?}", value.encoded());
            }
            for edge in ty.edges() {
                let links = entity.links(edge).expect("an edge of the type");
                let mut slots: Vec<u32> = links.map(|link| link.entity().id().slot()).collect();
                if !has_ordered_lists {
                    slots.sort_unstable();
                }
                let _ = write!(text, " {edge}={slots:?}");
            }
            let _ = writeln!(text);
        }
    }
    text
}
