//! The graph of a store, now or at an earlier moment, read by name.

#[cfg(feature = "sqlite")]
use ironweave::Seq;
use ironweave::dynamic::{Dynamic, EntityType, EntityView, GraphView, LinkView, ValueView};
use ironweave::schema::{Cardinality, EndDef};
use ironweave::{AsOf, Db as _, Id, Snapshot, Store};

use crate::cli::Source;
use crate::failure::{Failure, Result};
use crate::labels::{Part, key_text};
use crate::names;
use crate::output::Output;
use crate::source;
use crate::values::{self, Texts};
use crate::when::When;

/// A store whose graph a command reads.
#[derive(clap::Args)]
pub struct Moment {
    #[command(flatten)]
    pub source: Source,
    /// Read the graph as it was after this transaction, or at this time
    #[arg(long, allow_negative_numbers = true, value_name = "SEQ|TIME")]
    pub as_of: Option<When>,
}

/// A graph that was read from a log.
pub enum Graph {
    Now(Box<Store<Dynamic>>),
    Then(Snapshot<Dynamic>),
}

impl Moment {
    /// Replays the log.
    pub fn open(&self) -> Result<Graph> {
        let store = source::store(&self.source)?;
        Ok(match self.as_of {
            None => Graph::Now(Box::new(store)),
            Some(when) => Graph::Then(as_of(&store, when)?),
        })
    }
}

/// Returns the graph at an earlier moment.
pub fn as_of(store: &Store<Dynamic>, when: When) -> Result<Snapshot<Dynamic>> {
    Ok(store.as_of(AsOf::from(when))?)
}

impl Graph {
    pub fn view(&self) -> GraphView<'_> {
        match self {
            Self::Now(store) => store.by_name(),
            Self::Then(snapshot) => snapshot.by_name(),
        }
    }

    /// The last frame in the graph.
    #[cfg(feature = "sqlite")]
    pub fn seq(&self) -> Option<Seq> {
        match self {
            Self::Now(store) => store.seq(),
            Self::Then(snapshot) => snapshot.seq(),
        }
    }
}

/// Returns the entity type that a user named.
pub fn entity_type<'g>(graph: GraphView<'g>, name: &str) -> Result<EntityType<'g>> {
    let known = graph.entity_types().map(EntityType::name);
    names::check("there is no type", name, known)?;
    Ok(graph.entity_type(name)?)
}

/// Returns the id that a text is, alone or behind the name of the type, as in `JobRun/3.1`.
pub fn id_of(type_name: &str, text: &str) -> Option<Id> {
    let rest = text.strip_prefix(type_name);
    let rest = rest.and_then(|rest| rest.strip_prefix(['/', '-']));
    rest.unwrap_or(text).parse().ok()
}

/// Returns the entity of a type with a key or an id that a user gave.
pub fn find<'g>(graph: GraphView<'g>, name: &str, given: &str) -> Result<EntityView<'g>> {
    let of = entity_type(graph, name)?;
    let list = format!("`ironweave list STORE {name}` prints those that there are");
    if of.key().next().is_none() {
        if id_of(name, given).is_none() {
            return Err(Failure::Usage(format!(
                "`{given}` is not an id, and a {name} has no key; name it by its id, such as 3.1; {list}"
            )));
        }
        let found = of.at_handle(given);
        return found
            .ok_or_else(|| Failure::Problem(format!("there is no {name} {given}; {list}")));
    }
    let found = match of.find(given) {
        Ok(found) => found.or_else(|| of.at_handle(given)),
        Err(e) => Some(of.at_handle(given).ok_or(e)?),
    };
    found.ok_or_else(|| {
        Failure::Problem(format!("there is no {name} with the key `{given}`; {list}"))
    })
}

/// Returns the key of an entity, or nothing if its type has none.
pub fn key(entity: EntityView<'_>) -> Vec<Part> {
    let of: EntityType<'_> = entity.entity_type();
    let parts = of
        .key()
        .filter_map(|column| entity.field(&column.name).ok().flatten());
    let part = |value: ValueView<'_>| Part {
        text: value.to_string(),
        json: values::json(&value),
    };
    parts.map(part).collect()
}

/// Returns an entity as text, in the form that [`Labels`](crate::labels::Labels) have.
pub fn entity_text(entity: EntityView<'_>) -> String {
    match key_text(&key(entity)) {
        Some(key) => format!("{} {key}", entity.entity_type().name()),
        None => entity.handle(),
    }
}

/// Returns whether an end of an edge may have several links.
pub fn has_many(entity: EntityView<'_>, graph: GraphView<'_>, edge: &str) -> bool {
    let name = entity.entity_type().name();
    let is = |end: &EndDef| {
        let of = graph.schema().entities.get(end.entity.index());
        end.name == edge && of.is_some_and(|of| of.name == name)
    };
    let mut ends = (graph.schema().edges.iter()).flat_map(|edge| [&edge.from, &edge.to]);
    let end = ends.find(|end| is(end));
    end.is_none_or(|end| !matches!(end.cardinality, Cardinality::One | Cardinality::Option))
}

/// Returns a value as text, with the keys of the entities that are in it.
pub fn value_text(out: &Output, graph: GraphView<'_>, value: &ValueView<'_>) -> String {
    let handle = |name: &str, id: Id| {
        let entity = graph.entity_type(name).ok().and_then(|of| of.at(id));
        entity.map_or_else(|| format!("{name}/{id}"), entity_text)
    };
    let texts = Texts {
        schema: Some(graph.schema()),
        full: out.is_full(),
        handle: &handle,
    };
    texts.text(value, value.encoding())
}

/// Returns the entity at the other end of a link as text, with the data of the link.
pub fn link_text(out: &Output, graph: GraphView<'_>, link: LinkView<'_>) -> String {
    let entity = link.entity();
    match link.data() {
        Some(data) => format!(
            "{} = {}",
            entity_text(entity),
            value_text(out, graph, &data)
        ),
        None => entity_text(entity),
    }
}
