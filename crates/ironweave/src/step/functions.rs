//! Calls of the functions that a model names: guards and invariants. The traits exist for the message of the compiler
//! about a function with a wrong signature: it quotes the lines that have a comment.

use crate::base::error::Reject;
use crate::db::Reader;
use crate::step::guarded::Guarded;

/// A function that can be the guard of event `E`.
#[diagnostic::on_unimplemented(
    message = "this function is not a guard of `{E}`",
    label = "not a guard of `{E}`",
    note = "a guard is written `fn name(event: &{E}, db: &impl Db) -> Result<(), Reject>`"
)]
pub trait Guard<'a, 'g, E> {
    /// Calls it.
    ///
    /// # Errors
    /// If it rejects.
    fn ask(self, event: &'a E, db: &'a Guarded<'g, E>) -> Result<(), Reject>;
}

#[diagnostic::do_not_recommend]
impl<'a, 'g, E: 'a, F> Guard<'a, 'g, E> for F
where
    'g: 'a,
    F: FnOnce(&'a E, &'a Guarded<'g, E>) -> Result<(), Reject>,
{
    fn ask(self, event: &'a E, db: &'a Guarded<'g, E>) -> Result<(), Reject> {
        self(event, db)
    }
}

/// Calls a guard.
///
/// # Errors
/// If it rejects.
pub fn ask<'a, 'g, E, G>(guard: G, event: &'a E, db: &'a Guarded<'g, E>) -> Result<(), Reject>
where
    G: Guard<'a, 'g, E>, // write `fn name(event: &E, db: &impl Db) -> Result<(), Reject>`
{
    guard.ask(event, db)
}

/// A function that can be an invariant of entity `T`.
#[diagnostic::on_unimplemented(
    message = "this function is not an invariant of `{T}`",
    label = "not an invariant of `{T}`",
    note = "an invariant is written `fn name(entity: {T}, db: &impl Db) -> Result<(), Reject>`"
)]
pub trait Holds<'a, 'g, T> {
    /// Calls it.
    ///
    /// # Errors
    /// If it does not hold.
    fn hold(self, entity: T, db: &'a Reader<'g>) -> Result<(), Reject>;
}

#[diagnostic::do_not_recommend]
impl<'a, 'g, T, F> Holds<'a, 'g, T> for F
where
    'g: 'a,
    F: FnOnce(T, &'a Reader<'g>) -> Result<(), Reject>,
{
    fn hold(self, entity: T, db: &'a Reader<'g>) -> Result<(), Reject> {
        self(entity, db)
    }
}

/// Calls an invariant.
///
/// # Errors
/// If it does not hold.
pub fn hold<'a, 'g, T, H>(invariant: H, entity: T, db: &'a Reader<'g>) -> Result<(), Reject>
where
    H: Holds<'a, 'g, T>, // write `fn name(entity: T, db: &impl Db) -> Result<(), Reject>`
{
    invariant.hold(entity, db)
}
