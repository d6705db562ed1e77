//! The classification of all errors by what a caller can do about them.

use std::fmt;

/// Classifies errors by what a caller can do about them. Every public error type of this crate has a method `kind()`, so a
/// service needs only one mapping from errors to responses.
///
/// | kind | meaning | [HTTP status](ErrorKind::http_status) |
/// |---|---|---|
/// | [`Invalid`](ErrorKind::Invalid) | The request is invalid in every state of the store. | 400 |
/// | [`Forbidden`](ErrorKind::Forbidden) | A rule of the model forbids the request: a condition, a guard, a handler, a bound, an invariant. | 403 |
/// | [`NotFound`](ErrorKind::NotFound) | The request refers to an entity, a key, a frame or a name that does not exist. | 404 |
/// | [`Conflict`](ErrorKind::Conflict) | The request conflicts with the current state of the store. | 409 |
/// | [`Internal`](ErrorKind::Internal) | The data or the program is wrong: damage, another schema, immediate events without end. | 500 |
/// | [`Unavailable`](ErrorKind::Unavailable) | The store cannot be used now: the disk is full, another process has it open, or it has stopped. | 503 |
/// | [`Indeterminate`](ErrorKind::Indeterminate) | The transaction may or may not be in the log. Repeat it under the same idempotency key. | 504 |
///
/// A service implements this mapping once, for the response type of its framework:
///
/// ```
/// # mod doc { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/lamps.rs")); } use doc::lamps;
/// use ironweave::prelude::*;
/// use lamps::Discarded;
///
/// struct Answer(u16, String);
///
/// impl From<StepError> for Answer {
///     fn from(e: StepError) -> Self {
///         Answer(e.kind().http_status(), e.to_string())
///     }
/// }
///
/// fn discard(store: &mut Store<lamps::Model>, room: &str) -> Result<Answer, Answer> {
///     store.try_step(Discarded { lamp: room.into() })?;
///     Ok(Answer(204, String::new()))
/// }
///
/// let mut store = Store::<lamps::Model>::memory();
/// let Err(Answer(status, text)) = discard(&mut store, "hall") else { panic!() };
/// assert_eq!(status, 404);
/// assert_eq!(text, "Discarded: there is no Lamp \"hall\"; create it first, or use another key");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is invalid in every state of the store.
    Invalid,
    /// A rule of the model forbids the request: a condition, a guard, a handler, a bound on links, an invariant.
    Forbidden,
    /// The request refers to an entity, a key, a frame or a name that does not exist.
    NotFound,
    /// The request conflicts with the current state of the store. After reading again, another request may succeed.
    Conflict,
    /// The data or the program is wrong: damage, another schema, immediate events without end.
    Internal,
    /// The store cannot be used now: the disk is full, another process has it open, or it has stopped. Nothing was
    /// written.
    Unavailable,
    /// A write or fsync of the log failed. The transaction may or may not be in it, which opening the store again shows.
    Indeterminate,
}

impl ErrorKind {
    /// Returns the HTTP status code for a response.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Indeterminate => 504,
        }
    }

    /// Returns whether the request caused the error, and not the store: the HTTP status is 4xx.
    #[must_use]
    pub const fn is_client_error(self) -> bool {
        self.http_status() < 500
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Invalid => "invalid",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Indeterminate => "indeterminate",
        })
    }
}
