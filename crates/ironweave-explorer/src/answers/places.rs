//! The store, and its places with counts.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use ironweave::dynamic::Dynamic;
use ironweave::schema::{Cardinality, EndDef, Schema};
use ironweave::{Db as _, FactKind, Snapshot};
use serde::Serialize;

use super::graph::{TimeQuestion, graph};
use crate::problem::Problem;
use crate::shown::Moment;
use crate::source::Source;

/// The number of graphs whose links have been counted that are kept.
const COUNTED_MAX: usize = 8;

#[derive(Serialize)]
pub(crate) struct StoreAnswer {
    /// The name of the model.
    model: String,
    /// The first frame after which the graph can be read.
    first: u64,
    /// The last frame and its time.
    last: Moment,
    /// What events are tried with: `program`, the code of the model, or `schema`, which does not have all of it.
    tries: &'static str,
}

/// Describes the store.
pub(crate) fn store(source: &dyn Source) -> Result<StoreAnswer, Problem> {
    let (snapshot, last) = graph(source, None)?;
    Ok(StoreAnswer {
        model: snapshot.schema().name.clone(),
        first: source.first()?.get(),
        last,
        tries: if source.has_code() {
            "program"
        } else {
            "schema"
        },
    })
}

#[derive(Serialize)]
pub(crate) struct PlacesAnswer {
    at: Moment,
    model: String,
    types: Vec<TypePlaces>,
    edges: Vec<EdgePlace>,
}

#[derive(Serialize)]
struct TypePlaces {
    name: String,
    count: usize,
    key: Vec<String>,
    states: Vec<StatePlace>,
}

#[derive(Serialize)]
struct StatePlace {
    name: String,
    count: usize,
    initial: bool,
    terminal: bool,
}

#[derive(Serialize)]
struct EdgePlace {
    from: End,
    to: End,
    count: u64,
}

#[derive(Serialize)]
struct End {
    #[serde(rename = "type")]
    entity_type: String,
    name: String,
    /// How many links an entity may have at this end: `1`, `0..1`, or `0..`.
    cardinality: String,
}

impl End {
    fn of(schema: &Schema, end: &EndDef) -> Self {
        Self {
            entity_type: schema[end.entity].name.clone(),
            name: end.name.clone(),
            cardinality: match (end.cardinality, end.min, end.max) {
                (Cardinality::One, ..) => "1".to_owned(),
                (Cardinality::Option, min, _) => format!("{min}..1"),
                (Cardinality::Many, min, None) => format!("{min}.."),
                (Cardinality::Many, min, Some(max)) => format!("{min}..{max}"),
            },
        }
    }
}

/// Returns the places of the model, with the numbers of entities and links. O(places), and once O(entities) for the links.
pub(crate) fn places(
    source: &dyn Source,
    counted: &LinkCounts,
    question: &TimeQuestion,
) -> Result<PlacesAnswer, Problem> {
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let schema = snapshot.schema();
    let types = snapshot.by_name().entity_types().map(|of| {
        let states = of.def().states.iter().enumerate().map(|(ix, state)| {
            Ok::<_, Problem>(StatePlace {
                name: state.name.clone(),
                count: of.count_in(&state.name)?,
                initial: of.def().initial.index() == ix,
                terminal: state.terminal,
            })
        });
        Ok::<_, Problem>(TypePlaces {
            name: of.name().to_owned(),
            count: of.count(),
            key: of.key().map(|column| column.name.clone()).collect(),
            states: states.collect::<Result<_, _>>()?,
        })
    });
    let links = counted.of(&snapshot);
    let edges = schema
        .edges
        .iter()
        .zip(links)
        .map(|(edge, count)| EdgePlace {
            from: End::of(schema, &edge.from),
            to: End::of(schema, &edge.to),
            count,
        });
    Ok(PlacesAnswer {
        at,
        model: schema.name.clone(),
        types: types.collect::<Result<_, _>>()?,
        edges: edges.collect(),
    })
}

/// The numbers of links of some graphs, from which those of others follow by the difference.
#[derive(Default)]
pub(crate) struct LinkCounts {
    /// The last one that was used comes first.
    counted: Mutex<VecDeque<(Snapshot<Dynamic>, Vec<u64>)>>,
}

impl LinkCounts {
    /// Returns the number of links of each edge. O(what differs from the nearest of the last graphs that were asked for), which is the
    /// whole graph for the first one.
    pub(crate) fn of(&self, snapshot: &Snapshot<Dynamic>) -> Vec<u64> {
        let seq = |snapshot: &Snapshot<Dynamic>| snapshot.seq().unwrap_or_default().get();
        let mut known = {
            let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            Vec::from_iter(counted.iter().cloned())
        };
        known.sort_by_key(|(other, _)| seq(other).abs_diff(seq(snapshot)));
        let found = known
            .into_iter()
            .find_map(|(other, counts)| differing(&other, snapshot, counts));
        let counts = found.unwrap_or_else(|| all(snapshot));
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.retain(|(other, _)| seq(other) != seq(snapshot));
        counted.push_front((snapshot.clone(), counts.clone()));
        counted.truncate(COUNTED_MAX);
        counts
    }
}

/// Returns the numbers of links of a graph, from those of another one. `None` if that has another schema.
pub(super) fn differing(
    other: &Snapshot<Dynamic>,
    snapshot: &Snapshot<Dynamic>,
    mut counts: Vec<u64>,
) -> Option<Vec<u64>> {
    let changes = other.diff(snapshot).ok()?;
    let schema = snapshot.schema();
    for fact in changes.facts().iter() {
        let (more, less) = match fact.kind() {
            FactKind::Link => (1, 0),
            FactKind::Unlink => (0, 1),
            _ => continue,
        };
        let entity = fact.entity();
        let is = |end: &EndDef| {
            Some(&*end.name) == fact.field() && schema[end.entity].name == entity.type_name()
        };
        let edge = schema.edges.iter().position(|edge| is(&edge.from))?;
        let count = counts.get_mut(edge)?;
        *count = (*count + more).checked_sub(less)?;
    }
    Some(counts)
}

/// Counts the links of each edge. O(entities with edges).
fn all(snapshot: &Snapshot<Dynamic>) -> Vec<u64> {
    let states = snapshot.schema().entities.iter().map(|of| of.states.len());
    let mut tokens = snapshot.by_name().tokens();
    tokens.split_off(states.sum())
}
