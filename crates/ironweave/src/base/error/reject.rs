//! Rejections by the user's code: what a guard, a handler or an invariant returns, and the reason in the error.

use std::error::Error;
use std::fmt;

use crate::base::error::StepError;

/// A failure of the user's code, of whatever type.
type Custom = Box<dyn Error + Send + Sync>;

/// Why a guard, a handler or an invariant rejected: a text, or an error of the program. Prints as that.
pub struct Reason(Repr);

enum Repr {
    Text(Box<str>),
    Custom(Custom),
}

impl Reason {
    /// The program's error, where [`Reject::from_error`] gave one.
    #[must_use]
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.0 {
            Repr::Text(_) => None,
            Repr::Custom(e) => Some(&**e),
        }
    }

    /// The program's error, where it is of this type.
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.error()?.downcast_ref()
    }

    /// The error as the source of another one.
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
    /// Whether it prints as a text.
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

/// What a guard, a handler or an invariant returns to reject: a text, an error of the program, or the error of an
/// operation on the graph, which `?` passes on.
pub struct Reject(Box<Why>);

enum Why {
    Reason(Reason),
    Step(StepError),
}

impl Reject {
    /// Rejects with a text.
    ///
    /// ```
    /// # use ironweave::Reject;
    /// assert_eq!(Reject::new("no capacity").to_string(), "no capacity");
    /// ```
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(Box::new(Why::Reason(reason.into().into())))
    }

    /// Rejects with an error of the program. It is the [`source`](Error::source) of the [`StepError`], and
    /// [`StepError::downcast_ref`] finds it.
    ///
    /// ```
    /// # use ironweave::Reject;
    /// let e = "twelve".parse::<u32>().unwrap_err();
    /// assert_eq!(Reject::from_error(e).to_string(), "invalid digit found in string");
    /// ```
    #[must_use]
    pub fn from_error(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Box::new(Why::Reason(Reason(Repr::Custom(error.into())))))
    }

    /// The step error that it carries, or the one that `wrap` makes of its reason.
    pub(crate) fn into_step(self, wrap: impl FnOnce(Reason) -> StepError) -> StepError {
        match *self.0 {
            Why::Reason(reason) => wrap(reason),
            Why::Step(e) => e,
        }
    }
}

impl From<StepError> for Reject {
    fn from(e: StepError) -> Self {
        Self(Box::new(Why::Step(e)))
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Why::Reason(reason) => fmt::Display::fmt(reason, f),
            Why::Step(e) => fmt::Display::fmt(e, f),
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
            Why::Reason(reason) => reason.source(),
            Why::Step(e) => e.source(),
        }
    }
}
