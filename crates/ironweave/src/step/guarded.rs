//! The context of a guard: the graph, the entities that its event binds and creates, and the transaction.

use std::fmt;
use std::marker::PhantomData;

use crate::base::meta::Meta;
use crate::base::time::Timestamp;
use crate::db::{Db, Reader};
use crate::graph::GraphRef;
use crate::schema::EntityIx;
use crate::step::bindings::BoundNames;
use crate::step::clock::TransactionTime;
use crate::step::event::{Event, Named};

/// The context of the guards of an event, without the type of the event.
pub struct GuardContext<'g> {
    pub(super) reader: Reader<'g>,
    pub(super) names: BoundNames<'g>,
    pub(super) clock: &'g TransactionTime,
    pub(super) meta: &'g Meta,
}

/// The graph, the entities and the transaction of event `E`, for its guards. The graph is in the state after the event's
/// entities were bound and created, and before its other arcs. It is read-only, through [`Db`].
///
/// A guard that reads only the graph has the type `fn(&E, &impl Db) -> Result<(), Reject>`. A guard that also needs the
/// entities of the event, the time or the metadata takes a `Guarded`:
///
/// ```
/// # #[ironweave::model]
/// # pub mod desk {
/// #     use ironweave::prelude::*;
/// #     /// A customer.
/// #     #[entity]
/// #     pub struct Customer {
/// #         /// The name.
/// #         #[key]
/// #         pub name: String,
/// #         /// When the trial ends.
/// #         #[default(Timestamp::from_secs(60))]
/// #         pub trial_ends: Timestamp,
/// #     }
/// #     /// A customer opens a ticket.
/// #     #[event]
/// #     #[guard(super::in_time)]
/// #     pub struct Asked {
/// #         /// The customer who opens the ticket.
/// #         pub customer: Ensure<Customer>,
/// #     }
/// # }
/// # fn main() -> Result<(), StepError> {
/// # use ironweave::prelude::*;
/// # use desk::Asked;
/// let mut store = Store::<desk::Model>::memory();
/// let early = Meta::new().with_time(Timestamp::from_secs(30));
/// store.try_step_with(early, Asked { customer: "ann".into() })?;
/// let late = Meta::new().with_time(Timestamp::from_secs(90));
/// let e = store.try_step_with(late, Asked { customer: "ann".into() }).unwrap_err();
/// assert_eq!(e.to_string(), "Asked: guard in_time: the trial of ann has ended");
/// # Ok(())
/// # }
/// # use ironweave::{Guarded, prelude::*};
///
/// fn in_time(_: &desk::Asked, db: &Guarded<'_, desk::Asked>) -> Result<(), Reject> {
///     let customer = db.named().customer;
///     if db.time() <= customer.trial_ends(db) {
///         return Ok(());
///     }
///     Err(Reject::new(format!("the trial of {} has ended", customer.name(db))))
/// }
/// ```
pub struct Guarded<'g, E> {
    context: &'g GuardContext<'g>,
    of: PhantomData<fn() -> E>,
}

impl<'g, E> Guarded<'g, E> {
    #[doc(hidden)]
    #[must_use]
    pub fn new(context: &'g GuardContext<'g>) -> Self {
        Self {
            context,
            of: PhantomData,
        }
    }

    /// Returns the time of the transaction.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.context.clock.now()
    }

    /// Returns the metadata of the transaction, such as its actor.
    #[must_use]
    pub fn meta(&self) -> &Meta {
        self.context.meta
    }
}

impl<E: Event> Guarded<'_, E> {
    /// Returns the entities that the event binds by its fields and those that it creates, as handles. They are no tokens,
    /// since the arcs have not moved the entities yet.
    #[must_use]
    pub fn named(&self) -> Named<E> {
        E::named(self.context.names)
    }
}

impl<E> fmt::Debug for Guarded<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("time", &self.context.clock.known())
            .field("meta", self.context.meta)
            .finish_non_exhaustive()
    }
}

impl<E> Db for Guarded<'_, E> {
    type List<'a, I: Iterator + 'a>
        = I
    where
        Self: 'a;

    fn list<'a, I: Iterator + 'a>(&'a self, items: I) -> I {
        items
    }

    fn graph(&self) -> GraphRef<'_> {
        self.context.reader.graph()
    }

    fn reads(&self, entity: EntityIx, slot: u32) {
        self.context.reader.reads(entity, slot);
    }

    fn asks(&self, question: &str) {
        self.context.reader.asks(question);
    }
}
