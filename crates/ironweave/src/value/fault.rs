//! The error of writing a value: the reason, and the path to the place in the value. Each level adds its part to the path
//! while the error is returned.

use std::fmt;

use super::calls::Mismatch;

/// The reason why a value cannot be written, and the path to the place in it.
pub(super) struct WriteError(Box<(Fault, String)>);

/// The reason why a value cannot be written.
pub(super) enum Fault {
    /// The decoded value makes other calls to its serializer than the written value did.
    Differs(Box<Mismatch>),
    /// The keys of a map in the decoded value differ, or have another order.
    Keys,
    /// The value contains this collection, whose order is not fixed. The second field is the collection to use instead.
    Unordered(&'static str, &'static str),
    /// The value has more levels than this.
    Deep(u32),
    /// The `Serialize` of the value returned an error.
    Refused(String),
}

impl WriteError {
    #[cold]
    pub(super) fn new(fault: Fault) -> Self {
        Self(Box::new((fault, String::new())))
    }

    /// Returns the error with a part in front of its path.
    #[cold]
    pub(super) fn within(mut self, part: fmt::Arguments<'_>) -> Self {
        let (fault, path) = &mut *self.0;
        // The path would be as long as the nesting is deep.
        if !matches!(fault, Fault::Deep(_)) {
            path.insert_str(0, &part.to_string());
        }
        self
    }

    /// Returns the error for a place in the key of a map.
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
                let Mismatch { written, read } = &**differs;
                write!(f, "{written}{at} would be read back as {read}")
            }
            Fault::Keys => write!(
                f,
                "the keys of a map{at} would be read back differently or in another order; a `HashMap` has no fixed order, \
                 use a `BTreeMap`"
            ),
            Fault::Unordered(name, instead) => {
                write!(f, "the `{name}`{at} has no fixed order; use a `{instead}`")
            }
            Fault::Deep(levels) => write!(
                f,
                "it is nested more than {levels} levels deep; make it flatter, or store it as text"
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
