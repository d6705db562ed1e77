//! Events that only a schema describes: how they are read, and how they are fired by a plan that follows from the schema.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserializer;
use serde::de::{EnumAccess, Error, MapAccess, VariantAccess, Visitor};

use crate::base::cbor::NULL;
use crate::base::error::{NeededCode, Reject, StepError};
use crate::graph::GraphMut;
use crate::schema::{BindBy, ColumnIx, Encoding, EventDef, EventIx, Schema};
use crate::step::bind::Binder;
use crate::step::bindings::{Bindings, BoundNames};
use crate::step::event::DynEvent;
use crate::step::field_codec::FieldWriter;
use crate::step::guarded::GuardContext;
use crate::step::open::OpenTransaction;
use crate::step::plan::{DescribedEvent, Noticed, Plan, SchemaPlan, default_of};
use crate::step::tx::Workspace;
use crate::value::by_encoding::{kept, of_field};
use crate::value::calculate::{CalculatedValue, SchemaValues as _, ValueFunction};
use crate::value::given::Given;
use crate::value::written::written;

/// The fields of an event in CBOR.
#[derive(Debug)]
pub(crate) struct GivenEvent {
    pub event: EventIx,
    fields: Vec<Vec<u8>>,
}

impl GivenEvent {
    /// Reads an event as `{"Lit": {"lamp": "hall"}}` by its schema.
    pub(crate) fn read<'de, D: Deserializer<'de>>(
        schema: &Schema,
        event: D,
    ) -> Result<Self, D::Error> {
        event.deserialize_enum("AnyEvent", &[], EventVisitor(schema))
    }
}

struct EventVisitor<'s>(&'s Schema);

impl<'de> Visitor<'de> for EventVisitor<'_> {
    type Value = GivenEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event, as `{\"Name\": {..}}`")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<GivenEvent, A::Error> {
        let (name, content) = data.variant::<String>()?;
        let schema = self.0;
        let events = EventIx::all(schema.events.len()).zip(&schema.events);
        let found = events.into_iter().find(|(_, def)| def.name == name);
        let (event, def) =
            found.ok_or_else(|| A::Error::custom(format_args!("there is no event `{name}`")))?;
        if def.immediate {
            let message = format_args!("`{name}` is an immediate event, which fires by itself");
            return Err(A::Error::custom(message));
        }
        let fields = content.struct_variant(&[], FieldsVisitor { schema, def })?;
        Ok(GivenEvent { event, fields })
    }
}

struct FieldsVisitor<'s> {
    schema: &'s Schema,
    def: &'s EventDef,
}

impl<'de> Visitor<'de> for FieldsVisitor<'_> {
    type Value = Vec<Vec<u8>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the fields of {}", self.def.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let Self { schema, def } = self;
        let mut fields: Vec<Option<Vec<u8>>> = vec![None; def.fields.len()];
        while let Some(name) = map.next_key::<String>()? {
            let at = def.fields.iter().position(|field| field.name == name);
            let at = at.ok_or_else(|| {
                A::Error::custom(format_args!("{} has no field `{name}`", def.name))
            })?;
            if fields[at].is_some() {
                return Err(A::Error::custom(format_args!("`{name}` is given twice")));
            }
            let encoding = of_field(&def.fields[at]).ok_or_else(|| {
                A::Error::custom(format_args!("the log does not say how `{name}` is encoded"))
            })?;
            let value = map.next_value_seed(Given {
                encoding: &encoding,
                schema,
            });
            let value = value.map_err(|e| A::Error::custom(format_args!("`{name}`: {e}")))?;
            fields[at] = Some(value);
        }
        let value = |(field, given): (&crate::schema::EventFieldDef, Option<Vec<u8>>)| {
            let default = || written(field.default.as_deref()?, &of_field(field)?);
            let none = || match of_field(field) {
                Some(Encoding::Option(_)) => Some(vec![NULL]),
                _ => None,
            };
            given.or_else(default).or_else(none).ok_or_else(|| {
                A::Error::custom(format_args!("the field `{}` is missing", field.name))
            })
        };
        def.fields.iter().zip(fields).map(value).collect()
    }
}

/// An event to fire.
pub(crate) struct EventBySchema {
    given: GivenEvent,
    def: EventDef,
    described: Arc<DescribedEvent>,
    /// The fields as columns of their encodings keep them.
    values: Vec<CalculatedValue>,
    /// The defaults of new entities that `Ensure` may create.
    defaults: HashMap<ColumnIx, Result<Vec<u8>, NeededCode>>,
    noticed: Noticed,
}

impl EventBySchema {
    /// The event, or what it needs of the program in any graph.
    pub(crate) fn new(
        schema: &Schema,
        plan: &SchemaPlan,
        given: GivenEvent,
    ) -> Result<Self, NeededCode> {
        if let Some(unknown) = SchemaPlan::unknown_part(schema) {
            return Err(unknown);
        }
        let described = Arc::clone(&plan.events[usize::from(given.event)]);
        if let Some(needs) = &described.needs {
            return Err(needs.clone());
        }
        let def = schema[given.event].clone();
        let encodings = def.fields.iter().map(of_field);
        let value = |(bytes, encoding): (&Vec<u8>, Option<Encoding>)| kept(&encoding?, bytes);
        let values: Option<Vec<CalculatedValue>> =
            given.fields.iter().zip(encodings).map(value).collect();
        let values = values.ok_or_else(|| NeededCode::Unknown {
            what: format!("an encoding of a field of {}", def.name),
        })?;
        let ensured = def.names.iter().filter(|name| name.by == BindBy::Ensure);
        let columns = ensured.flat_map(|name| {
            plan.plan.layout.entities[usize::from(name.entity)]
                .defaults
                .iter()
        });
        let defaults = columns
            .map(|column| (*column, default_of(schema, given.event, *column)))
            .collect();
        Ok(Self {
            def,
            described,
            values,
            defaults,
            given,
            noticed: Arc::clone(&plan.noticed),
        })
    }

    fn default_of(&self, column: ColumnIx) -> Result<Vec<u8>, Reject> {
        match self.defaults.get(&column) {
            Some(Ok(value)) => Ok(value.clone()),
            Some(Err(needs)) => {
                // Only the first is reported.
                let _ = self.noticed.set(needs.clone());
                Err(Reject::new("a default is code of the program"))
            }
            None => Err(Reject::new("a field has no default")),
        }
    }
}

impl DynEvent for EventBySchema {
    fn index(&self) -> EventIx {
        self.given.event
    }

    fn bind(&self, binder: &mut Binder<'_>) -> Result<(), Reject> {
        let bound = self.def.names.iter();
        for name in bound.filter(|name| !matches!(name.by, BindBy::Created | BindBy::Chosen)) {
            let at = self
                .def
                .fields
                .iter()
                .position(|field| field.name == name.name);
            let bytes = at.and_then(|at| self.given.fields.get(at));
            let bytes = bytes.ok_or_else(|| Reject::new("a name has no field"))?;
            binder.encoded(name, bytes, &|column| self.default_of(column))?;
        }
        Ok(())
    }

    fn value(&self, index: u16) -> &dyn Any {
        match self.values.get(usize::from(index)) {
            Some(value) => &**value,
            None => self.described.literal(index),
        }
    }

    fn function(&self, index: u16) -> ValueFunction {
        self.described.function(index)
    }

    fn guard(&self, _: u16, _: &GuardContext<'_>) -> Result<(), Reject> {
        Err(Reject::new("the guard is code of the program"))
    }

    fn run_compiled(
        &self,
        _: &Plan,
        _: GraphMut<'_>,
        _: &mut OpenTransaction,
        _: &mut Bindings,
    ) -> Result<bool, StepError> {
        Ok(false)
    }

    fn handle(&self, _: BoundNames<'_>, _: Workspace<'_>) -> Result<(), Reject> {
        Err(Reject::new("the handler is code of the program"))
    }

    fn encode(&self, writer: &mut FieldWriter<'_>) {
        for (index, bytes) in (0..).zip(&self.given.fields) {
            writer.encoded(index, bytes);
        }
    }

    fn is_faithful(&self) -> bool {
        true
    }

    fn erased(&self) -> &dyn DynEvent {
        self
    }
}
