//! The validation of a schema. A schema that was read from a log may contain any index, and other code relies on valid
//! indexes.
//!
//! Each check takes time linear in the size of the schema.

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::hash::Hash;

use crate::{
    Arc, Assign, BindBy, Cardinality, ChooseFrom, ChooseWhere, ColumnIx, DueDef, EdgeDef, Encoding,
    EndDef, EntityIx, EventDef, Hop, IndexDef, IndexPart, May, NameIx, Path, Schema, Source,
    StateIx, Take,
};

/// The maximum number of states of an entity type. A state and a generation share one word.
pub const STATES_MAX: usize = 250;
/// The maximum number of items of each other kind, because their indexes have 16 bits.
pub const MANY_MAX: usize = 1 << 16;

/// The error of an invalid schema, with the item that is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(Reason);

impl Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Invalid {}

/// The reason why a schema is invalid, with the item that is invalid.
type Reason = String;

impl Schema {
    /// Checks that each index is in range, that no name occurs twice, and that each arc fits the entities and edges on which
    /// it acts.
    ///
    /// # Errors
    /// The first violation.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.check().map_err(Invalid)
    }

    fn check(&self) -> Result<(), Reason> {
        let Self {
            name: _,
            entities,
            columns,
            edges,
            events,
            invariants,
            indexes,
            unknown: _,
        } = self;
        for (what, n) in [
            ("entities", entities.len()),
            ("fields", columns.len()),
            ("edges", edges.len()),
            ("events", events.len()),
            ("invariants", invariants.len()),
            ("indexes", indexes.len()),
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
            if c.key && c.encoding.as_ref().is_some_and(holds_key) {
                return Err(format!(
                    "the encoding of the key `{}` refers to a key",
                    c.name
                ));
            }
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
        for index in indexes {
            self.index(index).map_err(at(&index.name))?;
        }
        distinct(
            "indexes of one entity",
            indexes.iter().map(|index| (index.entity, &index.name)),
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

    fn lifecycles(&self) -> Result<(), Reason> {
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

    fn entity(&self, entity: EntityIx) -> Result<(), Reason> {
        within("entity", entity, self.entities.len())
    }

    fn state(&self, entity: EntityIx, state: StateIx) -> Result<(), Reason> {
        let states = self
            .entities
            .get(entity.index())
            .map_or(0, |e| e.states.len());
        within("state", state, states)
    }

    fn states(&self, entity: EntityIx, states: &[StateIx]) -> Result<(), Reason> {
        states.iter().try_for_each(|s| self.state(entity, *s))
    }

    /// Returns the edge of a hop, with its near and far ends.
    fn ends(&self, hop: Hop) -> Result<(&EdgeDef, &EndDef, &EndDef), Reason> {
        let edge = self.edges.get(hop.edge.index());
        let edge = edge.ok_or_else(|| format!("edge {} is not in the schema", hop.edge))?;
        Ok(if hop.forward {
            (edge, &edge.from, &edge.to)
        } else {
            (edge, &edge.to, &edge.from)
        })
    }

    /// Returns the entity type to which a hop leads from `entity`.
    fn hop(&self, entity: EntityIx, hop: Hop) -> Result<EntityIx, Reason> {
        let (_, near, far) = self.ends(hop)?;
        if near.entity != entity {
            return Err(format!(
                "`{}` is not an edge of the entity from which it is followed",
                near.name
            ));
        }
        Ok(far.entity)
    }

    fn edge(&self, edge: &EdgeDef) -> Result<(), Reason> {
        for end in [&edge.from, &edge.to] {
            self.entity(end.entity)?;
            if end.cardinality != Cardinality::Many && end.max.is_some_and(|max| max != 1) {
                return Err(format!(
                    "the end `{}` holds at most one link, but has another maximum",
                    end.name
                ));
            }
        }
        self.encoding(edge.encoding.as_ref())?;
        if edge.acyclic && edge.from.entity != edge.to.entity {
            return Err("an acyclic edge connects two different entity types".to_owned());
        }
        Ok(())
    }

    fn event(&self, event: &EventDef) -> Result<(), Reason> {
        if event.fields.len().max(event.names.len()) > MANY_MAX {
            return Err("the event has too many fields".to_owned());
        }
        distinct("fields", event.fields.iter().map(|f| &f.name))?;
        distinct("names", event.names.iter().map(|n| &n.name))?;
        if event.immediate && event.names.is_empty() {
            return Err("the immediate event binds no entity".to_owned());
        }
        for name in &event.names {
            self.entity(name.entity)?;
            if let BindBy::Token(state) = name.by {
                self.state(name.entity, state)?;
            }
        }
        event.arcs.iter().try_for_each(|arc| self.arc(event, arc))?;
        if let Some(order) = event.order {
            let entity = self.bound(event, NameIx::new(0))?;
            self.column(entity, order.column)?;
        }
        if let Some(due) = &event.due {
            self.due(event, due)?;
        }
        let encodings = event.fields.iter().map(|field| field.encoding.as_ref());
        encodings.into_iter().try_for_each(|e| self.encoding(e))?;
        event.mays.iter().try_for_each(|may| self.may(may))
    }

    fn due(&self, event: &EventDef, due: &DueDef) -> Result<(), Reason> {
        self.column(self.bound(event, due.name)?, due.column)?;
        let name = &event[due.name];
        let is_field = matches!(name.by, BindBy::Handle | BindBy::Token(_) | BindBy::Key);
        if event.immediate || event.fields.len() != 1 || !is_field {
            return Err("an event with a due time has one field, which names an entity".to_owned());
        }
        let column = &self[due.column];
        let is_time = match &column.encoding {
            None | Some(Encoding::Timestamp) => true,
            Some(Encoding::Option(of)) => **of == Encoding::Timestamp,
            Some(_) => false,
        };
        if !is_time {
            return Err(format!("the due time `{}` is not a time", column.name));
        }
        Ok(())
    }

    fn index(&self, index: &IndexDef) -> Result<(), Reason> {
        self.entity(index.entity)?;
        self.states(index.entity, &index.states)?;
        if index.parts.is_empty() {
            return Err("the index has no part".to_owned());
        }
        for part in &index.parts {
            match part {
                IndexPart::Column(column) => self.column(index.entity, *column).map(|_| ())?,
                IndexPart::End(hop) => {
                    self.hop(index.entity, *hop)?;
                    if self.ends(*hop)?.1.cardinality == Cardinality::Many {
                        return Err("a part of the index is an end with many links".to_owned());
                    }
                }
            }
        }
        Ok(())
    }

    fn encoding(&self, encoding: Option<&Encoding>) -> Result<(), Reason> {
        let entity = encoding.and_then(Encoding::entity);
        entity.map_or(Ok(()), |entity| self.entity(entity))
    }

    /// Returns the type of the entities that a name is bound to.
    fn bound(&self, event: &EventDef, name: NameIx) -> Result<EntityIx, Reason> {
        let def = event.names.get(name.index());
        let def = def.ok_or_else(|| format!("name {name} is not a name of the event"))?;
        Ok(def.entity)
    }

    /// Returns the entity type to which a path leads.
    fn path(&self, event: &EventDef, path: &Path) -> Result<EntityIx, Reason> {
        let root = self.bound(event, path.root)?;
        (path.hops.iter()).try_fold(root, |entity, hop| self.hop(entity, *hop))
    }

    fn column(&self, entity: EntityIx, column: ColumnIx) -> Result<Option<StateIx>, Reason> {
        let def = self.columns.get(column.index());
        let def = def.ok_or_else(|| format!("field {column} is not in the schema"))?;
        if def.entity != entity {
            return Err(format!(
                "`{}` is not a field of the entity on which it is set",
                def.name
            ));
        }
        Ok(def.state)
    }

    fn source(&self, event: &EventDef, source: &Source) -> Result<(), Reason> {
        match source {
            Source::Field(field) => within("field", *field, event.fields.len()),
            Source::Entity { name, column } => {
                (self.column(self.bound(event, *name)?, *column)).map(|_| ())
            }
            Source::Calculated { left, right, .. } => {
                self.source(event, left)?;
                self.source(event, right)
            }
            // The generated code of the event resolves the index of a literal.
            Source::Literal { .. } | Source::Time | Source::Meta(_) => Ok(()),
        }
    }

    /// Checks the values for an entity that enters a state.
    fn values(
        &self,
        event: &EventDef,
        (entity, state): (EntityIx, StateIx),
        values: &[Assign],
    ) -> Result<(), Reason> {
        self.state(entity, state)?;
        for value in values {
            let of = self.column(entity, value.column)?;
            if of.is_some_and(|of| of != state) {
                return Err("an arc sets data of another state".to_owned());
            }
            self.source(event, &value.source)?;
        }
        distinct("values", values.iter().map(|v| v.column))
    }

    /// Checks the ends and the data of links.
    fn links(
        &self,
        event: &EventDef,
        path: &Path,
        hop: Hop,
        with: &Path,
        data: Option<&Source>,
    ) -> Result<(), Reason> {
        let far = self.hop(self.path(event, path)?, hop)?;
        if self.path(event, with)? != far {
            return Err("an arc links an entity to which the edge does not lead".to_owned());
        }
        let has_data = self.ends(hop)?.0.data.is_some();
        match data {
            Some(_) if !has_data => Err("an arc sets data of links that have no data".to_owned()),
            Some(source) => self.source(event, source),
            None => Ok(()),
        }
    }

    fn arc(&self, event: &EventDef, arc: &Arc) -> Result<(), Reason> {
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
                        "an arc creates name {name}, which is not a created name of the event"
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
            Arc::Count {
                path, states, with, ..
            } => {
                self.states(self.path(event, path)?, states)?;
                self.source(event, with)
            }
            Arc::Compare { left, right, .. } => {
                self.source(event, left)?;
                self.source(event, right)
            }
            Arc::Choose {
                name,
                from,
                states,
                conditions,
                order,
                take,
            } => {
                let root = event.names.get(name.index());
                let Some(root) = root.filter(|root| root.by == BindBy::Chosen) else {
                    return Err(format!(
                        "an arc chooses name {name}, which is not a chosen name of the event"
                    ));
                };
                if let ChooseFrom::Path(path) = from
                    && self.path(event, path)? != root.entity
                {
                    return Err("an arc chooses among entities of another type".to_owned());
                }
                self.states(root.entity, states)?;
                for ChooseWhere { column, with, .. } in conditions {
                    self.column(root.entity, *column)?;
                    self.source(event, with)?;
                }
                for order in order {
                    self.column(root.entity, order.column)?;
                }
                match take {
                    Take::One => Ok(()),
                    Take::Exactly { number, .. } | Take::UpTo { number, .. } => {
                        self.source(event, number)
                    }
                }
            }
            Arc::Unknown(_) => Ok(()),
        }
    }

    fn may(&self, may: &May) -> Result<(), Reason> {
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

fn within(what: &str, index: impl Into<usize>, len: usize) -> Result<(), Reason> {
    let index = index.into();
    if index < len {
        return Ok(());
    }
    Err(format!(
        "{what} {index} is out of range, because there are {len}"
    ))
}

fn distinct<T: Hash + Eq>(what: &str, mut all: impl Iterator<Item = T>) -> Result<(), Reason> {
    let mut seen = HashSet::new();
    if all.all(|one| seen.insert(one)) {
        return Ok(());
    }
    Err(format!("two {what} have the same name"))
}

/// Prefixes a reason with the name of the item.
fn at(item: &impl Display) -> impl Fn(Reason) -> Reason {
    move |reason| format!("`{item}`: {reason}")
}

/// Returns whether an encoding refers to the key of an entity type. That of a key does not, so that keys are read without a
/// circle.
pub(crate) fn holds_key(encoding: &Encoding) -> bool {
    match encoding {
        Encoding::Key(_) => true,
        Encoding::Option(of) | Encoding::List(of) => holds_key(of),
        _ => false,
    }
}
