//! The graph that a question is about: that of now, or one of the past.

use ironweave::dynamic::Dynamic;
use ironweave::{AsOf, Id, Snapshot};
use serde::Deserialize;

use crate::problem::Problem;
use crate::shown::Moment;
use crate::source::Source;

/// The number of items of a page if none is asked for.
const PAGE: usize = 50;
/// The greatest number of items of a page.
pub(super) const PAGE_MAX: usize = 500;

/// A question that is only about a point in time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TimeQuestion {
    pub at: Option<String>,
}

/// Returns the point in the past that a text means, or `None` for now.
pub(super) fn point(at: Option<&str>) -> Result<Option<AsOf>, Problem> {
    match at.map(str::trim) {
        None | Some("" | "now") => Ok(None),
        Some(text) => match text.parse() {
            Ok(point) => Ok(Some(point)),
            Err(e) => Err(Problem::invalid(format!(
                "`at` is not a point in time: {e}"
            ))),
        },
    }
}

/// Returns the graph at the point that a text means.
pub(super) fn graph(
    source: &dyn Source,
    at: Option<&str>,
) -> Result<(Snapshot<Dynamic>, Moment), Problem> {
    let (snapshot, live) = match point(at)? {
        Some(point) => (source.as_of(point)?, false),
        None => (source.now()?, true),
    };
    let moment = moment(&snapshot, live);
    Ok((snapshot, moment))
}

pub(super) fn moment(snapshot: &Snapshot<Dynamic>, live: bool) -> Moment {
    Moment {
        seq: snapshot.seq().unwrap_or_default().get(),
        time: snapshot.time(),
        live,
    }
}

/// Returns the number of items that a page is to have.
pub(super) fn page(limit: Option<usize>) -> Result<usize, Problem> {
    match limit {
        None => Ok(PAGE),
        Some(limit @ 1..=PAGE_MAX) => Ok(limit),
        Some(limit) => Err(Problem::invalid(format!(
            "`limit` is {limit}; a page has 1 to {PAGE_MAX} items"
        ))),
    }
}

/// Reads an id such as `3.1`.
pub(super) fn id(text: &str) -> Result<Id, Problem> {
    text.parse::<Id>()
        .map_err(|e| Problem::invalid(e.to_string()))
}
