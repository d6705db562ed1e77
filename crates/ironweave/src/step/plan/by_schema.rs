//! The plan of a model from its schema alone, to try events without the code of the program.
//!
//! The schema has the arcs of each event, and nearly all else that firing it needs: literals and defaults as they are written, and the
//! encodings of values, from which it follows how they are compared and calculated. What is code of the program is noted as
//! [`NeededCode`]: guards, handlers and invariants, and values, comparisons and calculations of types that the program defines.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::{EventPlan, Plan, event, named};
use crate::base::cbor::NULL;
use crate::base::clock::Clock;
use crate::base::error::{Name, NeededCode, Reject};
use crate::base::meta::Meta;
use crate::graph::column::ColumnTypes;
use crate::graph::layout::Layout;
use crate::schema::{
    Arc as ArcDef, Assign, BindBy, Cardinality, ChooseFrom, ColumnIx, Encoding, EventDef, EventIx,
    FieldIx, FunctionIx, MetaField, NameIx, Schema, SortBy, Source, Take,
};
use crate::step::event::EventType;
use crate::step::immediates::Limits;
use crate::value::by_encoding::{
    are_kept_alike, calculation, comparison, integer, is_described, kept, of_field,
};
use crate::value::calculate::{CalculatedValue, ImmediateCode, SchemaValues, ValueFunction};
use crate::value::encode;
use crate::value::written::written;

/// The code that was found to be missing while an event was tried.
pub(crate) type Noticed = Arc<OnceLock<NeededCode>>;

/// The plan of a schema, to try events.
pub(crate) struct SchemaPlan {
    pub plan: Plan,
    /// What follows from the schema for each event.
    pub events: Vec<Arc<DescribedEvent>>,
    pub noticed: Noticed,
}

/// An event as its schema describes it.
pub(crate) struct DescribedEvent {
    /// The literals, by index. There is none for the indexes of the fields.
    pub literals: HashMap<u16, CalculatedValue>,
    functions: HashMap<u16, Function>,
    /// What firing it needs of the program.
    pub needs: Option<NeededCode>,
    noticed: Noticed,
    /// In place of a literal that is not known.
    nothing: CalculatedValue,
}

/// A function of an event.
struct Function {
    function: ValueFunction,
    /// What it is a function of. Two with one number must be alike.
    of: (&'static str, Option<Encoding>, Option<Encoding>),
    /// What it needs of the program. Then the function is none.
    needs: Option<NeededCode>,
}

impl SchemaValues for DescribedEvent {
    fn literal(&self, index: u16) -> &dyn Any {
        match self.literals.get(&index) {
            Some(value) => &**value,
            None => {
                self.notice(self.needs.as_ref());
                &*self.nothing
            }
        }
    }

    fn function(&self, index: u16) -> ValueFunction {
        match self.functions.get(&index) {
            Some(known) => {
                self.notice(known.needs.as_ref());
                known.function
            }
            None => {
                self.notice(self.needs.as_ref());
                ValueFunction::Compare(|_, _| None)
            }
        }
    }
}

impl DescribedEvent {
    fn notice(&self, needs: Option<&NeededCode>) {
        if let Some(needs) = needs {
            // Only the first is reported.
            let _ = self.noticed.set(needs.clone());
        }
    }
}

impl SchemaPlan {
    /// The plan of a [valid](Schema::validate) schema. The metadata is that of the transaction in which an event is tried. O(size of
    /// the schema).
    pub(crate) fn new(schema: &Schema, meta: &Meta, limits: Limits, clock: Clock) -> Self {
        let noticed = Noticed::default();
        let describe = |def| Describing::describe(schema, def, meta, &noticed);
        let described: Vec<(EventDef, Arc<DescribedEvent>)> =
            schema.events.iter().map(describe).collect();
        let codes: Vec<ImmediateCode> = (described.iter())
            .map(|(_, described)| ImmediateCode::OfSchema(Arc::clone(described) as _))
            .collect();
        let layout = Layout::of_trial(schema.clone(), &codes);
        let plan_of = |(def, described): &(EventDef, Arc<DescribedEvent>)| {
            if described.needs.is_some() {
                unknown(def)
            } else {
                event(&layout, def)
            }
        };
        let no_code: crate::step::plan::Check = |_, _| Err(Reject::new(""));
        let plan = Plan {
            model: None,
            events: described.iter().map(plan_of).collect(),
            columns: ColumnTypes::of_log(schema),
            types: codes.into_iter().map(EventType::of_schema).collect(),
            checks: vec![no_code; schema.invariants.len()],
            limits,
            clock,
            traced: true,
            layout,
        };
        Self {
            plan,
            events: described.into_iter().map(|(_, event)| event).collect(),
            noticed,
        }
    }

    /// Returns what an event of a schema needs of the program, whatever the graph is.
    pub(crate) fn needs(schema: &Schema, def: &EventDef) -> Option<NeededCode> {
        let (_, described) = Describing::describe(schema, def, &Meta::new(), &Noticed::default());
        described.needs.clone()
    }

    /// Returns what the schema has that this version does not know, because of which no event can be tried.
    pub(crate) fn unknown_part(schema: &Schema) -> Option<NeededCode> {
        let part = schema.unknown_items().into_iter().next()?;
        Some(NeededCode::Unknown {
            what: part.to_string(),
        })
    }
}

/// The plan of an event that cannot be fired: a guard rejects it before any arc acts.
fn unknown(def: &EventDef) -> EventPlan {
    EventPlan {
        guards: vec!["unknown".into()],
        ..named(def)
    }
}

/// Finds what firing an event needs.
struct Describing<'s> {
    schema: &'s Schema,
    def: &'s EventDef,
    name: Name,
    meta: &'s Meta,
    noticed: &'s Noticed,
    literals: HashMap<u16, CalculatedValue>,
    functions: HashMap<u16, Function>,
    needs: Option<NeededCode>,
    /// The index of the next literal that the event does not have in the model.
    next: u16,
}

impl<'s> Describing<'s> {
    /// Returns the event with its defaults and metadata as literals, and what firing it needs.
    fn describe(
        schema: &'s Schema,
        def: &'s EventDef,
        meta: &'s Meta,
        noticed: &'s Noticed,
    ) -> (EventDef, Arc<DescribedEvent>) {
        let mut this = Self {
            schema,
            def,
            name: def.name.as_str().into(),
            meta,
            noticed,
            literals: HashMap::new(),
            functions: HashMap::new(),
            needs: None,
            next: u16::MAX,
        };
        this.code();
        this.names();
        this.fields();
        let mut arcs = def.arcs.clone();
        arcs.iter_mut().for_each(|arc| this.arc(arc));
        if let Some(order) = def.order {
            this.sort(order);
        }
        let described = DescribedEvent {
            literals: this.literals,
            functions: this.functions,
            needs: this.needs,
            noticed: Arc::clone(this.noticed),
            nothing: Box::new(()),
        };
        let def = EventDef {
            arcs,
            ..def.clone()
        };
        (def, Arc::new(described))
    }

    /// Notes what the event needs. The first is reported.
    fn need(&mut self, needs: NeededCode) {
        self.needs.get_or_insert(needs);
    }

    fn value(&self, what: impl Into<String>) -> NeededCode {
        NeededCode::Value {
            event: Arc::clone(&self.name),
            what: what.into(),
        }
    }

    fn irregular(&mut self, what: &str) {
        let what = format!("{} {what}", self.name);
        self.need(NeededCode::Unknown { what });
    }

    fn code(&mut self) {
        let event = Arc::clone(&self.name);
        if let Some(guard) = self.def.guards.first() {
            let guard = guard.as_str().into();
            self.need(NeededCode::Guard { event, guard });
        } else if !self.def.mays.is_empty() {
            self.need(NeededCode::Handler { event });
        }
    }

    /// Checks that the names are in the order in which they are bound.
    fn names(&mut self) {
        let (mut created, mut chosen) = (Vec::new(), Vec::new());
        for arc in &self.def.arcs {
            match arc {
                ArcDef::Create { name, .. } => created.push((*name, Cardinality::One)),
                ArcDef::Choose { name, take, .. } => {
                    let count = match take {
                        Take::One => Cardinality::One,
                        Take::Exactly { .. } | Take::UpTo { .. } => Cardinality::Many,
                    };
                    chosen.push((*name, count));
                }
                _ => {}
            }
        }
        let bound = self
            .def
            .names
            .len()
            .saturating_sub(created.len() + chosen.len());
        let acted = created.into_iter().chain(chosen);
        let mut is_regular = NameIx::all(self.def.names.len())
            .skip(bound)
            .eq(acted.clone().map(|(name, _)| name));
        for (ix, name) in NameIx::all(self.def.names.len()).zip(&self.def.names) {
            let by = acted.clone().find(|(of, _)| *of == ix);
            is_regular &= match name.by {
                BindBy::Created | BindBy::Chosen => {
                    by.is_some_and(|(_, count)| count == name.count)
                }
                _ => by.is_none() && (self.def.immediate || self.field_of(&name.name).is_some()),
            };
        }
        if self.def.immediate {
            let own = self.def.names.first();
            is_regular &= bound == 1 && own.is_some_and(|own| own.count == Cardinality::One);
        }
        if !is_regular {
            self.irregular("binds names in another order");
        }
    }

    fn field_of(&self, name: &str) -> Option<usize> {
        self.def.fields.iter().position(|field| field.name == name)
    }

    /// Checks that values of the fields can be given without the types of the program.
    fn fields(&mut self) {
        if self.def.immediate {
            return;
        }
        for field in &self.def.fields {
            match &of_field(field) {
                None => {
                    self.irregular(&format!(
                        "has the field `{}`, whose encoding the log does not have",
                        field.name
                    ));
                }
                // There may be none.
                Some(Encoding::Option(_) | Encoding::List(_)) => {}
                Some(encoding) if is_described(encoding, self.schema) => {}
                Some(_) => {
                    let what = format!("has the field `{}` of type `{}`", field.name, field.ty);
                    self.need(self.value(what));
                }
            }
        }
    }

    fn arc(&mut self, arc: &mut ArcDef) {
        match arc {
            ArcDef::Create { name, values, .. } => {
                let entity = self.def[*name].entity;
                let columns = ColumnIx::all(self.schema.columns.len()).zip(&self.schema.columns);
                for (column, def) in columns.filter(|(_, def)| def.entity == entity) {
                    let Some(default) = def.default.as_ref().filter(|_| def.state.is_none()) else {
                        continue;
                    };
                    if values.iter().all(|value| value.column != column) {
                        let index = self.literal_index();
                        let text = default.clone();
                        values.push(Assign {
                            column,
                            source: Source::Literal { index, text },
                        });
                    }
                }
                for value in values {
                    self.assign(value, Some(*name));
                }
            }
            ArcDef::Move { data, .. } => {
                for value in data {
                    self.assign(value, None);
                }
            }
            ArcDef::Set { value, .. } => self.assign(value, None),
            ArcDef::Link { hop, data, .. } | ArcDef::Relink { hop, data, .. } => {
                if let Some(data) = data {
                    self.assign_link(*hop, data);
                }
            }
            ArcDef::SetLink { hop, data, .. } => self.assign_link(*hop, data),
            ArcDef::Count { with, function, .. } => self.number(with, *function),
            ArcDef::Compare {
                left,
                right,
                function,
                ..
            } => {
                self.operand(left);
                self.operand(right);
                self.compared(left, right, *function);
            }
            ArcDef::Choose {
                from,
                conditions,
                order,
                take,
                ..
            } => {
                if let (ChooseFrom::Path(path), true) = (&*from, self.def.immediate)
                    && self.def[path.root].by == BindBy::Created
                {
                    self.irregular("chooses by what it creates");
                }
                for condition in conditions {
                    self.operand(&condition.with);
                    let of = self.schema[condition.column].encoding.clone();
                    let with = self.source(&mut condition.with, of.as_ref(), None);
                    self.comparison(of, with, condition.function);
                }
                order.iter().for_each(|order| self.sort(*order));
                match take {
                    Take::One => {}
                    Take::Exactly { number, function } | Take::UpTo { number, function } => {
                        self.operand(number);
                        self.number(number, *function);
                    }
                }
            }
            ArcDef::When { .. } | ArcDef::Unlink { .. } | ArcDef::Delete { .. } => {}
            ArcDef::Unknown(_) => self.irregular("has an arc of a newer version"),
        }
    }

    /// Checks that a condition of an immediate event depends on its entities alone.
    fn operand(&mut self, source: &Source) {
        if !self.def.immediate {
            return;
        }
        match source {
            Source::Entity { .. } | Source::Literal { .. } => {}
            Source::Calculated { left, right, .. } => {
                self.operand(left);
                self.operand(right);
            }
            Source::Field(_) | Source::Time | Source::Meta(_) => {
                self.irregular("has a condition on something else than its entities");
            }
        }
    }

    /// A value that is written to a column, perhaps of an entity that a `create` creates.
    fn assign(&mut self, assign: &mut Assign, created: Option<NameIx>) {
        let def = &self.schema[assign.column];
        let column = format!("{}.{}", self.schema[def.entity].name, def.name);
        self.write(
            &mut assign.source,
            def.encoding.as_ref(),
            (&column, &def.ty),
            created,
        );
    }

    fn assign_link(&mut self, hop: crate::schema::Hop, data: &mut Source) {
        let edge = &self.schema[hop.edge];
        let ty = edge.data.as_deref().unwrap_or("()");
        self.write(data, edge.encoding.as_ref(), (&edge.from.name, ty), None);
    }

    fn write(
        &mut self,
        source: &mut Source,
        encoding: Option<&Encoding>,
        (what, ty): (&str, &str),
        created: Option<NameIx>,
    ) {
        let text = self.schema.source_text(self.def, source);
        let of = self.source(source, encoding, created);
        // The bytes of a copy are decoded, so that it cannot have another type.
        let fits = matches!(source, Source::Entity { .. })
            || (of.as_ref().zip(encoding)).is_some_and(|(a, b)| are_kept_alike(a, b));
        if !fits {
            let what = format!("sets {what}, which is a `{ty}`, to `{text}`");
            self.need(self.value(what));
        }
    }

    /// Returns the encoding of a value, which is to have this one if it is a literal.
    fn source(
        &mut self,
        source: &mut Source,
        expected: Option<&Encoding>,
        created: Option<NameIx>,
    ) -> Option<Encoding> {
        match source {
            Source::Field(ix) if self.def.immediate => {
                let _ = ix;
                self.irregular("takes a value from a field");
                None
            }
            Source::Field(ix) => of_field(&self.def[*ix]),
            Source::Time => Some(Encoding::Timestamp),
            Source::Meta(field) => {
                let (encoding, bytes) = of_meta(self.meta, *field);
                let text = self.schema.source_text(self.def, &Source::Meta(*field));
                let index = self.literal_index();
                *source = Source::Literal { index, text };
                self.literals.insert(index.get(), kept(&encoding, &bytes)?);
                Some(encoding)
            }
            Source::Literal { index, text } => {
                if usize::from(*index) < self.def.fields.len() && !self.def.immediate {
                    self.irregular("has a literal in place of a field");
                    return None;
                }
                let encoding = expected?;
                let value = kept(encoding, &written(text, encoding)?)?;
                self.literals.insert(index.get(), value);
                Some(encoding.clone())
            }
            Source::Entity { name, column } => {
                let def = &self.def[*name];
                let is_bound = match (created, def.by) {
                    (Some(_), BindBy::Chosen) => false,
                    (Some(created), BindBy::Created) => *name < created,
                    _ => true,
                };
                if def.count != Cardinality::One || !is_bound {
                    self.irregular("takes a value from entities that it may not bind");
                }
                self.schema[*column].encoding.clone()
            }
            Source::Calculated {
                operator,
                left,
                right,
                function,
            } => {
                let is_literal = matches!(**left, Source::Literal { .. });
                let (a, b) = if is_literal {
                    let b = self.source(right, expected, created);
                    (self.source(left, b.as_ref(), created), b)
                } else {
                    let a = self.source(left, expected, created);
                    let b = self.source(right, a.as_ref(), created);
                    (a, b)
                };
                let of = ("calculation", a.clone(), b.clone());
                let known =
                    (a.as_ref().zip(b.as_ref())).and_then(|(a, b)| calculation(*operator, a, b));
                let (value, encoding) = match known {
                    Some((value, encoding)) => (Some(value), Some(encoding)),
                    None => (None, None),
                };
                let none = ValueFunction::Calculate(|_, _| None);
                self.function(*function, (value, none), of);
                encoding
            }
        }
    }

    fn number(&mut self, with: &mut Source, function: FunctionIx) {
        // A literal that does not say its type.
        let of = self.source(with, Some(&Encoding::I128), None);
        let known = of.as_ref().and_then(integer);
        self.function(
            function,
            (known, ValueFunction::Number(|_| 0)),
            ("number", of, None),
        );
    }

    fn compared(&mut self, left: &mut Source, right: &mut Source, function: FunctionIx) {
        let (a, b) = if matches!(left, Source::Literal { .. }) {
            let b = self.source(right, None, None);
            (self.source(left, b.as_ref(), None), b)
        } else {
            let a = self.source(left, None, None);
            let b = self.source(right, a.as_ref(), None);
            (a, b)
        };
        self.comparison(a, b, function);
    }

    fn comparison(&mut self, a: Option<Encoding>, b: Option<Encoding>, function: FunctionIx) {
        let known = a
            .as_ref()
            .zip(b.as_ref())
            .and_then(|(a, b)| comparison(a, b, self.schema));
        let none = ValueFunction::Compare(|_, _| None);
        self.function(function, (known, none), ("comparison", a, b));
    }

    fn sort(&mut self, order: SortBy) {
        let of = self.schema[order.column].encoding.clone();
        self.comparison(of.clone(), of, order.function);
    }

    /// Adds a function, or what takes its place if it is one of the program.
    fn function(
        &mut self,
        index: FunctionIx,
        (known, none): (Option<ValueFunction>, ValueFunction),
        of: (&'static str, Option<Encoding>, Option<Encoding>),
    ) {
        let needs = known.is_none().then(|| {
            let types = [&of.1, &of.2].into_iter().flatten();
            let types: Vec<String> = types.map(|ty| ty.render(self.schema)).collect();
            self.value(format!("has a {} of {}", of.0, types.join(" and ")))
        });
        if let Some(needs) = &needs {
            self.need(needs.clone());
        }
        let known = Function {
            function: known.unwrap_or(none),
            of,
            needs,
        };
        let same = self
            .functions
            .get(&index.get())
            .is_none_or(|other| other.of == known.of);
        if same {
            self.functions.insert(index.get(), known);
        } else {
            self.irregular("has one function of different types");
        }
    }

    /// The index of a literal that the model does not have. They count down from the greatest index.
    fn literal_index(&mut self) -> FieldIx {
        let index = FieldIx::new(self.next);
        self.next = self.next.saturating_sub(1);
        index
    }
}

/// Returns a field of the metadata in CBOR, with its encoding.
fn of_meta(meta: &Meta, field: MetaField) -> (Encoding, Vec<u8>) {
    let mut bytes = Vec::new();
    let (of, written) = match field {
        MetaField::Actor => (Encoding::Text, encode(&meta.actor, &mut bytes)),
        MetaField::Correlation => (Encoding::Text, encode(&meta.correlation, &mut bytes)),
        MetaField::Causation => (Encoding::U64, encode(&meta.causation, &mut bytes)),
    };
    if written.is_err() {
        bytes = vec![NULL];
    }
    (Encoding::Option(Box::new(of)), bytes)
}

/// Returns the default of a column in CBOR, or what it needs of the program.
pub(crate) fn default_of(
    schema: &Schema,
    event: EventIx,
    column: ColumnIx,
) -> Result<Vec<u8>, NeededCode> {
    let def = &schema[column];
    let text = def.default.as_deref().unwrap_or_default();
    let value = def
        .encoding
        .as_ref()
        .and_then(|encoding| written(text, encoding));
    value.ok_or_else(|| NeededCode::Value {
        event: schema[event].name.as_str().into(),
        what: format!(
            "creates a {} whose `{}` is `{text}`",
            schema[def.entity].name, def.name
        ),
    })
}
