//! The difference of two points in time.

use ironweave::dynamic::Dynamic;
use ironweave::{Db as _, Fact, Snapshot};
use serde::{Deserialize, Serialize};

use super::graph::{graph, page};
use super::places::LinkCounts;
use crate::problem::Problem;
use crate::shown::{CHARS_IN_LIST, Moment, Names, ShownFact};
use crate::source::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiffQuestion {
    from: String,
    /// Now, unless it is given.
    to: Option<String>,
    /// The number of facts before the page.
    #[serde(default)]
    skip: usize,
    limit: Option<usize>,
}

#[derive(Serialize)]
pub(crate) struct DiffAnswer {
    from: Moment,
    to: Moment,
    /// The places whose numbers differ.
    places: Vec<PlaceChange>,
    /// The number of facts that lead from the first graph to the second one.
    count: usize,
    facts: Vec<ShownFact>,
    /// The `skip` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<usize>,
}

/// A place with its numbers of tokens in two graphs.
#[derive(Serialize)]
pub(super) struct PlaceChange {
    #[serde(rename = "type")]
    entity_type: String,
    /// The state, or the field that declares the edge.
    place: String,
    edge: bool,
    before: u64,
    after: u64,
}

/// Compares the graphs at two points. O(what differs).
pub(crate) fn diff(
    source: &dyn Source,
    counted: &LinkCounts,
    question: &DiffQuestion,
) -> Result<DiffAnswer, Problem> {
    let limit = page(question.limit)?;
    let (a, from) = graph(source, Some(&question.from))?;
    let (b, to) = graph(source, question.to.as_deref())?;
    let changes = a.diff(&b)?;
    let facts = changes.facts();
    let names = Names::around(&b, Some(&a));
    let shown = facts.iter().skip(question.skip).take(limit);
    let shown = shown.map(|fact: Fact<'_>| ShownFact::of(&fact, names, CHARS_IN_LIST));
    let shown: Vec<ShownFact> = shown.collect();
    let end = question.skip.saturating_add(shown.len());
    Ok(DiffAnswer {
        from,
        to,
        places: changed_places((&a, &counted.of(&a)), (&b, &counted.of(&b))),
        count: facts.len(),
        next: (end < facts.len()).then_some(end),
        facts: shown,
    })
}

/// A graph with its numbers of links.
pub(super) type Counted<'g> = (&'g Snapshot<Dynamic>, &'g [u64]);

/// Returns the places whose numbers of tokens differ in two graphs of one schema.
pub(super) fn changed_places(a: Counted<'_>, b: Counted<'_>) -> Vec<PlaceChange> {
    let (was, is) = (a.0.by_name(), b.0.by_name());
    let states = was
        .entity_types()
        .zip(is.entity_types())
        .flat_map(|(was, is)| {
            let names = was.states();
            names.map(move |name| PlaceChange {
                entity_type: was.name().to_owned(),
                place: name.to_owned(),
                edge: false,
                before: was.count_in(name).unwrap_or_default() as u64,
                after: is.count_in(name).unwrap_or_default() as u64,
            })
        });
    let schema = b.0.schema();
    let links = a.1.iter().zip(b.1);
    let edges = schema.edges.iter().zip(links);
    let edges = edges.map(|(edge, (before, after))| PlaceChange {
        entity_type: schema[edge.from.entity].name.clone(),
        place: edge.from.name.clone(),
        edge: true,
        before: *before,
        after: *after,
    });
    let all = states.chain(edges);
    all.filter(|place| place.before != place.after).collect()
}
