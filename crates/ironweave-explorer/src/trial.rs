//! What if: an event that is fired on a snapshot, of which nothing is kept.

use std::fmt;

use ironweave::dynamic::Dynamic;
use ironweave::schema::{EventDef, Schema};
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

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trial")
            .field("seq", &self.record.seq())
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Why no event can be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untried {
    /// The code of the model is not linked in.
    NoCode,
}

/// The advice for an event that needs code.
const ADVICE: &str =
    "which is not linked in here; nest the explorer in that program to try the event";

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

    /// Returns the reason for one event of a schema as a sentence, which names the code that is missing.
    #[must_use]
    pub fn reason_of(self, schema: &Schema, event: &EventDef) -> String {
        let code = match (event.guards.as_slice(), event.mays.is_empty()) {
            ([guard, ..], _) => format!("its guard `{guard}`"),
            ([], false) => "its handler".to_owned(),
            ([], true) => match schema.invariants.first() {
                Some(invariant) => format!("the invariant {} of the model", invariant.name),
                None => "the code that compares and calculates its values".to_owned(),
            },
        };
        format!(
            "{} cannot be tried: {code} is a part of the program, {ADVICE}",
            event.name
        )
    }

    /// Returns the problem of trying an event, which is JSON.
    pub(crate) fn problem(self, schema: &Schema, event: &str) -> Problem {
        let named = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(event);
        let name = named.ok().and_then(|named| named.keys().next().cloned());
        let known = schema
            .events
            .iter()
            .find(|def| Some(&def.name) == name.as_ref());
        match known {
            Some(def) => Problem::new(ErrorKind::Forbidden, self.reason_of(schema, def)),
            None => Problem::new(ErrorKind::Forbidden, self.reason()),
        }
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
