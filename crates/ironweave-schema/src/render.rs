//! Renders the items of a schema as they are written in a model.

use std::fmt;

use crate::{
    Arc, Arithmetic, Assign, BindBy, Cardinality, ChooseFrom, ChooseWhere, ColumnDef, ColumnIx,
    Comparison, DueDef, EdgeDef, EdgeIx, EndDef, EntityIx, EventDef, FieldIx, Hop, IndexDef,
    IndexKind, IndexPart, Item, May, MetaField, NameDef, NameIx, Path, Quantifier, Schema, Scope,
    SortBy, Source, StateIx, Take,
};

/// The text for an index that is not in the schema.
const UNRESOLVED: &str = "?";

impl Schema {
    /// Returns an arc of an event, such as `moves(run: Queued -> Running)`.
    #[must_use]
    pub fn arc_text(&self, event: &EventDef, arc: &Arc) -> String {
        let of = EventContext {
            schema: self,
            event,
        };
        match arc {
            Arc::Create {
                name,
                state,
                values,
            } => {
                let entity = of.def(*name).map_or(EntityIx::MAX, |def| def.entity);
                let (fields, data): (Vec<&Assign>, Vec<&Assign>) =
                    (values.iter()).partition(|value| !self.is_data(value.column));
                let begins = self.entities.get(entity.index()).map(|def| def.initial);
                let place = match begins == Some(*state) && data.is_empty() {
                    true => String::new(),
                    false => format!(
                        " in {}{}",
                        self.state_name(entity, *state),
                        of.values(&data)
                    ),
                };
                let entity = self.entity_name(entity);
                format!(
                    "create({}: {entity}{}{place})",
                    of.name(*name),
                    of.values(&fields)
                )
            }
            Arc::Move {
                scope,
                path,
                from,
                to,
                data,
            } => {
                let entity = of.reached(path);
                let many = of.is_many(path);
                let scope = match scope {
                    Scope::Each if many => "each ",
                    Scope::Each => "",
                    Scope::Those => "those ",
                };
                let data: Vec<&Assign> = data.iter().collect();
                format!(
                    "moves({scope}{}: {} -> {}{})",
                    of.path(path),
                    self.state_names(entity, from),
                    self.state_name(entity, *to),
                    of.values(&data)
                )
            }
            Arc::Link {
                path,
                hop,
                with,
                data,
            } => of.links("link", (path, *hop, with), "+=", data.as_ref()),
            Arc::Relink {
                path,
                hop,
                with,
                data,
            } => of.links("relink", (path, *hop, with), "+=", data.as_ref()),
            Arc::Unlink { path, hop, with } => of.links("unlink", (path, *hop, with), "-=", None),
            Arc::Set { path, value } => {
                let column = self.columns.get(value.column.index());
                let state = column.and_then(|def| Some((def.entity, def.state?)));
                let state = state.map_or_else(String::new, |(entity, state)| {
                    format!("{}.", self.state_name(entity, state))
                });
                let name = column.map_or(UNRESOLVED, |def| &def.name);
                let source = of.source(&value.source);
                format!("set({}.{state}{name} = {source})", of.path(path))
            }
            Arc::SetLink {
                path,
                hop,
                with,
                data,
            } => format!(
                "set({}.{}[{}] = {})",
                of.path(path),
                self.end_name(*hop),
                of.path(with),
                of.source(data)
            ),
            Arc::Delete { path } => format!("delete({})", of.path(path)),
            Arc::When {
                quantifier,
                path,
                states,
            } => {
                let quantifier = match quantifier {
                    Quantifier::All => "all",
                    Quantifier::Any => "any",
                    Quantifier::None => "none",
                };
                let states = self.state_names(of.reached(path), states);
                format!("when({quantifier} {} in {states})", of.path(path))
            }
            Arc::Count {
                path,
                states,
                comparison,
                with,
                ..
            } => {
                let among = match states.as_slice() {
                    [] => String::new(),
                    states => format!(" in {}", self.state_names(of.reached(path), states)),
                };
                let (path, with) = (of.path(path), of.source(with));
                format!("when(count {path}{among} {comparison} {with})")
            }
            Arc::Compare {
                left,
                comparison,
                right,
                ..
            } => format!(
                "when({} {comparison} {})",
                of.source(left),
                of.source(right)
            ),
            Arc::Choose {
                name,
                from,
                states,
                conditions,
                order,
                take,
            } => {
                let entity = of.def(*name).map_or(EntityIx::MAX, |def| def.entity);
                let take = match take {
                    Take::One => String::new(),
                    Take::Exactly { number, .. } => format!("{} of ", of.source(number)),
                    Take::UpTo { number, .. } => format!("up to {} of ", of.source(number)),
                };
                let from = match from {
                    ChooseFrom::Place => self.entity_name(entity).to_owned(),
                    ChooseFrom::Path(path) => of.path(path),
                };
                let states = self.state_names(entity, states);
                let conditions: Vec<String> = (conditions.iter())
                    .map(|condition| self.condition_text(event, condition))
                    .collect();
                let conditions = match conditions.is_empty() {
                    true => String::new(),
                    false => format!(" where {}", conditions.join(", ")),
                };
                let order = match order.is_empty() {
                    true => String::new(),
                    false => format!(" by {}", self.orders_text(order)),
                };
                let name = of.name(*name);
                format!("choose({name}: {take}{from} in {states}{conditions}{order})")
            }
            Arc::Unknown(raw) => raw.to_string(),
        }
    }

    /// Returns a condition on a candidate of a `choose` arc, such as `price <= bid.price`.
    #[must_use]
    pub fn condition_text(&self, event: &EventDef, condition: &ChooseWhere) -> String {
        let column = self.qualified_name(condition.column);
        let with = self.source_text(event, &condition.with);
        format!("{column} {} {with}", condition.comparison)
    }

    /// Returns an order, such as `price desc`.
    #[must_use]
    pub fn order_text(&self, order: SortBy) -> String {
        let column = self.qualified_name(order.column);
        match order.descending {
            true => format!("{column} desc"),
            false => column,
        }
    }

    /// Returns an order by several columns, such as `price desc, since`.
    #[must_use]
    pub fn orders_text(&self, orders: &[SortBy]) -> String {
        let orders: Vec<String> = orders.iter().map(|order| self.order_text(*order)).collect();
        orders.join(", ")
    }

    /// The name of a field, or of data of a state after the name of that state.
    fn qualified_name(&self, column: ColumnIx) -> String {
        let name = self.column_name(column);
        let def = self.columns.get(column.index());
        match def.and_then(|def| Some((def.entity, def.state?))) {
            Some((entity, state)) => format!("{}.{name}", self.state_name(entity, state)),
            None => name.to_owned(),
        }
    }

    /// Returns the time at which an event is due, such as `reservation.Reserved.until`.
    #[must_use]
    pub fn due_text(&self, event: &EventDef, due: &DueDef) -> String {
        let of = EventContext {
            schema: self,
            event,
        };
        format!("{}.{}", of.name(due.name), self.qualified_name(due.column))
    }

    /// Returns an index, such as `index(ordered, fields = [symbol, price], while = Open)`.
    #[must_use]
    pub fn index_text(&self, def: &IndexDef) -> String {
        let kind = match def.kind {
            IndexKind::Equal => "",
            IndexKind::Ordered => "ordered, ",
        };
        let part = |part: &IndexPart| match part {
            IndexPart::Column(column) => self.column_name(*column).to_owned(),
            IndexPart::End(hop) => self.end_name(*hop).to_owned(),
        };
        let parts: Vec<String> = def.parts.iter().map(part).collect();
        let states = match def.states.as_slice() {
            [] => String::new(),
            states => format!(", while = {}", self.state_names(def.entity, states)),
        };
        format!("index({kind}fields = [{}]{states})", parts.join(", "))
    }

    fn column_name(&self, column: ColumnIx) -> &str {
        let def = self.columns.get(column.index());
        def.map_or(UNRESOLVED, |def| &def.name)
    }

    /// Returns the source of a value of an event, such as `meta.time + hold`.
    #[must_use]
    pub fn source_text(&self, event: &EventDef, source: &Source) -> String {
        let of = EventContext {
            schema: self,
            event,
        };
        of.source(source)
    }

    /// Returns a permission of a handler, such as `may(Partition: Building -> Failed)`.
    #[must_use]
    pub fn may_text(&self, may: &May) -> String {
        let whole = |what: &str, entity: &EntityIx| format!("{what} {}", self.entity_name(*entity));
        let edge = |what: &str, edge: &EdgeIx| {
            let def = self.edges.get(edge.index());
            let end = def.map_or_else(|| UNRESOLVED.to_owned(), |def| self.end_path(&def.from));
            format!("{what} {end}")
        };
        let what = match may {
            May::Create(entity) => whole("create", entity),
            May::Ensure(entity) => whole("ensure", entity),
            May::Delete(entity) => whole("delete", entity),
            May::Move { entity, from, to } => format!(
                "{}: {} -> {}",
                self.entity_name(*entity),
                self.state_name(*entity, *from),
                self.state_name(*entity, *to)
            ),
            May::Link(ix) => edge("link", ix),
            May::Unlink(ix) => edge("unlink", ix),
            May::Relink(ix) => edge("relink", ix),
            May::SetLink(ix) => edge("set", ix),
            May::Set(column) => {
                let def = self.columns.get(column.index());
                let path = def.map_or_else(|| UNRESOLVED.to_owned(), |def| self.column_path(def));
                format!("set {path}")
            }
            May::Unknown(raw) => return raw.to_string(),
        };
        format!("may({what})")
    }

    /// Returns the path of a field of an entity or of a state, such as `Bed.label` or `Bed.Cleaning.by`.
    #[must_use]
    pub fn column_path(&self, def: &ColumnDef) -> String {
        let entity = self.entity_name(def.entity);
        match def.state {
            None => format!("{entity}.{}", def.name),
            Some(state) => format!(
                "{entity}.{}.{}",
                self.state_name(def.entity, state),
                def.name
            ),
        }
    }

    /// Returns the path of an end of an edge, such as `JobRun.builds`.
    #[must_use]
    pub fn end_path(&self, end: &EndDef) -> String {
        format!("{}.{}", self.entity_name(end.entity), end.name)
    }

    /// Returns the edges of a path from an entity, such as `.builds.wanted_by`.
    #[must_use]
    pub fn hops_text(&self, hops: &[Hop]) -> String {
        let names = hops.iter().map(|hop| format!(".{}", self.end_name(*hop)));
        names.collect()
    }

    pub(crate) fn column_item(&self, def: &ColumnDef) -> Item {
        let entity = self.entity_name(def.entity).to_owned();
        let (name, ty) = (def.name.clone(), def.ty.clone());
        match def.state {
            None => Item::Field { entity, name, ty },
            Some(state) => Item::Data {
                state: self.state_name(def.entity, state).to_owned(),
                entity,
                name,
                ty,
            },
        }
    }

    pub(crate) fn edge_item(&self, def: &EdgeDef) -> Item {
        Item::Edge {
            from: self.end_path(&def.from),
            to: self.end_path(&def.to),
        }
    }

    pub(crate) fn entity_name(&self, entity: EntityIx) -> &str {
        let def = self.entities.get(entity.index());
        def.map_or(UNRESOLVED, |def| &def.name)
    }

    pub(crate) fn state_name(&self, entity: EntityIx, state: StateIx) -> &str {
        let def = self.entities.get(entity.index());
        let state = def.and_then(|def| def.states.get(state.index()));
        state.map_or(UNRESOLVED, |state| &state.name)
    }

    fn state_names(&self, entity: EntityIx, states: &[StateIx]) -> String {
        let names: Vec<&str> = (states.iter())
            .map(|state| self.state_name(entity, *state))
            .collect();
        names.join(" | ")
    }

    fn end_name(&self, hop: Hop) -> &str {
        let edge = self.edges.get(hop.edge.index());
        edge.map_or(UNRESOLVED, |edge| &edge.near(hop.forward).name)
    }

    fn is_data(&self, column: ColumnIx) -> bool {
        let def = self.columns.get(column.index());
        def.is_some_and(|def| def.state.is_some())
    }
}

/// An event with its schema, as context for rendering its parts.
struct EventContext<'s> {
    schema: &'s Schema,
    event: &'s EventDef,
}

impl EventContext<'_> {
    fn def(&self, name: NameIx) -> Option<&NameDef> {
        self.event.names.get(name.index())
    }

    fn name(&self, name: NameIx) -> &str {
        self.def(name).map_or(UNRESOLVED, |def| &def.name)
    }

    fn path(&self, path: &Path) -> String {
        format!(
            "{}{}",
            self.name(path.root),
            self.schema.hops_text(&path.hops)
        )
    }

    /// Returns the entity type to which a path leads.
    fn reached(&self, path: &Path) -> EntityIx {
        let root = self.def(path.root).map_or(EntityIx::MAX, |def| def.entity);
        path.hops.iter().fold(root, |_, hop| {
            let edge = self.schema.edges.get(hop.edge.index());
            edge.map_or(EntityIx::MAX, |edge| edge.far(hop.forward).entity)
        })
    }

    /// Returns whether a path may lead to several entities.
    fn is_many(&self, path: &Path) -> bool {
        let many = |count: Cardinality| count == Cardinality::Many;
        self.def(path.root).is_some_and(|def| many(def.count))
            || path.hops.iter().any(|hop| {
                let edge = self.schema.edges.get(hop.edge.index());
                edge.is_some_and(|edge| many(edge.near(hop.forward).cardinality))
            })
    }

    fn links(
        &self,
        word: &str,
        (path, hop, with): (&Path, Hop, &Path),
        operator: &str,
        data: Option<&Source>,
    ) -> String {
        let data = data.map_or_else(String::new, |data| {
            format!(" {{ data = {} }}", self.source(data))
        });
        format!(
            "{word}({}.{} {operator} {}{data})",
            self.path(path),
            self.schema.end_name(hop),
            self.path(with)
        )
    }

    fn values(&self, values: &[&Assign]) -> String {
        if values.is_empty() {
            return String::new();
        }
        let one = |value: &&Assign| {
            let column = self.schema.columns.get(value.column.index());
            let (name, source) = (
                column.map_or(UNRESOLVED, |def| &def.name),
                self.source(&value.source),
            );
            match source == name {
                true => source,
                false => format!("{name} = {source}"),
            }
        };
        let values: Vec<String> = values.iter().map(one).collect();
        format!(" {{ {} }}", values.join(", "))
    }

    fn source(&self, source: &Source) -> String {
        match source {
            Source::Field(field) => self.field(*field).to_owned(),
            Source::Time => "meta.time".to_owned(),
            Source::Meta(MetaField::Actor) => "meta.actor".to_owned(),
            Source::Meta(MetaField::Correlation) => "meta.correlation".to_owned(),
            Source::Meta(MetaField::Causation) => "meta.causation".to_owned(),
            Source::Literal { text, .. } => text.clone(),
            Source::Entity { name, column } => {
                let def = self.schema.columns.get(column.index());
                let state = match (def.and_then(|def| def.state), self.def(*name)) {
                    // A token is in that state.
                    (Some(_), Some(def)) if matches!(def.by, BindBy::Token(_)) => None,
                    (state, def) => state.zip(def),
                };
                let state = state.map_or_else(String::new, |(state, def)| {
                    format!("{}.", self.schema.state_name(def.entity, state))
                });
                let column = self.schema.column_name(*column);
                format!("{}.{state}{column}", self.name(*name))
            }
            Source::Calculated {
                operator,
                left,
                right,
                ..
            } => format!("{} {operator} {}", self.source(left), self.operand(right)),
        }
    }

    /// Returns the right operand of a sum or difference, in parentheses if it is one itself.
    fn operand(&self, source: &Source) -> String {
        let text = self.source(source);
        match source {
            Source::Calculated { .. } => format!("({text})"),
            _ => text,
        }
    }

    fn field(&self, field: FieldIx) -> &str {
        let def = self.event.fields.get(field.index());
        def.map_or(UNRESOLVED, |def| &def.name)
    }
}

impl Schema {
    /// Returns the type of a name of an event, such as `Option<Key<Bed>>`.
    pub(crate) fn binding_text(&self, name: &NameDef) -> String {
        let entity = self.entity_name(name.entity);
        let one = match name.by {
            BindBy::Handle | BindBy::Created | BindBy::Chosen => entity.to_owned(),
            BindBy::Token(state) => format!("{entity}<{}>", self.state_name(name.entity, state)),
            BindBy::Key => format!("Key<{entity}>"),
            BindBy::Ensure => format!("Ensure<{entity}>"),
        };
        match name.count {
            Cardinality::One => one,
            Cardinality::Option => format!("Option<{one}>"),
            Cardinality::Many => format!("Vec<{one}>"),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        })
    }
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
        })
    }
}
