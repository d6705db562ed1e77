//! What happened to an entity, and what caused it.

use ironweave::dynamic::Dynamic;
use ironweave::{
    AsOf, Db as _, EntityRef, Fact, FactEntity, FactKind, Id, Record, Seq, Snapshot, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::graph::{graph, id, page};
use crate::problem::Problem;
use crate::shown::{CHARS_IN_LIST, EntityName, Moment, Names, ShownFact, ShownFiring};
use crate::source::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuestion {
    #[serde(rename = "type")]
    entity_type: String,
    id: String,
    /// Only transactions before this frame.
    before: Option<u64>,
    limit: Option<usize>,
    at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct HistoryAnswer {
    at: Moment,
    entity: EntityName,
    /// Whether the entity exists at that point.
    exists: bool,
    /// The transactions about the entity, the latest first.
    transactions: Vec<HistoryStep>,
    /// The `before` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// A transaction, with what it has to do with the entity.
#[derive(Serialize)]
struct HistoryStep {
    seq: u64,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    /// The transaction that caused this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<u64>,
    /// Whether the entity was created, moved or deleted.
    step: bool,
    causes: Vec<Cause>,
}

/// An event that changed the entity.
#[derive(Serialize)]
struct Cause {
    /// The event, with those of its facts that are about the entity; `None` for a part of a migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    firing: Option<ShownFiring>,
    /// For an immediate event, the event of the program that enabled it, without its facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled_by: Option<ShownFiring>,
    /// The facts of the migration.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<ShownFact>,
}

/// Returns what happened to an entity, the latest first. O(facts of the page).
pub(crate) fn history(
    source: &dyn Source,
    question: &HistoryQuestion,
) -> Result<HistoryAnswer, Problem> {
    let limit = page(question.limit)?;
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let view = snapshot.by_name();
    let of = view.entity_type(&question.entity_type)?;
    let id = id(&question.id)?;
    let asked = EntityRef {
        entity: of.name().into(),
        id,
        key: None,
    };
    // Later transactions are not part of the graph that is shown.
    let end = Seq::new(at.seq) + 1;
    let before = question
        .before
        .map_or(end, |before| end.min(Seq::new(before)));
    let mut records = source.last_about(&asked, before, limit + 1)?;
    if records.is_empty() && question.before.is_none() {
        return Err(Problem::not_found(format!(
            "the log has no {}/{id} up to frame {}",
            of.name(),
            at.seq
        )));
    }
    let has_more = records.len() > limit;
    records.truncate(limit);
    let next = records.last().filter(|_| has_more);
    let next = next.map(|record| record.seq().get());
    let exists = of.at(id).is_some();
    // A deleted entity has its key in the graph before its deletion.
    let earlier = match exists {
        true => None,
        false => before_last(source, &asked, (end, before, &records))?,
    };
    let names = Names::around(&snapshot, earlier.as_ref());
    Ok(HistoryAnswer {
        at,
        entity: names.name(of.name(), id),
        exists,
        transactions: (records.iter())
            .map(|record| step(record, (of.name(), id), names))
            .collect(),
        next,
    })
}

fn step(record: &Record<Dynamic>, (of, id): (&str, Id), names: Names<'_>) -> HistoryStep {
    let mut is_step = false;
    let mut concerns = |fact: &Fact<'_>| {
        let is = |entity: FactEntity<'_>| {
            entity.type_name() == of
                && entity
                    .id()
                    .map_or(entity.slot() == id.slot(), |own| own == id)
        };
        let found = is(fact.entity()) || fact.other().is_some_and(is);
        is_step |= found
            && matches!(
                fact.kind(),
                FactKind::Create | FactKind::Move | FactKind::Delete
            );
        found
    };
    let shown = |fact: Fact<'_>| ShownFact::of(&fact, names, CHARS_IN_LIST);
    let mut requested = None;
    let mut causes = Vec::new();
    for firing in record.firings() {
        if !firing.is_immediate() {
            requested = Some(firing);
        }
        let facts = firing.facts();
        let facts: Vec<ShownFact> = facts.iter().filter(&mut concerns).map(shown).collect();
        if facts.is_empty() {
            continue;
        }
        let without_facts = |firing| ShownFiring::of(&firing, names, CHARS_IN_LIST, 0);
        causes.push(Cause {
            enabled_by: (requested.filter(|_| firing.is_immediate())).map(without_facts),
            firing: Some(ShownFiring {
                facts,
                ..without_facts(firing)
            }),
            facts: Vec::new(),
        });
    }
    if record.is_migration() {
        let facts = record.facts();
        causes.push(Cause {
            firing: None,
            enabled_by: None,
            facts: facts.iter().filter(&mut concerns).map(shown).collect(),
        });
    }
    HistoryStep {
        seq: record.seq().get(),
        time: record.time(),
        actor: record.meta().actor().map(str::to_owned),
        causation: record.meta().causation().map(Seq::get),
        step: is_step,
        causes,
    }
}

/// Returns the graph before the last transaction about an entity, which is the first record if these are not those of a later page.
fn before_last(
    source: &dyn Source,
    entity: &EntityRef,
    (end, before, records): (Seq, Seq, &[Record<Dynamic>]),
) -> Result<Option<Snapshot<Dynamic>>, Problem> {
    let last = match before == end {
        true => records.first().map(Record::seq),
        false => source.last_about(entity, end, 1)?.first().map(Record::seq),
    };
    let last = last.and_then(|seq| seq.get().checked_sub(1));
    last.map(|seq| source.as_of(AsOf::from(seq))).transpose()
}
