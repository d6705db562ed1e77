//! Entities: those of a place in pages, and one of them with both ends of each edge.

use ironweave::dynamic::{EntityType, EntityView, GraphView};
use ironweave::schema::{Cardinality, EndDef, Schema};
use ironweave::{Db as _, Id};
use serde::{Deserialize, Serialize};

use super::graph::{graph, id, page};
use super::log::check;
use crate::problem::Problem;
use crate::shown::{CHARS, CHARS_IN_LIST, EntityName, Moment, NamedValue, Names, ShownLink, named};
use crate::source::Source;

/// The number of entities that a page reads at most to find those that have a value.
const READ_MAX: usize = 5_000;
/// The number of links of each edge that the page of an entity shows.
const LINKS: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntitiesQuestion {
    #[serde(rename = "type")]
    entity_type: String,
    state: Option<String>,
    /// The entity that has this key or id.
    key: Option<String>,
    /// A field, or data of a state, which is to have the value `value`.
    field: Option<String>,
    /// The value as the API shows it. Without it, the field is to have any value.
    value: Option<String>,
    /// The id after which the page begins.
    after: Option<String>,
    limit: Option<usize>,
    at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct EntitiesAnswer {
    at: Moment,
    #[serde(rename = "type")]
    entity_type: String,
    /// The number of entities in the places that are listed.
    count: usize,
    /// The names of the fields, in order of declaration.
    fields: Vec<String>,
    /// What entities can be filtered by: the fields, and the data of states.
    filters: Vec<String>,
    items: Vec<EntityItem>,
    /// The `after` of the next page, if there is one. A page of a question with a `field` can have fewer items than its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct EntityItem {
    #[serde(flatten)]
    entity: EntityName,
    fields: Vec<NamedValue>,
    data: Vec<NamedValue>,
}

impl EntityItem {
    fn of(entity: EntityView<'_>, names: Names<'_>, most: usize) -> Self {
        Self {
            entity: EntityName::of(entity),
            fields: named(entity.fields(), names, most),
            data: named(entity.data(), names, most),
        }
    }
}

/// The field and the value by which entities are filtered.
struct ByValue<'q> {
    field: &'q str,
    value: Option<&'q str>,
}

impl<'q> ByValue<'q> {
    fn of(question: &'q EntitiesQuestion, of: EntityType<'_>) -> Result<Option<Self>, Problem> {
        let given = |text: &'q Option<String>| text.as_deref().filter(|text| !text.is_empty());
        let value = question.value.as_deref();
        let Some(field) = given(&question.field) else {
            return match given(&question.value) {
                Some(_) => Err(Problem::invalid("`value` needs a `field`")),
                None => Ok(None),
            };
        };
        check("field", field, filters(of))?;
        Ok(Some(Self { field, value }))
    }

    fn admits(&self, entity: EntityView<'_>, names: Names<'_>) -> bool {
        let mut values = entity.fields().chain(entity.data());
        let found = values.find(|(name, _)| *name == self.field);
        found.is_some_and(|found| {
            let shown = named(std::iter::once(found), names, CHARS);
            let has = |asked| shown.iter().any(|one| one.value.text == asked);
            self.value.is_none_or(has)
        })
    }
}

/// Returns a page of the entities of a type, in order of ids. O(entities of the page); with a `field`, O(entities that are read),
/// of which there are at most [`READ_MAX`].
pub(crate) fn entities(
    source: &dyn Source,
    question: &EntitiesQuestion,
) -> Result<EntitiesAnswer, Problem> {
    let limit = page(question.limit)?;
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let view = snapshot.by_name();
    let of = view.entity_type(&question.entity_type)?;
    let state = question.state.as_deref().filter(|state| !state.is_empty());
    let count = match state {
        Some(state) => of.count_in(state)?,
        None => of.count(),
    };
    let by_value = ByValue::of(question, of)?;
    let names = Names::of(view);
    let item = |entity| EntityItem::of(entity, names, CHARS_IN_LIST);
    let mut next = None;
    let items: Vec<EntityItem> = match (&question.key, &question.after) {
        (Some(key), _) => (find(of, key)?.into_iter())
            .filter(|entity| state.is_none_or(|state| entity.state() == state))
            .filter(|entity| by_value.as_ref().is_none_or(|by| by.admits(*entity, names)))
            .map(item)
            .collect(),
        (None, after) => {
            let all: Box<dyn Iterator<Item = EntityView<'_>>> = match (after, state) {
                (Some(after), state) => Box::new(of.entities_after(state, id(after)?)?),
                (None, Some(state)) => Box::new(of.entities_in(state)?),
                (None, None) => Box::new(of.entities()),
            };
            let mut all = all.peekable();
            let mut items = Vec::new();
            let (mut read, mut last) = (0, None);
            while items.len() < limit
                && read < READ_MAX
                && let Some(entity) = all.next()
            {
                read += 1;
                last = Some(entity.id());
                if by_value.as_ref().is_none_or(|by| by.admits(entity, names)) {
                    items.push(entity);
                }
            }
            if all.peek().is_some() {
                next = last.map(|id| id.to_string());
            }
            items.into_iter().map(item).collect()
        }
    };
    Ok(EntitiesAnswer {
        at,
        entity_type: of.name().to_owned(),
        count,
        fields: of.fields().map(|column| column.name.clone()).collect(),
        filters: filters(of).map(str::to_owned).collect(),
        items,
        next,
    })
}

/// Returns the names of the fields and of the data of states, each once.
fn filters<'g>(of: EntityType<'g>) -> impl Iterator<Item = &'g str> + Clone {
    let of_states = (of.states())
        .filter_map(|state| of.data_of(state).ok())
        .flatten();
    let mut names: Vec<&str> = Vec::new();
    for column in of.fields().chain(of_states) {
        if !names.contains(&&*column.name) {
            names.push(&column.name);
        }
    }
    names.into_iter()
}

/// Returns the entity of a type with a key or an id. Empty text is no key.
fn find<'g>(of: EntityType<'g>, key: &str) -> Result<Option<EntityView<'g>>, Problem> {
    if let Some(entity) = of.at_handle(key) {
        return Ok(Some(entity));
    }
    if of.key().next().is_none() {
        return match key.parse::<Id>() {
            Ok(_) => Ok(None),
            Err(_) => Err(Problem::invalid(format!(
                "{} has no key, and `{key}` is not an id, such as 3.1",
                of.name()
            ))),
        };
    }
    Ok(of.find(key)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntityQuestion {
    #[serde(rename = "type")]
    entity_type: String,
    id: String,
    at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct EntityAnswer {
    at: Moment,
    #[serde(flatten)]
    entity: EntityItem,
    edges: Vec<EdgeEnd>,
}

#[derive(Serialize)]
struct EdgeEnd {
    /// The name of the end at the entity.
    name: String,
    /// The other end, as `Bed.ward`.
    other: String,
    /// Whether the entity may have several links.
    many: bool,
    count: usize,
    /// The first links.
    links: Vec<ShownLink>,
}

/// Returns one entity. O(its fields + its edges).
pub(crate) fn entity(
    source: &dyn Source,
    question: &EntityQuestion,
) -> Result<EntityAnswer, Problem> {
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let view = snapshot.by_name();
    let entity = existing(view, (&question.entity_type, &question.id), at)?;
    let names = Names::of(view);
    let edges = entity.entity_type().edges().map(|name| {
        let end = end_of(snapshot.schema(), entity.entity_type(), name);
        let links = entity.links_from(name, 0)?.take(LINKS);
        Ok::<_, Problem>(EdgeEnd {
            name: name.to_owned(),
            other: end.as_ref().map_or_else(String::new, |end| end.1.clone()),
            many: end.is_none_or(|end| end.0),
            count: entity.degree(name)?,
            links: links.map(|link| ShownLink::of(link, names)).collect(),
        })
    });
    let edges = edges.collect::<Result<_, _>>()?;
    Ok(EntityAnswer {
        at,
        entity: EntityItem::of(entity, names, CHARS),
        edges,
    })
}

/// Returns whether an end may have several links, and the other end as text.
fn end_of(schema: &Schema, of: EntityType<'_>, name: &str) -> Option<(bool, String)> {
    let is = |end: &EndDef| end.name == name && schema[end.entity].name == of.name();
    let found = schema.edges.iter().find_map(|edge| {
        let ends = [(&edge.from, &edge.to), (&edge.to, &edge.from)];
        ends.into_iter().find(|(near, _)| is(near))
    });
    found.map(|(near, far)| {
        let text = format!("{}.{}", schema[far.entity].name, far.name);
        (near.cardinality == Cardinality::Many, text)
    })
}

fn existing<'g>(
    view: GraphView<'g>,
    (entity_type, text): (&str, &str),
    at: Moment,
) -> Result<EntityView<'g>, Problem> {
    let of = view.entity_type(entity_type)?;
    let when = match at.live {
        true => "now".to_owned(),
        false => format!("after frame {} ({})", at.seq, at.time),
    };
    of.at(id(text)?)
        .ok_or_else(|| Problem::not_found(format!("there is no {}/{text} {when}", of.name())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinksQuestion {
    #[serde(rename = "type")]
    entity_type: String,
    id: String,
    edge: String,
    /// The number of links before the page.
    #[serde(default)]
    skip: usize,
    limit: Option<usize>,
    at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct LinksAnswer {
    at: Moment,
    entity: EntityName,
    edge: String,
    count: usize,
    links: Vec<ShownLink>,
    /// The `skip` of the next page, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<usize>,
}

/// Returns a page of the links of an entity. O(links of the page).
pub(crate) fn links(source: &dyn Source, question: &LinksQuestion) -> Result<LinksAnswer, Problem> {
    let limit = page(question.limit)?;
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let view = snapshot.by_name();
    let entity = existing(view, (&question.entity_type, &question.id), at)?;
    let names = Names::of(view);
    let count = entity.degree(&question.edge)?;
    let links = entity.links_from(&question.edge, question.skip)?;
    let links: Vec<ShownLink> = (links.take(limit))
        .map(|link| ShownLink::of(link, names))
        .collect();
    let end = question.skip.saturating_add(links.len());
    Ok(LinksAnswer {
        at,
        entity: EntityName::of(entity),
        edge: question.edge.clone(),
        count,
        next: (end < count).then_some(end),
        links,
    })
}
