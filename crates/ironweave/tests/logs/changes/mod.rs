//! The committed logs of changed models: one of each kind of migration, of a change without code, and of upcast events. Each
//! module has the model of before, that of after, and the events that fired in each epoch. Nothing here may change in shape
//! (fields, states, edges, events): the logs would be refused.
#![allow(dead_code, missing_docs)]

pub mod computed_field;
pub mod edge_becomes_entity;
pub mod many_frames;
pub mod merged_entities;
pub mod other_key;
pub mod split_state;
pub mod upcast_events;
pub mod without_code;

use std::error::Error;
use std::path::Path;

use ironweave::prelude::*;
use ironweave::{Event, ManualClock, Model, Options};

pub type Done = Result<(), Box<dyn Error>>;

/// A change of a model, of which there is a log.
pub trait Change {
    /// The directory of the log, and the name of the text beside it.
    const NAME: &'static str;
    /// The model of before.
    type Before: Model;
    /// The model of after.
    type After: Model;

    /// Fires events of the model of before.
    fn before(store: &mut Store<Self::Before>) -> Done;

    /// The options with which the model of after opens the log of before.
    fn options() -> Options<Self::After> {
        Store::options()
    }

    /// Fires events of the model of after.
    fn after(store: &mut Store<Self::After>) -> Done;

    /// Asserts that a store has what [`Change::before`], the migration and [`Change::after`] make.
    fn assert_read(store: &Store<Self::After>);
}

/// What is done with each of the changes.
pub trait Visitor {
    fn visit<C: Change>(&mut self);
}

pub fn visit_all(visitor: &mut impl Visitor) {
    visitor.visit::<split_state::SplitState>();
    visitor.visit::<edge_becomes_entity::EdgeBecomesEntity>();
    visitor.visit::<merged_entities::MergedEntities>();
    visitor.visit::<computed_field::ComputedField>();
    visitor.visit::<other_key::OtherKey>();
    visitor.visit::<many_frames::ManyFrames>();
    visitor.visit::<without_code::WithoutCode>();
    visitor.visit::<upcast_events::UpcastEvents>();
}

/// Writes the log of a change.
pub fn write<C: Change>(dir: &Path) -> Done {
    C::before(&mut Store::options().clock(clock(0)).open(dir)?)?;
    C::after(&mut migrated::<C>(dir)?)
}

/// Opens a log of before with the model of after. The facts of the migration have the same time whenever it runs.
pub fn migrated<C: Change>(dir: &Path) -> Result<Store<C::After>, ironweave::OpenError> {
    C::options().clock(clock(50)).open(dir)
}

fn clock(second: i64) -> ManualClock {
    ManualClock::starting_at(time(second))
}

/// Fires an event at a second of the day of the logs.
pub fn fire<E: Event>(store: &mut Store<E::Model>, second: i64, event: E) -> Done {
    store.try_step_with(Meta::new().with_time(time(second)), event)?;
    Ok(())
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + second * 1_000_000)
}
