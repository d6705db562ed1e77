//! What a query reads, and where it begins.

use std::fmt;

use super::candidates::Source;
use super::{Filter, Members, set};
use crate::base::error::Name;
use crate::db::Db;
use crate::db::entity::Entity;
use crate::graph::any::either;
use crate::graph::layout::Layout;

/// What a query read to find all of its results, and where it began, returned by [`Filter::explain`].
///
/// Its `Display` is a line for a program's log or a test:
///
/// ```text
/// Bed: 2 of 1000 by the links of named entities over Bed.ward, reading 5 values and links
/// ```
///
/// The text may change with any version; the numbers may change when a query gets cheaper.
#[derive(Clone, Debug)]
#[must_use]
pub struct Plan {
    entity: Name,
    found: usize,
    among: usize,
    read: usize,
    way: Option<String>,
}

impl Plan {
    /// Returns how many entities the filter accepts.
    #[must_use]
    pub fn found(&self) -> usize {
        self.found
    }

    /// Returns how many values, links, named entities and entries of indexes were read, some perhaps several times. States,
    /// which are read 64 entities at a time, do not count.
    #[must_use]
    pub fn read(&self) -> usize {
        self.read
    }

    /// Returns where the query began; `None` if the filter has only places, which are sets already.
    #[must_use]
    pub fn way(&self) -> Option<&str> {
        self.way.as_deref()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entity,
            found,
            among,
            read,
            way,
        } = self;
        let way = way.as_deref().unwrap_or("places");
        write!(
            f,
            "{entity}: {found} of {among} by {way}, reading {read} values and links"
        )
    }
}

impl<T: Entity> Filter<T> {
    /// Counts the entities that the filter accepts, as [`count`](Self::count) does, and returns what was read for that.
    pub fn explain(&self, db: &impl Db) -> Plan {
        db.asks("explain");
        let graph = db.graph();
        let layout = graph.layout();
        let (found, read, way) = either!(graph, graph => {
            let set = set::eval(graph, T::INDEX, self.node.clone());
            let mut members = Members::new(set, 0);
            let found = members.count_rest();
            match members.set().tested() {
                None => (found, 0, None),
                Some(tested) => {
                    let way = match &tested.source {
                        None => "tests of single entities".to_owned(),
                        Some(source) => text(layout, source),
                    };
                    (found, tested.read, Some(way))
                }
            }
        });
        Plan {
            entity: layout.entities[usize::from(T::INDEX)].name.clone(),
            found,
            among: graph.alive(T::INDEX),
            read,
            way,
        }
    }
}

/// A source in words.
fn text(layout: &Layout, source: &Source) -> String {
    match source {
        Source::Place => "places".to_owned(),
        Source::Named => "named entities".to_owned(),
        Source::Key => "a key".to_owned(),
        Source::Index(index) => {
            let def = &layout.schema.indexes[usize::from(*index)];
            format!("the index {}.{}", layout.schema[def.entity].name, def.name)
        }
        Source::Type => "tests of all entities".to_owned(),
        Source::Column(column) => {
            let (def, path) = (
                &layout.schema[*column],
                &layout.columns[usize::from(*column)].path,
            );
            let kind = if def.key { "key" } else { "index" };
            format!("the {kind} {path}")
        }
        Source::Links(hop, from) => {
            let end = layout.edges[usize::from(hop.edge)].near(hop.forward);
            let (from, path) = (text(layout, from), &end.path);
            format!("the links over {path} from {from}")
        }
        Source::Several(sources) => {
            let sources: Vec<String> = sources.iter().map(|source| text(layout, source)).collect();
            sources.join(" or ")
        }
    }
}
