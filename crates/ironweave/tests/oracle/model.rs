//! The model under test: its schema is the one that this thread has at present, its events are lists of fields (`fields.rs`).
//!
//! This is what the macro would write for a schema that is known when it is compiled.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use ironweave::Guarded;
use ironweave::plumbing::{self, Binder, Binding, ColumnType, EventMaker, EventType, EventVisitor};
use ironweave::plumbing::{BoundNames, GraphRef, Reader, Ref, Value, ValueFunction, Workspace};
use ironweave::plumbing::{Check, DynEvent, EncodeError, GuardContext};
use ironweave::schema::{
    BindBy, ColumnDef, Encoding, EntityIx, EventIx, IndexKind, Schema, Source,
};
use ironweave::{AnyEvent, Apply, Ensure, Event, Handle as _, Handles, Id, Key, Keyed, Reject, Tx};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::compile::compile;
use crate::edit;
use crate::entities::{Ent, OfKey, key_kind, keyed};
use crate::fields::{Dynamic, NO_JSON};
use crate::handler::{calls, calls_on, script};
use crate::indexes::index_type;
use crate::operations::{Function, functions, literals};
use crate::values::{Guard, Rule, Ty, Typed as _, Val, lasting, ty, with_type};
use crate::world::Oid;

/// A schema, with what its texts mean.
pub struct Current {
    pub schema: Schema,
    literals: Vec<Vec<&'static dyn Any>>,
    functions: Vec<Vec<ValueFunction>>,
    /// The compiled arcs of each event, packed.
    arcs: Vec<Option<&'static [u128]>>,
    rules: Vec<Rule>,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Current>>> = const { RefCell::new(None) };
}

/// Makes a schema the one of `Model` in this thread.
pub fn set_current(schema: &Schema) {
    let lasting = |e| literals(schema, e).iter().map(lasting).collect();
    let real = |e| {
        functions(schema, e)
            .into_iter()
            .map(Function::real)
            .collect()
    };
    let arcs = |event| {
        let arcs = compile(schema, event)?;
        let packed: Vec<u128> = arcs.iter().map(|arc| arc.pack()).collect();
        Some(&*packed.leak())
    };
    let current = Current {
        schema: schema.clone(),
        literals: schema.events.iter().map(lasting).collect(),
        functions: schema.events.iter().map(real).collect(),
        arcs: schema.events.iter().map(arcs).collect(),
        rules: schema
            .invariants
            .iter()
            .map(|i| Rule::read(&i.check))
            .collect(),
    };
    CURRENT.with(|c| *c.borrow_mut() = Some(Rc::new(current)));
}

pub fn current() -> Rc<Current> {
    CURRENT.with(|c| c.borrow().clone().expect("a schema"))
}

/// How an event names an entity.
#[derive(Clone, Debug, PartialEq)]
pub enum Who {
    Id(u32, u32),
    Key(Vec<Val>),
}

/// A field of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    Value(Val),
    One(Who),
    Option(Option<Who>),
    Many(Vec<Who>),
}

pub fn id(slot: u32, generation: u32) -> Id {
    Id::from_bits(u64::from(slot) << 24 | u64::from(generation)).expect("an id")
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(slot, generation) => s.serialize_u64(id(*slot, *generation).to_bits()),
            Self::Key(key) => match key.as_slice() {
                [Val::U(x)] => s.serialize_u64(*x),
                [Val::S(x)] => s.serialize_str(x),
                [Val::U(a), Val::S(b)] => {
                    let mut tuple = s.serialize_tuple(2)?;
                    tuple.serialize_element(a)?;
                    tuple.serialize_element(b)?;
                    tuple.end()
                }
                _ => unreachable!("a key of another type"),
            },
        }
    }
}

/// One that a field names, with what the schema says of it.
pub struct Bound<'a> {
    pub entity: EntityIx,
    pub by: BindBy,
    pub who: &'a Who,
}

impl Ref for Bound<'_> {
    fn encoding() -> Encoding {
        Encoding::Serde
    }

    fn copy(&self) -> Self {
        Bound { ..*self }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.who, f)
    }

    fn bind(&self, binder: &mut Binder<'_>) -> Result<Id, Reject> {
        match (self.by, self.who) {
            (BindBy::Token(state), Who::Id(s, g)) => {
                binder.handle(self.entity, id(*s, *g), Some(state))
            }
            (_, Who::Id(s, g)) => binder.handle(self.entity, id(*s, *g), None),
            (by, Who::Key(key)) => {
                let kind = key_kind(&current().schema, self.entity).expect("a key");
                keyed!(self.entity, kind, T => {
                    let key = <T as Keyed>::Key::of(key);
                    if by == BindBy::Ensure {
                        Ensure::<T>::new(key).bind(binder)
                    } else {
                        Key::<T>::new(key).bind(binder)
                    }
                })
            }
        }
    }

    fn resolve(&self, graph: GraphRef<'_>) -> Option<Id> {
        match (self.by, self.who) {
            (BindBy::Token(state), Who::Id(s, g)) => {
                plumbing::resolve_handle(graph, self.entity, id(*s, *g), Some(state))
            }
            (_, Who::Id(s, g)) => plumbing::resolve_handle(graph, self.entity, id(*s, *g), None),
            (_, Who::Key(key)) => {
                let kind = key_kind(&current().schema, self.entity).expect("a key");
                keyed!(self.entity, kind, T => {
                    Key::<T>::new(<T as Keyed>::Key::of(key)).resolve(graph)
                })
            }
        }
    }

    fn handle(&self) -> Option<Id> {
        match self.who {
            Who::Id(slot, generation) => Some(id(*slot, *generation)),
            Who::Key(_) => None,
        }
    }

    fn encode_key(&self, bytes: &mut Vec<u8>) -> Result<(), EncodeError> {
        let Who::Key(key) = self.who else {
            return Ok(());
        };
        let kind = key_kind(&current().schema, self.entity).expect("a key");
        keyed!(self.entity, kind, T => Key::<T>::new(<T as Keyed>::Key::of(key)).encode_key(bytes))
    }
}

/// The event of a number: its fields, with values in their Rust types.
pub struct Ev<const N: usize> {
    pub fields: Vec<Field>,
    pub values: Vec<Option<Box<dyn Any>>>,
}

pub fn typed(value: &Val) -> Box<dyn Any> {
    with_type!(value.ty(), T => Box::new(T::read(value)))
}

impl<const N: usize> Ev<N> {
    pub fn new(fields: Vec<Field>) -> Self {
        let values = fields.iter().map(|f| match f {
            Field::Value(value) => Some(typed(value)),
            _ => None,
        });
        Self {
            values: values.collect(),
            fields,
        }
    }
}

impl<const N: usize> Event for Ev<N> {
    type Model = Model;
    type Bound = ();
    type Created = ();
    type Named = ();
    type Fields = Dynamic<N>;
    const INDEX: EventIx = EventIx::new(N as u16);
    const MADE_AT_RUNTIME: bool = true;
    const NAMES: &'static [&'static str] = &["an event of a random model"];

    fn fields(&self) -> &Self {
        self
    }

    fn of(fields: Self) -> Self {
        fields
    }

    fn literal(index: u16) -> &'static dyn Any {
        literal::<N>(index)
    }

    fn function(index: u16) -> ValueFunction {
        function::<N>(index)
    }

    fn guard(&self, index: u16, context: &GuardContext<'_>) -> Result<(), Reject> {
        let db = &Guarded::<Self>::new(context);
        let current = current();
        let def = &current.schema.events[N];
        let holds = match Guard::read(&def.guards[usize::from(index)]) {
            Guard::NotTwo(field) => self.fields[field] != Field::Value(Val::U(2)),
            Guard::Links(name, hop, max) => {
                let name = &def.names[name];
                let field = def.fields.iter().position(|f| f.name == name.name);
                match &self.fields[field.expect("bound by a field")] {
                    Field::One(Who::Id(s, g)) => {
                        plumbing::count(db, name.entity.get(), hop, id(*s, *g)) <= max
                    }
                    other => unreachable!("{other:?}"),
                }
            }
        };
        if holds {
            Ok(())
        } else {
            Err(Reject::new("no"))
        }
    }

    fn handle(&self, _: BoundNames<'_>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let current = current();
        if let Some(Field::Value(Val::S(text))) = self.fields.first() {
            for call in calls(&current.schema, text) {
                // Whatever comes of it.
                let _ = call.real(&current.schema, tx);
            }
        }
        Ok(())
    }

    fn bound(_: BoundNames<'_>) {}

    fn created(_: BoundNames<'_>) {}

    fn named(_: BoundNames<'_>) {}
}

impl<const N: usize> Handles for Ev<N> {
    type Bound = Oid;
}

/// The handler of an immediate event.
impl<const N: usize> Apply for Ev<N> {
    fn apply(&self, own: Oid, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        let current = current();
        let text = script(&current.schema.events[N]).unwrap_or_default();
        for call in calls_on(&current.schema, text, own) {
            // Whatever comes of it.
            let _ = call.real(&current.schema, tx);
        }
        Ok(())
    }
}

fn handle<const N: usize>(names: BoundNames<'_>, workspace: Workspace<'_>) -> Result<(), Reject> {
    let own = names.one::<Ent<0, 0>>(0).id();
    plumbing::run_handler(
        &Ev::<N>::new(Vec::new()),
        (own.slot(), own.generation()),
        workspace,
    )
}

/// Any event of the model.
pub struct AnyEv(Box<dyn DynEvent>);

impl Serialize for AnyEv {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom(NO_JSON))
    }
}

impl<'de> Deserialize<'de> for AnyEv {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(serde::de::Error::custom(NO_JSON))
    }
}

impl AnyEvent for AnyEv {
    type Model = Model;
    const NAMES: &'static [&'static str] = &[];

    fn accept<'e, V: EventVisitor<'e>>(&'e self, _: V) -> V::Output {
        unreachable!("an event of a random model has no type of its own")
    }

    /// Of the events that a program can fire the one with this index.
    fn make<M: EventMaker>(index: usize, maker: M) -> Result<Self, M::Error> {
        let current = current();
        let events = current.schema.events.iter().enumerate();
        let mut fired = events.filter(|(_, event)| !event.immediate);
        match fired.nth(index) {
            Some((number, _)) => make_with(number, maker),
            None => Err(maker.no_such_event()),
        }
    }

    fn name(&self) -> &'static str {
        NUMBERS[usize::from(self.0.index())]
    }

    fn as_dyn(&self) -> &dyn DynEvent {
        &*self.0
    }
}

fn make<const N: usize>(fields: Vec<Field>) -> AnyEv {
    AnyEv(Box::new(Ev::<N>::new(fields)))
}

fn literal<const N: usize>(index: u16) -> &'static dyn Any {
    let current = current();
    let fields = current.schema.events[N].fields.len();
    current.literals[N][usize::from(index) - fields]
}

fn function<const N: usize>(index: u16) -> ValueFunction {
    current().functions[N][usize::from(index)]
}

fn check<const N: usize>(who: Id, db: &Reader<'_>) -> Result<(), Reject> {
    let current = current();
    let entity = current.schema.invariants[N].entity;
    let state = plumbing::state_of(db, entity.get(), who);
    let holds = match &current.rules[N] {
        Rule::Below(column, limit) => {
            plumbing::field::<u64, _>(db, column.get(), entity.get(), who) < limit
        }
        Rule::Links(own, hop, max) => {
            own >> state & 1 == 0 || plumbing::count(db, entity.get(), *hop, who) <= *max
        }
        Rule::Far(own, hop, all, far) => {
            own >> state & 1 == 0 || {
                let edge = &current.schema.edges[usize::from(hop.edge)];
                let there = if hop.forward { &edge.to } else { &edge.from }.entity;
                let mut ids = crate::compare::links(db, entity, *hop, who, there).into_iter();
                *all == ids.all(|id| far >> plumbing::state_of(db, there.get(), id) & 1 == 1)
            }
        }
    };
    if holds {
        Ok(())
    } else {
        Err(Reject::new("no"))
    }
}

/// Tables of what is of a number, which is a constant.
macro_rules! tables {
    ($($n:literal)*) => {
        const MAKE: &[fn(Vec<Field>) -> AnyEv] = &[$(make::<$n>),*];
        const NUMBERS: &[&str] = &[$(stringify!($n)),*];

        fn make_with<M: EventMaker>(number: usize, maker: M) -> Result<AnyEv, M::Error> {
            match number {
                $($n => Ok(AnyEv(Box::new(maker.make::<Ev<$n>>()?))),)*
                _ => Err(maker.no_such_event()),
            }
        }

        const TYPES: &[fn() -> EventType] = &[$(EventType::of::<Ev<$n>>),*];
        const LITERALS: &[Literals] = &[$(literal::<$n>),*];
        const FUNCTIONS: &[ValueFunctions] = &[$(function::<$n>),*];
        const HANDLERS: &[HandleImmediate] = &[$(handle::<$n>),*];
    };
}

type HandleImmediate = fn(BoundNames<'_>, Workspace<'_>) -> Result<(), Reject>;
type Literals = fn(u16) -> &'static dyn Any;
type ValueFunctions = fn(u16) -> ValueFunction;

tables!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);

const CHECKS: &[Check] = &[check::<0>, check::<1>, check::<2>];

/// How many events and invariants a random model can have.
pub const EVENTS_MAX: usize = MAKE.len();
pub const INVARIANTS_MAX: usize = CHECKS.len();

pub fn event(number: EventIx, fields: Vec<Field>) -> AnyEv {
    MAKE[usize::from(number)](fields)
}

/// `key` makes the column of a key of one field.
fn column_of<T: Value + Ord>(def: &ColumnDef, key: Option<fn() -> ColumnType>) -> ColumnType {
    match def.index {
        _ if key.is_some() => key.map_or_else(ColumnType::of::<T>, |key| key()),
        Some(IndexKind::Equal) => ColumnType::indexed::<T>(),
        Some(IndexKind::Ordered) => ColumnType::ordered::<T>(),
        None => ColumnType::of::<T>(),
    }
}

fn column(schema: &Schema, def: &ColumnDef) -> ColumnType {
    let only_key = def.key && matches!(key_kind(schema, def.entity), Some(0 | 1));
    let key = |make: fn() -> ColumnType| only_key.then_some(make);
    let (column, default): (_, fn() -> Box<dyn Any>) = match ty(&def.ty) {
        Ty::U => (
            column_of::<u64>(def, key(ColumnType::key::<Ent<0, 0>>)),
            || typed(&Ty::U.default()),
        ),
        Ty::S => (
            column_of::<String>(def, key(ColumnType::key::<Ent<0, 1>>)),
            || typed(&Ty::S.default()),
        ),
        of => with_type!(of, T => (column_of::<T>(def, None), || typed(&T::TY.default()))),
    };
    if def.default.is_some() {
        column.or(default)
    } else {
        column
    }
}

/// The schema with literals and defaults as Rust expressions, as the macro has them, in the place of places in pools.
fn as_written(schema: &Schema) -> Schema {
    let mut written = schema.clone();
    for (def, event) in schema.events.iter().zip(&mut written.events) {
        let literals = literals(schema, def);
        let mut write = |source: &mut Source| {
            if let Source::Literal { index, text } = source {
                *text = literals[usize::from(*index) - def.fields.len()].expression();
            }
        };
        for arc in &mut event.arcs {
            edit::sources(arc, &mut write);
        }
    }
    for column in &mut written.columns {
        if let Some(default) = &mut column.default {
            *default = ty(&column.ty).default().expression();
        }
    }
    written
}

/// The model.
pub struct Model;

impl ironweave::Model for Model {
    const NAME: &'static str = "random";
    type Event = AnyEv;

    fn binding() -> Binding {
        let current = current();
        let schema = &current.schema;
        let data = |of: &String| with_type!(ty(of), T => ColumnType::of::<T>());
        let events = schema.events.iter().enumerate().map(|(n, event)| {
            if event.immediate {
                let of = EventType::immediate(LITERALS[n], FUNCTIONS[n]);
                match script(event) {
                    Some(_) => of.handled(HANDLERS[n]),
                    None => of,
                }
            } else {
                TYPES[n]().with_arcs(current.arcs[n])
            }
        });
        Binding {
            schema: as_written(schema),
            columns: schema.columns.iter().map(|c| column(schema, c)).collect(),
            data: schema
                .edges
                .iter()
                .map(|e| e.data.as_ref().map(data))
                .collect(),
            indexes: (schema.indexes.iter())
                .map(|index| index_type(schema, index))
                .collect(),
            events: events.collect(),
            invariants: CHECKS[..schema.invariants.len()].to_vec(),
        }
    }
}
