//! Rejections by user code: [`Reject`], which guards, handlers and invariants return, and [`Reason`], which the
//! [`StepError`] contains.

use std::error::Error;
use std::fmt;

use crate::base::error::StepError;

/// An error of the program.
type Custom = Box<dyn Error + Send + Sync>;

/// The reason why a guard, a handler or an invariant rejected: a text, or an error of the program. It prints as that.
pub struct Reason(Repr);

enum Repr {
    Text(Box<str>),
    Custom(Custom),
}

impl Reason {
    /// Returns the error of the program, if the rejection was created with [`Reject::from_error`].
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.0 {
            Repr::Text(_) => None,
            Repr::Custom(e) => Some(&**e),
        }
    }

    /// Returns the error of the program, if it is of type `E`.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error()?.downcast_ref()
    }

    /// Returns the error of the program, as the source of another error.
    pub(crate) fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error().map(|e| e as _)
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self(Repr::Text(text.into()))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(text) => f.pad(text),
            Repr::Custom(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Text(text) => fmt::Debug::fmt(text, f),
            Repr::Custom(e) => fmt::Debug::fmt(e, f),
        }
    }
}

impl PartialEq<str> for Reason {
    /// Returns whether the reason prints as `text`.
    fn eq(&self, text: &str) -> bool {
        match &self.0 {
            Repr::Text(own) => **own == *text,
            Repr::Custom(e) => e.to_string() == text,
        }
    }
}

impl PartialEq<&str> for Reason {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

/// The error with which a guard, a handler or an invariant rejects: a text, an error of the program, or the error of an
/// operation on the graph, which `?` converts.
pub struct Reject(Box<RejectRepr>);

enum RejectRepr {
    Reason(Reason),
    Step(StepError),
}

impl Reject {
    /// Returns a rejection with a text.
    ///
    /// ```
    /// # use ironweave::Reject;
    /// assert_eq!(Reject::new("no capacity").to_string(), "no capacity");
    /// ```
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(Box::new(RejectRepr::Reason(reason.into().into())))
    }

    /// Returns a rejection with an error of the program. That error is the [`source`](Error::source) of the [`StepError`],
    /// and [`StepError::downcast_ref`] returns it.
    ///
    /// ```
    /// # use ironweave::Reject;
    /// let e = "twelve".parse::<u32>().unwrap_err();
    /// assert_eq!(Reject::from_error(e).to_string(), "invalid digit found in string");
    /// ```
    #[must_use]
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(RejectRepr::Reason(Reason(Repr::Custom(
            error.into(),
        )))))
    }

    /// Returns the step error that this contains, or the one that `wrap` returns for its reason.
    pub(crate) fn into_step(self, wrap: impl FnOnce(Reason) -> StepError) -> StepError {
        self.into_either(wrap, |e| e)
    }

    /// Returns what one of the functions returns for the reason or the step error that this contains.
    pub(crate) fn into_either<T>(
        self,
        reason: impl FnOnce(Reason) -> T,
        step: impl FnOnce(StepError) -> T,
    ) -> T {
        match *self.0 {
            RejectRepr::Reason(e) => reason(e),
            RejectRepr::Step(e) => step(e),
        }
    }
}

impl From<StepError> for Reject {
    fn from(e: StepError) -> Self {
        Self(Box::new(RejectRepr::Step(e)))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            RejectRepr::Reason(reason) => fmt::Display::fmt(reason, f),
            RejectRepr::Step(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl fmt::Debug for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reject({self})")
    }
}

impl Error for Reject {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            RejectRepr::Reason(reason) => reason.source(),
            RejectRepr::Step(e) => e.source(),
        }
    }
}
