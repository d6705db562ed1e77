//! What if: an event that is fired on a snapshot, of which nothing is kept.

use std::fmt;

use ironweave::dynamic::Dynamic;
use ironweave::{AnyOutcome, EntityRef, Meta, Model, Record, Snapshot};

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

/// Fires an event, which is JSON, on a snapshot, with the code of the model.
pub(crate) fn try_typed<M: Model>(then: &Snapshot<M>, event: &str) -> Result<Trial, Problem> {
    let event: M::Event = serde_json::from_str(event)
        .map_err(|e| Problem::invalid(format!("this is not an event of the model: {e}")))?;
    Ok(trial(then, then.with_any(Meta::new(), &event)?))
}

/// Fires an event, which is JSON, on a snapshot, by the schema alone.
pub(crate) fn try_by_schema(then: &Snapshot<Dynamic>, event: &str) -> Result<Trial, Problem> {
    let mut event = serde_json::Deserializer::from_str(event);
    Ok(trial(then, then.with_by_name(Meta::new(), &mut event)?))
}

fn trial<M: Model>(then: &Snapshot<M>, outcome: AnyOutcome<M>) -> Trial {
    let names = outcome.applied.names.into_iter();
    Trial {
        before: then.to_dynamic(),
        after: outcome.snapshot.to_dynamic(),
        record: outcome.record.to_dynamic(),
        names: names.map(|(name, all)| (name.to_string(), all)).collect(),
    }
}
