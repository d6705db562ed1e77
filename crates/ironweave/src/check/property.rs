//! Properties: conditions of a state, and what is required of them.

use std::any::type_name_of_val;
use std::fmt;
use std::panic::Location;

use crate::base::error::EntityRef;
use crate::step::model::Model;
use crate::store::Store;

/// The result of a condition: `bool`, or a `Result` whose error says why the condition does not hold.
pub trait Condition {
    #[doc(hidden)]
    const IS_RESULT: bool;
    /// Returns the reason if the condition does not hold, which is empty for a `bool`.
    #[doc(hidden)]
    fn check(self) -> Result<(), String>;
}

impl Condition for bool {
    const IS_RESULT: bool = false;

    fn check(self) -> Result<(), String> {
        if self { Ok(()) } else { Err(String::new()) }
    }
}

impl<E: fmt::Display> Condition for Result<(), E> {
    const IS_RESULT: bool = true;

    fn check(self) -> Result<(), String> {
        self.map_err(|e| e.to_string())
    }
}

/// What is required of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It holds in every state.
    Always,
    /// It holds in some state.
    Sometimes,
    /// From every state, a state can be reached in which it holds.
    EventuallyPossible,
}

/// A condition with what is required of it.
pub(crate) struct Property<M: Model> {
    pub name: String,
    pub kind: Kind,
    /// The path of the function; `None` if it is a closure.
    pub path: Option<String>,
    /// The name of the entity type, if the condition is one of each entity.
    pub every: Option<&'static str>,
    /// Whether the function returns a `Result`.
    pub is_result: bool,
    pub location: &'static Location<'static>,
    pub holds: Holds<M>,
}

/// Tests a condition in the state in which the store is.
pub(crate) type Holds<M> = Box<dyn Fn(&Store<M>) -> Result<(), Failed>>;

/// Why a condition does not hold.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// The entity of which it does not hold.
    pub entity: Option<EntityRef>,
    /// The reason, which may be empty.
    pub reason: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("does not hold")?;
        if let Some(entity) = &self.entity {
            write!(f, " of {entity}")?;
        }
        match &*self.reason {
            "" => Ok(()),
            reason => write!(f, ": {reason}"),
        }
    }
}

/// The path of a function; `None` for a closure, which has none.
pub(super) fn source_path<F>(function: &F) -> Option<String> {
    let name = type_name_of_val(function);
    // The parameters of a generic function are inferred where it is called.
    let path = name.split('<').next().unwrap_or(name);
    (!name.contains("{{closure}}") && !path.is_empty() && !path.starts_with("alloc::"))
        .then(|| path.to_owned())
}
