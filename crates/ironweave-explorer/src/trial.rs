//! What if: an event that is fired on a snapshot, of which nothing is kept.

use ironweave::dynamic::Dynamic;
use ironweave::{EntityRef, ErrorKind, Meta, Model, Record, Snapshot};

use crate::problem::Problem;

/// What an event would do.
pub struct Trial {
    /// The graph on which it was fired.
    pub before: Snapshot<Dynamic>,
    /// The graph in which it has fired.
    pub after: Snapshot<Dynamic>,
    /// The transaction, with the sequence that it would have.
    pub record: Record<Dynamic>,
    /// The entities that the event bound and created, by name.
    pub names: Vec<(String, Vec<EntityRef>)>,
}

/// Why no event can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untried {
    /// The code of the model is not linked in.
    NoCode,
}

impl Untried {
    /// Returns the reason as a sentence.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoCode => {
                "the guards, handlers and invariants of this model are code of its program, which is not linked in here; nest the \
                 explorer in that program to try events"
            }
        }
    }
}

impl From<Untried> for Problem {
    fn from(untried: Untried) -> Self {
        Self::new(ErrorKind::Forbidden, untried.reason())
    }
}

/// Fires an event, which is JSON, on a snapshot.
pub(crate) fn try_typed<M: Model>(then: &Snapshot<M>, event: &str) -> Result<Trial, Problem> {
    let event: M::Event = serde_json::from_str(event)
        .map_err(|e| Problem::invalid(format!("this is not an event of the model: {e}")))?;
    let outcome = then.with_any(Meta::new(), &event)?;
    let names = outcome.applied.names.into_iter();
    Ok(Trial {
        before: then.to_dynamic(),
        after: outcome.snapshot.to_dynamic(),
        record: outcome.record.to_dynamic(),
        names: names.map(|(name, all)| (name.to_string(), all)).collect(),
    })
}
