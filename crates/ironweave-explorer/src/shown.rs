//! Entities, values, events and facts as the API shows them.

use std::fmt::Display;

use ironweave::dynamic::{Dynamic, EntityView, GraphView, LinkView, ValueView};
use ironweave::schema::Encoding;
use ironweave::{
    Db as _, Fact, FactEntity, FactKind, Field, Firing, Id, Record, Snapshot, Timestamp,
};
use serde::Serialize;
use serde_json::Value;

/// The number of characters of a value that a list shows.
pub(crate) const CHARS_IN_LIST: usize = 120;
/// The number of characters of a value that the page of an entity or a transaction shows.
pub(crate) const CHARS: usize = 4_000;
/// The number of entities that are named beside a value that refers to them.
const NAMED_MAX: usize = 20;
/// The encoded length of a value, in bytes, from which on only the length is shown.
const BYTES_MAX: usize = 256 << 10;
/// The number of facts of one firing that are shown.
pub(crate) const FACTS_MAX: usize = 500;

/// The point in the log that an answer is about.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Moment {
    /// The last frame that the graph has.
    pub seq: u64,
    /// The time of the last transaction that it has.
    pub time: Timestamp,
    /// Whether it is the graph of now, and not that of a point that was asked for.
    pub live: bool,
}

/// An entity by name.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct EntityName {
    #[serde(rename = "type")]
    pub entity_type: String,
    pub id: String,
    /// The key, or the handle of an entity that has none or whose key is not known any more.
    pub label: String,
    /// The state, unless the entity does not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl EntityName {
    pub(crate) fn of(entity: EntityView<'_>) -> Self {
        Self {
            entity_type: entity.entity_type().name().to_owned(),
            id: entity.id().to_string(),
            label: cut(&entity.label(), CHARS_IN_LIST).0,
            state: Some(entity.state().to_owned()),
        }
    }
}

/// The graphs in which entities are looked up for their names: the first one that has an entity gives its label, and only the first
/// one its state.
#[derive(Clone, Copy)]
pub(crate) struct Names<'g> {
    graphs: [Option<GraphView<'g>>; 2],
}

impl<'g> Names<'g> {
    /// The entities of one graph.
    pub(crate) fn of(graph: GraphView<'g>) -> Self {
        let graphs = [Some(graph), None];
        Self { graphs }
    }

    /// The entities of the graphs after and before some transactions.
    pub(crate) fn around(
        after: &'g Snapshot<Dynamic>,
        before: Option<&'g Snapshot<Dynamic>>,
    ) -> Self {
        Self {
            graphs: [Some(after.by_name()), before.map(|before| before.by_name())],
        }
    }

    pub(crate) fn name(self, entity_type: &str, id: Id) -> EntityName {
        let find = |graph: GraphView<'g>| graph.entity_type(entity_type).ok()?.at(id);
        let [first, second] = self.graphs;
        if let Some(found) = first.and_then(find) {
            return EntityName::of(found);
        }
        match second.and_then(find) {
            Some(found) => EntityName {
                state: None,
                ..EntityName::of(found)
            },
            None => EntityName {
                entity_type: entity_type.to_owned(),
                id: id.to_string(),
                label: format!("{entity_type}/{id}"),
                state: None,
            },
        }
    }

    fn of_fact(self, entity: &FactEntity<'_>) -> EntityName {
        match entity.id() {
            Some(id) => self.name(entity.type_name(), id),
            None => EntityName {
                entity_type: entity.type_name().to_owned(),
                id: entity.slot().to_string(),
                label: entity.to_string(),
                state: None,
            },
        }
    }
}

/// A value.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Shown {
    pub text: String,
    /// The number of characters that are left out at the end.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
    /// Whether there is no value, of an optional one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub none: bool,
    /// The first of the entities that the value refers to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<EntityName>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// Returns the first characters of a text, and the number of those that are left out.
pub(crate) fn cut(text: &str, most: usize) -> (String, usize) {
    match text.char_indices().nth(most) {
        None => (text.to_owned(), 0),
        Some((end, _)) => {
            let (shown, rest) = text.split_at(end);
            (shown.to_owned(), rest.chars().count())
        }
    }
}

impl Shown {
    fn new(
        value: &(impl Display + Serialize),
        (bytes, encoding): (usize, Option<&Encoding>),
        names: Names<'_>,
        most: usize,
    ) -> Self {
        if bytes > BYTES_MAX {
            return Self {
                text: format!("a value of {bytes} bytes"),
                more: 0,
                none: false,
                entities: Vec::new(),
            };
        }
        // A text has no quotes.
        let text = match encoding.is_none_or(is_text) {
            true => serde_json::to_value(value).ok(),
            false => None,
        };
        let (text, more) = match text {
            Some(Value::String(text)) => cut(&text, most),
            _ => cut(&value.to_string(), most),
        };
        let none = matches!(encoding, Some(Encoding::Option(_)))
            && serde_json::to_value(value).is_ok_and(|value| value.is_null());
        let entities = match encoding.is_some_and(refers) {
            true => referred(&serde_json::to_value(value).unwrap_or_default(), names),
            false => Vec::new(),
        };
        Self {
            text,
            more,
            none,
            entities,
        }
    }

    pub(crate) fn value(value: &ValueView<'_>, names: Names<'_>, most: usize) -> Self {
        let of = (value.encoded().len(), value.encoding());
        Self::new(value, of, names, most)
    }

    pub(crate) fn field(field: &Field<'_>, names: Names<'_>, most: usize) -> Self {
        let of = (field.encoded().len(), field.encoding());
        Self::new(field, of, names, most)
    }
}

/// Whether values of an encoding may be texts.
fn is_text(encoding: &Encoding) -> bool {
    match encoding {
        // The JSON of a key is a text if its field is one.
        Encoding::Text | Encoding::Key(_) => true,
        Encoding::Option(inner) => is_text(inner),
        _ => false,
    }
}

/// Whether values of an encoding are handles.
fn refers(encoding: &Encoding) -> bool {
    match encoding {
        Encoding::Id(_) => true,
        Encoding::Option(inner) | Encoding::List(inner) => refers(inner),
        _ => false,
    }
}

/// Returns the first entities that the JSON of a handle, or of several, refers to.
fn referred(value: &Value, names: Names<'_>) -> Vec<EntityName> {
    let mut found = Vec::new();
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(all) => left.extend(all.iter().take(NAMED_MAX).rev()),
            Value::String(handle) if found.len() < NAMED_MAX => {
                let parts = handle.rsplit_once('/');
                let id = parts.and_then(|(name, id)| Some((name, id.parse().ok()?)));
                found.extend(id.map(|(name, id)| names.name(name, id)));
            }
            _ => {}
        }
    }
    found
}

/// A value with its name.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NamedValue {
    pub name: String,
    pub value: Shown,
}

/// Returns values with their names.
pub(crate) fn named<'v>(
    values: impl Iterator<Item = (&'v str, ValueView<'v>)>,
    names: Names<'_>,
    most: usize,
) -> Vec<NamedValue> {
    let one = |(name, value): (&str, ValueView<'_>)| NamedValue {
        name: name.to_owned(),
        value: Shown::value(&value, names, most),
    };
    values.map(one).collect()
}

/// A link of an entity.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownLink {
    pub entity: EntityName,
    /// The data of the link, if the edge has data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Shown>,
}

impl ShownLink {
    pub(crate) fn of(link: LinkView<'_>, names: Names<'_>) -> Self {
        Self {
            entity: EntityName::of(link.entity()),
            data: link
                .data()
                .map(|data| Shown::value(&data, names, CHARS_IN_LIST)),
        }
    }
}

/// A fact. It has those of the members that its kind has.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownFact {
    pub fact: &'static str,
    pub entity: EntityName,
    /// The field that is set, or the edge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The state to whose data the field belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_of: Option<String>,
    /// The other end of a link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<EntityName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Shown>,
}

impl ShownFact {
    pub(crate) fn of(fact: &Fact<'_>, names: Names<'_>, most: usize) -> Self {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Self {
            fact: match fact.kind() {
                FactKind::Create => "create",
                FactKind::Delete => "delete",
                FactKind::Move => "move",
                FactKind::Set => "set",
                FactKind::Link => "link",
                FactKind::Unlink => "unlink",
                FactKind::SetLink => "set_link",
            },
            entity: names.of_fact(&fact.entity()),
            field: text(fact.field()),
            data_of: text(fact.data_of()),
            other: fact.other().map(|other| names.of_fact(&other)),
            from: text(fact.from()),
            to: text(fact.to()),
            value: fact
                .assigned()
                .map(|value| Shown::field(&value, names, most)),
        }
    }
}

/// An event that fired, with its facts.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownFiring {
    pub event: String,
    /// Whether it fired by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immediate: bool,
    pub fields: Vec<NamedValue>,
    /// The entities that the event chose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<(String, Vec<EntityName>)>,
    /// The number of facts, of which only the first ones are in `facts`.
    pub fact_count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<ShownFact>,
}

impl ShownFiring {
    /// A firing with at most `facts` of its facts.
    pub(crate) fn of(
        firing: &Firing<'_, Dynamic>,
        names: Names<'_>,
        most: usize,
        facts: usize,
    ) -> Self {
        let fields = firing.fields();
        let chosen = firing.chosen().into_iter().map(|(name, all)| {
            let all = all.iter().map(|one| names.name(&one.entity, one.id));
            (name.to_owned(), all.take(NAMED_MAX).collect())
        });
        let all = firing.facts();
        Self {
            event: firing.name().to_owned(),
            immediate: firing.is_immediate(),
            fields: (fields.iter())
                .map(|field| NamedValue {
                    name: field.name().to_owned(),
                    value: Shown::field(field, names, most),
                })
                .collect(),
            chosen: chosen.collect(),
            fact_count: all.len(),
            facts: (all.iter().take(facts))
                .map(|fact| ShownFact::of(&fact, names, most))
                .collect(),
        }
    }
}

/// A transaction.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShownTransaction {
    pub seq: u64,
    pub time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation: Option<String>,
    /// The transaction that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// Whether it is a part of a migration, whose facts belong to no event.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub migration: bool,
    pub fact_count: usize,
    pub firings: Vec<ShownFiring>,
}

impl ShownTransaction {
    /// A transaction with the firings that are given.
    pub(crate) fn of(record: &Record<Dynamic>, firings: Vec<ShownFiring>) -> Self {
        let meta = record.meta();
        let text = |text: Option<&str>| text.map(|text| cut(text, CHARS_IN_LIST).0);
        Self {
            seq: record.seq().get(),
            time: record.time(),
            actor: text(meta.actor()),
            correlation: text(meta.correlation()),
            causation: meta.causation().map(|seq| seq.get()),
            idempotency_key: text(meta.idempotency_key()),
            migration: record.is_migration(),
            fact_count: record.facts().len(),
            firings,
        }
    }

    /// A transaction with all of its firings.
    pub(crate) fn whole(
        record: &Record<Dynamic>,
        names: Names<'_>,
        most: usize,
        facts: usize,
    ) -> Self {
        let firings = record.firings();
        let shown = firings.map(|firing| ShownFiring::of(&firing, names, most, facts));
        Self::of(record, shown.collect())
    }
}
