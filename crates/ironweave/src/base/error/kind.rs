//! What a caller can do about an error, whatever operation gave it.

use std::fmt;

/// What a caller can do about an error. Every public error of this crate has one, from its `kind()`, so that a service
/// needs one table to answer with.
///
/// | kind | what it means | [HTTP status](ErrorKind::http_status) |
/// |---|---|---|
/// | [`Invalid`](ErrorKind::Invalid) | The request makes no sense, whatever the state of the store. | 400 |
/// | [`Forbidden`](ErrorKind::Forbidden) | A rule of the model forbids it: a condition, a guard, a handler, a bound, an invariant. | 403 |
/// | [`NotFound`](ErrorKind::NotFound) | The request names an entity, a key, a frame or a name that does not exist. | 404 |
/// | [`Conflict`](ErrorKind::Conflict) | The store is in a state that the request does not fit. | 409 |
/// | [`Internal`](ErrorKind::Internal) | The data or the program is wrong: damage, another schema, immediate events without end. | 500 |
/// | [`Unavailable`](ErrorKind::Unavailable) | The store cannot be used now: the disk is full, another process has it, it has stopped. | 503 |
/// | [`Indeterminate`](ErrorKind::Indeterminate) | The transaction may or may not be in the log. Repeat it under the same idempotency key. | 504 |
///
/// A service maps errors once. The example stands for any framework, such as `axum::response::IntoResponse`:
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
/// assert_eq!(text, "Discarded: there is no Lamp \"hall\"; create it first, or name another");
/// ```
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request makes no sense, whatever the state of the store.
    Invalid,
    /// A rule of the model forbids it: a condition, a guard, a handler, a bound on links, an invariant.
    Forbidden,
    /// The request names an entity, a key, a frame or a name that does not exist.
    NotFound,
    /// The store is in a state that the request does not fit. After reading again, another request may fit.
    Conflict,
    /// The data or the program is wrong: damage, another schema, immediate events without end.
    Internal,
    /// The store cannot be used now: the disk is full, another process has it, or it has stopped. Nothing was written.
    Unavailable,
    /// The log failed while it wrote. The transaction may or may not be in it; opening the store again shows which.
    Indeterminate,
}

impl ErrorKind {
    /// The HTTP status code to answer with.
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

    /// Whether the request is at fault, and not the store: a status of 4xx.
    #[must_use]
    pub const fn is_of_the_request(self) -> bool {
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
