//! The net of the model as a picture, and the numbers of tokens in its places.

use std::sync::{Arc, Mutex, PoisonError};

use ironweave::dynamic::Dynamic;
use ironweave::schema::{EntityDef, Schema};
use ironweave::{Db as _, ErrorKind, Snapshot};
use ironweave_net::draw::Diagram;
use ironweave_net::{EntityIx, Net};
use serde::{Deserialize, Serialize};

use super::graph::{TimeQuestion, graph};
use super::log::check;
use super::places::LinkCounts;
use crate::problem::Problem;
use crate::shown::Moment;
use crate::source::Source;

/// The number of pictures that are kept.
const DRAWN_MAX: usize = 32;
/// A number of tokens for which each place has room.
const ROOM: u64 = 9_999_999;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetQuestion {
    /// `net`, `edges` or `lifecycle`.
    kind: Option<String>,
    /// The entity type of a lifecycle.
    #[serde(rename = "type")]
    entity_type: Option<String>,
    at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct NetAnswer {
    at: Moment,
    /// The picture, with the attribute `data-places` where a number of tokens belongs.
    svg: String,
    /// What is at each place.
    places: Vec<NetPlace>,
    /// The number of tokens in each place.
    tokens: Vec<u64>,
}

#[derive(Serialize)]
struct NetPlace {
    #[serde(rename = "type")]
    entity_type: String,
    /// The state, or the field that declares the edge.
    name: String,
    edge: bool,
}

#[derive(Serialize)]
pub(crate) struct MarkingAnswer {
    at: Moment,
    tokens: Vec<u64>,
}

/// The pictures that were drawn last: laying one out takes much longer than reading the numbers of tokens.
#[derive(Default)]
pub(crate) struct Nets {
    drawn: Mutex<Vec<(Schema, What, Arc<str>)>>,
}

/// What a picture shows.
#[derive(Clone, PartialEq)]
enum What {
    Net,
    Edges,
    Lifecycle(usize),
}

impl Nets {
    fn svg(&self, schema: &Schema, net: &Net, what: What) -> Arc<str> {
        let lock = || self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let is = |(of, drawn, _): &&(Schema, What, Arc<str>)| *drawn == what && of == schema;
        if let Some((.., svg)) = lock().iter().find(is) {
            return Arc::clone(svg);
        }
        let diagram = match what {
            What::Net => Diagram::net(net),
            What::Edges => Diagram::edges(net),
            What::Lifecycle(ix) => Diagram::lifecycle(net, EntityIx::new(ix as u16)),
        };
        let room = vec![ROOM; net.places.len()];
        let svg: Arc<str> = diagram.with_tokens(&room).to_page_svg().into();
        let mut drawn = lock();
        if drawn.len() == DRAWN_MAX {
            drawn.remove(0);
        }
        drawn.push((schema.clone(), what, Arc::clone(&svg)));
        svg
    }
}

/// Returns a picture of the model, with the numbers of tokens. O(places); a picture is laid out once.
pub(crate) fn net(
    source: &dyn Source,
    (nets, counted): (&Nets, &LinkCounts),
    question: &NetQuestion,
) -> Result<NetAnswer, Problem> {
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let schema = snapshot.schema();
    let what = match question.kind.as_deref() {
        None | Some("net") => What::Net,
        Some("edges") => What::Edges,
        Some("lifecycle") => {
            let Some(name) = question.entity_type.as_deref() else {
                return Err(Problem::invalid(
                    "a lifecycle is that of an entity type; name it with `type`",
                ));
            };
            check(
                "entity type",
                name,
                schema.entities.iter().map(|of| &*of.name),
            )?;
            let mut all = schema.entities.iter();
            What::Lifecycle(all.position(|of| of.name == name).unwrap_or_default())
        }
        Some(other) => {
            return Err(Problem::invalid(format!(
                "there is no picture `{other}`; ask for `net`, `edges` or `lifecycle`"
            )));
        }
    };
    let net = Net::of(schema).map_err(|e| Problem::new(ErrorKind::Internal, e.to_string()))?;
    let place = |of: &EntityDef, name: &str, edge| NetPlace {
        entity_type: of.name.clone(),
        name: name.to_owned(),
        edge,
    };
    let states = schema.entities.iter().flat_map(|of| {
        let states = of.states.iter();
        states.map(move |state| place(of, &state.name, false))
    });
    let edges = schema.edges.iter();
    let edges = edges.map(|edge| place(&schema[edge.from.entity], &edge.from.name, true));
    Ok(NetAnswer {
        at,
        svg: nets.svg(schema, &net, what).to_string(),
        places: states.chain(edges).collect(),
        tokens: tokens(&snapshot, counted),
    })
}

/// Returns the numbers of tokens in the places of the net. O(places).
pub(crate) fn marking(
    source: &dyn Source,
    counted: &LinkCounts,
    question: &TimeQuestion,
) -> Result<MarkingAnswer, Problem> {
    let (snapshot, at) = graph(source, question.at.as_deref())?;
    let tokens = tokens(&snapshot, counted);
    Ok(MarkingAnswer { at, tokens })
}

fn tokens(snapshot: &Snapshot<Dynamic>, counted: &LinkCounts) -> Vec<u64> {
    let types = snapshot.by_name().entity_types();
    let states = types.flat_map(|of| {
        let states = of.states();
        states.map(move |state| of.count_in(state).unwrap_or_default() as u64)
    });
    let mut tokens: Vec<u64> = states.collect();
    tokens.extend(counted.of(snapshot));
    tokens
}
