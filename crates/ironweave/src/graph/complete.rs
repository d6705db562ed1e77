//! What every entity and every link must have at the end of a migration: values in all fields and in the data of its state, the
//! links that an end with exactly one requires, and data.

use std::fmt;
use std::sync::Arc;

use crate::base::error::{EntityRef, Name};
use crate::graph::Graph;
use crate::graph::layout::ends;
use crate::graph::storage::Storage;
use crate::schema::{Cardinality, ColumnIx, EdgeIx, EntityIx, Hop};

/// Something that entities lack.
#[derive(Clone, Debug)]
pub(crate) struct Lack {
    pub what: LackOf,
    /// The path of the field or of the end.
    pub path: Name,
    /// The number of entities or links that lack it.
    pub count: u64,
    /// The first of the entities.
    pub first: EntityRef,
}

/// The kind of what is lacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LackOf {
    /// A value of a field, or of a piece of the data of a state.
    Value,
    /// The link at an end that holds exactly one.
    Link,
    /// The data of links.
    LinkData,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            path,
            count,
            first,
        } = self;
        let entities = || match count {
            1 => "1 entity has".to_owned(),
            n => format!("{n} entities have"),
        };
        match what {
            LackOf::Value => write!(f, "{} no value in `{path}`", entities())?,
            LackOf::Link => write!(f, "{} no link at `{path}`, which holds one", entities())?,
            LackOf::LinkData if *count == 1 => write!(f, "1 link at `{path}` has no data")?,
            LackOf::LinkData => write!(f, "{count} links at `{path}` have no data")?,
        }
        write!(f, ", first `{first}`")
    }
}

impl<S: Storage> Graph<S> {
    /// Returns all that entities and links lack; empty if the graph is complete. O(size of the graph).
    pub(crate) fn lacks(&self) -> Vec<Lack> {
        let mut lacks = Vec::new();
        let mut note = |what, path: &Name, entity, slots: &mut dyn Iterator<Item = u32>| {
            if let Some(first) = slots.next() {
                lacks.push(Lack {
                    what,
                    path: Arc::clone(path),
                    count: 1 + slots.count() as u64,
                    first: self.named(entity, first),
                });
            }
        };
        let layout = &self.layout;
        for (column, def) in ColumnIx::all(layout.columns.len()).zip(&layout.schema.columns) {
            let cells = self.column(column);
            if cells.is_mandatory() {
                continue;
            }
            let is_in = |slot: &u32| {
                let state = def.state;
                state.is_none_or(|state| state == self.state_of(def.entity, *slot))
            };
            let mut without =
                (self.living(def.entity)).filter(|slot| is_in(slot) && !cells.has(*slot));
            let path = &layout.columns[usize::from(column)].path;
            note(LackOf::Value, path, def.entity, &mut without);
        }
        for edge in EdgeIx::all(layout.edges.len()) {
            for forward in [true, false] {
                let hop = Hop { edge, forward };
                let end = layout.edges[usize::from(edge)].near(forward);
                if end.cardinality == Cardinality::One {
                    let mut unlinked =
                        (self.living(end.entity)).filter(|slot| self.degree(hop, *slot) != 1);
                    note(LackOf::Link, &end.path, end.entity, &mut unlinked);
                }
            }
            let from = &layout.edges[usize::from(edge)].from;
            if layout.schema[edge].data.is_some() {
                let mut without = self.links_without_data(edge, from.entity);
                note(LackOf::LinkData, &from.path, from.entity, &mut without);
            }
        }
        lacks
    }

    /// Returns, for each link without data, the slot of the entity at the declaring end.
    fn links_without_data(&self, edge: EdgeIx, near: EntityIx) -> impl Iterator<Item = u32> {
        let hop = Hop {
            edge,
            forward: true,
        };
        self.living(near).flat_map(move |slot| {
            let far = self.links(hop, slot).to_vec().into_iter();
            let lacks = move |far: &u32| {
                let (from, to) = ends(hop, slot, *far);
                matches!(self.link_row(edge, from, to), Some((data, row)) if !data.has(row))
            };
            far.filter(lacks).map(move |_| slot)
        })
    }

    /// Returns an error that says all that entities lack.
    pub(crate) fn must_be_whole(&self) -> Result<(), String> {
        let lacks: Vec<String> = self.lacks().iter().map(ToString::to_string).collect();
        match lacks.is_empty() {
            true => Ok(()),
            false => Err(lacks.join("; ")),
        }
    }
}
