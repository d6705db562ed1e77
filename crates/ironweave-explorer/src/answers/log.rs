//! The log: pages of transactions, the latest first, and one transaction with all of its facts.

use ironweave::dynamic::Dynamic;
use ironweave::schema::{Schema, similar_names};
use ironweave::{AsOf, ErrorKind, Firing, Record, Seq, Snapshot};
use serde::{Deserialize, Serialize};

use super::graph::{graph, moment, page};
use crate::problem::{Problem, no_such_frame};
use crate::shown::{CHARS, CHARS_IN_LIST, FACTS_MAX, Moment, Names, ShownFiring, ShownTransaction};
use crate::source::Source;

/// The number of frames that one question reads at most. If the filters admit few of them, the answer has fewer transactions than a
/// page, and the next page goes on.
const FRAMES_MAX: u64 = 4_096;
/// The number of frames that are read at once.
const FRAMES_AT_ONCE: u64 = 128;
/// The number of facts of one firing in a list.
const FACTS_IN_LIST: usize = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuestion {
    /// Only frames before this one.
    before: Option<u64>,
    /// Only transactions in which this event fired.
    event: Option<String>,
    /// Only transactions that changed an entity of this type.
    #[serde(rename = "type")]
    entity_type: Option<String>,
    /// Only transactions of this actor.
    actor: Option<String>,
    limit: Option<usize>,
    at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct LogAnswer {
    at: Moment,
    /// The latest first.
    transactions: Vec<ShownTransaction>,
    /// The first frame that was read.
    from: u64,
    /// The `before` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// What a transaction must have to be listed. Empty texts admit all.
struct Filter<'q> {
    event: Option<&'q str>,
    entity_type: Option<&'q str>,
    actor: Option<&'q str>,
}

impl<'q> Filter<'q> {
    fn of(question: &'q LogQuestion, schema: &Schema) -> Result<Self, Problem> {
        fn given(text: Option<&str>) -> Option<&str> {
            text.filter(|text| !text.is_empty())
        }
        let filter = Self {
            event: given(question.event.as_deref()),
            entity_type: given(question.entity_type.as_deref()),
            actor: given(question.actor.as_deref()),
        };
        if let Some(event) = filter.event {
            check(
                "event",
                event,
                schema.events.iter().map(|event| &*event.name),
            )?;
        }
        if let Some(of) = filter.entity_type {
            check(
                "entity type",
                of,
                schema.entities.iter().map(|of| &*of.name),
            )?;
        }
        Ok(filter)
    }

    fn admits(&self, record: &Record<Dynamic>) -> bool {
        let is_actor = |actor| record.meta().actor() == Some(actor);
        let fired = |event| record.firings().any(|firing| firing.name() == event);
        let facts = record.facts();
        let changed = |of| facts.iter().any(|fact| fact.entity().type_name() == of);
        self.actor.is_none_or(is_actor)
            && self.event.is_none_or(fired)
            && self.entity_type.is_none_or(changed)
    }
}

/// Checks that a model has a name.
pub(super) fn check<'n>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'n str> + Clone,
) -> Result<(), Problem> {
    if known.clone().any(|known| known == name) {
        return Ok(());
    }
    let similar = similar_names(name, known);
    let hint = match similar.first() {
        Some(similar) => format!("; did you mean `{similar}`?"),
        None => String::new(),
    };
    Err(Problem::not_found(format!(
        "the model has no {what} `{name}`{hint}"
    )))
}

/// Returns a page of the log. O(frames that are read), of which there are at most [`FRAMES_MAX`].
pub(crate) fn log(source: &dyn Source, question: &LogQuestion) -> Result<LogAnswer, Problem> {
    let limit = page(question.limit)?;
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let filter = Filter::of(question, snapshot.schema())?;
    let mut end = question.before.unwrap_or(u64::MAX).min(at.seq + 1);
    let mut stop = end.saturating_sub(FRAMES_MAX);
    // The first frame of the log, which is another one than 0 if the first ones were dropped.
    let mut beginning = 0;
    let mut found: Vec<Record<Dynamic>> = Vec::new();
    let mut is_full = false;
    while end > stop && !is_full {
        let start = end.saturating_sub(FRAMES_AT_ONCE).max(stop);
        let records = match source.transactions(Seq::new(start), Seq::new(end)) {
            Ok(records) => records,
            Err(e) => match e.beginning().map(Seq::get).filter(|first| start < *first) {
                Some(first) => {
                    (beginning, stop) = (first, stop.max(first));
                    end = end.max(first);
                    continue;
                }
                None => return Err(e),
            },
        };
        let records = records.collect::<Result<Vec<_>, _>>();
        for record in records?.into_iter().rev() {
            if found.len() == limit {
                is_full = true;
                break;
            }
            end = record.seq().get();
            if filter.admits(&record) {
                found.push(record);
            }
        }
        if !is_full {
            end = start;
        }
    }
    let before = (found.last()).and_then(|record| record.seq().get().checked_sub(1));
    let before = before.and_then(|seq| source.as_of(AsOf::from(seq)).ok());
    let names = Names::around(&snapshot, before.as_ref());
    let shown = |record: &Record<Dynamic>| {
        ShownTransaction::whole(record, names, CHARS_IN_LIST, FACTS_IN_LIST)
    };
    Ok(LogAnswer {
        at,
        transactions: found.iter().map(shown).collect(),
        from: end,
        next: (end > beginning).then_some(end),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransactionQuestion {
    seq: u64,
}

#[derive(Serialize)]
pub(crate) struct TransactionAnswer {
    /// The graph after the transaction.
    at: Moment,
    last: u64,
    #[serde(flatten)]
    transaction: ShownTransaction,
    /// The transaction that caused this one, the one that caused that one, and so on, each without its facts.
    causes: Vec<ShownTransaction>,
}

/// The number of causes that are followed.
const CAUSES_MAX: usize = 20;

/// Returns one transaction. O(its facts).
pub(crate) fn transaction(
    source: &dyn Source,
    question: &TransactionQuestion,
) -> Result<TransactionAnswer, Problem> {
    let last = source.last();
    let seq = Seq::new(question.seq);
    if last.is_none_or(|last| last < seq) {
        return Err(Problem::not_found(no_such_frame(seq, last)));
    }
    let Some(record) = one(source, seq)? else {
        return Err(Problem::not_found(format!(
            "frame {seq} is no transaction: it has the schema of the model"
        )));
    };
    let after = source.as_of(AsOf::Seq(seq))?;
    let before = before(source, seq);
    let names = Names::around(&after, before.as_ref());
    let mut causes = Vec::new();
    let mut cause = record.meta().causation();
    while let Some(seq) = cause.filter(|_| causes.len() < CAUSES_MAX) {
        // The log may have lost its first frames.
        let Some(record) = one(source, seq).ok().flatten() else {
            break;
        };
        let firings = record.firings().filter(|firing| !firing.is_immediate());
        let firings = firings
            .map(|firing: Firing<'_, Dynamic>| ShownFiring::of(&firing, names, CHARS_IN_LIST, 0));
        causes.push(ShownTransaction::of(&record, firings.collect()));
        // A cause precedes what it caused, so that the chain ends.
        cause = record.meta().causation().filter(|next| *next < seq);
    }
    Ok(TransactionAnswer {
        at: moment(&after, false),
        last: last.unwrap_or_default().get(),
        transaction: ShownTransaction::whole(&record, names, CHARS, FACTS_MAX),
        causes,
    })
}

/// Returns the transaction in a frame.
fn one(source: &dyn Source, seq: Seq) -> Result<Option<Record<Dynamic>>, Problem> {
    let mut records = source.transactions(seq, seq + 1)?;
    match records.next().transpose() {
        Ok(record) => Ok(record),
        Err(e) => Err(Problem::new(ErrorKind::Internal, e.to_string())),
    }
}

/// Returns the graph before a frame, if the log still has it.
fn before(source: &dyn Source, seq: Seq) -> Option<Snapshot<Dynamic>> {
    let seq = seq.get().checked_sub(1)?;
    source.as_of(AsOf::from(seq)).ok()
}
