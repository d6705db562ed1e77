//! Events as Rust types, and as the step sees them without their types.

use std::any::Any;
use std::fmt;

use crate::base::error::{Reject, StepError};
use crate::base::position::Seq;
use crate::graph::GraphMut;
use crate::schema::{Encoding, EventIx};
use crate::step::arcs::compiled;
use crate::step::bind::Binder;
use crate::step::bindings::{Bindings, BoundNames};
use crate::step::field_codec::{FieldReader, FieldWriter};
use crate::step::fields::Fields;
use crate::step::guarded::GuardContext;
use crate::step::model::Model;
use crate::step::open::OpenTransaction;
use crate::step::plan::Plan;
use crate::step::tx::{Tx, Workspace};
use crate::step::upcast::{LoggedEvent, UpcastError, Upcaster, upcaster};
use crate::value::calculate::{
    ImmediateCode, Literals, ValueFunction, ValueFunctions, no_such_function, no_such_value,
};
use crate::value::{DecodeError, Equal};

/// An event: a request to change the graph, which may be rejected. The macro implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event that a program can fire",
    label = "not an event to fire",
    note = "events are the structs with `#[event]` in a model; an `#[immediate]` one fires by itself"
)]
pub trait Event: Sized + 'static {
    /// The model that declares the event.
    type Model: Model;
    /// The entities that the event binds and creates, as tokens if its arcs determine their states; see [`Receipt::bound`].
    type Bound;
    /// The entities that the event creates, as handles.
    type Created;
    /// The entities that the event binds and creates, as handles for its guards; `()` if the event has no guard.
    type Named;
    #[doc(hidden)]
    type Fields: Fields;
    #[doc(hidden)]
    const INDEX: EventIx;
    /// Its [compiled arcs](crate::schema::compiled), packed; `None` if only the interpreter can execute them.
    #[doc(hidden)]
    const ARCS: Option<&'static [u128]> = None;
    /// Whether its compiled arcs, if it has any, are in its [`EventType`] instead: its model is made at runtime, by a test.
    #[doc(hidden)]
    const MADE_AT_RUNTIME: bool = false;
    /// The name of the event, followed by the names of its fields.
    #[doc(hidden)]
    const NAMES: &'static [&'static str];
    /// The name of the event, as declared.
    const NAME: &'static str = Self::NAMES[0];

    /// The names of its fields in JSON; empty if none is renamed.
    #[doc(hidden)]
    const RENAMED: &'static [&'static str] = &[];
    /// Aliases of fields in JSON, with the index of the field.
    #[doc(hidden)]
    const ALIASES: &'static [(&'static str, u16)] = &[];

    /// Returns the default of a field that is missing in JSON, or in an event that was logged before it had the field; `None` if the
    /// field is required.
    #[doc(hidden)]
    #[must_use]
    fn missing(_field: u16) -> Option<Box<dyn Any>> {
        None
    }
    #[doc(hidden)]
    fn fields(&self) -> <Self::Fields as Fields>::Refs<'_>;
    #[doc(hidden)]
    fn of(fields: <Self::Fields as Fields>::Owned) -> Self;
    #[doc(hidden)]
    #[must_use]
    fn literal(index: u16) -> &'static dyn Any {
        no_such_value(index)
    }
    #[doc(hidden)]
    #[must_use]
    fn function(index: u16) -> ValueFunction {
        no_such_function(index)
    }
    /// Returns the comparison of the values of a field, if their type has `PartialEq` and is not known to round trip.
    #[doc(hidden)]
    #[must_use]
    fn equal(_index: u16) -> Option<Equal> {
        None
    }
    #[doc(hidden)]
    fn guard(&self, _index: u16, _context: &GuardContext<'_>) -> Result<(), Reject> {
        Ok(())
    }
    #[doc(hidden)]
    fn handle(&self, _names: BoundNames<'_>, _tx: &mut Tx<'_, Self>) -> Result<(), Reject> {
        Ok(())
    }
    #[doc(hidden)]
    fn bound(names: BoundNames<'_>) -> Self::Bound;
    #[doc(hidden)]
    fn created(names: BoundNames<'_>) -> Self::Created;
    #[doc(hidden)]
    fn named(names: BoundNames<'_>) -> Self::Named;
}

/// The entities that an event of type `E` with a handler binds and creates; see [`Receipt::bound`].
pub type Bound<E> = <E as Handles>::Bound;

/// The entities that a guard of event `E` gets; see [`Guarded::named`](crate::Guarded::named).
pub type Named<E> = <E as Event>::Named;

/// An event with `#[may(..)]`, which has a handler. The macro implements it.
#[diagnostic::on_unimplemented(
    message = "event `{Self}` has no `#[may(..)]`, so there is nothing for a handler to do",
    label = "a superfluous handler",
    note = "remove this `impl Apply`, or add `#[may(..)]` with what the handler does to the event"
)]
pub trait Handles: Sized + 'static {
    /// The entities that the event binds and creates, as tokens if its arcs determine their states; see [`Receipt::bound`].
    type Bound;
}

/// The handler of an event with `#[may(..)]`, which runs after the declared arcs. An immediate event may have one too.
#[diagnostic::on_unimplemented(
    message = "event `{Self}` declares `#[may(..)]` and has no handler",
    label = "needs a handler",
    note = "write `impl Apply for {Self} {{ fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject> {{ .. }} }}`, or remove the `#[may(..)]`"
)]
pub trait Apply: Handles {
    /// Makes the changes that the declared arcs cannot express. It must be deterministic: pass random values as fields of the
    /// event, and read the time from [`Tx::time`].
    ///
    /// # Errors
    /// An error rejects the event and undoes all of its changes.
    fn apply(&self, bound: Bound<Self>, tx: &mut Tx<'_, Self>) -> Result<(), Reject>;
}

/// The result of an event in a transaction that is still open, or that was only tried.
///
/// It has no sequence, since the transaction may still be rolled back, and another transaction would then get that sequence.
/// The commit returns the sequence in [`Committed`](crate::Committed).
///
/// ```compile_fail,E0609
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::Bought;
///
/// let mut store = Store::<lamps::Model>::memory();
/// let mut transaction = store.begin();
/// let bought = transaction.apply(Bought { room: "hall".into() })?;
/// transaction.rollback();
/// println!("{}", bought.seq);
/// # Ok::<(), StepError>(())
/// ```
#[non_exhaustive]
pub struct Applied<E: Event> {
    /// Whether the transaction was committed earlier under the same idempotency key. Then this event changed nothing, and
    /// this is its result in the earlier transaction.
    pub repeated: bool,
    /// The entities that the event created.
    pub created: E::Created,
    /// The entities that the event bound and created; see [`Receipt::bound`].
    pub bound: E::Bound,
}

impl<E: Event<Bound: fmt::Debug, Created: fmt::Debug>> fmt::Debug for Applied<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applied")
            .field("repeated", &self.repeated)
            .field("created", &self.created)
            .field("bound", &self.bound)
            .finish()
    }
}

/// The result of an event whose transaction was committed.
#[non_exhaustive]
pub struct Receipt<E: Event> {
    /// The sequence number of the transaction in the log.
    pub seq: Seq,
    /// Whether the transaction was committed earlier under the same idempotency key. Then this call changed nothing, and this
    /// is the receipt of the earlier transaction.
    pub repeated: bool,
    /// The entities that the event created.
    pub created: E::Created,
    /// The entities that the event bound and created, as tokens if the declared arcs determine the state. An immediate event
    /// of the same step may have moved the entity to another state. The token is then stale, and an event that takes it is
    /// rejected.
    pub bound: E::Bound,
}

impl<E: Event<Bound: fmt::Debug, Created: fmt::Debug>> fmt::Debug for Receipt<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("seq", &self.seq)
            .field("repeated", &self.repeated)
            .field("created", &self.created)
            .field("bound", &self.bound)
            .finish()
    }
}

/// An event without its type.
#[doc(hidden)]
pub trait DynEvent {
    /// Its number.
    fn index(&self) -> EventIx;
    /// Binds its entities.
    fn bind(&self, binder: &mut Binder<'_>) -> Result<(), Reject>;
    /// One of its values.
    fn value(&self, index: u16) -> &dyn Any;
    /// One of the functions that compare and calculate its values.
    fn function(&self, index: u16) -> ValueFunction;
    /// Calls one of its guards.
    fn guard(&self, index: u16, context: &GuardContext<'_>) -> Result<(), Reject>;
    /// Checks and executes its compiled arcs and binds its names. Returns `false`, and has changed nothing, if it has no
    /// compiled arcs or if one of their checks fails.
    fn run_compiled(
        &self,
        plan: &Plan,
        graph: GraphMut<'_>,
        open: &mut OpenTransaction,
        bindings: &mut Bindings,
    ) -> Result<bool, StepError>;
    /// Runs its handler.
    fn handle(&self, names: BoundNames<'_>, workspace: Workspace<'_>) -> Result<(), Reject>;
    /// Encodes its fields.
    fn encode(&self, writer: &mut FieldWriter<'_>);
    /// Whether every value of its fields' types is known to be read back as it was written.
    fn is_faithful(&self) -> bool;
    /// Itself, without its type.
    fn erased(&self) -> &dyn DynEvent;
}

impl<E: Event> DynEvent for E {
    #[inline(always)]
    fn index(&self) -> EventIx {
        E::INDEX
    }

    #[inline(always)]
    fn bind(&self, binder: &mut Binder<'_>) -> Result<(), Reject> {
        E::Fields::bind(self.fields(), binder)
    }

    #[inline(always)]
    fn value(&self, index: u16) -> &dyn Any {
        E::Fields::value(self.fields(), index).unwrap_or_else(|| E::literal(index))
    }

    fn function(&self, index: u16) -> ValueFunction {
        E::function(index)
    }

    fn guard(&self, index: u16, context: &GuardContext<'_>) -> Result<(), Reject> {
        E::guard(self, index, context)
    }

    fn run_compiled(
        &self,
        plan: &Plan,
        graph: GraphMut<'_>,
        open: &mut OpenTransaction,
        bindings: &mut Bindings,
    ) -> Result<bool, StepError> {
        let GraphMut::Flat(graph) = graph else {
            return Ok(false);
        };
        let names = if E::MADE_AT_RUNTIME {
            compiled::run_made_at_runtime(self, plan, graph, open)?
        } else {
            let Some(mut names) = compiled::check(self, graph) else {
                return Ok(false);
            };
            compiled::act(self, plan, graph, open, &mut names)?;
            Some(names)
        };
        let Some(names) = names else {
            return Ok(false);
        };
        bindings.push_all(&names);
        Ok(true)
    }

    fn handle(&self, names: BoundNames<'_>, workspace: Workspace<'_>) -> Result<(), Reject> {
        E::handle(self, names, &mut Tx::new(workspace))
    }

    #[inline(always)]
    fn encode(&self, writer: &mut FieldWriter<'_>) {
        writer.equal = E::equal;
        E::Fields::encode(self.fields(), 0, writer);
    }

    #[inline(always)]
    fn is_faithful(&self) -> bool {
        E::Fields::is_faithful()
    }

    fn erased(&self) -> &dyn DynEvent {
        self
    }
}

/// The values that the arcs of a firing event write.
pub(crate) trait EventValues {
    /// A field or literal of the event.
    fn value(&self, index: u16) -> &dyn Any;

    /// One of the functions that compare and calculate its values.
    fn function(&self, index: u16) -> ValueFunction;

    /// Calls one of its guards.
    ///
    /// # Errors
    /// Whatever the guard rejects the event for.
    fn guard(&self, _index: u16, _context: &GuardContext<'_>) -> Result<(), Reject> {
        Ok(())
    }
}

/// An event of the program, with or without its type.
impl<E: DynEvent + ?Sized> EventValues for &E {
    #[inline(always)]
    fn value(&self, index: u16) -> &dyn Any {
        E::value(self, index)
    }

    fn function(&self, index: u16) -> ValueFunction {
        E::function(self, index)
    }

    fn guard(&self, index: u16, context: &GuardContext<'_>) -> Result<(), Reject> {
        E::guard(self, index, context)
    }
}

impl EventValues for &ImmediateCode {
    fn value(&self, index: u16) -> &dyn Any {
        self.literal(index)
    }

    fn function(&self, index: u16) -> ValueFunction {
        ImmediateCode::function(self, index)
    }

    /// An immediate event has no guard, unless its plan has one in place of code that its schema does not have.
    fn guard(&self, _: u16, _: &GuardContext<'_>) -> Result<(), Reject> {
        match self {
            ImmediateCode::OfProgram { .. } => Ok(()),
            ImmediateCode::OfSchema(_) => Err(Reject::new("it needs code of the program")),
        }
    }
}

/// Decodes an event from its logged fields.
///
/// # Errors
/// If a field is of another type, or missing and neither optional nor with a default.
pub(crate) fn decode_event<E: Event>(reader: &FieldReader<'_>) -> Result<E, DecodeError> {
    E::Fields::decode(reader, (E::missing, 0)).map(E::of)
}

type Decode = fn(&FieldReader<'_>) -> Result<Box<dyn DynEvent>, DecodeError>;

/// Runs the handler of an immediate event.
pub type HandleImmediate = fn(BoundNames<'_>, Workspace<'_>) -> Result<(), Reject>;

/// Calls the handler of an event.
///
/// # Errors
/// Whatever the handler rejects the event for.
pub fn handle<E: Apply>(
    event: &E,
    bound: E::Bound,
    workspace: Workspace<'_>,
) -> Result<(), Reject> {
    event.apply(bound, &mut Tx::new(workspace))
}

/// The type of an event, as the functions that read one from a log.
pub struct EventType {
    /// Decodes an event that the program fires.
    pub(crate) decode: Option<Decode>,
    /// The code of an immediate event.
    pub(crate) immediate: ImmediateCode,
    /// The handler of an immediate event that has one.
    pub(crate) handle: Option<HandleImmediate>,
    /// How its fields are encoded; of one that fires by itself the schema says it.
    pub(crate) encodings: fn() -> Vec<Encoding>,
    /// Its compiled arcs, see [`Event::ARCS`].
    pub(crate) arcs: Option<&'static [u128]>,
    /// How logged events of other names or with other fields are read as this event, by their names in the log.
    pub(crate) upcasts: Vec<(&'static str, Upcaster)>,
}

impl EventType {
    /// An event that the program fires.
    #[must_use]
    pub fn of<E: Event>() -> Self {
        Self {
            decode: Some(|reader| Ok(Box::new(decode_event::<E>(reader)?))),
            immediate: ImmediateCode::NONE,
            handle: None,
            encodings: || {
                let mut encodings = Vec::new();
                E::Fields::encodings(&mut encodings);
                encodings
            },
            arcs: E::ARCS,
            upcasts: Vec::new(),
        }
    }

    /// Adds a function that reads logged events of a name.
    #[must_use]
    pub fn upcast<E: Event>(
        mut self,
        from: &'static str,
        with: fn(&LoggedEvent<'_>) -> Result<E, UpcastError>,
    ) -> Self {
        self.upcasts.push((from, upcaster(with)));
        self
    }

    /// The same with compiled arcs, of an event that is [made at runtime](Event::MADE_AT_RUNTIME).
    #[must_use]
    pub fn with_arcs(self, arcs: Option<&'static [u128]>) -> Self {
        Self { arcs, ..self }
    }

    /// An immediate event.
    #[must_use]
    pub fn immediate(literals: Literals, functions: ValueFunctions) -> Self {
        Self {
            decode: None,
            immediate: ImmediateCode::OfProgram {
                literals,
                functions,
            },
            handle: None,
            encodings: Vec::new,
            arcs: None,
            upcasts: Vec::new(),
        }
    }

    /// An event that only a schema describes.
    pub(crate) fn of_schema(code: ImmediateCode) -> Self {
        Self {
            immediate: code,
            ..Self::immediate(no_such_value, no_such_function)
        }
    }

    /// The same with a handler.
    #[must_use]
    pub fn handled(self, handle: HandleImmediate) -> Self {
        Self {
            handle: Some(handle),
            ..self
        }
    }
}
