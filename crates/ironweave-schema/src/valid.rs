//! Whether a schema means anything: one that was read may contain any number, and everything else indexes by these.
//!
//! Each check is linear in the schema.

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::hash::Hash;

use crate::{
    Arc, Assign, BindBy, Cardinality, ColumnIx, EdgeDef, Encoding, EndDef, EntityIx, EventDef, Hop,
    May, Path, Schema, Source, StateIx,
};

/// How many states an entity type may have: a state stands beside a generation in one word.
pub const STATES_MAX: usize = 250;
/// How many of anything else there may be, since their indexes have 16 bits.
pub const MANY_MAX: usize = 1 << 16;

/// What is wrong with a schema, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(Wrong);

impl Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// What is wrong, with the place where it is.
type Wrong = String;

impl Schema {
    /// Checks that each index names something, that no name stands twice, and that each arc fits what it acts on.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.check().map_err(Invalid)
    }

    fn check(&self) -> Result<(), Wrong> {
        let Self {
            name: _,
            entities,
            columns,
            edges,
            events,
            invariants,
            unknown: _,
        } = self;
        for (what, n) in [
            ("entities", entities.len()),
            ("fields", columns.len()),
            ("edges", edges.len()),
            ("events", events.len()),
            ("invariants", invariants.len()),
        ] {
            if n > MANY_MAX {
                return Err(format!(
                    "{n} {what} are more than the {MANY_MAX} that a schema may have"
                ));
            }
        }
        distinct("entities", entities.iter().map(|e| &e.name))?;
        distinct("events", events.iter().map(|e| &e.name))?;
        distinct("invariants", invariants.iter().map(|i| &i.name))?;
        self.lifecycles()?;
        for c in columns {
            self.entity(c.entity).map_err(at(&c.name))?;
            if let Some(state) = c.state {
                self.state(c.entity, state).map_err(at(&c.name))?;
            }
            if c.key && c.state.is_some() {
                return Err(format!("the key `{}` is data of a state", c.name));
            }
            self.encoding(c.encoding.as_ref()).map_err(at(&c.name))?;
        }
        distinct(
            "fields of one entity",
            columns.iter().map(|c| (c.entity, c.state, &c.name)),
        )?;
        for edge in edges {
            self.edge(edge).map_err(at(&edge.from.name))?;
        }
        let ends = edges.iter().flat_map(|e| [&e.from, &e.to]);
        distinct(
            "ends of edges at one entity",
            ends.map(|end| (end.entity, &end.name)),
        )?;
        for event in events {
            self.event(event).map_err(at(&event.name))?;
        }
        for invariant in invariants {
            self.entity(invariant.entity).map_err(at(&invariant.name))?;
            for hop in &invariant.via {
                self.hop(invariant.entity, *hop)
                    .map_err(at(&invariant.name))?;
            }
        }
        Ok(())
    }

    fn lifecycles(&self) -> Result<(), Wrong> {
        for (ix, e) in EntityIx::all(self.entities.len()).zip(&self.entities) {
            let n = e.states.len();
            if n > STATES_MAX {
                return Err(format!(
                    "{}: {n} states are more than the {STATES_MAX} that an entity may have",
                    e.name
                ));
            }
            distinct("states of one entity", e.states.iter().map(|s| &s.name))
                .map_err(at(&e.name))?;
            let targets = e.states.iter().flat_map(|s| &s.to).map(|t| t.to);
            for state in targets.chain([e.initial]) {
                self.state(ix, state).map_err(at(&e.name))?;
            }
        }
        Ok(())
    }

    fn entity(&self, entity: EntityIx) -> Result<(), Wrong> {
        within("entity", entity, self.entities.len())
    }

    fn state(&self, entity: EntityIx, state: StateIx) -> Result<(), Wrong> {
        let states = self
            .entities
            .get(entity.index())
            .map_or(0, |e| e.states.len());
        within("state", state, states)
    }

    fn states(&self, entity: EntityIx, states: &[StateIx]) -> Result<(), Wrong> {
        states.iter().try_for_each(|s| self.state(entity, *s))
    }

    /// An edge of a number, with its near and far ends as seen over a hop.
    fn ends(&self, hop: Hop) -> Result<(&EdgeDef, &EndDef, &EndDef), Wrong> {
        let edge = self.edges.get(hop.edge.index());
        let edge = edge.ok_or_else(|| format!("edge {} is not in the schema", hop.edge))?;
        Ok(if hop.forward {
            (edge, &edge.from, &edge.to)
        } else {
            (edge, &edge.to, &edge.from)
        })
    }

    /// Where a hop leads from an entity.
    fn hop(&self, entity: EntityIx, hop: Hop) -> Result<EntityIx, Wrong> {
        let (_, near, far) = self.ends(hop)?;
        if near.entity != entity {
            return Err(format!(
                "`{}` is no edge of what it is followed from",
                near.name
            ));
        }
        Ok(far.entity)
    }

    fn edge(&self, edge: &EdgeDef) -> Result<(), Wrong> {
        for end in [&edge.from, &edge.to] {
            self.entity(end.entity)?;
            if end.cardinality != Cardinality::Many && end.max.is_some_and(|max| max != 1) {
                return Err(format!(
                    "the end `{}` holds one and has another maximum",
                    end.name
                ));
            }
        }
        self.encoding(edge.encoding.as_ref())?;
        if edge.acyclic && edge.from.entity != edge.to.entity {
            return Err("an acyclic edge between two types".to_owned());
        }
        Ok(())
    }

    fn event(&self, event: &EventDef) -> Result<(), Wrong> {
        if event.fields.len().max(event.names.len()) > MANY_MAX {
            return Err("it has too many fields".to_owned());
        }
        distinct("fields", event.fields.iter().map(|f| &f.name))?;
        distinct("names", event.names.iter().map(|n| &n.name))?;
        if event.immediate && event.names.is_empty() {
            return Err("it fires by itself, on no entity".to_owned());
        }
        for name in &event.names {
            self.entity(name.entity)?;
            if let BindBy::Token(state) = name.by {
                self.state(name.entity, state)?;
            }
        }
        event.arcs.iter().try_for_each(|arc| self.arc(event, arc))?;
        let encodings = event.fields.iter().map(|field| field.encoding.as_ref());
        encodings.into_iter().try_for_each(|e| self.encoding(e))?;
        event.mays.iter().try_for_each(|may| self.may(may))
    }

    fn encoding(&self, encoding: Option<&Encoding>) -> Result<(), Wrong> {
        let entity = encoding.and_then(Encoding::entity);
        entity.map_or(Ok(()), |entity| self.entity(entity))
    }

    /// The entities that a path leads to.
    fn path(&self, event: &EventDef, path: &Path) -> Result<EntityIx, Wrong> {
        let root = event.names.get(path.root.index());
        let root = root.ok_or_else(|| format!("name {} is not one of its names", path.root))?;
        (path.hops.iter()).try_fold(root.entity, |entity, hop| self.hop(entity, *hop))
    }

    fn column(&self, entity: EntityIx, column: ColumnIx) -> Result<Option<StateIx>, Wrong> {
        let def = self.columns.get(column.index());
        let def = def.ok_or_else(|| format!("field {column} is not in the schema"))?;
        if def.entity != entity {
            return Err(format!("`{}` is no field of what it is set of", def.name));
        }
        Ok(def.state)
    }

    fn source(&self, event: &EventDef, source: &Source) -> Result<(), Wrong> {
        match source {
            Source::Field(field) => within("field", *field, event.fields.len()),
            Source::Entity { name, column } => {
                let root = Path {
                    root: *name,
                    hops: Vec::new(),
                };
                self.column(self.path(event, &root)?, *column).map(|_| ())
            }
            // A literal is asked of the event by its number, beside its fields.
            Source::Literal { .. } | Source::Time | Source::Meta(_) => Ok(()),
        }
    }

    /// Values for an entity that comes into a state.
    fn values(
        &self,
        event: &EventDef,
        (entity, state): (EntityIx, StateIx),
        values: &[Assign],
    ) -> Result<(), Wrong> {
        self.state(entity, state)?;
        for value in values {
            let of = self.column(entity, value.column)?;
            if of.is_some_and(|of| of != state) {
                return Err("it gives data of another state".to_owned());
            }
            self.source(event, &value.source)?;
        }
        distinct("values", values.iter().map(|v| v.column))
    }

    /// What is linked, unlinked or given data.
    fn links(
        &self,
        event: &EventDef,
        path: &Path,
        hop: Hop,
        with: &Path,
        data: Option<&Source>,
    ) -> Result<(), Wrong> {
        let far = self.hop(self.path(event, path)?, hop)?;
        if self.path(event, with)? != far {
            return Err("it links what the edge does not lead to".to_owned());
        }
        let has_data = self.ends(hop)?.0.data.is_some();
        match data {
            Some(_) if !has_data => Err("it gives data to links that have none".to_owned()),
            Some(source) => self.source(event, source),
            None => Ok(()),
        }
    }

    fn arc(&self, event: &EventDef, arc: &Arc) -> Result<(), Wrong> {
        match arc {
            Arc::Create {
                name,
                state,
                values,
            } => {
                let root = event.names.get(name.index());
                match root.filter(|root| root.by == BindBy::Created) {
                    Some(root) => self.values(event, (root.entity, *state), values),
                    None => Err(format!(
                        "it creates name {name}, which stands for none of these"
                    )),
                }
            }
            Arc::Move {
                scope: _,
                path,
                from,
                to,
                data,
            } => {
                let entity = self.path(event, path)?;
                self.states(entity, from)?;
                self.values(event, (entity, *to), data)
            }
            Arc::Link {
                path,
                hop,
                with,
                data,
            }
            | Arc::Relink {
                path,
                hop,
                with,
                data,
            } => self.links(event, path, *hop, with, data.as_ref()),
            Arc::Unlink { path, hop, with } => self.links(event, path, *hop, with, None),
            Arc::SetLink {
                path,
                hop,
                with,
                data,
            } => self.links(event, path, *hop, with, Some(data)),
            Arc::Set { path, value } => {
                self.column(self.path(event, path)?, value.column)?;
                self.source(event, &value.source)
            }
            Arc::Delete { path } => self.path(event, path).map(|_| ()),
            Arc::When {
                quantifier: _,
                path,
                states,
            } => self.states(self.path(event, path)?, states),
            Arc::Unknown(_) => Ok(()),
        }
    }

    fn may(&self, may: &May) -> Result<(), Wrong> {
        match may {
            May::Create(entity) | May::Ensure(entity) | May::Delete(entity) => self.entity(*entity),
            May::Move { entity, from, to } => self.states(*entity, &[*from, *to]),
            May::Link(edge) | May::Unlink(edge) | May::Relink(edge) | May::SetLink(edge) => {
                within("edge", *edge, self.edges.len())
            }
            May::Set(column) => within("field", *column, self.columns.len()),
            May::Unknown(_) => Ok(()),
        }
    }
}

fn within(what: &str, index: impl Into<usize>, len: usize) -> Result<(), Wrong> {
    let index = index.into();
    if index < len {
        return Ok(());
    }
    Err(format!("{what} {index} is named where there are {len}"))
}

fn distinct<T: Hash + Eq>(what: &str, mut all: impl Iterator<Item = T>) -> Result<(), Wrong> {
    let mut seen = HashSet::new();
    if all.all(|one| seen.insert(one)) {
        return Ok(());
    }
    Err(format!("two {what} have one name"))
}

/// Says where something is wrong.
fn at(place: &impl Display) -> impl Fn(Wrong) -> Wrong {
    move |wrong| format!("`{place}`: {wrong}")
}
