//! The oracle of symmetry: it explores all states as [`naive`](crate::naive) does, and counts those that no permutation of entities
//! makes equal, by trying all permutations.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Write as _;

use ironweave::Model;
use ironweave::prelude::*;

use crate::naive;

/// What is renamed.
#[derive(Clone, Copy)]
pub struct Renamed {
    /// The entity types.
    pub types: &'static [&'static str],
    /// The entity types whose keys are renamed too.
    pub keys: &'static [&'static str],
}

/// The number of states up to a renaming. The arguments are those of [`naive::explore`].
pub fn count<M: Model<Event: Clone>>(
    events: impl Fn(&Store<M>) -> Vec<M::Event>,
    is_within: impl Fn(&Store<M>) -> bool,
    more: impl Fn(&mut Store<M>) -> String,
    has_ordered_lists: bool,
    renamed: Renamed,
) -> usize {
    let orbits = RefCell::new(HashSet::new());
    let within = RefCell::new(HashSet::new());
    let see = |store: &mut Store<M>| {
        let kept = more(store);
        if within.borrow_mut().insert((
            kept.clone(),
            text(store, &identity(store), has_ordered_lists, None),
        )) {
            let all = permutations_of(store, renamed);
            let texts = all
                .iter()
                .map(|names| text(store, names, has_ordered_lists, Some(renamed)));
            let least = texts.min().expect("the identity is a permutation");
            orbits.borrow_mut().insert((kept.clone(), least));
        }
        kept
    };
    naive::explore(events, is_within, see, has_ordered_lists);
    orbits.into_inner().len()
}

/// By entity type and slot, the name of an entity.
type Names = Vec<Vec<usize>>;

fn slots<M: Model>(store: &Store<M>) -> Vec<usize> {
    let types = store.by_name().entity_types();
    let last = types.map(|ty| ty.entities().map(|e| e.id().slot() as usize + 1).max());
    last.map(Option::unwrap_or_default).collect()
}

fn identity<M: Model>(store: &Store<M>) -> Names {
    slots(store).into_iter().map(|n| (0..n).collect()).collect()
}

/// All ways to name the entities of the renamed types.
fn permutations_of<M: Model>(store: &Store<M>, renamed: Renamed) -> Vec<Names> {
    let mut all: Vec<Names> = vec![Vec::new()];
    for (ty, slots) in store.by_name().entity_types().zip(slots(store)) {
        let living: Vec<usize> = ty.entities().map(|e| e.id().slot() as usize).collect();
        let of_type: Vec<Vec<usize>> = match renamed.types.contains(&ty.name()) {
            false => vec![(0..slots).collect()],
            true => permutations(living.len())
                .into_iter()
                .map(|order| {
                    let mut names = vec![usize::MAX; slots];
                    for (slot, name) in living.iter().zip(order) {
                        names[*slot] = name;
                    }
                    names
                })
                .collect(),
        };
        let longer = |names: Names| {
            of_type.iter().map(move |more| {
                let mut names = names.clone();
                names.push(more.clone());
                names
            })
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

/// All permutations of 0 to n.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let insert = |of: Vec<usize>| {
        (0..n).map(move |at| {
            let mut with = of.clone();
            with.insert(at, n - 1);
            with
        })
    };
    permutations(n - 1).into_iter().flat_map(insert).collect()
}

/// All entities by their names.
fn text<M: Model>(
    store: &Store<M>,
    names: &Names,
    has_ordered_lists: bool,
    renamed: Option<Renamed>,
) -> String {
    let types: Vec<_> = store.by_name().entity_types().collect();
    let index = |name: &str| types.iter().position(|ty| ty.name() == name);
    let mut text = String::new();
    for (ty, own) in types.iter().zip(names) {
        let mut entities: Vec<_> = ty.entities().collect();
        entities.sort_by_key(|entity| own[entity.id().slot() as usize]);
        let keys: Vec<&str> = match renamed.is_some_and(|r| r.keys.contains(&ty.name())) {
            true => ty.key().map(|def| &*def.name).collect(),
            false => Vec::new(),
        };
        for entity in entities {
            let _ = write!(
                text,
                "{} {} {}",
                ty.name(),
                own[entity.id().slot() as usize],
                entity.state()
            );
            let values = entity.fields().chain(entity.data());
            for (name, value) in values.filter(|(name, _)| !keys.contains(name)) {
                let _ = write!(text, " {name}={:?}", value.encoded());
            }
            for edge in ty.edges() {
                let links = entity.links(edge).expect("an edge of the type");
                let mut far: Vec<usize> = links
                    .map(|link| {
                        let far = link.entity();
                        let ty = index(far.entity_type().name()).expect("a type");
                        names[ty][far.id().slot() as usize]
                    })
                    .collect();
                if !has_ordered_lists {
                    far.sort_unstable();
                }
                let _ = write!(text, " {edge}={far:?}");
            }
            text.push('\n');
        }
    }
    text
}
