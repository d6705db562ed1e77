//! Why a value cannot be written, and where in it: the path is put together on the way out.

use std::fmt;

use super::calls::Mismatch;

/// Why a value cannot be written, and where in it.
pub(super) struct WriteError(Box<(Fault, String)>);

/// What stands in the way of a value.
pub(super) enum Fault {
    /// Something in it makes other calls than when it was written.
    Differs(Box<Mismatch>),
    /// The keys of a map come in another order, or are others.
    Keys,
    /// A collection whose order is not fixed, and what to use instead.
    Unordered(&'static str, &'static str),
    /// It is nested deeper than this.
    Deep(u32),
    /// Its `Serialize` refused.
    Refused(String),
}

impl WriteError {
    #[cold]
    pub(super) fn new(fault: Fault) -> Self {
        Self(Box::new((fault, String::new())))
    }

    /// The same, where what could not be written is part of something else.
    #[cold]
    pub(super) fn within(mut self, part: fmt::Arguments<'_>) -> Self {
        let (fault, path) = &mut *self.0;
        // The path to where it is nested too deep would be as long as the nesting.
        if !matches!(fault, Fault::Deep(_)) {
            path.insert_str(0, &part.to_string());
        }
        self
    }

    /// The same, where it was in the key of a map.
    #[cold]
    pub(super) fn within_key(mut self) -> Self {
        if matches!(self.0.0, Fault::Differs(_)) {
            self.0.0 = Fault::Keys;
            self.0.1.clear();
        }
        self
    }
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (fault, path) = &*self.0;
        let path = path.trim_start_matches('.');
        let at = if path.is_empty() {
            String::new()
        } else {
            format!(" at `{path}`")
        };
        match fault {
            Fault::Differs(differs) => {
                let Mismatch { was, now } = &**differs;
                write!(f, "{was}{at} would be read back as {now}")
            }
            Fault::Keys => write!(
                f,
                "the keys of a map{at} would be read back as others or in another order; a `HashMap` has no fixed order, use a `BTreeMap`"
            ),
            Fault::Unordered(name, instead) => {
                write!(f, "the `{name}`{at} has no fixed order; use a `{instead}`")
            }
            Fault::Deep(levels) => write!(
                f,
                "it is nested more than {levels} levels deep; make it flatter, or keep it as text"
            ),
            Fault::Refused(text) => write!(f, "{text}{at}"),
        }
    }
}

impl fmt::Debug for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for WriteError {}

impl serde::ser::Error for WriteError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Fault::Refused(message.to_string()))
    }
}

impl From<Box<Mismatch>> for WriteError {
    fn from(differs: Box<Mismatch>) -> Self {
        Self::new(Fault::Differs(differs))
    }
}
